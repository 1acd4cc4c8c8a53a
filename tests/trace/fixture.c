/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the kernel's ELF: functions with known names, files and lines, so that the tests can make stacks that
 * resolve to them. Each has a place behind a call: the symbol site_SITE. Never runs. With REBUILT it is the ELF of another
 * day: every address is another, and mm_fork has changed inside. With FORGETS block_drop() lacks a call. With SKIPS_xxx the function
 * xxx has a branch more, as one has that does not always do what it did. With SWAPS two_calls() makes its calls in another order; with
 * CONSTANT level_first() gives what is inlined into it and level_second() another value, which changes both; with TRIPLES the inlined one
 * is another in both.
 *
 * The #line directives put functions into files of the kernel, since the tools tell the books' own machinery (the page
 * allocator, slab) from those who call it by file.
 */
#define SITE(site) __asm__ volatile("nop\n.globl site_" #site "\nsite_" #site ":\nnop")
#define FUNCTION(name, site)                                                                                 \
	void name(void);                                                                                     \
	__attribute__((noinline)) void name(void)                                                            \
	{                                                                                                    \
		SITE(site);                                                                                  \
	}
#define INLINED(name, site)                                                                                  \
	static inline __attribute__((always_inline)) void name(void)                                         \
	{                                                                                                    \
		SITE(site);                                                                                  \
	}
volatile int is_rare;
#define RARELY                                                                                               \
	do {                                                                                                 \
		if (is_rare)                                                                                 \
			return;                                                                              \
	} while (0)
#ifdef SKIPS_ALL
#define FUNCTION_OF_ALL(name, site)                                                                          \
	void name(void);                                                                                     \
	__attribute__((noinline)) void name(void)                                                            \
	{                                                                                                    \
		RARELY;                                                                                      \
		SITE(site);                                                                                  \
	}
#undef FUNCTION
#define FUNCTION FUNCTION_OF_ALL
#endif
#ifdef REBUILT
#define CHANGE __asm__ volatile("nop\nnop\nnop\nnop")
#else
#define CHANGE
#endif

char trace_desc[8192] __attribute__((aligned(4096)));

#ifdef REBUILT
#line 10 "kernel/mm/new.c"
FUNCTION(moves_all_that_follow, new)
#endif
#line 100 "kernel/mm/page.c"
FUNCTION(page_get, page_get)
#line 150 "kernel/fs/pagecache.c"
INLINED(lookup, lookup)
void pagecache_get(void);
#line 208 "kernel/fs/pagecache.c"
void pagecache_get(void)
{
	lookup();
}
#line 230 "kernel/fs/pagecache.c"
FUNCTION(pagecache_release, pagecache_release)
#line 240 "kernel/fs/pagecache.c"
FUNCTION(pagecache_drop, pagecache_drop)
#line 20 "kernel/fs/cached_io.c"
FUNCTION(inode_read_cached, inode_read_cached)
#line 80 "kernel/fs/ext2_file.c"
FUNCTION(ext2_file_write, ext2_file_write)
#line 30 "kernel/fs/writeback.c"
FUNCTION(record_alloc, record_alloc)
#line 40 "kernel/fs/writeback.c"
FUNCTION(record_free, record_free)
#line 160 "kernel/fs/writeback.c"
FUNCTION(write_record, write_record)
#line 50 "kernel/vm/fork.c"
void mm_fork(void);
__attribute__((noinline)) void mm_fork(void)
{
	CHANGE;
	SITE(mm_fork);
}
#line 70 "kernel/vm/addrspace.c"
void mm_destroy(void);
__attribute__((noinline)) void mm_destroy(void)
{
#ifdef SKIPS_mm_destroy
	RARELY;
#endif
	SITE(mm_destroy);
}
#line 33 "kernel/mm/kstack.c"
FUNCTION(kstack_alloc, kstack_alloc)
#line 40 "kernel/syscall/sys_file.c"
void sys_read(void);
__attribute__((noinline)) void sys_read(void)
{
#ifdef SKIPS_sys_read
	RARELY;
#endif
	SITE(sys_read);
}
#line 50 "kernel/syscall/sys_file.c"
void sys_write(void);
void block_let_go(void);
__attribute__((noinline)) void sys_write(void)
{
#ifdef SKIPS_sys_write
	RARELY;
#endif
	SITE(sys_write);
	block_let_go();
}
#line 29 "kernel/syscall/table.c"
FUNCTION(upcall_syscall, upcall_syscall)
/* The call is the last instruction: the return address is already the next function's. */
#line 60 "kernel/boot/panic.c"
void ends_with_call(void);
__attribute__((noinline)) void ends_with_call(void)
{
	__asm__ volatile("nop\n.globl site_ends_with_call\nsite_ends_with_call:");
	__builtin_unreachable();
}
FUNCTION(behind_it, behind_it)
/* What releases a block, with FORGETS no more; and what hands one to its caller. */
#line 120 "kernel/mm/page.c"
FUNCTION(page_put, page_put)
#line 300 "kernel/fs/ext2_balloc.c"
void block_drop(void);
__attribute__((noinline)) void block_drop(void)
{
	SITE(block_drop);
#ifdef SKIPS_block_drop
	RARELY;
#endif
#ifndef FORGETS
	page_put();
#endif
	pagecache_drop();
}
#line 320 "kernel/fs/ext2_balloc.c"
struct page;
struct page *block_page(void);
__attribute__((noinline)) struct page *block_page(void)
{
	SITE(block_page);
	return 0;
}
/* Its last instruction is a jump: of what it calls, no stack has it. */
#line 340 "kernel/fs/ext2_balloc.c"
__attribute__((noinline)) void block_let_go(void)
{
	SITE(block_let_go);
#ifdef SKIPS_block_let_go
	RARELY;
#endif
	block_drop();
}
/* The books' own. */
#line 200 "kernel/mm/slab.c"
void slab_shrink(void);
__attribute__((noinline)) void slab_shrink(void)
{
#ifdef SKIPS_slab_shrink
	RARELY;
#endif
	SITE(slab_shrink);
	page_put();
}
/* A counted object's: what acquires and releases a reference to it is on no stack, for these begin with the caller. */
#line 220 "kernel/mm/kmem.c"
FUNCTION(kmem_ref_stack, kmem_ref_stack)
#line 330 "kernel/fs/icache.c"
void inode_get(void);
__attribute__((noinline)) void inode_get(void)
{
	SITE(inode_get);
	kmem_ref_stack();
}
#line 340 "kernel/fs/icache.c"
void inode_put(void);
__attribute__((noinline)) void inode_put(void)
{
	SITE(inode_put);
	kmem_ref_stack();
}
#line 60 "kernel/fs/path.c"
void name_begin(void);
__attribute__((noinline)) void name_begin(void)
{
	SITE(name_begin);
	inode_get();
}
#line 70 "kernel/fs/path.c"
void name_end(void);
__attribute__((noinline)) void name_end(void)
{
#ifdef SKIPS_name_end
	RARELY;
#endif
	SITE(name_end);
	inode_get();
	inode_put();
}
/* A setter and its callers: who loads what it overwrites, who chooses the place, who is told it. HERE is directly behind the instruction before. */
#define HERE(site) __asm__ volatile(".globl site_" #site "\nsite_" #site ":\nnop" ::: "memory")
struct slot {
	struct slot *first;
	void *second;
};
struct slot the_slot;
void slot_set(struct slot *slot, void *value);
void slot_set_checked(struct slot *slot, void *value);
void slot_clear(struct slot *slot);
void slot_pass(struct slot *slot, void *value);
void slot_own(void *value);
void *slot_swap(struct slot *slot, void *value);
#line 10 "kernel/proc/slot.c"
__attribute__((noinline)) void slot_set(struct slot *slot, void *value)
{
	slot->second = value;
	HERE(slot_set);
}
#line 20 "kernel/proc/slot.c"
__attribute__((noinline)) void slot_set_checked(struct slot *slot, void *value)
{
	void *old = slot->second;
	slot->second = value;
	HERE(slot_set_checked);
	if (old)
		is_rare = 1;
}
#line 30 "kernel/proc/slot.c"
__attribute__((noinline)) void slot_clear(struct slot *slot)
{
	slot->second = 0;
	HERE(slot_clear);
}
#line 40 "kernel/proc/slot.c"
__attribute__((noinline)) void slot_pass(struct slot *slot, void *value)
{
	slot_set(slot, value);
	HERE(slot_pass);
	is_rare = 1;
}
#line 50 "kernel/proc/slot.c"
__attribute__((noinline)) void slot_own(void *value)
{
	slot_set(&the_slot, value);
	HERE(slot_own);
	is_rare = 1;
}
#line 60 "kernel/proc/slot.c"
__attribute__((noinline)) void *slot_swap(struct slot *slot, void *value)
{
	void *old = slot->first->second;
	slot_set(slot->first, value);
	HERE(slot_swap);
	return old;
}
/* What they are given is theirs, or not: one that returns another for it, one that looks at it, and one that has it in a structure. */
struct walk {
	struct page *at;
};
struct page *page_cross(struct page *page);
struct page *page_look(const struct page *page);
void walk_done(struct walk *walk);
#line 70 "kernel/proc/slot.c"
__attribute__((noinline)) struct page *page_cross(struct page *page)
{
	HERE(page_cross);
	return is_rare ? page : 0;
}
#line 80 "kernel/proc/slot.c"
__attribute__((noinline)) struct page *page_look(const struct page *page)
{
	HERE(page_look);
	return is_rare ? (struct page *)page : 0;
}
#line 90 "kernel/proc/slot.c"
__attribute__((noinline)) void walk_done(struct walk *walk)
{
	HERE(walk_done);
	walk->at = 0;
}
/* A release that is inlined, and one of which nothing is left where it is: it does nothing. */
static inline __attribute__((always_inline)) void part_free(struct page *page)
{
	*(volatile int *)page = 0;
}
void part_close(struct page *page);
void nothing_free(struct page *page);
void part_done(struct page *page);
#line 100 "kernel/proc/slot.c"
__attribute__((noinline)) void part_close(struct page *page)
{
	HERE(part_close);
	part_free(page);
}
#line 110 "kernel/proc/slot.c"
void nothing_free(struct page *page) {}
#line 120 "kernel/proc/slot.c"
__attribute__((noinline)) void part_done(struct page *page)
{
	HERE(part_done);
	if (is_rare)
		nothing_free(page);
}
__asm__(".globl site_nothing_free\n.set site_nothing_free, nothing_free");
void *slot_exchange(struct slot *slot, void *value);
#line 130 "kernel/proc/slot.c"
__attribute__((noinline)) void *slot_exchange(struct slot *slot, void *value)
{
	void *old = slot->second;
	slot->second = value;
	HERE(slot_exchange);
	return old;
}
/* Nobody calls these by name. */
#line 400 "kernel/fs/cached_io.c"
volatile int level, levels_set;
#ifdef TRIPLES
#define LEVEL_TIMES 3
#else
#define LEVEL_TIMES 5
#endif
static inline __attribute__((always_inline)) void level_set(int to)
{
	level = to * LEVEL_TIMES;
}
void level_first(void);
__attribute__((noinline)) void level_first(void)
{
	levels_set += 1;
#ifdef CONSTANT
	level_set(7);
#else
	level_set(is_rare);
#endif
}
void level_second(void);
__attribute__((noinline)) void level_second(void)
{
	levels_set += 2;
	level_set(is_rare);
}
void two_calls(void);
__attribute__((noinline)) void two_calls(void)
{
#ifdef SWAPS
	pagecache_drop();
	page_get();
#else
	page_get();
	pagecache_drop();
#endif
	levels_set += 3;
}
