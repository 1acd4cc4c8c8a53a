# SPDX-License-Identifier: MIT
"""A capture of /proc/ktrace, one file with packets of all harts, is read as a run folder is."""
import struct
import subprocess

import pytest
import tracegen
from harness import paths
from test_format import busy_machine
from test_leaks import Kernel, fault_5
from harness.tool import CANNOT_TELL, OK


def parts(run):
    return {file.name: file.read_bytes() for file in (run / "trace").iterdir() if file.name != "metadata"}


def said(pagetrail, what):
    return [pagetrail(*words[:1], what, *words[1:]).out for words in
            (["leaks"], ["stacks", "--limit", "1000"], ["dump", "--resolve"], ["export", "--csv"])]


@pytest.mark.parametrize("order", [["stacks", "hart0", "hart1"], ["hart1", "stacks", "hart0"]])
def test_it_says_what_the_folder_says(pagetrail, write, sites, order):
    kernel = Kernel(sites)
    fault_5(kernel)
    busy, _, _ = busy_machine(5, harts=2, acts=300)
    kernel.machine.streams.append(busy.streams[1])
    busy.streams[1].boot_id = kernel.machine.boot_id
    run = write(kernel.machine)
    files = parts(run)
    capture = run / "capture"
    capture.write_bytes(b"".join(files[name] for name in order))
    assert said(pagetrail, run) == said(pagetrail, capture)
    assert pagetrail("summary", capture, "--json").json()["damage"] == []


def test_captures_behind_each_other(pagetrail, write):
    """Read twice in stream mode: the second has what came after the first, and the longer depot."""
    machine = tracegen.Machine()
    machine.stack(0x80200004)
    for i in range(300):
        machine.emit("sample", free_pages=i)
    run = write(machine)
    shorter = parts(run)["stacks"]
    machine.stack(0x80200008)
    files = parts(write(machine, "longer"))
    (run / "capture").write_bytes(shorter + files["hart0"][:4096] + files["stacks"] + files["hart0"][4096:])
    report = pagetrail("summary", run / "capture", "--json").json()
    assert (report["events"], report["stacks"], report["damage"]) == (300, 2, [])


def test_damage(sanitized, write):
    machine, _, _ = busy_machine(7, harts=2, acts=300)
    run = write(machine)
    files, capture = parts(run), run / "capture"
    whole = files["stacks"] + files["hart0"] + files["hart1"]

    def damage(data):
        capture.write_bytes(data)
        result = sanitized("summary", capture, "--json")
        assert result.status == CANNOT_TELL
        return [(d["offset"], d["what"]) for d in result.json()["damage"]]

    assert damage(whole[len(files["stacks"]):])[0] == (len(whole) - len(files["stacks"]), "no stacks")
    assert damage(whole[:-4096 - 5])[-1][1].startswith("packet number")
    bad = bytearray(whole)
    at = len(files["stacks"])
    bad[at:at + 4] = b"none"
    assert damage(bytes(bad)) == [(at, "no packet begins here (wrong magic); 4096 bytes left out")]
    capture.write_bytes(b"no packets at all" * 100)
    result = sanitized("summary", capture)
    assert result.status == CANNOT_TELL and "no capture of /proc/ktrace" in result.err


def test_too_many_harts(sanitized, write):
    machine = tracegen.Machine()
    machine.sample()
    run = write(machine)
    packet = bytearray(parts(run)["hart0"])
    capture = b""
    for hart in range(66):
        struct.pack_into("<H", packet, 6, hart)
        struct.pack_into("<I", packet, 56, hart)
        capture += packet
    (run / "capture").write_bytes(capture)
    result = sanitized("summary", run / "capture")
    assert result.status == CANNOT_TELL and "packet of hart 65, when 64 others are there" in result.out


def test_what_the_guest_reads(pagetrail, tmp_path):
    """The real file: read in the guest, carried out on its disk, compared with what the host drained."""
    run, disk, capture = tmp_path / "run", tmp_path / "disk.img", tmp_path / "capture"
    done = pagetrail("run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--smp", 2, "--out", run, "--timeout", 100, "--quiet",
                     "--mode", "flight", "--disk-out", disk, "--", "cat /proc/ktrace > /capture")
    assert done.status == OK, done.err
    subprocess.run(["debugfs", "-R", f"dump /capture {capture}", disk], check=True, stderr=subprocess.DEVNULL)
    summary = pagetrail("summary", capture, "--json").json()
    assert summary["complete"] and summary["events"] > 200 and summary["stacks"] > 50, summary
    events = pagetrail("dump", run).out.splitlines()
    # Its last event is from the middle of reading the rings: each hart's is a beginning of what the host has.
    for hart in "hart0", "hart1":
        mine = [line for line in pagetrail("dump", capture).out.splitlines() if f" {hart} " in line]
        assert mine == [line for line in events if f" {hart} " in line][:len(mine)]
