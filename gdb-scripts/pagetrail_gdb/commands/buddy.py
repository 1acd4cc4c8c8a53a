# SPDX-License-Identifier: MIT
"""buddy-print."""

from ..model.buddy import buddy_of
from .base import Command, expect, plural

_PER_LINE = 8


class BuddyPrint(Command):
    """Print the free lists of the buddy allocator: buddy-print [-v]

Free blocks and pages by order, and the total, which equals what freemem says is free on buddy lists. Links,
alignment, kinds and counts are checked; what is wrong is printed as a finding. -v lists each block's pfn."""

    name = "buddy-print"

    def run(self, kernel, arguments, findings):
        verbose = "-v" in arguments
        expect([argument for argument in arguments if argument != "-v"], 0, 0, "buddy-print [-v]")
        buddy = buddy_of(kernel, findings)
        print(f"{'order':>5} {'KiB':>6} {'blocks':>7} {'pages':>7}")
        for order, blocks in enumerate(buddy.blocks):
            print(f"{order:>5} {kernel.page_size >> 10 << order:>6} {len(blocks):>7} {len(blocks) << order:>7}")
            if verbose:
                for at in range(0, len(blocks), _PER_LINE):
                    print("        " + " ".join(f"{pfn:#x}" for pfn in blocks[at:at + _PER_LINE]))
        managed = buddy.pages.first + buddy.pages.nr - buddy.first_managed
        print(f"total {plural(buddy.nr_free, 'free page')} of {managed} managed, in {plural(sum(map(len, buddy.blocks)), 'block')}")
        print(f"lists {'consistent' if not findings else 'NOT consistent: ' + plural(len(findings), 'finding')}")
