/* guest: see guest.h. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

/* What a killed run left may still be wanted by somebody who looks into its cause. */
#define SWEEP_AFTER_SECONDS 3600

static bool map_ram(struct guest *guest)
{
	void *where = mmap(NULL, guest->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);

	if (where == MAP_FAILED)
		return false;
	guest->ram = where;
	return true;
}

bool guest_create(struct guest *guest, const char *path, uint64_t bytes)
{
	*guest = (struct guest){.path = xstrdup(path), .bytes = bytes};
	if (unlink(path) && errno != ENOENT)
		return false;
	guest->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return guest->fd >= 0 && !flock(guest->fd, LOCK_EX | LOCK_NB) &&
	       !ftruncate(guest->fd, (off_t)bytes) && map_ram(guest);
}

void guest_sweep(const char *folder, const char *prefix)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
		    time(NULL) - st.st_mtime > SWEEP_AFTER_SECONDS && !flock(fd, LOCK_EX | LOCK_NB))
			unlinkat(dirfd(dir), entry->d_name, 0);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

bool guest_attach(struct guest *guest, const char *path)
{
	struct stat st;

	*guest = (struct guest){.path = xstrdup(path)};
	guest->fd = open(path, O_RDWR | O_CLOEXEC);
	if (guest->fd < 0 || fstat(guest->fd, &st))
		return false;
	guest->bytes = (uint64_t)st.st_size;
	if (guest->bytes < PAGE_BYTES) {
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
	if (desc->nr_packets == 0 || desc->packet_bytes < 2 * sizeof(struct trace_packet_header) ||
	    desc->packet_bytes % 64)
		return "trace_desc: impossible packet size";
	if (!guest_memory(guest, desc->depot_pa, desc->depot_bytes) || desc->depot_pa % 8 ||
	    desc->depot_bytes < sizeof(struct trace_packet_header))
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
	*fault = desc_fault(guest, desc);
	if (*fault)
		return false;
	guest->desc = desc;
	return true;
}
