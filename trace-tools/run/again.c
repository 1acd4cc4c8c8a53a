/* SPDX-License-Identifier: MIT */
/* again: see again.h. */
#include "again.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/util.h"
#include "ctf/manifest.h"

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

static bool disk_is_the_same(const struct json_value *said, const char *disk)
{
	const struct json_value *recorded = json_get(said, "disk_file");
	struct manifest_file there;

	return recorded && manifest_of_file(&there, disk) &&
	       there.bytes == json_get_number(recorded, "bytes", 0) &&
	       there.crc == json_get_number(recorded, "crc32", 0);
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
	} else if (!is_true(again->said, "repeatable")) {
		*error = not_repeatable(run, again->said);
	} else {
		take_machine(again);
		take_words(again);
		if (!again->options.machine.disk ||
		    !disk_is_the_same(again->said, again->options.machine.disk))
			*error = xasprintf("%s: the disk %s is not the one of that run", run,
					   again->options.machine.disk ? again->options.machine.disk : "?");
		else if (access(again->kernel, R_OK))
			*error = xasprintf("%s: its kernel is not there", again->kernel);
	}
	free(text);
	free(path);
	if (*error)
		again_free(again);
	return !*error;
}

struct session *again_run(struct again *again, const char *folder, const char *more_hooks)
{
	again->options.folder = folder;
	again->options.more_hooks = more_hooks;
	struct session *session = session_run(&again->options);
	console_end(&session->console);
	return session;
}

void again_free(struct again *again)
{
	json_value_free(again->said);
	free(again->kernel);
	free(again->words);
	*again = (struct again){0};
}
