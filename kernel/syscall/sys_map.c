/* SPDX-License-Identifier: MIT */
/* mmap and munmap. */
#include "syscall_priv.h"
#include <uapi/mman.h>

static u32 vma_flags_of(u64 prot, u64 flags)
{
	u32 vma_flags = 0;

	if (prot & PROT_READ)
		vma_flags |= VMA_READ;
	if (prot & PROT_WRITE)
		vma_flags |= VMA_READ | VMA_WRITE; /* the machine has no write-only pages */
	if (prot & PROT_EXEC)
		vma_flags |= VMA_EXEC;
	if (flags & MAP_SHARED)
		vma_flags |= VMA_SHARED;
	return vma_flags;
}

/* Where to map: the address asked for if it is fixed or free, else a gap. */
static s64 choose_place(struct mm *mm, uaddr_t wanted, u64 size_bytes, u64 flags)
{
	uaddr_t place;

	if (flags & MAP_FIXED) {
		int err;

		if (wanted % PAGE_SIZE || wanted < PAGE_SIZE || wanted > USER_STACK_TOP - size_bytes)
			return -EINVAL;
		err = mm_unmap(mm, wanted, wanted + size_bytes);
		return err ? err : (s64)wanted;
	}
	place = mm_find_gap(mm, size_bytes);
	return place ? (s64)place : -ENOMEM;
}

static s64 map_anonymous(struct mm *mm, uaddr_t start, uaddr_t end, u32 vma_flags)
{
	int err = vma_flags & VMA_SHARED ? mm_map_shared(mm, start, end, vma_flags)
					 : mm_map(mm, start, end, vma_flags, NULL, NULL, 0);

	return err ? err : (s64)start;
}

/*
 * (addr, length, prot, flags, fd, offset): the address, or an error. What is refused changes nothing; when it fails later,
 * for want of memory, a place that was fixed is empty.
 */
s64 sys_mmap(const u64 *arg)
{
	struct mm *mm = current_task()->mm;
	u64 size_bytes = PAGE_ALIGN_UP(arg[1]), prot = arg[2], flags = arg[3];
	u64 type = flags & (MAP_SHARED | MAP_PRIVATE);
	struct file *file = NULL;
	u32 vma_flags = vma_flags_of(prot, flags);
	s64 place;

	if (!arg[1] || size_bytes < arg[1] || size_bytes > USER_MMAP_TOP || (prot & ~7UL) ||
	    (type != MAP_SHARED && type != MAP_PRIVATE) || (flags & ~(u64)(MAP_FIXED | MAP_ANONYMOUS | type)))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		int err;

		file = fd_file((int)arg[4]);
		if (!file)
			return -EBADF;
		err = file_may_map(file, size_bytes, vma_flags, arg[5]);
		if (err)
			return err;
	}
	place = choose_place(mm, arg[0], size_bytes, flags);
	if (place < 0)
		return place;
	if (file)
		return file_map(mm, file, (uaddr_t)place, size_bytes, vma_flags, arg[5]);
	return map_anonymous(mm, (uaddr_t)place, (uaddr_t)place + size_bytes, vma_flags);
}

/* (addr, length) */
s64 sys_munmap(const u64 *arg)
{
	u64 size_bytes = PAGE_ALIGN_UP(arg[1]);

	if (arg[0] % PAGE_SIZE || !arg[1] || size_bytes < arg[1] || arg[0] > USER_TOP ||
	    size_bytes > USER_TOP - arg[0])
		return -EINVAL;
	return mm_unmap(current_task()->mm, arg[0], arg[0] + size_bytes);
}
