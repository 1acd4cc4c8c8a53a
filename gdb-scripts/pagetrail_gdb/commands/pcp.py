"""pcp-print."""

from ..model.pages import pages_of
from .base import Command, expect, plural

_SHOWN = 64


class PcpPrint(Command):
    """Print pages that wait in per-hart caches: pcp-print

Their number, and for each its pfn and who freed it. Such pages are parked, not lost: the audit counts them among
the free ones."""

    name = "pcp-print"

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 0, "pcp-print")
        pages = pages_of(kernel)
        parked = [page for page in pages if page.kind == pages.kind_value("PCP")]
        for page in parked[:_SHOWN]:
            print(f"pfn {page.pfn:#x} freed by pid {page.pid}, stack {page.stack}")
        if len(parked) > _SHOWN:
            print(f"and {len(parked) - _SHOWN} more")
        print(f"{plural(len(parked), 'page')} in per-hart caches")
