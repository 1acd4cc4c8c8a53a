/* SPDX-License-Identifier: MIT */
/* again: see again.h. */
#include "again.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/elf_file.h"
#include "base/json_read.h"
#include "base/util.h"
#include "ctf/manifest.h"
#include "ctf/run.h"

#define JSON_BYTES_MAX (4U << 20)

static bool is_true(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_get(object, key);

	return value && value->number;
}

static char *not_repeatable(const char *run, const struct json_value *said)
{
	if (json_get_string(said, "tracer"))
		return xasprintf("%s: a run of `pagetrail watch` is not repeated by this", run);
	if (!is_true(said, "icount"))
		return xasprintf(
		    "%s: its time was the host's, so no other run is like it. Record one that can "
		    "be repeated: pagetrail run --icount ... -- COMMAND",
		    run);
	if (json_get_string(said, "disk_mode") && !strcmp(json_get_string(said, "disk_mode"), "virtio"))
		return xasprintf(
		    "%s: its disk was a device of the host's (--disk-mode virtio), which answers when "
		    "it likes. Record one with a ramdisk",
		    run);
	return xasprintf(
	    "%s: it is not known to be repeatable: it had a prompt, was ended from outside, or its "
	    "rings were not emptied in time. Record one with: pagetrail run --icount ... -- COMMAND",
	    run);
}

static char *disk_fault(const struct json_value *said, const char *run, const char *disk)
{
	const struct json_value *recorded = json_get(said, "disk_file");
	struct manifest_file there;

	if (!disk || !recorded)
		return xasprintf("%s: its run.json does not say which disk it had", run);
	if (!manifest_of_file(&there, disk))
		return xasprintf("%s: its disk is not there: %s%s", run, disk,
				 *disk == '/' ? "" : " (from the folder in which it was recorded)");
	if (there.bytes != json_get_number(recorded, "bytes", 0) ||
	    there.crc != json_get_number(recorded, "crc32", 0))
		return xasprintf("%s: the disk %s is not the one of that run", run, disk);
	return NULL;
}

static char *kernel_fault(const struct json_value *said, const char *kernel)
{
	const char *ran = json_get_string(json_get(said, "manifest"), "build_id");
	char there[BUILD_ID_TEXT];

	if (access(kernel, R_OK))
		return xasprintf("%s: its kernel is not there", kernel);
	const char *fault = elf_file_build_id(kernel, there, sizeof(there));
	if (fault)
		return xasprintf("%s: %s", kernel, fault);
	if (ran && *ran && strcmp(ran, there))
		return xasprintf("%s: it is of build %s, the kernel that ran of %s", kernel,
				 *there ? there : "(none)", ran);
	return NULL;
}

/* Not from outside, as by a time limit: the next one would not end there, or not at all. */
static bool ended_by_itself(const struct json_value *said)
{
	const char *end = json_get_string(said, "end");

	return end && (!strcmp(end, "poweroff") || !strcmp(end, "panic"));
}

static void take_words(struct again *again)
{
	const struct json_value *words = json_get(again->said, "guest_command");
	size_t nr = 0, capacity = 0;

	for (const struct json_value *word = words ? words->first : NULL; word; word = word->next)
		ARRAY_PUSH(again->words, nr, capacity) = word->text;
	again->options.words = again->words;
	again->options.nr_words = (int)nr;
}

static void take_machine(struct again *again)
{
	struct session_options *options = &again->options;
	const char *mode = json_get_string(again->said, "mode");

	const struct json_value *words = json_get(again->said, "qemu");

	options->machine.kernel = again->kernel;
	options->machine.program =
	    words && words->first ? words->first->text : NULL; /* another QEMU, another time */
	options->machine.disk = json_get_string(again->said, "disk");
	options->machine.smp = (uint32_t)json_get_number(again->said, "harts", 1);
	options->machine.ram_bytes = json_get_number(again->said, "ram_bytes", 0);
	options->machine.icount = true;
	options->machine.icount_shift = (uint32_t)json_get_number(again->said, "icount_shift", 0);
	options->mode = mode ? mode : "stream";
	options->whole_append = json_get_string(again->said, "append");
	options->view = CONSOLE_NOTHING;
	again->events = json_get_number(again->said, "events", 0);
	options->expected_events = again->events;
}

bool again_read(struct again *again, const char *run, char **error)
{
	char *path = xasprintf("%s/run.json", run);
	const char *fault = "it is no JSON";
	char *text = file_read_regular(path, JSON_BYTES_MAX, NULL, &fault);

	*again = (struct again){.said = text ? json_parse(text) : NULL,
				.kernel = xasprintf("%s/kernel/pagetrail.elf", run)};
	*error = NULL;
	if (!again->said && access(run, F_OK)) {
		*error = xasprintf("%s: not a run folder: it does not exist", run);
	} else if (!again->said) {
		*error = xasprintf("%s: %s: only a run that came to its end can be repeated", path, fault);
	} else if (!is_true(again->said, "repeatable") || !ended_by_itself(again->said)) {
		*error = not_repeatable(run, again->said);
	} else {
		take_machine(again);
		take_words(again);
		*error = disk_fault(again->said, run, again->options.machine.disk);
		if (!*error)
			*error = kernel_fault(again->said, again->kernel);
	}
	free(text);
	free(path);
	if (*error)
		again_free(again);
	return !*error;
}

char *again_unfit(const struct run *recorded)
{
	if (run_complete(recorded) && !recorded->is_other)
		return NULL;
	return xasprintf("%s: events of it are missing or damaged: nothing can be compared with it",
			 recorded->folder);
}

/* Why it came to no end of its own; NULL: it did. */
static char *cut_off(const struct session *session)
{
	if (session->drain.error)
		return xasprintf("%s: its trace could not be written: %s", session->folder,
				 strerror(session->drain.error));
	switch (session->end) {
	case END_POWEROFF:
		return NULL;
	case END_INTERRUPTED:
		return xasprintf("%s: the repeated run was interrupted", session->folder);
	case END_KILLED:
		return xasprintf("%s: QEMU was killed by signal %d while it repeated the run",
				 session->folder, WTERMSIG(session->qemu.status));
	default:
		return xasprintf("%s: QEMU failed while it repeated the run%s%s", session->folder,
				 session->qemu_words ? ":\n" : "",
				 session->qemu_words ? session->qemu_words : "");
	}
}

char *again_run(struct again *again, const char *folder, const char *more_hooks)
{
	again->options.folder = folder;
	again->options.more_hooks = more_hooks;
	struct session *session = session_run(&again->options);
	console_end(&session->console);
	char *fault = cut_off(session);
	session_free(session);
	return fault;
}

void again_free(struct again *again)
{
	json_value_free(again->said);
	free(again->kernel);
	free(again->words);
	*again = (struct again){0};
}
