/* SPDX-License-Identifier: MIT */
/* pagetrail recover: a run folder from the memory of a dead machine, and what it died of. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "command.h"
#include "report/death.h"
#include "report/print.h"
#include "report/sources.h"
#include "run/drain.h"
#include "target/image.h"

#define EVENTS_SHOWN 20
#define EVENTS_SHOWN_MAX 100000

/* ---- the run folder ---- */

static void recover_trace(struct guest *guest, const char *folder, const char *kernel, struct drain *drain)
{
	char *trace = xasprintf("%s/trace", folder), *to = xasprintf("%s/kernel", folder),
	     *logs = xasprintf("%s/logs", folder), *copy = xasprintf("%s/pagetrail.elf", to);

	drain_clear(folder);
	if (!drain_open(drain, guest, trace, DRAIN_ALL))
		die("%s: %s", trace, strerror(errno));
	drain_finish(drain);
	if (drain->error)
		die("%s: %s", trace, strerror(drain->error));
	if (make_folders(logs))
		die("%s: %s", logs, strerror(errno));
	if (kernel && (make_folders(to) || file_copy(kernel, copy)))
		die("%s: %s", copy, strerror(errno));
	free(trace);
	free(to);
	free(logs);
	free(copy);
}

/* Members of an open object: of run.json, and of what --json says. */
static void json_members(struct json *json, const struct guest *guest, const struct drain *drain,
			 const struct panic_state *panic)
{
	json_string(json, "recovered_from", guest->path);
	json_string(json, "end", panic ? "panic" : guest_exit_status(guest) >= 0 ? "poweroff" : "died");
	json_string(json, "panic", panic ? panic->message : NULL);
	json_int(json, "harts", guest->desc->nr_rings);
	json_int(json, "ram_bytes", (int64_t)guest->bytes);
	json_int(json, "events", (int64_t)drain->nr_events);
	json_int(json, "packets_missed", (int64_t)drain->missed_packets);
	json_string(json, "ram_file", guest->path);
}

static void json_hart(struct json *json, const struct panic_hart *hart, uint32_t number)
{
	json_open(json, NULL, '{');
	json_int(json, "hart", number);
	json_bool(json, "answered", hart->valid);
	json_int(json, "pid", hart->valid ? (int64_t)hart->pid : 0);
	json_open(json, "frames", '[');
	for (uint32_t i = 0; hart->valid && i < hart->nr_frames; i++)
		json_frame(json, &hart->frames[i]);
	json_close(json, ']');
	json_close(json, '}');
}

static void say_json(const char *folder, const struct guest *guest, const struct drain *drain,
		     const struct panic_state *panic)
{
	struct json json;

	json_begin_command(&json, stdout, "recover",
			   !drain->nr_events ? "cannot tell"
			   : panic           ? "panic"
					     : "no panic");
	json_string(&json, "run", folder);
	json_members(&json, guest, drain, panic);
	json_open(&json, "panic_harts", '[');
	for (uint32_t i = 0; panic && i < panic->nr_harts; i++)
		json_hart(&json, &panic->harts[i], i);
	json_close(&json, ']');
	json_end(&json);
}

static void write_json(const char *folder, const struct guest *guest, const struct drain *drain,
		       const struct panic_state *panic, bool has_kernel)
{
	struct manifest manifest;
	struct run_json file;

	drain_manifest(drain, guest, &manifest);
	manifest.has_kernel = has_kernel;
	run_json_begin(&file, folder);
	json_members(&file.json, guest, drain, panic);
	run_json_end(&file, &manifest);
}

static void print_state(const struct guest *guest, const struct drain *drain, const char *folder, FILE *out)
{
	static const char *const modes[] = {"off", "stream", "flight"};
	const struct trace_desc *desc = guest->desc;
	char bytes[24];
	uint32_t mode = guest->desc->mode;

	fprintf(out, "%s: %s of RAM, %u hart%s, trace %s\n", guest->path, bytes_text(guest->bytes, bytes),
		desc->nr_rings, plural_s(desc->nr_rings), mode < 3 ? modes[mode] : "?");
	fprintf(out, "recovered %" PRIu64 " event%s in %" PRIu64 " packet%s to %s", drain->nr_events,
		plural_s(drain->nr_events), drain->nr_packets, plural_s(drain->nr_packets), folder);
	if (drain->missed_packets)
		fprintf(out, "; %" PRIu64 " older packets were overwritten", drain->missed_packets);
	fputc('\n', out);
}

/* The report goes to the terminal (unless silent) and into the run folder. */
static int report(const struct guest *guest, const struct drain *drain, const char *folder,
		  struct panic_state *panic, uint64_t nr_events, bool silent)
{
	char *path = xasprintf("%s/logs/recover.log", folder);
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);
	struct run *run = drain->nr_events ? open_run(folder) : NULL;

	print_state(guest, drain, folder, out);
	int status = run ? death_report(guest, run, panic, nr_events, out) : STATUS_CANNOT_TELL;
	if (!run)
		fprintf(out, "there is no event in its rings\n");
	char *text = text_end(&buffer);
	if (!silent)
		fwrite(text, 1, buffer.bytes, stdout);
	FILE *log = fopen(path, "w");
	if (!log || fwrite(text, 1, buffer.bytes, log) != buffer.bytes || fclose(log))
		die("%s: %s", path, strerror(errno));
	if (run)
		run_close(run);
	free(text);
	free(path);
	return status;
}

static int recover_run(const struct arguments *arguments)
{
	const char *kernel = option(arguments, "kernel"), *fault, *to = option(arguments, "out");
	uint64_t nr_events = option_number(arguments, "events", EVENTS_SHOWN, 0, EVENTS_SHOWN_MAX);
	char *error, *folder = to ? xstrdup(to) : xasprintf("%s.run", arguments->operands[0]);
	struct panic_state panic;
	struct guest guest;
	struct drain drain;

	if (!image_open(&guest, arguments->operands[0], &error))
		die("%s", error);
	if (!guest_find_desc(&guest, desc_address(kernel), &fault))
		die("%s: %s", guest.path,
		    fault    ? fault
		    : kernel ? "no trace at this kernel's place for it: another kernel ran, or tracing never "
			       "started"
			     : "no trace in this memory: tracing never started, or it is another kernel");
	if (!option(arguments, "force-symbols"))
		kernel = kernel_of_guest(kernel, &guest);
	struct symbols *symbols = symbols_open(kernel, &error);
	bool panicked = panic_read(&guest, symbols, &panic, &fault);
	if (fault)
		warn("%s: %s", guest.path, fault);
	recover_trace(&guest, folder, kernel, &drain);
	write_json(folder, &guest, &drain, panicked ? &panic : NULL, kernel != NULL);
	bool as_json = option(arguments, "json") != NULL;
	int status = report(&guest, &drain, folder, panicked ? &panic : NULL, nr_events, as_json);
	if (as_json)
		say_json(folder, &guest, &drain, panicked ? &panic : NULL);
	if (panicked)
		panic_free(&panic);
	symbols_close(symbols);
	free(error);
	drain_close(&drain);
	guest_close(&guest);
	sources_keep(folder, kernel, NULL);
	free(folder);
	return status;
}

static const struct option_spec options[] = {
    {"kernel", "ELF", "its kernel: finds the trace at once, and gives names to addresses"},
    {"out", "RUN", "the run folder; -o RUN for short (RAMFILE.run)"},
    {"events", "N", "show the last N events (20)"},
    {"json", NULL, "as JSON; the text goes to RUN/logs/recover.log only"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_recover = {
    .name = "recover",
    .operands = "RAMFILE",
    .summary = "make a run folder from the memory of a dead machine, and report why it died",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = recover_run,
};
