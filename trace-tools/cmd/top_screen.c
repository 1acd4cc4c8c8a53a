/* SPDX-License-Identifier: MIT */
/* top_screen: what `pagetrail top` shows, as text and as JSON. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/elf_file.h"
#include "base/json.h"
#include "base/text.h"
#include "command.h"
#include "report/print.h"
#include "top.h"

#define BAR_CELLS 24
#define KIND_CELL 29 /* columns of one kind, with what changed and the space behind it */
#define KINDS_IN_LINE 3
#define COLUMNS_UNBOUND 100  /* where there is no terminal */
#define COLUMNS_FOR_BAR 72   /* narrower, and there is none */
#define COLUMNS_FOR_RATES 64 /* narrower, and call sites have one rate, of pages and objects */
#define LABEL_COLUMNS 8
#define FRAMES_MAX 64
/* Callers named on a site's line, as far as the line goes. */
#define CALLERS_MAX 6

static const char *const state_texts[] = {
    [FOLLOW_WAITING] = "waiting for a trace", [FOLLOW_RUNNING] = "running", [FOLLOW_ENDED] = "ended"};

/* What ended it before its time; NULL: nothing, or it goes on. */
static const char *early_end(const struct top *top)
{
	const struct follow *follow = &top->follow;

	if (top->state != FOLLOW_ENDED)
		return NULL;
	return follow->interrupted ? "interrupted" : follow->cut_short[0] ? follow->cut_short : NULL;
}

bool top_complete(const struct top *top)
{
	return !follow_discarded(&top->follow) && !follow_missing(&top->follow) &&
	       !follow_damaged(&top->follow) && !top->manifest_bad;
}

bool top_tells(const struct top *top)
{
	return top->counters.nr_events && top_complete(top);
}

/* Seconds that the rates are about: the machine's own. */
static double span(const struct top *top)
{
	return time_seconds(live_counters_ticks(&top->counters));
}

static double rate(const struct top *top, uint64_t now, uint64_t before)
{
	return span(top) > 0 ? (double)(now - before) / span(top) : 0;
}

/* What the metadata says, from when they are there. */
static void read_env(struct top *top)
{
	char *metadata = xasprintf("%s/metadata", top->follow.trace_folder);

	if (!top->env_known && file_is_regular(metadata)) {
		metadata_env(metadata, &top->env);
		top->env_known = true;
	}
	free(metadata);
}

/* ---- call sites ---- */

struct row {
	uint32_t stack;
	uint64_t fresh, total;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->fresh != right->fresh)
		return left->fresh > right->fresh ? -1 : 1;
	if (left->total != right->total)
		return left->total > right->total ? -1 : 1;
	return left->stack < right->stack ? -1 : left->stack > right->stack;
}

/* The hottest first. Caller frees. */
static struct row *hottest(const struct top *top, size_t *nr)
{
	const struct live_counters *counters = &top->counters;
	struct row *rows = xcalloc(counters->nr_sites, sizeof(*rows));

	*nr = 0;
	for (uint32_t i = 0; i < counters->nr_sites; i++) {
		const struct live_counters_site *site = &counters->sites[i];
		uint64_t total = site->pages + site->objects;
		if (total)
			rows[(*nr)++] =
			    (struct row){i, total - site->pages_before - site->objects_before, total};
	}
	if (*nr)
		qsort(rows, *nr, sizeof(*rows), compare_rows);
	return rows;
}

/* The kernel that runs, by the metadata, since run.json comes at the end. What is not known is taken for the right one. */
static struct symbols *open_symbols(const struct top *top)
{
	const struct trace_env *env = &top->env;
	char id[BUILD_ID_TEXT], *problem;
	char *path =
	    xasprintf("%s/kernel/%s", top->follow.folder, env->watched ? "kernel.elf" : "pagetrail.elf");
	bool right = top->force_symbols || (!elf_file_build_id(path, id, sizeof(id)) &&
					    (!env->build_id[0] || !strcmp(env->build_id, id)));
	struct symbols *symbols = symbols_open(right ? path : NULL, &problem);
	if (env->watched)
		symbols_set_foreign(symbols, env->stack_base);
	free(path);
	free(problem);
	return symbols;
}

/* "insert_new < pagecache_get < page_for_write" */
static char *site_text(struct top *top, uint32_t stack)
{
	struct symbol_frame frames[FRAMES_MAX];
	struct trace_stack record;
	struct text_buffer buffer;

	if (!follow_stack(&top->follow, stack, &record))
		return xstrdup("(no stack)");
	if (!top->symbols)
		top->symbols = open_symbols(top);
	size_t nr = symbols_expand(top->symbols, record.frames, record.nr_frames, frames, FRAMES_MAX);
	size_t site = symbols_site(top->symbols, frames, nr);
	FILE *out = text_begin(&buffer);
	size_t first = site < nr ? site : 0;
	for (size_t i = first; i < nr && i < first + CALLERS_MAX; i++) {
		if (i > first && symbols_is_entry(&frames[i]))
			break;
		fprintf(out, "%s%s", i > first ? " < " : "", frames[i].function);
	}
	return text_end(&buffer);
}

/* ---- text ---- */

/*
 * How lines are written. On a terminal none is wider than it is: what names a call site is cut, what has a count in it goes on in the next
 * line, since a count that is cut is another count. What stands behind a line on the screen is wiped out.
 */
struct page {
	const struct top *top;
	FILE *out;
	uint32_t nr_lines;
};

#define PLAIN ""
#define BOLD "\033[1m"
#define ALARM "\033[1;31m"

static uint32_t columns_of(const struct page *page)
{
	return page->top->terminal ? page->top->columns : COLUMNS_UNBOUND;
}

/* The first `bytes` of the text, as one line of the screen, behind so many blanks. */
static void put_line(struct page *page, const char *style, uint32_t blanks, const char *text, size_t bytes)
{
	if (page->top->plain)
		style = PLAIN;
	if (page->top->terminal && page->nr_lines + 1 >= page->top->rows)
		return;
	while (bytes && text[bytes - 1] == ' ')
		bytes--;
	if (page->top->terminal)
		fprintf(page->out, "%s%*s%.*s%s\033[K\n", style, (int)blanks, "", (int)bytes, text,
			*style ? "\033[0m" : "");
	else
		fprintf(page->out, "%.*s\n", (int)bytes, text);
	page->nr_lines++;
}

/* How much of the text fits: to a blank, where there is one. */
static size_t fitting(const char *text, size_t columns)
{
	size_t bytes = strlen(text), at = columns;

	if (bytes <= columns)
		return bytes;
	while (at && text[at] != ' ')
		at--;
	return at ? at : columns;
}

static char *vformat(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory");
	return text;
}

/* Cut to the terminal. */
static void line(struct page *page, const char *style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void line(struct page *page, const char *style, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = vformat(fmt, args);
	va_end(args);
	size_t bytes = strlen(text), columns = columns_of(page);
	put_line(page, style, 0, text, page->top->terminal && bytes > columns ? columns : bytes);
	free(text);
}

/* "label   what is to be said", going on below its beginning where it is wider than the terminal. */
static void fact(struct page *page, const char *style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void fact(struct page *page, const char *style, const char *fmt, ...)
{
	va_list args;
	uint32_t blanks = 0;

	va_start(args, fmt);
	char *text = vformat(fmt, args);
	va_end(args);
	const char *at = text;
	do {
		size_t bytes = page->top->terminal ? fitting(at, columns_of(page) - blanks) : strlen(at);
		put_line(page, style, blanks, at, bytes);
		at += bytes + strspn(at + bytes, " ");
		blanks = columns_of(page) > 2 * LABEL_COLUMNS ? LABEL_COLUMNS : 0;
	} while (*at);
	free(text);
}

/* Where nothing is missing: pages that are held; -1: not known. */
static int64_t held_pages(const struct top *top)
{
	int64_t held = 0;

	for (uint32_t kind = 1; kind < PK_NR; kind++)
		held += top->counters.kinds[kind];
	return top_complete(top) ? held : -1;
}

/*
 * -1: not known. The kernel's own samples give the level; a watched kernel has none, but its boot frees every page that there is: what
 * was freed and not allocated again is free.
 */
static int64_t free_pages_of(const struct top *top)
{
	if (!top_complete(top))
		return -1;
	return top->env.watched ? top->counters.kinds[PK_FREE] : live_counters_free_pages(&top->counters);
}

static void draw_bar(char bar[BAR_CELLS + 5], int64_t free_pages, int64_t held)
{
	int64_t all = free_pages + held, cells = all > 0 ? held * BAR_CELLS / all : 0;

	strcpy(bar, "  [");
	for (int64_t i = 0; i < BAR_CELLS; i++)
		bar[3 + i] = i < cells ? '#' : '-';
	strcpy(bar + 3 + BAR_CELLS, "]");
}

static void draw_free(struct page *page)
{
	const struct top *top = page->top;
	const struct live_counters *counters = &top->counters;
	int64_t free_pages = free_pages_of(top), held = held_pages(top);
	char bytes[24], bar[BAR_CELLS + 5] = "";

	if (!top_complete(top) && counters->sampled) {
		fact(page, BOLD, "free    %u page%s at the last sample; no count is exact over losses",
		     counters->newest.free_pages, plural_s(counters->newest.free_pages));
		return;
	}
	if (free_pages < 0) {
		fact(page, PLAIN, "free    not known%s",
		     top_complete(top) ? " yet: no sample was taken" : ": events are missing");
		return;
	}
	if (columns_of(page) >= COLUMNS_FOR_BAR)
		draw_bar(bar, free_pages, held);
	fact(page, BOLD, "free    %" PRId64 " page%s, %s%s  held %" PRId64, free_pages, plural_s(free_pages),
	     bytes_text((uint64_t)free_pages * PAGE_BYTES, bytes), bar, held);
	if (counters->sampled)
		fact(page, PLAIN, "        at the last sample: %u parked, %u cached, %u dirty",
		     counters->newest.pcp_pages, counters->newest.cache_pages, counters->newest.dirty_pages);
}

static void draw_events(struct page *page)
{
	const struct live_counters *counters = &page->top->counters;

	fact(page, PLAIN, "events  %" PRIu64 ", %.0f a second", counters->nr_events,
	     rate(page->top, counters->nr_events, counters->events_before));
	if (counters->mark[0])
		fact(page, PLAIN, "test    %s%s", counters->mark, counters->mark_open ? "" : ", over");
	if (counters->audit_time)
		fact(page, counters->audit_findings ? ALARM : PLAIN, "audit   %u finding%s at %.3f s",
		     counters->audit_findings, plural_s(counters->audit_findings),
		     time_seconds(counters->audit_time));
	if (counters->ooms)
		fact(page, ALARM, "memory  out %" PRIu64 " time%s", counters->ooms, plural_s(counters->ooms));
	if (counters->panic[0])
		fact(page, ALARM, "PANIC   %s", counters->panic);
}

static void draw_losses(struct page *page)
{
	const struct follow *follow = &page->top->follow;

	if (top_complete(page->top))
		fact(page, PLAIN, "losses  none");
	if (follow_discarded(follow) || follow_missing(follow))
		fact(page, ALARM, "LOSSES  %" PRIu64 " event%s discarded, %" PRIu64 " packet%s missing",
		     follow_discarded(follow), plural_s(follow_discarded(follow)), follow_missing(follow),
		     plural_s(follow_missing(follow)));
	if (page->top->manifest_bad)
		fact(page, ALARM, "DAMAGE  run.json cannot be used");
	for (uint32_t i = 0; i < follow->nr_files; i++) {
		const struct follow_file *file = &follow->files[i];
		if (file->chain.starts_late)
			fact(page, ALARM, "LOSSES  the beginning of hart%u is missing", file->hart);
		if (file->fault)
			fact(page, ALARM, "DAMAGE  hart%u at offset %" PRIu64 ": %s", file->hart,
			     file->offset, file->fault);
	}
}

/* Over losses they are not known, and the pages of a watched kernel have no kinds. */
static bool kinds_known(const struct top *top)
{
	return top_complete(top) && !top->env.watched;
}

static void draw_kinds(struct page *page)
{
	const struct live_counters *counters = &page->top->counters;
	char text[(KIND_CELL + 4) * KINDS_IN_LINE] = "";
	uint32_t cells = 0, most = columns_of(page) / KIND_CELL;

	if (!kinds_known(page->top))
		return;
	line(page, PLAIN, "%s", "");
	line(page, BOLD, "pages by kind, and what changed");
	for (uint32_t kind = 1; kind < PK_NR; kind++) {
		int64_t change =
		    counters->time_before ? counters->kinds[kind] - counters->kinds_before[kind] : 0;
		char changed[16] = "";
		if (!counters->kinds[kind] && !change)
			continue;
		if (change)
			snprintf(changed, sizeof(changed), "%+" PRId64, change);
		size_t used = strlen(text);
		snprintf(text + used, sizeof(text) - used, "%-10s%8" PRId64 " %-8s  ", page_kind_text(kind),
			 counters->kinds[kind], changed);
		if (++cells >= (most < KINDS_IN_LINE ? most : KINDS_IN_LINE)) {
			line(page, PLAIN, "%s", text);
			cells = 0;
			text[0] = 0;
		}
	}
	if (cells)
		line(page, PLAIN, "%s", text);
}

static void draw_sites(struct page *page, struct top *top)
{
	const struct live_counters *counters = &top->counters;
	size_t nr;
	struct row *rows = hottest(top, &nr);

	bool narrow = columns_of(page) < COLUMNS_FOR_RATES;
	const char *taken = top_complete(top) ? "taken" : "seen"; /* of what is missing some was taken, too */
	line(page, PLAIN, "%s", "");
	if (narrow)
		line(page, BOLD, "%9s  %s", "a second", "call site");
	else
		line(page, BOLD, "%9s %9s %10s  %s", "pages/s", "objects/s", taken, "call site");
	for (size_t i = 0; i < nr && i < top->nr_sites; i++) {
		const struct live_counters_site *site = &counters->sites[rows[i].stack];
		if (top->terminal && page->nr_lines + 1 >= top->rows)
			break; /* there is no room for it: do not look for its symbols */
		char *text = site_text(top, rows[i].stack);
		double pages = rate(top, site->pages, site->pages_before),
		       objects = rate(top, site->objects, site->objects_before);
		if (narrow)
			line(page, PLAIN, "%9.1f  %s", pages + objects, text);
		else
			line(page, PLAIN, "%9.1f %9.1f %10" PRIu64 "  %s", pages, objects, rows[i].total,
			     text);
		free(text);
	}
	free(rows);
}

void top_draw(struct top *top, FILE *out)
{
	struct page page = {.top = top, .out = out};
	char time[24];

	read_env(top);
	const char *early = early_end(top);
	fact(&page, BOLD, "pagetrail top: %s%s%s, %s s  %s", state_texts[top->state],
	     early ? " before its time: " : "", early ? early : "", time_text(top->counters.last_time, time),
	     top->follow.folder);
	draw_free(&page);
	draw_events(&page);
	draw_losses(&page);
	if (!top->counters.nr_events)
		return;
	draw_kinds(&page);
	draw_sites(&page, top);
}

/* ---- JSON ---- */

static void json_site(struct json *json, struct top *top, const struct row *row)
{
	const struct live_counters_site *site = &top->counters.sites[row->stack];
	char *text = site_text(top, row->stack);

	json_open(json, NULL, '{');
	json_string(json, "site", text);
	json_int(json, "stack", row->stack);
	json_int(json, "pages", (int64_t)site->pages);
	json_int(json, "objects", (int64_t)site->objects);
	json_real(json, "pages_per_second", rate(top, site->pages, site->pages_before));
	json_real(json, "objects_per_second", rate(top, site->objects, site->objects_before));
	json_close(json, '}');
	free(text);
}

void top_json(struct top *top, FILE *out)
{
	const struct live_counters *counters = &top->counters;
	struct json json;
	size_t nr;

	read_env(top);
	json_begin_command(&json, out, "top", top_tells(top) ? "complete" : "cannot tell");
	json_string(&json, "state", top->state == FOLLOW_WAITING ? "waiting" : state_texts[top->state]);
	json_string(&json, "early_end", early_end(top));
	json_real(&json, "time", time_seconds(counters->last_time));
	json_int(&json, "events", (int64_t)counters->nr_events);
	json_int(&json, "free_pages", free_pages_of(top));
	json_int(&json, "held_pages", held_pages(top));
	json_int(&json, "events_discarded", (int64_t)follow_discarded(&top->follow));
	json_int(&json, "packets_missing", (int64_t)follow_missing(&top->follow));
	json_string(&json, "test", counters->mark_open ? counters->mark : NULL);
	json_int(&json, "findings", counters->audit_findings);
	json_string(&json, "panic", counters->panic[0] ? counters->panic : NULL);
	json_open(&json, "kinds", '{');
	for (uint32_t kind = 1; kind < PK_NR && kinds_known(top); kind++)
		json_int(&json, page_kind_text(kind), counters->kinds[kind]);
	json_close(&json, '}');
	json_open(&json, "sites", '[');
	struct row *rows = hottest(top, &nr);
	for (size_t i = 0; i < nr && i < top->nr_sites; i++)
		json_site(&json, top, &rows[i]);
	free(rows);
	json_close(&json, ']');
	json_end(&json);
}
