# SPDX-License-Identifier: MIT
"""The machine starts, on every shape it is promised for, and ends with the status that was asked for."""
import os
import re
import shutil
import subprocess
import time

import pytest

import repro
from harness import elf, paths
from harness.machine import PROMPT


def test_boots_to_a_shell(boot, smp):
    machine = boot(smp=smp)
    assert "one two" in machine.shell("echo one two", timeout=20)
    assert f"{smp} hart" in machine.shell("free")
    machine.send("poweroff\n")
    assert machine.wait(20) == 0


def test_the_prompt_takes_input_under_icount(boot):
    """IPI-3, IPI-4: Also from a slow typist, before whose first key every hart has long been idle."""
    machine = boot(smp=2, icount=True)
    machine.expect(PROMPT)
    time.sleep(1)  # the typist; nothing is waited for
    assert "one two" in machine.shell("echo one two", timeout=20)
    machine.send("poweroff\n")
    assert machine.wait(20) == 0


@pytest.mark.parametrize("smp", [1, 2])
def test_boots_in_8_mib(boot, smp):
    machine = boot(smp=smp, mem="8M", run="free -s && cat /README > /tmp/copy && cat /proc/audit")
    assert machine.wait(30) == 0
    assert int(machine.expect(r"managed\s+(\d+)").group(1)) == 1536
    assert "OK" in machine.expect(r"sum .*\n").group(0)


@pytest.mark.parametrize("mem, managed", [("64M", 15872), ("100M", 25088), ("256M", 65024)])
def test_takes_the_ram_it_finds(boot, mem, managed):
    machine = boot(mem=mem, run="free -s")
    assert machine.wait(30) == 0
    assert int(machine.expect(r"managed\s+(\d+)").group(1)) == managed


@pytest.mark.parametrize("status", [0, 1, 3, 127])
def test_exit_status_reaches_the_host(boot, status):
    assert boot(run=f"exit {status}").wait(30) == status


def test_virtio_disk(boot):
    machine = boot(virtio=True, smp=2, run="cat /README > /tmp/copy && stat /tmp/copy && sync")
    assert machine.wait(30) == 0


def test_virtio_disk_keeps_what_was_written(boot, tmp_path):
    first = boot(virtio=True, run="echo remembered > /tmp/note")
    assert first.wait(30) == 0
    second = boot(virtio=True, disk=first.disk_image(), run="cat /tmp/note")
    assert second.wait(30) == 0
    second.expect("remembered")


def test_init_that_is_not_there_ends_the_machine_with_a_reason(boot):
    machine = boot(append="init=/no/such/program")
    assert machine.wait(30) == repro.CANNOT_START
    machine.expect(r"boot: cannot start /no/such/program: error 2")


@pytest.mark.parametrize("command, path", [
    ("clri /dev", "/dev"), ("unlink /dev", "/dev"), ("clri /proc", "/proc"), ("clri /bin/init", "/bin/init"),
])
def test_a_disk_that_lacks_what_boot_needs(boot, tmp_path, command, path):
    """The root is mounted, but a folder or init itself cannot be read: that is no panic."""
    disk = tmp_path / "disk.img"
    shutil.copy(paths.DISK, disk)
    subprocess.run(["debugfs", "-w", "-R", command, str(disk)], check=True, capture_output=True,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    machine = boot(disk=disk, run="true")
    assert machine.wait(30) == repro.CANNOT_START
    machine.expect(rf"boot: cannot \w+ {path}: error \d+")
    assert "panic" not in machine.console
    machine.check_disk = lambda: None  # debugfs has damaged it


def test_command_that_is_not_there(boot):
    assert boot(run="no-such-command").wait(30) == 127


@pytest.mark.parametrize("append", [
    "trace=nonsense", "trace.mask=zzz", "trace.rings=0", "trace.rings=999999999", "unknown=1 = == quiet",
    "x" * 600, "run=" + "y" * 200,
])
def test_bad_bootargs_do_not_stop_the_boot(boot, append):
    """Whatever stands there, the machine starts, and ends when it is told to."""
    machine = boot(append=append)
    if append.startswith("run="):
        assert machine.wait(30) == 127
    else:
        machine.shell("echo up")
        machine.send("poweroff 5\n")
        assert machine.wait(30) == 5


def test_panic_ends_the_machine_with_a_status(boot):
    machine = boot(smp=4, run="kdebug panic")
    assert machine.wait(30) not in (0, 137)
    machine.expect(r"panic.*asked for by pid")


def test_kernel_in_memory_names_its_elf(boot):
    machine = boot(run="true")
    assert machine.wait(30) == 0
    assert machine.build_id() == elf.build_id(machine.kernel)


def test_twenty_end_the_machine_at_once(boot, smp):
    """The first who asks ends it, and the others are among those it ends."""
    machine = boot(smp=smp, run="kdebug poweroff-race 20")
    assert machine.wait(30) == 7
    assert "do not end" not in machine.console


def test_without_debug_on_no_program_may_break_the_kernel(boot):
    machine = boot(debug=False, run=repro.REFUSED)
    assert machine.wait(30) == 9
    assert machine.console.count(": not permitted") == len(repro.DEBUG_ONLY) - 2  # echo is silent: its status says it
    assert "DONE" not in machine.console


def test_without_debug_on_programs_look_and_fail_by_themselves(boot):
    machine = boot(debug=False, run="kdebug audit && kdebug drop-caches && cat /proc/ktrace_ctl && echo 0 > /proc/self/fail-nth"
                   " && usertests leak-found && exit 9")
    assert machine.wait(60) == 9


def test_the_shell_has_help(boot):
    machine = boot()
    text = machine.shell("help")
    assert "cd [DIRECTORY]" in text and "ls /bin" in text and "cat /README" in text
    machine.send("poweroff\n")
    assert machine.wait(20) == 0


def test_what_is_outermost_is_called_from_one_place(tmp_path):
    """STACK-1: what lies behind such a function on a stack is not looked at, so there may be one call of it, and nobody has
    its address."""
    def lines(*words):
        return subprocess.run([paths.CROSS + words[0], *words[1:], paths.KERNEL], check=True, capture_output=True,
                              text=True).stdout.splitlines()
    symbols = {words[2]: int(words[0], 16) for words in map(str.split, lines("nm")) if len(words) == 3}
    low, high = symbols["outermost_start"], symbols["outermost_end"]
    functions = {name for name, at in symbols.items() if low <= at < high and not name.startswith("outermost")}
    calls = {name for name in functions if name.startswith("sys_")}
    assert {"trap_user", "upcall_syscall", "proc_fork", "mm_fork"} <= functions and "sys_fork" in calls
    code = [line for line in lines("objdump", "-d", "--no-show-raw-insn") if "\t" in line]
    subprocess.run([paths.CROSS + "objcopy", "-O", "binary", "-j", ".rodata", "-j", ".data", paths.KERNEL, tmp_path / "data"],
                   check=True)
    data = (tmp_path / "data").read_bytes()
    for name in functions:
        users = [line for line in code if line.endswith(f"<{name}>")]
        if name in calls:  # the table alone has its address
            assert not users and data.count(symbols[name].to_bytes(8, "little")) == 1, name
        else:
            assert len(users) == 1 and re.search(r"\tjalr?\t", users[0]), users
            assert symbols[name].to_bytes(8, "little") not in data
    # One place looks into the table; it calls by pointer what it finds there, and before and behind it who watches.
    assert len([line for line in code if line.endswith("<syscall_table>")]) == 1
    places = [line for line in lines("objdump", "-d", "--no-show-raw-insn", "--disassemble=upcall_syscall")
              if re.search(r"\tjalr\t[a-z]+\d*$", line)]
    assert len(places) == 3, places
