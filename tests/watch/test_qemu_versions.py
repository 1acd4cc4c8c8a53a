# SPDX-License-Identifier: MIT
"""Two QEMUs tell the same story: the events of a run whose time is that of its instructions (-icount).

QEMU_OTHER names the second QEMU, as in: make test-watch QEMU_OTHER=/opt/qemu-10/bin/qemu-system-riscv64
"""
import os

import pytest
from harness.plugin import read_records, read_stacks
from watching import QEMU, described, kernel, watch

OTHER = os.environ.get("QEMU_OTHER")
ICOUNT = ["-icount", "shift=0,sleep=off"]


def story(folder, name, env):
    """Events in order, each with the frames of its stack instead of the stack's number. Without the times: the two
    versions of QEMU count a few instructions differently where the guest traps (300 in the first 18 million)."""
    done = watch("--out", folder / "run", "--kernel-description", described(folder.parent, name),
                 *kernel(name, 1, ICOUNT), env=env)
    assert "ALL TESTS PASSED" in done.out, done.out + done.err
    records, stacks = read_records(folder / "run"), read_stacks(folder / "run")
    return [(*record[1:4], stacks[record[4]], *record[5:]) for record in records.tolist()]


def other_qemu(folder):
    folder.mkdir()
    (folder / QEMU).symlink_to(OTHER)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def compare(left, right):
    assert len(left) == len(right) > 10_000
    for number, (a, b) in enumerate(zip(left, right)):
        assert a == b, f"event {number}: {a} and {b}"


@pytest.mark.parametrize("name", ["small-cow-u8", "small-O2"])
def test_the_same_twice(tmp_path, name):
    """One QEMU agrees with itself: what the comparison of two rests on."""
    runs = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        runs.append(story(tmp_path / str(number), name, None))
    compare(*runs)


@pytest.mark.skipif(not OTHER, reason="QEMU_OTHER names no second QEMU to compare with")
@pytest.mark.parametrize("name", ["small-plain", "small-cow-u8", "small-cow-inline", "small-O2", "small-all"])
def test_two_qemus(tmp_path, name):
    runs = []
    for number, env in enumerate((None, other_qemu(tmp_path / "bin") if OTHER else None)):
        (tmp_path / str(number)).mkdir()
        runs.append(story(tmp_path / str(number), name, env))
    compare(*runs)
