# SPDX-License-Identifier: MIT
"""What each command does on a stranger's kernel. COMMANDS: name -> function(stranger, arguments, findings, run folder).

What memory alone cannot say (who allocated a page, what happened to it) comes from the run folder of `pagetrail watch`
($PAGETRAIL_RUN), live or ended, through the program pagetrail.
"""
import re
import subprocess

import gdb

from ..model.errors import CommandError
from ..model.words import plural
from .description import find_program
from .kernel import LEVELS, PAGE

_TIMEOUT = 60
_FLAGS = "vrwxugad"
_ENTRY = re.compile(r"#\d+ ")


def _expect(arguments, low, high, usage):
    if not low <= len(arguments) <= high:
        raise CommandError(f"usage: {usage}")


def _number(text, what):
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return int(gdb.parse_and_eval(text)) & (1 << 64) - 1
    except gdb.error as error:
        raise CommandError(f"{what} {text}: {error}") from error


def _flags(pte):
    return "".join(letter if pte >> bit & 1 else "-" for bit, letter in enumerate(_FLAGS))


def _root_of(stranger, arguments):
    """(physical root, what it is) for [-k|PID]; the process 1 without."""
    if "-k" in arguments:
        return stranger.pa(stranger.kernel_root()), "the kernel"
    pid = _number(arguments[0], "pid") if arguments else 1
    process = stranger.process(pid)
    for path, root in process.tables:
        if root:
            return stranger.pa(root), f"pid {pid} ({process.name}), {path}"
    raise CommandError(f"pid {pid} has no page table")


def vmprint(stranger, arguments, findings, run):
    """In the form of the page-table lab: one line an entry, indented by level."""
    _expect(arguments, 0, 1, "vmprint [-k] [PID]")
    root, _ = _root_of(stranger, arguments)
    print(f"page table 0x{root:016x}")
    for step in stranger.walk_tree(root, findings):
        print(f"{' ..' * (LEVELS - step.level)}{step.index}: pte 0x{step.pte:016x} pa 0x{step.pa:016x}")


def pte_walk(stranger, arguments, findings, run):
    _expect(arguments, 1, 2, "pte-walk ADDRESS [-k|PID]")
    va = _number(arguments[0], "address")
    root, name = _root_of(stranger, arguments[1:])
    print(f"page table of {name}, root 0x{root:016x}")
    step = None
    for step in stranger.walk(root, va):
        print(f"level {step.level} entry {step.index:3}: pte 0x{step.pte:016x} "
              + (f"pa 0x{step.pa:016x} {_flags(step.pte)}" if step.pte & 1 else "not valid"))
    if not step.leaf:
        print(f"0x{va:016x} is not mapped")
        return
    inside = va & (1 << 12 + 9 * step.level) - 1
    print(f"0x{va:016x} is at pa 0x{step.pa + inside:016x}")


def freelist_print(stranger, arguments, findings, run):
    _expect(arguments, 0, 1, "freelist-print [COUNT]")
    shown = _number(arguments[0], "count") if arguments else 8
    total = 0
    for name, pages, step in stranger.free_lists(findings):
        total += len(pages) * step
        first = " ".join(f"{pa:#x}" for pa in pages[:shown])
        print(f"{name}: {plural(len(pages) * step, 'page')}{': ' if pages else ''}{first}{' ...' if len(pages) > shown else ''}")
    print(f"{plural(total, 'page')} {'is' if total == 1 else 'are'} free")


def ps(stranger, arguments, findings, run):
    _expect(arguments, 0, 0, "ps")
    print(f"{'slot':>4} {'pid':>5}  {'state':10} name")
    for process in stranger.processes():
        print(f"{process.slot:4} {process.pid:5}  {process.state:10} {process.name}")


# ---- with a run folder ----

def _ask(run, *words):
    if not run:
        raise CommandError("that needs the run folder of `pagetrail watch`: set PAGETRAIL_RUN to it before gdb starts")
    done = subprocess.run([find_program(), words[0], run, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=_TIMEOUT, check=False)
    if not done.stdout:
        raise CommandError(done.stderr.strip() or f"pagetrail {words[0]} says nothing")
    return done.stdout


def _page_address(stranger, text):
    """The physical address of the page meant by a page frame number, a physical or a kernel address."""
    number = _number(text, "address")
    if stranger.memory.contains(number * PAGE):
        return number * PAGE
    for pa in (number, stranger.pa(number)):
        if stranger.memory.contains(pa):
            return pa & ~(PAGE - 1)
    raise CommandError(f"{number:#x} is no page of RAM")


def _mappings(stranger, pa, findings):
    """["proc 2 (sh): 0x5000"] of every leaf that names the page."""
    for process in stranger.processes():
        for path, root in process.tables:
            if not root:
                continue
            for step in stranger.walk_tree(stranger.pa(root), findings):
                if step.leaf and step.pa <= pa < step.pa + (1 << 12 + 9 * step.level):
                    yield f"pid {process.pid} ({process.name}) {path}: 0x{step.va + pa - step.pa:x} {_flags(step.pte)}"


def page_owner(stranger, arguments, findings, run):
    """Whether it is free, what maps it, and, from the run, its last allocation or free with the stack."""
    _expect(arguments, 1, 1, "page-owner ADDRESS|PFN")
    pa = _page_address(stranger, arguments[0])
    lists = [name for name, pages, step in stranger.free_lists(findings)
             if any(first <= pa < first + step * PAGE for first in pages)]
    print(f"page {pa // PAGE:#x}  pa 0x{pa:016x}  va 0x{pa + stranger.offset:016x}")
    print(f"  {'free: on ' + ', '.join(lists) if lists else 'on no free list'}")
    found = list(_mappings(stranger, pa, findings))
    print("\n".join(f"  mapped by {text}" for text in found) if found else "  mapped by no process")
    last = _last_change(_ask(run, "page", f"{pa:#x}", "--resolve"))
    print("\n".join(f"  {line}" for line in last) if last else "  the run has no allocation of it")


def _last_change(text):
    """The lines of the page's last allocation or free in the answer of `pagetrail page --resolve`, its stack included."""
    found = []
    for line in text.splitlines():
        if _ENTRY.match(line):
            taking = " page_alloc " in line or " page_free " in line
            found = [line] if taking else found
        elif not line.startswith(" "):
            taking = False
            if found:
                break
        elif found and taking:
            found.append(line)
    return found


def page_history(stranger, arguments, findings, run):
    _expect(arguments, 1, 1, "page-history ADDRESS|PFN")
    print(_ask(run, "page", f"{_page_address(stranger, arguments[0]):#x}"), end="")


def leaks(stranger, arguments, findings, run):
    _expect(arguments, 0, 0, "leaks")
    print(_ask(run, "leaks"), end="")


COMMANDS = {"vmprint": vmprint, "pte-walk": pte_walk, "freelist-print": freelist_print, "ps": ps, "page-owner": page_owner,
            "page-history": page_history, "leaks": leaks}
