# SPDX-License-Identifier: MIT
"""The buddy allocator's free lists, walked and checked: BUDDY-1 to BUDDY-4 and PAGE-1 of kernel/include/kernel/page.h."""

from .errors import Finding
from .pages import pages_of
from .pcp import hart_caches
from .words import plural


class Buddy:
    """blocks[order]: pfns of the free blocks' heads in list order; counted[order]: what the list says.

    kind_pages: the allocator's own count of managed pages by kind, per-hart caches included.
    by_kind: the same counted in the page structs.
    """

    def __init__(self, kernel, findings):
        self.kernel = kernel
        self.pages = pages_of(kernel)
        self.findings = findings
        self.first_managed = kernel.read_symbol("managed_pfn")
        buddy = kernel.read_symbol("buddy")
        caches = hart_caches(kernel, findings)
        self.kind_pages = [sum(counts) for counts in zip(buddy["kind_pages"], *(cache.kind_pages for cache in caches))]
        self.nr_allocs = buddy["nr_allocs"] + sum(cache.nr_allocs for cache in caches)
        self.nr_frees = buddy["nr_frees"] + sum(cache.nr_frees for cache in caches)
        self.nr_failed = buddy["nr_failed"]
        self.blocks, self.counted = [], []
        self._free = self.pages.kind_value("FREE")
        self._where = {}
        for order, free_list in enumerate(buddy.elements("lists")):
            self.counted.append(free_list["nr_blocks"])
            self.blocks.append(self._walk_list(order, free_list["first"]))
            if len(self.blocks[order]) != self.counted[order]:
                self._report(f"list {order}", f"holds {plural(len(self.blocks[order]), 'block')}, counts {self.counted[order]}")
        self._check_buddies()
        self._check_kinds()

    @property
    def nr_free(self):
        """Pages on the lists."""
        return sum(len(blocks) << order for order, blocks in enumerate(self.blocks))

    def _report(self, where, what):
        self.findings.append(Finding(where, what))

    def _walk_list(self, order, pfn):
        """BUDDY-1, BUDDY-3: ends at the first block that is not one, so a loop ends, too."""
        blocks, previous, pages = [], self.pages.none, self.pages
        name = f"list {order}"
        while pfn != pages.none:
            if not pages.valid(pfn) or pfn < self.first_managed:
                self._report(name, f"leads to pfn {pfn:#x}, which is not managed")
                break
            if pfn in self._where:
                self._report(name, f"pfn {pfn:#x} is already on list {self._where[pfn]}: the list ends in a loop or "
                             "joins another")
                break
            self._where[pfn] = order
            page = pages.page(pfn)
            if page.prev != previous:
                self._report(name, f"pfn {pfn:#x} links back to {page.prev:#x}, not to {previous:#x}")
            self._check_block(name, page, order)
            blocks.append(pfn)
            previous, pfn = pfn, page.next
        return blocks

    def _check_block(self, name, page, order):
        pages, size = self.pages, 1 << order
        kind = pages.kind_label(page.kind)
        if page.kind != self._free or page.order != order:
            self._report(name, f"pfn {page.pfn:#x} has kind {kind}, order {page.order}, count {page.count}")
        if page.pfn & (size - 1):
            self._report(name, f"pfn {page.pfn:#x} is not aligned to its order")
        if not pages.valid(page.pfn + size - 1):
            self._report(name, f"the block at pfn {page.pfn:#x} leaves RAM")
            return
        at = page.pfn - pages.first
        for i, row in enumerate(pages.rows[at + 1:at + size], 1):
            if row[0] != self._free or row[1] != pages.body:
                self._report(name, f"pfn {page.pfn + i:#x} in the free block {page.pfn:#x} has kind "
                             f"{pages.kind_label(row[0])}, order {row[1]}")
                return

    def _check_buddies(self):
        """BUDDY-2."""
        for order, blocks in enumerate(self.blocks[:-1]):
            for pfn in blocks:
                if pfn < pfn ^ 1 << order and self._where.get(pfn ^ 1 << order) == order:
                    self._report(f"list {order}", f"pfn {pfn:#x} and its buddy {pfn ^ 1 << order:#x} are both free")

    def _check_kinds(self):
        """PAGE-1 and BUDDY-4."""
        counts = {}
        for row in self.pages.rows[self.first_managed - self.pages.first:]:
            counts[row[0]] = counts.get(row[0], 0) + 1
        if counts.get(self._free, 0) != self.nr_free:
            self._report("free pages", f"{counts.get(self._free, 0)} have kind free, {self.nr_free} are on the lists")
        for kind, counted in enumerate(self.kind_pages):
            if counts.get(kind, 0) != counted:
                self._report(f"kind {self.pages.kind_label(kind)}", f"{plural(counts.get(kind, 0), 'page')}, counted {counted}")
        self.by_kind = counts


def buddy_of(kernel, findings):
    return kernel.once("buddy", lambda: Buddy(kernel, findings))
