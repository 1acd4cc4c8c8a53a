/* SPDX-License-Identifier: MIT */
/*
 * The text of /proc/audit, an example:
 *
 *   RAM 32768 = firmware 512 + image 96 + ... + pcp 0 + free 31000  OK
 *   audited 32256 pages, 410 objects, 0 parked, quiescent
 *   OVER 1  leaked reference: the count is above the holders found
 *   OVER pfn 0x80412 pagecache count 2 claims 1 cache inode 12 index 3 pid 4
 *     from 12345 1f000 ...
 *     now 22344 ...
 *   verdict: 1 findings
 *
 * OK is else "DIFFERS by N pages". The third line comes once for each verdict that occurred, what follows once for each finding
 * kept: `from` is the stack of the allocation, `now` of the event itself. The last line is else "clean" or "not quiescent".
 *
 * Addresses of frames are physical, since the kernel is linked at PHYS_OFFSET + physical: adding PHYS_OFFSET
 * gives what the ELF's symbols say.
 */
#include <kernel/arch.h>

#include "audit_priv.h"

/* What a holder's two numbers are called, by ref kind. */
static const struct {
	const char *id, *index;
} holder_names[REF_NR] = {
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many) [ev_value] = {ev_id, ev_index},
#include <kernel/ref_kinds.def>
#undef REF
};

static const char *const verdict_texts[VERDICT_NR] = {
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text) [ev_value] = ev_text,
#include <kernel/verdicts.def>
#undef VERDICT
};

static const char *const verdict_names[VERDICT_NR] = {
    "none",
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text) [ev_value] = #ev_verdict,
#include <kernel/verdicts.def>
#undef VERDICT
};

const char *verdict_name(enum verdict verdict)
{
	return (u32)verdict < VERDICT_NR ? verdict_names[verdict] : "?";
}

/* Where no claim names the holder, the kind tells what `owner` was set to at allocation. */
static enum ref_kind usual_ref(u8 kind)
{
	switch (kind) {
	case PK_PAGETABLE:
		return REF_TABLE;
	case PK_ANON:
		return REF_PTE;
	case PK_PAGECACHE:
		return REF_CACHE;
	case PK_KSTACK:
		return REF_KSTACK;
	default:
		return REF_OWNER;
	}
}

static void format_frames(struct text *text, const char *label, u32 stack)
{
	const u32 *frames;
	u32 nr = trace_stack_frames(stack, &frames);

	if (!nr)
		return;
	text_printf(text, "  %s", label);
	for (u32 i = 0; i < nr; i++)
		text_printf(text, " %x", frames[i]);
	text_printf(text, "\n");
}

static void format_holder(struct text *text, const struct finding *finding)
{
	enum ref_kind ref = finding->ref ? finding->ref : usual_ref(finding->kind);

	if (finding->kind == PK_PAGETABLE && ref == REF_TABLE) {
		text_printf(text, " table mm %u level %u ua 0x%lx", finding->owner_id,
			    finding->owner_index >> 27,
			    (unsigned long)(finding->owner_index & 0x7ffffff) << PAGE_SHIFT);
		return;
	}
	text_printf(text, " %s%s", finding->ref ? "" : "was ", ref_kind_name(ref));
	if (holder_names[ref].id[0])
		text_printf(text, " %s %u %s %u", holder_names[ref].id, finding->owner_id,
			    holder_names[ref].index, finding->owner_index);
}

static void format_finding(struct text *text, const struct finding *finding)
{
	text_printf(text, "%s ", verdict_name(finding->verdict));
	if (finding->verdict == VERDICT_IDENTITY) {
		text_printf(text, "the kinds in the page structs and the totals differ\n");
		return;
	}
	if (finding->verdict == VERDICT_INVARIANT) {
		text_printf(text, "%s: %s\n", finding->cache_name, finding->broken);
		return;
	}
	if (finding->is_object) {
		text_printf(text, "object 0x%lx cache %s", (unsigned long)finding->object,
			    finding->cache_name[0] ? finding->cache_name : "none");
		if (finding->is_counted)
			text_printf(text, " count %u claims %u", finding->count, finding->claims);
		if (finding->ref)
			format_holder(text, finding);
	} else {
		text_printf(text, "pfn 0x%x %s count %u claims %u", finding->pfn,
			    page_kind_name(finding->kind), finding->count, finding->claims);
		format_holder(text, finding);
	}
	text_printf(text, " pid %u\n", finding->pid);
	format_frames(text, "from", finding->stack);
	format_frames(text, "now", finding->stack2);
}

static void format_identity(const struct audit_result *result, struct text *text)
{
	const struct page_totals *totals = &result->totals;

	text_printf(text, "RAM %u = firmware %lu", nr_pages, (unsigned long)totals->nr_firmware);
	for (u32 kind = 1; kind < PK_NR; kind++)
		if (kind != PK_PCP)
			text_printf(text, " + %s %lu", page_kind_name(kind),
				    (unsigned long)totals->nr_by_kind[kind]);
	text_printf(text, " + pcp %lu + free %lu  ", (unsigned long)totals->nr_by_kind[PK_PCP],
		    (unsigned long)totals->nr_free);
	if (result->identity_difference)
		text_printf(text, "DIFFERS by %ld pages\n", (long)result->identity_difference);
	else
		text_printf(text, "OK\n");
}

void audit_print(const struct audit_result *result, const char *which)
{
	kprintf("%s: %u findings%s", which, result->nr_findings, result->quiet ? "" : ", not quiescent");
	for (u32 i = 1; i < VERDICT_NR; i++)
		if (result->nr_by_verdict[i])
			kprintf(", %s %u (%s)", verdict_name(i), result->nr_by_verdict[i], verdict_texts[i]);
	kprintf("\n");
}

void audit_format(const struct audit_result *result, struct text *text)
{
	format_identity(result, text);
	text_printf(text, "audited %u pages, %u objects, %u parked, %s\n", result->nr_pages,
		    result->nr_objects, result->nr_parked, result->quiet ? "quiescent" : "not quiescent");
	for (u32 i = 1; i < VERDICT_NR; i++)
		if (result->nr_by_verdict[i])
			text_printf(text, "%s %u  %s\n", verdict_name(i), result->nr_by_verdict[i],
				    verdict_texts[i]);
	for (u32 i = 0; i < result->nr_kept; i++)
		format_finding(text, &result->findings[i]);
	if (result->nr_findings > result->nr_kept)
		text_printf(text, "and %u more, not kept here: the trace has each of them\n",
			    result->nr_findings - result->nr_kept);
	if (!result->quiet)
		text_printf(text, "verdict: not quiescent\n");
	else if (result->nr_findings)
		text_printf(text, "verdict: %u findings\n", result->nr_findings);
	else
		text_printf(text, "verdict: clean\n");
}
