# SPDX-License-Identifier: MIT
"""pagecache-print and dirty-print."""

from ..model.errors import CommandError
from ..model.pagecache import mappings_of
from ..model.pages import pages_of
from ..model.slab import find_object
from ..model.trace import Depot, seconds
from .base import Command, expect, parse_count, plural


# A record's stack begins with the page cache's own allocation; then come those who dirtied the page.
_OWN_FRAMES, _CALLERS = 2, 2


class PagecachePrint(Command):
    """Print the page cache: pagecache-print [INODE]

Without INODE each mapping with cached pages: pages, dirty pages, tree height and nodes. With INODE (0 is the
block device) every page of it: index, pfn, reference count, state. Trees, owners and dirty records are
checked."""

    name = "pagecache-print"

    def words(self, kernel):
        return [str(mapping.inode) for mapping in mappings_of(kernel, [])]

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 1, "pagecache-print [INODE]")
        mappings = mappings_of(kernel, findings)
        if arguments:
            self._print_pages(kernel, mappings, parse_count(arguments[0], "inode"))
            return
        print(f"{'inode':>6} {'pages':>7} {'dirty':>6} {'height':>6} {'nodes':>6}")
        for mapping in mappings:
            if mapping.pages or mapping.dirty or mapping.nr_pages:
                print(f"{mapping.inode:>6} {len(mapping.pages):>7} {len(mapping.dirty):>6} "
                      f"{mapping.obj['tree.height']:>6} {len(mapping.nodes):>6}")
        total = sum(len(mapping.pages) for mapping in mappings)
        dirty = sum(len(mapping.dirty) for mapping in mappings)
        kind = pages_of(kernel).kind_value("PAGECACHE")
        of_kind = pages_of(kernel).count_by_kind().get(kind, 0)
        print(f"total {plural(total, 'page')} in {plural(len(mappings), 'mapping')}, {dirty} dirty; "
              f"{plural(of_kind, 'page')} of kind pagecache")

    @staticmethod
    def _print_pages(kernel, mappings, inode):
        pages = pages_of(kernel)
        mapping = next((mapping for mapping in mappings if mapping.inode == inode), None)
        if mapping is None:
            raise CommandError(f"inode {inode} has no mapping in core")
        for index, page in mapping.pages:
            print(f"{index:>8} pfn {page.pfn:#x} count {page.count} {' '.join(pages.state_flags(page.state))}")
        print(f"{plural(len(mapping.pages), 'page')} of inode {inode}, {len(mapping.dirty)} dirty")


class DirtyPrint(Command):
    """Print the page cache's dirty records, oldest first in each file: dirty-print

Inode, page index, pfn, how much older it is than the newest record, and who dirtied the page."""

    name = "dirty-print"

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 0, "dirty-print")
        depot, total = Depot(kernel), 0
        now = max((record for mapping in mappings_of(kernel, findings) for record in
                   (r.since for r in mapping.dirty)), default=0)
        print(f"{'inode':>6} {'index':>7} {'pfn':>9} {'younger by':>10}  record, made by")
        for mapping in mappings_of(kernel, findings):
            for record in mapping.dirty:
                total += 1
                found = find_object(kernel, record.va, findings)
                frames = depot.frames(found.stack)[_OWN_FRAMES:_OWN_FRAMES + _CALLERS] if found else []
                maker = f"pid {found.pid} {' < '.join(map(kernel.describe_frame, frames))}" if found else "?"
                pfn = f"{record.pfn:#x}" if record.pfn is not None else "?"
                print(f"{mapping.inode:>6} {record.index:>7} {pfn:>9} {seconds(kernel, now - record.since):>9.3f}s  "
                      f"{record.va:#x} {maker}")
        print(f"total {plural(total, 'dirty record')}")
