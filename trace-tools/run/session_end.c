/* SPDX-License-Identifier: MIT */
/* session_end: how a machine under `pagetrail run` ended, in run.json and in words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/text.h"
#include "base/util.h"
#include "repeat.h"
#include "report/death.h"
#include "session.h"
#include "target/image.h"

/* The last ones, told after a panic. */
#define PANIC_EVENTS 12

static const char *const end_texts[] = {"poweroff", "qemu-failed", "killed", "timeout", "interrupted"};

int session_guest_status(const struct session *session)
{
	return session->guest.desc ? guest_exit_status(&session->guest) : -1;
}

bool session_panicked(const struct session *session)
{
	return session->guest.desc && guest_memory(&session->guest, guest_panic_pa(&session->guest), 1);
}

bool session_keeps_ram(const struct session *session)
{
	return session->options->keep_ram || session_panicked(session);
}

void session_save_ramdisk(const struct session *session)
{
	const char *out = session->options->disk_out;
	const struct trace_desc *desc = session->guest.desc;
	struct stat disk;

	if (!out || session->config.disk_virtio)
		return;
	if (!desc || desc->ramdisk_end <= desc->ramdisk_start || stat(session->config.disk, &disk)) {
		warn("--disk-out: the guest does not say where its ramdisk is");
		return;
	}
	uint64_t bytes = desc->ramdisk_end - desc->ramdisk_start;
	if (bytes > (uint64_t)disk.st_size)
		bytes = (uint64_t)disk.st_size;
	const void *from = guest_memory(&session->guest, desc->ramdisk_start, bytes);
	FILE *file = from ? fopen(out, "wb") : NULL;
	if (!file || fwrite(from, 1, bytes, file) != bytes || fclose(file))
		die("--disk-out %s: %s", out, from ? strerror(errno) : "the ramdisk is not in RAM");
}

/* What the files hold. Of a machine that never said where its trace is: nothing of each hart. */
static void session_manifest(const struct session *session, struct manifest *manifest)
{
	drain_manifest(&session->drain, &session->guest, manifest);
	if (!session->guest.desc)
		manifest->nr_harts = session->config.smp;
	for (uint32_t i = 0; !session->guest.desc && i < manifest->nr_harts; i++)
		manifest->harts[i].hart = i;
}

static uint64_t discarded(const struct session *session)
{
	struct manifest manifest;
	uint64_t sum = 0;

	session_manifest(session, &manifest);
	for (uint32_t i = 0; i < manifest.nr_harts; i++)
		sum += manifest.harts[i].discarded;
	return sum;
}

void session_json(const struct session *session, struct json *json)
{
	json_open(json, "guest_command", '[');
	for (int i = 0; i < session->options->nr_words; i++)
		json_string(json, NULL, session->options->words[i]);
	json_close(json, ']');
	json_string(json, "kernel", session->config.kernel);
	json_string(json, "disk", session->config.disk);
	json_string(json, "disk_mode", session->config.disk_virtio ? "virtio" : "ramdisk");
	json_int(json, "harts", session->config.smp);
	json_int(json, "ram_bytes", (int64_t)session->config.ram_bytes);
	json_string(json, "append", session->append);
	json_string(json, "mode", session->options->mode);
	json_bool(json, "icount", session->config.icount);
	json_int(json, "icount_shift", session->config.icount_shift);
	json_string(json, "started", session->started_at);
	json_real(json, "seconds", session->seconds);
	json_real(json, "cpu_seconds", session->qemu.cpu_seconds);
	json_string(json, "end", session_panicked(session) ? "panic" : end_texts[session->end]);
	if (session_guest_status(session) >= 0)
		json_int(json, "guest_status", session_guest_status(session));
	else
		json_null(json, "guest_status");
	json_int(json, "events", (int64_t)session->drain.nr_events);
	json_int(json, "events_discarded", (int64_t)discarded(session));
	json_int(json, "packets_missed", (int64_t)session->drain.missed_packets);
	json_int(json, "trace_bytes", (int64_t)(session->drain.bytes + session->drain.stacks_bytes));
	json_string(json, "ram_file", session->ram_path);
}

/* The disk is not kept: by this it is known again. */
static void write_disk(const struct session *session, struct json *json)
{
	json_open(json, "disk_file", '{');
	json_int(json, "bytes", (int64_t)session->disk.bytes);
	json_int(json, "crc32", session->disk.crc);
	json_close(json, '}');
}

void session_write_json(const struct session *session, char **command)
{
	struct manifest manifest;
	struct run_json file;

	char *leak_points = xasprintf("%s/icount/leak-points", session->folder);

	session_manifest(session, &manifest);
	manifest.has_kernel = true;
	manifest_of_file(&manifest.leak_points, leak_points);
	free(leak_points);
	run_json_begin(&file, session->folder);
	session_json(session, &file.json);
	if (session->config.icount)
		write_disk(session, &file.json);
	json_bool(&file.json, "repeatable", repeat_held(session));
	json_open(&file.json, "qemu", '[');
	for (char **word = command; *word; word++)
		json_string(&file.json, NULL, *word);
	json_close(&file.json, ']');
	run_json_end(&file, &manifest);
}

bool session_report(struct session *session)
{
	int status = session_guest_status(session);
	const struct qemu *qemu = &session->qemu;

	console_end(&session->console);
	if (session->end == END_TIMEOUT)
		warn("ended after the --timeout");
	else if (session->end == END_INTERRUPTED)
		warn("interrupted: the run folder holds what there was");
	else if (session->end == END_QEMU_FAILED)
		warn("QEMU failed with status %d%s%s", WEXITSTATUS(qemu->status),
		     session->qemu_words ? ":\n" : "", session->qemu_words ? session->qemu_words : "");
	else if (session->end == END_KILLED)
		warn("QEMU was killed by signal %d (%s)", WTERMSIG(qemu->status),
		     strsignal(WTERMSIG(qemu->status)));
	else if (status != 0)
		warn("the guest failed with status %d", status);
	if (session->desc_fault)
		warn("%s", session->desc_fault);
	if (session->drain.stray)
		warn("something wrote on trace_desc.%s while the machine ran", session->drain.stray);
	bool good =
	    session->end == END_POWEROFF && status == 0 && !session->desc_fault && !session->drain.stray;
	if (!good && session->end != END_INTERRUPTED && session->console.view != CONSOLE_ALL) {
		fprintf(stderr,
			"pagetrail: the console's last lines (all of it is in %s/logs/console.log):\n",
			session->folder);
		console_print_tail(&session->console, stderr);
	}
	fprintf(stderr, "run: %s: %.1f s, %llu event%s, %llu discarded%s\n", session->folder,
		session->seconds, (unsigned long long)session->drain.nr_events,
		plural_s((unsigned long long)session->drain.nr_events),
		(unsigned long long)discarded(session),
		session->draining || !strcmp(session->options->mode, "off")
		    ? ""
		    : "; the kernel never announced its trace");
	return good;
}

void session_tell_panic(const struct session *session)
{
	struct panic_state panic;
	const char *fault = NULL;
	char *problem, *error = NULL;
	struct text_buffer buffer;

	if (!session_panicked(session))
		return;
	struct run *run = run_open(session->folder, &error);
	struct symbols *symbols = symbols_open(session->config.kernel, &problem);
	if (run && panic_read(&session->guest, symbols, &panic, &fault)) {
		char *path = xasprintf("%s/logs/panic.log", session->folder);
		FILE *log = fopen(path, "w");
		death_report(&session->guest, run, &panic, PANIC_EVENTS, text_begin(&buffer));
		char *text = text_end(&buffer);
		fwrite(text, 1, buffer.bytes, stderr);
		if (!log || fwrite(text, 1, buffer.bytes, log) != buffer.bytes || fclose(log))
			warn("%s: %s", path, strerror(errno));
		free(text);
		free(path);
		panic_free(&panic);
	}
	if (fault || error)
		warn("%s", fault ? fault : error);
	if (run)
		run_close(run);
	symbols_close(symbols);
	free(problem);
	free(error);
}

enum session_end session_how_it_ended(const struct session *session)
{
	if (session->ending)
		return session->end;
	if (WIFSIGNALED(session->qemu.status))
		return END_KILLED;
	if (session_guest_status(session) >= 0)
		return END_POWEROFF;
	return END_QEMU_FAILED;
}
