# SPDX-License-Identifier: MIT
"""The progress line: at a terminal only, and gone when the command has ended."""
import os
import pty
import re
import subprocess

import golden
import pytest
from harness import paths
from harness.tool import CANNOT_TELL, OK
from multiply import multiply

ERASED = "\r\x1b[K"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("progress")
    golden.unpack(folder)
    multiply(folder / "clean", folder / "long", 300_000)
    return folder / "long"


def at_terminal(*words, stdout=None, after="0"):
    """(status, what the terminal got on stderr and, where it is not given, stdout)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(paths.PAGETRAIL), *map(str, words)], stdin=subprocess.DEVNULL, stdout=stdout or theirs, stderr=theirs,
                               env={**os.environ, "PAGETRAIL_PROGRESS": after})
    os.close(theirs)
    seen = []
    while True:
        try:
            seen.append(os.read(ours, 65536))
        except OSError:  # the other side was closed
            break
    os.close(ours)
    return process.wait(), b"".join(seen).decode()


@pytest.mark.parametrize("words, work", [("leaks RUN", "reading the trace"), ("report RUN -o OUT", "reading the trace"),
                                         ("export --csv RUN -o OUT", "writing events"), ("export --sqlite RUN -o OUT", "writing events"),
                                         ("plot --what all RUN -o OUT", "drew 4 of 4 pictures")])
def test_the_line_comes_and_goes(run, tmp_path, words, work):
    status, seen = at_terminal(*[{"RUN": run, "OUT": tmp_path / "out"}.get(word, word) for word in words.split()], stdout=subprocess.DEVNULL)
    command = words.split()[0]
    assert status == OK and f"\r{command}: {work}" in seen, seen
    assert all(0 <= int(percent) <= 100 for percent in re.findall(r"(-?\d+) %", seen))
    after = seen[seen.rindex(ERASED) + len(ERASED):]
    assert "\r" not in after.replace("\r\n", "\n") and " %" not in after, "what is written last is not on the line"
    assert f"\r{command}: {work}" not in after


def test_it_waits_and_can_be_left_out(run):
    for after in ("3600", "off"):
        assert "leaks: reading" not in at_terminal("leaks", run, after=after)[1]


def test_no_program_reads_it(pagetrail, run):
    done = pagetrail("leaks", run, env={"PAGETRAIL_PROGRESS": "0"})
    assert done.status == OK and "\r" not in done.out + done.err and "reading the trace" not in done.err


@pytest.mark.parametrize("words", ["dump RUN --limit 20", "export --csv RUN"])
def test_a_command_that_writes_to_the_terminal_meanwhile_has_none(run, words):
    status, seen = at_terminal(*[run.parent / "clean" if word == "RUN" else word for word in words.split()])
    assert status == OK and ERASED not in seen and "writing events" not in seen


def test_an_error_is_not_written_behind_it(run, tmp_path):
    """The disk is full while the line is there."""
    status, seen = at_terminal("export", "--csv", run, "-o", "/dev/full", stdout=subprocess.DEVNULL)
    assert status == CANNOT_TELL
    assert re.search(r"\r\x1b\[Kpagetrail: [^\r]*\r\n$", seen), seen[-200:]
