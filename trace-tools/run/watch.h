/* SPDX-License-Identifier: MIT */
/*
 * watch: a command of the user's, in which every QEMU that boots a kernel is traced.
 *
 * The user's tree is not ours to change, and neither is the way its QEMU is started: `make qemu` knows the machine's
 * options, a grade script starts several machines one after the other. So nothing is read from the Makefile. A folder
 * put first in PATH holds a `qemu-system-riscv64` that is this program again (the stand-in): it passes calls that boot
 * no kernel through, and otherwise makes a run folder, describes the kernel it was given, and becomes the real QEMU
 * with the plugin added. The machine keeps its process, its terminal and its parent.
 *
 *     pagetrail watch make qemu
 *       └ make qemu                                  PATH=STAND-IN:…
 *           └ qemu-system-riscv64 -kernel kernel/kernel …     the stand-in: RUN/kernel/{kernel.elf,kernel.kd,hooks}
 *             = /usr/bin/qemu-system-riscv64 -kernel … -plugin pagetrail-plugin.so,out=RUN,hooks=…
 *
 * What the two say to each other goes through the environment (WATCH_ENV_*) and one file, to which each stand-in
 * appends a line "PID FOLDER" before it becomes QEMU.
 *
 * WATCH-1  a call that is not traced runs exactly as without us: same program, same words, same descriptors.
 * WATCH-2  a run folder holds the ELF file, the description and the hooks that were in force, before the machine starts.
 *          RUN/watch.json says what they were, so that a run that is interrupted is read with no other.
 * WATCH-3  run.json is written when the machine has ended and not before: without it the run was interrupted.
 */
#ifndef TOOLS_RUN_WATCH_H
#define TOOLS_RUN_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCH_QEMU "qemu-system-riscv64"

/* Pointers to pages that are followed (plugin/follow.h): none; all; all, and at the end only what has none left is told. */
enum watch_follow { WATCH_FOLLOW_NOT, WATCH_FOLLOW_ALL, WATCH_FOLLOW_LOST };

/* What the user wants. */
struct watch_options {
	const char
	    *folder; /* of the run, NULL: pagetrail-runs/ and the time; further machines get -2, -3, … */
	const char *description; /* file, NULL: it is found from the ELF file */
	const char *elf;         /* NULL: what QEMU is told to boot is one */
	const char *symbols;     /* a System.map; NULL: the ELF file has them, or the description names one */
	bool check_writes;
	enum watch_follow follow;
	bool quiet;     /* what a driven console says is not passed on */
	char **command; /* NULL-terminated */
	/* A driven terminal: any of these. */
	const char **typed; /* NULL-terminated lines, one at each prompt; NULL: none */
	const char *until; /* extended regular expression; NULL: until the prompt after the last typed line */
	const char
	    *prompt; /* extended regular expression for the end of the output; NULL: "$ ", "# " or "> " */
	uint64_t timeout_seconds; /* 0: none */
	uint64_t output_mib_max;  /* of a driven terminal: it ends when it has printed more; 0: no limit */
};

/* A machine that the command started. */
struct watch_run {
	pid_t pid;
	char *folder;       /* absolute */
	unsigned nr_silent; /* looks at which it had recorded nothing yet (watch_look_silent) */
};

enum watch_end {
	WATCH_ENDED,     /* the command ended by itself, or was ended where the user said */
	WATCH_TIMED_OUT, /* --timeout */
	WATCH_TOO_LONG,  /* it printed more than output_mib_max */
	WATCH_UNSEEN, /* --until was not seen, or not all was typed, before the command ended or the prompt was back */
	WATCH_INTERRUPTED, /* a signal ended us */
};

struct watch {
	const struct watch_options *options;
	char *stand_in; /* the folder that is first in PATH */
	char *list;     /* the file of "PID FOLDER" */
	enum watch_end end;
	const char *end_text; /* why, in words; NULL: it ended by itself */
	int command_status;   /* as waitpid gives it */
	/* Of a driven command, NULL: none. */
	char *first_error; /* the first line that tells an error, before a machine was started */
	char *last_line;   /* what it had said last when it was ended before its time */
	struct watch_run *runs;
	size_t nr_runs, capacity;
	size_t
	    nr_calls; /* of a QEMU that boots a kernel, through PATH: those that ran and those that were refused */
};

/* Runs the command to its end; dies where it cannot begin. */
struct watch *watch_run(const struct watch_options *options);
void watch_free(struct watch *watch);
/* Has this machine's process ended? */
bool watch_machine_ended(const struct watch_run *run);

/*
 * PARENT and the time, for what is written in a user's tree: PARENT is made, and the tree's version control does not see it.
 * Caller frees.
 */
char *watch_dated_folder(const char *parent);

/* ---- the stand-in ---- */

/* Is this process one: called by QEMU's name, under a watch? */
bool watch_is_stand_in(const char *program_name);
/* Becomes QEMU; returns only with a status when it cannot. */
int watch_stand_in(int argc, char **argv);

/* ---- what they share ---- */

#define WATCH_CALLS                                                                                          \
	"calls" /* file in that folder: a byte for each kernel that a stand-in was asked to boot */
#define WATCH_ENV_STAND_IN "PAGETRAIL_WATCH_STAND_IN"       /* the folder */
#define WATCH_ENV_FOLDER "PAGETRAIL_WATCH_FOLDER"           /* for the first machine's run */
#define WATCH_ENV_DESCRIPTION "PAGETRAIL_WATCH_DESCRIPTION" /* file; unset: none */
#define WATCH_ENV_ELF "PAGETRAIL_WATCH_ELF"                 /* file; unset: the kernel that QEMU boots */
#define WATCH_ENV_SYMBOLS "PAGETRAIL_WATCH_SYMBOLS"         /* file; unset: what the description names */
#define WATCH_ENV_WRITES "PAGETRAIL_WATCH_WRITES"           /* set: --check writes */
#define WATCH_ENV_FOLLOW "PAGETRAIL_WATCH_FOLLOW"           /* enum watch_follow; unset: not */

#endif
