/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: struct mm, its VMAs, and what faults do to them.
 *
 * Problem: fork and exec must be cheap, mappings may be larger than memory, and each page that a table points to must be
 * counted once for it. Idea: a VMA says what may be there, the page table what is there, and only a fault brings a page from one into the
 * other. So fork copies VMAs and shares pages read-only; who writes first gets a copy:
 *
 *     fork           both tables: page A, read-only, PTE_COW      A has two PTE references
 *     child stores   fault: page B = copy of A                    child: B, writable; A has one again
 *     parent stores  fault: A has one reference                   parent: A becomes writable, nothing is copied
 *
 * Why VMAs are kept at all, when the table could say everything: a page that was never touched has no leaf, and what may be done
 * there must be known when it is.
 *
 * MM-1  VMAs are page aligned, sorted, do not overlap, and lie below USER_TOP.
 * MM-2  every leaf in the table lies in a VMA; its rights never exceed the VMA's.
 * MM-3  pages of private VMAs are ANON (or page-cache pages mapped read-only with PTE_COW).
 * MM-4  a VMA with an object behind it is in the object's vma_set from its making to its end.
 *
 * An mm belongs to one process and is touched by its owner only (or with the world stopped), so it has no
 * lock. The exception are VMAs in a set: who comes from the object (write-back, truncation) takes rights and leaves
 * away there, under the set's lock. Functions that may allocate may sleep (reclaim).
 */
#ifndef KERNEL_ADDRSPACE_H
#define KERNEL_ADDRSPACE_H

#include <kernel/claims.h>
#include <kernel/list.h>
#include <kernel/pagetable.h>
#include <kernel/tree.h>

#define USER_TOP 0x3fffffe000UL       /* user memory lies below; the last pages of the half stay empty */
#define USER_STACK_TOP 0x3fffffc000UL /* above it only the heap of a program for xv6 may come */
#define USER_MMAP_TOP 0x3000000000UL
#define STACK_MAX_BYTES (64 * PAGE_SIZE)

enum vma_flags {
	VMA_READ = 1,
	VMA_WRITE = 2,
	VMA_EXEC = 4,
	VMA_SHARED = 8,
	VMA_STACK = 16, /* grows on fault, down to its start */
	VMA_HEAP = 32,
};

struct vma;
struct mm;

/*
 * The VMAs that map one object (a file, or shared anonymous memory): the way from a page to the leaves that map it.
 *
 * Under `lock`: the list; start, end and file_index of the VMAs on it; and the leaves in their ranges. A VMA's owner
 * reads its bounds and its tables without the lock, since nobody else changes them, but leaves with it. Tables of an mm
 * are freed after its VMAs have left their sets.
 *
 * Locks: `vmaset`; references are returned under it, memory is allocated under it only where a failure is expected.
 */
struct vma_set {
	struct spinlock lock;
	struct list vmas;
};

void vma_set_init(struct vma_set *set);
/* The leaves of page `index` lose the right to write: when this returns, a store in any mapping faults. No lock held. */
void vma_set_protect(struct vma_set *set, u32 index);
/* All leaves of pages with index >= first go, those of private copies, too. No lock held. */
void vma_set_unmap(struct vma_set *set, u32 first);
/* The page behind the last one that a mapping of the set could write to in the object itself. No lock held. */
u64 vma_set_writable_end(struct vma_set *set);
/* Whether a VMA of the set has page `index`. lock held. */
bool vma_set_covers_locked(const struct vma_set *set, u32 index);

/* What lies behind a VMA: a file (fs), or shared memory (shared.c). One without ops is private and anonymous. */
struct vma_ops {
	/*
	 * The page of the object at page index `index`, with a PTE reference for (mm, page number of ua) taken.
	 * NULL: error in *err (-ENOMEM, -EIO; -EFAULT beyond the end of file). May sleep.
	 */
	struct page *(*fault)(struct vma *vma, u32 index, struct holder holder, int *err);
	/*
	 * Whether a page that fault returned is still the object's: asked under the set's lock, where its leaf is made.
	 * NULL: always.
	 */
	bool (*current)(struct vma *vma, u32 index, const struct page *page);
	/*
	 * A page of a shared mapping became writable; the caller has a reference. 0, -ENOMEM, -EIO: the store cannot be
	 * promised to last. May sleep. NULL: nobody wants to know, and leaves are writable from the start.
	 */
	int (*dirty)(struct vma *vma, u32 index, struct page *page);
	void (*open)(struct vma *vma); /* made, copied or split: one more user of the object */
	/* nr pages from `first` are no longer the VMA's, which may be about to be closed. May be NULL. */
	void (*shrunk)(struct vma *vma, u32 first, u32 nr);
	void (*close)(struct vma *vma);
	struct vma_set *(*set)(struct vma *vma); /* of the object */
	void (*claims)(struct vma *vma, struct claims *claims);
};

struct vma {
	struct list link;      /* in mm->vmas, by address */
	struct tree_node node; /* in mm->tree, likewise */
	u64 largest_gap;       /* bytes; below a VMA of its subtree (vma_tree.c) */
	uaddr_t start, end;
	u32 flags;
	u32 file_index; /* page index in the object of `start` */
	const struct vma_ops *ops;
	void *file; /* the object; of ops */
	struct mm *mm;
	struct vma_set *set;  /* of the object, or NULL */
	struct list set_link; /* set->lock */
};

struct mm {
	u16 id;  /* never 0; not reused while anything may still hold a page in its name */
	u16 pid; /* owner, for messages */
	u32 nr_vmas;
	struct page *root;
	struct list vmas;             /* by address */
	struct tree tree;             /* the same VMAs */
	uaddr_t heap_start, heap_end; /* brk area; heap_start is page aligned, heap_end need not be */
	uaddr_t heap_limit;           /* page aligned; heap_end never lies above */
	u64 nr_resident;              /* leaves; atomic */
	struct list all;              /* in the list of all mms, for the auditor */
};

/* In whose name a VMA holds its object (ref kind VMA): its own, as its bounds may move. */
struct holder vma_holder(const struct vma *vma);

void addrspace_init(void);
struct mm *mm_create(u16 pid);  /* NULL: no memory */
void mm_destroy(struct mm *mm); /* unmaps everything, frees tables, then the mm */
/*
 * A child's copy of an address space; NULL: no memory, parent as before. eager: private pages are copied now, so that
 * the child's stores need no memory later; else on write.
 */
struct mm *mm_fork(struct mm *parent, u16 pid, bool eager);

/* A new VMA; 0, -ENOMEM, -EINVAL, -EEXIST on overlap. */
int mm_map(struct mm *mm, uaddr_t start, uaddr_t end, u32 flags, const struct vma_ops *ops, void *file,
	   u32 file_index);
/* The same for new memory that children will share. -ENOMEM also when there are too many such objects. */
int mm_map_shared(struct mm *mm, uaddr_t start, uaddr_t end, u32 flags);
/* Removes [start, end) from all VMAs (splitting) and frees the pages. 0, -ENOMEM when a split finds none. */
int mm_unmap(struct mm *mm, uaddr_t start, uaddr_t end);
/* A free range for size_bytes below USER_MMAP_TOP, or 0. */
uaddr_t mm_find_gap(struct mm *mm, u64 size_bytes);
struct vma *mm_find_vma(struct mm *mm, uaddr_t ua); /* containing ua, or NULL */
/* Moves the end of the heap by delta; returns the old end or negative errno. Pages come on demand (lazy) or at once. */
s64 mm_sbrk(struct mm *mm, s64 delta, bool lazy);

/* Makes the pages of [start, end), page aligned, as if they were written to. 0 or what mm_fault says. */
int mm_populate(struct mm *mm, uaddr_t start, uaddr_t end);
/* Serves a fault: lazy, COW, file. 0, -EFAULT (not allowed there), -ENOMEM, -EIO. May sleep. */
int mm_fault(struct mm *mm, uaddr_t ua, bool write, bool exec);
/* Whether the page was accessed since it was asked last, or mapped. The mm is the caller's own. */
bool mm_take_accessed(struct mm *mm, uaddr_t ua);
/* Copies into an address space that is not active (exec's new image), faulting pages in. 0 or errno. */
int mm_copy_out(struct mm *mm, uaddr_t dst, const void *src, size_t size_bytes);

/* One address space, which a task has, and all that it maps. */
void mm_claim(struct claims *claims, const struct mm *mm);
void mm_claims(struct claims *claims); /* by the list of all: only while a task may have one in its hands */
/* Set by sched: see sched_checkpoint there. */
void mm_set_pause_hook(int (*pause)(void));
/* NULL or the invariant broken. */
const char *mm_check(const struct mm *mm);
const char *mm_check_all(void); /* the first that is broken; world stopped */
/* Every mm there is, world stopped or under nothing but courage: for /proc and the debugger. */
extern struct list mm_all;

#endif
