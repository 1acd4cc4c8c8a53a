# SPDX-License-Identifier: MIT
"""Per-hart page caches: PCP-1 and PCP-3 of kernel/mm/pcp.c checked on the way."""

from .errors import Finding
from .pages import pages_of
from .words import plural


class HartCache:
    """One hart's cache. pfns: its pages in list order; kind_pages: what it added to each kind's total."""

    def __init__(self, kernel, hart, obj, findings):
        self.hart = hart
        self.nr = obj["nr"]
        self.kind_pages = obj["kind_pages"]
        self._pages = pages_of(kernel)
        self.nr_allocs = obj["nr_allocs"]
        self.nr_frees = self.nr_allocs + self.kind_pages[self._pages.kind_value("PCP")]
        self.pfns = []
        self._findings = findings
        self._walk(obj["first"])
        if sum(self.kind_pages):
            self._report(f"the kinds it counted sum to {sum(self.kind_pages)}, not to 0")

    def _report(self, what):
        self._findings.append(Finding(f"cache of hart {self.hart}", what))

    def _walk(self, pfn):
        pages, seen = self._pages, set()
        while pfn != pages.none:
            if not pages.valid(pfn) or pfn in seen:
                self._report(f"its list leads to pfn {pfn:#x}, " + ("a loop" if pfn in seen else "outside RAM"))
                break
            seen.add(pfn)
            page = pages.page(pfn)
            if pages.kind_label(page.kind) != "pcp" or page.order or page.count:
                self._report(f"pfn {pfn:#x} on its list has kind {pages.kind_label(page.kind)}, order {page.order}, "
                             f"count {page.count}")
            self.pfns.append(pfn)
            pfn = page.next
        if len(self.pfns) != self.nr:
            self._report(f"{plural(len(self.pfns), 'page')} on its list, counted {self.nr}")


def hart_caches(kernel, findings):
    """The caches of all harts there could be (an unused one is empty)."""
    def make():
        caches = [HartCache(kernel, hart, obj, findings) for hart, obj in enumerate(kernel.read_symbol_array("pcps"))]
        _check_parked(pages_of(kernel), caches, findings)
        return caches
    return kernel.once("pcps", make)


def _check_parked(pages, caches, findings):
    """A parked page must be in exactly one cache."""
    pcp, where = pages.kind_value("PCP"), {}
    for cache in caches:
        for pfn in cache.pfns:
            if pfn in where:
                findings.append(Finding(f"cache of hart {cache.hart}", f"pfn {pfn:#x} is in hart {where[pfn]}'s, too"))
            where[pfn] = cache.hart
    for pfn, row in enumerate(pages.rows, pages.first):
        if row[0] == pcp and pfn not in where:
            findings.append(Finding(f"pfn {pfn:#x}", "has kind pcp, but is in no hart's cache"))
