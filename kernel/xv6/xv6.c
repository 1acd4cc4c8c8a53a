/* SPDX-License-Identifier: MIT */
/*
 * The xv6 personality: all that this kernel does differently for programs built against
 * user/compat/xv6, and nothing outside this folder knows of it.
 *
 * Such a program carries ABI version 6 in its ELF header, which is what gives it this table (abi.h). What can be done in the
 * program's own library (user/compat/xv6) is done there; here stands what only the kernel can do:
 *
 *   names      keep 14 characters; a path of 128 and more fails
 *   read       of a directory gives records of 16 bytes {u16 inode; char name[14]}, one for each entry
 *   fstat      gives a structure of 24 bytes: device, inode, type, links, size
 *   write      to a file is all or an error; it fails beyond the end of the file, and beyond 268 blocks of 1024
 *              bytes, or the 65803 of a program that says so (XV6_ELF_LARGE_FILES)
 *   unlink     removes empty directories, too
 *   sbrk       below address 0 gives the old end and leaves it there
 *   open, dup  give 16 descriptors at most
 *   exec       takes 31 arguments that fill a page, also for a program of another kind; the stack is one page, so
 *              arguments over a page fail, and what lies below it faults; the heap may grow up to where that system keeps
 *              its own two pages
 *   fork       copies pages at once in a program that says so (XV6_ELF_EAGER_FORK)
 *   abi        is what labs ask of that kernel: alarms, page tables, traced and refused calls (calls.c, alarm.c)
 *
 * Numbers: the headers in user/compat/xv6/kernel.
 */
#include "xv6_priv.h"
#include <kernel/xv6.h>

/* That system's stack is one page, in which each string begins at a multiple of 16, the array below them, too. */
static bool args_fit(char *const *argv, u32 argc)
{
	u64 used_bytes = ((argc + 1) * sizeof(u64) + 15) & ~15UL;

	for (u32 i = 0; i < argc; i++)
		used_bytes += (strlen(argv[i]) + 1 + 15) & ~15UL;
	return used_bytes <= PAGE_SIZE;
}

static s64 xv6_sbrk(struct mm *mm, s64 delta, bool lazy)
{
	if (delta < 0 && -(u64)delta > mm->heap_end)
		return (s64)mm->heap_end;
	return mm_sbrk(mm, delta, lazy);
}

/* ---- exec ---- */

/* One page between image and heap, an empty page below, so that the heap may grow to the very top. */
static uaddr_t stack_top(const struct mm *mm)
{
	return mm->heap_start + 2 * PAGE_SIZE;
}

/* Programs count free pages, and have their own from the start: none may come later. */
static int image_made(struct mm *mm, uaddr_t top)
{
	int err = 0;

	mm->heap_start = mm->heap_end = top;
	mm->heap_limit = USER_TOP;
	LIST_FOR_EACH (pos, &mm->vmas) {
		const struct vma *vma = LIST_ENTRY(pos, struct vma, link);

		if (!err && vma->flags & VMA_WRITE)
			err = mm_populate(mm, vma->start, vma->end);
	}
	return err;
}

/* ---- fork ---- */

static bool copies_at_fork(const struct proc *proc)
{
	return proc->abi_flags & XV6_ELF_EAGER_FORK;
}

const struct proc_abi xv6_abi = {
    .name = "xv6",
    .elf_version = XV6_ELF_ABI_VERSION,
    .nr_files = XV6_FILES_MAX,
    .nr_args = XV6_ARGS_MAX,
    .unlink_takes_directories = true,
    .read = xv6_read,
    .write = xv6_write,
    .give_stat = xv6_give_stat,
    .sbrk = xv6_sbrk,
    .call = xv6_call,
    .fit_path = xv6_fit_path,
    .args_fit = args_fit,
    .stack_top = stack_top,
    .stack_bytes = PAGE_SIZE,
    .image_made = image_made,
    .entered = xv6_entered,
    .copies_at_fork = copies_at_fork,
    .forked = xv6_forked,
    .user_fault = xv6_user_fault,
};
