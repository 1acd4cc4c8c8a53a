/* SPDX-License-Identifier: MIT */
/* pagetrail record: a run folder from the RAM file of a machine that somebody else started, running or dead. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/json.h"
#include "base/signals.h"
#include "command.h"
#include "report/sources.h"
#include "run/drain.h"

#define LOOK_MS 2

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Waits for the guest to say where its trace is; 0: forever. */
static void find_desc(struct guest *guest, uint64_t desc_pa, int64_t deadline, bool once, int signals)
{
	struct pollfd fd = {.fd = signals, .events = POLLIN};
	const char *fault;

	while (!guest_find_desc(guest, desc_pa, &fault)) {
		if (fault)
			die("%s: %s", guest->path, fault);
		if (once || (deadline && now_ms() >= deadline) || poll(&fd, 1, LOOK_MS) > 0)
			die("%s: no trace in this memory: tracing has not started, or it is "
			    "another's",
			    guest->path);
	}
}

/* How the recording ended. */
static const char *end_text(const struct guest *guest)
{
	return guest_panic_pa(guest)           ? "panic"
	       : guest_exit_status(guest) >= 0 ? "poweroff"
					       : "recording ended";
}

static void write_json(const char *folder, const struct guest *guest, const struct drain *drain,
		       bool has_kernel)
{
	struct manifest manifest;
	struct run_json file;

	drain_manifest(drain, guest, &manifest);
	manifest.has_kernel = has_kernel;
	run_json_begin(&file, folder);
	json_string(&file.json, "recorded_from", guest->path);
	json_string(&file.json, "end", end_text(guest));
	json_int(&file.json, "harts", guest->desc->nr_rings);
	json_int(&file.json, "ram_bytes", (int64_t)guest->bytes);
	json_int(&file.json, "events", (int64_t)drain->nr_events);
	json_int(&file.json, "packets_missed", (int64_t)drain->missed_packets);
	json_string(&file.json, "ram_file", guest->path);
	run_json_end(&file, &manifest);
}

static void say_json(const char *folder, const struct guest *guest, const struct drain *drain)
{
	struct json json;

	json_begin_command(&json, stdout, "record", drain->missed_packets ? "cannot tell" : "complete");
	json_string(&json, "run", folder);
	json_string(&json, "ram_file", guest->path);
	json_bool(&json, "ended", guest_exit_status(guest) >= 0);
	json_int(&json, "harts", guest->desc->nr_rings);
	json_int(&json, "events", (int64_t)drain->nr_events);
	json_int(&json, "packets", (int64_t)drain->nr_packets);
	json_int(&json, "packets_missed", (int64_t)drain->missed_packets);
	json_end(&json);
}

static int record_run(const struct arguments *arguments)
{
	const char *ram = arguments->operands[0], *folder = arguments->operands[1],
		   *kernel = option(arguments, "kernel");
	uint64_t timeout = option_number(arguments, "timeout", 0, 1, 1000000);
	int64_t deadline = timeout ? now_ms() + (int64_t)timeout * 1000 : 0;
	bool once = option(arguments, "once") != NULL;
	struct guest guest;
	struct drain drain;
	sigset_t mask;

	struct pollfd fd = {.fd = signals_catch(&mask, (int[]){SIGINT, SIGTERM, 0}), .events = POLLIN};
	if (!guest_attach(&guest, ram))
		die("%s: %s", ram, strerror(errno));
	find_desc(&guest, desc_address(kernel), deadline, once, fd.fd);
	char *trace = xasprintf("%s/trace", folder), *to = xasprintf("%s/kernel", folder);
	drain_clear(folder);
	if (!drain_open(&drain, &guest, trace, DRAIN_NEW))
		die("%s: %s", trace, strerror(errno));
	if (kernel) {
		char *copy = xasprintf("%s/pagetrail.elf", to);
		if (make_folders(to) || file_copy(kernel, copy))
			die("%s: %s", copy, strerror(errno));
		free(copy);
	}
	while (!once && guest_exit_status(&guest) < 0 && !drain.error && (!deadline || now_ms() < deadline)) {
		if (!drain_step(&drain) && poll(&fd, 1, LOOK_MS) > 0)
			break;
	}
	drain_finish(&drain);
	if (drain.error)
		die("%s: %s", trace, strerror(drain.error));
	write_json(folder, &guest, &drain, kernel != NULL);
	if (option(arguments, "json"))
		say_json(folder, &guest, &drain);
	fprintf(stderr, "record: %s: %llu event%s, %llu packet%s missed\n", folder,
		(unsigned long long)drain.nr_events, plural_s((unsigned long long)drain.nr_events),
		(unsigned long long)drain.missed_packets, plural_s((unsigned long long)drain.missed_packets));
	int status = drain.missed_packets ? STATUS_CANNOT_TELL : STATUS_OK;
	drain_close(&drain);
	guest_close(&guest);
	sources_keep(folder, kernel, NULL);
	free(trace);
	free(to);
	return status;
}

static const struct option_spec options[] = {
    {"kernel", "ELF", "its kernel: finds the trace at once, and is copied into the run folder for symbols"},
    {"once", NULL, "record what is there and end: for a dead machine, or a snapshot of one in flight mode"},
    {"timeout", "SECONDS", "end after so long"},
    {"json", NULL, "at the end, print as JSON what was recorded"},
    {NULL, NULL, NULL},
};

const struct command command_record = {
    .name = "record",
    .operands = "RAMFILE RUN",
    .summary = "record a machine that already runs, through the file that is its RAM",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .run = record_run,
};
