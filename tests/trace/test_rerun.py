# SPDX-License-Identifier: MIT
"""`pagetrail rerun`: a run of --icount is the same each time, whatever the host does meanwhile."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pagetrail_tables as tables
import pytest
from harness import paths
from harness.tool import CANNOT_TELL, LEAKED, OK, run_tool

COMMAND = ["usertests", "memory-read"]  # some ten packets: each ring is full several times
RECORD_BYTES, HEADER_BYTES = 32, 64
# kernel/include/uapi/trace_format.h, struct trace_desc
HARTS = 1  # several take turns nearly always in the same way: docs/STATUS.md
RAM_BASE, RINGS_AT, DESC_BYTES = 0x80000000, 192, 192 + 8 * 64


def words(out, *options, command=COMMAND):
    return [str(w) for w in (paths.PAGETRAIL, "run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--quiet", "--out", out,
                             *options, "--", *command)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    run = tmp_path_factory.mktemp("rerun") / "run"
    done = run_tool(*words(run, "--icount", "--smp", HARTS, "--keep-ram"), timeout=120)
    assert done.status == OK, done.err
    return run


def trace_of(run):
    return {path.name: path.read_bytes() for path in sorted((run / "trace").iterdir())}


def test_identical(recorded, tmp_path):
    done = run_tool(paths.PAGETRAIL, "rerun", recorded, "--out", tmp_path / "again", timeout=240)
    assert done.status == OK and done.out.startswith("identical: "), done.out + done.err
    said = run_tool(paths.PAGETRAIL, "summary", tmp_path / "again", "--json").json()
    assert f"identical: {said['events']} events" in done.out and "second try" not in done.out


def test_slow_instructions(tmp_path):
    """--icount=N: an instruction takes 2^N nanoseconds, and the run is repeated with as slow a processor."""
    boots = []
    for shift in 0, 4:
        run = tmp_path / f"run{shift}"
        done = run_tool(*words(run, f"--icount={shift}", "--smp", HARTS, command=["true"]), timeout=120)
        assert done.status == OK, done.err
        assert json.loads((run / "run.json").read_text())["icount_shift"] == shift
        boots.append(int(re.search(r"init started after (\d+) ms", (run / "logs/console.log").read_text()).group(1)))
        done = run_tool(paths.PAGETRAIL, "rerun", run, timeout=120)
        assert done.status == OK and done.out.startswith("identical: "), done.out + done.err
    assert 10 * boots[0] < boots[1] < 20 * boots[0]


class Rings:
    """The rings of a machine that runs under `pagetrail run`, seen in its memory."""

    def __init__(self, pid):
        out = subprocess.run([paths.CROSS + "nm", paths.KERNEL], check=True, stdout=subprocess.PIPE, text=True).stdout
        va = next(int(line.split()[0], 16) for line in out.splitlines() if line.endswith(" trace_desc"))
        self.desc = va - tables.PHYS_OFFSET - RAM_BASE
        self.folder = Path(f"/proc/{pid}/fd")

    def ram(self):
        return next((entry for entry in self.folder.iterdir() if "pagetrail-ram" in os.readlink(entry)), None)

    def full(self):
        """Is some ring full? Then the machine is at it, or will be before it records much more."""
        if not self.ram():
            return False
        with self.ram().open("rb") as ram:
            ram.seek(self.desc)
            desc = ram.read(DESC_BYTES)
        magic, _, nr_rings, _, nr_packets = struct.unpack_from("<QIIII", desc)
        rings = [struct.unpack_from("<QQQ", desc, RINGS_AT + 64 * i) for i in range(nr_rings)]
        return magic != 0 and any(opened - consumed >= nr_packets for _, opened, consumed in rings)


def test_a_host_that_does_not_read_changes_nothing(recorded, tmp_path):
    """The consumer is stopped until a ring is full; RAM and trace are those of the other run."""
    run = tmp_path / "run"
    process = subprocess.Popen(words(run, "--icount", "--smp", HARTS, "--keep-ram"))
    rings, deadline = Rings(process.pid), time.monotonic() + 60
    while process.poll() is None and not any(path.stat().st_size for path in (run / "trace").glob("hart*")):
        os.sched_yield()
    os.kill(process.pid, signal.SIGSTOP)
    try:
        while not rings.full():
            assert time.monotonic() < deadline, "no ring became full"
            os.sched_yield()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert process.wait(timeout=240) == OK
    assert trace_of(run) == trace_of(recorded)
    assert (run / "ram").read_bytes() == (recorded / "ram").read_bytes()


def test_the_first_difference(recorded, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(recorded, run)
    number = 100
    with (run / "trace/hart0").open("r+b") as file:
        file.seek(HEADER_BYTES + number * RECORD_BYTES + 16)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    done = run_tool(paths.PAGETRAIL, "rerun", run, timeout=240)
    assert done.status == LEAKED and f"different, twice: the first difference is event {number} of hart0" in done.out, done.out
    said = run_tool(paths.PAGETRAIL, "rerun", run, "--json", timeout=240).json()
    assert (said["verdict"], said["tries"], said["hart"], said["event_number"]) == ("different", 2, 0, number)


def edited(recorded, folder, **members):
    """A copy of the run whose run.json says otherwise."""
    run = folder / "run"
    shutil.copytree(recorded, run, ignore=shutil.ignore_patterns("ram", "again"))
    about = json.loads((run / "run.json").read_text())
    assert about["repeatable"]
    about.update(members)
    (run / "run.json").write_text(json.dumps(about))
    return run


def test_a_run_in_the_hosts_time(tmp_path):
    run = tmp_path / "run"
    done = run_tool(*words(run, command=["true"]), timeout=120)
    assert done.status == OK and not json.loads((run / "run.json").read_text())["repeatable"], done.err
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and "its time was the host's" in done.err, done.err


@pytest.mark.parametrize("members, reason", [({"disk_mode": "virtio"}, "answers when it likes"),
                                             ({}, "it is not known to be repeatable")])
def test_what_cannot_be_repeated(recorded, tmp_path, members, reason):
    done = run_tool(paths.PAGETRAIL, "rerun", edited(recorded, tmp_path, repeatable=False, **members))
    assert done.status == CANNOT_TELL and reason in done.err, done.err


@pytest.mark.parametrize("command", ["rerun", "why"])
def test_no_run(tmp_path, command):
    done = run_tool(paths.PAGETRAIL, command, tmp_path / "nothing")
    assert done.status == CANNOT_TELL and "not a run folder: it does not exist" in done.err, done.err


def test_a_machine_that_never_ends_by_itself(tmp_path):
    """It was ended from outside: the second one would go on for ever."""
    run = tmp_path / "run"
    done = run_tool(*words(run, "--icount", "--smp", HARTS, "--timeout", "2", "--append", "debug=on", command=["grind", "1000000"]), timeout=120)
    assert done.status == CANNOT_TELL and "ended after the --timeout" in done.err, done.err
    about = json.loads((run / "run.json").read_text())
    assert about["end"] == "timeout" and not about["repeatable"]
    (run / "run.json").write_text(json.dumps({**about, "repeatable": True}))  # as earlier versions had it
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and "was ended from outside" in done.err and not (run / "again").exists(), done.err


def stand_in(folder, script):
    """A QEMU that does what it is told instead."""
    path = folder / "qemu"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return [str(path)]


@pytest.mark.parametrize("script, why", [("kill -9 $$", "QEMU was killed by signal 9"), ("echo no such machine >&2; exit 1", "no such machine")])
def test_a_repetition_that_was_cut_off_is_none(recorded, tmp_path, script, why):
    """Nothing is compared with what it left, and it is not tried again."""
    run = edited(recorded, tmp_path, qemu=stand_in(tmp_path, f"echo >> {tmp_path}/calls\n{script}\n"))
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and why in done.err and not done.out, done.out + done.err
    assert (tmp_path / "calls").read_text() == "\n"
    said = run_tool(paths.PAGETRAIL, "rerun", run, "--json").json()
    assert said["verdict"] == "cannot tell" and "hart" not in said and said["events_alike"] == 0


def test_an_interrupt_ends_the_repetition(recorded, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    run = edited(recorded, tmp_path, qemu=stand_in(tmp_path, f"echo started > {fifo}\nexec tail -f /dev/null\n"))
    process = subprocess.Popen([str(paths.PAGETRAIL), "rerun", str(run)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert fifo.read_text() == "started\n"
    # Another one that would write the same folder meanwhile is refused.
    other = run_tool(paths.PAGETRAIL, "rerun", run)
    assert other.status == CANNOT_TELL and "another pagetrail is writing it" in other.err, other.err
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == CANNOT_TELL and "was interrupted" in err and not out, out + err


def test_what_is_missing_is_no_difference(recorded, tmp_path):
    run = edited(recorded, tmp_path)
    with (run / "trace/hart0").open("r+b") as file:
        file.truncate((run / "trace/hart0").stat().st_size // 2)
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and "missing or damaged" in done.err and not done.out, done.out + done.err


def test_another_kernel(recorded, tmp_path, kernel_elf):
    run = edited(recorded, tmp_path)
    shutil.copy(kernel_elf, run / "kernel/pagetrail.elf")
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and "the kernel that ran of" in done.err and not done.out, done.out + done.err
    (run / "kernel/pagetrail.elf").unlink()
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and "its kernel is not there" in done.err, done.err


def test_a_disk_that_is_not_there(recorded, tmp_path):
    """A name that was relative, read from elsewhere."""
    done = run_tool(paths.PAGETRAIL, "rerun", edited(recorded, tmp_path, disk="build/no-disk.img"))
    assert done.status == CANNOT_TELL and "its disk is not there: build/no-disk.img (from the folder in which" in done.err, done.err


def test_another_disk(recorded, tmp_path):
    disk = json.loads((recorded / "run.json").read_text())["disk_file"]
    run = edited(recorded, tmp_path, disk_file={**disk, "crc32": disk["crc32"] ^ 1})
    done = run_tool(paths.PAGETRAIL, "rerun", run)
    assert done.status == CANNOT_TELL and "is not the one of that run" in done.err, done.err
