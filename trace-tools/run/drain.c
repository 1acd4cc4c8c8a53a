/* drain: see drain.h. */
#include "drain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ctf/tsdl.h"

#define HEADER_BYTES sizeof(struct trace_packet_header)

static void fail(struct drain *drain)
{
	if (!drain->error)
		drain->error = errno ? errno : EIO;
}

static void write_at(struct drain *drain, int fd, const void *bytes, size_t nr, off_t offset)
{
	const char *at = bytes;

	while (nr && !drain->error) {
		ssize_t done = offset < 0 ? write(fd, at, nr) : pwrite(fd, at, nr, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			fail(drain);
			return;
		}
		at += done;
		nr -= (size_t)done;
		if (offset >= 0)
			offset += done;
	}
}

static int create_file(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	free(path);
	return fd;
}

void drain_clear(const char *run_folder)
{
	char *folder = xasprintf("%s/trace", run_folder), *path = xasprintf("%s/run.json", run_folder);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	unlink(path);
	free(path);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "hart", 4) && strcmp(entry->d_name, "stacks"))
			continue;
		path = xasprintf("%s/%s", folder, entry->d_name);
		unlink(path);
		free(path);
	}
	if (dir)
		closedir(dir);
	free(folder);
}

static bool write_metadata(const char *folder, uint32_t boot_id)
{
	int fd = create_file(folder, "metadata");
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out)
		return false;
	tsdl_write(out, boot_id);
	return !fclose(out);
}

bool drain_open(struct drain *drain, struct guest *guest, const char *trace_folder)
{
	*drain = (struct drain){.guest = guest, .folder = xstrdup(trace_folder), .stacks_fd = -1};
	for (uint32_t i = 0; i < RINGS_MAX; i++)
		drain->fds[i] = -1;
	if (make_folders(trace_folder))
		return false;
	const struct trace_packet_header *depot = guest_memory(guest, guest->desc->depot_pa, HEADER_BYTES);
	if (!write_metadata(trace_folder, depot->boot_id))
		return false;
	drain->stacks_fd = create_file(trace_folder, "stacks");
	if (drain->stacks_fd < 0)
		return false;
	if (guest->desc->mode == TRACE_STREAM) {
		for (uint32_t i = 0; i < guest->desc->nr_rings; i++)
			drain->next[i] = guest->desc->rings[i].consumed;
		drain->attached = true;
		__atomic_store_n(&guest->desc->consumer, 1, __ATOMIC_RELEASE);
	}
	return true;
}

/* ---- stacks ---- */

static void take_stacks(struct drain *drain)
{
	const struct trace_desc *desc = drain->guest->desc;
	const uint8_t *depot = guest_memory(drain->guest, desc->depot_pa, desc->depot_bytes);
	struct trace_packet_header header;

	uint64_t content = __atomic_load_n(&((const struct trace_packet_header *)depot)->content_size_bits,
					   __ATOMIC_ACQUIRE) /
			   8;
	if (content > desc->depot_bytes)
		content = desc->depot_bytes;
	content =
	    HEADER_BYTES + (content - HEADER_BYTES) / sizeof(struct trace_stack) * sizeof(struct trace_stack);
	if (content <= drain->stacks_bytes || content < HEADER_BYTES)
		return;
	uint64_t from = drain->stacks_bytes ? drain->stacks_bytes : HEADER_BYTES;
	write_at(drain, drain->stacks_fd, depot + from, content - from, (off_t)from);
	/* The header last: until then it describes what was there before. */
	memcpy(&header, depot, sizeof(header));
	header.content_size_bits = header.packet_size_bits = content * 8;
	if (content > HEADER_BYTES)
		header.end_time = ((const struct trace_stack *)(depot + content))[-1].time;
	write_at(drain, drain->stacks_fd, &header, sizeof(header), 0);
	drain->stacks_bytes = content;
}

/* ---- packets ---- */

static const struct trace_packet_header *slot(const struct drain *drain, uint32_t ring, uint64_t number)
{
	const struct trace_desc *desc = drain->guest->desc;
	uint64_t pa = desc->rings[ring].base_pa + number % desc->nr_packets * desc->packet_bytes;

	return guest_memory(drain->guest, pa, desc->packet_bytes);
}

/*
 * Copies packet `number` into buf; its content in bytes, or 0: it is not there (being overwritten, or a slot that
 * was about to be used when the machine died).
 */
static uint64_t copy_packet(const struct drain *drain, uint32_t ring, uint64_t number, uint8_t *buf)
{
	const struct trace_packet_header *packet = slot(drain, ring, number);
	uint64_t packet_bytes = drain->guest->desc->packet_bytes;
	uint64_t bits = __atomic_load_n(&packet->content_size_bits, __ATOMIC_ACQUIRE);

	if (bits / 8 > packet_bytes || bits / 8 < HEADER_BYTES)
		return 0;
	/* Whole records; in memory that was overwritten it may be anything. */
	uint64_t content = HEADER_BYTES + (bits / 8 - HEADER_BYTES) / sizeof(struct trace_record) *
					      sizeof(struct trace_record);
	memcpy(buf, packet, packet_bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&packet->sequence, __ATOMIC_RELAXED) != number ||
	    __atomic_load_n(&packet->content_size_bits, __ATOMIC_RELAXED) < bits)
		return 0;
	struct trace_packet_header *copy = (struct trace_packet_header *)buf;
	copy->content_size_bits = content * 8;
	/* While the guest ran on, its end may have moved past what bits cover: the last record has the right one. */
	if (content > HEADER_BYTES)
		copy->end_time = ((const struct trace_record *)(buf + content))[-1].time;
	return content;
}

static void write_packet(struct drain *drain, uint32_t ring, const uint8_t *buf, uint64_t bytes,
			 uint64_t content)
{
	char name[16];

	if (drain->fds[ring] < 0) {
		snprintf(name, sizeof(name), "hart%u", ring);
		drain->fds[ring] = create_file(drain->folder, name);
		if (drain->fds[ring] < 0) {
			fail(drain);
			return;
		}
	}
	write_at(drain, drain->fds[ring], buf, bytes, -1);
	drain->nr_packets++;
	drain->nr_events += (content - HEADER_BYTES) / sizeof(struct trace_record);
	drain->bytes += bytes;
}

/* Packets of one ring up to, not including, number `end`. */
static uint32_t take_packets(struct drain *drain, uint32_t ring, uint64_t end)
{
	struct trace_desc *desc = drain->guest->desc;
	uint8_t *buf = NULL;
	uint32_t nr = 0;

	if (end > desc->nr_packets && drain->next[ring] < end - desc->nr_packets) {
		drain->missed_packets += end - desc->nr_packets - drain->next[ring];
		drain->next[ring] = end - desc->nr_packets;
	}
	for (; drain->next[ring] < end; drain->next[ring]++) {
		if (!buf)
			buf = xcalloc(1, desc->packet_bytes);
		uint64_t content = copy_packet(drain, ring, drain->next[ring], buf);
		if (content > HEADER_BYTES) {
			write_packet(drain, ring, buf, desc->packet_bytes, content);
			nr++;
		} else if (content == 0) {
			drain->missed_packets++;
		}
		if (drain->attached)
			__atomic_store_n(&desc->rings[ring].consumed, drain->next[ring] + 1,
					 __ATOMIC_RELEASE);
	}
	free(buf);
	return nr;
}

uint32_t drain_step(struct drain *drain)
{
	struct trace_desc *desc = drain->guest->desc;
	uint64_t opened[RINGS_MAX];
	uint32_t nr = 0;

	if (!drain->attached)
		return 0;
	bool any = false;
	for (uint32_t i = 0; i < desc->nr_rings; i++) {
		opened[i] = __atomic_load_n(&desc->rings[i].opened, __ATOMIC_ACQUIRE);
		any = any || opened[i] > drain->next[i] + 1;
	}
	if (!any)
		return 0;
	take_stacks(drain);
	for (uint32_t i = 0; i < desc->nr_rings; i++) {
		if (opened[i])
			nr += take_packets(drain, i, opened[i] - 1);
	}
	return nr;
}

void drain_finish(struct drain *drain)
{
	struct trace_desc *desc = drain->guest->desc;
	uint8_t *buf = xcalloc(1, desc->packet_bytes);

	take_stacks(drain);
	for (uint32_t i = 0; i < desc->nr_rings; i++) {
		uint64_t opened = __atomic_load_n(&desc->rings[i].opened, __ATOMIC_ACQUIRE);
		if (!opened)
			continue;
		take_packets(drain, i, opened - 1);
		if (drain->next[i] + 1 != opened)
			continue;
		uint64_t content = copy_packet(drain, i, opened - 1, buf);
		if (content <= HEADER_BYTES)
			continue;
		((struct trace_packet_header *)buf)->packet_size_bits = content * 8;
		write_packet(drain, i, buf, content, content);
		drain->next[i] = opened;
	}
	free(buf);
	if (drain->attached)
		__atomic_store_n(&desc->consumer, 0, __ATOMIC_RELEASE);
	drain->attached = false;
}

void drain_close(struct drain *drain)
{
	for (uint32_t i = 0; i < RINGS_MAX; i++) {
		if (drain->fds[i] >= 0)
			close(drain->fds[i]);
	}
	if (drain->stacks_fd >= 0)
		close(drain->stacks_fd);
	free(drain->folder);
	*drain = (struct drain){.stacks_fd = -1};
}
