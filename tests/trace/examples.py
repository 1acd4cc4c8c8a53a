#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples in the documents, made again from the recorded runs, so that no document shows what is not so any more.

In DOCUMENTS a comment before a fenced block says what the block is, and one before a picture how it is drawn:

    <!-- $ pagetrail leaks traces/runs/fault-05 | unmatched get by .. suspect: -->
    <!-- $ pagetrail plot traces/runs/fault-05 --what map --out docs/fault-05-map -->

Behind the bar stand two patterns: the block goes from the first line in which the one is found to the next in which the other
is; without them it is all that the command prints. Its first line is the command. `cat FILE` is a command, too: of this repository, or of
a recorded run.

Usage: examples.py update | check     update writes blocks and pictures; check says which blocks differ, and exits with 1
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
import golden  # noqa: E402 (the paths above)
from harness import paths  # noqa: E402

DOCUMENTS = ("README.md", "docs/STUDENTS.md", "docs/TEAMS.md", "docs/HUNTING-A-LEAK.md")
BLOCK = re.compile(r"(<!-- \$ ([^\n]+) -->\n)```[a-z]*\n.*?^```\n", re.M | re.S)
PICTURE = re.compile(r"<!-- \$ pagetrail (plot .+? --out (\S+)) -->\n")


def part_of(text, patterns):
    """The lines between two patterns, both included."""
    if not patterns:
        return text
    first, last = patterns.split(" .. ")
    lines = text.splitlines(keepends=True)
    begin = next((i for i, line in enumerate(lines) if re.search(first, line)), None)
    assert begin is not None, f"no line has {first!r}"
    end = next((i for i in range(begin, len(lines)) if re.search(last, lines[i])), None)
    assert end is not None, f"behind {lines[begin]!r} no line has {last!r}"
    return "".join(lines[begin:end + 1])


def block(command, folder):
    """The fenced block of one command, whose words name runs as traces/runs/NAME."""
    words, _, patterns = command.partition(" | ")
    if words.startswith("cat "):
        recorded = Path(folder) / words[4:]
        text = (recorded if recorded.exists() else paths.ROOT / words[4:]).read_text()
    else:
        done = subprocess.run([paths.PAGETRAIL, *words.split()[1:]], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=60)
        text = done.stdout
    return f"```\n$ {words}\n{part_of(text, patterns)}```\n"


def remade(document, folder):
    """The document's text with all its blocks remade."""
    return BLOCK.sub(lambda m: m.group(1) + block(m.group(2), folder), (paths.ROOT / document).read_text())


def draw(document, folder):
    for command, out in PICTURE.findall((paths.ROOT / document).read_text()):
        words = [str(paths.ROOT / word) if word == out else word for word in command.split()]
        subprocess.run([paths.PAGETRAIL, *words], cwd=folder, check=True, timeout=120)
        (paths.ROOT / f"{out}.svg").unlink()


def unpacked(folder):
    """A folder in which traces/runs holds the recorded runs."""
    runs = Path(folder) / "traces/runs"
    runs.mkdir(parents=True)
    golden.unpack(runs)
    return folder


def main():
    if sys.argv[1:] not in (["update"], ["check"]):
        raise SystemExit(__doc__)
    stale = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = unpacked(scratch)
        for document in DOCUMENTS:
            text = remade(document, folder)
            if text != (paths.ROOT / document).read_text():
                stale.append(document)
            if sys.argv[1] == "update":
                (paths.ROOT / document).write_text(text)
                draw(document, folder)
    if sys.argv[1] == "check" and stale:
        raise SystemExit(f"{', '.join(stale)}: the examples are not what the commands say now; run `make examples`")


if __name__ == "__main__":
    main()
