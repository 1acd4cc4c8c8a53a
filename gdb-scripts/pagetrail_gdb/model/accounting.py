# SPDX-License-Identifier: MIT
"""Who holds what: every structure is walked from its root, and each reference found is entered as a claim.

This is the fourth set of accounts (docs/DESIGN.md): it shares nothing with the kernel's own claims functions
but the definitions of the structures. Walkers of single subsystems are in claims_*.py.
"""

from .errors import Finding, ReadError
from .pages import pages_of


class Claim:
    """One reference found: ref kind and holder (id, index) as in ref_kinds.def; via says where it was found."""

    __slots__ = ("ref", "id", "index", "via")

    def __init__(self, ref, holder_id, index, via):
        self.ref = ref
        self.id = holder_id
        self.index = index
        self.via = via


class Accounting:
    """pages: {pfn: [Claim]}; objects: {va: [what reaches it]}."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.pages = {}
        self.objects = {}
        self._refs = {name: kernel.layout.enum_value("ref_kind", f"REF_{name}")
                      for name in ("PTE", "TABLE", "CACHE", "DIRTY", "PIPE", "KSTACK", "SLAB", "OWNER", "BOOT", "SHARE")}

    def claim_page(self, pfn, ref, holder_id, index, via):
        self.pages.setdefault(pfn, []).append(Claim(self._refs[ref], holder_id, index, via))

    def claim_pa(self, pa, ref, holder_id, index, via):
        self.claim_page(pa >> self.kernel.page_shift, ref, holder_id, index, via)

    def claim_page_va(self, page_va, ref, holder_id, index, via, findings):
        """The page behind a struct page *; a wild pointer is a finding."""
        try:
            pfn = pages_of(self.kernel).by_va(page_va).pfn
        except ReadError as error:
            findings.append(Finding(via, str(error)))
            return
        self.claim_page(pfn, ref, holder_id, index, via)

    def claim_object(self, va, via):
        self.objects.setdefault(va, []).append(via)
