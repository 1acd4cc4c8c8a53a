/* pagetrail page: one page's life as double-entry book-keeping. */
#include <inttypes.h>
#include <stdlib.h>

#include "../lib/json.h"
#include "command.h"

/* Which record settles which: by position, or SIZE_MAX. */
struct ledger {
	const struct trace_record *records;
	size_t nr;
	size_t *settled_by; /* of an opening record */
	size_t *settles;    /* of a closing record */
};

static bool same_entry(const struct trace_record *a, const struct trace_record *b)
{
	return a->kind == b->kind &&
	       a->payload.ev_payload_page_get.holder == b->payload.ev_payload_page_put.holder &&
	       a->payload.ev_payload_page_get.index == b->payload.ev_payload_page_put.index;
}

static bool opens(const struct trace_record *record)
{
	return record->event == EV_page_alloc || record->event == EV_page_get;
}

/* Pairs each put with the newest open get of the same reference in the same life of the page. */
static void pair(struct ledger *ledger)
{
	size_t life = 0; /* where the current life begins */

	for (size_t i = 0; i < ledger->nr; i++) {
		const struct trace_record *record = &ledger->records[i];
		ledger->settled_by[i] = ledger->settles[i] = SIZE_MAX;
		if (record->event == EV_page_alloc)
			life = i;
		if (record->event != EV_page_put)
			continue;
		for (size_t k = i; k-- > life;) {
			if (opens(&ledger->records[k]) && ledger->settled_by[k] == SIZE_MAX &&
			    same_entry(&ledger->records[k], record)) {
				ledger->settled_by[k] = i;
				ledger->settles[i] = k;
				break;
			}
		}
	}
}

static void print_entry(const struct ledger *ledger, size_t i, const struct model *model,
			struct stackbook *book, bool resolve)
{
	const struct trace_record *record = &ledger->records[i];
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	char time[24];

	printf("#%-4zu %s %-10s %2u -> %-2u pid %-3u ", i + 1, time_text(record->time, time),
	       event_info(record->event)->name, event->before, event->after, event->pid);
	if (record->event == EV_page_kind)
		printf("now %s", page_kind_text(record->kind));
	else
		print_holder(stdout, model, record->kind, event->holder, event->index);
	if (record->event == EV_page_alloc)
		printf(", %s order %u", page_kind_text(record_page_kind(record)), record_order(record));
	if (opens(record) && ledger->settled_by[i] != SIZE_MAX)
		printf("  settled by #%zu", ledger->settled_by[i] + 1);
	if (ledger->settles[i] != SIZE_MAX)
		printf("  settles #%zu", ledger->settles[i] + 1);
	printf("  in %s\n", stackbook_function(book, record->stack));
	if (resolve)
		stackbook_print(book, record->stack, "        ", stdout);
}

/* Entries of the last life that nothing settled; how many. */
static size_t open_entries(const struct ledger *ledger, size_t *list)
{
	size_t nr = 0;

	for (size_t i = 0; i < ledger->nr; i++) {
		if (ledger->records[i].event == EV_page_alloc || ledger->records[i].event == EV_page_free)
			nr = 0;
		if (opens(&ledger->records[i]) && ledger->settled_by[i] == SIZE_MAX)
			list[nr++] = i;
	}
	return nr;
}

static void print_text(const struct ledger *ledger, uint32_t pfn, const struct model *model,
		       struct stackbook *book, bool resolve)
{
	const struct page_state *page = &model->pages[pfn - model->first_pfn];
	size_t *open = xcalloc(ledger->nr, sizeof(*open)), nr_open = open_entries(ledger, open);

	printf("page 0x%x, physical address 0x%" PRIx64 ": ", pfn, (uint64_t)pfn << PAGE_SHIFT);
	if (page->life == LIFE_LIVE)
		printf("%s, order %u, count %u at the end\n", page_kind_text(page->kind), page->order,
		       page->count);
	else
		printf("%s\n",
		       page->life == LIFE_FREE ? "free at the end" : "no event of it is in the trace");
	for (size_t i = 0; i < ledger->nr; i++)
		print_entry(ledger, i, model, book, resolve);
	if (nr_open)
		printf("open:\n");
	for (size_t i = 0; i < nr_open; i++) {
		print_entry(ledger, open[i], model, book, false);
		stackbook_print(book, ledger->records[open[i]].stack, "        ", stdout);
	}
	free(open);
}

static void print_json(const struct ledger *ledger, uint32_t pfn, const struct model *model,
		       struct stackbook *book)
{
	static const char *const lives[] = {
	    [LIFE_UNKNOWN] = "unknown", [LIFE_LIVE] = "live", [LIFE_FREE] = "free"};
	const struct page_state *page = &model->pages[pfn - model->first_pfn];
	struct json json;

	json_begin_command(&json, stdout, "page", run_complete(model->run) ? "complete" : "cannot tell");
	json_int(&json, "pfn", pfn);
	json_string(&json, "life", lives[page->life]);
	json_string(&json, "kind", page->life == LIFE_LIVE ? page_kind_text(page->kind) : NULL);
	json_int(&json, "count", page->count);
	json_open(&json, "entries", '[');
	for (size_t i = 0; i < ledger->nr; i++) {
		const struct trace_record *record = &ledger->records[i];
		const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
		json_open(&json, NULL, '{');
		json_int(&json, "number", (int64_t)i + 1);
		json_real(&json, "time", time_seconds(record->time));
		json_string(&json, "event", event_info(record->event)->name);
		json_string(&json, record->event == EV_page_kind ? "kind" : "ref",
			    record->event == EV_page_kind ? page_kind_text(record->kind)
							  : ref_kind_text(record->kind));
		json_int(&json, "holder", event->holder);
		json_int(&json, "index", event->index);
		json_int(&json, "before", event->before);
		json_int(&json, "after", event->after);
		json_int(&json, "pid", event->pid);
		json_string(&json, "function", stackbook_function(book, record->stack));
		if (ledger->settled_by[i] != SIZE_MAX)
			json_int(&json, "settled_by", (int64_t)ledger->settled_by[i] + 1);
		if (ledger->settles[i] != SIZE_MAX)
			json_int(&json, "settles", (int64_t)ledger->settles[i] + 1);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
}

static int page_run(const struct arguments *arguments)
{
	struct page_history history = {0};
	uint32_t pfn;

	if (!model_parse_page(arguments->operands[1], &pfn))
		die("%s is no page of RAM: give an address or a page frame number", arguments->operands[1]);
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = model_replay(run, NULL);
	struct stackbook *book = stackbook_open(run);
	history.pfn = pfn;
	history_collect(run, &history, 1, NULL, 0);
	struct ledger ledger = {.records = history.records,
				.nr = history.nr,
				.settled_by = xcalloc(history.nr, sizeof(size_t)),
				.settles = xcalloc(history.nr, sizeof(size_t))};
	pair(&ledger);
	if (option(arguments, "json")) {
		print_json(&ledger, pfn, model, book);
	} else {
		run_print_losses(run, stdout);
		print_text(&ledger, pfn, model, book, option(arguments, "resolve") != NULL);
	}
	int status = run_complete(run) ? STATUS_NOTHING_LOST : STATUS_CANNOT_TELL;
	free(ledger.settled_by);
	free(ledger.settles);
	free(history.records);
	stackbook_close(book);
	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"resolve", NULL, "print the stack of each entry"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_page = {
    .name = "page",
    .operands = "RUN ADDR|PFN",
    .summary = "tell one page's life: each get with the put that settled it",
    .description = "ADDR is a physical or a kernel address, PFN a page frame number (0x80200 is the first of "
		   "the kernel).\n"
		   "Entries that nothing settled come again at the end, with their stacks.\n",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .run = page_run,
};
