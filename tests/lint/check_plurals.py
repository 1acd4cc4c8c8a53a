#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No count is printed with a fixed plural: "1 pages" is what a reader stumbles over.

A format that puts a number before a plural, as in `"%zu pages"` or `f"{nr} pages"`, is an error; `"%zu page%s", nr, plural_s(nr)` is not
(base/text.h), nor is `plural(nr, "page")` of the GDB commands. What cannot be 1, or is read by a program, is in ALLOWED with its reason. "3 of
5 pages" is a part of a whole that is named in the plural, and is left alone.

Usage: check_plurals.py [FOLDER]
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOUNS = ("pages objects events findings references tests bytes instructions processes harts records groups times lines packets stacks "
         "calls ways files runs trees sites entries counts leaks seconds pointers threads allocations frames marks words stores symbols "
         "functions items copies kernels steps columns rows folders machines lives holders slots blocks slabs levels mappings kinds "
         "others comparisons definitions acquires").split()
ADJECTIVES = "(?:(?:more|other|further|leaked|different|live|open|free|unmatched|stack|call|dead|kept) )?"
C_COUNT = re.compile(r'(?<!of )(?:%(?:"\s*PRI[ud]64\s*"|zu|u|d|llu|lu|lld)|%"\s*PRI[ud]64\s*"") ' + ADJECTIVES + r"(" + "|".join(NOUNS) + r")\b")
PYTHON_COUNT = re.compile(r"(?<!of )\{[^{}]+\} " + ADJECTIVES + r"(" + "|".join(NOUNS) + r")\b")
# (file, part of the line): why.
ALLOWED = {
    ("analysis/leak_point_file.c", "heap %u outside"): "a file's format, in which words are names",
    ("plugin/follow_write.c", "heap %u outside"): "the same",
    ("ctf/run_scan.c", "others are there"): "STREAMS_MAX of them",
    ("plots/compare.py", "runs compared"): "two or more",
    ("commands/audit.py", "{managed:>8} pages"): "all of a machine's RAM, in a column",
    ("run/watch.c", "said and recorded nothing"): "a constant of more than one",
    ("report/leaks_head.c", "pointers: all were followed"): "of three kinds of things together",
}


def faults_of(path, text, root):
    """The faults of one file, as "file:line: what"."""
    name = str(path.relative_to(root))
    wanted = PYTHON_COUNT if path.suffix == ".py" else C_COUNT
    for found in wanted.finditer(text):
        number = text.count("\n", 0, found.start()) + 1
        line = text.splitlines()[number - 1]
        if any(name.endswith(file) and part in line for file, part in ALLOWED):
            continue
        yield f"{name}:{number}: a fixed plural behind a count: {' '.join(found.group().split())}"


def check(root):
    faults = []
    for folder, pattern in (("trace-tools", "*.c"), ("gdb-scripts", "*.py"), ("trace-tools", "*.py")):
        for path in sorted((root / folder).rglob(pattern)):
            faults += faults_of(path, path.read_text(), root)
    return faults


def main():
    faults = check(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print("\n".join(faults) if faults else "plurals: clean")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
