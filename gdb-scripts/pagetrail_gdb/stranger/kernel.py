# SPDX-License-Identifier: MIT
"""A stranger's kernel: where its processes, page tables and free lists are, by its description and DWARF.

Addresses: pa physical, va the kernel's. Page tables are Sv39 (RISC-V privileged specification, "Sv39: Page-Based 39-bit
Virtual-Memory System"). Memory is as the kernel left it: whatever it says is checked before it is followed.
"""
import re
import struct
from collections import namedtuple

from ..model.errors import CommandError, ReadError

PAGE = 4096
RAM_BASE = 0x80000000
LEVELS = 3
ENTRIES = 512
PTE_V, PTE_LEAF = 1, 0xE  # R, W, X: any makes a leaf

Process = namedtuple("Process", "slot pid state name tables")
Step = namedtuple("Step", "level index pte pa va leaf")

_NODES_MAX = 1 << 22  # of a free list: 16 GiB of pages
_PATH = re.compile(r"([A-Za-z_]\w*)((?:\[\])?)((?:\.\w+)*)")


def pte_pa(pte):
    return (pte >> 10 & (1 << 44) - 1) << 12


class Stranger:
    """memory, layout (GdbLayout) and description (a list of Item) together."""

    def __init__(self, layout, memory, items):
        self.layout, self.memory, self.items = layout, memory, items
        maps = [item for item in items if item.verb == "map"]
        self.offset = int(maps[0].keys["va"], 0) - int(maps[0].keys["pa"], 0) if maps else 0

    def all(self, verb):
        return [item for item in self.items if item.verb == verb]

    def one(self, verb, what):
        found = self.all(verb)
        if not found:
            raise CommandError(f"the kernel's description says nothing of {what} (docs/KERNEL-DESCRIPTION.md, `{verb}`)")
        return found[0]

    def pa(self, va):
        """The physical address of an address in the kernel's linear mapping."""
        return va - self.offset

    def read_va(self, va, size):
        return bytes(self.memory.read(self.pa(va), size))

    # ---- places: "kmem.freelist", "kmem[].freelist", "proc[]" ----

    def places(self, text):
        """[(va, Type)] of a path; one for each element where it has []."""
        match = _PATH.fullmatch(text)
        if not match:
            raise CommandError(f"{text}: gdb follows NAME, NAME.MEMBER and NAME[].MEMBER only")
        name, each, members = match.groups()
        va, kind = self.layout.symbol(name)
        bases = [(va + i * kind.element.size, kind.element) for i in range(kind.count)] if each else [(va, kind)]
        if not members:
            return bases
        found = []
        for base, base_kind in bases:
            offset, member = base_kind.resolve(members[1:])
            found.append((base + offset, member))
        return found

    # ---- processes ----

    def processes(self):
        """Every slot that is in use."""
        item = self.one("procs", "processes")
        unused = self._enumerator(item.keys.get("unused", "0"))
        found = []
        for slot, (va, kind) in enumerate(self.places(item.subject)):
            content = self.read_va(va, kind.size)
            state = self._number(kind, content, item.keys["state"])
            if state == unused:
                continue
            pid = self._number(kind, content, item.keys["pid"]) if "pid" in item.keys else slot
            name = ""
            if "name" in item.keys:
                offset, member = kind.resolve(item.keys["name"])
                name = content[offset:offset + member.size].split(b"\0")[0].decode("ascii", "replace")
            tables = [(path, self._number(kind, content, path)) for path in item.keys.get("tables", "").split(",") if path]
            found.append(Process(slot, pid, self._state_name(kind, item.keys["state"], state), name, tables))
        return found

    def process(self, pid):
        for process in self.processes():
            if process.pid == pid:
                return process
        raise CommandError(f"there is no process {pid}")

    @staticmethod
    def _number(kind, content, path):
        offset, member = kind.resolve(path)
        return int.from_bytes(content[offset:offset + member.size], "little")

    def _enumerator(self, text):
        try:
            return int(text, 0)
        except ValueError:
            return self.layout.enumerator(text)

    def _state_name(self, kind, path, value):
        _, member = kind.resolve(path)
        if member.kind == "enum" and member.name:
            return self.layout.enum(member.name).get(value, str(value))
        return str(value)

    # ---- page tables ----

    def kernel_root(self):
        """va of the kernel's own root table."""
        (va, _), = self.places(self.one("root", "the kernel's page table").subject)[:1]
        return int.from_bytes(self.read_va(va, 8), "little")

    def walk_tree(self, root, findings, level=LEVELS - 1, va=0, seen=None):
        """Every valid entry of the table at physical `root`, tables before their contents."""
        seen = {root} if seen is None else seen
        try:
            entries = struct.unpack(f"<{ENTRIES}Q", bytes(self.memory.read(root, PAGE)))
        except ReadError as error:
            findings.append(f"table of level {level}: {error}")
            return
        for index, pte in enumerate(entries):
            if not pte & PTE_V:
                continue
            leaf, at = bool(pte & PTE_LEAF), va + (index << 12 + 9 * level)
            yield Step(level, index, pte, pte_pa(pte), at, leaf)
            if leaf:
                continue
            if level == 0 or pte_pa(pte) in seen:
                findings.append(f"entry {index} of level {level} (va {at:#x}) "
                                + ("is no leaf" if level == 0 else "leads to a table that was there before"))
                continue
            seen.add(pte_pa(pte))
            yield from self.walk_tree(pte_pa(pte), findings, level - 1, at, seen)

    def walk(self, root, va):
        """The entries on the way to one address, the last of which may be invalid."""
        table = root
        for level in range(LEVELS - 1, -1, -1):
            index = va >> 12 + 9 * level & ENTRIES - 1
            pte = self.memory.read_u64(table + index * 8)
            leaf = bool(pte & PTE_V and pte & PTE_LEAF)
            yield Step(level, index, pte, pte_pa(pte), va & ~((1 << 12 + 9 * level) - 1), leaf)
            if leaf or not pte & PTE_V:
                return
            table = pte_pa(pte)

    # ---- free lists ----

    def free_lists(self, findings):
        """[(name, [pa of each page])] of every list head."""
        found = []
        for item in self.all("list"):
            if "at" in item.keys:
                raise CommandError(f"the heads of {item.subject} are said by a formula: `pagetrail audit` walks such lists")
            step = int(item.keys.get("pages", "1"), 0) if item.keys.get("pages", "1").isdigit() else 1
            places = self.places(item.subject)
            for number, (va, kind) in enumerate(places):
                name = item.subject.replace("[]", f"[{number}]") if len(places) > 1 else item.subject
                found.append((name, self._follow(va, kind, item, name, findings), step))
        if not found:
            raise CommandError("the kernel's description names no free list")
        return found

    def _follow(self, head, kind, item, name, findings):
        offset = self._next_offset(kind, item.keys.get("next", "next"))
        pages, seen, at = [], set(), int.from_bytes(self.read_va(head, 8), "little")
        while at and at != head and len(pages) < _NODES_MAX:
            if at in seen:
                findings.append(f"{name}: page {self.pa(at):#x} is on the list twice")
                break
            seen.add(at)
            try:
                following = int.from_bytes(self.read_va(at + offset, 8), "little")
            except ReadError as error:
                findings.append(f"{name}: {error}")
                break
            pages.append(self.pa(at))
            at = following
        return pages

    def _next_offset(self, kind, member):
        """Offset of the link in a node; a list head is a pointer to one, or a node itself."""
        if kind.kind == "ptr" and kind.name:
            kind = self.layout.struct(kind.name)
        if kind.kind != "struct":
            return 0
        return kind.resolve(member)[0]
