# SPDX-License-Identifier: MIT
"""The harness must be able to fail. Each of these is a run in which something is wrong."""
import shutil

import pytest

from harness import paths
from harness.machine import Machine, MachineError, check_disk_image


def test_a_pattern_that_never_comes_fails(boot):
    machine = boot(run="echo hello")
    with pytest.raises(MachineError, match="ended before"):
        machine.expect("good bye", timeout=30)


def test_a_machine_that_does_not_end_fails(boot):
    machine = boot()
    with pytest.raises(MachineError, match="still ran"):
        machine.wait(2)


def test_the_limit_kills(tmp_path):
    with Machine(tmp_path, limit=3) as machine:
        assert machine.wait(20) == 137


def test_a_broken_disk_fails(tmp_path):
    image = tmp_path / "disk.img"
    shutil.copyfile(paths.DISK, image)
    check_disk_image(image)
    with open(image, "r+b") as disk:  # the block bitmap's block, or the inode table's: all of the first group's
        disk.seek(2 * 4096)
        disk.write(b"\x00" * 4096)
    with pytest.raises(MachineError, match="e2fsck"):
        check_disk_image(image)


def test_only_a_machine_that_powers_off_ended_well(boot):
    """Whose disk is checked: see conftest.py."""
    well, panicked, killed = boot(run="true"), boot(run="kdebug panic"), boot()
    well.wait(30)
    panicked.wait(30)
    killed.expect(r"(?m)^\$ ")
    killed.kill()
    assert [machine.ended_well() for machine in (well, panicked, killed)] == [True, False, False]


@pytest.mark.xfail(reason="a loss that is kept must fail this", raises=AssertionError, strict=True)
def test_lost_pages_make_a_run_fail(boot):
    assert boot(run="leakdemo 3 keep > /tmp/out; ktrace true; cat /proc/audit | grep UNREACH && exit 1").wait(60) == 0
