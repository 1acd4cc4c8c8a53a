/* SPDX-License-Identifier: MIT */
/* drain: see drain.h. */
#include "drain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "base/text.h"
#include "base/util.h"
#include "ctf/tsdl.h"
#include "report/sources.h"

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

static void remove_from(const char *folder, const char *name, const char *suffix)
{
	char *path = xasprintf("%s/%s%s", folder, name, suffix);

	unlink(path);
	free(path);
}

void drain_clear(const char *run_folder)
{
	static const char *const pictures[] = {RUN_FREE_PAGES, RUN_KINDS, RUN_PAGE_MAP, RUN_LIFETIMES};
	char *folder = xasprintf("%s/trace", run_folder);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	char *sources = xasprintf("%s/" RUN_SOURCES, run_folder);
	if (folder_remove(sources))
		warn("%s: %s", sources, strerror(errno));
	free(sources);
	remove_from(run_folder, "run.json", "");
	remove_from(run_folder, RUN_REPORT, "");
	remove_from(run_folder, RUN_COMPARED, "");
	for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
		remove_from(run_folder, pictures[i], ".png");
		remove_from(run_folder, pictures[i], ".svg");
	}
	while (dir && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, "hart", 4) || !strcmp(entry->d_name, "stacks"))
			remove_from(folder, entry->d_name, "");
	}
	if (dir)
		closedir(dir);
	free(folder);
}

static bool write_metadata(struct drain *drain)
{
	struct trace_env env = {.boot_id = drain->boot_id, .stack_base = PHYS_OFFSET};
	struct text_buffer buffer;
	int fd = create_file(drain->folder, "metadata");

	if (fd < 0)
		return false;
	build_id_text(drain->guest->desc->build_id, env.build_id);
	tsdl_write(text_begin(&buffer), &env);
	char *text = text_end(&buffer);
	write_at(drain, fd, text, buffer.bytes, 0);
	drain->metadata = (struct manifest_file){
	    .bytes = buffer.bytes,
	    .crc = (uint32_t)crc32(0, (const unsigned char *)text, (uInt)buffer.bytes)};
	free(text);
	return !close(fd) && !drain->error;
}

static void attach(struct drain *drain)
{
	struct guest *guest = drain->guest;

	for (uint32_t i = 0; i < guest->desc->nr_rings; i++) {
		uint64_t consumed = guest_consumed(guest, i);
		drain->next[i] = consumed <= guest_opened(guest, i) ? consumed : 0;
	}
	drain->attached = true;
	guest_set_consumer(guest, true);
}

bool drain_open(struct drain *drain, struct guest *guest, const char *trace_folder, enum drain_from from)
{
	struct trace_packet_header depot;

	*drain = (struct drain){.guest = guest, .folder = xstrdup(trace_folder), .stacks_fd = -1};
	for (uint32_t i = 0; i < RINGS_MAX; i++)
		drain->fds[i] = -1;
	if (make_folders(trace_folder))
		return false;
	memcpy(&depot, guest_memory(guest, guest->desc->depot_pa, HEADER_BYTES), sizeof(depot));
	drain->boot_id = depot.boot_id;
	if (!write_metadata(drain))
		return false;
	drain->stacks_fd = create_file(trace_folder, "stacks");
	if (drain->stacks_fd < 0)
		return false;
	if (guest->desc->mode == TRACE_STREAM && from == DRAIN_NEW)
		attach(drain);
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
	if (content < HEADER_BYTES)
		return;
	if (content > desc->depot_bytes)
		content = desc->depot_bytes;
	content =
	    HEADER_BYTES + (content - HEADER_BYTES) / sizeof(struct trace_stack) * sizeof(struct trace_stack);
	memcpy(&header, depot, sizeof(header));
	if (content <= drain->stacks_bytes || header.magic != TRACE_MAGIC)
		return;
	uint64_t from = drain->stacks_bytes ? drain->stacks_bytes : HEADER_BYTES;
	uint8_t *copy = xcalloc(1, content - from);
	memcpy(copy, depot + from, content - from);
	write_at(drain, drain->stacks_fd, copy, content - from, (off_t)from);
	drain->stacks.crc = (uint32_t)crc32(drain->stacks.crc, copy, (uInt)(content - from));
	/* The header last: until then it describes what was there before. */
	header.content_size_bits = header.packet_size_bits = content * 8;
	if (content > from)
		header.end_time = ((const struct trace_stack *)(copy + (content - from)))[-1].time;
	if (header.begin_time > header.end_time)
		header.begin_time = header.end_time;
	write_at(drain, drain->stacks_fd, &header, sizeof(header), 0);
	drain->stacks_header = header;
	drain->stacks_bytes = content;
	free(copy);
}

/* ---- packets ---- */

static const struct trace_packet_header *slot(const struct drain *drain, uint32_t ring, uint64_t number)
{
	const struct trace_desc *desc = drain->guest->desc;
	uint64_t pa = desc->rings[ring].base_pa + number % desc->nr_packets * desc->packet_bytes;

	return guest_memory(drain->guest, pa, desc->packet_bytes);
}

/*
 * Copies packet `number` into buf; its content in bytes, or 0: it is not there (being overwritten, a slot that was about
 * to be used when the machine died, or memory that something else wrote on).
 */
static uint64_t copy_packet(const struct drain *drain, uint32_t ring, uint64_t number, uint8_t *buf)
{
	const struct trace_packet_header *packet = slot(drain, ring, number);
	uint64_t size = drain->guest->desc->packet_bytes;
	uint64_t bits = __atomic_load_n(&packet->content_size_bits, __ATOMIC_ACQUIRE);
	char what[128];

	if (bits / 8 > size || bits / 8 < HEADER_BYTES)
		return 0;
	/* Whole records; in memory that was overwritten it may be anything. */
	uint64_t content = HEADER_BYTES + (bits / 8 - HEADER_BYTES) / sizeof(struct trace_record) *
					      sizeof(struct trace_record);
	memcpy(buf, packet, size);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&packet->content_size_bits, __ATOMIC_RELAXED) < bits)
		return 0;
	struct trace_packet_header *copy = (struct trace_packet_header *)buf;
	copy->content_size_bits = content * 8;
	copy->packet_size_bits = size * 8;
	/* While the guest ran on, its end may have moved past what bits cover: the last record has the right one. */
	if (content > HEADER_BYTES)
		copy->end_time = ((const struct trace_record *)(buf + content))[-1].time;
	if (copy->sequence != number || packet_fault(copy, CLASS_EVENTS) ||
	    !packet_chain_fits(&drain->chains[ring], copy, ring, drain->boot_id, what))
		return 0;
	return content;
}

static uint64_t count_marks(const uint8_t *buf, uint32_t nr)
{
	const struct trace_record *records = (const void *)(buf + HEADER_BYTES);
	uint64_t marks = 0;

	for (uint32_t i = 0; i < nr; i++)
		marks += records[i].event == EV_mark;
	return marks;
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
	uint32_t nr = packet_records(content);
	write_at(drain, drain->fds[ring], buf, bytes, -1);
	packet_chain_take(&drain->chains[ring], (const void *)buf, nr);
	drain->nr_packets++;
	drain->nr_events += nr;
	drain->nr_marks += count_marks(buf, nr);
	drain->bytes += bytes;
}

/*
 * How many packets the ring has opened. In stream mode the guest cannot be further ahead of us than its ring is long. If it
 * seems to be, something else wrote there, and the packets themselves say how far it came.
 */
static uint64_t opened_packets(struct drain *drain, uint32_t ring)
{
	uint64_t opened = guest_opened(drain->guest, ring), next = drain->next[ring];
	uint32_t nr_slots = drain->guest->desc->nr_packets;

	if (opened >= next &&
	    (!drain->attached || guest_mode(drain->guest) == TRACE_FLIGHT || opened - next <= nr_slots))
		return opened;
	drain->stray = drain->stray ? drain->stray : "rings[].opened";
	uint64_t newest = next;
	for (uint64_t number = next; number < next + nr_slots; number++) {
		struct trace_packet_header header;
		memcpy(&header, slot(drain, ring, number), sizeof(header));
		if (!packet_fault(&header, CLASS_EVENTS) && header.sequence == number)
			newest = number + 1;
	}
	return newest;
}

/* Packets of one ring up to, not including, number `end`. */
static uint32_t take_packets(struct drain *drain, uint32_t ring, uint64_t end)
{
	const struct trace_desc *desc = drain->guest->desc;
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
			guest_set_consumed(drain->guest, ring, drain->next[ring] + 1);
	}
	free(buf);
	return nr;
}

static void look_for_stray_write(struct drain *drain)
{
	if (!drain->stray)
		drain->stray = guest_stray_write(drain->guest);
}

uint32_t drain_step(struct drain *drain)
{
	uint64_t opened[RINGS_MAX];
	uint32_t nr = 0, nr_rings = drain->guest->desc->nr_rings;

	if (!drain->attached)
		return 0;
	look_for_stray_write(drain);
	bool any = false;
	for (uint32_t i = 0; i < nr_rings; i++) {
		opened[i] = opened_packets(drain, i);
		any = any || opened[i] > drain->next[i] + 1;
	}
	if (!any)
		return 0;
	take_stacks(drain);
	for (uint32_t i = 0; i < nr_rings; i++) {
		if (opened[i])
			nr += take_packets(drain, i, opened[i] - 1);
	}
	return nr;
}

/* The packet that is being filled, cut to its content. */
static void take_last_packet(struct drain *drain, uint32_t ring, uint64_t opened)
{
	uint8_t *buf = xcalloc(1, drain->guest->desc->packet_bytes);
	uint64_t content = copy_packet(drain, ring, opened - 1, buf);

	if (content > HEADER_BYTES) {
		((struct trace_packet_header *)buf)->packet_size_bits = content * 8;
		write_packet(drain, ring, buf, content, content);
	} else if (content == 0) {
		drain->missed_packets++;
	}
	drain->next[ring] = opened;
	free(buf);
}

void drain_finish(struct drain *drain)
{
	look_for_stray_write(drain);
	take_stacks(drain);
	for (uint32_t i = 0; i < drain->guest->desc->nr_rings; i++) {
		uint64_t opened = opened_packets(drain, i);
		if (!opened)
			continue;
		take_packets(drain, i, opened - 1);
		if (drain->next[i] + 1 == opened)
			take_last_packet(drain, i, opened);
	}
	if (drain->attached)
		guest_set_consumer(drain->guest, false);
	drain->attached = false;
}

/* The header of the stacks changes while they grow, so it is not in the running checksum; the two are put together. */
static uint32_t stacks_checksum(const struct drain *drain)
{
	uint32_t header = (uint32_t)crc32(0, (const unsigned char *)&drain->stacks_header, HEADER_BYTES);

	return (uint32_t)crc32_combine(header, drain->stacks.crc,
				       (off_t)(drain->stacks_bytes - HEADER_BYTES));
}

void drain_manifest(const struct drain *drain, const struct guest *guest, struct manifest *manifest)
{
	*manifest = (struct manifest){.state = MANIFEST_WHOLE};
	if (!guest->desc)
		return;
	build_id_text(guest->desc->build_id, manifest->build_id);
	manifest->boot_id = drain->boot_id;
	manifest->marks = drain->nr_marks;
	manifest->missed = drain->missed_packets;
	manifest->metadata = drain->metadata;
	if (drain->stray)
		snprintf(manifest->stray_write, sizeof(manifest->stray_write),
			 "something wrote on trace_desc.%s", drain->stray);
	manifest->stacks = (struct manifest_file){
	    .count =
		drain->stacks_bytes ? (drain->stacks_bytes - HEADER_BYTES) / sizeof(struct trace_stack) : 0,
	    .bytes = drain->stacks_bytes,
	    .crc = drain->stacks_bytes ? stacks_checksum(drain) : 0};
	manifest->nr_harts = guest->desc->nr_rings;
	for (uint32_t i = 0; i < manifest->nr_harts; i++) {
		struct manifest_hart *hart = &manifest->harts[i];
		hart->hart = i;
		manifest_of_chain(hart, &drain->chains[i]);
		hart->discarded = guest_discarded(guest, i);
		/* Whatever something else wrote there, no count of events is like that. */
		if (hart->discarded < drain->chains[i].discarded || hart->discarded > INT64_MAX)
			hart->discarded = drain->chains[i].discarded;
	}
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
