#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that what a user reads is written in the field's words.

A person who knows page_owner, kmemleak, LeakSanitizer or heaptrack must understand the tools without a glossary. WORDS says
which of this project's own words crept in before, and what to write instead:

    trace-tools/cmd/x.c:12: "settled": say released

Looked at are string literals of C, Python and JavaScript sources (comments and identifiers are not), help texts, what `make help` prints, the
description of the JSON answers, and documents. Exempt: what guest programs print, and with it the recorded consoles in
traces/; patches; and the lines in documents between ``` that show a
console.

Usage: check_words.py [ROOT]     exit status 1 if something was found
"""
import ast
import re
import sys
from pathlib import Path

from check_text import tracked_files

WORDS = [
    (r"LOST|NO VERDICT|NOTHING LOST", "LEAKED: ..., no leaks, or a sentence that says what is missing"),
    (r"(?:[Nn]othing|[Ss]omething) (?:is |was )?lost", "no leaks, leaks"),
    (r"lost (?:page|object|one|thing|reference)s?", "leaked"),
    (r"(?:pages|objects) lost", "leaked"),
    (r"[Hh]ealthy (?:li\w+|run|one|machine|get|put)s?", "others that were released; a run without the leak"),
    (r"missing act|act that is missing", "missing release"),
    (r"[Uu]?n?settle[sd]?", "released"),
    (r"of (?:this|another|the same) make", "type"),
    (r"[Tt]wo judges|judges|both agree", "detected by: audit and trace"),
    (r"quiet (?:audit|moment|point|machine)s?|not quiet|quiet world", "quiescent"),
    (r"books|book-keeping", "accounting"),
    (r"[Cc]ompanion", "the thing's name"),
    (r"(?:given|gives?|gave) back", "released, freed"),
    (r"never returned|not returned", "never released"),
    (r"let go|lets go", "released"),
    (r"in its hands", "the thing's name"),
    (r"nobody holds", "nothing holds"),
    (r"anew|awaits|mender", "again; waits for; a plain verb"),
    (r"tells(?= (?:of|all|more|the|which|how|what|who|why))", "says, prints, shows"),
    (r"stands(?! (?:for|in for)\b)", "is"),
    (r"how sure", "evidence"),
]
PATTERNS = [(re.compile(rf"\b(?:{words})\b"), instead) for words, instead in WORDS]
SOURCES = ("trace-tools/", "gdb-scripts/")
DOCUMENTS = ("docs/", "README.md", "traces/README.md")
C_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)


SCRIPT_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`(?:[^`\\]|\\.)*`', re.S)


def c_strings(text):
    """Yields (line number, literal) of C source; adjacent literals, and those with a macro between them, are one."""
    joined, first, end = "", 0, 0
    for match in C_TOKEN.finditer(text):
        token = match.group(0)
        if not token.startswith('"'):
            continue
        if joined and re.fullmatch(r"[\s\w]*", text[end:match.start()]):
            joined += token[1:-1]
        else:
            if joined:
                yield first, joined
            joined, first = token[1:-1], text.count("\n", 0, match.start()) + 1
        end = match.end()
    if joined:
        yield first, joined


def script_strings(text):
    """Yields (line number, literal) of JavaScript, templates included."""
    for match in SCRIPT_TOKEN.finditer(text):
        if match.group(0)[0] in "\"'`":
            yield text.count("\n", 0, match.start()) + 1, match.group(0)[1:-1]


def python_strings(text):
    """Yields (line number, literal) of Python source; docstrings of gdb commands are their help, so all count there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def plain_lines(text):
    """Yields (line number, line), without the fenced blocks that show consoles."""
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        fenced ^= line.startswith("```")
        if not fenced:
            yield number, line


def target_lines(text):
    """Yields (line number, help) of a makefile's targets: what `make help` prints."""
    for number, line in enumerate(text.split("\n"), 1):
        if "## " in line:
            yield number, line.split("## ", 1)[1]


def is_makefile(path):
    return path.name == "Makefile" or path.suffix == ".mk"


def parts_of(path, text):
    """What a user reads of one file, as (line number, text)."""
    name = path.as_posix()
    if is_makefile(path):
        return target_lines(text)
    if name.startswith(SOURCES):
        if path.suffix in (".c", ".h"):
            return c_strings(text)
        if path.suffix == ".js":
            return script_strings(text)
        if path.suffix == ".py":
            return python_strings(text)
        if path.suffix == ".txt":
            return enumerate(text.split("\n"), 1)
    elif name.startswith(DOCUMENTS) and path.suffix == ".md":
        return plain_lines(text)
    return ()


def check(root):
    """Yields one line for each word found."""
    for path in tracked_files(root):
        if not path.as_posix().startswith((*SOURCES, *DOCUMENTS)) and not is_makefile(path):
            continue
        for number, part in parts_of(path, (root / path).read_text(errors="replace")):
            for pattern, instead in PATTERNS:
                match = pattern.search(part)
                if match:
                    yield f'{path}:{number}: "{match.group(0)}": say {instead}'


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = list(check(root))
    print("\n".join(found) if found else "words: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
