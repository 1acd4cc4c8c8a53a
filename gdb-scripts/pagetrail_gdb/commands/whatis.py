# SPDX-License-Identifier: MIT
"""whatis: what an address is."""

import gdb

from ..model.claims import accounting_of
from ..model.errors import ReadError
from ..model.pages import pages_of
from ..model.slab import find_object
from ..model.stacks import stack_range
from ..model.tasks import all_mms, all_tasks, root_of
from ..model.trace import Depot
from .base import Command, expect, parse_number, plural


def _is_number(text):
    try:
        int(text, 0)
    except ValueError:
        return False
    return True


def gdb_quote(expression):
    """The expression as one word of a command line."""
    return '"' + expression.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _print_type(expression):
    """What gdb's own `whatis` prints. Returns the gdb.Value, or None for the name of a type."""
    try:
        value = gdb.parse_and_eval(expression)
    except gdb.error as error:
        try:
            named = gdb.lookup_type(expression.strip())
        except gdb.error:
            raise gdb.GdbError(str(error)) from error
        print(f"type = {named.target() if named.code == gdb.TYPE_CODE_TYPEDEF else named}")
        return None
    print(f"type = {value.type}")
    return value


def describe_address(kernel, va, findings):
    """Lines that say what an address is; none for one that the kernel knows nothing of."""
    pages = pages_of(kernel)
    symbol = gdb.format_address(va)
    if "<" in symbol:
        yield f"{va:#x} is {symbol.split('<')[1].rstrip('>')} in the kernel image"
    try:
        yield _describe_struct_page(kernel, pages, va)
        return
    except ReadError:
        pass
    found = find_object(kernel, va, findings)
    if found:
        yield from _describe_object(kernel, found, va, findings)
    for task in all_tasks(kernel, findings):
        span = stack_range(kernel, task)
        if span and span[0] <= va < span[1]:
            yield (f"{va:#x} is in the kernel stack of pid {task['pid']} ({task.text('name')}), "
                   f"{plural(span[1] - va, 'byte')} below its top")
    if va < kernel.layout.macro("USER_END") and not pages.valid(va >> kernel.page_shift):
        yield from _describe_user(kernel, va, findings)
        return
    yield from _describe_page(kernel, pages, va)


def _describe_struct_page(kernel, pages, va):
    page = pages.by_va(va)
    return (f"{va:#x} is the struct page of pfn {page.pfn:#x}: {pages.kind_label(page.kind)} order {page.order} "
            f"count {page.count}")


def _describe_object(kernel, found, va, findings):
    state = "live" if found.live else "free"
    offset = f"{plural(va - found.va, 'byte')} into " if va != found.va else ""
    act = "allocated" if found.live else "freed"
    yield (f"{va:#x} is {offset}a {state} object of cache {found.cache.name} ({plural(found.cache.object_bytes, 'byte')}) "
           f"at {found.va:#x}")
    for via in accounting_of(kernel, findings).objects.get(found.va, []):
        yield f"  reached by {via}"
    yield f"  {act} by pid {found.pid}, stack {found.stack}:"
    for i, frame in enumerate(Depot(kernel).frames(found.stack)):
        yield f"    #{i:<2} {kernel.describe_frame(frame)}"


def _describe_user(kernel, va, findings):
    for mm in all_mms(kernel, findings):
        try:
            for step in kernel.pte.walk(kernel, root_of(kernel, mm), va):
                if step.leaf:
                    yield (f"{va:#x} is mapped in mm {mm['id']} (pid {mm['pid']}) to pfn "
                           f"{step.pa >> kernel.page_shift:#x} {kernel.pte.flags(step.pte)}")
        except ReadError:
            continue


def _describe_page(kernel, pages, va):
    pa = va
    if not kernel.memory.contains(pa):
        try:
            pa = kernel.va_to_pa(va)
        except ReadError:
            return
    pfn = pa >> kernel.page_shift
    if not pages.valid(pfn):
        yield f"{va:#x} is device memory at pa {pa:#x}"
        return
    page = pages.page(pfn)
    head = pages.head(page)
    body = f", body of the block at {head.pfn:#x}" if head.pfn != pfn else ""
    yield (f"{va:#x} is at {pa % kernel.page_size:#x} in page {pfn:#x}: {pages.kind_label(head.kind)} order "
           f"{head.order} count {head.count}{body}")


class Whatis(Command):
    """Say what an address is: whatis ADDRESS

A function or variable of the kernel; a struct page; an object of a slab cache, with who allocated it and what
reaches it; a task's kernel stack; a page of RAM with its kind; a user address and who maps it.

This stands in for gdb's own `whatis`: for an expression that is not just a number, its type is printed first, as
gdb does, and for a type its one-level expansion."""

    name = "whatis"
    completes = "expression"

    def invoke(self, argument, from_tty):
        """Types need no memory: they are answered also where there is no kernel to look at."""
        if not _is_number(argument.strip()):
            value = _print_type(argument)
            if value is None or value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
                return
            argument = gdb_quote(argument)
        super().invoke(argument, from_tty)

    def run(self, kernel, arguments, findings):
        expect(arguments, 1, 1, "whatis ADDRESS")
        va = parse_number(kernel, arguments[0], "address")
        lines = list(describe_address(kernel, va, findings))
        for line in lines or [f"{va:#x} is nothing that the kernel knows"]:
            print(line)
