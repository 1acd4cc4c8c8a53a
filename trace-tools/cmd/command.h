/*
 * command: the table that commands, their options, `--help` and docs/PAGETRAIL.md come from.
 *
 * Each subcommand is one file cmd/NAME.c that defines one `struct command`. Exit statuses are the same for all:
 * 0 nothing lost, 1 something lost, 2 could not tell (bad usage and errors included).
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/leaks.h"
#include "../lib/moment.h"
#include "../lib/util.h"

struct option_spec {
	const char *name;
	const char *argument; /* NULL: a flag; "[PORT]": may be left out; "A B": two words; else needed */
	const char *help;
};

#define OPTIONS_MAX 32

struct arguments;

struct command {
	const char *name;
	const char *operands; /* as in the usage line */
	const char *summary;  /* one line, without a full stop */
	const char *description;
	uint32_t min_operands, max_operands;
	bool takes_rest;                   /* "-- COMMAND..." */
	const struct option_spec *options; /* name NULL ends */
	int (*run)(const struct arguments *arguments);
};

struct arguments {
	const struct command *command;
	const char *values[OPTIONS_MAX], *seconds[OPTIONS_MAX];
	int nr_operands;
	char **operands;
	int nr_rest;
	char **rest;
};

/* NULL: not given; "" for a flag. The option must be in the command's table. */
const char *option(const struct arguments *arguments, const char *name);
/* The second word of an option that takes two; NULL: not given. */
const char *option_second(const struct arguments *arguments, const char *name);
/* Its value as a number, or `otherwise`; dies when it is no number in [low, high]. */
uint64_t option_number(const struct arguments *arguments, const char *name, uint64_t otherwise, uint64_t low,
		       uint64_t high);

extern const struct command command_run, command_record, command_summary, command_dump, command_leaks,
    command_page, command_live, command_diff, command_top, command_stacks, command_plot, command_export,
    command_recover, command_verify, command_report;

/* ---- shared by several commands ---- */

/* Opens a run folder or dies. */
struct run *open_run(const char *folder);
/* Physical address of trace_desc by the symbols of a kernel, or dies; 0 for NULL: it must be sought. */
uint64_t desc_address(const char *kernel);
/* Text of a record's particulars ("pfn 0x80f12 order 0 ..."), without time and name. */
void print_record_fields(FILE *out, const struct trace_record *record);
/* The instant that `text` names in this run, in ticks, or dies naming the option it came from. */
uint64_t moment_or_die(const struct timeline *timeline, const char *option, const char *text,
		       enum moment_edge edge);
/* The books as they stood at a moment (NULL: the end), which is put into *time; dies when the run has no such. */
struct model *replay_at(struct run *run, const char *moment, uint64_t *time);
/* "1.234567" seconds. */
const char *time_text(uint64_t time, char buf[24]);
/* "pid 7 (usertests)": what holds a reference. */
void print_holder(FILE *out, const struct model *model, uint32_t ref, uint16_t holder, uint32_t index);

struct json;
struct stackbook;
void json_frame(struct json *json, const struct symbol_frame *frame);
/* The frames of a stack, innermost first, as an array. */
void json_stack(struct json *json, const char *key, struct stackbook *book, uint32_t id);
void leaks_print(const struct leaks *leaks, bool all, FILE *out);
void leaks_print_head(const struct leaks *leaks, FILE *out);
/* Parts of the same text: of the whole report, and from PART_WHAT on of one group. */
enum leaks_part { PART_HEAD, PART_REST, PART_WHAT, PART_FACTS, PART_MISSING, PART_LIFE };
void leaks_print_part(const struct leaks *leaks, enum leaks_part part, size_t group, FILE *out);
void leaks_print_json(const struct leaks *leaks, FILE *out);
/* One line a test: free pages before and after, lost, what the audit said. */
void tests_print(const struct model *model, FILE *out);
void tests_json(const struct model *model, struct json *json);
/* "nothing lost" */
const char *leaks_verdict(int status);
enum report_form { REPORT_TEXT, REPORT_ALL, REPORT_JSON, REPORT_NOTHING };
/*
 * Finds leaks in a replayed run and prints the report; the status by its verdict. The command has the options
 * baseline, suppressions and fail-on-leak; leaks_check dies now where they could only fail then.
 */
int leaks_report(struct run *run, struct model *model, const struct arguments *arguments,
		 enum report_form form);
void leaks_check(const struct arguments *arguments);
/* What a machine died of: the panic (NULL: none), each hart, the last events of its run. STATUS_LOST for a panic. */
struct guest;
struct panic_state;
int death_report(const struct guest *guest, struct run *run, const struct panic_state *panic,
		 uint64_t nr_events, FILE *out);
/* Draws free pages of a run as OUT.png and OUT.svg (NULL: RUN/free-pages); 0 or STATUS_CANNOT_TELL. */
int plot_run(const char *folder, const char *out);

#endif
