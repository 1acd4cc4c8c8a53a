/* SPDX-License-Identifier: MIT */
/* page_lives: see page_lives.h. */
#include "page_lives.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"

#define DIRTY 0x80000000U
#define PAGES_OF_BLOCK_MAX 15U /* orders */

void page_lives_begin(struct page_lives *lives, const struct run *run, uint32_t nr_instants)
{
	uint64_t end;

	*lives = (struct page_lives){.nr_instants = nr_instants};
	run_span(run, &lives->first, &end);
	lives->step = (end - lives->first) / nr_instants + 1;
	lives->next = lives->first + lives->step;
}

/* ---- noting ---- */

static void note(struct page_lives *lives, const struct model *model, uint32_t index)
{
	uint32_t pfn = model_first_pfn(model) + index;
	const struct page_state *page = model_page(model, pfn);

	lives->current[index] &= ~DIRTY;
	if (page->life != LIFE_LIVE || lives->current[index])
		return;
	const struct page_ref *ref = model_refs(model, page), *first = ref;
	for (; ref; ref = model_next_ref(model, ref))
		first = ref->early_put ? first : ref; /* the newest comes first */
	ARRAY_PUSH(lives->all, lives->nr, lives->capacity) =
	    (struct page_life_span){.begin = page->alloc_time,
				    .pfn = pfn,
				    .stack = page->alloc_stack,
				    .index = first ? first->index : 0,
				    .holder = first ? first->holder : 0,
				    .pid = page->alloc_pid,
				    .order = page->order,
				    .kind = page->kind,
				    .ref = first ? first->ref : REF_NONE};
	lives->current[index] = (uint32_t)lives->nr;
}

/* Drops the short ones that are over, and looks half as often. */
static void thin(struct page_lives *lives, const struct model *model)
{
	size_t kept = 0;

	lives->step *= 2;
	for (size_t i = 0; i < lives->nr; i++) {
		struct page_life_span *life = &lives->all[i];
		if (life->end && life->end - life->begin < lives->step)
			continue;
		lives->all[kept++] = *life;
		if (!lives->all[kept - 1].end)
			lives->current[lives->all[kept - 1].pfn - model_first_pfn(model)] = (uint32_t)kept;
	}
	lives->nr = kept;
}

static void look(struct page_lives *lives, const struct model *model)
{
	for (size_t i = 0; i < lives->nr_dirty; i++)
		note(lives, model, lives->dirty[i]);
	lives->nr_dirty = 0;
	if (lives->nr > LIVES_MAX)
		thin(lives, model);
}

void page_lives_event(void *arg, const struct model *model, const struct trace_record *record,
		      uint32_t stream)
{
	struct page_lives *lives = arg;

	if (record->event != EV_page_alloc && record->event != EV_page_free && record->event != EV_page_kind)
		return;
	uint32_t index = record->payload.ev_payload_page_alloc.pfn - model_first_pfn(model);
	if (index >= model_nr_pages(model))
		return;
	if (!lives->current)
		lives->current = xcalloc(model_nr_pages(model), sizeof(*lives->current));
	uint32_t *current = &lives->current[index], number = *current & ~DIRTY;
	if (number && record->event != EV_page_kind) {
		lives->all[number - 1].end = record->time;
		*current &= DIRTY;
	}
	if (!(*current & DIRTY)) {
		*current |= DIRTY;
		ARRAY_PUSH(lives->dirty, lives->nr_dirty, lives->dirty_capacity) = index;
	}
	if (record->time >= lives->next) {
		look(lives, model);
		lives->next = record->time + lives->step;
	}
}

static int compare_lives(const void *a, const void *b)
{
	const struct page_life_span *left = a, *right = b;

	if (left->pfn != right->pfn)
		return left->pfn < right->pfn ? -1 : 1;
	return left->begin < right->begin ? -1 : left->begin > right->begin;
}

void page_lives_end(struct page_lives *lives, const struct model *model)
{
	if (lives->current)
		look(lives, model);
	/* A block that was freed in parts was not told of as a whole. */
	for (size_t i = 0; i < lives->nr; i++) {
		const struct page_state *page = model_page(model, lives->all[i].pfn);
		if (!lives->all[i].end &&
		    (page->life != LIFE_LIVE || page->alloc_time != lives->all[i].begin))
			lives->all[i].end = page->last_time;
	}
	if (lives->nr)
		qsort(lives->all, lives->nr, sizeof(*lives->all), compare_lives);
}

void page_lives_free(struct page_lives *lives)
{
	for (size_t i = 0; i < lives->nr; i++)
		free(lives->all[i].records);
	free(lives->all);
	free(lives->current);
	free(lives->dirty);
	*lives = (struct page_lives){0};
}

/* ---- finding ---- */

/* Position of the last life of pfn that had begun by then; lives->nr: none. */
static size_t find_head(const struct page_lives *lives, uint32_t pfn, uint64_t time)
{
	size_t low = 0, high = lives->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct page_life_span *life = &lives->all[middle];
		if (life->pfn < pfn || (life->pfn == pfn && life->begin <= time))
			low = middle + 1;
		else
			high = middle;
	}
	return low && lives->all[low - 1].pfn == pfn ? low - 1 : lives->nr;
}

struct page_life_span *page_lives_find(const struct page_lives *lives, uint32_t pfn, uint64_t time)
{
	for (uint32_t order = 0; order <= PAGES_OF_BLOCK_MAX; order++) {
		uint32_t head = pfn & ~((1U << order) - 1);
		if (order && head == (pfn & ~((1U << (order - 1)) - 1)))
			continue;
		size_t at = find_head(lives, head, time);
		struct page_life_span *life = at < lives->nr ? &lives->all[at] : NULL;
		if (life && (!life->end || time < life->end) && (pfn - head) >> life->order == 0)
			return life;
	}
	return NULL;
}

/* ---- their events ---- */

static void read_record(struct page_lives *lives, const struct trace_record *record, const bool *chosen,
			size_t *left)
{
	size_t at = find_head(lives, record->payload.ev_payload_page_alloc.pfn, record->time);

	if (at == lives->nr || !chosen[at])
		return;
	struct page_life_span *life = &lives->all[at];
	if (life->end && record->time > life->end)
		return;
	if (life->nr == LIFE_RECORDS_MAX || !*left) {
		life->nr_left_out++;
		return;
	}
	--*left;
	ARRAY_PUSH(life->records, life->nr, life->capacity) = *record;
}

/* By time; of equal times the one that fits the count goes first, as harts write their records a little late. */
static void order_records(struct page_life_span *life)
{
	for (size_t i = 1; i < life->nr; i++) {
		struct trace_record record = life->records[i];
		size_t to = i;
		for (; to && life->records[to - 1].time > record.time; to--)
			life->records[to] = life->records[to - 1];
		life->records[to] = record;
	}
	for (size_t i = 0; i + 1 < life->nr; i++) {
		struct trace_record *one = &life->records[i], *next = one + 1, swapped = *one;
		uint16_t count = i ? life->records[i - 1].payload.ev_payload_page_alloc.after : 0;
		if (one->time == next->time && event_is_page(one->event) && event_is_page(next->event) &&
		    one->payload.ev_payload_page_alloc.before != count &&
		    next->payload.ev_payload_page_alloc.before == count) {
			*one = *next;
			*next = swapped;
		}
	}
}

struct reader {
	struct page_lives *lives;
	const bool *chosen, *pages; /* pages: of which frames a life was chosen */
	uint32_t first_pfn, nr_pages;
	size_t left; /* records that may still be kept */
};

/*
 * Packet by packet into one buffer: the replay has mapped the file and let it go again, and to map all of it once more takes longer
 * than to copy it.
 */
static void read_stream(const struct stream *stream, struct reader *reader)
{
	const char *fault;
	size_t file_bytes;
	int fd = stream->nr_packets ? file_open_regular(stream->path, UINT64_MAX, &file_bytes, &fault) : -1;
	struct trace_record *records = NULL;
	size_t room = 0;

	for (size_t p = 0; fd >= 0 && p < stream->nr_packets; p++) {
		const struct packet *packet = &stream->packets[p];
		size_t bytes = packet->nr_records * sizeof(*records);
		if (bytes > room)
			records = xrealloc(records, room = bytes);
		ssize_t got =
		    pread(fd, records, bytes, (off_t)(packet->offset + sizeof(struct trace_packet_header)));
		for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(*records); i++) {
			uint32_t index = records[i].payload.ev_payload_page_alloc.pfn - reader->first_pfn;
			if ((event_is_page(records[i].event) || event_is_about_page(records[i].event)) &&
			    index < reader->nr_pages && reader->pages[index])
				read_record(reader->lives, &records[i], reader->chosen, &reader->left);
		}
	}
	free(records);
	if (fd >= 0)
		close(fd);
}

void page_lives_read(struct page_lives *lives, struct run *run, const struct model *model, const bool *chosen,
		     size_t most)
{
	if (!lives->nr)
		return;
	uint32_t nr_pages = lives->all[lives->nr - 1].pfn - model_first_pfn(model) + 1;
	bool *pages = xcalloc(nr_pages, sizeof(*pages));
	for (size_t i = 0; i < lives->nr; i++)
		pages[lives->all[i].pfn - model_first_pfn(model)] |= chosen[i];
	struct reader reader = {lives, chosen, pages, model_first_pfn(model), nr_pages, most};
	for (uint32_t s = 0; s < run->nr_streams; s++)
		read_stream(&run->streams[s], &reader);
	free(pages);
	for (size_t i = 0; i < lives->nr; i++)
		order_records(&lives->all[i]);
}
