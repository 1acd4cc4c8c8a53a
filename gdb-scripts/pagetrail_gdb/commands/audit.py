# SPDX-License-Identifier: MIT
"""audit, leaks and freemem."""

from ..model.audit import Audit
from ..model.buddy import buddy_of
from ..model.pages import pages_of
from ..model.trace import Depot, open_references, trace_of
from ..settings import limit, paint
from .base import Command, expect, plural, print_stack
from .trace import describe_holder, describe_record

_REPRESENTATIVES = 16


def print_identity(kernel, audit):
    pages = audit.pages
    parts = [f"firmware {audit.nr_firmware}"]
    for kind in sorted(kernel.layout.enum("page_kind")):
        label = pages.kind_label(kind)
        if label not in ("free", "pcp", "nr"):
            parts.append(f"{label} {audit.by_kind.get(kind, 0)}")
    parts.append(f"pcp {audit.by_kind.get(pages.kind_value('PCP'), 0)}")
    parts.append(f"free {audit.buddy.nr_free}")
    end = paint(f"DIFFERS by {plural(audit.difference, 'page')}", "bad") if audit.difference else paint("OK", "good")
    print(f"RAM {pages.nr} = {' + '.join(parts)}  {end}")


def describe_verdict(kernel, pages, verdict):
    text = paint(verdict.name, "bad") + " "
    if verdict.name == "IDENTITY":
        return text + "the kinds in the page structs and the totals differ"
    if verdict.found:
        counts = "" if verdict.count is None else f" count {verdict.count} claims {verdict.claims}"
        return text + f"object {verdict.va:#x} cache {verdict.found.cache.name}{counts} pid {verdict.found.pid}"
    if verdict.va:
        return text + f"object {verdict.va:#x} is claimed, but is no live object"
    if verdict.page is None:
        text += f"claims {verdict.claims}, page outside RAM"
    else:
        page = verdict.page
        text += (f"pfn {page.pfn:#x} {pages.kind_label(page.kind)} count {page.count} claims {verdict.claims} "
                 f"pid {page.pid}")
    if verdict.claim:
        claim = verdict.claim
        text += f" {describe_holder(kernel, claim.ref, claim.id, claim.index)}"
    elif verdict.page is not None and pages.kind_label(verdict.page.kind) == "pagecache":
        text += f" was page {verdict.page.owner_index} of inode {verdict.page.owner_id}"
    return text


def print_conclusion(kernel, audit, nr, noun):
    if audit.busy:
        names = ", ".join(f"{task['pid']} {task.text('name')}" for task in audit.busy[:8])
        print(f"not quiescent: {plural(len(audit.busy), 'task')} in the kernel ({names}); what they hold may be among the above")
    said = paint(plural(nr, noun), "bad") if nr else paint("clean" if noun == "finding" else "no leaks", "good")
    print(f"verdict: {said}{' (not quiescent)' if audit.busy else ''}")


class AuditCommand(Command):
    """Audit the kernel's accounting independently: audit [-p]

Walks page tables, page cache, slabs, stacks, pipes and lists, compares every page's count and every live object
with the holders found, and checks that the parts add up to RAM. The verdicts are those of /proc/audit: OVER, UNDER,
ORPHAN, UNREACH, OBJ, STALE, OBJSTALE, IDENTITY, POISON; they are final when no task is in the middle of kernel
work. -p also reads every free page for its poison."""

    name = "audit"

    def run(self, kernel, arguments, findings):
        poison = "-p" in arguments
        expect([argument for argument in arguments if argument != "-p"], 0, 0, "audit [-p]")
        audit = Audit(kernel, findings, poison)
        print_identity(kernel, audit)
        print(f"audited {plural(audit.nr_pages, 'page')}, {plural(audit.nr_objects, 'object')}, {audit.nr_parked} parked")
        for name, count in sorted(audit.count_by_verdict().items()):
            print(f"{paint(name, 'bad')} {count}")
        shown = audit.verdicts[:limit("verdicts")]
        for verdict in shown:
            print(describe_verdict(kernel, audit.pages, verdict))
        if len(audit.verdicts) > len(shown):
            print(f"and {len(audit.verdicts) - len(shown)} more")
        print_conclusion(kernel, audit, len(audit.verdicts), "finding")


class Leaks(Command):
    """Print leaked pages and objects, grouped by the stack that allocated them: leaks

Pages whose count exceeds the holders found (OVER), that nothing holds (UNREACH, ORPHAN), and live objects that no
structure reaches (OBJ). Each group shows how many, what, one representative, the allocation stack, and, if the rings
still have it, the reference that was acquired and never released."""

    name = "leaks"

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 0, "leaks")
        audit = Audit(kernel, findings)
        groups = {}
        for verdict in audit.verdicts:
            if verdict.is_leak:
                what = verdict.found.cache.name if verdict.found else audit.pages.kind_label(verdict.page.kind)
                groups.setdefault((verdict.name, what, verdict.stack), []).append(verdict)
        depot, total = Depot(kernel), 0
        for (name, what, stack), verdicts in sorted(groups.items(), key=lambda group: -len(group[1])):
            total += len(verdicts)
            noun = "object" if verdicts[0].found else "page"
            print(f"{plural(len(verdicts), what + ' ' + noun)}: {name}, for example")
            print(f"  {describe_verdict(kernel, audit.pages, verdicts[0])}")
            print(f"  allocated at stack {stack}:")
            print_stack(kernel, depot.frames(stack), "    ")
            if not verdicts[0].found:
                _print_unmatched(kernel, audit, verdicts, depot, findings)
            elif verdicts[0].count is not None:
                _print_unmatched_object(kernel, verdicts, depot, findings)
        print_conclusion(kernel, audit, total, "leak")


def _print_unmatched(kernel, audit, verdicts, depot, findings):
    """References acquired and not released, as far as the rings remember, that nobody was found to hold.

    The first page of the group that has such a reference in the rings speaks for all.
    """
    trace = trace_of(kernel, findings)
    for verdict in verdicts[:_REPRESENTATIVES]:
        held = [(claim.ref, claim.id, claim.index) for claim in audit.accounting.pages.get(verdict.page.pfn, ())]
        for record in open_references(trace, trace.of_page({verdict.page.pfn})):
            key = (record.kind, record.payload["holder"], record.payload["index"])
            if key in held:
                held.remove(key)
                continue
            print(f"  never released (pfn {verdict.page.pfn:#x}): {describe_record(trace, record).strip()}")
            print_stack(kernel, depot.frames(record.stack), "    ")
            return
    print("  the rings no longer have the reference that was not released")


def _print_unmatched_object(kernel, verdicts, depot, findings):
    """What the rings know of the references of a group's first counted object that is in them."""
    trace = trace_of(kernel, findings)
    for verdict in verdicts[:_REPRESENTATIVES]:
        records = open_references(trace, trace.of_objects({verdict.va}))
        if not records:
            continue
        print(f"  not released (object {verdict.va:#x}): {plural(len(records), 'reference')}; for {verdict.claims} a holder was found")
        for record in records[:_REPRESENTATIVES]:
            print(f"  {describe_record(trace, record).strip()}")
            print_stack(kernel, depot.frames(record.stack), "    ")
        return
    print("  the rings no longer have the reference that was not released")


class Freemem(Command):
    """Print where all of memory is: freemem

Pages by kind from the page structs, free pages from the buddy lists; the parts add up to RAM."""

    name = "freemem"

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 0, "freemem")
        pages, buddy = pages_of(kernel), buddy_of(kernel, findings)
        firmware = buddy.first_managed - pages.first
        managed = pages.nr - firmware
        free, pcp = pages.kind_value("FREE"), pages.kind_value("PCP")
        print(f"{'total':<10} {managed:>8} pages, {managed * kernel.page_size >> 10} KiB; firmware {firmware} more")
        print(f"{'free':<10} {buddy.nr_free + buddy.by_kind.get(pcp, 0):>8}  buddy {buddy.nr_free}, "
              f"per-hart caches {buddy.by_kind.get(pcp, 0)}")
        for kind, count in sorted(buddy.by_kind.items()):
            if kind not in (free, pcp):
                print(f"{pages.kind_label(kind):<10} {count:>8}")
        parts = buddy.nr_free + sum(count for kind, count in buddy.by_kind.items() if kind != free)
        print(f"sum        {parts:>8}  {'OK' if parts == managed else f'DIFFERS by {managed - parts}'}")
        print(f"allocations {buddy.nr_allocs}, frees {buddy.nr_frees}, failed {buddy.nr_failed}")
