/* SPDX-License-Identifier: MIT */
/* pagetrail run: the command; the machine is run by run/session.c. */
#include <stdlib.h>
#include <string.h>

#include "analysis/freed_early.h"
#include "analysis/leak_point.h"
#include "base/json.h"
#include "base/text.h"
#include "base/util.h"
#include "command.h"
#include "describe/follow.h"
#include "report/leaks_text.h"
#include "report/print.h"
#include "report/sources.h"
#include "run/session.h"

static enum console_view console_view(const struct arguments *arguments)
{
	if (option(arguments, "quiet") || option(arguments, "json"))
		return CONSOLE_NOTHING;
	return option(arguments, "progress") ? CONSOLE_PROGRESS : CONSOLE_ALL;
}

static void read_options(const struct arguments *arguments, struct session_options *options)
{
	struct machine_config *machine = &options->machine;
	const char *mem = option(arguments, "mem"), *disk_mode = option(arguments, "disk-mode");

	machine->kernel =
	    option(arguments, "kernel") ? option(arguments, "kernel") : "build/kernel/pagetrail.elf";
	machine->disk = option(arguments, "disk") ? option(arguments, "disk") : "build/disk.img";
	machine->smp = (uint32_t)option_number(arguments, "smp", 4, 1, 8);
	if (!size_parse(mem ? mem : "128M", &machine->ram_bytes))
		die("--mem: %s is not a size", mem);
	if (disk_mode && strcmp(disk_mode, "ramdisk") && strcmp(disk_mode, "virtio"))
		die("--disk-mode: ramdisk or virtio, not %s", disk_mode);
	machine->disk_virtio = disk_mode && !strcmp(disk_mode, "virtio");
	machine->icount = option(arguments, "icount") != NULL;
	if (machine->icount)
		machine->icount_shift = (uint32_t)option_number(arguments, "icount", 0, 0, 10);
	if (option(arguments, "gdb"))
		machine->gdb_port = (uint32_t)option_number(arguments, "gdb", 1234, 1, 65535);
	machine->stopped = option(arguments, "stop") != NULL;
	options->mode = option(arguments, "mode") ? option(arguments, "mode") : "stream";
	if (strcmp(options->mode, "stream") && strcmp(options->mode, "flight") &&
	    strcmp(options->mode, "off"))
		die("--mode: stream, flight or off, not %s", options->mode);
	options->folder = option(arguments, "out");
	options->append = option(arguments, "append");
	options->words = arguments->rest;
	options->nr_words = arguments->nr_rest;
	options->timeout_seconds = option_number(arguments, "timeout", 0, 1, 1000000);
	options->disk_out = option(arguments, "disk-out");
	options->keep_ram = option(arguments, "keep-ram") != NULL;
	options->view = console_view(arguments);
}

/* The hooks by which all pointers are followed; caller frees. */
static char *follow_everything(const char *kernel)
{
	char *error = NULL, *own = follow_own_text(kernel, &error);
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	if (!own)
		die("--leak-points: %s", error);
	fputs(own, out);
	leak_points_want_all(out);
	freed_early_patterns(out);
	free(own);
	return text_end(&buffer);
}

/* ---- afterwards ---- */

/* What the user wants to know at the end, of the run that is now on disk. json NULL: in words. */
static int examine(const struct arguments *arguments, const struct session *session, bool good,
		   enum why_before *before, struct json *json)
{
	int status = good ? STATUS_OK : STATUS_LEAKED;

	if (session->end != END_POWEROFF || session->desc_fault || session->drain.stray)
		status = STATUS_CANNOT_TELL;
	if (!session->draining)
		return option(arguments, "leaks") && good ? STATUS_CANNOT_TELL : status;
	if (option(arguments, "why") && option(arguments, "leaks") && !json)
		*before = why_repeat(session->folder);
	if (option(arguments, "tests") || option(arguments, "leaks")) {
		struct run *run = open_run(session->folder);
		struct model *model = model_replay(run, NULL);
		if (option(arguments, "tests") && json)
			tests_json(model, json);
		else if (option(arguments, "tests"))
			tests_print(model, stdout);
		if (option(arguments, "leaks")) {
			int verdict =
			    leaks_report(run, model, arguments, json ? REPORT_NOTHING : REPORT_TEXT);
			if (json)
				json_string(json, "leaks", leaks_verdict(verdict));
			if (verdict == STATUS_LEAKED || status == STATUS_OK)
				status = verdict;
		}
		model_free(model);
		run_close(run);
	}
	fflush(stdout);
	if (option(arguments, "plot") && plot_run(session->folder, NULL) && status == 0)
		status = STATUS_CANNOT_TELL;
	return status;
}

/* What is known before the memory of the machine goes; examine adds the rest. */
static void json_first(const struct session *session, struct json *json)
{
	json_begin_command(json, stdout, "run", NULL);
	json_string(json, "run", session->folder);
	session_json(session, json);
}

static void json_last(struct json *json, int status)
{
	static const char *const verdicts[] = {"good", "bad", "cannot tell"};

	json_string(json, "verdict", verdicts[status]);
	json_end(json);
}

static int run_run(const struct arguments *arguments)
{
	struct session_options options = {0};
	bool as_json = option(arguments, "json") != NULL;
	struct json json;

	leaks_check(arguments);
	read_options(arguments, &options);
	char *hooks = option(arguments, "leak-points") ? follow_everything(options.machine.kernel) : NULL;
	options.more_hooks = hooks;
	struct session *session = session_run(&options);
	bool good = session_report(session);
	if (as_json)
		json_first(session, &json);
	session_tell_panic(session);
	enum why_before before = WHY_NOT_TRIED;
	int status = examine(arguments, session, good, &before, as_json ? &json : NULL);
	if (as_json)
		json_last(&json, status);
	char *folder = xstrdup(session->folder);
	session_free(session);
	sources_keep(folder, options.machine.kernel, NULL);
	free(hooks);
	if (option(arguments, "why") && option(arguments, "leaks") && status == STATUS_LEAKED && !as_json)
		leaks_why(folder, arguments, before);
	free(folder);
	return status;
}

static const struct option_spec options[] = {
    {"kernel", "ELF", "the kernel (build/kernel/pagetrail.elf)"},
    {"disk", "IMAGE", "the root disk (build/disk.img)"},
    {"disk-mode", "ramdisk|virtio", "how the guest sees the disk (ramdisk)"},
    {"disk-out", "FILE", "write the disk there as the guest left it, for e2fsck"},
    {"smp", "N", "harts, 1 to 8 (4)"},
    {"mem", "SIZE", "RAM (128M)"},
    {"out", "RUN", "the run folder (traces/runs/ and the time)"},
    {"mode", "stream|flight|off", "stream (default) keeps every event, flight keeps the newest only"},
    {"append", "ARGS", "further boot arguments"},
    {"icount", "[N]", "deterministic time: one instruction is 2^N nanoseconds (0: one)"},
    {"timeout", "SECONDS", "end the machine after so long"},
    {"gdb", "[PORT]", "let gdb attach to localhost:PORT (1234)"},
    {"stop", NULL, "wait for gdb before the first instruction"},
    {"keep-ram", NULL, "keep the guest's RAM as RUN/ram (a panic's is always kept)"},
    {"progress", NULL, "show one progress line instead of the console"},
    {"quiet", NULL, "do not show the console"},
    {"tests", NULL, "at the end, a table of the tests: free pages before and after, audit"},
    {"leaks", NULL, "at the end, the leak report; its verdict is the exit status"},
    {"baseline", "RUN|FILE", "with --leaks: a run without the leak to compare with"},
    NO_BASELINE,
    {"suppressions", "FILE", "with --leaks: known leaks, as for `pagetrail leaks`"},
    {"fail-on-leak", NULL, "with --leaks: status 1 also for leaks that are not certain"},
    {"why", NULL,
     "with --leaks and --icount: if something leaked, where its last pointer died (pagetrail why)"},
    {"leak-points", NULL,
     "follow all pointers while it runs, harts in turns, up to 3 times as slow: what was not freed and has "
     "no "
     "pointer left is found, and `pagetrail why` needs no second run"},
    {"plot", NULL, "at the end, draw RUN/free-pages.png and .svg"},
    {"json", NULL, "at the end, print all this as JSON; the console is not shown"},
    {NULL, NULL, NULL},
};

const struct command command_run = {
    .name = "run",
    .operands = "[-- COMMAND...]",
    .summary = "boot the kernel in QEMU and record every page and object event",
    .max_operands = 0,
    .takes_rest = true,
    .options = options,
    .run = run_run,
};
