/* SPDX-License-Identifier: MIT */
/* manifest: see manifest.h. */
#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/json_read.h"
#include "base/util.h"
#include "run.h"

#define RUN_JSON_MAX (1U << 20)
#define METADATA_MAX (1U << 20)

void build_id_text(const uint8_t id[TRACE_BUILD_ID_BYTES], char text[BUILD_ID_TEXT])
{
	uint8_t any = 0;

	for (size_t i = 0; i < TRACE_BUILD_ID_BYTES; i++) {
		snprintf(text + 2 * i, 3, "%02x", id[i]);
		any |= id[i];
	}
	if (!any)
		text[0] = 0;
}

/* ---- writing ---- */

void manifest_of_chain(struct manifest_hart *hart, const struct packet_chain *chain)
{
	hart->packets = chain->nr_packets;
	hart->events = chain->nr_records;
	hart->last_sequence = chain->nr_packets ? chain->next_sequence - 1 : 0;
	hart->headers_crc = chain->headers_crc;
}

static void write_file(struct json *json, const char *key, const struct manifest_file *file, bool counted)
{
	json_open(json, key, '{');
	if (counted)
		json_int(json, "count", (int64_t)file->count);
	json_int(json, "bytes", (int64_t)file->bytes);
	json_int(json, "crc32", file->crc);
	json_close(json, '}');
}

static void write_manifest(const struct manifest *manifest, struct json *json)
{
	json_open(json, "manifest", '{');
	json_int(json, "boot_id", manifest->boot_id);
	json_string(json, "build_id", manifest->build_id[0] ? manifest->build_id : NULL);
	json_bool(json, "kernel", manifest->has_kernel);
	json_int(json, "marks", (int64_t)manifest->marks);
	json_int(json, "missed", (int64_t)manifest->missed);
	json_string(json, "stray_write", manifest->stray_write[0] ? manifest->stray_write : NULL);
	json_open(json, "harts", '[');
	for (uint32_t i = 0; i < manifest->nr_harts; i++) {
		const struct manifest_hart *hart = &manifest->harts[i];
		json_open(json, NULL, '{');
		json_int(json, "hart", hart->hart);
		json_int(json, "packets", (int64_t)hart->packets);
		json_int(json, "events", (int64_t)hart->events);
		if (hart->packets)
			json_int(json, "last_sequence", (int64_t)hart->last_sequence);
		else
			json_null(json, "last_sequence");
		json_int(json, "discarded", (int64_t)hart->discarded);
		json_int(json, "headers_crc32", hart->headers_crc);
		json_close(json, '}');
	}
	json_close(json, ']');
	write_file(json, "stacks", &manifest->stacks, true);
	write_file(json, "metadata", &manifest->metadata, false);
	manifest_write_kernel(manifest, json);
	if (manifest->ram.bytes)
		write_file(json, "ram", &manifest->ram, false);
	if (manifest->plugin.bytes)
		write_file(json, "plugin", &manifest->plugin, false);
	if (manifest->leak_points.bytes)
		write_file(json, "leak_points", &manifest->leak_points, false);
	json_close(json, '}');
}

void manifest_write_kernel(const struct manifest *manifest, struct json *json)
{
	if (manifest->kernel_elf.bytes)
		write_file(json, "kernel_elf", &manifest->kernel_elf, false);
	if (manifest->kernel_description.bytes)
		write_file(json, "kernel_description", &manifest->kernel_description, false);
}

void run_json_begin(struct run_json *file, const char *folder)
{
	file->path = xasprintf("%s/run.json", folder);
	outfile_open(&file->out, file->path);
	json_begin(&file->json, file->out.file);
	json_int(&file->json, "format", RUN_FORMAT);
}

void run_json_end(struct run_json *file, const struct manifest *manifest)
{
	write_manifest(manifest, &file->json);
	json_end(&file->json);
	outfile_close(&file->out);
	free(file->path);
}

/* ---- reading ---- */

/* False when the member is missing or no whole number up to max. */
static bool need(const struct json_value *object, const char *key, uint64_t max, uint64_t *number)
{
	const struct json_value *value = json_get(object, key);

	*number = value ? value->number : 0;
	return value && value->type == JSON_NUMBER && value->whole && value->number <= max;
}

static bool read_hart(const struct json_value *from, struct manifest_hart *hart)
{
	uint64_t number, crc;

	bool good = need(from, "hart", UINT16_MAX, &number) &&
		    need(from, "packets", UINT64_MAX, &hart->packets) &&
		    need(from, "events", UINT64_MAX, &hart->events) &&
		    need(from, "discarded", UINT64_MAX, &hart->discarded) &&
		    need(from, "headers_crc32", UINT32_MAX, &crc) &&
		    (!hart->packets || need(from, "last_sequence", UINT64_MAX, &hart->last_sequence));
	hart->hart = (uint32_t)number;
	hart->headers_crc = good ? (uint32_t)crc : 0;
	return good;
}

static bool read_file(const struct json_value *from, struct manifest_file *file, bool counted)
{
	uint64_t crc;

	bool good = need(from, "bytes", UINT64_MAX, &file->bytes) && need(from, "crc32", UINT32_MAX, &crc) &&
		    (!counted || need(from, "count", UINT32_MAX, &file->count));
	file->crc = good ? (uint32_t)crc : 0;
	return good;
}

static void read_known_file(const struct json_value *from, const char *key, struct manifest_file *file)
{
	const struct json_value *known = json_get(from, key);

	if (!known || !read_file(known, file, false))
		*file = (struct manifest_file){0};
}

void manifest_read_kernel(struct manifest *manifest, const struct json_value *from)
{
	read_known_file(from, "kernel_elf", &manifest->kernel_elf);
	read_known_file(from, "kernel_description", &manifest->kernel_description);
}

static void copy_text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from ? from : "");
}

static bool read_whole(struct manifest *manifest, const struct json_value *from)
{
	const struct json_value *harts = json_get(from, "harts");
	uint64_t boot_id;

	if (!need(from, "boot_id", UINT32_MAX, &boot_id) ||
	    !need(from, "marks", UINT64_MAX, &manifest->marks) ||
	    !need(from, "missed", UINT64_MAX, &manifest->missed) || !harts || harts->type != JSON_ARRAY ||
	    !read_file(json_get(from, "stacks"), &manifest->stacks, true) ||
	    !read_file(json_get(from, "metadata"), &manifest->metadata, false))
		return false;
	manifest->boot_id = (uint32_t)boot_id;
	manifest_read_kernel(manifest, from);
	read_known_file(from, "ram", &manifest->ram);
	read_known_file(from, "plugin", &manifest->plugin);
	read_known_file(from, "leak_points", &manifest->leak_points);
	copy_text(manifest->build_id, sizeof(manifest->build_id), json_get_string(from, "build_id"));
	const struct json_value *kernel = json_get(from, "kernel");
	manifest->has_kernel = kernel && kernel->type == JSON_BOOL && kernel->number;
	copy_text(manifest->stray_write, sizeof(manifest->stray_write), json_get_string(from, "stray_write"));
	for (const struct json_value *hart = harts->first; hart; hart = hart->next) {
		if (manifest->nr_harts == STREAMS_MAX ||
		    !read_hart(hart, &manifest->harts[manifest->nr_harts++]))
			return false;
	}
	return manifest->nr_harts != 0;
}

/* NULL, or what is wrong with it. */
static const char *read_about(struct manifest *manifest, const struct json_value *about)
{
	const struct json_value *whole = json_get(about, "manifest");

	if (!about)
		return "it is no JSON";
	copy_text(manifest->end, sizeof(manifest->end), json_get_string(about, "end"));
	copy_text(manifest->started, sizeof(manifest->started), json_get_string(about, "started"));
	manifest->ram_bytes = json_get_number(about, "ram_bytes", 0);
	manifest->guest_status = json_get_number(about, "guest_status", 0);
	if (json_get_number(about, "format", 0) == 1 && !whole) {
		if (!json_get(about, "events"))
			return "it has no number of events";
		manifest->events = json_get_number(about, "events", UINT64_MAX);
		manifest->discarded = json_get_number(about, "events_discarded", 0);
		manifest->state = MANIFEST_FORMAT1;
		return NULL;
	}
	if (json_get_number(about, "format", 0) != RUN_FORMAT)
		return "it is of no format that this program knows";
	if (!whole || !read_whole(manifest, whole))
		return "its manifest is not whole";
	if (!manifest->end[0])
		return "it does not say how the run ended";
	manifest->state = MANIFEST_WHOLE;
	return NULL;
}

/* A watched run that has not come to its end says so much. */
static void read_start(struct manifest *manifest, const char *folder)
{
	char *path = xasprintf("%s/" WATCH_START_FILE, folder);
	const char *fault;
	size_t bytes;
	char *text = file_read_regular(path, RUN_JSON_MAX, &bytes, &fault);
	struct json_value *start = text && strlen(text) == bytes ? json_parse(text) : NULL;

	if (start)
		manifest_read_kernel(manifest, start);
	json_value_free(start);
	free(text);
	free(path);
}

void manifest_read(struct manifest *manifest, const char *folder)
{
	char *path = xasprintf("%s/run.json", folder);
	size_t bytes;
	const char *fault = NULL;
	char *text = file_read_regular(path, RUN_JSON_MAX, &bytes, &fault);

	*manifest = (struct manifest){.state = MANIFEST_NONE};
	if (text && strlen(text) == bytes) {
		struct json_value *about = json_parse(text);
		fault = read_about(manifest, about);
		json_value_free(about);
	} else if (text) {
		fault = "it is no text";
	}
	if (fault && (text || file_exists(path))) {
		manifest->state = MANIFEST_BAD;
		manifest->fault = fault;
	}
	free(text);
	free(path);
	if (!manifest->kernel_elf.bytes)
		read_start(manifest, folder);
}

/* ---- comparing ---- */

static const struct stream *stream_of(const struct run *run, uint32_t hart)
{
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		if (run->streams[i].hart == hart)
			return &run->streams[i];
	}
	return NULL;
}

bool manifest_hart_fits(const struct manifest_hart *wanted, const struct packet_chain *chain, char what[160])
{
	if (chain->nr_packets != wanted->packets || chain->nr_records != wanted->events)
		snprintf(what, 160,
			 "%" PRIu64 " packet%s with %" PRIu64 " event%s %s there, run.json says %" PRIu64
			 " with %" PRIu64,
			 chain->nr_packets, plural_s(chain->nr_packets), chain->nr_records,
			 plural_s(chain->nr_records), plural(chain->nr_packets, "is", "are"), wanted->packets,
			 wanted->events);
	else if (wanted->packets && chain->next_sequence - 1 != wanted->last_sequence)
		snprintf(what, 160, "its last packet is number %" PRIu64 ", run.json says %" PRIu64,
			 chain->next_sequence - 1, wanted->last_sequence);
	else if (chain->headers_crc != wanted->headers_crc)
		snprintf(what, 160,
			 "its packet headers are not those that were recorded: checksum %u, run.json says %u",
			 chain->headers_crc, wanted->headers_crc);
	else if (chain->discarded > wanted->discarded)
		snprintf(what, 160,
			 "%" PRIu64 " event%s %s discarded by its last packet, run.json says %" PRIu64
			 " in all",
			 chain->discarded, plural_s(chain->discarded),
			 plural(chain->discarded, "was", "were"), wanted->discarded);
	else
		return true;
	return false;
}

static void compare_hart(struct run *run, const struct manifest_hart *wanted)
{
	const struct stream *stream = stream_of(run, wanted->hart);
	const struct packet_chain *chain = stream ? &stream->chain : NULL;
	char what[160];

	if (!chain && !wanted->packets)
		return;
	if (!chain) {
		char *path = xasprintf("%s/hart%u", run->trace_folder, wanted->hart);
		run_damage(run, path, 0,
			   "the file is missing: run.json says that it has %" PRIu64 " packet%s",
			   wanted->packets, plural_s(wanted->packets));
		free(path);
		return;
	}
	if (!manifest_hart_fits(wanted, chain, what))
		run_damage(run, stream->path, 0, "%s", what);
}

static uint32_t checksum(const uint8_t *bytes, size_t nr)
{
	uint32_t crc = 0;

	for (size_t done = 0; done < nr;) {
		size_t part = nr - done < (1U << 30) ? nr - done : 1U << 30;
		crc = (uint32_t)crc32(crc, bytes + done, (uInt)part);
		done += part;
	}
	return crc;
}

bool manifest_of_file(struct manifest_file *file, const char *path)
{
	uint8_t bytes[65536];
	const char *fault;
	size_t size, nr;
	int fd = file_open_regular(path, UINT64_MAX, &size, &fault);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "rb");

	*file = (struct manifest_file){0};
	if (!in)
		return false;
	while ((nr = fread(bytes, 1, sizeof(bytes), in)) != 0) {
		file->crc = (uint32_t)crc32(file->crc, bytes, (uInt)nr);
		file->bytes += nr;
	}
	bool good = !ferror(in);
	fclose(in);
	return good;
}

/* NULL, or how the file differs. */
static char *file_fault(const struct manifest_file *wanted, const char *path)
{
	struct manifest_file there;

	if (!wanted->bytes)
		return NULL;
	if (!manifest_of_file(&there, path))
		return xasprintf("cannot be read: %s", strerror(errno));
	if (there.bytes == wanted->bytes && there.crc == wanted->crc)
		return NULL;
	return xasprintf("it is not the file of the machine that ran: %" PRIu64
			 " byte%s with checksum %u %s there, %" PRIu64 " with %u were written",
			 there.bytes, plural_s(there.bytes), there.crc, plural(there.bytes, "is", "are"),
			 wanted->bytes, wanted->crc);
}

char *manifest_kernel_fault(const struct run *run, const char *path)
{
	return file_fault(&run->manifest.kernel_elf, path);
}

char *manifest_leak_points_fault(const struct run *run, const char *path)
{
	return file_fault(&run->manifest.leak_points, path);
}

/* "PATH: how it differs" of a file of the folder; NULL. */
static char *named_fault(const struct run *run, const struct manifest_file *wanted, const char *name)
{
	char *path = xasprintf("%s/%s", run->folder, name), *fault = file_fault(wanted, path), *text = NULL;

	if (fault)
		text = xasprintf("%s: %s", path, fault);
	free(fault);
	free(path);
	return text;
}

char *manifest_end_fault(const struct run *run)
{
	char *fault = named_fault(run, &run->manifest.plugin, "plugin.json");

	return fault ? fault : named_fault(run, &run->manifest.ram, "ram");
}

void manifest_compare_description(struct run *run)
{
	char *path = xasprintf("%s/kernel/kernel.kd", run->folder),
	     *fault = file_fault(&run->manifest.kernel_description, path);

	if (fault) {
		run_damage(run, path, 0, "%s", fault);
		run->is_other = true;
	}
	free(fault);
	free(path);
}

static void compare_stacks(struct run *run)
{
	const struct manifest_file *wanted = &run->manifest.stacks;

	if (run->nr_stacks != wanted->count || run->stacks_bytes != wanted->bytes)
		run_damage(run, run->stacks_path, run->stacks_bytes,
			   "%u stack%s in %zu byte%s %s there, run.json says %" PRIu64 " in %" PRIu64,
			   run->nr_stacks, plural_s(run->nr_stacks), run->stacks_bytes,
			   plural_s(run->stacks_bytes), plural(run->nr_stacks, "is", "are"), wanted->count,
			   wanted->bytes);
	else if (checksum(run->stacks_map, run->stacks_bytes) != wanted->crc)
		run_damage(run, run->stacks_path, 0,
			   "it is not what was recorded (its checksum is another than in run.json)");
}

bool metadata_env(const char *path, struct trace_env *env)
{
	const char *fault;
	char *text = file_read_regular(path, METADATA_MAX, NULL, &fault);

	bool good = tsdl_read_env(text ? text : "", env);
	free(text);
	return good;
}

static void compare_metadata(struct run *run)
{
	const struct manifest_file *wanted = &run->manifest.metadata;
	char *path = xasprintf("%s/metadata", run->trace_folder);
	const char *fault;
	size_t bytes;
	char *text = file_read_regular(path, METADATA_MAX, &bytes, &fault);
	struct trace_env env;

	if (!text)
		run_damage(run, path, 0, "cannot be read: %s", fault);
	else if (bytes == 0)
		run_damage(run, path, 0, "the file is empty");
	else if (strncmp(text, "/* CTF 1.8 */", 13) || !tsdl_read_env(text, &env))
		run_damage(run, path, 0, "it is not the description of such a trace");
	else if (run->boot_known && env.boot_id != run->boot_id)
		run_damage(run, path, 0, "it belongs to another boot");
	else if (run->manifest.state == MANIFEST_WHOLE &&
		 (bytes != wanted->bytes || checksum((const uint8_t *)text, bytes) != wanted->crc))
		run_damage(run, path, 0,
			   "it is not what was written (its checksum is another than in run.json)");
	free(text);
	free(path);
}

static void compare_whole(struct run *run)
{
	const struct manifest *manifest = &run->manifest;

	for (uint32_t i = 0; i < manifest->nr_harts; i++)
		compare_hart(run, &manifest->harts[i]);
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		bool known = false;
		for (uint32_t k = 0; k < manifest->nr_harts; k++)
			known = known || manifest->harts[k].hart == run->streams[i].hart;
		if (!known)
			run_damage(run, run->streams[i].path, 0, "run.json knows no such hart");
	}
	compare_stacks(run);
	if (manifest->stray_write[0])
		run_damage(run, run->manifest_path, 0, "while the machine ran, %s", manifest->stray_write);
}

static void compare_format1(struct run *run)
{
	const struct manifest *manifest = &run->manifest;

	if (run->nr_records != manifest->events)
		run_damage(run, run->manifest_path, 0,
			   "it says that %" PRIu64 " event%s %s recorded; the files have %" PRIu64,
			   manifest->events, plural_s(manifest->events),
			   plural(manifest->events, "was", "were"), run->nr_records);
}

void manifest_compare(struct run *run)
{
	size_t before = run->nr_damages;

	compare_metadata(run);
	if (run->manifest.state == MANIFEST_BAD)
		run_damage(run, run->manifest_path, 0, "cannot be used: %s", run->manifest.fault);
	else if (run->manifest.state == MANIFEST_WHOLE)
		compare_whole(run);
	else if (run->manifest.state == MANIFEST_FORMAT1)
		compare_format1(run);
	run->is_other = run->is_other || run->nr_damages > before;
}

void manifest_compare_marks(struct run *run, uint64_t marks)
{
	if (run->manifest.state == MANIFEST_WHOLE && run->manifest.marks != marks)
		run_damage(run, run->manifest_path, 0,
			   "it says that there are %" PRIu64 " mark%s; the files have %" PRIu64,
			   run->manifest.marks, plural_s(run->manifest.marks), marks);
}

const char *manifest_cut_short(const struct manifest *manifest)
{
	if (!manifest->end[0] || !strcmp(manifest->end, "poweroff") || !strcmp(manifest->end, "panic"))
		return NULL;
	return manifest->end;
}
