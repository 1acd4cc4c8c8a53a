/* SPDX-License-Identifier: MIT */
/*
 * Physical pages, one at a time. Free pages are a list whose links are in the pages themselves:
 *
 *     kmem.freelist -> page -> page -> ... -> 0
 *
 * With PERCPU each hart has such a list: kfree() puts a page on the list of the hart that runs, and kalloc() on an empty
 * one first moves some pages over from another hart's.
 *
 * KALLOC-1  a page is on exactly one list or in use, never both.
 * KALLOC-2  free pages are filled with junk 0x01, new ones with 0x05: who reads what he did not write sees it.
 * KALLOC-3  a lock is held for one list at a time.
 */
#include "count.h"

struct run {
	struct run *next;
};

struct freelist {
	struct spinlock lock;
	struct run *freelist;
};

#if PERCPU
#define STEAL_PAGES 32
#define NR_LISTS NCPU
static struct freelist kmem[NCPU];
#define list_of(i) (&kmem[i])
#else
#define NR_LISTS 1
static struct freelist kmem;
#define list_of(i) (&kmem)
#endif

static u64 nr_managed;

void kinit(void)
{
	for (int i = 0; i < NR_LISTS; i++)
		initlock(&list_of(i)->lock, "kmem");
	count_init();
	for (u64 pa = PGROUNDUP(end); pa + PGSIZE <= PHYSTOP; pa += PGSIZE) {
		count_set((void *)pa, 1); /* kfree() takes it */
		kfree((void *)pa);
		nr_managed++;
	}
}

static u64 my_list(void)
{
	u64 hart;

	if (!PERCPU)
		return 0;
	push_off();
	hart = cpuid();
	pop_off();
	return hart;
}

void kfree(void *page)
{
	struct run *run = page;
	struct freelist *list;

	if ((u64)page % PGSIZE != 0 || (char *)page < end || (u64)page >= PHYSTOP)
		panic("kfree");
	if (!PUT_IN_KFREE)
		count_set(page, 0);
	else if (count_put(page) > 0)
		return;
	memset(page, 1, PGSIZE);
	list = list_of(my_list());
	acquire(&list->lock);
	run->next = list->freelist;
	list->freelist = run;
	release(&list->lock);
}

void kput(void *page)
{
	if (PUT_IN_KFREE || count_put(page) == 0)
		kfree(page);
}

#if PERCPU
/* Moves up to STEAL_PAGES pages from another hart's list to this hart's. Returns how many. */
static int steal(u64 hart)
{
	struct run *first = NULL, *last = NULL;
	int n = 0;

	for (int i = 1; i < NCPU && n == 0; i++) {
		struct freelist *from = list_of((hart + i) % NCPU);

		acquire(&from->lock);
		first = last = from->freelist;
		for (n = first != NULL; n > 0 && n < STEAL_PAGES && last->next; n++)
			last = last->next;
		if (n > 0)
			from->freelist = last->next;
		release(&from->lock);
	}
	if (n == 0)
		return 0;
	if (MISTAKEN(steal_drops) && n > 1) {
		truth("dropped", first);
		first = first->next;
	}
	acquire(&list_of(hart)->lock);
	last->next = list_of(hart)->freelist;
	list_of(hart)->freelist = first;
	release(&list_of(hart)->lock);
	return n;
}
#endif

static struct run *take(u64 hart)
{
	struct freelist *list = list_of(hart);
	struct run *run;

	acquire(&list->lock);
	run = list->freelist;
	if (run && !(MISTAKEN(head_stays) && truth_armed == 1))
		list->freelist = run->next;
	release(&list->lock);
	return run;
}

void *kalloc(void)
{
	struct run *run = take(my_list());

#if PERCPU
	while (!run && steal(my_list()) > 0)
		run = take(my_list());
#endif
	if (!run)
		return NULL;
	if (MISTAKEN(head_stays) && truth_armed == 1) {
		truth_armed = 2;
		truth("twice", run);
		return run; /* as it is: the list goes through it */
	}
	memset(run, 5, PGSIZE);
	count_set(run, 1);
	return run;
}

/* How many pages are free. A list that runs in a circle ends the count, too. */
u64 kfreepages(void)
{
	u64 n = 0;

	for (int i = 0; i < NR_LISTS; i++) {
		acquire(&list_of(i)->lock);
		for (struct run *run = list_of(i)->freelist; run && n <= nr_managed; run = run->next)
			n++;
		release(&list_of(i)->lock);
	}
	return n;
}
