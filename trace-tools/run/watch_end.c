/* SPDX-License-Identifier: MIT */
/*
 * watch_end: see watch_end.h.
 *
 * The manifest of other runs is counted while the files are written. Here the plugin counts events and stacks, and the
 * files are read once more for the rest: where the two differ, the manifest has the plugin's number, so that every reader
 * sees the damage.
 */
#include "watch_end.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/json_read.h"
#include "base/util.h"
#include "replay/model.h"
#include "watch.h"

#define JSON_BYTES_MAX (4U << 20)

static struct json_value *read_json(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	const char *fault;
	char *text = file_read_regular(path, JSON_BYTES_MAX, NULL, &fault);
	struct json_value *value = text ? json_parse(text) : NULL;

	free(text);
	free(path);
	return value;
}

static uint32_t checksum(const uint8_t *bytes, size_t nr)
{
	return nr ? (uint32_t)crc32(0, bytes, (uInt)nr) : 0;
}

/* A machine without a copy of RAM has none to identify: its audit says that it is missing. */
static void identify_end(struct manifest *manifest, const char *folder)
{
	char *ram = xasprintf("%s/ram", folder), *plugin = xasprintf("%s/plugin.json", folder),
	     *leak_points = xasprintf("%s/leak-points", folder);

	manifest_of_file(&manifest->ram, ram);
	manifest_of_file(&manifest->plugin, plugin);
	manifest_of_file(&manifest->leak_points, leak_points);
	free(leak_points);
	free(ram);
	free(plugin);
}

/* hart 0 stands for all of them when it says of them together that some are missing. */
static void fill_manifest(struct manifest *manifest, struct run *run, const struct json_value *plugin,
			  const struct json_value *start)
{
	uint64_t counted = json_get_number(plugin, "events", 0), there = 0;
	char *path = xasprintf("%s/metadata", run->trace_folder);
	size_t bytes = 0;
	const char *fault;
	char *text = file_read_regular(path, JSON_BYTES_MAX, &bytes, &fault);

	*manifest =
	    (struct manifest){.boot_id = (uint32_t)json_get_number(plugin, "boot_id", 0), .has_kernel = true};
	snprintf(manifest->build_id, sizeof(manifest->build_id), "%s", run->build_id);
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		struct manifest_hart *hart = &manifest->harts[manifest->nr_harts++];
		hart->hart = run->streams[i].hart;
		manifest_of_chain(hart, &run->streams[i].chain);
		hart->discarded = run->streams[i].chain.discarded;
		there += hart->events;
	}
	if (manifest->nr_harts && there != counted)
		manifest->harts[0].events += counted - there;
	manifest->stacks = (struct manifest_file){.count = json_get_number(plugin, "stacks", 0),
						  .bytes = run->stacks_bytes,
						  .crc = checksum(run->stacks_map, run->stacks_bytes)};
	manifest->metadata = (struct manifest_file){.bytes = bytes, .crc = checksum((uint8_t *)text, bytes)};
	manifest_read_kernel(manifest, start);
	identify_end(manifest, run->folder);
	free(text);
	free(path);
}

static char *nothing_recorded(const char *folder, const struct json_value *plugin)
{
	const struct json_value *ram = json_get(plugin, "ram_found");

	return xasprintf(
	    "%s: the kernel recorded nothing: %s. What it said is in logs/console.log%s; is it a machine "
	    "that this kernel can start on? (xv6 of 2020 and before may need -cpu rv64,pmp=false, "
	    "later ones do not start with it: docs/YOUR-KERNEL.md)",
	    folder,
	    ram && ram->number ? "it did not come as far as its allocator"
			       : "it did not start, or the machine has no RAM where the description says",
	    json_get_number(plugin, "console_bytes", 0) ? "" : " (nothing)");
}

static void copy_start(struct json *json, const struct json_value *start)
{
	static const char *const members[] = {"started", "folder", "qemu_program", "kernel"};
	const struct json_value *words = json_get(start, "qemu");

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_string(json, members[i], json_get_string(start, members[i]));
	json_open(json, "qemu", '[');
	for (const struct json_value *word = words ? words->first : NULL; word; word = word->next)
		json_string(json, NULL, word->text);
	json_close(json, ']');
}

/* What was typed, and how long it took: by that the machine is run again (watch_again.h). */
static void write_driving(struct json *json, const struct watch_options *options,
			  const struct json_value *start)
{
	json_bool(json, "driven", options->typed || options->until || options->timeout_seconds);
	json_open(json, "typed", '[');
	for (const char **line = options->typed; line && *line; line++)
		json_string(json, NULL, *line);
	json_close(json, ']');
	json_string(json, "until", options->until);
	json_string(json, "prompt", options->prompt);
	uint64_t began = json_get_number(start, "started_seconds", 0);
	json_int(json, "seconds", began ? (int64_t)time(NULL) - (int64_t)began : 0);
}

static void write_run_json(const struct run *run, const struct manifest *manifest,
			   const struct json_value *start, const struct json_value *plugin,
			   const char *end_text, const struct watch_options *options)
{
	struct run_json file;

	run_json_begin(&file, run->folder);
	json_string(&file.json, "tracer", "watch");
	copy_start(&file.json, start);
	write_driving(&file.json, options, start);
	json_int(&file.json, "harts", run->nr_streams);
	json_int(&file.json, "ram_bytes", (int64_t)json_get_number(plugin, "ram_bytes", 0));
	json_string(&file.json, "end", "poweroff");
	json_string(&file.json, "ended_by", end_text ? end_text : "itself");
	json_int(&file.json, "events", (int64_t)run->nr_records);
	json_int(&file.json, "events_discarded", (int64_t)json_get_number(plugin, "discarded", 0));
	run_json_end(&file, manifest);
}

char *watch_write_end(const char *folder, const char *end_text, const struct watch_options *options)
{
	struct json_value *plugin = read_json(folder, "plugin.json"),
			  *start = read_json(folder, WATCH_START_FILE);
	const struct json_value *ended = json_get(plugin, "ended");
	struct manifest manifest;
	char *error = NULL;

	if (!plugin) {
		error = xasprintf(
		    "%s: %s did not start the plugin, so nothing was recorded. It must be a QEMU with "
		    "plugins, 7.2 or later; Debian's is one (qemu-system-misc)",
		    folder,
		    json_get_string(start, "qemu_program") ? json_get_string(start, "qemu_program") : "QEMU");
	} else if (ended && ended->number && !json_get_number(plugin, "events", 0)) {
		error = nothing_recorded(folder, plugin);
	} else if (ended && ended->number) {
		struct run *run = run_open(folder, &error);
		if (run) {
			struct model *model = model_replay(run, NULL);
			fill_manifest(&manifest, run, plugin, start);
			manifest.marks = model_totals(model)->by_event[EV_mark];
			write_run_json(run, &manifest, start, plugin, end_text, options);
			model_free(model);
			run_close(run);
		}
	}
	json_value_free(plugin);
	json_value_free(start);
	return error;
}
