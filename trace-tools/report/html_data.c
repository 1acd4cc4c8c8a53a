/* SPDX-License-Identifier: MIT */
/* html_data: see html_data.h. */
#include "html_data.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "print.h"

#define FRAME_TEXT 512
/* Processes in the page, those that allocated most. */
#define PROCESSES_MAX 2000
/* Numbers of slab caches whose names are in the page: a kernel has some twenty. */
#define CACHES_MAX 1024

/* ---- writing ---- */

static void separate(struct page_data *data)
{
	if (!data->first)
		fputc(',', data->out);
	data->first = false;
}

void data_text(struct page_data *data, const char *text)
{
	separate(data);
	fputc('"', data->out);
	for (size_t bytes; *text; text += bytes ? bytes : 1) {
		unsigned char c = (unsigned char)*text;
		bytes = utf8_bytes(text);
		if (c < 32 || c == 127 || c == '"' || c == '\\' || c == '<')
			fprintf(data->out, "\\u%04x", c);
		else if (!bytes)
			fputs("\\ufffd", data->out);
		else
			fwrite(text, 1, bytes, data->out);
	}
	fputc('"', data->out);
}

void data_key(struct page_data *data, const char *key)
{
	data_text(data, key);
	fputc(':', data->out);
	data->first = true;
}

void data_open(struct page_data *data, const char *key, char bracket)
{
	if (key)
		data_key(data, key);
	separate(data);
	fputc(bracket, data->out);
	data->first = true;
}

void data_close(struct page_data *data, char bracket)
{
	fputc(bracket, data->out);
	if (bracket == '}')
		fputc('\n', data->out);
	data->first = false;
}

/* By hand, as a report has some hundred thousand of them. */
void data_int(struct page_data *data, int64_t value)
{
	char text[24];
	size_t at = sizeof(text);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		text[--at] = '-';
	if (!data->first)
		text[--at] = ',';
	data->first = false;
	fwrite(text + at, 1, sizeof(text) - at, data->out);
}

void data_stack(struct page_data *data, uint32_t id)
{
	if (id <= data->stacks->run->nr_stacks)
		data->wanted[id] = true;
	data_int(data, id);
}

void data_member(struct page_data *data, const char *key, int64_t value)
{
	data_key(data, key);
	data_int(data, value);
}

/* ---- stacks ---- */

/* Name, place and whether it is inlined, as one text. */
static const char *frame_text(const struct symbol_frame *frame, char text[FRAME_TEXT])
{
	char place[256];

	snprintf(text, FRAME_TEXT, "%.200s\t%s\t%s", frame->function,
		 frame_place(frame, place, sizeof(place)), frame->inlined ? "i" : "");
	return text;
}

void data_stacks(struct page_data *data)
{
	struct call_tree *tree = call_tree_new();
	char text[FRAME_TEXT];

	data_open(data, "stacks", '[');
	for (uint32_t id = 0; id <= data->stacks->run->nr_stacks; id++) {
		const struct stack_view *view = data->wanted[id] ? stack_table_get(data->stacks, id) : NULL;
		uint32_t node = 0, site = 0;
		for (uint32_t i = view ? view->nr : 0; i-- > 0;) {
			node = call_tree_make(tree, node,
					      call_tree_name(tree, frame_text(&view->frames[i], text)));
			site = i == (view->site < view->nr ? view->site : 0) ? node : site;
		}
		if (!node)
			continue;
		data_int(data, id);
		data_int(data, node);
		data_int(data, site);
	}
	data_close(data, ']');
	data_open(data, "frames", '[');
	for (size_t i = 0; i < tree->nr_names; i++)
		data_text(data, tree->names[i]);
	data_close(data, ']');
	data_open(data, "nodes", '[');
	for (size_t i = 0; i < tree->nr_nodes; i++) {
		data_int(data, tree->nodes[i].parent);
		data_int(data, tree->nodes[i].name);
	}
	data_close(data, ']');
	call_tree_free(tree);
}

/* ---- who did how much ---- */

static void put_series(struct page_data *data, const struct usage_series *series)
{
	uint32_t last = 0;

	data_open(data, NULL, '[');
	for (size_t i = 0; i < series->nr; i++) {
		const struct usage_entry *entry = &series->entries[i];
		data_int(data, entry->step - last);
		data_int(data, entry->allocated);
		data_int(data, entry->freed);
		last = entry->step;
	}
	data_close(data, ']');
}

/* Pages and objects of the leaks by allocation stack. */
static void count_leaks(const struct leaks *leaks, uint64_t *pages, uint64_t *objects, uint32_t nr)
{
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		uint32_t stack = item->alloc_stack < nr ? item->alloc_stack : 0;
		if (item->object)
			objects[stack]++;
		else
			pages[stack] += 1ULL << item->order;
	}
}

static void put_sites(struct page_data *data, const struct usage *usage)
{
	uint32_t nr;
	const struct site *sites = model_sites(data->leaks->model, &nr);
	uint64_t *pages = xcalloc(nr, sizeof(*pages)), *objects = xcalloc(nr, sizeof(*objects));

	count_leaks(data->leaks, pages, objects, nr);
	data_open(data, "sites", '[');
	for (uint32_t i = 0; i < nr; i++) {
		const struct site *site = &sites[i];
		if (!site->allocs && !site->object_allocs)
			continue;
		data_stack(data, i);
		const int64_t numbers[] = {(int64_t)site->pages_live,
					   (int64_t)site->pages_peak,
					   usage->sites[i].at_most,
					   (int64_t)site->allocs,
					   (int64_t)site->frees,
					   (int64_t)site->pages_allocated,
					   (int64_t)site->objects_live,
					   (int64_t)site->object_allocs,
					   site->object_allocs ? site->cache : -1,
					   (int64_t)pages[i],
					   (int64_t)objects[i]};
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			data_int(data, numbers[k]);
	}
	data_close(data, ']');
	data_open(data, "siteUses", '[');
	for (uint32_t i = 0; i < nr; i++) {
		if (sites[i].allocs || sites[i].object_allocs)
			put_series(data, &usage->sites[i]);
	}
	data_close(data, ']');
	free(pages);
	free(objects);
}

static void put_processes(struct page_data *data, const struct usage *usage)
{
	const struct model *model = data->leaks->model;
	size_t nr;
	struct process_row *rows = html_process_rows(data->leaks, usage, &nr);

	data_member(data, "processesLeftOut", nr > PROCESSES_MAX ? (int64_t)(nr - PROCESSES_MAX) : 0);
	nr = nr < PROCESSES_MAX ? nr : PROCESSES_MAX;
	data_open(data, "processes", '[');
	for (size_t i = 0; i < nr; i++) {
		const struct holder_life *life = model_process(model, (uint16_t)rows[i].pid);
		data_open(data, NULL, '[');
		data_int(data, rows[i].pid);
		data_text(data, life->name);
		data_int(data, (int64_t)life->born);
		data_int(data, life->alive ? 0 : (int64_t)life->died);
		data_int(data, (int64_t)rows[i].allocated);
		data_int(data, (int64_t)rows[i].live);
		data_int(data, (int64_t)rows[i].leaked);
		data_close(data, ']');
	}
	data_close(data, ']');
	data_open(data, "processUses", '[');
	for (size_t i = 0; i < nr; i++)
		put_series(data, &usage->pids[rows[i].pid]);
	data_close(data, ']');
	free(rows);
}

/* ---- time ---- */

static void put_tests(struct page_data *data)
{
	const struct model *model = data->leaks->model;
	int64_t offset = model_free_offset(model);
	char audit[40];
	size_t nr;
	const struct test_mark *tests = model_tests(model, &nr);

	data_open(data, "tests", '[');
	for (size_t i = 0; i < nr; i++) {
		const struct test_mark *test = &tests[i];
		data_open(data, NULL, '[');
		data_text(data, test->name);
		data_int(data, (int64_t)test->begin);
		data_int(data, (int64_t)test->end);
		data_int(data, test->net_begin + offset);
		data_int(data, test->net_after + offset);
		data_int(data, test_mark_findings(test));
		data_text(data, test_audit_text(test, audit));
		data_close(data, ']');
	}
	data_close(data, ']');
}

/* Steps that are alike are one number with how often: [value, times, ...]. */
struct repeats {
	struct page_data *data;
	int64_t value, times;
};

static void repeat(struct repeats *repeats, int64_t value)
{
	if (repeats->times && value == repeats->value) {
		repeats->times++;
		return;
	}
	if (repeats->times) {
		data_int(repeats->data, repeats->value);
		data_int(repeats->data, repeats->times);
	}
	repeats->value = value;
	repeats->times = 1;
}

static void put_curve(struct page_data *data, const struct curve *curve)
{
	data_open(data, "curve", '{');
	data_member(data, "begin", (int64_t)curve->begin);
	data_member(data, "span", (int64_t)curve->span);
	data_member(data, "steps", curve->nr);
	data_member(data, "booted", curve->booted);
	for (int which = 0; which < 3; which++) {
		struct repeats repeats = {.data = data};
		data_open(data, which == 0 ? "low" : which == 1 ? "high" : "last", '[');
		for (uint32_t i = 0; i < curve->nr; i++) {
			const struct curve_step *step = &curve->steps[i];
			repeat(&repeats, which == 0 ? step->low : which == 1 ? step->high : step->last);
		}
		repeat(&repeats, INT64_MIN);
		data_close(data, ']');
	}
	data_open(data, "kinds", '{');
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		struct repeats repeats = {.data = data};
		char key[8];
		if (!svg_kind_moves(kind) || !curve->most[kind])
			continue;
		snprintf(key, sizeof(key), "%u", kind);
		data_open(data, key, '[');
		for (uint32_t i = 0; i < curve->nr; i++)
			repeat(&repeats, curve->steps[i].kinds[kind]);
		repeat(&repeats, INT64_MIN);
		data_close(data, ']');
	}
	data_close(data, '}');
	data_close(data, '}');
}

/* ---- leaks, names ---- */

/* What leaked of one step, call site and process: so many pages, or objects. */
struct leaked {
	uint32_t step, stack, pid, object;
	uint64_t number;
};

static int compare_leaked(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct leaked, number));
}

/* The step that a time is in. */
static uint32_t step_at(const struct usage *usage, uint64_t time)
{
	size_t low = 0, high = usage->nr_steps;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (usage->starts[middle] <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)(low ? low - 1 : 0);
}

/* All of it, as the sums of a selection must be those of the verdict; what is alike is one entry. */
static void put_leaks(struct page_data *data, const struct found_list *list, const struct usage *usage)
{
	const struct leaks *leaks = data->leaks;
	struct leaked *all = xcalloc(leaks->nr_items + 1, sizeof(*all));

	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		all[i] = (struct leaked){.step = step_at(usage, item->get_time),
					 .stack = item->alloc_stack,
					 .pid = item->get_pid,
					 .object = item->object,
					 .number = item->object ? 1 : 1ULL << item->order};
	}
	qsort(all, leaks->nr_items, sizeof(*all), compare_leaked);
	data_open(data, "leaks", '[');
	for (size_t i = 0, next; i < leaks->nr_items; i = next) {
		uint64_t sum = 0;
		for (next = i; next < leaks->nr_items && !compare_leaked(&all[i], &all[next]); next++)
			sum += all[next].number;
		data_int(data, all[i].step);
		data_stack(data, all[i].stack);
		data_int(data, all[i].pid);
		data_int(data, all[i].object);
		data_int(data, (int64_t)sum);
	}
	data_close(data, ']');
	free(all);
	data_open(data, "groupFindings", '[');
	for (size_t g = 0; g < leaks->nr_groups; g++)
		data_int(data, found_of_group(list, leaks, g) - list->all + 1);
	data_close(data, ']');
}

static void put_names(struct page_data *data)
{
	data_open(data, "kinds", '[');
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		data_text(data, page_kind_text(kind));
		data_text(data, kind_colour(kind));
	}
	data_close(data, ']');
	data_open(data, "refs", '[');
	for (uint32_t ref = 0; ref < REF_NR; ref++) {
		data_text(data, ref_kind_text(ref));
		data_text(data, ref == REF_NONE || ref == REF_BOOT ? "" : ref_holder_text(ref));
		data_text(data, ref_index_text(ref));
	}
	data_close(data, ']');
	data_open(data, "events", '[');
	for (uint32_t event = 0; event < EVENT_ID_MAX; event++)
		data_text(data, event_info(event) ? event_info(event)->name : "");
	data_close(data, ']');
	data_open(data, "caches", '{');
	for (uint32_t cache = 0; cache < CACHES_MAX; cache++) {
		char key[8];
		if (!model_cache(data->leaks->model, (uint16_t)cache)->known)
			continue;
		snprintf(key, sizeof(key), "%u", cache);
		data_key(data, key);
		data_text(data, model_cache(data->leaks->model, (uint16_t)cache)->name);
	}
	data_close(data, '}');
}

static void put_about(struct page_data *data, const struct usage *usage)
{
	const struct model *model = data->leaks->model;
	const struct run *run = model_run(model);

	data_key(data, "run");
	data_text(data, run->folder);
	data_member(data, "hz", TIME_HZ);
	data_member(data, "begin", (int64_t)model_totals(model)->first_time);
	data_member(data, "end", (int64_t)model_totals(model)->last_time);
	data_member(data, "watched", run->watched);
	data_member(data, "complete", run_complete(run));
	data_member(data, "mostTime", (int64_t)usage->most_time);
	data_open(data, "steps", '[');
	uint64_t last = 0;
	for (size_t i = 0; i < usage->nr_steps; i++) {
		data_int(data, (int64_t)(usage->starts[i] - last));
		last = usage->starts[i];
	}
	data_close(data, ']');
}

void html_data(FILE *out, const struct leaks *leaks, const struct found_list *list,
	       const struct html_pictures *pictures, const struct map_lives *chosen)
{
	struct page_data data = {.out = out, .first = true, .leaks = leaks, .stacks = leaks->stacks};

	data.wanted = xcalloc(leaks->stacks->run->nr_stacks + 1, sizeof(*data.wanted));
	fputs("<script type=\"application/json\" id=\"data\">", out);
	data_open(&data, NULL, '{');
	put_about(&data, &pictures->usage);
	put_names(&data);
	put_tests(&data);
	put_curve(&data, &pictures->curve);
	put_leaks(&data, list, &pictures->usage);
	put_sites(&data, &pictures->usage);
	put_processes(&data, &pictures->usage);
	if (chosen)
		map_data(&data, chosen);
	data_stacks(&data);
	data_close(&data, '}');
	fputs("</script>\n", out);
	free(data.wanted);
}
