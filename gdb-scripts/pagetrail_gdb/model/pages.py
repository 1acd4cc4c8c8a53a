# SPDX-License-Identifier: MIT
"""The array of struct page, decoded in one go."""

import struct

from .errors import ReadError

_COLUMNS = ("kind", "order", "state", "free_ref", "count", "stack", "pid", "next", "prev", "owner.id",
            "owner.index")


class Page:
    """One struct page. `private` shares its bytes with owner_id and owner_index."""

    __slots__ = ("pfn", "kind", "order", "state", "free_ref", "count", "stack", "pid", "next", "prev",
                 "owner_id", "owner_index")

    def __init__(self, pfn, values):
        self.pfn = pfn
        (self.kind, self.order, self.state, self.free_ref, self.count, self.stack, self.pid, self.next,
         self.prev, self.owner_id, self.owner_index) = values

    @property
    def private(self):
        return struct.unpack("<Q", struct.pack("<II", self.owner_id, self.owner_index))[0]


class PageArray:
    """All pages of RAM. rows[pfn - first] is a tuple in the order of `Page`'s fields.

    first, nr      pfn of the first page, number of pages
    """

    def __init__(self, kernel):
        self.kernel = kernel
        self.first = kernel.read_symbol("first_pfn")
        self.nr = kernel.read_symbol("nr_pages")
        ram_pages = sum(end - start for start, end in kernel.memory.ranges) >> kernel.page_shift
        if not 0 < self.nr <= ram_pages:
            raise ReadError(f"nr_pages is {self.nr}, RAM has {ram_pages}: the page array does not exist (yet), "
                            "or this memory is not of this kernel")
        kind = kernel.struct("page")
        unpacker, names = kind.unpacker(_COLUMNS)
        self._base, self._size = kernel.read_symbol("pages"), kind.size
        content = kernel.read_va(self._base, self.nr * kind.size)
        rows = unpacker.iter_unpack(content)
        if tuple(names) != _COLUMNS:
            order = [names.index(column) for column in _COLUMNS]
            rows = (tuple(row[i] for i in order) for row in rows)
        self.rows = list(rows)
        self.body = kernel.layout.macro("PAGE_BODY")
        self.none = kernel.layout.macro("PFN_NONE")
        self.max_order = kernel.layout.macro("PAGE_MAX_ORDER")
        self.free = self.kind_value("FREE")

    def valid(self, pfn):
        return self.first <= pfn < self.first + self.nr

    def page(self, pfn):
        if not self.valid(pfn):
            raise ReadError(f"pfn {pfn:#x} is not in RAM")
        return Page(pfn, self.rows[pfn - self.first])

    def by_va(self, page_va):
        """The Page that a struct page * points to; ReadError for a wild one."""
        index, rest = divmod(page_va - self._base, self._size)
        if rest or not 0 <= index < self.nr:
            raise ReadError(f"{page_va:#x} is no struct page")
        return self.page(self.first + index)

    def __iter__(self):
        first = self.first
        for i, row in enumerate(self.rows):
            yield Page(first + i, row)

    def kind_value(self, name):
        return self.kernel.layout.enum_value("page_kind", f"PK_{name}")

    def kind_label(self, kind):
        return self.kernel.layout.enum_label("page_kind", "PK_", kind)

    def head(self, page):
        """The head of the block that a page belongs to; the page itself unless it is a body page."""
        if page.order != self.body:
            return page
        if page.kind != self.free:
            return self.page(page.owner_index) if self.valid(page.owner_index) else page
        return self._free_head(page)

    def _free_head(self, page):
        """A free body does not know its head: that is the aligned free page below whose order reaches this far."""
        for order in range(1, self.max_order + 1):
            pfn = page.pfn & -1 << order
            if not self.valid(pfn):
                break
            head = self.page(pfn)
            if head.kind == self.free and order <= head.order != self.body:
                return head
        return page

    def count_by_kind(self):
        """{kind: pages}"""
        counts = {}
        for row in self.rows:
            counts[row[0]] = counts.get(row[0], 0) + 1
        return counts

    def state_flags(self, state):
        """Names of the bits of enum page_state that are set."""
        return [name[len("PAGE_"):].lower() for bit, name in sorted(self.kernel.layout.enum("page_state").items())
                if state & bit]


def pages_of(kernel):
    """The PageArray, read once per command."""
    return kernel.once("pages", lambda: PageArray(kernel))
