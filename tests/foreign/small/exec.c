/* SPDX-License-Identifier: MIT */
/*
 * exec(): a new program in the place of the old one. Programs are ELF files inside the kernel's image.
 *
 *     0: segments | guard page, not mapped | stack page, the argument at its top | heap
 *
 * The old memory goes when nothing can fail any more.
 */
#include "kernel.h"

struct program {
	const char *name;
	const u8 *start, *stop;
};

extern const struct program programs[]; /* images.S; the last one has no name */

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

#define ELF_LOAD 1
#define ARGUMENT_SIZE 64

/* A segment's bytes, into pages that are mapped. */
static void load(pagetable_t table, u64 va, const u8 *from, u64 size)
{
	while (size > 0) {
		u64 part = PGSIZE - va % PGSIZE < size ? PGSIZE - va % PGSIZE : size;

		memmove((char *)walkaddr(table, PGROUNDDOWN(va)) + va % PGSIZE, from, part);
		va += part;
		from += part;
		size -= part;
	}
}

/* All segments; returns the size of the process, or 0 for an image that is none or without memory. *loaded is what is mapped. */
static u64 load_segments(pagetable_t table, const struct program *program, u64 *loaded)
{
	const struct elf_header *elf = (const struct elf_header *)program->start;
	const struct elf_segment *segment = (const struct elf_segment *)(program->start + elf->phoff);
	u64 file_size = (u64)(program->stop - program->start);

	if (elf->ident[0] != 0x7f || elf->ident[1] != 'E')
		return 0;
	for (int i = 0; i < elf->phnum; i++, segment++) {
		u64 size;

		if (segment->type != ELF_LOAD)
			continue;
		if (segment->vaddr < *loaded || segment->offset + segment->filesz > file_size)
			return 0;
		size = uvmalloc(table, *loaded, segment->vaddr + segment->memsz);
		if (!size)
			return 0;
		*loaded = size;
		load(table, segment->vaddr, program->start + segment->offset, segment->filesz);
	}
	return *loaded;
}

/* What a failed exec() has built. */
static void discard(pagetable_t table, u64 size)
{
	if (MISTAKEN(failed_exec_keeps)) {
		for (u64 va = 0; va < size; va += PGSIZE)
			if (walkaddr(table, va))
				truth_of("leak", (void *)walkaddr(table, va), "exec");
		uvmunmap(table, 0, PGROUNDUP(size) / PGSIZE, 0);
		size = 0;
	}
	proc_freepagetable(table, size);
}

int exec(const char *name, const char *argument)
{
	const struct program *program = programs;
	struct proc *p = myproc();
	pagetable_t table, old_table = p->pagetable;
	u64 size = 0, top, old_size = p->sz;

	while (program->name && strncmp(program->name, name, sizeof(p->name)) != 0)
		program++;
	if (!program->name || !(table = proc_pagetable(p)))
		return -1;
	if (!load_segments(table, program, &size) ||
	    !(top = uvmalloc(table, PGROUNDUP(size), PGROUNDUP(size) + 2 * PGSIZE))) {
		discard(table, size);
		return -1;
	}
	uvmunmap(table, top - 2 * PGSIZE, 1, 1);
	load(table, top - ARGUMENT_SIZE, (const u8 *)argument, ARGUMENT_SIZE);
	mmap_drop(p);
	p->pagetable = table;
	p->sz = top;
	p->trapframe->epc = ((const struct elf_header *)program->start)->entry;
	p->trapframe->regs[REG_SP] = top - ARGUMENT_SIZE;
	p->trapframe->regs[REG_A0] = top - ARGUMENT_SIZE;
	copy_name(p->name, name, sizeof(p->name));
	proc_freepagetable(old_table, old_size);
	return 0;
}
