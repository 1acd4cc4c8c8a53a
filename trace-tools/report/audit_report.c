/* SPDX-License-Identifier: MIT */
/*
 * audit_report: see audit_report.h. First the verdict, then what it rests on, then the pages that nothing holds, by where
 * they were allocated, then other findings, then who holds the rest.
 */
#include "audit_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"
#include "ranges.h"

#define PAGES_SHOWN 16 /* of one group */
#define HOLDERS_SHOWN 12
#define HOLDER_BYTES 160

/* ---- the head ---- */

static void print_verdict(const struct ram_audit *audit, FILE *out)
{
	uint64_t leaked = audit->nr_by_verdict[PAGE_LEAKED], nr_faults = 0;

	for (int fault = 0; fault < AUDIT_FAULTS; fault++)
		nr_faults += audit->nr_by_fault[fault];
	if (leaked)
		fprintf(out, "%sLEAKED: %" PRIu64 " page%s: allocated, not free, and nothing points to %s\n",
			audit->status == STATUS_LEAKED ? "" : "POSSIBLY ", leaked, plural_s(leaked),
			leaked == 1 ? "it" : "them");
	else if (audit->status == STATUS_OK)
		fprintf(out, "no leaks: every page that is not free is held\n");
	else if (!nr_faults)
		fprintf(out, "No leak was found, but that is not certain; the reasons follow.\n");
	for (int fault = 0; fault < AUDIT_FAULTS; fault++) {
		if (audit->nr_by_fault[fault])
			fprintf(out, "BROKEN: %s: %" PRIu64 " time%s\n", audit_fault_text(fault),
				audit->nr_by_fault[fault], plural_s(audit->nr_by_fault[fault]));
	}
}

void audit_report_ground(const struct ram_audit *audit, FILE *out)
{
	fprintf(out,
		"%" PRIu64 " page%s %s the allocator's: %" PRIu64 " free, %" PRIu64 " held, %" PRIu64
		" leaked, %" PRIu64 " uncertain\n",
		audit->nr_managed, plural_s(audit->nr_managed), plural(audit->nr_managed, "is", "are"),
		audit->nr_by_verdict[PAGE_FREE], audit->nr_by_verdict[PAGE_HELD],
		audit->nr_by_verdict[PAGE_LEAKED], audit->nr_by_verdict[PAGE_UNCERTAIN]);
	if (audit->checked && !audit->nr_only_listed && !audit->nr_only_trace)
		fprintf(out, "self-check: the pages that are free in the trace are those of the kernel's "
			     "free lists\n");
	if (audit->counts_checked && !audit->nr_counts_differ)
		fprintf(out,
			"self-check: the counts of %" PRIu64
			" live pages are the same in the trace and in RAM\n",
			audit->nr_counts_equal);
	if (audit->nr_processes) {
		fprintf(out, "%zu process%s:", audit->nr_processes, audit->nr_processes == 1 ? "" : "es");
		for (size_t i = 0; i < audit->nr_processes; i++) {
			const struct process_view *process = &audit->processes[i];
			fprintf(out, "%s %" PRIu64 " (%s) ", i ? "," : "", process->pid, process->name);
			if (process->state_name)
				fprintf(out, "%s", process->state_name);
			else
				fprintf(out, "state %" PRIu64, process->state);
		}
		fputc('\n', out);
	} else if (audit->pages && !kd_item(audit->kernel->kd, KD_PROCS, 0)) {
		fprintf(out, "no table of processes is described: whether one runs is not known\n");
	}
	for (size_t i = 0; i < audit->nr_reasons; i++)
		fprintf(out, "%s %s\n", i ? "            " : "not certain:", audit->reasons[i]);
	if (!audit->quiescent)
		fprintf(out, "hint: end QEMU only when the prompt has been back for a moment: then every "
			     "process is done\n");
}

/* ---- leaked and uncertain pages ---- */

struct row {
	uint32_t page, stack;
	const char *why;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->why != right->why)
		return strcmp(left->why ? left->why : "", right->why ? right->why : "");
	if (left->stack != right->stack)
		return left->stack < right->stack ? -1 : 1;
	return left->page < right->page ? -1 : left->page > right->page;
}

static bool same_group(const struct row *a, const struct row *b)
{
	return a->stack == b->stack && !strcmp(a->why ? a->why : "", b->why ? b->why : "");
}

static void print_group(const struct ram_audit *audit, struct stack_table *stacks, const struct row *rows,
			size_t nr, FILE *out)
{
	char text[HOLDER_BYTES];

	fprintf(out, "\n%zu page%s", nr, plural_s(nr));
	if (rows->why)
		fprintf(out, " uncertain: %s", rows->why);
	else
		fprintf(out, " leaked");
	if (rows->stack && stacks)
		fprintf(out, ", allocated by %s", stack_table_function(stacks, rows->stack));
	fputc('\n', out);
	if (rows->stack && stacks)
		stack_table_print(stacks, rows->stack, "      ", out);
	for (size_t i = 0; i < nr && i < PAGES_SHOWN; i++) {
		const struct audited_page *page = &audit->pages[rows[i].page];
		fprintf(out, "    page 0x%" PRIx64, ram_audit_pa(audit, rows[i].page));
		if (page->ghost.kind)
			fprintf(out, ", once %s", ram_audit_holder(&page->ghost, text, sizeof(text)));
		fputc('\n', out);
	}
	if (nr > PAGES_SHOWN)
		fprintf(out, "    and %zu more (--json lists all)\n", nr - PAGES_SHOWN);
}

static void print_pages(const struct ram_audit *audit, struct stack_table *stacks, enum page_verdict verdict,
			FILE *out)
{
	struct row *rows = xcalloc(audit->nr_by_verdict[verdict] + 1, sizeof(*rows));
	size_t nr = 0;

	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		if (audit->pages[i].verdict == verdict)
			rows[nr++] = (struct row){i, ram_audit_stack(audit, i), audit->pages[i].why};
	}
	if (nr)
		qsort(rows, nr, sizeof(*rows), compare_rows);
	for (size_t from = 0, to; from < nr; from = to) {
		for (to = from + 1; to < nr && same_group(&rows[from], &rows[to]); to++)
			continue;
		print_group(audit, stacks, rows + from, to - from, out);
	}
	free(rows);
}

void audit_report_findings(const struct ram_audit *audit, FILE *out)
{
	int before = -1;

	for (size_t i = 0; i < audit->nr_kept; i++) {
		const struct audit_finding *finding = &audit->findings[i];
		if ((int)finding->fault != before)
			fprintf(out, "\n%s (%s)\n", audit_fault_text(finding->fault),
				audit_fault_id(finding->fault));
		before = (int)finding->fault;
		if (finding->pa)
			fprintf(out, "    page 0x%" PRIx64 ": %s\n", finding->pa, finding->text);
		else
			fprintf(out, "    %s\n", finding->text);
	}
}

/* ---- who holds the rest ---- */

struct held {
	const char *name;
	uint64_t tables, leaves, others;
};

/* "proc[3]" of "proc[3].ofile[0]": what stands for one line. HOLD_PAGE has no name: pages that other pages hold. */
static size_t short_name(const char *name)
{
	return name ? strcspn(name, ".") : 0;
}

static struct held *held_of(struct held *list, size_t *nr, const char *name, size_t max)
{
	for (size_t i = 0; i < *nr; i++) {
		if (short_name(list[i].name) == short_name(name) &&
		    (!name || !strncmp(list[i].name, name, short_name(name))))
			return &list[i];
	}
	if (*nr == max)
		return &list[max - 1];
	list[*nr] = (struct held){.name = name};
	return &list[(*nr)++];
}

static int compare_held(const void *a, const void *b)
{
	const struct held *left = a, *right = b;
	uint64_t nr_left = left->tables + left->leaves + left->others,
		 nr_right = right->tables + right->leaves + right->others;

	return nr_left > nr_right ? -1 : nr_left < nr_right;
}

static void print_held(const struct ram_audit *audit, FILE *out)
{
	size_t max = 4096, nr = 0;
	struct held *list = xcalloc(max, sizeof(*list));

	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		const struct audited_page *page = &audit->pages[i];
		if (page->verdict != PAGE_HELD)
			continue;
		struct held *held = held_of(list, &nr, page->holder.name, max);
		held->tables += page->holder.kind == HOLD_TABLE || page->holder.kind == HOLD_ROOT;
		held->leaves += page->holder.kind == HOLD_LEAF;
		held->others += page->holder.kind > HOLD_LEAF;
	}
	if (nr) {
		qsort(list, nr, sizeof(*list), compare_held);
		fputs("\nheld\n", out);
	}
	for (size_t i = 0; i < nr && i < HOLDERS_SHOWN; i++) {
		const struct held *held = &list[i];
		fprintf(out, "    %-24.*s", held->name ? (int)short_name(held->name) : 5,
			held->name ? held->name : "pages");
		fprintf(out, " %" PRIu64 " mapped, %" PRIu64 " page tables, %" PRIu64 " by pointers\n",
			held->leaves, held->tables, held->others);
	}
	if (nr > HOLDERS_SHOWN)
		fprintf(out, "    and %zu more holder%s (--all lists each page)\n", nr - HOLDERS_SHOWN,
			plural_s(nr - HOLDERS_SHOWN));
	free(list);
}

static void print_each(const struct ram_audit *audit, FILE *out)
{
	char text[HOLDER_BYTES];

	fputc('\n', out);
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		const struct audited_page *page = &audit->pages[i];
		if (!page->managed)
			continue;
		fprintf(out, "0x%" PRIx64 " %s", ram_audit_pa(audit, i), page_verdict_text(page->verdict));
		if (page->verdict == PAGE_HELD)
			fprintf(out, " by %s", ram_audit_holder(&page->holder, text, sizeof(text)));
		fputc('\n', out);
	}
}

void audit_report_print(const struct ram_audit *audit, struct stack_table *stacks, bool all, FILE *out)
{
	print_verdict(audit, out);
	audit_report_ground(audit, out);
	if (!audit->pages)
		return;
	print_pages(audit, stacks, PAGE_LEAKED, out);
	print_pages(audit, stacks, PAGE_UNCERTAIN, out);
	audit_report_findings(audit, out);
	if (all)
		print_each(audit, out);
	else
		print_held(audit, out);
}

/* ---- JSON ---- */

static void json_holder(struct json *json, const char *key, const struct page_holder *holder)
{
	char text[HOLDER_BYTES];

	json_string(json, key, holder->kind ? ram_audit_holder(holder, text, sizeof(text)) : NULL);
}

static void json_pages(struct json *json, const struct ram_audit *audit, struct stack_table *stacks)
{
	json_open(json, "pages", '[');
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		const struct audited_page *page = &audit->pages[i];
		if (page->verdict == PAGE_UNMANAGED || page->verdict == PAGE_FREE)
			continue;
		uint32_t stack = ram_audit_stack(audit, i);
		json_open(json, NULL, '{');
		json_int(json, "pa", (int64_t)ram_audit_pa(audit, i));
		json_string(json, "verdict", page_verdict_text(page->verdict));
		json_holder(json, "held_by", &page->holder);
		json_holder(json, "once_held_by", &page->ghost);
		json_string(json, "why", page->why);
		json_string(json, "allocated_by",
			    stack && stacks ? stack_table_function(stacks, stack) : NULL);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_processes(struct json *json, const struct ram_audit *audit)
{
	json_open(json, "processes", '[');
	for (size_t i = 0; i < audit->nr_processes; i++) {
		const struct process_view *process = &audit->processes[i];
		json_open(json, NULL, '{');
		json_int(json, "slot", process->slot);
		json_int(json, "pid", (int64_t)process->pid);
		json_string(json, "name", process->name);
		json_string(json, "state", process->state_name);
		json_bool(json, "asleep", process->asleep);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void audit_report_json(const struct ram_audit *audit, struct stack_table *stacks, FILE *out)
{
	static const char *const verdicts[] = {"no leaks", "leaked", "cannot tell"};
	struct json json;

	json_begin_command(&json, out, "audit", verdicts[audit->status]);
	json_int(&json, "managed", (int64_t)audit->nr_managed);
	json_int(&json, "free", (int64_t)audit->nr_by_verdict[PAGE_FREE]);
	json_int(&json, "held", (int64_t)audit->nr_by_verdict[PAGE_HELD]);
	json_int(&json, "leaked", (int64_t)audit->nr_by_verdict[PAGE_LEAKED]);
	json_int(&json, "uncertain", (int64_t)audit->nr_by_verdict[PAGE_UNCERTAIN]);
	json_bool(&json, "free_checked", audit->checked);
	json_int(&json, "free_only_listed", (int64_t)audit->nr_only_listed);
	json_int(&json, "free_only_in_trace", (int64_t)audit->nr_only_trace);
	json_bool(&json, "counts_checked", audit->counts_checked);
	json_int(&json, "counts_equal", (int64_t)audit->nr_counts_equal);
	json_int(&json, "counts_differ", (int64_t)audit->nr_counts_differ);
	json_int(&json, "counts_untold", (int64_t)audit->nr_counts_untold);
	json_bool(&json, "quiescent", audit->quiescent);
	json_open(&json, "reasons", '[');
	for (size_t i = 0; i < audit->nr_reasons; i++)
		json_string(&json, NULL, audit->reasons[i]);
	json_close(&json, ']');
	json_processes(&json, audit);
	json_open(&json, "faults", '{');
	for (int fault = 0; fault < AUDIT_FAULTS; fault++) {
		if (audit->nr_by_fault[fault])
			json_int(&json, audit_fault_id(fault), (int64_t)audit->nr_by_fault[fault]);
	}
	json_close(&json, '}');
	json_open(&json, "findings", '[');
	for (size_t i = 0; i < audit->nr_kept; i++) {
		json_open(&json, NULL, '{');
		json_string(&json, "fault", audit_fault_id(audit->findings[i].fault));
		json_int(&json, "pa", (int64_t)audit->findings[i].pa);
		json_string(&json, "text", audit->findings[i].text);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_pages(&json, audit, stacks);
	json_end(&json);
}
