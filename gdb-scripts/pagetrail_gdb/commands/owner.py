# SPDX-License-Identifier: MIT
"""page-owner: everything that is known about one page."""

from ..model.claims import accounting_of
from ..model.errors import CommandError
from ..model.pages import pages_of
from ..model.tasks import find_task, mm_of, root_of
from ..model.trace import Depot, trace_of
from ..settings import limit
from .base import Command, expect, parse_number, parse_pid, plural, print_stack
from .trace import describe_holder, describe_record, print_losses


def find_page(kernel, arguments, findings):
    """The Page meant by [ADDRESS|PFN] or [user address, PID]."""
    number = parse_number(kernel, arguments[0], "address")
    pages = pages_of(kernel)
    if len(arguments) == 2:
        task = find_task(kernel, parse_pid(arguments[1]), findings)
        mm = mm_of(kernel, task)
        if mm is None:
            raise CommandError(f"pid {task['pid']} is a kernel thread")
        for step in kernel.pte.walk(kernel, root_of(kernel, mm), number):
            if step.leaf:
                return pages.page(step.pa + (number & (step.span - 1)) >> kernel.page_shift)
        raise CommandError(f"{number:#x} is not mapped in pid {task['pid']}")
    if pages.valid(number):
        return pages.page(number)
    if pages.valid(number >> kernel.page_shift):
        return pages.page(number >> kernel.page_shift)
    if number < kernel.layout.macro("USER_END"):
        raise CommandError(f"{number:#x} is neither a pfn ({pages.first:#x}..{pages.first + pages.nr - 1:#x}) "
                           "nor in RAM; for a user address give the pid, too")
    return pages.page(kernel.va_to_pa(number) >> kernel.page_shift)


class PageOwner(Command):
    """Print who owns a page and why: page-owner ADDRESS|PFN [PID]

ADDRESS is physical, or kernel-virtual (direct map or kernel stack), or, with PID, that process's. Prints the
page's kind, order, count and state; the holders found by walking page tables, page cache, stacks, slabs and
pipes; the stack that allocated it (or, of a free page, freed it); and its last events in the rings."""

    name = "page-owner"
    completes = "expression"

    def run(self, kernel, arguments, findings):
        expect(arguments, 1, 2, "page-owner ADDRESS|PFN [PID]")
        page = find_page(kernel, arguments, findings)
        pages, depot = pages_of(kernel), Depot(kernel)
        pa = page.pfn << kernel.page_shift
        print(f"page {page.pfn:#x}  pa 0x{pa:016x}  va 0x{pa + kernel.offset:016x}")
        head = pages.head(page)
        if head is not page:
            print(f"  body of the block at pfn {head.pfn:#x}, of which the rest speaks")
        self._print_state(kernel, pages, head)
        self._print_stack(kernel, pages, depot, head)
        self._print_holders(kernel, head, findings)
        self._print_events(kernel, {page.pfn, head.pfn}, findings)

    @staticmethod
    def _print_state(kernel, pages, page):
        kind = pages.kind_label(page.kind)
        state = " ".join(pages.state_flags(page.state)) or "-"
        print(f"  kind {kind}  order {page.order}  count {page.count}  state {state}")
        if kind == "pagecache":
            print(f"  page {page.owner_index} of inode {page.owner_id}")

    @staticmethod
    def _print_stack(kernel, pages, depot, page):
        if pages.kind_label(page.kind) in ("free", "pcp"):
            ref = kernel.layout.enum_label("ref_kind", "REF_", page.free_ref)
            print(f"  freed by pid {page.pid} with the last put ({ref}), stack {page.stack}:")
        else:
            print(f"  allocated by pid {page.pid}, stack {page.stack}:")
        print_stack(kernel, depot.frames(page.stack), "    ")

    @staticmethod
    def _print_holders(kernel, page, findings):
        holders = accounting_of(kernel, findings).pages.get(page.pfn, [])
        word = "" if len(holders) == max(page.count, 0) else f" (the count is {page.count})"
        print(f"  {plural(len(holders), 'holder')} found{word}")
        shown = holders[:limit("holders")]
        for claim in shown:
            print(f"    {describe_holder(kernel, claim.ref, claim.id, claim.index)}  {claim.via}")
        if len(holders) > len(shown):
            print(f"    and {len(holders) - len(shown)} more")

    @staticmethod
    def _print_events(kernel, pfns, findings):
        trace = trace_of(kernel, findings)
        records = trace.of_page(pfns)
        shown = records[-(limit("events") or len(records)):]
        print(f"  last {len(shown)} of {plural(len(records), 'event')} in the rings")
        print_losses(trace)
        for record in shown:
            print(f"  {describe_record(trace, record)}")
