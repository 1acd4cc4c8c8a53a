# SPDX-License-Identifier: MIT
"""A kernel's description as data. Its form is docs/KERNEL-DESCRIPTION.md; only what gdb needs is read.

    list kmem.freelist next=next      # list of struct run
    procs proc[] state=state unused=UNUSED pid=pid tables=pagetable stack=kstack name=name

becomes Item("list", "kmem.freelist", {"next": "next"}) and so on. Nothing here needs gdb.
"""
import os
import re
import shutil
import subprocess
from collections import namedtuple

from ..model.errors import CommandError

Item = namedtuple("Item", "verb subject keys")

_WORD = re.compile(r'(?:[^\s"#]|"(?:[^"\\]|\\.)*")+')
_TIMEOUT = 30  # seconds for `pagetrail describe`


def _words(line):
    """The words of a line up to its comment; a quoted part stays as it is."""
    found, at = [], 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        if line[at] == "#":
            break
        match = _WORD.match(line, at)
        if not match:
            break
        found.append(match.group(0))
        at = match.end()
    return found


def parse(text):
    """All items of a description, in order."""
    items = []
    for line in text.splitlines():
        words = _words(line)
        if words and words[0] == "maybe":
            words = words[1:]
        if not words:
            continue
        keys = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        subject = words[1] if len(words) > 1 and "=" not in words[1] else ""
        items.append(Item(words[0], subject, keys))
    return items


def find_program():
    """The `pagetrail` beside these scripts, or the one in PATH."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    built = os.path.join(root, "build", "trace-tools", "pagetrail")
    program = os.environ.get("PAGETRAIL") or (built if os.access(built, os.X_OK) else shutil.which("pagetrail"))
    if not program:
        raise CommandError("the program pagetrail is neither built beside these scripts nor in PATH ($PAGETRAIL names it)")
    return program


def read(elf, run_folder):
    """The items of the run folder's description, else of what is found in the ELF."""
    stored = os.path.join(run_folder, "kernel", "kernel.kd") if run_folder else None
    if stored and os.path.isfile(stored):
        with open(stored, encoding="utf-8", errors="replace") as file:
            return parse(file.read())
    done = subprocess.run([find_program(), "describe", elf], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=_TIMEOUT, check=False)
    if not done.stdout.strip():
        raise CommandError(f"{elf} cannot be described: {done.stderr.strip() or 'pagetrail describe says nothing'}")
    return parse(done.stdout)
