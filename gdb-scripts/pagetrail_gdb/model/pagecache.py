# SPDX-License-Identifier: MIT
"""The page cache: mappings, their trees and dirty records; PC-1 and PC-2 of kernel/include/kernel/pagecache.h."""

from .claims_fs import all_inodes
from .errors import Finding, ReadError
from .lists import walk_ring_of
from .pages import pages_of
from .radix import RadixWalk
from .words import plural


class DirtyRecord:
    """One struct dirty_record. pfn is None where its page pointer is wild."""

    __slots__ = ("va", "index", "pfn", "since")

    def __init__(self, va, index, pfn, since):
        self.va = va
        self.index = index
        self.pfn = pfn
        self.since = since


class Mapping:
    """One struct mapping, read and checked.

    pages    [(index, Page)]
    nodes    addresses of the tree's nodes
    dirty    [DirtyRecord], oldest first
    """

    def __init__(self, kernel, obj, findings):
        self.kernel = kernel
        self.obj = obj
        self.inode = obj["inode"]
        self.nr_pages, self.nr_dirty = obj["nr_pages"], obj["nr_dirty"]
        self.name = f"mapping of inode {self.inode}" if self.inode else "mapping of the block device"
        self._findings = findings
        tree = RadixWalk(kernel, obj["tree"], self.name, findings)
        self.nodes = tree.nodes
        self.pages = list(self._read_pages(tree.items))
        self.dirty = list(self._read_records())
        self._check_counts()

    def _report(self, what):
        self._findings.append(Finding(self.name, what))

    def _read_pages(self, items):
        """PC-1."""
        pages = pages_of(self.kernel)
        for index, page_va in items:
            try:
                page = pages.by_va(page_va)
            except ReadError as error:
                self._report(f"index {index}: {error}")
                continue
            kind = pages.kind_label(page.kind)
            if kind != "pagecache":
                self._report(f"index {index} is pfn {page.pfn:#x}, a page of kind {kind}")
            elif (page.owner_id, page.owner_index) != (self.inode, index):
                self._report(f"index {index} is pfn {page.pfn:#x}, which belongs to page {page.owner_index} of "
                             f"inode {page.owner_id}")
            yield index, page

    def _read_records(self):
        pages = pages_of(self.kernel)
        for record in walk_ring_of(self.kernel, self.obj.at("dirty"), "dirty_record", "link",
                                   f"dirty list of {self.name}", self._findings):
            pfn = None
            try:
                pfn = pages.by_va(record["page"]).pfn
            except ReadError as error:
                self._report(f"dirty record {record.va:#x}: {error}")
            yield DirtyRecord(record.va, record["index"], pfn, record["since"])

    def _check_counts(self):
        """PC-2, and the mapping's own numbers."""
        if len(self.pages) != self.nr_pages:
            self._report(f"{plural(len(self.pages), 'page')} in its tree, counted {self.nr_pages}")
        dirty_bit = self.kernel.layout.enum_value("page_state", "PAGE_DIRTY")
        marked = {(index, page.pfn) for index, page in self.pages if page.state & dirty_bit}
        recorded = [(record.index, record.pfn) for record in self.dirty]
        for index, pfn in marked - set(recorded):
            self._report(f"page {index} (pfn {pfn:#x}) is marked dirty but has no record")
        for index, pfn in set(recorded) - marked:
            self._report(f"a dirty record for page {index}, which is not dirty in the tree")
        if len(set(recorded)) != len(recorded):
            self._report("two dirty records for one page")


def mappings_of(kernel, findings):
    """Every mapping on the page cache's list."""
    def make():
        head = kernel.read_symbol("pagecache").at("mappings")
        return [Mapping(kernel, obj, findings)
                for obj in walk_ring_of(kernel, head, "mapping", "all", "list of mappings", findings)]
    return kernel.once("mappings", make)


def claim_pagecache(kernel, accounting, findings):
    """CACHE and DIRTY references, tree nodes and dirty records. An inode that nothing leads to holds none: after claim_inodes."""
    holder_bits = (1 << 16) - 1  # a holder's id is 16 bits wide in the trace and the kernel's accounting
    lost = {inode.at("mapping") for inode in all_inodes(kernel, []) if inode.va not in accounting.objects}
    for mapping in mappings_of(kernel, findings):
        if mapping.obj.va in lost:
            continue
        holder = mapping.inode & holder_bits
        for node in mapping.nodes:
            accounting.claim_object(node, f"tree of {mapping.name}")
        for index, page in mapping.pages:
            accounting.claim_page(page.pfn, "CACHE", holder, index, f"page {index} of {mapping.name}")
        for record in mapping.dirty:
            accounting.claim_object(record.va, f"dirty list of {mapping.name}")
            if record.pfn is not None:
                accounting.claim_page(record.pfn, "DIRTY", holder, record.index, f"dirty record {record.va:#x}")
