# SPDX-License-Identifier: MIT
"""Slab caches: their slabs, the objects in them, and SLAB-1 to SLAB-3 of kernel/include/kernel/slab.h."""

import struct

from .errors import Finding, ReadError
from .pages import pages_of
from .words import plural


class SlabObject:
    """One slot of a slab. stack and pid: who allocated it (live) or freed it last."""

    __slots__ = ("cache", "va", "slot", "live", "stack", "pid")

    def __init__(self, cache, va, slot, live, stack, pid):
        self.cache = cache
        self.va = va
        self.slot = slot
        self.live = live
        self.stack = stack
        self.pid = pid


class SlabCache:
    """One struct kmem_cache. slabs: pfns of its slabs, found through its lists."""

    def __init__(self, kernel, obj, findings):
        self.kernel = kernel
        self.obj = obj
        self.findings = findings
        self.id, self.object_bytes, self.per_slab = obj["id"], obj["object_bytes"], obj["per_slab"]
        self.nr_live, self.nr_allocs, self.nr_frees = obj["nr_live"], obj["nr_allocs"], obj["nr_frees"]
        self.name = kernel.read_c_string(obj["name"])
        self._slab_type = kernel.struct("slab")
        self._tag_type = kernel.struct("slab_tag")
        self._poison = struct.pack("<Q", kernel.layout.macro("POISON_OBJ"))
        self._seen = set()
        self.slabs = []
        if not self._geometry_fits():
            self._report(f"{plural(self.per_slab, 'object')} of {self.object_bytes} bytes from {obj['objects_offset']:#x} on: "
                         "that cannot be")
            return
        self._walk(obj["partial"], "partial")
        self._walk(obj["full"], "full")
        if obj["empty"]:
            self._add_empty(obj["empty"])
        if len(self.slabs) != obj["nr_slabs"]:
            self._report(f"{plural(len(self.slabs), 'slab')} on its lists, counted {obj['nr_slabs']}")

    def _report(self, what):
        self.findings.append(Finding(f"cache {self.name}", what))

    def _geometry_fits(self):
        end = self.obj["objects_offset"] + self.per_slab * self.object_bytes
        slots = 64 * self._slab_type.resolve("live")[1].count
        header = self._slab_type.size + self.per_slab * self._tag_type.size
        return (0 < self.object_bytes and 0 < self.per_slab <= slots and header <= self.obj["objects_offset"]
                and end <= self.kernel.page_size)

    def _walk(self, pfn, which):
        pages = pages_of(self.kernel)
        previous = pages.none
        while pfn != pages.none:
            if not pages.valid(pfn) or pfn in self._seen:
                self._report(f"list {which} leads to pfn {pfn:#x}, " +
                             ("which is on a list already" if pfn in self._seen else "outside RAM"))
                return
            self._seen.add(pfn)
            page = pages.page(pfn)
            if page.prev != previous:
                self._report(f"list {which}: pfn {pfn:#x} links back to {page.prev:#x}, not to {previous:#x}")
            if self._check(page, which):
                self.slabs.append(pfn)
            previous, pfn = pfn, page.next

    def _add_empty(self, page_va):
        pages = pages_of(self.kernel)
        try:
            page = pages.by_va(page_va)
        except ReadError as error:
            self._report(f"the empty slab: {error}")
            return
        if page.pfn in self._seen:
            self._report(f"the empty slab, pfn {page.pfn:#x}, is on a list as well")
        elif self._check(page, "empty"):
            self.slabs.append(page.pfn)

    def _check(self, page, which):
        """SLAB-1, SLAB-2 for one slab; False if it is none of this cache."""
        kernel, pages = self.kernel, pages_of(self.kernel)
        header = self.header(page.pfn)
        if pages.kind_label(page.kind) != "slab" or page.private != self.obj.va:
            self._report(f"pfn {page.pfn:#x} on list {which} is {pages.kind_label(page.kind)}, not one of its slabs")
            return False
        if header["magic"] != kernel.layout.macro("SLAB_MAGIC") or header["cache_id"] != self.id:
            self._report(f"slab {page.pfn:#x} has a header of cache {header['cache_id']}, magic {header['magic']:#x}")
            return False
        bits = sum(bin(word).count("1") for word in header["live"])
        if bits != header["in_use"] or header["capacity"] != self.per_slab:
            self._report(f"slab {page.pfn:#x}: {plural(bits, 'object')} live, counted {header['in_use']} of {header['capacity']}")
        wrong = {"partial": not 0 < bits < self.per_slab, "full": bits != self.per_slab, "empty": bits != 0}
        if wrong[which]:
            self._report(f"slab {page.pfn:#x} with {bits} of {self.per_slab} objects live is on list {which}")
        return True

    def header(self, pfn):
        return self.kernel.obj("slab", (pfn << self.kernel.page_shift) + self.kernel.offset)

    def objects(self, pfn):
        """Every slot of one slab."""
        kernel, header = self.kernel, self.header(pfn)
        base = header.va
        tags = base + self._slab_type.size
        stack_at, pid_at = self._tag_type.offset("stack"), self._tag_type.offset("pid")
        content = kernel.memory.read(base - kernel.offset, kernel.page_size)
        live = header["live"]
        for slot in range(self.per_slab):
            at = tags - base + slot * self._tag_type.size
            stack, = struct.unpack_from("<I", content, at + stack_at)
            pid, = struct.unpack_from("<H", content, at + pid_at)
            yield SlabObject(self, base + self.obj["objects_offset"] + slot * self.object_bytes, slot,
                             bool(live[slot // 64] >> slot % 64 & 1), stack, pid)

    def live_objects(self):
        for pfn in self.slabs:
            for found in self.objects(pfn):
                if found.live:
                    yield found

    def object_at(self, pfn, va):
        """The object that va lies in, or None for the slab's header and tags."""
        offset = va - ((pfn << self.kernel.page_shift) + self.kernel.offset) - self.obj["objects_offset"]
        slot = offset // self.object_bytes
        if offset < 0 or slot >= self.per_slab:
            return None
        return next(found for found in self.objects(pfn) if found.slot == slot)

    def check_poison(self):
        """SLAB-3: free objects that were written."""
        for pfn in self.slabs:
            for found in self.objects(pfn):
                if found.live:
                    continue
                content = bytes(self.kernel.read_va(found.va, self.object_bytes))
                if content != self._poison * (self.object_bytes // 8):
                    self._report(f"free object {found.va:#x} in slab {pfn:#x} was written")


def caches_of(kernel, findings):
    """Every slab cache, by id."""
    def make():
        return [SlabCache(kernel, obj, findings) for obj in kernel.read_symbol_array("caches") if obj["name"]]
    return kernel.once("caches", make)


def find_object(kernel, va, findings):
    """The SlabObject that a kernel va lies in, or None."""
    if not kernel.in_direct_map(va):
        return None
    pages = pages_of(kernel)
    pfn = va - kernel.offset >> kernel.page_shift
    if not pages.valid(pfn) or pages.kind_label(pages.page(pfn).kind) != "slab":
        return None
    owner = pages.page(pfn).private
    for cache in caches_of(kernel, findings):
        if cache.obj.va == owner:
            return cache.object_at(pfn, va)
    return None


def claim_slabs(kernel, accounting, findings):
    """The page of each slab that a cache's lists reach."""
    for cache in caches_of(kernel, findings):
        for pfn in cache.slabs:
            accounting.claim_page(pfn, "SLAB", cache.id, 0, f"slab of cache {cache.name}")
