# SPDX-License-Identifier: MIT
"""The independent audit: every count against the holders found by walking, with the kernel's verdicts.

It must agree with /proc/audit (kernel/audit/audit.c says what each verdict means). It differs in how it gets
there: nothing that the kernel's claims functions or running totals say is used.
"""

from .buddy import buddy_of
from .claims import accounting_of
from .claims_fs import check_counts, counted_objects
from .pages import pages_of
from .pcp import hart_caches
from .slab import caches_of
from .tasks import busy_tasks

LEAKS = ("OVER", "ORPHAN", "UNREACH", "OBJ")


class Verdict:
    """One page or object that is not in order.

    page is a Page or None, found a SlabObject or None; claims: how many holders were found; claim: one of them; count: of
    an object that is counted, else None.
    """

    __slots__ = ("name", "page", "found", "va", "claims", "claim", "count")

    def __init__(self, name, page=None, found=None, va=0, claims=0, claim=None, count=None):
        self.name = name
        self.page = page
        self.found = found
        self.va = va
        self.claims = claims
        self.claim = claim
        self.count = count

    @property
    def stack(self):
        """Depot id of the allocation (of a free page: of the free)."""
        return self.found.stack if self.found else self.page.stack if self.page else 0

    @property
    def is_leak(self):
        return self.name in LEAKS


class Audit:
    """verdicts: [Verdict]; busy: tasks in the middle of kernel work (empty: the verdicts are final)."""

    def __init__(self, kernel, findings, poison=False):
        self.kernel = kernel
        self.pages = pages_of(kernel)
        self.findings = findings
        self.verdicts = []
        self.nr_pages = self.nr_objects = self.nr_parked = 0
        self.buddy = buddy_of(kernel, findings)
        self.accounting = accounting_of(kernel, findings)
        self.busy = busy_tasks(kernel, findings)
        if not self.busy:
            check_counts(kernel, findings)
        self._kinds = {name: self.pages.kind_value(name) for name in (
            "FREE", "PCP", "BAD", "PAGETABLE", "PAGECACHE", "PIPE", "KSTACK", "SLAB")}
        self._refs = {value: name[len("REF_"):] for value, name in kernel.layout.enum("ref_kind").items()}
        self._boot = kernel.layout.enum_value("page_state", "PAGE_BOOT")
        self._not_held = {self._kinds["FREE"], self._kinds["PCP"], self._kinds["BAD"]}
        self._judge_claims()
        self._judge_pages()
        self._judge_objects()
        self._judge_identity()
        if poison:
            self._judge_poison()

    def count_by_verdict(self):
        counts = {}
        for verdict in self.verdicts:
            counts[verdict.name] = counts.get(verdict.name, 0) + 1
        return counts

    # ---- claims on things that cannot be held ----

    def _judge_claims(self):
        for pfn, claims in self.accounting.pages.items():
            if not self.pages.valid(pfn):
                self.verdicts.append(Verdict("STALE", claims=len(claims), claim=claims[0]))
                continue
            page = self.pages.page(pfn)
            for claim in claims:
                if not self._is_held(page) or not self._fits(page, claim):
                    self.verdicts.append(Verdict("STALE", page, claims=len(claims), claim=claim))

    def _is_held(self, page):
        return page.kind not in self._not_held and page.order != self.pages.body

    def _fits(self, page, claim):
        """What a reference of this kind may hold."""
        kind, ref = page.kind, self._refs[claim.ref]
        if ref in ("CACHE", "DIRTY"):
            return kind == self._kinds["PAGECACHE"] and (page.owner_id & 0xffff, page.owner_index) == (
                claim.id, claim.index)
        if ref == "BOOT":
            return page.state == self._boot
        if ref == "PTE":
            return kind not in (self._kinds["PAGETABLE"], self._kinds["SLAB"], self._kinds["KSTACK"])
        wanted = {"TABLE": "PAGETABLE", "PIPE": "PIPE", "KSTACK": "KSTACK", "SLAB": "SLAB"}.get(ref)
        return wanted is None or kind == self._kinds[wanted]

    # ---- pages ----

    def _judge_pages(self):
        managed = self.buddy.first_managed - self.pages.first
        accounting, body, not_held = self.accounting.pages, self.pages.body, self._not_held
        for pfn, row in enumerate(self.pages.rows[managed:], self.buddy.first_managed):
            self.nr_pages += 1
            kind, order, count = row[0], row[1], row[4]
            if kind in not_held or order == body:
                self.nr_parked += kind == self._kinds["PCP"]
                continue
            claims = accounting.get(pfn, ())
            if count != len(claims) or count <= 0:
                self._judge_page(pfn, count, claims)

    def _judge_page(self, pfn, count, claims):
        if count <= 0:
            name = "UNDER" if claims else "ORPHAN"
        elif not claims:
            name = "UNREACH"
        else:
            name = "OVER" if count > len(claims) else "UNDER"
        self.verdicts.append(Verdict(name, self.pages.page(pfn), claims=len(claims),
                                     claim=claims[0] if claims else None))

    def _judge_poison(self):
        """Free pages that were written, parked ones included."""
        size = self.kernel.page_size
        poison = self.kernel.layout.macro("POISON_FREE").to_bytes(8, "little") * (size // 8)
        blocks = [(head, order) for order, heads in enumerate(self.buddy.blocks) for head in heads]
        blocks += [(pfn, 0) for cache in hart_caches(self.kernel, self.findings) for pfn in cache.pfns]
        for head, order in blocks:
            content = self.kernel.memory.read(head << self.kernel.page_shift, size << order)
            if bytes(content) == poison * (1 << order):
                continue
            for i in range(1 << order):
                if bytes(content[i * size:(i + 1) * size]) != poison:
                    self.verdicts.append(Verdict("POISON", self.pages.page(head + i)))

    # ---- objects and sums ----

    def _judge_objects(self):
        known = {}
        for cache in caches_of(self.kernel, self.findings):
            for found in cache.live_objects():
                known[found.va] = found
        self.nr_objects = len(known)
        counted = {} if self.busy else counted_objects(self.kernel, [])
        for va, found in known.items():
            _, count, holders = counted.get(va, (None, None, ()))
            if va not in self.accounting.objects:
                self.verdicts.append(Verdict("OBJ", found=found, va=va, count=count, claims=len(holders)))
            elif count is not None and count != len(holders):
                self.verdicts.append(Verdict("OVER" if count > len(holders) else "UNDER", found=found, va=va, count=count,
                                             claims=len(holders)))
        for va, via in self.accounting.objects.items():
            if va not in known:
                self.verdicts.append(Verdict("OBJSTALE", va=va, claims=len(via)))

    def _judge_identity(self):
        """RAM = firmware + every kind; the free ones counted on the lists."""
        self.nr_firmware = self.buddy.first_managed - self.pages.first
        free = self._kinds["FREE"]
        self.by_kind = dict(self.buddy.by_kind)
        parts = sum(count for kind, count in self.by_kind.items() if kind != free) + self.buddy.nr_free
        self.difference = self.pages.nr - self.nr_firmware - parts
        if self.difference or any(self.by_kind.get(kind, 0) != counted
                                  for kind, counted in enumerate(self.buddy.kind_pages)):
            self.verdicts.append(Verdict("IDENTITY"))
