/* model: the replay. See model.h. */
#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "model_priv.h"

/* 16 GiB of RAM: address space only, touched where pages are. */
#define PAGES_MAX (4U << 20)
#define HOLDERS_NR 65536
#define INCIDENTS_KEPT 256

static void *reserve(size_t bytes)
{
	void *where =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (where == MAP_FAILED)
		die("out of memory (%zu bytes)", bytes);
	return where;
}

static void copy_name(char *to, const char *from, size_t bytes)
{
	size_t length = strnlen(from, bytes);

	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 32 && from[i] < 127 ? from[i] : '?';
	to[length] = 0;
}

/* ---- objects ---- */

static void object_event(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_object *event = &record->payload.ev_payload_obj_alloc;
	struct cache_state *cache = &model->caches[event->cache];
	struct object_state *object =
	    model_object(model, event->obj) ? objects_find(model, event->obj) : NULL;

	if (!event->obj)
		return;
	if (object) {
		struct site *site = &model->sites[stack_index(model, object->stack)];
		if (record->event == EV_obj_free) {
			settled_count(model, object->stack, object->stack, record->stack,
				      SETTLED_OBJECT(object->cache));
			site->object_frees++;
			site->object_ticks += record->time - object->time;
		}
		site->objects_live--;
		model->caches[object->cache].live--;
		objects_remove(model, object);
	}
	if (record->event == EV_obj_free) {
		cache->frees++;
		return;
	}
	object = objects_insert(model, event->obj);
	*object = (struct object_state){.obj = event->obj,
					.stack = record->stack,
					.time = record->time,
					.index = event->index,
					.holder = event->holder,
					.cache = event->cache,
					.pid = event->pid};
	struct site *site = &model->sites[stack_index(model, record->stack)];
	cache->allocs++;
	cache->live++;
	site->object_allocs++;
	if (++site->objects_live > site->objects_peak)
		site->objects_peak = site->objects_live;
}

/* ---- processes, address spaces, inodes ---- */

static void born(struct holder_life *life, uint64_t time)
{
	life->alive = life->seen = true;
	life->born = time;
}

static void died(struct holder_life *life, const struct trace_record *record)
{
	life->alive = false;
	life->seen = true;
	life->died = record->time;
	life->end_stack = record->stack;
}

static void task_event(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_task *event = &record->payload.ev_payload_task_fork;
	struct holder_life *pid = &model->pids[event->pid], *mm = &model->mms[event->mm];

	switch (record->event) {
	case EV_task_fork:
	case EV_task_exec:
		if (record->event == EV_task_fork)
			born(pid, record->time);
		copy_name(pid->name, event->name, sizeof(event->name));
		break;
	case EV_task_exit:
		died(pid, record);
		break;
	case EV_task_reaped:
		pid->reaped = record->time;
		pid->end_stack = record->stack;
		break;
	case EV_mm_create:
		born(mm, record->time);
		mm->pid = event->pid;
		break;
	case EV_mm_drop:
		died(mm, record);
		break;
	case EV_inode_load:
		born(&model->inodes[(uint16_t)record->payload.ev_payload_inode_load.inode], record->time);
		break;
	case EV_inode_evict:
		died(&model->inodes[(uint16_t)record->payload.ev_payload_inode_load.inode], record);
		break;
	}
}

const struct holder_life *model_holder(const struct model *model, uint32_t ref, uint16_t holder)
{
	switch (ref) {
	case REF_PTE:
	case REF_TABLE:
		return &model->mms[holder];
	case REF_CACHE:
	case REF_DIRTY:
		return holder ? &model->inodes[holder] : NULL;
	case REF_IO:
	case REF_FAULT:
	case REF_KSTACK:
	case REF_OWNER:
		return holder ? &model->pids[holder] : NULL;
	default:
		return NULL;
	}
}

uint64_t model_holder_death(const struct model *model, uint32_t ref, uint16_t holder, uint64_t time)
{
	const struct holder_life *life = model_holder(model, ref, holder);

	if (!life || !life->seen)
		return 0;
	/* A process may hold things until its stack is gone; exit is only where it begins to go. */
	if (ref >= REF_IO && ref != REF_PIPE && ref != REF_SLAB && model->by_event[EV_task_reaped])
		return life->reaped >= time ? life->reaped : 0;
	return life->died >= time ? life->died : 0;
}

/* ---- marks, samples, audits ---- */

/* Sites whose live objects only grow from test to test are leak candidates. */
static void sites_at_mark(struct model *model)
{
	for (uint32_t i = 0; i < model->nr_sites; i++) {
		struct site *site = &model->sites[i];
		if (site->objects_live > site->objects_at_mark)
			site->marks_grown++;
		else if (site->objects_live < site->objects_at_mark)
			site->marks_shrunk++;
		site->objects_at_mark = site->objects_live;
	}
}

struct test_mark test_mark_begin(const struct trace_record *record)
{
	struct test_mark test = {.begin = record->time, .quiet = true};

	copy_name(test.name, record->payload.ev_payload_mark.name, 16);
	return test;
}

static void mark_event(struct model *model, const struct trace_record *record)
{
	if (record->kind == 0) {
		struct test_mark *test = &ARRAY_PUSH(model->tests, model->nr_tests, model->tests_capacity);
		*test = test_mark_begin(record);
		test->net_begin = test->net_after = model->net_pages;
		model->open_test = (int64_t)model->nr_tests - 1;
		return;
	}
	sites_at_mark(model);
	if (model->open_test < 0)
		return;
	struct test_mark *test = &model->tests[model->open_test];
	test->end = record->time;
	test->net_end = test->net_after = model->net_pages;
	test->nr_audits = test->nr_findings = 0; /* those that the test itself asked for */
	model->open_test = -1;
}

static void sample_event(struct model *model, const struct trace_record *record)
{
	int64_t free_pages = record->payload.ev_payload_sample.free_pages;

	model->nr_samples++;
	model->last_sample = free_pages;
	if (!model->sampled) {
		model->sampled = true;
		model->sample_offset = free_pages - model->net_pages;
		return;
	}
	int64_t difference = free_pages - (model->net_pages + model->sample_offset);
	if (llabs(difference) > llabs(model->sample_worst))
		model->sample_worst = difference;
}

static void finding_event(struct model *model, const struct trace_record *record)
{
	if (!verdict_is_leak(record->kind) && record->kind != VERDICT_PARKED &&
	    model->nr_incidents < INCIDENTS_KEPT)
		ARRAY_PUSH(model->incidents, model->nr_incidents, model->incidents_capacity) = *record;
	ARRAY_PUSH(model->pending.findings, model->pending.nr_findings, model->pending.capacity) = *record;
}

static void audit_copy(struct audit_state *to, const struct audit_state *from)
{
	free(to->findings);
	*to = *from;
	to->capacity = from->nr_findings;
	to->findings = xcalloc(from->nr_findings, sizeof(*from->findings));
	if (from->nr_findings)
		memcpy(to->findings, from->findings, from->nr_findings * sizeof(*from->findings));
}

static void audit_event(struct model *model, const struct trace_record *record)
{
	struct audit_state *audit = &model->pending;

	audit->done = true;
	audit->time = record->time;
	audit->record = *record;
	audit_copy(&model->last, audit);
	if (record->payload.ev_payload_audit_done.quiet)
		audit_copy(&model->last_quiet, audit);
	if (model->nr_tests) {
		struct test_mark *test = &model->tests[model->nr_tests - 1];
		if (test->end && !test->nr_audits)
			test->net_after = model->net_pages;
		test->nr_audits++;
		test->nr_findings = record->payload.ev_payload_audit_done.findings;
		test->quiet = record->payload.ev_payload_audit_done.quiet != 0;
	}
	audit->nr_findings = 0;
	audit->done = false;
}

static void cache_event(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_cache *event = &record->payload.ev_payload_cache_info;
	struct cache_state *cache = &model->caches[event->cache];

	cache->known = true;
	cache->object_bytes = event->size;
	copy_name(cache->name, event->name, sizeof(event->name));
}

/* ---- the replay ---- */

static void rare_event(struct model *model, const struct trace_record *record)
{
	switch (record->event) {
	case EV_cache_info:
		cache_event(model, record);
		break;
	case EV_mark:
		mark_event(model, record);
		break;
	case EV_sample:
		sample_event(model, record);
		break;
	case EV_finding:
		finding_event(model, record);
		break;
	case EV_audit_done:
		audit_event(model, record);
		break;
	case EV_oom:
		model->ooms++;
		break;
	case EV_fail_injected:
		model->fails_injected++;
		break;
	case EV_panic:
		copy_name(model->panic, record->payload.ev_payload_panic.name, 16);
		model->panic_time = record->time;
		break;
	default:
		task_event(model, record);
	}
}

static bool record_fits(void *arg, const struct trace_record *record)
{
	struct model *model = arg;

	if (!event_is_page(record->event))
		return true;
	const struct page_state *page = model_page(model, record->payload.ev_payload_page_alloc.pfn);
	return !page || page->count == record->payload.ev_payload_page_alloc.before;
}

static struct model *model_new(struct run *run)
{
	struct model *model = xcalloc(1, sizeof(*model));

	model->run = run;
	model->first_pfn = (uint32_t)(RAM_BASE >> PAGE_SHIFT);
	model->nr_pages = PAGES_MAX;
	model->pages = reserve(PAGES_MAX * sizeof(*model->pages));
	model->nr_sites = run->nr_stacks + 1;
	model->sites = xcalloc(model->nr_sites, sizeof(*model->sites));
	model->caches = xcalloc(HOLDERS_NR, sizeof(*model->caches));
	model->pids = xcalloc(HOLDERS_NR, sizeof(*model->pids));
	model->mms = xcalloc(HOLDERS_NR, sizeof(*model->mms));
	model->inodes = xcalloc(HOLDERS_NR, sizeof(*model->inodes));
	model->open_test = -1;
	tables_init(model);
	return model;
}

struct model *model_replay_to(struct run *run, const struct model_watch *watch, uint64_t until)
{
	struct model *model = model_new(run);
	struct merge merge;
	const struct trace_record *records;
	uint32_t stream;
	size_t nr;

	merge_begin(&merge, run, record_fits, model);
	while ((nr = merge_batch(&merge, &records, &stream)) != 0 && records[0].time <= until) {
		while (records[nr - 1].time > until)
			nr--;
		if (model->nr_events == 0)
			model->first_time = records[0].time;
		model->nr_events += nr;
		for (size_t i = 0; i < nr; i++) {
			const struct trace_record *record = &records[i];
			model->by_event[record->event]++;
			model->last_time = record->time;
			if (event_is_page(record->event))
				pages_apply(model, record, stream);
			else if (event_is_object(record->event))
				object_event(model, record);
			else
				rare_event(model, record);
			if (watch)
				watch->event(watch->arg, model, record, stream);
		}
	}
	pages_settle_rest(model);
	if (until == UINT64_MAX)
		manifest_compare_marks(run, model->by_event[EV_mark]);
	return model;
}

struct model *model_replay(struct run *run, const struct model_watch *watch)
{
	return model_replay_to(run, watch, UINT64_MAX);
}

void model_free(struct model *model)
{
	munmap(model->pages, PAGES_MAX * sizeof(*model->pages));
	free(model->nodes);
	free(model->objects);
	free(model->settled);
	free(model->sites);
	free(model->caches);
	free(model->pids);
	free(model->mms);
	free(model->inodes);
	free(model->tests);
	free(model->pending.findings);
	free(model->last.findings);
	free(model->last_quiet.findings);
	free(model->incidents);
	free(model);
}

/* ---- questions ---- */

int64_t model_free_pages(const struct model *model)
{
	return model->sampled ? model->net_pages + model->sample_offset : -1;
}

const struct test_mark *model_test_at(const struct model *model, uint64_t time)
{
	for (size_t i = 0; i < model->nr_tests; i++) {
		const struct test_mark *test = &model->tests[i];
		if (time >= test->begin && (test->end == 0 || time <= test->end))
			return test;
	}
	return NULL;
}

bool model_parse_page(const char *text, uint32_t *pfn)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		return false;
	if (value >= PHYS_OFFSET)
		value -= PHYS_OFFSET;
	if (value >= RAM_BASE)
		value >>= PAGE_SHIFT;
	*pfn = (uint32_t)value;
	return value >= RAM_BASE >> PAGE_SHIFT && value < (RAM_BASE >> PAGE_SHIFT) + PAGES_MAX;
}
