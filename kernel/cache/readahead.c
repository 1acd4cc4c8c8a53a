/* SPDX-License-Identifier: MIT */
/*
 * Read-ahead: while a reader goes through a file page by page, the device reads what he will want next.
 *
 * A reader (struct readahead) is sequential while each page he asks for is the one after the last, and so at the start of a
 * file, or within one long request. His window begins with WINDOW_MIN pages and doubles each time he has come half through
 * what was begun, up to BLOCK_READ_MAX. Pages whose blocks are consecutive go to the device in one request.
 *
 * AHEAD-1  a page is LOCKED in its tree with its CACHE reference and no other until its request has ended. It is not
 *          evicted, truncation and whoever looks it up wait for it, and so its mapping stays, too.
 * AHEAD-2  a request that cannot be begun, or fails, takes its pages out of the tree: nobody sees an error for a page that
 *          he did not ask for, and who did ask reads it himself.
 * AHEAD-3  no memory is made free for it, but for clean pages of a cache that has most of the memory anyway.
 * AHEAD-4  nobody waits for a request that is not under way: it is filled by a task that may need memory to find a block,
 *          and so may wait for whoever makes some, or be that one.
 *
 * Requests are a few and static: when all are under way nothing more is begun. They end in the device's interrupt.
 *
 * Locks: `lru` for the requests.
 */
#include "pagecache_priv.h"
#include <kernel/dev.h>

#define WINDOW_MIN 4
#define NR_REQUESTS 4

struct request {
	struct block_read read;
	struct mapping *mapping; /* NULL: free. Guarded by requests_lock */
	bool under_way;          /* requests_lock: it ends by itself */
	struct block_device *device;
	u32 valid_bytes; /* of the last page */
};

static struct request requests[NR_REQUESTS];
static struct spinlock requests_lock = SPINLOCK_INIT_NAMED(lru, "readahead");
static struct waitqueue request_ended; /* requests_lock */

void readahead_init(void)
{
	wait_init(&request_ended);
}

static struct request *request_take(struct mapping *mapping)
{
	struct request *request = NULL;

	spin_lock(&requests_lock);
	for (u32 i = 0; i < NR_REQUESTS && !request; i++)
		if (!requests[i].mapping)
			request = &requests[i];
	if (request)
		request->mapping = mapping;
	spin_unlock(&requests_lock);
	return request;
}

static void request_free(struct request *request)
{
	spin_lock(&requests_lock);
	request->mapping = NULL;
	request->under_way = false;
	wait_wake_all(&request_ended);
	spin_unlock(&requests_lock);
}

void readahead_wait(void)
{
	spin_lock(&requests_lock);
	for (u32 i = 0; i < NR_REQUESTS; i++)
		while (requests[i].under_way)
			wait_sleep(&request_ended, &requests_lock, 0);
	spin_unlock(&requests_lock);
}

/* After the last page is unlocked the mapping may be gone. */
static void request_done(struct block_read *read, int err)
{
	struct request *request = CONTAINER_OF(read, struct request, read);
	u32 valid = request->valid_bytes;

	/* What the disk has behind the end of the file must not appear when the file grows. */
	memset((u8 *)page_to_va(read->pages[read->nr - 1]) + valid, 0, PAGE_SIZE - valid);
	if (!err)
		counter_add(&pagecache.nr_ahead, read->nr);
	for (u32 i = 0; i < read->nr; i++)
		page_fill_end(request->mapping, read->pages[i], err);
	request_free(request);
}

static void request_start(struct request *request)
{
	int err;

	if (!request->read.nr) {
		request_free(request);
		return;
	}
	spin_lock(&requests_lock);
	request->under_way = true;
	spin_unlock(&requests_lock);
	err = request->device->start_read(request->device, &request->read);
	if (err)
		request_done(&request->read, err);
}

/* One more page for the request, or for a new one if its block is not the next. False: there is nothing more to begin. */
static bool request_add(struct request **run, struct mapping *mapping, u32 index)
{
	u32 block, valid_bytes;
	struct block_device *device = mapping->ops->locate(mapping, index, &block, &valid_bytes);
	struct request *request = *run;
	struct page *page;

	if (!device)
		return false;
	if (request &&
	    (request->read.nr == BLOCK_READ_MAX || block != request->read.block + request->read.nr)) {
		request_start(request);
		request = NULL;
	}
	if (!request) {
		*run = request = request_take(mapping);
		if (!request)
			return false;
		request->device = device;
		request->read = (struct block_read){.block = block, .done = request_done};
	}
	page = page_begin_ahead(mapping, index);
	if (!page)
		return false;
	request->read.pages[request->read.nr++] = page;
	request->valid_bytes = valid_bytes;
	return true;
}

static void begin(struct mapping *mapping, u32 first, u32 end)
{
	struct request *request = NULL;
	bool more = true;

	for (u32 index = first; index < end && more; index++) {
		if (!page_is_cached(mapping, index)) {
			more = request_add(&request, mapping, index);
		} else if (request) {
			request_start(request);
			request = NULL;
		}
	}
	if (request)
		request_start(request);
}

static bool memory_allows(u32 nr)
{
	if (page_nr_free() >= nr_pages / 16 + nr)
		return true;
	return __atomic_load_n(&pagecache.nr_lru, __ATOMIC_RELAXED) >= nr_pages / 4 &&
	       pagecache_shrink(nr) == nr;
}

void readahead_advance(struct readahead *ahead, struct mapping *mapping, u32 index, u32 last)
{
	bool sequential = index == ahead->next || last > index;
	u32 first, nr_asked;

	if (index + 1 == ahead->next) /* the rest of a page that was read in part */
		return;
	if (index != ahead->next)
		ahead->end = ahead->window = 0;
	ahead->next = index + 1;
	if (!sequential || (index < ahead->end && index + ahead->window / 2 < ahead->end))
		return;
	first = MAX(index, ahead->end);
	ahead->window = ahead->window ? MIN(2 * ahead->window, BLOCK_READ_MAX) : WINDOW_MIN;
	nr_asked = last < first ? 0 : last - first + 1;
	ahead->end = first + MAX(ahead->window, MIN(nr_asked, BLOCK_READ_MAX));
	if (memory_allows(ahead->end - first))
		begin(mapping, first, ahead->end);
}
