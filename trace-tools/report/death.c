/* SPDX-License-Identifier: MIT */
/*
 * death: why a machine died, in words: the panic with the state of each page and object that it was working on, every
 * hart's stack, the last events of these pages, the last events of all. `run` prints it at its end, and `recover`.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/panic_context.h"
#include "base/util.h"
#include "death.h"
#include "print.h"

#define EVENTS_OF_ONE 10
#define HELD_MAX 4
#define CALLERS_SHOWN 3

/* ---- the harts ---- */

static void print_registers(const struct panic_hart *hart, FILE *out)
{
	fprintf(out,
		"    pc %016" PRIx64 "  status %" PRIx64 "  cause %" PRIx64 "  address %" PRIx64
		"  satp %" PRIx64 "\n",
		hart->pc, hart->status, hart->cause, hart->address, hart->satp);
	for (int i = 1; i < 32; i++)
		fprintf(out, "%s%4s %016" PRIx64 "%s", i % 4 == 1 ? "    " : " ", register_names[i],
			hart->x[i], i % 4 == 0 || i == 31 ? "\n" : " ");
}

static void print_frames(const struct panic_hart *hart, FILE *out)
{
	char place[256];

	if (!hart->nr_frames)
		fprintf(out, "    (no kernel stack: it ran user code or the firmware's)\n");
	for (uint32_t i = 0; i < hart->nr_frames; i++) {
		const struct symbol_frame *frame = &hart->frames[i];
		if (frame_place(frame, place, sizeof(place))[0])
			fprintf(out, "    %-28s %s%s\n", frame->function, place,
				frame->inlined ? " (inlined)" : "");
		else
			fprintf(out, "    %s\n", frame->function);
	}
}

static void print_harts(const struct panic_state *panic, const struct model *model, FILE *out)
{
	for (uint32_t k = 0; k < panic->nr_harts; k++) {
		/* the hart that panicked first */
		uint32_t i = k == 0 ? panic->hart % panic->nr_harts : k <= panic->hart ? k - 1 : k;
		const struct panic_hart *hart = &panic->harts[i];
		const char *name = model_process(model, (uint16_t)hart->pid)->name;
		if (!hart->valid) {
			fprintf(out, "\nhart %u did not answer\n", i);
			continue;
		}
		fprintf(out, "\nhart %u, pid %" PRIu64 "%s%s%s\n", i, hart->pid, name[0] ? " (" : "", name,
			name[0] ? ")" : "");
		print_frames(hart, out);
		print_registers(hart, out);
	}
}

/* ---- the panic's context ---- */

static void print_name(const struct panic_context *one, FILE *out)
{
	if (one->object)
		fprintf(out, "object 0x%" PRIx64 " of cache %s", one->address, one->cache);
	else
		fprintf(out, "page 0x%x", one->pfn);
}

static void print_callers(uint32_t stack, struct stack_table *stacks, FILE *out)
{
	const struct stack_view *view = stack_table_get(stacks, stack);
	uint32_t site = view->site < view->nr ? view->site : 0;

	fprintf(out, "%s", stack_table_function(stacks, stack));
	for (uint32_t i = site + 1; i < view->nr && i < site + CALLERS_SHOWN; i++)
		fprintf(out, " < %s", view->frames[i].function);
}

/* "cow_break < fault_write (pid 7) at 1.234": the code of a record, and its process. */
static void print_act(const struct trace_record *record, struct stack_table *stacks, FILE *out)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	uint16_t pid = event_is_object(record->event) ? record->payload.ev_payload_obj_alloc.pid : event->pid;
	char time[24];

	print_callers(record->stack, stacks, out);
	fprintf(out, " (pid %u) at %s", pid, time_text(record->time, time));
}

/* The newest event of a sort, not after `until`. */
static const struct trace_record *newest(const struct panic_context *one, uint32_t event, uint64_t until)
{
	for (size_t i = one->nr; i-- > 0;) {
		const struct trace_record *record = &one->events[i].record;
		if (record->event == event && record->time <= until)
			return record;
	}
	return NULL;
}

/* Of the references that were acquired there before and released: which function released most of them. */
static void print_released(const struct model *model, uint32_t alloc_stack, uint32_t get_stack, uint32_t ref,
			   struct stack_table *stacks, FILE *out)
{
	const struct release *most = NULL, *one;
	uint64_t total = 0;

	for (size_t at = 0; (one = model_next_release(model, &at));) {
		if (one->ref != ref || one->get_stack != get_stack || one->alloc_stack != alloc_stack)
			continue;
		total += one->count;
		most = !most || one->count > most->count ? one : most;
	}
	if (most)
		fprintf(out, "; %" PRIu64 " of %" PRIu64 " others from there were released by %s",
			most->count, total, stack_table_function(stacks, most->put_stack));
}

static bool same_reference(const struct trace_record *a, const struct trace_record *b)
{
	return a->kind == b->kind &&
	       a->payload.ev_payload_page_get.holder == b->payload.ev_payload_page_get.holder &&
	       a->payload.ev_payload_page_get.index == b->payload.ev_payload_page_get.index;
}

/* References of the page's present life that no put released; how many of them are in held[]. */
static size_t held_references(const struct panic_context *one, const struct trace_record **held, size_t max)
{
	size_t nr = 0;

	for (size_t i = 0; i < one->nr; i++) {
		const struct trace_record *record = &one->events[i].record;
		if (record->event == EV_page_alloc || record->event == EV_page_free)
			nr = 0;
		if (record->event == EV_page_alloc || record->event == EV_page_get) {
			if (nr < max)
				held[nr++] = record;
			continue;
		}
		for (size_t k = nr; record->event == EV_page_put && k-- > 0;) {
			if (!same_reference(held[k], record))
				continue;
			memmove(&held[k], &held[k + 1], (--nr - k) * sizeof(held[0]));
			break;
		}
	}
	return nr;
}

static void print_holders(const struct panic_context *one, const struct model *model,
			  struct stack_table *stacks, FILE *out)
{
	const struct trace_record *held[HELD_MAX], *alloc = newest(one, EV_page_alloc, UINT64_MAX);
	size_t nr = held_references(one, held, HELD_MAX);

	if (!nr)
		fprintf(out, "    no reference is open in the trace\n");
	for (size_t i = 0; i < nr; i++) {
		const struct trace_payload_page *event = &held[i]->payload.ev_payload_page_get;
		fprintf(out, "    held as ");
		print_holder(out, model, held[i]->kind, event->holder, event->index);
		fprintf(out, ": acquired by ");
		print_act(held[i], stacks, out);
		fprintf(out, ", not released");
		if (alloc)
			print_released(model, alloc->stack, held[i]->stack, held[i]->kind, stacks, out);
		fputc('\n', out);
	}
}

/* The last time that it was freed, and where. */
static void print_freed(const struct panic_context *one, uint64_t until, const char *before,
			struct stack_table *stacks, FILE *out)
{
	const struct trace_record *freed = newest(one, one->object ? EV_obj_free : EV_page_free, until);

	if (freed) {
		fprintf(out, "%s", before);
		print_act(freed, stacks, out);
	}
}

static void print_incident(const struct panic_context *one, struct stack_table *stacks, FILE *out)
{
	const struct trace_record *incident = one->incident;
	/* The call that the incident is about is recorded after it, if at all. */
	uint64_t until = incident->time - 1;

	fprintf(out, "    %s: %s: ", verdict_text(incident->kind), verdict_help(incident->kind));
	switch (incident->kind) {
	case VERDICT_POISON:
		print_freed(one, until, "freed by ", stacks, out);
		fprintf(out, ", then written");
		break;
	case VERDICT_DBL:
		print_freed(one, until, "first by ", stacks, out);
		fprintf(out, ", and again by ");
		print_callers(incident->stack, stacks, out);
		break;
	default:
		fprintf(out, "by ");
		print_callers(incident->stack, stacks, out);
		print_freed(one, until, "; last freed by ", stacks, out);
	}
	fputc('\n', out);
}

/* Its state by the history, in a sentence. */
static void print_verdict(const struct panic_context *one, const struct model *model,
			  struct stack_table *stacks, FILE *out)
{
	const struct trace_record *taken =
	    newest(one, one->object ? EV_obj_alloc : EV_page_alloc, UINT64_MAX);
	const struct trace_record *freed = newest(one, one->object ? EV_obj_free : EV_page_free, UINT64_MAX);

	print_name(one, out);
	if (one->object)
		fprintf(out, ", %s, %s\n", one->live ? "live" : "free", one->found);
	else
		fprintf(out, ", %s, order %u, count %d, %s\n", page_kind_text(one->kind), one->order,
			one->count, one->found);
	if (one->incident)
		print_incident(one, stacks, out);
	if (!one->nr) {
		fprintf(out, "    there is no event of it in the trace\n");
	} else if (!one->live) {
		print_freed(one, UINT64_MAX, "    free since ", stacks, out);
		fputc('\n', out);
	} else {
		if (taken && (!freed || freed->time <= taken->time)) {
			fprintf(out, "    allocated by ");
			print_act(taken, stacks, out);
			fputc('\n', out);
		}
		if (!one->object)
			print_holders(one, model, stacks, out);
	}
}

static void print_event(const struct panic_context_event *event, const struct model *model,
			struct stack_table *stacks, FILE *out)
{
	const struct trace_record *record = &event->record;
	const struct trace_payload_page *page = &record->payload.ev_payload_page_alloc;
	char time[24];

	fprintf(out, "    %s hart%u %-10s ", time_text(record->time, time), event->hart,
		event_info(record->event)->name);
	if (event_is_object(record->event)) {
		fprintf(out, "pid %u", record->payload.ev_payload_obj_alloc.pid);
	} else {
		fprintf(out, "pid %u %2u -> %-2u ", page->pid, page->before, page->after);
		if (record->event == EV_page_kind)
			fprintf(out, "now %s", page_kind_text(record->kind));
		else
			print_holder(out, model, record->kind, page->holder, page->index);
	}
	fprintf(out, " in %s\n", stack_table_function(stacks, record->stack));
}

static void print_events_of(const struct panic_contexts *contexts, const struct model *model,
			    struct stack_table *stacks, FILE *out)
{
	for (size_t i = 0; i < contexts->nr; i++) {
		const struct panic_context *one = &contexts->list[i];
		size_t begin = one->nr > EVENTS_OF_ONE ? one->nr - EVENTS_OF_ONE : 0;
		if (!one->nr)
			continue;
		fprintf(out, "\nthe last %zu of %zu events of ", one->nr - begin, one->nr);
		print_name(one, out);
		fputc('\n', out);
		for (size_t k = begin; k < one->nr; k++)
			print_event(&one->events[k], model, stacks, out);
	}
}

/* ---- the last events ---- */

struct last_events {
	struct {
		struct trace_record record;
		uint32_t hart;
	} * ring;
	uint64_t nr, size;
};

static void keep_event(void *arg, const struct model *model, const struct trace_record *record,
		       uint32_t stream)
{
	struct last_events *last = arg;

	if (!last->size || record->event == EV_panic) /* its text is printed first */
		return;
	last->ring[last->nr % last->size].record = *record;
	last->ring[last->nr++ % last->size].hart = model_run(model)->streams[stream].hart;
}

static void print_last(const struct last_events *last, struct stack_table *stacks, FILE *out)
{
	uint64_t nr = last->nr < last->size ? last->nr : last->size;
	char time[24];

	if (!nr)
		return;
	fprintf(out, "\nthe last %" PRIu64 " event%s\n", nr, plural_s(nr));
	for (uint64_t i = last->nr - nr; i < last->nr; i++) {
		const struct trace_record *record = &last->ring[i % last->size].record;
		fprintf(out, "%s hart%u %s", time_text(record->time, time), last->ring[i % last->size].hart,
			event_info(record->event)->name);
		print_record_fields(out, record);
		if (record->stack)
			fprintf(out, " in %s", stack_table_function(stacks, record->stack));
		fputc('\n', out);
	}
}

/* ---- all of it ---- */

static void print_panic(const struct guest *guest, const struct panic_state *panic, const struct model *model,
			struct stack_table *stacks, FILE *out)
{
	struct panic_contexts contexts = {0};
	char *error = NULL;
	struct layout *layout =
	    model_run(model)->kernel_path ? layout_open(model_run(model)->kernel_path, &error) : NULL;

	fprintf(out, "PANIC on hart %u: %s\n", panic->hart, panic->message);
	if (layout) {
		panic_contexts_find(&contexts, guest, panic, stacks->symbols, model, layout);
		layout_close(layout);
	} else {
		fprintf(out, "the pages and objects it was working on are unknown: %s\n",
			error ? error : "name its kernel with --kernel");
	}
	for (size_t i = 0; i < contexts.nr; i++)
		print_verdict(&contexts.list[i], model, stacks, out);
	print_harts(panic, model, out);
	print_events_of(&contexts, model, stacks, out);
	panic_contexts_free(&contexts);
	free(error);
}

int death_report(const struct guest *guest, struct run *run, const struct panic_state *panic,
		 uint64_t nr_events, FILE *out)
{
	struct last_events last = {.ring = xcalloc(nr_events, sizeof(*last.ring)), .size = nr_events};
	struct model_watch watch = {keep_event, &last};
	struct model *model = model_replay(run, &watch);
	struct stack_table *stacks = stack_table_open(run);
	int exit_status = guest_exit_status(guest);

	run_print_losses(run, out);
	fputc('\n', out);
	if (panic)
		print_panic(guest, panic, model, stacks, out);
	else if (exit_status >= 0)
		fprintf(out, "no panic: it powered off with status %d\n", exit_status);
	else
		fprintf(out, "no panic: it ran until it was stopped from outside\n");
	print_last(&last, stacks, out);
	free(last.ring);
	stack_table_close(stacks);
	model_free(model);
	return panic ? STATUS_LEAKED : STATUS_OK;
}
