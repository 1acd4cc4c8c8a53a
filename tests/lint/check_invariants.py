#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the numbered invariants in the heads of C files: lines such as

    * RING-3  a reader that copied a packet while it was reused sees it: afterwards content_size_bits is less than it
    *         was, or sequence differs.

  line      each stands on a line of its own, and the lines that continue it stand under its text: a list that an editor
            filled into one paragraph is found
  unique    a tag is defined once
  known     a tag of a known list that is cited is defined
  verified  the kernel's and the user library's are each cited where they are verified: in a test, in a test program, or
            in the text of a checker. UNVERIFIED are those for which there is none yet; the list may only shrink

Usage: check_invariants.py [ROOT]       exit status 1 if something was found
"""
import re
import sys
from pathlib import Path

from check_text import tracked_files

TAG = r"[A-Z][A-Z0-9]+-[0-9]+"
DEFINITION = re.compile(rf"^\s*\*\s+({TAG})  (?=\S)")
INSIDE = re.compile(rf"\S.*?\b({TAG})(  )(?=\S)")
COMMENT_TEXT = re.compile(r"^\s*\*\s*")
CITATION = re.compile(rf"\b({TAG})\b")
SOURCES = {".c", ".h", ".S", ".def"}
CITING = SOURCES | {".py"}
# Each has a reason in docs/STATUS.md: what would show a breach is a hang or a race, and no test provokes it.
UNVERIFIED = {
    "AUDIT-1", "BOOTMEM-1", "CON-1", "DEPOT-3", "FMAP-1", "IPI-1", "MM-4", "MMU-1", "MMU-2", "MOUNT-1", "RUNQ-2", "RUNQ-3",
    "SPIN-1", "SWITCH-2", "SWITCH-3", "TASK-3", "TIMER-3", "TRACE-4", "TREE-1", "VIRTIO-1", "VIRTIO-2", "WAIT-1", "WAIT-2",
}


class Book:
    """What is defined where, and cited where it is verified."""

    def __init__(self):
        self.defined, self.verified, self.cited = {}, set(), {}


def continues(line, column):
    """Whether a line of a comment is indented to the column of an invariant's text."""
    return len(COMMENT_TEXT.match(line).group(0)) >= column


def check_definition(lines, at):
    """Yields what is wrong with the continuation of the definition on lines[at]."""
    column = DEFINITION.match(lines[at]).end()
    end = lines[at].rstrip()
    for line in lines[at + 1:]:
        if DEFINITION.match(line) or not COMMENT_TEXT.match(line) or not COMMENT_TEXT.sub("", line).strip(" /"):
            return
        if not continues(line, column):
            if end[-1] not in ".;:)":
                yield "its text goes on in a line that is not indented under it"
            return
        end = line.rstrip()


def is_checker(path, line):
    """Whether a citation on this line of the kernel is in the words of a checker, as "PAGE-2: ..."."""
    return path.parts[0] == "kernel" and re.search(rf'"{TAG}(, {TAG})*: ', line)


def read_file(root, path, book):
    """Notes all tags of a file; yields violations."""
    lines = (root / path).read_text(errors="replace").split("\n")
    testing = path.parts[0] == "tests" and path.parts[1] != "lint" or path.parts[:2] == ("user", "bin")
    for number, line in enumerate(lines, 1):
        definition = DEFINITION.match(line) if path.suffix in SOURCES and not testing else None
        if definition:
            tag = definition.group(1)
            if tag in book.defined:
                yield f"{path}:{number}: {tag} is defined in {book.defined[tag]}, too"
            book.defined[tag] = f"{path}:{number}"
            for what in check_definition(lines, number - 1):
                yield f"{path}:{number}: {tag}: {what}"
            line = " * " + line[definition.end():]
        inside = INSIDE.search(COMMENT_TEXT.sub("", line)) if COMMENT_TEXT.match(line) and not testing else None
        if inside:
            yield f"{path}:{number}: {inside.group(1)} does not stand on a line of its own"
        for tag in CITATION.findall(line):
            book.cited.setdefault(tag, f"{path}:{number}")
            if testing or is_checker(path, line):
                book.verified.add(tag)


def check_tree(root):
    """Yields every violation below root."""
    book = Book()
    for path in tracked_files(root):
        if path.suffix in CITING and path.parts[0] in ("kernel", "user", "trace-tools", "gdb-scripts", "tests"):
            yield from read_file(root, path, book)
    families = {tag.rsplit("-", 1)[0] for tag in book.defined}
    for tag, where in sorted(book.cited.items()):
        if tag.rsplit("-", 1)[0] in families and tag not in book.defined:
            yield f"{where}: {tag} is cited and nowhere defined"
    for tag, where in sorted(book.defined.items()):
        if where.startswith(("kernel/", "user/")) and tag not in book.verified | UNVERIFIED:
            yield f"{where}: {tag} is cited by no test and no checker"
        if tag in UNVERIFIED & book.verified:
            yield f"{where}: {tag} is verified: take it off the list UNVERIFIED"
    print(f"invariants: {len(book.defined)} in {len(families)} lists, {len(UNVERIFIED & set(book.defined))} without a test")


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = list(check_tree(root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
