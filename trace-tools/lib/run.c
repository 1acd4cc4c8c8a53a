/* run: opening a run folder and looking through its packet headers. See run.h. */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define HEADER_BYTES sizeof(struct trace_packet_header)

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

/* ---- packets ---- */

/* NULL, or why the header cannot be one of a packet of `stream` with records of record_bytes. */
static const char *header_fault(const struct trace_packet_header *header, uint32_t stream,
				uint32_t record_bytes)
{
	uint64_t size = header->packet_size_bits / 8, content = header->content_size_bits / 8;

	if (header->magic != TRACE_MAGIC)
		return "no packet begins here (wrong magic)";
	if (header->stream != stream)
		return "packet of another stream class";
	if (header->packet_size_bits % 64 || size < HEADER_BYTES)
		return "impossible packet size";
	if (header->content_size_bits % 8 || content < HEADER_BYTES || content > size)
		return "impossible content size";
	if ((content - HEADER_BYTES) % record_bytes)
		return "content is not a whole number of records";
	if (header->begin_time > header->end_time)
		return "packet ends before it begins";
	return NULL;
}

/* The next offset from `offset` on, in steps of 8, where a believable header stands, or bytes. */
static uint64_t find_header(const uint8_t *map, uint64_t offset, uint64_t bytes, uint32_t stream,
			    uint32_t record_bytes)
{
	struct trace_packet_header header;

	for (offset = (offset + 7) & ~7ULL; offset + HEADER_BYTES <= bytes; offset += 8) {
		memcpy(&header, map + offset, sizeof(header));
		if (!header_fault(&header, stream, record_bytes))
			return offset;
	}
	return bytes;
}

/*
 * Takes one believable packet into the stream, unless its place in the order is impossible. Returns the offset
 * behind it.
 */
static uint64_t take_packet(struct run *run, struct stream *stream, uint64_t offset, uint64_t *next_sequence)
{
	struct trace_packet_header header;
	memcpy(&header, stream->map + offset, sizeof(header));
	uint64_t size = header.packet_size_bits / 8, content = header.content_size_bits / 8;
	uint64_t there = stream->bytes - offset;
	uint64_t behind = offset + (size < there ? size : there);

	if (stream->nr_packets == 0 && run->boot_id == 0)
		run->boot_id = header.boot_id;
	if (header.boot_id != run->boot_id || header.instance != stream->hart) {
		run_damage(run, stream->path, offset, "packet of another %s; left out",
			   header.boot_id != run->boot_id ? "boot" : "hart");
		return behind;
	}
	if (stream->nr_packets &&
	    (header.sequence < *next_sequence || header.begin_time < stream->end_time)) {
		run_damage(run, stream->path, offset,
			   "packet number %llu comes after number %llu or goes back in time; left out",
			   (unsigned long long)header.sequence, (unsigned long long)*next_sequence - 1);
		return behind;
	}
	if (stream->nr_packets == 0)
		stream->starts_late = header.sequence != 0;
	else
		stream->missing_packets += header.sequence - *next_sequence;
	if (there < content) {
		run_damage(run, stream->path, offset,
			   "packet number %llu is cut off: %llu of %llu bytes are there",
			   (unsigned long long)header.sequence, (unsigned long long)there,
			   (unsigned long long)content);
		content = there;
	}
	struct packet packet = {
	    .offset = offset,
	    .end_time = header.end_time,
	    .nr_records = (uint32_t)((content - HEADER_BYTES) / sizeof(struct trace_record)),
	};
	if (stream->nr_packets == 0)
		stream->begin_time = header.begin_time;
	ARRAY_PUSH(stream->packets, stream->nr_packets, stream->packets_capacity) = packet;
	stream->nr_records += packet.nr_records;
	stream->end_time = header.end_time;
	stream->discarded = header.events_discarded;
	*next_sequence = header.sequence + 1;
	return behind;
}

static void scan_packets(struct run *run, struct stream *stream)
{
	uint64_t offset = 0, next_sequence = 0;

	while (offset < stream->bytes) {
		if (stream->bytes - offset < HEADER_BYTES) {
			run_damage(run, stream->path, offset, "cut off: %llu bytes of a packet header",
				   (unsigned long long)(stream->bytes - offset));
			return;
		}
		struct trace_packet_header header;
		memcpy(&header, stream->map + offset, sizeof(header));
		const char *fault = header_fault(&header, TRACE_STREAM_EVENTS, sizeof(struct trace_record));
		if (fault) {
			uint64_t next = find_header(stream->map, offset + 8, stream->bytes,
						    TRACE_STREAM_EVENTS, sizeof(struct trace_record));
			run_damage(run, stream->path, offset, "%s; %llu bytes left out", fault,
				   (unsigned long long)(next - offset));
			offset = next;
			continue;
		}
		offset = take_packet(run, stream, offset, &next_sequence);
	}
}

/* ---- stacks ---- */

static void scan_stacks(struct run *run)
{
	struct trace_packet_header header;

	if (run->stacks_bytes < HEADER_BYTES) {
		run_damage(run, run->stacks_path, 0, "no stacks: the file has %zu bytes", run->stacks_bytes);
		return;
	}
	memcpy(&header, run->stacks_map, sizeof(header));
	uint64_t there = (run->stacks_bytes - HEADER_BYTES) / sizeof(struct trace_stack), nr = there;
	const char *fault = header_fault(&header, TRACE_STREAM_STACKS, sizeof(struct trace_stack));
	if (fault) {
		run_damage(run, run->stacks_path, 0, "%s; its %llu possible stacks are taken as they are",
			   fault, (unsigned long long)there);
	} else {
		nr = (header.content_size_bits / 8 - HEADER_BYTES) / sizeof(struct trace_stack);
		if (nr > there) {
			run_damage(run, run->stacks_path, run->stacks_bytes,
				   "cut off: %llu of %llu stacks are there", (unsigned long long)there,
				   (unsigned long long)nr);
			nr = there;
		}
	}
	run->stacks = (const struct trace_stack *)(run->stacks_map + HEADER_BYTES);
	run->nr_stacks = (uint32_t)nr;
	for (uint32_t i = 0; i < run->nr_stacks; i++) {
		const struct trace_stack *stack = &run->stacks[i];
		if (stack->event != TRACE_STACK_EVENT || stack->stack != i + 1 ||
		    stack->nr_frames > TRACE_STACK_FRAMES)
			run_damage(run, run->stacks_path, HEADER_BYTES + i * sizeof(*stack),
				   "stack %u is not one (event %u, stack %u, %u frames)", i + 1, stack->event,
				   stack->stack, stack->nr_frames);
	}
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

static bool open_streams(struct run *run)
{
	DIR *dir = opendir(run->trace_folder);
	struct dirent *entry;

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		uint32_t hart;
		int end = 0;
		if (sscanf(entry->d_name, "hart%u%n", &hart, &end) != 1 || entry->d_name[end] ||
		    run->nr_streams == STREAMS_MAX)
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
		scan_packets(run, stream);
		run->nr_records += stream->nr_records;
		if (stream->map)
			madvise((void *)stream->map, stream->bytes, MADV_SEQUENTIAL);
	}
	return run->nr_streams > 0;
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

struct run *run_open(const char *folder, char **error)
{
	struct run *run = xcalloc(1, sizeof(*run));

	run->folder = xstrdup(folder);
	run->trace_folder = xasprintf("%s/trace", folder);
	if (access(run->trace_folder, R_OK)) {
		free(run->trace_folder);
		run->trace_folder = xstrdup(folder);
	}
	if (!open_streams(run)) {
		*error = xasprintf("%s: not a run folder: there is no trace/hart0 in it", folder);
		run_close(run);
		return NULL;
	}
	run->stacks_path = xasprintf("%s/stacks", run->trace_folder);
	if (!map_file(run->stacks_path, &run->stacks_map, &run->stacks_bytes))
		run_damage(run, run->stacks_path, 0, "cannot be read: %s", strerror(errno));
	else
		scan_stacks(run);
	run->kernel_path = find_kernel(folder);
	return run;
}

void run_close(struct run *run)
{
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		struct stream *stream = &run->streams[i];
		if (stream->map)
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
