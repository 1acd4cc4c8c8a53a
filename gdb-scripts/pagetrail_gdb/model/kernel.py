# SPDX-License-Identifier: MIT
"""The kernel under inspection: a layout and a memory together. Everything else in the model builds on this.

Addresses: pa and pfn are physical, va is a kernel virtual address, ua a user's. Objects are read through
their physical addresses, so nothing here depends on the mode or page table of a hart.
"""

from .errors import ReadError

_PAGE_TABLE_LEVELS = 3  # Sv39: RISC-V privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System"


class Obj:
    """One C object as it was when read. obj["a.b[2]"] decodes a member; obj.at("a.b") is the member's va."""

    __slots__ = ("kernel", "type", "va", "content")

    def __init__(self, kernel, kind, va, content):
        self.kernel = kernel
        self.type = kind
        self.va = va
        self.content = content

    def __getitem__(self, path):
        offset, member = self.type.resolve(path)
        if member.kind == "struct":
            return Obj(self.kernel, member, self.va + offset, self.content[offset:offset + member.size])
        return member.decode(self.content, offset)

    def at(self, path):
        return self.va + self.type.offset(path)

    def text(self, path):
        """A char array as text up to its 0."""
        return self[path].split(b"\0")[0].decode("ascii", "replace")

    def elements(self, path):
        """The structs of an array member."""
        offset, member = self.type.resolve(path)
        step = member.element.size
        return [Obj(self.kernel, member.element, self.va + offset + i * step,
                    self.content[offset + i * step:offset + (i + 1) * step]) for i in range(member.count)]


class Kernel:
    """layout and memory, and the addresses that lead into everything else."""

    def __init__(self, layout, memory):
        self.layout = layout
        self.memory = memory
        self.offset = layout.macro("PHYS_OFFSET")
        self.page_shift = layout.macro("PAGE_SHIFT")
        self.page_size = 1 << self.page_shift
        self.pte = PteFormat(layout, self.page_shift)
        self._cache = {}

    def once(self, key, make):
        """make(), computed at most once in the life of this Kernel (one command)."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    # ---- addresses ----

    def in_direct_map(self, va):
        return va >= self.offset and self.memory.contains(va - self.offset)

    def va_to_pa(self, va):
        """Physical address of a kernel virtual one; ReadError where the kernel maps nothing."""
        if self.in_direct_map(va):
            return va - self.offset
        for step in self.pte.walk(self, self.kernel_root_pa(), va):
            if step.leaf:
                return step.pa + (va & (step.span - 1))
        raise ReadError(f"{va:#x} is not mapped in the kernel")

    def kernel_root_pa(self):
        return self.read_symbol("kernel_root_pa")

    def read_va(self, va, size):
        """Bytes at a kernel virtual address. A span outside the direct map is read page by page."""
        if self.in_direct_map(va) and self.memory.contains(va - self.offset, size):
            return self.memory.read(va - self.offset, size)
        pieces, end = [], va + size
        while va < end:
            step = min(end - va, self.page_size - va % self.page_size)
            pieces.append(bytes(self.memory.read(self.va_to_pa(va), step)))
            va += step
        return b"".join(pieces)

    # ---- objects ----

    def struct(self, name):
        return self.layout.struct(name)

    def obj(self, struct_name, va):
        """struct struct_name at va; ReadError for a wild pointer."""
        kind = self.layout.struct(struct_name)
        if va % 2:
            raise ReadError(f"{va:#x} is no address of a struct {struct_name}")
        return Obj(self, kind, va, self.read_va(va, kind.size))

    def container(self, struct_name, member, va):
        """The struct whose member is at va."""
        return self.obj(struct_name, va - self.layout.struct(struct_name).offset(member))

    def symbol_va(self, name):
        return self.layout.symbol(name)[0]

    def read_symbol(self, name):
        """The value of a variable: a scalar, or an Obj for a struct."""
        va, kind = self.layout.symbol(name)
        content = self.memory.read(va - self.offset, kind.size)
        return Obj(self, kind, va, content) if kind.kind == "struct" else kind.decode(content)

    def read_symbol_array(self, name):
        """The structs of a global array."""
        va, kind = self.layout.symbol(name)
        content = self.memory.read(va - self.offset, kind.size)
        step = kind.element.size
        return [Obj(self, kind.element, va + i * step, content[i * step:(i + 1) * step])
                for i in range(kind.count)]

    def read_c_string(self, va, limit=64):
        """Text at a kernel pointer; "?" for a wild one."""
        try:
            content = bytes(self.read_va(va, min(limit, self.page_size - va % self.page_size)))
        except ReadError:
            return "?"
        return content.split(b"\0")[0].decode("ascii", "replace")

    def describe_frame(self, frame):
        """A return address as the depot keeps it: va minus the direct map's offset."""
        return self.layout.describe_pc(frame + self.offset) if frame else "?"

    def harts(self):
        """struct hart of every hart that is online."""
        return self.once("harts", lambda: self.read_symbol_array("harts")[:self.read_symbol("nr_harts")])


class WalkStep:
    """One level of a page-table walk. span: bytes that an entry of this level maps."""

    __slots__ = ("level", "index", "entry_pa", "pte", "pa", "valid", "leaf", "span")

    def __init__(self, level, index, entry_pa, pte, pa, valid, leaf, span):
        self.level = level
        self.index = index
        self.entry_pa = entry_pa
        self.pte = pte
        self.pa = pa
        self.valid = valid
        self.leaf = leaf
        self.span = span


class PteFormat:
    """Sv39 page-table entries, with the kernel's own names for the bits.

    The position of the page number (bits 10..53) is Sv39's: RISC-V privileged specification, "Sv39 page
    table entry". The bits' names and values come from the kernel's macros.
    """

    _PPN_SHIFT = 10
    _PPN_BITS = 44

    def __init__(self, layout, page_shift):
        self.page_shift = page_shift
        self.entries = (1 << page_shift) // 8
        self.index_bits = self.entries.bit_length() - 1
        self.bits = [(letter, layout.macro(f"PTE_{letter.upper()}")) for letter in "vrwxugad"]
        self.words = [(word, layout.macro(f"PTE_{word.upper()}")) for word in ("cow", "shared")]
        self.valid = layout.macro("PTE_V")
        self.writable = layout.macro("PTE_W")
        self.user = layout.macro("PTE_U")
        self.cow = layout.macro("PTE_COW")
        self.shared = layout.macro("PTE_SHARED")
        self.leaf_bits = layout.macro("PTE_LEAF_BITS")

    def pa(self, pte):
        return (pte >> self._PPN_SHIFT & ((1 << self._PPN_BITS) - 1)) << self.page_shift

    def is_leaf(self, pte):
        return bool(pte & self.leaf_bits)

    def flags(self, pte):
        """Eight letters, v r w x u g a d or -, then the kernel's own bits as words."""
        letters = "".join(letter if pte & bit else "-" for letter, bit in self.bits)
        return " ".join([letters] + [word for word, bit in self.words if pte & bit])

    def span(self, level):
        return 1 << (self.page_shift + self.index_bits * level)

    def index(self, va, level):
        return va >> (self.page_shift + self.index_bits * level) & (self.entries - 1)

    def walk(self, kernel, root_pa, va):
        """Yields a WalkStep per level, from the root to the leaf or the first invalid entry."""
        table = root_pa
        for level in reversed(range(_PAGE_TABLE_LEVELS)):
            index = self.index(va, level)
            entry_pa = table + index * 8
            pte = kernel.memory.read_u64(entry_pa)
            valid = bool(pte & self.valid)
            step = WalkStep(level, index, entry_pa, pte, self.pa(pte), valid,
                            valid and self.is_leaf(pte), self.span(level))
            yield step
            if not valid or step.leaf:
                return
            table = step.pa

    def canonical(self, va):
        """Sign-extends the 39 bits that the walk translates."""
        top = self.page_shift + _PAGE_TABLE_LEVELS * self.index_bits
        return va | (1 << 64) - (1 << top) if va >> (top - 1) & 1 else va
