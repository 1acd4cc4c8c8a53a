# SPDX-License-Identifier: MIT
"""The fault catalogue: kernels built from patched copies of the tree.

tests/faults/NN-name/ holds
    fault.patch   the mistake, against this tree (patch -p1)
    fault.json    what it is, how to show it, what the tools must say:
        title, from    one line; the catalogue's source of it
        run            command for init, which shows the fault
        smp, mem, append   the machine, where it matters
        expect         see expect.py
        mistake        the function in which the mistake is, or a list; [] where it is in data or a type. A test compares it with the patch
        named, reason  where `pagetrail leaks` with a baseline of the healthy kernel names another than that: whom (null: nobody), and why

The copy lives in BUILD/faults/NN-name/tree. The kernel's objects are carried over with their times, so only what
the patch touches is compiled again.
"""
import difflib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import paths

FOLDER = paths.ROOT / "tests/faults"
# Not needed to build a kernel.
NOT_COPIED = ("traces/", "docs/", "tests/", "trace-tools/", "gdb-scripts/")
COPIED_ANYWAY = (".mk",)


def as_list(value):
    return value if isinstance(value, list) else [value]


class Fault:
    """One folder of the catalogue."""

    def __init__(self, name):
        self.name = name
        self.folder = FOLDER / name
        self.patch = self.folder / "fault.patch"
        self.__dict__.update({"smp": 2, "mem": "128M", "append": "", "reason": ""})
        self.__dict__.update(json.loads((self.folder / "fault.json").read_text()))
        self.mistakes = as_list(self.mistake)

    def may_be_named(self):
        """Whom a report should name: one of these; None is nobody."""
        return as_list(self.named) if hasattr(self, "named") else self.mistakes

    def build(self):
        """Builds the patched kernel; returns the path of its ELF."""
        return build_patched(self.name, self.patch)


def names():
    """All faults of the catalogue, by number."""
    return sorted(p.parent.name for p in FOLDER.glob("*/fault.json"))


def find(name):
    """The fault with that name, or whose name begins so ("05" is enough)."""
    found = [n for n in names() if n == name] or [n for n in names() if n.startswith(name.rstrip("…"))]
    if len(found) != 1:
        raise SystemExit(f"no single fault is called {name!r}; there are: {', '.join(names())}")
    return Fault(found[0])


def source_files():
    """What git tracks or would track and a kernel build reads, relative to the root."""
    try:
        out = subprocess.run(["git", "-C", paths.ROOT, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                             capture_output=True).stdout.decode()
        files = [n for n in out.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        files = [str(p.relative_to(paths.ROOT)) for top in ("Makefile", ".ci", "kernel", "user", "tests", "trace-tools")
                 for p in [paths.ROOT / top, *(paths.ROOT / top).rglob("*")]]
    return sorted(n for n in set(files) if (paths.ROOT / n).is_file()
                  and (not n.startswith(NOT_COPIED) or n.endswith(COPIED_ANYWAY)))


def copy_tree(tree):
    """Copies the sources, with their times, to an empty folder."""
    for name in source_files():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(paths.ROOT / name, target)


def apply_patch(tree, patch):
    if not patch.read_text().strip():
        return
    done = subprocess.run(["patch", "-p1", "--batch", "--forward", "--no-backup-if-mismatch", "-d", tree, "-i", patch],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{patch} does not apply:\n{done.stdout}")


# ---- what a patch changes ----

def name_in(signature):
    """The name that a function's head declares: it stands before the last parentheses."""
    depth, at = 0, signature.rindex(")")
    for at in range(at, -1, -1):
        depth += {")": 1, "(": -1}.get(signature[at], 0)
        if not depth:
            break
    return re.search(r"(\w+)$", signature[:at]).group(1)


def function_lines(text):
    """The function of each line, None outside. The sources are formatted: heads and braces of functions begin a line."""
    lines = text.splitlines()
    owner, begin = [None] * len(lines), 0
    for at, line in enumerate(lines):
        if line == "{" and lines[at - 1].endswith(")"):
            begin = at
        elif line == "}" and begin:
            head = begin - 1
            while head > 0 and lines[head - 1] and not re.search(r"[;}/]$|^#", lines[head - 1]):
                head -= 1
            owner[head:at + 1] = [name_in(" ".join(lines[head:begin]))] * (at + 1 - head)
            begin = 0
    return owner


def changed_in(before, after):
    """The functions in which two texts differ."""
    sides = [(text.splitlines(), function_lines(text)) for text in (before, after)]
    matcher = difflib.SequenceMatcher(None, sides[0][0], sides[1][0], autojunk=False)
    found = set()
    for tag, *ends in matcher.get_opcodes():
        for side, (begin, end) in zip(sides, (ends[:2], ends[2:])):
            found |= {owner for owner in side[1][begin:end] if tag != "equal"}
    return found - {None}


def changed_functions(patch):
    """The functions that a patch changes; what it changes outside of functions is not told."""
    files = re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M)
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        for name in files:
            copy = Path(folder) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.ROOT / name, copy)
        apply_patch(folder, patch)
        for name in files:
            found |= changed_in((paths.ROOT / name).read_text(), (Path(folder) / name).read_text())
    return found


# ---- building ----

def update_tree(fresh, tree):
    """Makes tree's sources equal to fresh's. A file that changes gets the time of now, so that make notices."""
    wanted = {str(p.relative_to(fresh)) for p in fresh.rglob("*") if p.is_file()}
    present = {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file()
               and p.relative_to(tree).parts[0] != "build"}
    for name in present - wanted:
        (tree / name).unlink()
    for name in wanted:
        target = tree / name
        if target.exists() and target.read_bytes() == (fresh / name).read_bytes():
            continue
        known = target.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(fresh / name, target)
        if known:
            os.utime(target)


def carry_objects(build):
    """Copies the main build's kernel objects with their times. Their .d files name the other folder: mended."""
    source = paths.BUILD / "kernel"
    if not source.is_dir() or build.exists():
        return
    shutil.copytree(source, build / "kernel")
    for depend in build.rglob("*.d"):
        times = depend.stat()
        text = depend.read_text()
        for spelling in {str(paths.BUILD), paths.BUILD_NAME}:
            text = text.replace(spelling + "/", "build/")
        depend.write_text(text)
        os.utime(depend, ns=(times.st_atime_ns, times.st_mtime_ns))


def build_patched(name, patch):
    """Builds the kernel with one patch applied, in a scratch tree of its own; returns the ELF's path."""
    scratch = paths.BUILD / "faults" / name
    tree, fresh = scratch / "tree", scratch / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    copy_tree(fresh)
    apply_patch(fresh, patch)
    tree.mkdir(exist_ok=True)
    update_tree(fresh, tree)
    shutil.rmtree(fresh)
    carry_objects(tree / "build")
    paths.make("kernel", build="build", tree=tree)
    return tree / "build/kernel/pagetrail.elf"
