# SPDX-License-Identifier: MIT
"""vmprint and pte-walk."""

from ..model.errors import CommandError
from ..model.pages import pages_of
from ..model.pagetable import ROOT_LEVEL, describe_kernel_target, describe_target, user_root_range, walk_tree
from ..model.tasks import find_task, mm_of, root_of
from .base import Command, default_pid, expect, parse_number, parse_pid, pid_words


def _user_root(kernel, pid, findings):
    """(root pa, task) of a process; CommandError for a kernel thread."""
    task = find_task(kernel, pid, findings)
    mm = mm_of(kernel, task)
    if mm is None:
        raise CommandError(f"pid {pid} ({task.text('name')}) is a kernel thread: it has no page table of its own")
    return root_of(kernel, mm), task


class VmPrint(Command):
    """Print a process's page table: vmprint [-k] [PID]

Each valid entry of the user's half, indented by level: index, entry, physical address, the flags
v r w x u g a d (- where clear), `cow` and `shared`, and the kind and reference count of the page behind it.
Without PID, the process on the selected hart, else process 1.
-k prints the kernel's half instead, from the kernel's own root; leaves that go on alike share a line."""

    name = "vmprint"
    words = pid_words

    def run(self, kernel, arguments, findings):
        kernel_half = "-k" in arguments
        arguments = [argument for argument in arguments if argument != "-k"]
        expect(arguments, 0, 1, "vmprint [-k] [PID]")
        first, last = user_root_range(kernel)
        if kernel_half:
            root, name = kernel.kernel_root_pa(), "kernel page table"
            first, last = last + 1, kernel.pte.entries - 1
        else:
            pid = parse_pid(arguments[0]) if arguments else default_pid(kernel)
            root, _ = _user_root(kernel, pid, findings)
            name = f"page table of pid {pid}"
        print(f"page table 0x{root:016x}")
        steps = (step for _, step in walk_tree(kernel, root, name, findings, first, last))
        if kernel_half:
            _print_runs(kernel, steps)
        else:
            for step in steps:
                print(_step_line(kernel, step, describe_target(kernel, step)))


def _step_line(kernel, step, target, last_index=None):
    dots = " .." * (ROOT_LEVEL - step.level + 1)
    index = step.index if last_index in (None, step.index) else f"{step.index}-{last_index}"
    return f"{dots}{index}: pte 0x{step.pte:016x} pa 0x{step.pa:016x} {kernel.pte.flags(step.pte)} {target}"


def _print_runs(kernel, steps):
    """Leaves that map consecutive pages of one kind with the same flags share a line: there are tens of thousands."""
    first = last = target = None
    for step in steps:
        step_target = describe_kernel_target(kernel, step)
        if (last is not None and step.leaf and last.leaf and step.level == last.level and step.index == last.index + 1
                and step.pa == last.pa + step.span and kernel.pte.flags(step.pte) == kernel.pte.flags(last.pte)
                and step_target == target):
            last = step
            continue
        if first is not None:
            print(_step_line(kernel, first, target, last.index))
        first, last, target = step, step, step_target
    if first is not None:
        print(_step_line(kernel, first, target, last.index))


class PteWalk(Command):
    """Walk one address through a page table: pte-walk ADDRESS [PID]

Shows the entry of each level (where it is, its value, its flags) and the page at the end. ADDRESS is any
expression. A user address is walked in PID's table (default: the process on the selected hart, else 1), a
kernel address in the kernel's own unless PID is given."""

    name = "pte-walk"
    completes = "expression"

    def run(self, kernel, arguments, findings):
        expect(arguments, 1, 2, "pte-walk ADDRESS [PID]")
        va = parse_number(kernel, arguments[0], "address")
        is_user = va < kernel.layout.macro("USER_END")
        if not is_user and kernel.pte.canonical(va & (kernel.pte.span(ROOT_LEVEL + 1) - 1)) != va:
            raise CommandError(f"{va:#x} is in the hole between the user's half and the kernel's")
        if len(arguments) == 2 or is_user:
            pid = parse_pid(arguments[1]) if len(arguments) == 2 else default_pid(kernel)
            root, task = _user_root(kernel, pid, findings)
            print(f"page table of pid {pid} ({task.text('name')}), root 0x{root:016x}")
        else:
            root = kernel.kernel_root_pa()
            print(f"kernel page table, root 0x{root:016x}")
        last = None
        for last in kernel.pte.walk(kernel, root, va):
            text = f"level {last.level} entry {last.index:3} at 0x{last.entry_pa:016x}: pte 0x{last.pte:016x}"
            if last.valid:
                target = (describe_target if is_user else describe_kernel_target)(kernel, last)
                text += f" pa 0x{last.pa:016x} {kernel.pte.flags(last.pte)} {target}"
            else:
                text += " not valid"
            print(text)
        if not last.leaf:
            print(f"0x{va:016x} is not mapped")
            return
        pa = last.pa + (va & (last.span - 1))
        size = {0: "4 KiB page", 1: "2 MiB megapage", 2: "1 GiB gigapage"}[last.level]
        print(f"0x{va:016x} is at pa 0x{pa:016x} in a {size}{_page_text(kernel, pa)}")


def _page_text(kernel, pa):
    pages = pages_of(kernel)
    pfn = pa >> kernel.page_shift
    if not pages.valid(pfn):
        return ", outside RAM"
    page = pages.head(pages.page(pfn))
    return (f": pfn {pfn:#x} {pages.kind_label(page.kind)} order {page.order} count {page.count} "
            f"pid {page.pid}")
