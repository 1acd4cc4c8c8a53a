/* SPDX-License-Identifier: MIT */
/*
 * Tests of the kernel from inside, in the first task. Each prints
 *
 *     test NAME: OK
 *
 * or FAILED with the line. At the end as many pages must be free as before the first.
 */
#include "kernel.h"

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			return __LINE__;                                                                     \
	} while (0)

#define VA 0x100000UL /* where the tests map something */
#define word_at(va) (*(volatile u64 *)(va))

static int test_buddy(void)
{
	struct page *blocks[MAX_ORDER + 1];
	u64 before = buddy_free_pages();

	for (u32 order = 0; order <= MAX_ORDER; order++) {
		blocks[order] = page_alloc(order);
		CHECK(blocks[order] && page_index(blocks[order]) % (1UL << order) == 0);
	}
	CHECK(buddy_free_pages() == before - (2UL << MAX_ORDER) + 1);
	for (u32 order = 0; order <= MAX_ORDER; order++)
		page_put(blocks[order]);
	CHECK(buddy_free_pages() == before);
	return 0;
}

/* A buffer of eight pages, freed by somebody who thinks that it is one. */
static void buffer_free(struct page *buffer)
{
	if (MISTAKEN(buffer_freed_as_page)) {
		for (u32 i = 1; i < 8; i++)
			truth("leak", page_pa(buffer + i));
		buffer->order = 0;
	}
	page_put(buffer);
}

static int test_buffer(void)
{
	struct page *buffer = page_alloc(3);

	CHECK(buffer);
	memset(page_va(buffer), 1, 8 * PAGE_SIZE);
	buffer_free(buffer);
	return 0;
}

static int test_references(void)
{
	struct page *page = page_alloc(0);
	u64 before = buddy_free_pages();

	CHECK(page && page->refcount == 1);
	page_get(page);
	page_get(page);
	page_put(page);
	page_put(page);
	CHECK(buddy_free_pages() == before);
	page_put(page);
	CHECK(buddy_free_pages() == before + 1);
	return 0;
}

static struct cache things;

static int test_slab(void)
{
	void *objects[100];
	u64 before = buddy_free_pages();

	cache_init(&things, "thing", 192);
	for (u32 i = 0; i < NELEM(objects); i++) {
		objects[i] = object_alloc(&things);
		CHECK(objects[i] && *(u64 *)objects[i] == 0);
		*(u64 *)objects[i] = i;
	}
	CHECK(buddy_free_pages() == before - 5); /* 21 in each page */
	for (u32 i = 0; i < NELEM(objects); i++) {
		CHECK(*(u64 *)objects[i] == i);
		object_free(&things, objects[i]);
	}
	CHECK(things.nr_objects == 0);
	return 0;
}

static int test_store(void)
{
	u64 value;

	for (u64 key = 0; key < 40; key++)
		CHECK(store_add(key, key * key) == 0);
	CHECK(store_add(7, 0) == -EEXIST);
	for (u64 key = 0; key < 40; key += 3)
		CHECK(store_read(key, &value) == 0 && value == key * key);
	CHECK(store_read(100, &value) == -ENOENT);
	for (u64 key = 0; key < 40; key++)
		store_evict(key);
	CHECK(store_read(6, &value) == -ENOENT);
	return 0;
}

struct exchange {
	struct mailbox there, back;
	u32 nr;
	int failed;
};

/* Answers each page with one of its own. */
static void answer(void *argument)
{
	struct exchange *exchange = argument;

	for (u32 i = 0; i < exchange->nr; i++) {
		u64 value;
		struct page *page = mailbox_receive(&exchange->there, &value), *reply = page_alloc_zeroed();

		if (!reply || *(u64 *)page_va(page) != value) {
			exchange->failed = 1;
			reply = reply ? reply : page;
		}
		*(u64 *)page_va(reply) = value + 1;
		mailbox_send(&exchange->back, reply, value + 1);
		if (reply != page)
			page_put(reply);
		page_put(page);
	}
}

static int test_mailbox(void)
{
	static struct exchange exchange;
	struct task *task;

	exchange.nr = 50;
	exchange.failed = 0;
	mailbox_init(&exchange.there);
	mailbox_init(&exchange.back);
	task = task_start(answer, &exchange, NULL);
	CHECK(task);
	for (u64 i = 0; i < 50; i++) {
		struct page *page = page_alloc_zeroed();
		u64 value;

		CHECK(page);
		*(u64 *)page_va(page) = i;
		CHECK(mailbox_send(&exchange.there, page, i) == 0);
		page_put(page);
		page = mailbox_receive(&exchange.back, &value);
		CHECK(value == i + 1 && *(u64 *)page_va(page) == i + 1);
		page_put(page);
	}
	task_join(task);
	return exchange.failed;
}

/* Runs in a space: writes and reads back. */
static void write_pages(void *argument)
{
	for (u64 i = 0; i < 20; i++)
		word_at(VA + i * PAGE_SIZE) = i + (u64)argument;
	for (u64 i = 0; i < 20; i++)
		if (word_at(VA + i * PAGE_SIZE) != i + (u64)argument)
			panic("a space has other contents");
}

static int test_space(void)
{
	struct space *space = space_create();
	struct task *task;

	CHECK(space && space_map(space, VA, 20, true) == 0);
	CHECK(space_map(space, VA + PAGE_SIZE, 1, true) == -EEXIST);
	CHECK(space_map(space, VA << 12, 3, false) == 0);
	task = task_start(write_pages, (void *)5, space);
	CHECK(task);
	task_join(task);
	CHECK(space_fault(space, VA << 12, false) == 0);
	CHECK(space_fault(space, VA << 12, true) == -EFAULT);
	CHECK(space_fault(space, 1UL << 37, false) == -EFAULT);
	CHECK(space_unmap(space, VA) == 0 && space_unmap(space, VA) == -ENOENT);
	space_destroy(space);
	return 0;
}

static int test_clone(void)
{
	struct space *spaces[4];
	struct task *running[4];

	spaces[0] = space_create();
	CHECK(spaces[0] && space_map(spaces[0], VA, 30, true) == 0);
	for (u64 i = 10; i < 30; i++)
		CHECK(space_fault(spaces[0], VA + i * PAGE_SIZE, true) == 0);
	for (u32 i = 1; i < 4; i++) {
		spaces[i] = space_clone(spaces[i - 1]);
		CHECK(spaces[i]);
	}
	for (u64 i = 0; i < 4; i++) {
		running[i] = task_start(write_pages, (void *)(i * 100), spaces[i]);
		CHECK(running[i]);
	}
	for (u32 i = 0; i < 4; i++)
		task_join(running[i]);
	for (u32 i = 0; i < 4; i++)
		space_destroy(spaces[i]);
	return 0;
}

static int test_empty_space(void)
{
	struct space *space = space_create();

	CHECK(space);
	space_destroy(space);
	return 0;
}

/* All memory, then less and less of it. */
static int test_memory(void)
{
	struct list taken;
	struct page *page;
	u64 before = buddy_free_pages(), n = 0;

	list_init(&taken);
	while ((page = page_alloc(0)) != NULL) {
		list_add(&taken, &page->node);
		n++;
	}
	CHECK(n == before && !space_create() && !task_start(write_pages, NULL, NULL));
	CHECK(store_add(1, 1) == -ENOMEM);
	while (!list_empty(&taken)) {
		page = container_of(taken.next, struct page, node);
		list_del(&page->node);
		page_put(page);
	}
	CHECK(buddy_free_pages() == before);
	return 0;
}

static void work(void *argument)
{
	u64 first = 1000 * (u64)argument, value;

	for (u64 i = 0; i < 60; i++) {
		struct space *space = space_create();
		struct space *clone;

		space_map(space, VA, 4, true);
		space_fault(space, VA + i % 4 * PAGE_SIZE, true);
		clone = space_clone(space);
		space_fault(clone, VA + i % 4 * PAGE_SIZE, true);
		store_add(first + i, i);
		if (store_read(first + i, &value) || value != i)
			panic("the store lost something");
		space_destroy(i % 2 ? space : clone);
		space_destroy(i % 2 ? clone : space);
		if (i % 10 == 9)
			task_yield();
	}
	for (u64 i = 0; i < 60; i++)
		store_evict(first + i);
}

static int test_parallel(void)
{
	struct task *tasks[6];

	for (u64 i = 0; i < NELEM(tasks); i++) {
		tasks[i] = task_start(work, (void *)(i + 1), NULL);
		CHECK(tasks[i]);
	}
	for (u64 i = 0; i < NELEM(tasks); i++)
		task_join(tasks[i]);
	return 0;
}

static const struct {
	const char *name;
	int (*function)(void);
} tests[] = {
    {"buddy", test_buddy},   {"buffer", test_buffer},     {"references", test_references},
    {"slab", test_slab},     {"store", test_store},       {"mailbox", test_mailbox},
    {"space", test_space},   {"clone", test_clone},       {"empty", test_empty_space},
    {"memory", test_memory}, {"parallel", test_parallel},
};

int tests_run(void)
{
	u64 before = buddy_free_pages(), after;
	int failed = 0;

	for (u32 i = 0; i < NELEM(tests); i++) {
		int line;

		print("test %s: ", tests[i].name);
		line = tests[i].function();
		if (line)
			print("failed: line %d ", line);
		print("%s\n", line ? "FAILED" : "OK");
		failed += line != 0;
	}
	after = buddy_free_pages();
	print("free pages: %lu before, %lu after\n", before, after);
	if (after < before)
		print("lost some free pages %lu (out of %lu)\n", before - after, before);
	failed += after != before;
	print(failed ? "SOME TESTS FAILED\n" : "ALL TESTS PASSED\n");
	return failed;
}

/* What tests_last_steps() leaves mapped. */
struct space *kept, *given;

/* Where the armed mistakes show. What is left here is still there when the machine stops. */
void tests_last_steps(void)
{
	struct space *clone;

	kept = space_create();
	given = space_create();
	space_map(kept, VA, 4, true);
	space_map(given, VA, 2, true);
	for (u64 i = 0; i < 3; i++)
		space_fault(kept, VA + i * PAGE_SIZE, true);
	space_fault(given, VA, true);
	store_add(1, 1);
	truth_armed = true;
	clone = space_clone(kept);
	space_destroy(clone);
	store_evict(1);
	space_unmap(given, VA);
}
