/* SPDX-License-Identifier: MIT */
/*
 * ELF: static 64-bit little-endian RISC-V programs. Numbers: System V ABI, chapters "ELF Header" and "Program
 * Header", and the RISC-V ELF psABI (machine 243).
 *
 * Nothing in the file is believed. What is checked before anything is mapped:
 *
 * ELF-1  the header is of the kind above, and the program headers lie within one page and the file.
 * ELF-2  each segment's file part lies in the file and is no longer than its memory part; its addresses do not wrap,
 *        leave page 0 alone (so that a null pointer faults) and stay below the stack.
 * ELF-3  no segment is writable and executable at once; segments share no page.
 * ELF-4  the entry point lies in an executable segment.
 */
#include "proc_priv.h"

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
STATIC_ASSERT(sizeof(struct elf_header) == 64, "ELF64");

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};
STATIC_ASSERT(sizeof(struct elf_segment) == 56, "ELF64");

enum { ELF_EXEC = 2, ELF_RISCV = 243, SEGMENT_LOAD = 1, SEGMENT_DYNAMIC = 2, SEGMENT_INTERP = 3 };
enum { SEGMENT_X = 1, SEGMENT_W = 2, SEGMENT_R = 4 };

enum { IDENT_ABI_VERSION = 8, IDENT_PADDING = 9 };

#define ELF_SEGMENTS_MAX (PAGE_SIZE / sizeof(struct elf_segment))
/* One page stays empty below the stack's lowest. */
#define IMAGE_TOP (USER_STACK_TOP - STACK_MAX_BYTES - PAGE_SIZE)

/* All of the bytes, or -ENOEXEC when the file ends before. */
static int elf_read(struct inode *inode, u64 offset, void *buffer, size_t size_bytes, struct readahead *ahead)
{
	ssize_t done;
	int err = inode_lock(inode);

	if (err)
		return err;
	done = inode->ops->read(inode, offset, (u64)buffer, size_bytes, false, ahead);
	inode_unlock(inode);
	if (done == -ENOMEM || done == -EIO)
		return (int)done;
	/* Any other error speaks of an offset that no file has. */
	return done >= 0 && (size_t)done == size_bytes ? 0 : -ENOEXEC;
}

static int elf_check_file(struct inode *inode)
{
	int err = inode_lock(inode);
	u16 mode;

	if (err)
		return err;
	mode = inode->mode;
	inode_unlock(inode);
	if ((mode & S_IFMT) != S_IFREG || !(mode & 0111) || !inode->ops->read)
		return -EACCES;
	return 0;
}

static bool elf_header_good(const struct elf_header *header)
{
	static const u8 ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1}; /* 64 bits, little endian, version 1 */

	return memcmp(header->ident, ident, sizeof(ident)) == 0 && header->type == ELF_EXEC &&
	       header->machine == ELF_RISCV && header->version == 1 &&
	       header->phentsize == sizeof(struct elf_segment) && header->phnum > 0 &&
	       header->phnum <= ELF_SEGMENTS_MAX;
}

/* ELF-2 and ELF-3, but for what the reads and mm_map find out. */
static bool segment_good(const struct elf_segment *segment)
{
	u32 rights = segment->flags & (SEGMENT_R | SEGMENT_W | SEGMENT_X);

	return segment->filesz <= segment->memsz && segment->vaddr >= PAGE_SIZE &&
	       segment->vaddr < IMAGE_TOP && segment->memsz <= IMAGE_TOP - segment->vaddr &&
	       segment->offset + segment->filesz >= segment->offset && rights != 0 &&
	       (rights & (SEGMENT_W | SEGMENT_X)) != (SEGMENT_W | SEGMENT_X);
}

static u32 segment_vma_flags(const struct elf_segment *segment)
{
	u32 flags = VMA_READ; /* a page that can be run or written can be read on this machine, too */

	if (segment->flags & SEGMENT_W)
		flags |= VMA_WRITE;
	if (segment->flags & SEGMENT_X)
		flags |= VMA_EXEC;
	return flags;
}

/* Maps every segment; the contents come afterwards. */
static int elf_map(struct mm *mm, const struct elf_segment *segments, u32 nr, uaddr_t entry)
{
	uaddr_t end = 0;
	bool entry_good = false;

	for (u32 i = 0; i < nr; i++) {
		const struct elf_segment *segment = &segments[i];
		uaddr_t from = PAGE_ALIGN_DOWN(segment->vaddr);
		uaddr_t to = PAGE_ALIGN_UP(segment->vaddr + segment->memsz);
		int err;

		if (segment->type == SEGMENT_INTERP || segment->type == SEGMENT_DYNAMIC)
			return -ENOEXEC;
		if (segment->type != SEGMENT_LOAD)
			continue;
		if (!segment->memsz && !segment->filesz) /* a linker's empty one, with any address */
			continue;
		if (!segment_good(segment))
			return -ENOEXEC;
		err = mm_map(mm, from, to, segment_vma_flags(segment), NULL, NULL, 0);
		if (err)
			return err == -ENOMEM ? err : -ENOEXEC;
		end = MAX(end, to);
		if (segment->flags & SEGMENT_X && entry >= segment->vaddr &&
		    entry - segment->vaddr < segment->memsz)
			entry_good = true;
	}
	if (!entry_good || entry & 1)
		return -ENOEXEC;
	mm->heap_start = mm->heap_end = end;
	return 0;
}

/* The kernel's address of a page of the new image, made if it is not there yet. */
static int image_page(struct mm *mm, uaddr_t ua, u8 **page)
{
	int err = mm_fault(mm, ua, false, false);
	pte_t *pte;

	if (err)
		return err;
	pte = pt_walk(mm->root, ua, mm->id, false);
	*page = pa_to_va(PTE_PA(*pte));
	return 0;
}

static int elf_fill(struct inode *inode, struct mm *mm, const struct elf_segment *segment,
		    struct readahead *ahead)
{
	for (u64 done = 0; done < segment->filesz;) {
		uaddr_t ua = segment->vaddr + done;
		size_t in_page = ua % PAGE_SIZE;
		size_t size = MIN(PAGE_SIZE - in_page, segment->filesz - done);
		u8 *page;
		int err = image_page(mm, PAGE_ALIGN_DOWN(ua), &page);

		if (!err)
			err = elf_read(inode, segment->offset + done, page + in_page, size, ahead);
		if (err)
			return err;
		done += size;
	}
	return 0;
}

static int elf_load_with(struct inode *inode, struct exec_image *image, struct elf_segment *segments)
{
	struct readahead ahead = {0};
	struct elf_header header;
	int err = elf_read(inode, 0, &header, sizeof(header), &ahead);

	if (err)
		return err;
	if (!elf_header_good(&header))
		return -ENOEXEC;
	err = elf_read(inode, header.phoff, segments, header.phnum * sizeof(*segments), &ahead);
	if (!err)
		err = elf_map(image->mm, segments, header.phnum, header.entry);
	for (u32 i = 0; !err && i < header.phnum; i++)
		if (segments[i].type == SEGMENT_LOAD)
			err = elf_fill(inode, image->mm, &segments[i], &ahead);
	image->entry = header.entry;
	image->abi = abi_of_elf(header.ident[IDENT_ABI_VERSION]);
	image->abi_flags = image->abi == &native_abi ? 0 : header.ident[IDENT_PADDING];
	return err;
}

int elf_load(struct inode *inode, struct exec_image *image)
{
	struct holder holder = HOLDER(current_task()->pid, 0);
	struct page *segments;
	int err = elf_check_file(inode);

	if (err)
		return err;
	segments = page_alloc(0, PK_KERNEL, REF_OWNER, holder, 0);
	if (!segments)
		return -ENOMEM;
	err = elf_load_with(inode, image, page_to_va(segments));
	page_put(segments, REF_OWNER, holder);
	return err;
}
