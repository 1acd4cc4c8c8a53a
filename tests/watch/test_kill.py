# SPDX-License-Identifier: MIT
"""SIGKILL of QEMU, of pagetrail, of both, at random instants: what there is can be read, and nobody says "no leaks".

PAGETRAIL_KILLS says how many of them (6).
"""
import os
import random
import signal
import time

import pytest
from harness.tool import CANNOT_TELL, OK, pagetrail
from watching import await_machine, described, finish, kernel, machines, start_watch

KILLS = int(os.environ.get("PAGETRAIL_KILLS", "6"))
WHOM = ["qemu", "pagetrail", "both"]
SECONDS_MAX = 2


def kill(number):
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.fixture(scope="module")
def description(tmp_path_factory):
    return described(tmp_path_factory.mktemp("kd"), "small-prompt")


@pytest.mark.parametrize("attempt", range(KILLS))
def test_killed(tmp_path, description, attempt):
    dice, run, whom = random.Random(attempt), tmp_path / "run", WHOM[attempt % 3]
    process = start_watch("--out", run, "--kernel-description", description, *kernel("small-prompt", 2))
    process.stdin.write("usertests\n" * 20)  # more than it can do meanwhile
    process.stdin.flush()
    machine = await_machine(run, process)
    time.sleep(dice.uniform(0, SECONDS_MAX))  # the instant is the point: any will do
    for pid in {"qemu": [machine], "pagetrail": [process.pid], "both": [process.pid, machine]}[whom]:
        kill(pid)
    if whom == "pagetrail":  # the machine goes on, until its user ends it
        os.kill(machine, signal.SIGTERM)
    done = finish(process)
    assert done.status == (CANNOT_TELL if whom == "qemu" else -signal.SIGKILL) and "no leaks: " not in done.out
    deadline = time.monotonic() + 60
    while machines(run):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    check_interrupted(run)


def check_interrupted(run):
    summary = pagetrail("summary", run)
    assert "INTERRUPTED" in summary.out and "DAMAGE" not in summary.out, summary.out
    leaks = pagetrail("leaks", run)
    assert leaks.status == CANNOT_TELL and "no leaks: " not in leaks.out, leaks.out
    assert "unknown kernel build" not in leaks.err
    page = pagetrail("page", run, "0x80100000")
    assert page.status in (OK, CANNOT_TELL) and "page 0x80100" in page.out, page.out + page.err
