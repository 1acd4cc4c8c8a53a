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

#include "util.h"

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

static bool read_at(int fd, uint8_t *to, uint64_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t nr = pread(fd, to, bytes < (1U << 30) ? bytes : 1U << 30, (off_t)offset);
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return false;
		to += nr;
		offset += (uint64_t)nr;
		bytes -= (uint64_t)nr;
	}
	return true;
}

static char *read_loads(struct guest *guest, Elf *elf)
{
	size_t nr = 0;
	GElf_Phdr load;
	uint64_t pa;

	if (elf_getphdrnum(elf, &nr))
		return xasprintf("%s: a damaged ELF file", guest->path);
	for (size_t i = 0; i < nr; i++) {
		if (gelf_getphdr(elf, (int)i, &load) && load_place(&load, &pa) &&
		    pa - RAM_BASE + load.p_filesz > guest->bytes)
			guest->bytes = pa - RAM_BASE + load.p_filesz;
	}
	if (!guest->bytes)
		return xasprintf("%s: an ELF file, but no core: it holds nothing of RAM", guest->path);
	void *where = mmap(NULL, guest->bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (where == MAP_FAILED)
		return xasprintf("%s: %s", guest->path, strerror(errno));
	guest->ram = where;
	for (size_t i = 0; i < nr; i++) {
		if (gelf_getphdr(elf, (int)i, &load) && load_place(&load, &pa) &&
		    !read_at(guest->fd, guest->ram + (pa - RAM_BASE), load.p_filesz, load.p_offset))
			warn("%s: its load of physical address 0x%llx is cut off", guest->path,
			     (unsigned long long)pa);
	}
	return NULL;
}

bool image_open(struct guest *guest, const char *path, char **error)
{
	char magic[SELFMAG] = {0};
	struct stat st;

	*guest = (struct guest){.path = xstrdup(path), .fd = open(path, O_RDONLY | O_CLOEXEC)};
	*error = NULL;
	if (guest->fd < 0 || fstat(guest->fd, &st)) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return false;
	}
	if (S_ISREG(st.st_mode) && pread(guest->fd, magic, SELFMAG, 0) == SELFMAG &&
	    !memcmp(magic, ELFMAG, SELFMAG)) {
		elf_version(EV_CURRENT);
		Elf *elf = elf_begin(guest->fd, ELF_C_READ, NULL);
		*error = elf ? read_loads(guest, elf) : xasprintf("%s: a damaged ELF file", path);
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
