# SPDX-License-Identifier: MIT
"""Programs written for xv6 compile unchanged, run, and lose nothing: see tests/xv6 and user/compat/xv6."""
import re

import pytest

from harness import paths, xv6_disk as disks
from harness.tool import OK, pagetrail, run_command


@pytest.fixture(scope="module")
def xv6_disk(tmp_path_factory):
    """A disk image with all programs of tests/xv6."""
    return disks.built(tmp_path_factory.mktemp("xv6"))


def traced(tmp_path, disk, *words, smp=2, options=()):
    """Runs a command under trace with leak report; (CompletedProcess, console)."""
    done = pagetrail(*run_command(tmp_path / "run", *words, disk=disk, options=("--smp", str(smp), "--leaks", *options)))
    return done, (tmp_path / "run/logs/console.log").read_text(errors="replace").replace("\r", "")


def test_personality(tmp_path, xv6_disk, smp):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6check now", smp=smp)
    assert done.status == OK, done.out + done.err
    assert "xv6check: OK" in console


def test_lab_calls(tmp_path, xv6_disk, smp):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6labs", smp=smp)
    assert done.status == OK, done.out + done.err
    assert "xv6labs: OK" in console
    assert f"\n{smp} harts\n" in console
    assert re.search(r"^\d+: syscall open -> 3\n\d+: syscall read -> 1\n\d+: syscall open -> -1$", console, re.M)
    assert re.search(r"^page table 0x[0-9a-f]{16}\n \.\.0x0{16}: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]{16}\n \.\. \.\.0x",
                     console, re.M)


def test_mappings(tmp_path, xv6_disk, smp):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6mmap", smp=smp)
    assert done.status == OK, done.out + done.err
    assert "xv6mmap: OK" in console


def test_memory_to_the_page(tmp_path, xv6_disk, smp):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6memory", smp=smp, options=("--disk-mode", "virtio"))
    assert done.status == OK, done.out + done.err
    assert "xv6memory: OK" in console


def test_limits(tmp_path, xv6_disk):
    done, console = traced(tmp_path, xv6_disk, "cd / && /xv6limits", smp=4)
    assert done.status == OK, done.out + done.err
    assert "xv6limits: OK" in console


def test_limits_of_labs(boot):
    """LAB= changes them, also for a program that was built before."""
    build = f"{paths.BUILD_NAME}/xv6-disk"
    paths.make("EXTRA_USER=tests/xv6/xv6limits.c", "LAB=fs lazy", "FS_BLOCKS=20480", "disk", build=build)
    machine = boot(disk=paths.ROOT / build / "disk.img", run="cd / && /xv6limits", virtio=True)
    assert machine.wait(110) == 0
    machine.expect("xv6limits: OK")


def test_fork_copies_at_once_with_lab_lock(boot):
    build = f"{paths.BUILD_NAME}/xv6-disk"
    paths.make("EXTRA_USER=tests/xv6/xv6limits.c", "LAB=lock", "disk", build=build)
    machine = boot(disk=paths.ROOT / build / "disk.img", run="cd / && /xv6limits", smp=2)
    assert machine.wait(110) == 0
    machine.expect("xv6limits: OK")


def test_a_program_found_by_its_name(boot, tmp_path):
    """From sources outside the tree, one of two files and with a header of its own; it hides ours of that name."""
    user, kernel = tmp_path / "their/user", tmp_path / "their/kernel"
    user.mkdir(parents=True)
    kernel.mkdir()
    (kernel / "theirs.h").write_text("#define ANSWER 42\n")
    (user / "half.S").write_text(".globl half\nhalf:\n\tsrai a0, a0, 1\n\tret\n")
    for name in ("cat", "sh"):
        (user / f"{name}.c").write_text(
            '#include "kernel/types.h"\n#include "kernel/theirs.h"\n#include "user/user.h"\nint half(int);\n'
            'char *realloc(char *p) { return p; }\n'  # a name of the library's
            f'int main(int argc, char **argv) {{ printf("their {name} %d\\n", half(ANSWER)); exit(0); }}\n')
    build = f"{paths.BUILD_NAME}/xv6-disk"
    programs = f"{user}/cat.c+{user}/half.S {user}/sh.c+{user}/half.S"
    paths.make(f"EXTRA_USER={programs}", "disk", build=build)
    machine = boot(disk=paths.ROOT / build / "disk.img", run="cat && /cat && /sh && /echo ours")
    assert machine.wait(30) == 0
    machine.expect(r"their cat 21\n+their cat 21\n+their sh 21\n+ours")


@pytest.mark.parametrize("programs, message", [
    ("nowhere/x.c", "there is no file nowhere/x.c"),
    ("README.md", "README.md is neither C"),
    ("tests/xv6/xv6check.c tests/xv6/../xv6/xv6check.c", "two programs would be called xv6check"),
])
def test_wrong_sources_are_named(programs, message):
    with pytest.raises(RuntimeError, match=message):
        paths.make(f"EXTRA_USER={programs}", "disk", build=f"{paths.BUILD_NAME}/xv6-disk")


def test_devices_in_the_root_directory(boot, xv6_disk):
    machine = boot(disk=xv6_disk, run="stat /console /statistics && echo spoken > /console && cat /statistics")
    assert machine.wait(30) == 1  # cat: the end of /statistics is an error
    machine.expect("(?m)^spoken")
    machine.expect(r"tot= \d+")
