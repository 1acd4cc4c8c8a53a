/* SPDX-License-Identifier: MIT */
/* run: the files of a run, opened and closed. See run.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/elf_file.h"
#include "base/util.h"
#include "run_priv.h"

void run_damage(struct run *run, const char *path, uint64_t offset, const char *fmt, ...)
{
	if (run->nr_damages++ >= DAMAGES_KEPT)
		return;
	struct damage *damage = &run->damages[run->nr_damages - 1];
	va_list args;
	damage->path = xstrdup(path);
	damage->offset = offset;
	va_start(args, fmt);
	if (vasprintf(&damage->what, fmt, args) < 0)
		die("out of memory");
	va_end(args);
}

void run_forget_damages(struct run *run, size_t nr_damages)
{
	for (size_t i = nr_damages; i < run->nr_damages && i < DAMAGES_KEPT; i++) {
		free(run->damages[i].path);
		free(run->damages[i].what);
	}
	run->nr_damages = nr_damages;
}

#define FORGET_BYTES (1UL << 20)
/* Weeks of a busy hart. */
#define HART_BYTES_MAX (1UL << 40)

void run_forget(const struct stream *stream, uint64_t *forgotten, uint64_t offset)
{
	uint64_t upto = offset & ~(FORGET_BYTES - 1);

	if (offset < *forgotten + 2 * FORGET_BYTES)
		return;
	madvise((void *)(stream->map + *forgotten), upto - *forgotten, MADV_DONTNEED);
	*forgotten = upto;
}

uint32_t run_stack(const struct run *run, uint32_t id, const uint32_t **frames)
{
	if (id == 0 || id > run->nr_stacks)
		return 0;
	const struct trace_stack *stack = &run->stacks[id - 1];
	if (stack->stack != id || stack->nr_frames > TRACE_STACK_FRAMES)
		return 0;
	*frames = stack->frames;
	return stack->nr_frames;
}

/* ---- files ---- */

/* Maps a file; an empty one gives a map of NULL and 0 bytes. False, and why, when it cannot be mapped. */
static bool map_file(const char *path, uint64_t max, const uint8_t **map, size_t *bytes, const char **fault)
{
	size_t size;
	int fd = file_open_regular(path, max, &size, fault);

	*map = NULL;
	*bytes = 0;
	if (fd < 0)
		return false;
	void *where = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	close(fd);
	if (where == MAP_FAILED) {
		*fault = strerror(errno);
		return false;
	}
	*map = where;
	*bytes = size;
	return true;
}

static int compare_streams(const void *a, const void *b)
{
	const struct stream *left = a, *right = b;

	return left->hart < right->hart ? -1 : left->hart > right->hart;
}

/* 0, or the errno of a folder that cannot be read. */
static int open_streams(struct run *run)
{
	DIR *dir = opendir(run->trace_folder);
	struct dirent *entry;

	if (!dir)
		return errno;
	while ((entry = readdir(dir))) {
		char name[16];
		uint32_t hart;
		/* "hart01" would be hart 1 a second time. */
		if (sscanf(entry->d_name, "hart%u", &hart) != 1 || hart > UINT16_MAX ||
		    run->nr_streams == STREAMS_MAX)
			continue;
		snprintf(name, sizeof(name), "hart%u", hart);
		if (strcmp(name, entry->d_name))
			continue;
		struct stream *stream = &run->streams[run->nr_streams++];
		stream->path = xasprintf("%s/%s", run->trace_folder, entry->d_name);
		stream->hart = hart;
	}
	closedir(dir);
	qsort(run->streams, run->nr_streams, sizeof(run->streams[0]), compare_streams);
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		struct stream *stream = &run->streams[i];
		const char *fault;
		if (!map_file(stream->path, HART_BYTES_MAX, &stream->map, &stream->bytes, &fault))
			run_damage(run, stream->path, 0, "cannot be read: %s", fault);
		else if (!stream->bytes)
			run_damage(run, stream->path, 0, "the file is empty");
		if (stream->map)
			madvise((void *)stream->map, stream->bytes, MADV_SEQUENTIAL);
		run_scan_hart(run, stream);
	}
	return 0;
}

static char *find_kernel(const char *folder)
{
	static const char *const names[] = {"kernel/pagetrail.elf", "kernel/kernel.elf", "pagetrail.elf"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);
		if (file_is_regular(path))
			return path;
		free(path);
	}
	return NULL;
}

static bool symbols_forced;

void run_force_symbols(void)
{
	symbols_forced = true;
}

/* Addresses are named by the kernel that ran or not at all: those of another build would name the wrong functions. */
static void check_kernel(struct run *run)
{
	char id[BUILD_ID_TEXT], *what = NULL;

	if (symbols_forced || (!run->kernel_path && !run->manifest.has_kernel))
		return;
	const char *fault = run->kernel_path ? elf_file_build_id(run->kernel_path, id, sizeof(id)) : NULL;
	if (!run->kernel_path)
		what = xstrdup("the file is missing");
	else if (fault)
		what = xstrdup(fault);
	else if (run->build_id[0] && strcmp(run->build_id, id))
		what = xasprintf("it is of build %s, the kernel that ran of %s", id[0] ? id : "(none)",
				 run->build_id);
	else
		what = manifest_kernel_fault(run, run->kernel_path);
	if (!what) {
		run->kernel_proved = run->build_id[0] || run->manifest.kernel_elf.bytes;
		return;
	}
	if (!run->kernel_path)
		run->kernel_path =
		    xasprintf("%s/kernel/%s", run->folder, run->watched ? "kernel.elf" : "pagetrail.elf");
	run_damage(run, run->kernel_path, 0, "%s: addresses stay numbers", what);
	run->kernel_fault = xasprintf("%s: %s: addresses stay numbers (--force-symbols: use its names)",
				      run->kernel_path, what);
	free(run->kernel_path);
	run->kernel_path = NULL;
	free(what);
}

/* The build from run.json, else from the metadata, which alone says the rest. */
static void read_env(struct run *run)
{
	char *path = xasprintf("%s/metadata", run->trace_folder);
	struct trace_env env;

	metadata_env(path, &env);
	run->watched = env.watched;
	run->stack_base = env.stack_base;
	if (run->watched)
		page_kinds_are_unknown();
	memcpy(run->build_id, run->manifest.state == MANIFEST_WHOLE ? run->manifest.build_id : env.build_id,
	       sizeof(run->build_id));
	free(path);
}

static void sum_records(struct run *run)
{
	run->nr_records = 0;
	for (uint32_t i = 0; i < run->nr_streams; i++)
		run->nr_records += run->streams[i].chain.nr_records;
}

static bool manifest_has_packets(const struct manifest *manifest)
{
	for (uint32_t i = 0; i < manifest->nr_harts; i++) {
		if (manifest->harts[i].packets)
			return true;
	}
	return false;
}

static int open_folder(struct run *run)
{
	run->trace_folder = xasprintf("%s/trace", run->folder);
	if (access(run->trace_folder, F_OK)) {
		free(run->trace_folder);
		run->trace_folder = xstrdup(run->folder);
	}
	run->manifest_path = xasprintf("%s/run.json", run->folder);
	manifest_read(&run->manifest, run->folder);
	run->boot_known = run->manifest.state == MANIFEST_WHOLE;
	run->boot_id = run->manifest.boot_id;
	int error = open_streams(run);
	read_env(run);
	if (!run->nr_streams && (error || !manifest_has_packets(&run->manifest)))
		return error;
	const char *fault;
	run->stacks_path = xasprintf("%s/stacks", run->trace_folder);
	if (!map_file(run->stacks_path, STACKS_BYTES_MAX, &run->stacks_map, &run->stacks_bytes, &fault))
		run_damage(run, run->stacks_path, 0, "cannot be read: %s", fault);
	else
		run_scan_stacks(run);
	run->kernel_path = find_kernel(run->folder);
	sum_records(run);
	manifest_compare(run);
	check_kernel(run);
	if (run->watched)
		manifest_compare_description(run);
	return 0;
}

/* False: it is no file of bytes. */
static bool open_capture(struct run *run)
{
	const char *fault;

	if (!map_file(run->folder, HART_BYTES_MAX, &run->stacks_map, &run->stacks_bytes, &fault))
		return false;
	run->is_capture = true;
	run->stack_base = PHYS_OFFSET;
	run->stacks_path = xstrdup(run->folder);
	run_scan_capture(run);
	sum_records(run);
	qsort(run->streams, run->nr_streams, sizeof(run->streams[0]), compare_streams);
	char *slash = strrchr(run->stacks_path, '/');
	char *beside =
	    slash ? xasprintf("%.*s", (int)(slash - run->stacks_path), run->stacks_path) : xstrdup(".");
	run->kernel_path = find_kernel(beside);
	free(beside);
	return true;
}

/* Why there is nothing to read. */
static char *no_run(const struct run *run, int problem)
{
	if (run->is_capture)
		return xasprintf("%s: no capture of /proc/ktrace: no packet of events is in it", run->folder);
	if (problem == EACCES)
		return xasprintf("%s: %s", run->trace_folder, strerror(problem));
	if (run->watched)
		return xasprintf(
		    "%s: no event was recorded: the kernel did not come as far as its allocator. "
		    "What it said is in logs/console.log",
		    run->folder);
	char *runs = run_list_beneath(run->folder);
	char *text = runs ? xasprintf("%s: a folder of runs, not a run: name one of them, the last first:%s",
				      run->folder, runs)
			  : xasprintf("%s: not a run folder: %s", run->folder,
				      access(run->folder, F_OK) ? "it does not exist"
								: "there is no trace/hart0 in it");
	free(runs);
	return text;
}

struct run *run_open(const char *path, char **error)
{
	struct run *run = xcalloc(1, sizeof(*run));

	run->folder = xstrdup(path);
	int problem = open_capture(run) ? 0 : open_folder(run);
	if (run->nr_streams || (!problem && manifest_has_packets(&run->manifest)))
		return run;
	*error = no_run(run, problem);
	run_close(run);
	return NULL;
}

void run_close(struct run *run)
{
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		struct stream *stream = &run->streams[i];
		if (stream->map && !run->is_capture)
			munmap((void *)stream->map, stream->bytes);
		free(stream->packets);
		free(stream->path);
	}
	if (run->stacks_map)
		munmap((void *)run->stacks_map, run->stacks_bytes);
	run_forget_damages(run, 0);
	free(run->manifest_path);
	free(run->stacks_path);
	free(run->kernel_path);
	free(run->kernel_fault);
	free(run->trace_folder);
	free(run->folder);
	free(run);
}

void run_span(const struct run *run, uint64_t *begin, uint64_t *end)
{
	*begin = UINT64_MAX;
	*end = 0;
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		const struct stream *stream = &run->streams[i];
		if (!stream->nr_packets)
			continue;
		*begin = stream->chain.begin_time < *begin ? stream->chain.begin_time : *begin;
		*end = stream->chain.end_time > *end ? stream->chain.end_time : *end;
	}
	if (*begin > *end)
		*begin = *end = 0;
}

/* ---- losses ---- */

bool run_interrupted(const struct run *run)
{
	return !run->is_capture && run->manifest.state == MANIFEST_NONE;
}

/* What run.json says of the end counts, too: after its last packet was opened a hart can only tell the machine. */
uint64_t run_discarded(const struct run *run)
{
	uint64_t sum = 0, said = 0;

	for (uint32_t i = 0; i < run->nr_streams; i++)
		sum += run->streams[i].chain.discarded;
	for (uint32_t i = 0; i < run->manifest.nr_harts; i++)
		said += run->manifest.harts[i].discarded;
	return said > sum ? said : run->manifest.discarded > sum ? run->manifest.discarded : sum;
}

uint64_t run_missing_packets(const struct run *run)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < run->nr_streams; i++)
		sum += run->streams[i].chain.missing;
	return sum;
}

bool run_starts_late(const struct run *run)
{
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		if (run->streams[i].chain.starts_late)
			return true;
	}
	return false;
}

bool run_complete(const struct run *run)
{
	return !run->nr_damages && !run_discarded(run) && !run_missing_packets(run) &&
	       !run_starts_late(run) && !run_interrupted(run);
}

void run_print_losses(const struct run *run, FILE *out)
{
	uint64_t begin, end;

	run_span(run, &begin, &end);
	if (run_interrupted(run))
		fprintf(out,
			"INTERRUPTED: recorded until %.3f s, then interrupted: without run.json nothing says "
			"what "
			"is missing\n",
			time_seconds(end));
	if (run_discarded(run))
		fprintf(
		    out,
		    "LOSS: %llu event%s %s discarded: the rings were full because the reader was too slow\n",
		    (unsigned long long)run_discarded(run), plural_s((unsigned long long)run_discarded(run)),
		    plural((unsigned long long)run_discarded(run), "was", "were"));
	if (run_starts_late(run))
		fprintf(out, "LOSS: the beginning is missing: older packets were overwritten\n");
	if (run_missing_packets(run))
		fprintf(out, "LOSS: %llu packet%s %s missing in the middle\n",
			(unsigned long long)run_missing_packets(run),
			plural_s((unsigned long long)run_missing_packets(run)),
			plural((unsigned long long)run_missing_packets(run), "is", "are"));
	for (size_t i = 0; i < run->nr_damages && i < DAMAGES_KEPT; i++)
		fprintf(out, "DAMAGE: %s, offset %llu: %s\n", run->damages[i].path,
			(unsigned long long)run->damages[i].offset, run->damages[i].what);
	if (run->nr_damages > DAMAGES_KEPT)
		fprintf(out, "DAMAGE: and %zu more\n", run->nr_damages - DAMAGES_KEPT);
}
