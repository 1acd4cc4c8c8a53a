# SPDX-License-Identifier: MIT
"""A made-up machine for the model's unit tests: RAM in a bytearray, filled through the kernel's own layout.

Everything is placed with offsets from DWARF, so these tests follow the kernel's structures as they change.
Structures are then broken on purpose, byte by byte.
"""
import struct

from pagetrail_gdb.model.kernel import Kernel
from pagetrail_gdb.model.memory import BytesMemory

FIRMWARE_PAGES = 512


class Image:
    """RAM of nr_pages pages. Symbols lie where the ELF puts them; other things are placed by `take`."""

    def __init__(self, layout, nr_pages=4096):
        self.layout = layout
        self.offset = layout.macro("PHYS_OFFSET")
        self.base = layout.macro("RAM_BASE")
        self.page_size = 1 << layout.macro("PAGE_SHIFT")
        self.nr_pages = nr_pages
        self.ram = bytearray(nr_pages * self.page_size)
        self._free_at = self.base + len(self.ram) // 2
        self.first_pfn = self.base // self.page_size
        self.pages_va = self.take(nr_pages * layout.struct("page").size)
        for name, value in (("pages", self.pages_va), ("first_pfn", self.first_pfn), ("nr_pages", nr_pages),
                            ("managed_pfn", self.first_pfn + FIRMWARE_PAGES)):
            self.set_symbol(name, value)
        for name in ("task_all", "mm_all", "shared_all", "proc_all", "fs/pipe.c:pipes", "mount.c:superblocks",
                     "runqueue.c:runqueue"):
            self.list_init(self.symbol(name))
        self.list_init(self.symbol("pagecache") + layout.symbol("pagecache")[1].offset("mappings"))
        buckets, kind = layout.symbol("icache.c:buckets")
        for i in range(kind.count):
            self.list_init(buckets + i * kind.element.size)
        self.waiting = self.new("list")  # a wait queue, on which every process of the machine is
        self.list_init(self.waiting)
        self.root_pa = self.take_page()
        self.set_symbol("kernel_root_pa", self.root_pa)

    def kernel(self):
        return Kernel(self.layout, BytesMemory(self.base, self.ram))

    # ---- bytes ----

    def take(self, size):
        """A kernel va of that many unused bytes, page aligned."""
        va = self._free_at + self.offset
        self._free_at += -(-size // self.page_size) * self.page_size
        assert self._free_at <= self.base + len(self.ram)
        return va

    def take_page(self):
        return self.take(self.page_size) - self.offset

    def poke(self, pa, content):
        at = pa - self.base
        assert 0 <= at <= len(self.ram) - len(content)
        self.ram[at:at + len(content)] = content

    def peek_u64(self, pa):
        return struct.unpack_from("<Q", self.ram, pa - self.base)[0]

    def poke_u64(self, pa, value):
        self.poke(pa, struct.pack("<Q", value))

    # ---- structures ----

    def symbol(self, name):
        return self.layout.symbol(name)[0]

    def set_symbol(self, name, value, path=""):
        va, kind = self.layout.symbol(name)
        self._set(va, kind, path, value)

    def set(self, struct_name, va, **members):
        """Writes members of a struct; "__" in a name stands for "."."""
        for path, value in members.items():
            self._set(va, self.layout.struct(struct_name), path.replace("__", "."), value)

    def _set(self, va, kind, path, value):
        offset, member = kind.resolve(path)
        content = value if isinstance(value, bytes) else struct.pack("<" + member.code(), value)
        self.poke(va + offset - self.offset, content)

    def new(self, struct_name, **members):
        va = self.take(self.layout.struct(struct_name).size)
        self.set(struct_name, va, **members)
        return va

    def page_va(self, pfn):
        return self.pages_va + (pfn - self.first_pfn) * self.layout.struct("page").size

    def set_page(self, pfn, **members):
        self.set("page", self.page_va(pfn), **members)

    def pfn_of(self, pa):
        return pa // self.page_size

    # ---- lists ----

    def list_init(self, head):
        self.set("list", head, next=head, prev=head)

    def list_add(self, head, node):
        """Adds at the end."""
        last = self.peek_u64(head + self.layout.struct("list").offset("prev") - self.offset)
        self.set("list", node, next=head, prev=last)
        self.set("list", last, next=node)
        self.set("list", head, prev=node)

    # ---- page tables ----

    def set_pte(self, table_pa, index, pa, *flags):
        bits = sum(self.layout.macro(f"PTE_{flag}") for flag in flags)
        self.poke_u64(table_pa + index * 8, pa >> 12 << 10 | bits)

    def map(self, root_pa, va, pa, *flags):
        """Maps one 4 KiB page, making tables of kind PAGETABLE with count 1 on the way; returns the entry's pa."""
        table = root_pa
        for level in (2, 1):
            entry = table + (va >> 12 + 9 * level & 511) * 8
            pte = self.peek_u64(entry)
            if not pte:
                below = self.take_page()
                self.set_page(self.pfn_of(below), kind=self.kind("PAGETABLE"), count=1)
                self.set_pte(table, va >> 12 + 9 * level & 511, below, "V")
                pte = self.peek_u64(entry)
            table = pte >> 10 << 12
        self.set_pte(table, va >> 12 & 511, pa, "V", *flags)
        return table + (va >> 12 & 511) * 8

    def kind(self, name):
        return self.layout.enum_value("page_kind", f"PK_{name}")

    # ---- the page allocator ----

    def close_books(self):
        """Every page that is still nothing becomes part of the image (BOOT), and the totals are set to fit."""
        size, kinds = self.layout.struct("page").size, {}
        kind_at, boot = self.layout.struct("page").offset("kind"), self.layout.enum_value("page_state", "PAGE_BOOT")
        managed = self.first_pfn + FIRMWARE_PAGES
        for pfn in range(self.first_pfn, self.first_pfn + self.nr_pages):
            at = self.pages_va - self.offset - self.base + (pfn - self.first_pfn) * size
            if not any(self.ram[at:at + size]):
                self.set_page(pfn, kind=self.kind("IMAGE"), count=1, state=boot)
            if pfn >= managed:
                kinds[self.ram[at + kind_at]] = kinds.get(self.ram[at + kind_at], 0) + 1
        for kind, count in kinds.items():
            self.set_symbol("buddy", count, f"kind_pages[{kind}]")

    def free_block(self, pfn, order):
        """Puts a block at the front of its list, poisoned."""
        none, body = self.layout.macro("PFN_NONE"), self.layout.macro("PAGE_BODY")
        name = f"lists[{order}]"
        va, kind = self.layout.symbol("buddy")
        first, = struct.unpack_from("<I", self.ram, va - self.offset - self.base + kind.offset(name + ".first"))
        count, = struct.unpack_from("<I", self.ram, va - self.offset - self.base + kind.offset(name + ".nr_blocks"))
        for i in range(1 << order):
            self.set_page(pfn + i, kind=self.kind("FREE"), order=body if i else order, pid=77)
        self.set_page(pfn, prev=none, next=first)
        if first != none:
            self.set_page(first, prev=pfn)
        self.set_symbol("buddy", pfn, name + ".first")
        self.set_symbol("buddy", count + 1, name + ".nr_blocks")
        poison = self.layout.macro("POISON_FREE").to_bytes(8, "little")
        self.poke(pfn * self.page_size, poison * (self.page_size // 8 << order))

    # ---- slabs ----

    def new_cache(self, index, name, object_bytes, live):
        """A cache with one slab, live objects in its first slots; returns (cache va, [object va])."""
        va, kind = self.layout.symbol("caches")
        cache = va + index * kind.element.size
        name_va = self.take(32)
        self.poke(name_va - self.offset, name)
        slab, tag = self.layout.struct("slab").size, self.layout.struct("slab_tag").size
        per_slab = (self.page_size - slab) // (object_bytes + tag)
        offset = self.page_size - per_slab * object_bytes
        pfn = self.pfn_of(self.take_page())
        self.set("kmem_cache", cache, name=name_va, id=index, object_bytes=object_bytes, per_slab=per_slab,
                 objects_offset=offset, nr_live=live, nr_slabs=1,
                 **({"partial": pfn} if live else {"empty": self.page_va(pfn)}))
        page = pfn * self.page_size + self.offset
        self.set("slab", page, magic=self.layout.macro("SLAB_MAGIC"), cache_id=index, in_use=live, capacity=per_slab,
                 **{"live[0]": (1 << live) - 1})
        poison = self.layout.macro("POISON_OBJ").to_bytes(8, "little") * (object_bytes // 8)
        self.poke(page + offset - self.offset, poison * per_slab)
        self.set_page(pfn, kind=self.kind("SLAB"), count=1, owner__id=cache & 0xffffffff, owner__index=cache >> 32)
        return cache, [page + offset + i * object_bytes for i in range(live)]

    # ---- the page cache ----

    def new_mapping(self, inode, nr_pages, nr_dirty=0):
        """A mapping with pages 0 .. nr_pages - 1 (at most 64), the first nr_dirty of them dirty: (va, [pfn], [record])."""
        mapping = self.new("mapping", inode=inode, nr_pages=nr_pages, nr_dirty=nr_dirty)
        at = self.layout.struct("mapping").offset
        self.list_init(mapping + at("dirty"))
        self.list_add(self.symbol("pagecache") + self.layout.symbol("pagecache")[1].offset("mappings"), mapping + at("all"))
        node = self.new("radix_node", count=nr_pages)
        self.set("mapping", mapping, tree__root=node, tree__height=1)
        pfns, records = [], []
        for index in range(nr_pages):
            dirty = index < nr_dirty
            pfn = self.pfn_of(self.take_page())
            self.set_page(pfn, kind=self.kind("PAGECACHE"), count=2 if dirty else 1, owner__id=inode, owner__index=index,
                          state=self.layout.enum_value("page_state", "PAGE_DIRTY") if dirty else 0)
            self.set("radix_node", node, **{f"slots[{index}]": self.page_va(pfn)})
            pfns.append(pfn)
            if dirty:
                records.append(self.new("dirty_record", page=self.page_va(pfn), index=index))
                self.list_add(mapping + at("dirty"), records[-1] + self.layout.struct("dirty_record").offset("link"))
        return mapping, pfns, records

    # ---- processes ----

    def new_process(self, pid, name=b"test"):
        """A blocked task with an empty address space; returns (task va, mm va, root pa)."""
        root = self.take_page()
        self.set_page(self.pfn_of(root), kind=self.kind("PAGETABLE"), count=1, pid=pid)
        mm = self.new("mm", id=pid + 100, pid=pid, root=self.page_va(self.pfn_of(root)))
        self.list_init(mm + self.layout.struct("mm").offset("vmas"))
        self.list_add(self.symbol("mm_all"), mm + self.layout.struct("mm").offset("all"))
        task = self.new("task", pid=pid, mm=mm, name=name + b"\0", quiet=True,
                        state=self.layout.enum_value("task_state", "TASK_BLOCKED"))
        self.list_init(task + self.layout.struct("task").offset("timer_link"))
        self.list_add(self.waiting, task + self.layout.struct("task").offset("wait_link"))
        self.list_add(self.symbol("task_all"), task + self.layout.struct("task").offset("all_link"))
        return task, mm, root
