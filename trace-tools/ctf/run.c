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

#include "base/util.h"
#include "run_priv.h"

void run_damage(struct run *run, const char *path, uint64_t offset, const char *fmt, ...)
{
	if (run->nr_damages++ >= DAMAGES_KEPT)
		return;
	struct damage *damage = &run->damages[run->nr_damages - 1];
	va_list args;
	damage->path = path;
	damage->offset = offset;
	va_start(args, fmt);
	if (vasprintf(&damage->what, fmt, args) < 0)
		die("out of memory");
	va_end(args);
}

void run_forget_damages(struct run *run, size_t nr_damages)
{
	for (size_t i = nr_damages; i < run->nr_damages && i < DAMAGES_KEPT; i++)
		free(run->damages[i].what);
	run->nr_damages = nr_damages;
}

#define FORGET_BYTES (1UL << 20)

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

/* Maps a file; an empty one gives a map of NULL and 0 bytes. False with errno when it cannot be opened. */
static bool map_file(const char *path, const uint8_t **map, size_t *bytes)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*map = NULL;
	*bytes = 0;
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EISDIR; /* or a device, or a pipe */
		return false;
	}
	if (st.st_size > 0) {
		void *where = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (where == MAP_FAILED) {
			close(fd);
			return false;
		}
		*map = where;
		*bytes = (size_t)st.st_size;
	}
	close(fd);
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
		if (!map_file(stream->path, &stream->map, &stream->bytes))
			run_damage(run, stream->path, 0, "cannot be read: %s", strerror(errno));
		if (stream->map)
			madvise((void *)stream->map, stream->bytes, MADV_SEQUENTIAL);
		run_scan_hart(run, stream);
	}
	return 0;
}

static char *find_kernel(const char *folder)
{
	static const char *const names[] = {"kernel/pagetrail.elf", "pagetrail.elf"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

static int open_folder(struct run *run)
{
	run->trace_folder = xasprintf("%s/trace", run->folder);
	if (access(run->trace_folder, F_OK)) {
		free(run->trace_folder);
		run->trace_folder = xstrdup(run->folder);
	}
	int error = open_streams(run);
	if (!run->nr_streams)
		return error;
	run->stacks_path = xasprintf("%s/stacks", run->trace_folder);
	if (!map_file(run->stacks_path, &run->stacks_map, &run->stacks_bytes))
		run_damage(run, run->stacks_path, 0, "cannot be read: %s", strerror(errno));
	else
		run_scan_stacks(run);
	run->kernel_path = find_kernel(run->folder);
	return 0;
}

/* False: it is no file of bytes. */
static bool open_capture(struct run *run)
{
	if (!map_file(run->folder, &run->stacks_map, &run->stacks_bytes))
		return false;
	run->is_capture = true;
	run->stacks_path = xstrdup(run->folder);
	run_scan_capture(run);
	qsort(run->streams, run->nr_streams, sizeof(run->streams[0]), compare_streams);
	char *slash = strrchr(run->stacks_path, '/');
	char *beside =
	    slash ? xasprintf("%.*s", (int)(slash - run->stacks_path), run->stacks_path) : xstrdup(".");
	run->kernel_path = find_kernel(beside);
	free(beside);
	return true;
}

struct run *run_open(const char *path, char **error)
{
	struct run *run = xcalloc(1, sizeof(*run));

	run->folder = xstrdup(path);
	int problem = open_capture(run) ? 0 : open_folder(run);
	for (uint32_t i = 0; i < run->nr_streams; i++)
		run->nr_records += run->streams[i].nr_records;
	if (run->nr_streams)
		return run;
	*error = run->is_capture
		     ? xasprintf("%s: no capture of /proc/ktrace: no packet of events is in it", path)
		 : problem == EACCES ? xasprintf("%s: %s", run->trace_folder, strerror(problem))
				     : xasprintf("%s: not a run folder: there is no trace/hart0 in it", path);
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
	for (size_t i = 0; i < run->nr_damages && i < DAMAGES_KEPT; i++)
		free(run->damages[i].what);
	free(run->stacks_path);
	free(run->kernel_path);
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
		*begin = stream->begin_time < *begin ? stream->begin_time : *begin;
		*end = stream->end_time > *end ? stream->end_time : *end;
	}
	if (*begin > *end)
		*begin = *end = 0;
}

/* ---- losses ---- */

uint64_t run_discarded(const struct run *run)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < run->nr_streams; i++)
		sum += run->streams[i].discarded;
	return sum;
}

uint64_t run_missing_packets(const struct run *run)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < run->nr_streams; i++)
		sum += run->streams[i].missing_packets;
	return sum;
}

bool run_starts_late(const struct run *run)
{
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		if (run->streams[i].starts_late)
			return true;
	}
	return false;
}

bool run_complete(const struct run *run)
{
	return !run->nr_damages && !run_discarded(run) && !run_missing_packets(run) && !run_starts_late(run);
}

void run_print_losses(const struct run *run, FILE *out)
{
	if (run_discarded(run))
		fprintf(
		    out,
		    "LOSS: %llu events were discarded: the rings were full and nobody emptied them in time\n",
		    (unsigned long long)run_discarded(run));
	if (run_starts_late(run))
		fprintf(out, "LOSS: the beginning is missing: older packets were overwritten\n");
	if (run_missing_packets(run))
		fprintf(out, "LOSS: %llu packets are missing in the middle\n",
			(unsigned long long)run_missing_packets(run));
	for (size_t i = 0; i < run->nr_damages && i < DAMAGES_KEPT; i++)
		fprintf(out, "DAMAGE: %s, offset %llu: %s\n", run->damages[i].path,
			(unsigned long long)run->damages[i].offset, run->damages[i].what);
	if (run->nr_damages > DAMAGES_KEPT)
		fprintf(out, "DAMAGE: and %zu more\n", run->nr_damages - DAMAGES_KEPT);
}
