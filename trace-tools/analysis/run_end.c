/* SPDX-License-Identifier: MIT */
/* run_end: see run_end.h. */
#include "run_end.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ctf/merge.h"

/* ---- what it ended in ---- */

/* The first finding that is no leak: of the audits, else of references that do not pair. NULL: there is none. */
static const struct trace_record *first_finding(const struct leaks *leaks)
{
	return leaks->nr_incidents ? &leaks->incidents[0].record : NULL;
}

enum run_end_how run_end_of(const struct leaks *leaks)
{
	const struct run *run = model_run(leaks->model);

	if (run->watched)
		return RUN_END_NONE;
	/* What was found first is nearest to the mistake. */
	if (first_finding(leaks))
		return RUN_END_FINDING;
	if (model_totals(leaks->model)->panic_time)
		return RUN_END_PANIC;
	if (!strcmp(run->manifest.end, "timeout"))
		return RUN_END_LIMIT;
	/* Programs fail for many reasons that are no mistake of the kernel: only a kernel that did well tells one from the other. */
	return run->manifest.guest_status && !leaks->nr_groups && leaks->query->baseline ? RUN_END_GUEST
											 : RUN_END_NONE;
}

/* ---- the steps ---- */

static void add_step(struct end_steps *steps, const struct symbol_frame *frame, enum end_trail trail)
{
	if (symbols_is_entry(frame))
		return;
	for (size_t i = 0; i < steps->nr; i++) {
		if (!strcmp(steps->all[i].function, frame->function)) {
			steps->all[i].trail = trail < steps->all[i].trail ? trail : steps->all[i].trail;
			return;
		}
	}
	ARRAY_PUSH(steps->all, steps->nr, steps->capacity) = (struct end_step){frame->function, trail};
}

static void add_stack(const struct leaks *leaks, struct end_steps *steps, uint32_t stack,
		      enum end_trail trail)
{
	const struct stack_view *view = stack_table_get(leaks->stacks, stack);

	/* What only records and counts has no part in it. */
	for (uint32_t i = view->site; i < view->nr; i++)
		add_step(steps, &view->frames[i], trail);
}

/* A page or object begins another life: what was before has no part in it. */
static bool is_birth(const struct trace_record *record)
{
	return record->event == EV_page_alloc || record->event == EV_obj_alloc;
}

/* ---- a panic ---- */

static bool is_about(const struct panic_context *one)
{
	return one->incident || !strcmp(one->found, PANIC_CONTEXT_NAMED);
}

static void add_history(const struct leaks *leaks, struct end_steps *steps, const struct panic_context *one)
{
	for (size_t k = is_about(one) ? one->nr : 0; k-- > 0;) {
		add_stack(leaks, steps, one->events[k].record.stack, TRAIL_HISTORY);
		if (is_birth(&one->events[k].record))
			break;
	}
}

/* What a panic left. */
struct remains {
	struct guest guest;
	struct panic_state panic;
	struct panic_contexts contexts;
};

static void find_contexts(const struct leaks *leaks, struct remains *remains)
{
	char *error = NULL;
	struct layout *layout = layout_open(model_run(leaks->model)->kernel_path, &error);

	if (layout) {
		panic_contexts_find(&remains->contexts, &remains->guest, &remains->panic,
				    leaks->stacks->symbols, leaks->model, layout);
		layout_close(layout);
	}
	free(error);
}

/* False: there is nothing to be freed. */
static bool remains_read(const struct leaks *leaks, struct remains *remains)
{
	const struct run *run = model_run(leaks->model);
	char *path = run->folder ? xasprintf("%s/ram", run->folder) : NULL, *error = NULL;
	const char *fault;

	*remains = (struct remains){0};
	/* Memory is read by the kernel's own structures: by another kernel's it would be nonsense. */
	bool open = path && run->kernel_path && run->kernel_proved && !run->is_other &&
		    image_open(&remains->guest, path, &error);
	bool good = open && guest_find_desc(&remains->guest, 0, &fault) &&
		    panic_read(&remains->guest, leaks->stacks->symbols, &remains->panic, &fault);
	if (good)
		find_contexts(leaks, remains);
	else if (open)
		guest_close(&remains->guest);
	free(error);
	free(path);
	return good;
}

static void remains_free(struct remains *remains)
{
	panic_contexts_free(&remains->contexts);
	panic_free(&remains->panic);
	guest_close(&remains->guest);
}

static void add_panic(const struct leaks *leaks, struct end_steps *steps)
{
	struct remains remains;

	if (!remains_read(leaks, &remains))
		return;
	const struct panic_hart *hart = &remains.panic.harts[remains.panic.hart % PANIC_HARTS];
	for (uint32_t i = 0; i < hart->nr_frames; i++)
		add_step(steps, &hart->frames[i], TRAIL_STACK);
	for (size_t i = 0; i < remains.contexts.nr; i++)
		add_history(leaks, steps, &remains.contexts.list[i]);
	remains_free(&remains);
}

void run_end_contexts(const struct leaks *leaks, void (*tell)(const struct panic_context *, void *),
		      void *data)
{
	struct remains remains;

	if (model_run(leaks->model)->watched || !model_totals(leaks->model)->panic_time ||
	    !remains_read(leaks, &remains))
		return;
	for (size_t i = 0; i < remains.contexts.nr; i++)
		tell(&remains.contexts.list[i], data);
	remains_free(&remains);
}

/* ---- a finding, and a machine that did not end: by the trace ---- */

struct looking {
	const struct trace_record *finding;  /* NULL: the last stack of each task is looked for */
	uint32_t last_stack[UINT16_MAX + 1]; /* by pid */
	bool *seen;                          /* by stack: in the history of what the finding is about */
	uint32_t nr_stacks;
	uint32_t freed; /* the last stack of a free of it */
};

static bool is_of(const struct trace_record *finding, const struct trace_record *record)
{
	uint32_t where = finding->payload.ev_payload_finding.where;

	if (finding->flags)
		return (event_is_object(record->event) || event_is_objref(record->event)) &&
		       record->payload.ev_payload_obj_alloc.obj == where;
	return event_is_page(record->event) &&
	       where - record->payload.ev_payload_page_alloc.pfn < 1U << record_order(record);
}

/* The task that did it; 0 also for what belongs to none. */
static uint16_t task_of(const struct trace_record *record)
{
	if (event_is_page(record->event))
		return record->payload.ev_payload_page_alloc.pid;
	if (event_is_object(record->event) || event_is_objref(record->event))
		return record->payload.ev_payload_obj_alloc.pid;
	return 0;
}

static void look(void *arg, const struct trace_record *records, size_t nr, uint32_t hart)
{
	struct looking *looking = arg;

	for (size_t i = 0; i < nr; i++) {
		const struct trace_record *record = &records[i];
		if (!record->stack || record->stack > looking->nr_stacks)
			continue;
		if (!looking->finding) {
			looking->last_stack[task_of(record)] = record->stack;
		} else if (record->time <= looking->finding->time && is_of(looking->finding, record)) {
			if (is_birth(record))
				memset(looking->seen, 0, looking->nr_stacks + 1);
			looking->seen[record->stack] = true;
			if (record->event == EV_page_free && record->time < looking->finding->time)
				looking->freed = record->stack;
		}
	}
}

static struct looking *look_through(const struct leaks *leaks, const struct trace_record *finding)
{
	struct looking *looking = xcalloc(1, sizeof(*looking));

	looking->finding = finding;
	looking->nr_stacks = model_run(leaks->model)->nr_stacks;
	looking->seen = xcalloc(looking->nr_stacks + 1, sizeof(*looking->seen));
	merge_visit(model_run(leaks->model), NULL, look, looking);
	return looking;
}

static void looking_free(struct looking *looking)
{
	free(looking->seen);
	free(looking);
}

static void add_from_trace(const struct leaks *leaks, struct end_steps *steps,
			   const struct trace_record *finding)
{
	struct looking *looking = look_through(leaks, finding);

	if (finding)
		add_stack(leaks, steps, finding->stack, TRAIL_STACK);
	for (uint32_t i = 1; i <= looking->nr_stacks; i++) {
		if (looking->seen[i])
			add_stack(leaks, steps, i, TRAIL_HISTORY);
	}
	for (size_t pid = 0; pid <= UINT16_MAX; pid++) {
		if (looking->last_stack[pid] && (!pid || model_process(leaks->model, (uint16_t)pid)->alive))
			add_stack(leaks, steps, looking->last_stack[pid], TRAIL_LAST);
	}
	looking_free(looking);
}

uint32_t run_end_freed(const struct leaks *leaks)
{
	const struct trace_record *finding = first_finding(leaks);

	if (!finding || finding->flags || (finding->kind != VERDICT_STALE && finding->kind != VERDICT_DBL))
		return 0;
	struct looking *looking = look_through(leaks, finding);
	uint32_t freed = looking->freed;
	looking_free(looking);
	return freed;
}

void run_end_steps(const struct leaks *leaks, struct end_steps *steps)
{
	enum run_end_how how = run_end_of(leaks);

	*steps = (struct end_steps){0};
	if (how == RUN_END_PANIC)
		add_panic(leaks, steps);
	else if (how == RUN_END_FINDING || how == RUN_END_LIMIT)
		add_from_trace(leaks, steps, how == RUN_END_FINDING ? first_finding(leaks) : NULL);
}

void run_end_steps_free(struct end_steps *steps)
{
	free(steps->all);
	*steps = (struct end_steps){0};
}
