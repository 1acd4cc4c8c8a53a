"""Programs written for xv6 compile unchanged, run, and lose nothing: see tests/xv6 and user/compat/xv6."""
import re

import pytest

from harness import paths
from harness.tool import NOTHING_LOST, pagetrail, run_command

SOURCES = sorted((paths.ROOT / "tests/xv6").glob("*.c"))


@pytest.fixture(scope="module")
def xv6_disk():
    """A disk image with all programs of tests/xv6, in a build folder of its own."""
    build = f"{paths.BUILD_NAME}/xv6-disk"
    paths.make(f"EXTRA_USER={' '.join(str(source.relative_to(paths.ROOT)) for source in SOURCES)}", "disk", build=build)
    return paths.ROOT / build / "disk.img"


def traced(tmp_path, disk, *words, smp=2):
    """Runs a command under trace with leak report; (CompletedProcess, console)."""
    done = pagetrail(*run_command(tmp_path / "run", *words, disk=disk, options=("--smp", str(smp), "--leaks")))
    return done, (tmp_path / "run/logs/console.log").read_text(errors="replace").replace("\r", "")


def test_personality(tmp_path, xv6_disk, smp):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6check now", smp=smp)
    assert done.returncode == NOTHING_LOST, done.stdout + done.stderr
    assert "xv6check: OK" in console


def test_lab_calls(tmp_path, xv6_disk, smp):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6labs", smp=smp)
    assert done.returncode == NOTHING_LOST, done.stdout + done.stderr
    assert "xv6labs: OK" in console
    assert re.search(r"^\d+: syscall open -> 3\n\d+: syscall read -> 1\n\d+: syscall open -> -1$", console, re.M)
    assert re.search(r"^page table 0x[0-9a-f]{16}\n \.\.0x0{16}: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]{16}\n \.\. \.\.0x",
                     console, re.M)


def test_devices_in_the_root_directory(boot, xv6_disk):
    machine = boot(disk=xv6_disk, run="stat /console /statistics && echo spoken > /console && cat /statistics")
    assert machine.wait(30) == 1  # cat: the end of /statistics is an error
    machine.expect("(?m)^spoken")
    machine.expect(r"tot= \d+")
