# SPDX-License-Identifier: MIT
"""Pretty-printers: what gdb's own `print` shows for the kernel's structures. print/r shows them raw."""

import gdb

from .model.errors import CommandError, ReadError
from .model.kernel import PteFormat
from .model.types import LayoutError
from .model.words import plural
from .session import SESSION

_LIST_NODES_MAX = 1000


class _Printer:
    """A printer with one line of text and, where it helps, the raw members below it."""

    def __init__(self, value):
        self.value = value

    def children(self):
        return ((field.name, self.value[field]) for field in self.value.type.fields() if field.name)

    def enum(self, enum, prefix, field):
        return SESSION.layout().enum_label(enum, prefix, int(self.value[field]))


class PagePrinter(_Printer):
    """struct page: pfn, kind, order, count."""

    def to_string(self):
        body = int(self.value["order"]) == SESSION.layout().macro("PAGE_BODY")
        order = "body" if body else f"order {int(self.value['order'])}"
        return f"{self._pfn()}{self.enum('page_kind', 'PK_', 'kind')} {order} count {int(self.value['count'])}"

    def _pfn(self):
        if self.value.address is None:
            return ""
        layout = SESSION.layout()
        first, pages = (int(gdb.parse_and_eval(name)) for name in ("first_pfn", "pages"))
        return f"pfn {first + (int(self.value.address) - pages) // layout.struct('page').size:#x} "


class PtePrinter:
    """pte_t: address and flags."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        layout = SESSION.layout()
        form, pte = PteFormat(layout, layout.macro("PAGE_SHIFT")), int(self.value)
        return f"{pte:#x} (pa {form.pa(pte):#x} {form.flags(pte)})"


class SpinlockPrinter(_Printer):
    """struct spinlock: name, who holds it, statistics."""

    def to_string(self):
        name = self.value["name"].string() if int(self.value["name"]) else "not initialised"
        holder = self.value["holder"]
        held = f"held by hart {int(holder['index'])}" if int(holder) else "free"
        return f"{name}, {held}, {plural(int(self.value['nr_acquires']), 'acquire')}, {int(self.value['nr_contended'])} contended"


class ListPrinter(_Printer):
    """struct list as a head: number of nodes."""

    def to_string(self):
        if self.value.address is None:
            return "list"
        head, node, count = int(self.value.address), self.value["next"], 0
        while int(node) != head and count < _LIST_NODES_MAX:
            node, count = node.dereference()["next"], count + 1
        return f"list of {count}" if count < _LIST_NODES_MAX else "list that does not come back"


class TaskPrinter(_Printer):
    """struct task: pid, name, state."""

    def to_string(self):
        return f"pid {int(self.value['pid'])} {self.value['name'].string()} {self.enum('task_state', 'TASK_', 'state')}"


class MmPrinter(_Printer):
    """struct mm: id, pid, pages."""

    def to_string(self):
        return f"mm {int(self.value['id'])} of pid {int(self.value['pid'])}, {plural(int(self.value['nr_resident']), 'page')} resident"


class VmaPrinter(_Printer):
    """struct vma: range, rights, what backs it."""

    def to_string(self):
        start, end = int(self.value["start"]), int(self.value["end"])
        flags = int(self.value["flags"])
        names = [name[len("VMA_"):].lower() for bit, name in sorted(SESSION.layout().enum("vma_flags").items()) if flags & bit]
        return f"{start:#x}..{end:#x} {' '.join(names)}{' of a file' if int(self.value['file']) else ''}"


class InodePrinter(_Printer):
    """struct inode: number, count, size, links."""

    def to_string(self):
        return (f"inode {int(self.value['number'])} count {int(self.value['count'])} size {int(self.value['size'])} "
                f"links {int(self.value['links'])}{' dirty' if int(self.value['dirty']) else ''}")


class MappingPrinter(_Printer):
    """struct mapping: whose, pages, dirty ones."""

    def to_string(self):
        return (f"mapping of inode {int(self.value['inode'])}, {plural(int(self.value['nr_pages']), 'page')}, "
                f"{int(self.value['nr_dirty'])} dirty")


class FilePrinter(_Printer):
    """struct file: what is open, count, position."""

    def to_string(self):
        inode = self.value["inode"]
        what = self.enum("file_type", "FILE_", "type")
        where = f" {int(inode.dereference()['number'])}" if int(inode) else ""
        return f"{what}{where} count {int(self.value['count'])} at {int(self.value['offset'])}"


class CachePrinter(_Printer):
    """struct kmem_cache: name, object size, live objects."""

    def to_string(self):
        name = self.value["name"].string() if int(self.value["name"]) else "(unused)"
        return f"{name}, {plural(int(self.value['object_bytes']), 'byte')}, {int(self.value['nr_live'])} live"


class PipePrinter(_Printer):
    """struct pipe: id and fill."""

    def to_string(self):
        return f"pipe {int(self.value['id'])}, {plural(int(self.value['write_at']) - int(self.value['read_at']), 'byte')} in it"


_BY_TAG = {"page": PagePrinter, "spinlock": SpinlockPrinter, "list": ListPrinter, "task": TaskPrinter, "mm": MmPrinter,
           "vma": VmaPrinter, "inode": InodePrinter, "mapping": MappingPrinter, "file": FilePrinter,
           "kmem_cache": CachePrinter, "pipe": PipePrinter}


def _guarded(printer):
    """Whatever fails inside a printer (no memory there, a name that is none, another ELF) must leave gdb's print working."""
    plain = printer.to_string

    def to_string():
        try:
            return plain()
        except (gdb.error, CommandError, ReadError, LayoutError, ArithmeticError, LookupError, ValueError) as error:
            return f"<{error}>"
    printer.to_string = to_string
    return printer


def lookup(value):
    """gdb asks this for every value it prints."""
    if value.type.name == "pte_t":
        return _guarded(PtePrinter(value))
    plain = value.type.strip_typedefs()
    if plain.code == gdb.TYPE_CODE_STRUCT and plain.tag in _BY_TAG:
        return _guarded(_BY_TAG[plain.tag](value))
    return None


lookup.__name__ = "pagetrail"


def register():
    gdb.pretty_printers[:] = [known for known in gdb.pretty_printers if getattr(known, "__name__", "") != "pagetrail"]
    gdb.pretty_printers.append(lookup)
