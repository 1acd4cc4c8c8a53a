/* SPDX-License-Identifier: MIT */
/* image: see image.h. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define RAM_MAX (16ULL << 30)

/* Where a load's bytes are in RAM; false when it is not of RAM. */
static bool load_place(const GElf_Phdr *load, uint64_t *pa)
{
	*pa = load->p_paddr;
	if (!*pa && load->p_vaddr >= PHYS_OFFSET + RAM_BASE)
		*pa = load->p_vaddr - PHYS_OFFSET;
	return load->p_type == PT_LOAD && *pa >= RAM_BASE && *pa - RAM_BASE < RAM_MAX &&
	       load->p_filesz <= RAM_MAX - (*pa - RAM_BASE);
}

/* Returns how many bytes the file had. */
static uint64_t read_at(int fd, uint8_t *to, uint64_t bytes, uint64_t offset)
{
	uint64_t done = 0;

	while (done < bytes) {
		uint64_t more = bytes - done < (1U << 30) ? bytes - done : 1U << 30;
		ssize_t nr = pread(fd, to + done, more, (off_t)(offset + done));
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			break;
		done += (uint64_t)nr;
	}
	return done;
}

/* How far the loads reach, in guest->bytes; NULL, or why they cannot be a core's. */
static char *measure_loads(struct guest *guest, Elf *elf, size_t nr, uint64_t file_bytes)
{
	uint64_t pa, held = 0;
	GElf_Phdr load;

	for (size_t i = 0; i < nr; i++) {
		if (!gelf_getphdr(elf, (int)i, &load) || !load_place(&load, &pa))
			continue;
		uint64_t there = load.p_offset < file_bytes ? file_bytes - load.p_offset : 0;
		held += load.p_filesz < there ? load.p_filesz : there;
		if (pa - RAM_BASE + load.p_filesz > guest->bytes)
			guest->bytes = pa - RAM_BASE + load.p_filesz;
	}
	if (!guest->bytes)
		return xasprintf("%s: an ELF file, but no core: it holds nothing of RAM", guest->path);
	/* Else a small file could fill all of our memory. */
	if (held > file_bytes)
		return xasprintf("%s: a damaged ELF file: its loads are larger than it is", guest->path);
	return NULL;
}

static int compare_parts(const void *a, const void *b)
{
	const struct guest_part *left = a, *right = b;

	return left->at < right->at ? -1 : left->at > right->at;
}

/* What lies behind each other becomes one: a core may cut RAM anywhere. */
static void join_parts(struct guest *guest)
{
	size_t nr = 0;

	qsort(guest->parts, guest->nr_parts, sizeof(*guest->parts), compare_parts);
	for (size_t i = 0; i < guest->nr_parts; i++) {
		const struct guest_part part = guest->parts[i];
		struct guest_part *last = nr ? &guest->parts[nr - 1] : NULL;
		if (!last || part.at > last->at + last->bytes)
			guest->parts[nr++] = part;
		else if (part.at + part.bytes > last->at + last->bytes)
			last->bytes = part.at + part.bytes - last->at;
	}
	guest->nr_parts = nr;
}

static char *read_loads(struct guest *guest, Elf *elf, uint64_t file_bytes)
{
	size_t nr = 0;
	GElf_Phdr load;
	uint64_t pa;

	if (elf_getphdrnum(elf, &nr))
		return xasprintf("%s: a damaged ELF file", guest->path);
	char *error = measure_loads(guest, elf, nr, file_bytes);
	if (error)
		return error;
	void *where = mmap(NULL, guest->bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (where == MAP_FAILED)
		return xasprintf("%s: %s", guest->path, strerror(errno));
	guest->ram = where;
	guest->parts = xcalloc(nr, sizeof(*guest->parts));
	for (size_t i = 0; i < nr; i++) {
		if (!gelf_getphdr(elf, (int)i, &load) || !load_place(&load, &pa))
			continue;
		uint64_t there =
		    read_at(guest->fd, guest->ram + (pa - RAM_BASE), load.p_filesz, load.p_offset);
		guest->parts[guest->nr_parts++] = (struct guest_part){pa - RAM_BASE, there};
		if (there < load.p_filesz)
			warn("%s: its load of physical address 0x%llx is cut off", guest->path,
			     (unsigned long long)pa);
	}
	join_parts(guest);
	return NULL;
}

bool image_open(struct guest *guest, const char *path, char **error)
{
	char magic[SELFMAG] = {0};
	struct stat st;

	*guest = (struct guest){.path = xstrdup(path),
				.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
	*error = NULL;
	if (guest->fd < 0 || fstat(guest->fd, &st)) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return false;
	}
	if (S_ISREG(st.st_mode) && pread(guest->fd, magic, SELFMAG, 0) == SELFMAG &&
	    !memcmp(magic, ELFMAG, SELFMAG)) {
		elf_version(EV_CURRENT);
		Elf *elf = elf_begin(guest->fd, ELF_C_READ, NULL);
		*error = elf ? read_loads(guest, elf, (uint64_t)st.st_size)
			     : xasprintf("%s: a damaged ELF file", path);
		elf_end(elf);
		return !*error;
	}
	if (!S_ISREG(st.st_mode) || st.st_size < PAGE_BYTES) {
		*error = xasprintf("%s: neither a RAM file nor a core", path);
		return false;
	}
	void *where =
	    mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, guest->fd, 0);
	if (where == MAP_FAILED) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return false;
	}
	guest->ram = where;
	guest->bytes = (uint64_t)st.st_size;
	return true;
}
