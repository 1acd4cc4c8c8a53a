# SPDX-License-Identifier: MIT
"""pcp-print."""

from ..model.pages import pages_of
from ..model.pcp import hart_caches
from .base import Command, expect, plural

_PER_LINE = 8


class PcpPrint(Command):
    """Print the per-hart page caches: pcp-print [-v]

Pages parked in each hart's cache, and how often it was allocated from and freed to. Such pages are free, not leaked.
-v lists each page's pfn and the pid that freed it, the one to be handed out next first."""

    name = "pcp-print"

    def run(self, kernel, arguments, findings):
        verbose = "-v" in arguments
        expect([argument for argument in arguments if argument != "-v"], 0, 0, "pcp-print [-v]")
        pages, caches = pages_of(kernel), hart_caches(kernel, findings)
        print(f"{'hart':>4} {'pages':>6} {'allocs':>10} {'frees':>10}")
        for cache in caches:
            if cache.hart >= len(kernel.harts()) and not cache.pfns:
                continue
            print(f"{cache.hart:>4} {len(cache.pfns):>6} {cache.nr_allocs:>10} {cache.nr_frees:>10}")
            if verbose:
                for at in range(0, len(cache.pfns), _PER_LINE):
                    print("     " + "  ".join(f"{pfn:#x} ({pages.page(pfn).pid})"
                                              for pfn in cache.pfns[at:at + _PER_LINE]))
        print(f"total {plural(sum(len(cache.pfns) for cache in caches), 'page')} parked")
