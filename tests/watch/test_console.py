# SPDX-License-Identifier: MIT
"""Where on the console a test begins and ends: trace-tools/plugin/console.c in a process of our own (console.c), and what `describe` proposes."""
import re
import subprocess

import pytest
from harness import paths
from harness.tool import pagetrail
from watching import kernels

# What test programs of the xv6 family print, with the marks expected of it: `begin NAME` or `end NAME` is where the mark fires.
PROGRAMS = {
    "usertests": ("$ usertests\nusertests starting\ntest fork:{begin fork} OK{end fork}\ntest copy:{begin copy} FAILED{end copy}\n"
                  "SOME TESTS FAILED\n"),
    "mmaptest": ("mmap_test starting\ntest mmap f\n{begin mmap f}test mmap f: OK{end mmap f}\ntest mmap private\n{begin mmap private}"
                 "test mmap private: OK{end mmap private}\nmmap_test: ALL OK\nfork_test starting\n{begin fork_test}fork_test OK{end fork_test}\nmmaptest: all tests succeeded\n"),
    "lazytests": "lazytests starting\nrunning test lazy alloc\n{begin lazy alloc}test lazy alloc: OK{end lazy alloc}\nALL TESTS PASSED\n",
    "pgtbltest": "print_pgtbl starting\n{begin print_pgtbl}va 0 pte 0x21FD885B\nprint_pgtbl: OK{end print_pgtbl}\npgtbltest: all tests succeeded\n",
    "kalloctest": "start test1\n{begin test1}test1 results:\ntot= 0\ntest1 OK{end test1}\n",
    "cowtest": ("init: starting sh\n$ cowtest\nsimple: {begin simple}ok{end simple}\nsimple: {begin simple}ok{end simple}\n"
                "file: {begin file}ok{end file}\nALL COW TESTS PASSED\n"),
    "a test that dies": "test fork:{begin fork} panic: kalloc\n",
}


@pytest.fixture(scope="module")
def marks_of(tmp_path_factory):
    """marks_of(text, patterns): (bytes that had come, "begin NAME" or "end NAME") of each mark."""
    path = tmp_path_factory.mktemp("console") / "console"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-I", paths.ROOT / "trace-tools", "-I", paths.BUILD / "trace-tools", "-I", paths.ROOT / "kernel/include",
                    "-o", path, paths.ROOT / "tests/watch/console.c", paths.ROOT / "trace-tools/plugin/console.c"], check=True)

    def run(text, patterns):
        done = subprocess.run([path, *patterns], input=text, capture_output=True, text=True, timeout=60, check=True)
        return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in done.stdout.splitlines()]
    return run


@pytest.fixture(scope="module")
def proposed():
    """The patterns of a description that `describe` makes."""
    text = pagetrail("describe", kernels.elf("small-plain")).out
    found = re.findall(r'^mark (\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S+))', text, re.M)
    return [f"{key}={quoted or bare}" for key, quoted, bare in found]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_test_is_open_from_its_first_line_to_its_last(marks_of, proposed, program):
    text, expected = "", []
    for piece in re.split(r"(\{.*?\})", PROGRAMS[program]):
        if piece.startswith("{"):
            expected.append((len(text), piece[1:-1]))
        else:
            text += piece
    assert [mark for mark in marks_of(text, proposed) if not mark[1].startswith("panic")] == expected


def test_without_a_beginning_the_end_has_its_own_name(marks_of):
    assert marks_of("one done\ntwo done\n", ["end=^([a-z]+) done$"]) == [(8, "end one"), (17, "end two")]


def test_a_whole_line_is_awaited(marks_of):
    assert marks_of("test mmap f", ["line=^test (.+)$"]) == []
    assert marks_of("test mmap f\r\n", ["line=^test (.+)$"]) == [(12, "begin mmap f")]
