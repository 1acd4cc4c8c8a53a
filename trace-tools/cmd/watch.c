/* SPDX-License-Identifier: MIT */
/*
 * pagetrail watch: the command. The machines are started by run/watch.c and its stand-in; what a run says is said by the
 * same report as `pagetrail leaks`.
 *
 * Its status is the worst of its runs': 1 where one leaked, else 2 where one cannot tell, else 0. No run at all is 2.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/json_read.h"
#include "base/util.h"
#include "help.h"
#include "report/leaks_text.h"
#include "report/sources.h"
#include "run/watch_end.h"
#include "watch.h"

void watch_read_options(const struct arguments *arguments, struct watch_options *options)
{
	const char *check = option(arguments, "check");

	if (check && strcmp(check, "writes"))
		die("--check: writes, not %s", check);
	options->check_writes = check != NULL;
	options->follow = option(arguments, "leak-points") ? WATCH_FOLLOW_LOST : WATCH_FOLLOW_NOT;
	options->description = option(arguments, "kernel-description");
	options->elf = option(arguments, "elf");
	options->symbols = option(arguments, "symbols");
	options->typed = option_all(arguments, "type");
	options->until = option(arguments, "until");
	options->prompt = option(arguments, "prompt");
	options->timeout_seconds = option_number(arguments, "timeout", 0, 1, 1000000);
}

/* What to type next. Only a machine that nobody typed at by hand can be run again. */
static void say_next(const struct watch *watch, const struct arguments *arguments, const char *folder,
		     int status)
{
	const struct watch_options *options = watch->options;
	const char *program = arguments->program;

	printf("\nnext: %s report %s    (one HTML file with all of it)\n", program, folder);
	if (status != STATUS_LEAKED || option(arguments, "why"))
		return;
	if (option(arguments, "leak-points")) {
		printf("      %s why %s    (who is to blame)\n", program, folder);
		return;
	}
	if (options->typed || options->until || options->timeout_seconds) {
		printf("      %s why %s    (the machine again, every pointer followed: who is to blame)\n",
		       program, folder);
		return;
	}
	printf("      %s watch --why --type 'WHAT YOU TYPED'", program);
	for (int i = 0; i < arguments->nr_rest; i++)
		printf(" %s", arguments->rest[i]);
	printf("    (again, every pointer followed: who is to blame)\n");
}

/* Whoever else wants to look at what was found. */
struct further_reader {
	leaks_reader *read;
	void *context;
};

static void print_and_pass_on(const struct leaks *leaks, void *context)
{
	const struct further_reader *further = context;

	leaks_print(leaks, false, stdout);
	if (further->read)
		further->read(leaks, further->context);
}

/* What was started, and where, is in the file that the stand-in left. */
static void keep_sources(const char *folder)
{
	char *path = xasprintf("%s/" WATCH_START_FILE, folder);
	char *text = file_read_all(path, NULL);
	struct json_value *start = text ? json_parse(text) : NULL;

	sources_keep(folder, start ? json_get_string(start, "kernel") : NULL,
		     start ? json_get_string(start, "folder") : NULL);
	json_value_free(start);
	free(text);
	free(path);
}

/* What one machine's run says, on standard output; its status. */
static int report_run(const struct watch *watch, const struct watch_run *machine,
		      const struct arguments *arguments, struct further_reader *further)
{
	char *problem;

	printf("\n%s\n", machine->folder);
	if (!watch_machine_ended(machine)) {
		warn("%s: its QEMU (process %d) still runs: no verdict", machine->folder, (int)machine->pid);
		return STATUS_CANNOT_TELL;
	}
	problem = watch_write_end(machine->folder, watch->end_text, watch->options);
	if (problem) {
		warn("%s", problem);
		free(problem);
		return STATUS_CANNOT_TELL;
	}
	keep_sources(machine->folder);
	struct run *run = open_run(machine->folder);
	struct model *model = model_replay(run, NULL);
	int status = leaks_read(run, model, arguments, option(arguments, "fail-on-leak") != NULL,
				print_and_pass_on, further);
	model_free(model);
	run_close(run);
	if (option(arguments, "why") && status == STATUS_LEAKED && watch->nr_runs == 1) {
		putchar('\n');
		leaks_why(machine->folder, arguments, WHY_NOT_TRIED);
	}
	say_next(watch, arguments, machine->folder, status);
	return status;
}

/* What the command's own status means is not known, so it is said and does not count: no reader is to take 0 for it. */
static void say_command_status(const struct watch *watch)
{
	if (WIFEXITED(watch->command_status) && WEXITSTATUS(watch->command_status))
		warn("the command ended with status %d", WEXITSTATUS(watch->command_status));
	else if (WIFSIGNALED(watch->command_status))
		warn("the command was ended by signal %d", WTERMSIG(watch->command_status));
}

/* Compilers grew stricter than old trees. */
static void say_cure(const char *error)
{
	if (error && strstr(error, "infinite recursion"))
		warn("a tree of 2021 or before, and a newer compiler: add "
		     "CC=\"riscv64-unknown-elf-gcc -Wno-error=infinite-recursion\" to `make`, with your "
		     "compiler's name");
}

/* It failed before a machine was started. */
static void say_failure(const struct watch *watch)
{
	warn("before that, the command started no " WATCH_QEMU " that boots a kernel%s%s",
	     watch->first_error ? "; the first error: " : ". What it said is above",
	     watch->first_error ? watch->first_error : "");
	say_cure(watch->first_error);
	if (!watch->first_error)
		warn("a QEMU that it starts by its path is not watched: try `make QEMU=" WATCH_QEMU " qemu`");
}

static int no_run(const struct watch *watch)
{
	if (watch->nr_calls)
		return STATUS_CANNOT_TELL;
	if (WIFEXITED(watch->command_status) && WEXITSTATUS(watch->command_status)) {
		say_failure(watch);
		return STATUS_CANNOT_TELL;
	}
	warn("the command started no " WATCH_QEMU
	     " that boots a kernel, as far as it was watched. A machine that it starts by its path is not "
	     "watched: QEMU must be found through "
	     "PATH. A Makefile that names it by its path can be "
	     "told "
	     "otherwise, as in `make QEMU=" WATCH_QEMU " qemu`");
	return STATUS_CANNOT_TELL;
}

int watch_report(const struct watch *watch, const struct arguments *arguments, leaks_reader *reader,
		 void *context)
{
	struct further_reader further = {reader, context};
	int status = STATUS_OK;

	if (!watch->nr_runs) {
		say_command_status(watch);
		status = no_run(watch);
	}

	for (size_t i = 0; i < watch->nr_runs; i++)
		status = status_worse(status, report_run(watch, &watch->runs[i], arguments, &further));
	if (watch->end_text)
		warn("%s", watch->end_text);
	if (watch->nr_calls > watch->nr_runs)
		warn("%zu of the %zu machine%s that the command started could not be watched (the reason is "
		     "said above): whether they leak is not known",
		     watch->nr_calls - watch->nr_runs, watch->nr_calls, plural_s(watch->nr_calls));
	if (watch->end_text || watch->nr_calls > watch->nr_runs)
		status = status_worse(status, STATUS_CANNOT_TELL);
	if (watch->nr_runs)
		say_command_status(watch);
	return status;
}

static int watch_command(const struct arguments *arguments)
{
	struct watch_options options = {.folder = option(arguments, "out"), .command = arguments->rest};

	if (!arguments->nr_rest) {
		fprintf(stderr, "usage: ");
		help_usage(stderr, arguments->command);
		return STATUS_CANNOT_TELL;
	}
	leaks_check(arguments);
	watch_read_options(arguments, &options);
	struct watch *watch = watch_run(&options);
	int status = watch_report(watch, arguments, NULL, NULL);
	watch_free(watch);
	free(options.typed);
	return status;
}

static const struct option_spec options[] = {
    {"out", "RUN",
     "the run folder (pagetrail-runs/ and the time); those of further machines get a number behind it"},
    WATCH_OPTIONS,
    {"timeout", "SECONDS", "end the machine after so long"},
    {NULL, NULL, NULL},
};

const struct command command_watch = {
    .name = "watch",
    .operands = "COMMAND...",
    .summary = "trace your own kernel: run a command, and watch each QEMU that it starts",
    .takes_command = true,
    .options = options,
    .run = watch_command,
};
