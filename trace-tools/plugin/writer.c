/* SPDX-License-Identifier: MIT
 *
 * writer: see writer.h.
 */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "qemu_api.h"

#define PACKET_BYTES 65536ULL
/* Address space is taken in windows of this size; pages behind the end of the file are only addresses. */
#define WINDOW_BYTES (256ULL << 20)

static struct stream {
	int fd;
	bool opened, failed;
	uint32_t busy;
	uint64_t nr_packets, recorded, discarded;
	uint8_t *window;
	struct trace_packet_header *packet; /* NULL: none yet */
	uint64_t content;                   /* bytes of it */
} __attribute__((aligned(64))) streams[HARTS_MAX];

static char folder[4096];
static uint32_t closing = 1, boot_id; /* closing: also before it is opened, for a machine without a trace */
static uint64_t last_time __attribute__((aligned(64)));

void writer_open(const char *trace_folder, uint32_t wanted_boot_id)
{
	struct timespec now;

	closing = 0;
	snprintf(folder, sizeof(folder), "%s", trace_folder);
	clock_gettime(CLOCK_REALTIME, &now);
	boot_id =
	    wanted_boot_id ? wanted_boot_id : ((uint32_t)now.tv_sec * 1000003U ^ (uint32_t)now.tv_nsec) | 1;
}

uint32_t writer_boot_id(void)
{
	return boot_id;
}

uint64_t writer_clock(void)
{
	uint64_t now = (uint64_t)qemu_now() / 100, last = __atomic_load_n(&last_time, __ATOMIC_RELAXED), next;

	do
		next = now > last ? now : last + 1;
	while (
	    !__atomic_compare_exchange_n(&last_time, &last, next, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return next;
}

uint64_t writer_last_time(void)
{
	return __atomic_load_n(&last_time, __ATOMIC_RELAXED);
}

bool writer_grow(int fd, uint64_t bytes)
{
	int error;

	do
		error = posix_fallocate(fd, 0, (off_t)bytes);
	while (error == EINTR);
	return error == 0 || (error == EOPNOTSUPP && ftruncate(fd, (off_t)bytes) == 0);
}

static bool open_stream(struct stream *stream, unsigned hart)
{
	char path[sizeof(folder) + 16];

	snprintf(path, sizeof(path), "%s/hart%u", folder, hart);
	stream->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	stream->opened = stream->fd >= 0;
	return stream->opened;
}

static bool open_window(struct stream *stream, uint64_t offset)
{
	if (stream->window)
		munmap(stream->window, WINDOW_BYTES);
	stream->window =
	    mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, stream->fd, (off_t)offset);
	if (stream->window != MAP_FAILED)
		return true;
	stream->window = NULL;
	return false;
}

static bool open_packet(struct stream *stream, unsigned hart, uint64_t time)
{
	uint64_t offset = stream->nr_packets * PACKET_BYTES, in_window = offset % WINDOW_BYTES;
	struct trace_packet_header header = {
	    .magic = TRACE_MAGIC,
	    .stream = TRACE_STREAM_EVENTS,
	    .instance = (uint16_t)hart,
	    .packet_size_bits = PACKET_BYTES * 8,
	    .content_size_bits = sizeof(header) * 8,
	    .begin_time = time,
	    .end_time = time,
	    .sequence = stream->nr_packets,
	    .events_discarded = stream->discarded,
	    .cpu = hart,
	    .boot_id = boot_id,
	};

	if (!stream->opened && !open_stream(stream, hart))
		return false;
	if (in_window == 0 && !open_window(stream, offset))
		return false;
	if (pwrite(stream->fd, &header, sizeof(header), (off_t)offset) != (ssize_t)sizeof(header) ||
	    !writer_grow(stream->fd, offset + PACKET_BYTES)) {
		if (ftruncate(stream->fd, (off_t)offset))
			return false; /* the header alone is an empty packet, too */
		return false;
	}
	stream->packet = (void *)(stream->window + in_window);
	stream->content = sizeof(header);
	stream->nr_packets++;
	return true;
}

static void discard(struct stream *stream)
{
	stream->failed = true;
	stream->discarded++;
	if (stream->packet)
		stream->packet->events_discarded = stream->discarded;
}

static void append(struct stream *stream, unsigned hart, const struct trace_record *record)
{
	bool full = !stream->packet || stream->content + sizeof(*record) > PACKET_BYTES;

	if (stream->failed || (full && !open_packet(stream, hart, record->time))) {
		discard(stream);
		return;
	}
	struct trace_packet_header *packet = stream->packet;
	memcpy((uint8_t *)packet + stream->content, record, sizeof(*record));
	stream->content += sizeof(*record);
	__atomic_store_n(&packet->end_time, record->time, __ATOMIC_RELEASE);
	__atomic_store_n(&packet->content_size_bits, stream->content * 8, __ATOMIC_RELEASE);
	stream->recorded++;
}

void writer_record(unsigned hart, const struct trace_record *record)
{
	struct stream *stream = &streams[hart];

	__atomic_exchange_n(&stream->busy, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&closing, __ATOMIC_SEQ_CST))
		append(stream, hart, record);
	__atomic_store_n(&stream->busy, 0, __ATOMIC_RELEASE);
}

/* A hart that is in the middle of a record is waited for; one that stays there keeps its packet untrimmed. */
static bool is_idle(const struct stream *stream)
{
	for (int tries = 0; tries < 1000; tries++) {
		if (!__atomic_load_n(&stream->busy, __ATOMIC_SEQ_CST))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	return false;
}

void writer_close(void)
{
	__atomic_store_n(&closing, 1, __ATOMIC_SEQ_CST);
	for (unsigned hart = 0; hart < HARTS_MAX; hart++) {
		struct stream *stream = &streams[hart];
		if (!stream->packet || !is_idle(stream))
			continue;
		__atomic_store_n(&stream->packet->packet_size_bits, stream->content * 8, __ATOMIC_RELEASE);
		uint64_t end = (stream->nr_packets - 1) * PACKET_BYTES + stream->content;
		if (ftruncate(stream->fd, (off_t)end)) {
			/* The packet says where its content ends; what lies behind it is read past. */
			__atomic_store_n(&stream->packet->packet_size_bits, PACKET_BYTES * 8,
					 __ATOMIC_RELEASE);
		}
	}
}

uint64_t writer_recorded(void)
{
	uint64_t sum = 0;

	for (unsigned hart = 0; hart < HARTS_MAX; hart++)
		sum += streams[hart].recorded;
	return sum;
}

uint64_t writer_discarded(void)
{
	uint64_t sum = 0;

	for (unsigned hart = 0; hart < HARTS_MAX; hart++)
		sum += streams[hart].discarded;
	return sum;
}
