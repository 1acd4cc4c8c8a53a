/* SPDX-License-Identifier: MIT */
/*
 * What the files of the kernel offer each other, in the order in which they rest on each other.
 *
 * Functions return 0 or a negative error, or a pointer that may be NULL.
 * Locks, outermost first: store, mailbox, space, cache, buddy, sched, console.
 */
#pragma once

#include "layout.h"
#include "types.h"

#define csr_read(csr)                                                                                        \
	({                                                                                                   \
		u64 value_;                                                                                  \
		asm volatile("csrr %0, " #csr : "=r"(value_) : : "memory");                                  \
		value_;                                                                                      \
	})
#define csr_write(csr, value) asm volatile("csrw " #csr ", %0" : : "r"((u64)(value)) : "memory")
#define csr_set(csr, bits) asm volatile("csrs " #csr ", %0" : : "r"((u64)(bits)) : "memory")
#define csr_clear(csr, bits) asm volatile("csrc " #csr ", %0" : : "r"((u64)(bits)) : "memory")

#define SSTATUS_SIE (1UL << 1)
#define SSTATUS_SUM (1UL << 18)
#define SIE_STIE (1UL << 5)

/* ---- sbi.c ---- */

void sbi_console_init(void);
void sbi_console_write(const char *bytes, u64 size);
void sbi_set_timer(u64 when);
void sbi_start_harts(u64 but);
void sbi_shutdown(bool failed) __attribute__((noreturn));

/* ---- print.c ---- */

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *why) __attribute__((noreturn));
void *memset(void *to, int value, u64 size);
void *memcpy(void *to, const void *from, u64 size);
bool string_equal(const char *a, const char *b);

extern bool truth_armed;

void truth_of(const char *what, u64 address, const char *function);
#define truth(what, address) truth_of(what, (u64)(address), __func__)

/* ---- lock.c ---- */

struct lock {
	u32 held;
	u32 hart; /* whose it is, + 1 */
};

void lock_acquire(struct lock *lock); /* interrupts stay off until the last release */
void lock_release(struct lock *lock);

/* ---- page.c, buddy.c ---- */

#define POISON 0xd6 /* in free pages and free objects */
#define MAX_ORDER 9 /* 2 MiB */

#define PG_RESERVED 0x1 /* never free: the kernel, or not there */
#define PG_FREE 0x2     /* head of a free block of 1 << order pages */
#define PG_SLAB 0x4
#define PG_TABLE 0x8 /* of translation */

struct cache;

/* One for each page of RAM. What is said of a block is in its first page. */
struct page {
	u32 flags;
	s32 refcount;
	u16 order;
	u16 inuse; /* PG_SLAB: objects */
	u32 pad;
	struct list node; /* free: in its order's list; PG_SLAB: in the cache's */
	struct cache *cache;
	void *objects; /* PG_SLAB: first free one */
};

#if PAGES_STATIC
extern struct page pages[NR_PFNS];
#else
extern struct page *pages;
#endif

static inline u64 page_index(const struct page *page)
{
	return (u64)(page - pages);
}

static inline u64 page_pa(const struct page *page)
{
	return RAM_BASE + (page_index(page) << PAGE_SHIFT);
}

static inline void *page_va(const struct page *page)
{
	return (void *)(page_pa(page) + LINEAR_OFFSET);
}

static inline struct page *page_of_pa(u64 pa)
{
	return &pages[(pa - RAM_BASE) >> PAGE_SHIFT];
}

static inline struct page *page_of_va(const void *va)
{
	return page_of_pa((u64)va - LINEAR_OFFSET);
}

void page_init(u64 first_free_pa);
struct page *page_alloc(u32 order);   /* one reference; contents are junk */
struct page *page_alloc_zeroed(void); /* one page */
void page_get(struct page *page);
void page_put(struct page *page);
void buddy_init(void);
struct page *buddy_take(u32 order);
void buddy_give(struct page *page, u32 order);
u64 buddy_free_pages(void);

/* ---- slab.c ---- */

struct cache {
	const char *name;
	u32 size;
	u32 per_slab;
	struct lock lock;
	struct list partial, full; /* of struct page */
	u64 nr_objects;
};

void cache_init(struct cache *cache, const char *name, u32 size);
void *object_alloc(struct cache *cache); /* zeroed */
void object_free(struct cache *cache, void *object);

/* ---- table.c ---- */

#define PTE_V 0x01UL
#define PTE_R 0x02UL
#define PTE_W 0x04UL
#define PTE_X 0x08UL
#define PTE_U 0x10UL
#define PTE_A 0x40UL
#define PTE_D 0x80UL
#define PTE_SHARED 0x100UL /* software: to be copied before it is written */
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)

typedef u64 pte_t;

static inline struct page *pte_page(pte_t pte)
{
	return page_of_pa(pte >> 10 << PAGE_SHIFT);
}

static inline pte_t pte_make(const struct page *page, u64 flags)
{
	return page_pa(page) >> PAGE_SHIFT << 10 | flags | PTE_V;
}

extern pte_t *kernel_root;

void table_init(void);
pte_t *table_create(void);
void table_destroy(pte_t *root);
void table_use(const pte_t *root);
pte_t *table_entry(pte_t *root, u64 va, bool make);
void pte_set(pte_t *pte, pte_t value);

/* ---- space.c ---- */

#define SPACE_END (1UL << 38)

struct region {
	struct list node;
	u64 start, nr_pages;
	bool writable;
};

struct space {
	struct lock lock;
	pte_t *root;
	struct list regions;
};

void space_init(void);
struct space *space_create(void);
struct space *space_clone(struct space *from); /* shares all pages */
void space_destroy(struct space *space);
int space_map(struct space *space, u64 start, u64 nr_pages, bool writable);
int space_unmap(struct space *space, u64 start);
int space_fault(struct space *space, u64 va, bool write);

/* ---- sched.c ---- */

struct context {
	u64 ra, sp, s[12];
};

enum task_state { TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_DEAD };

struct task {
	enum task_state state;
	u32 id;
	struct list all, queue; /* queue: ready, or waiting */
	struct context context;
	struct page *stack;
	struct space *space; /* or NULL */
	void (*function)(void *argument);
	void *argument;
};

struct waiters {
	struct list tasks;
};

struct hart {
	struct task *task; /* or NULL: it idles */
	struct context idle;
	u32 depth; /* of locks */
	bool interrupts_were_on;
};

extern struct hart harts[MAX_HARTS];

struct hart *this_hart(void);
struct task *this_task(void);
void task_entry(void); /* trap_entry.S, goes on in */
void task_begin(void);
void sched_init(void);
void sched_loop(void) __attribute__((noreturn));
struct task *task_start(void (*function)(void *), void *argument, struct space *space);
void task_join(struct task *task); /* waits for its end, and frees it */
void task_yield(void);
void waiters_init(struct waiters *waiters);
void wait_for(struct waiters *waiters, struct lock *lock);
void wake(struct waiters *waiters);
void context_switch(struct context *from, struct context *to);

/* ---- trap.c ---- */

void trap_init(void);

/* ---- mailbox.c ---- */

struct mailbox {
	struct lock lock;
	struct list messages;
	struct waiters readers;
	u32 nr_messages;
};

void mailbox_init(struct mailbox *mailbox);
int mailbox_send(struct mailbox *mailbox, struct page *page, u64 value);
struct page *mailbox_receive(struct mailbox *mailbox, u64 *value); /* with the message's reference */
void mailbox_caches_init(void);

/* ---- store.c ---- */

void store_init(void);
int store_add(u64 key, u64 value);
int store_read(u64 key, u64 *value);
void store_evict(u64 key);

/* ---- main.c ---- */

void machine_idle(void);

/* ---- tests.c ---- */

int tests_run(void); /* how many failed */
void tests_last_steps(void);
extern struct space *kept, *given; /* by them */
