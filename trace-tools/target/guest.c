/* SPDX-License-Identifier: MIT */
/* guest: see guest.h. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "ctf/packet.h"

/* The finisher has sixteen bits for it. */
#define EXIT_STATUS_MAX 0xffffU

static bool map_ram(struct guest *guest)
{
	void *where = mmap(NULL, guest->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);

	if (where == MAP_FAILED)
		return false;
	guest->ram = where;
	return true;
}

bool guest_create(struct guest *guest, uint64_t bytes)
{
	*guest = (struct guest){.bytes = bytes,
				.fd = memfd_create("pagetrail-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
	if (guest->fd < 0)
		return false;
	guest->path = xasprintf("/proc/%d/fd/%d", (int)getpid(), guest->fd);
	/* Nobody may take memory away that we have mapped. */
	return !ftruncate(guest->fd, (off_t)bytes) && !fcntl(guest->fd, F_ADD_SEALS, F_SEAL_SHRINK) &&
	       map_ram(guest);
}

int guest_save(const struct guest *guest, const char *path)
{
	int fd;

	if (unlink(path) && errno != ENOENT)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return file_copy(guest->path, path);
}

bool guest_attach(struct guest *guest, const char *path)
{
	struct stat st;

	*guest = (struct guest){.path = xstrdup(path)};
	guest->fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (guest->fd < 0 || fstat(guest->fd, &st))
		return false;
	guest->bytes = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || guest->bytes < PAGE_BYTES) {
		errno = EINVAL;
		return false;
	}
	return map_ram(guest);
}

void guest_close(struct guest *guest)
{
	if (guest->ram)
		munmap(guest->ram, guest->bytes);
	if (guest->fd >= 0)
		close(guest->fd);
	free(guest->parts);
	free(guest->path);
	*guest = (struct guest){.fd = -1};
}

static const struct guest_part *part_with(const struct guest *guest, uint64_t at, uint64_t bytes)
{
	size_t low = 0, high = guest->nr_parts;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct guest_part *part = &guest->parts[middle];
		if (at < part->at)
			high = middle;
		else if (at - part->at >= part->bytes)
			low = middle + 1;
		else
			return bytes <= part->bytes - (at - part->at) ? part : NULL;
	}
	return NULL;
}

void *guest_memory(const struct guest *guest, uint64_t pa, uint64_t bytes)
{
	if (pa < RAM_BASE || pa - RAM_BASE > guest->bytes || bytes > guest->bytes - (pa - RAM_BASE))
		return NULL;
	if (guest->parts && !part_with(guest, pa - RAM_BASE, bytes))
		return NULL;
	return guest->ram + (pa - RAM_BASE);
}

static const char *desc_fault(const struct guest *guest, const struct trace_desc *desc)
{
	if (desc->version != TRACE_DESC_VERSION)
		return "the guest's trace is of another version";
	if (desc->nr_rings == 0 || desc->nr_rings > sizeof(desc->rings) / sizeof(desc->rings[0]))
		return "trace_desc: impossible number of rings";
	if (desc->nr_packets == 0 || desc->packet_bytes > PACKET_BYTES_MAX ||
	    desc->packet_bytes < 2 * sizeof(struct trace_packet_header) || desc->packet_bytes % 64)
		return "trace_desc: impossible packet size";
	if (!guest_memory(guest, desc->depot_pa, desc->depot_bytes) || desc->depot_pa % 8 ||
	    desc->depot_bytes < sizeof(struct trace_packet_header) || desc->depot_bytes > STACKS_BYTES_MAX)
		return "trace_desc: the stack depot is not in RAM";
	for (uint32_t i = 0; i < desc->nr_rings; i++) {
		if (!guest_memory(guest, desc->rings[i].base_pa,
				  (uint64_t)desc->packet_bytes * desc->nr_packets) ||
		    desc->rings[i].base_pa % 64)
			return "trace_desc: a ring is not in RAM";
	}
	return NULL;
}

/* The first page of a part of RAM that begins with trace_desc's magic. */
static struct trace_desc *search_desc(const struct guest *guest, uint64_t at, uint64_t bytes)
{
	uint64_t end = at + bytes;

	for (at = (at + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	     at + sizeof(struct trace_desc) <= guest->bytes && at < end; at += PAGE_BYTES) {
		if (*(const uint64_t *)(guest->ram + at) == TRACE_DESC_MAGIC)
			return (struct trace_desc *)(guest->ram + at);
	}
	return NULL;
}

bool guest_find_desc(struct guest *guest, uint64_t desc_pa, const char **fault)
{
	struct trace_desc *desc = desc_pa ? guest_memory(guest, desc_pa, sizeof(*desc)) : NULL;

	*fault = NULL;
	if (!desc_pa && !guest->parts)
		desc = search_desc(guest, 0, guest->bytes);
	for (size_t i = 0; !desc_pa && i < guest->nr_parts && !desc; i++)
		desc = search_desc(guest, guest->parts[i].at, guest->parts[i].bytes);
	if (!desc || __atomic_load_n(&desc->magic, __ATOMIC_ACQUIRE) != TRACE_DESC_MAGIC)
		return false;
	memcpy(&guest->copy, desc, sizeof(guest->copy));
	*fault = desc_fault(guest, &guest->copy);
	if (*fault)
		return false;
	guest->live = desc;
	guest->desc = &guest->copy;
	return true;
}

/* ---- what changes ---- */

#define LOAD(member) __atomic_load_n(&(member), __ATOMIC_ACQUIRE)

uint32_t guest_mode(const struct guest *guest)
{
	return LOAD(guest->live->mode);
}

uint64_t guest_opened(const struct guest *guest, uint32_t ring)
{
	return LOAD(guest->live->rings[ring].opened);
}

uint64_t guest_consumed(const struct guest *guest, uint32_t ring)
{
	return LOAD(guest->live->rings[ring].consumed);
}

uint64_t guest_discarded(const struct guest *guest, uint32_t ring)
{
	return LOAD(guest->live->rings[ring].discarded);
}

uint64_t guest_recorded(const struct guest *guest, uint32_t ring)
{
	return LOAD(guest->live->rings[ring].recorded);
}

void guest_set_consumed(const struct guest *guest, uint32_t ring, uint64_t nr_packets)
{
	__atomic_store_n(&guest->live->rings[ring].consumed, nr_packets, __ATOMIC_RELEASE);
}

void guest_set_consumer(const struct guest *guest, bool attached)
{
	__atomic_store_n(&guest->live->consumer, attached, __ATOMIC_RELEASE);
}

int guest_exit_status(const struct guest *guest)
{
	uint64_t status = LOAD(guest->live->exit_status);

	return status && status <= EXIT_STATUS_MAX + 1 ? (int)status - 1 : -1;
}

uint64_t guest_panic_pa(const struct guest *guest)
{
	return LOAD(guest->live->panic_pa);
}

const char *guest_stray_write(const struct guest *guest)
{
	static const struct {
		const char *name;
		size_t offset, bytes;
	} members[] = {
#define MEMBER(member) {#member, offsetof(struct trace_desc, member), sizeof(guest->copy.member)}
	    MEMBER(magic),       MEMBER(version),     MEMBER(nr_rings),      MEMBER(packet_bytes),
	    MEMBER(nr_packets),  MEMBER(depot_pa),    MEMBER(depot_bytes),   MEMBER(ram_start),
	    MEMBER(ram_end),     MEMBER(image_start), MEMBER(image_end),     MEMBER(ramdisk_start),
	    MEMBER(ramdisk_end), MEMBER(boot_time),   MEMBER(page_array_pa), MEMBER(nr_pages),
	    MEMBER(build_id),
#undef MEMBER
	};
	const uint8_t *now = (const uint8_t *)guest->live, *then = (const uint8_t *)&guest->copy;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (memcmp(now + members[i].offset, then + members[i].offset, members[i].bytes))
			return members[i].name;
	}
	for (uint32_t i = 0; i < guest->desc->nr_rings; i++) {
		if (LOAD(guest->live->rings[i].base_pa) != guest->desc->rings[i].base_pa)
			return "rings[].base_pa";
	}
	return NULL;
}
