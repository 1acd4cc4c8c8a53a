/* SPDX-License-Identifier: MIT */
/*
 * command: the table that commands, their options, `--help` and docs/PAGETRAIL.md come from.
 *
 * Each subcommand is one file cmd/NAME.c that defines one `struct command`, and one text help/NAME.txt. Exit statuses are the same for all:
 * 0 nothing lost, 1 something lost, 2 could not tell (bad usage and errors included).
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/leaks.h"
#include "base/util.h"
#include "replay/instant.h"
#include "target/guest.h"

struct option_spec {
	const char *name;
	const char *argument; /* NULL: a flag; "[PORT]": may be left out; "A B": two words; else needed */
	const char *help;
};

#define OPTIONS_MAX 32

/* Of every command that shows names. main.c does what it says. */
#define FORCE_SYMBOLS                                                                                        \
	{                                                                                                    \
		"force-symbols", NULL, "use the names of a kernel of another build, too"                     \
	}
/* Of every command that finds a kept baseline by itself (leaks_read). */
#define NO_BASELINE                                                                                          \
	{                                                                                                    \
		"no-baseline", NULL,                                                                         \
		    "compare with no other run, not even with the baseline kept for this workload: what "    \
		    "the events of this run say alone"                                                       \
	}

struct arguments;

struct command {
	const char *name;
	const char *operands; /* as in the usage line */
	const char *summary;  /* one line, without a full stop; help/NAME.txt has the description */
	uint32_t min_operands, max_operands;
	bool takes_rest;    /* "-- COMMAND..." */
	bool takes_command; /* the same, and "--" may be left out: the first operand begins it */
	const struct option_spec *options; /* name NULL ends */
	int (*run)(const struct arguments *arguments);
};

struct arguments {
	const char *program; /* as it was typed, so that a command that is printed can be typed */
	const struct command *command;
	const char *values[OPTIONS_MAX], *seconds[OPTIONS_MAX];
	int nr_operands;
	char **operands;
	int nr_rest;
	char **rest;
	int nr_words; /* as given, before the rest */
	char **words;
};

/* -o and -j in full, where the command has such an option; else the word itself. */
const char *long_option(const struct command *command, const char *word);
/* NULL: not given; "" for a flag. The option must be in the command's table. */
const char *option(const struct arguments *arguments, const char *name);
/* The second word of an option that takes two; NULL: not given. */
const char *option_second(const struct arguments *arguments, const char *name);
/* Every value of an option that may be given several times, NULL-terminated, from the heap; NULL: not given. */
const char **option_all(const struct arguments *arguments, const char *name);
/* Its value as a number, or `otherwise`; dies when it is no number in [low, high]. */
uint64_t option_number(const struct arguments *arguments, const char *name, uint64_t otherwise, uint64_t low,
		       uint64_t high);

#define COMMAND(name) extern const struct command command_##name;
#include "commands.def"
#undef COMMAND

/* ---- shared by several commands (open.c) ---- */

/* Opens a run folder or dies. */
struct run *open_run(const char *folder);
/* Dies unless the replayed run is known to have no leak. */
void check_healthy(struct run *run, struct model *model);
/* A baseline file, or the folder of a run without leaks as one; or dies. */
struct baseline *open_baseline(const char *path);
/* Where baselines are kept. */
#define BASELINES_FOLDER "traces/baselines"
/* The kept baseline of a run's workload, its build's if there is one; NULL: none is kept. */
struct baseline *kept_baseline(const struct run *run);
/* A replayed run as a baseline, with what its kernel's code says. */
struct baseline *baseline_of(struct run *run, struct model *model);
/* Physical address of trace_desc by the symbols of a kernel, or dies; 0 for NULL: it must be sought. */
uint64_t desc_address(const char *kernel);
/* The kernel's file, or NULL after a warning when it is of another build than the one in memory says. */
const char *kernel_of_guest(const char *kernel, const struct guest *guest);
/* The instant that `text` names in this run, in ticks, or dies naming the option it came from. */
uint64_t instant_or_die(const struct timeline *timeline, const char *option, const char *text,
			enum instant_edge edge);
/* The run replayed to an instant (NULL: the end), which is put into *time; dies when the run has no such. */
struct model *replay_at(struct run *run, const char *instant, uint64_t *time);

/* ---- parts of one command that another one offers, too ---- */

enum report_form {
	REPORT_TEXT,
	REPORT_ALL,
	REPORT_JSON,
	REPORT_GCC,
	REPORT_MARKDOWN,
	REPORT_SARIF,
	REPORT_JUNIT,
	REPORT_NOTHING
};
/*
 * Finds leaks in a replayed run and prints the report; the status by its verdict. The command has the options
 * baseline, suppressions and fail-on-leak; leaks_check dies now where they could only fail then.
 */
int leaks_report(struct run *run, struct model *model, const struct arguments *arguments,
		 enum report_form form);
/*
 * The same for who wants more of it than one of these forms: the reader looks at what was found. strict: --fail-on-leak, which such a
 * command need not have.
 */
typedef void leaks_reader(const struct leaks *leaks, void *context);
int leaks_read(struct run *run, struct model *model, const struct arguments *arguments, bool strict,
	       leaks_reader *reader, void *context);
void leaks_check(const struct arguments *arguments);
/* Was the repetition tried before the report? One that failed is not tried again, and was told of. */
enum why_before { WHY_NOT_TRIED, WHY_FAILED, WHY_REPEATED };
struct why_options {
	size_t limit;   /* of each group */
	uint64_t group; /* from 1; 0: all */
	bool json;
	enum why_before before;
	const struct leaks_query
	    *query; /* NULL: everything, with the baseline that is kept for this workload */
};
#define WHY_LIMIT 1024
#define WHY_LIMIT_TEXT "1024"
/*
 * Repeats the run and says where the last pointer to what leaked died; STATUS_LEAKED, or STATUS_CANNOT_TELL and a word on stderr
 * where it cannot be repeated.
 */
int why_report(const char *folder, const struct why_options *options);
/* The same after a report by leaks_read, judged by the same baseline and suppressions. */
void leaks_why(const char *folder, const struct arguments *arguments, enum why_before before);
/*
 * The repetition alone, for a report of leaks that is to know of it; nothing where nothing leaked, or where the run is watched
 * (its second run is another one).
 */
enum why_before why_repeat(const char *folder);
/* Draws free pages of a run as OUT.png and OUT.svg (NULL: RUN/free-pages); 0 or STATUS_CANNOT_TELL. */
int plot_run(const char *folder, const char *out);

#endif
