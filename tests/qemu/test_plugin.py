# SPDX-License-Identifier: MIT
"""The QEMU plugin (trace-tools/plugin) on our own kernel, whose own trace says what it must see.

Both record one session: the kernel from within, the plugin from outside, from nothing but a hooks file. Each page's
allocations, frees, gets and puts must be the same in both, in the same order, with the same counts, processes and stacks.
"""
import collections
import json
import os
import random
import subprocess
import time

import numpy as np
import pytest
from harness import paths
from harness.plugin import PLUGIN, our_hooks, qemu_with_plugin, read_records, read_stacks
from harness.tool import pagetrail, run_command

ALLOC, FREE, GET, PUT = 1, 2, 3, 4
NAMES = {ALLOC: "page_alloc", FREE: "page_free", GET: "page_get", PUT: "page_put"}
# A store lies so many frames deeper than the function whose caller the kernel's own stacks begin with.
DEEPER_MAX = 5


def lives(run):
    """pfn -> [(event, counts, pid, frames)], blocks taken apart into pages. Counts of gets and puts alone: a free's
    count before is 0 in the kernel's trace, whose put told it already."""
    records, stacks = read_records(run), read_stacks(run)
    pages = collections.defaultdict(list)
    for r in records[np.isin(records["event"], list(NAMES))].tolist():
        _, event, flags, _, stack, pfn, _, before, after, pid, _ = r
        counts = (before, after) if event in (GET, PUT) else None
        for i in range(1 << (flags & 15) if event in (ALLOC, FREE) else 1):
            pages[pfn + i].append((event, counts, pid, stacks[stack]))
    return pages


def same_stack(inside, outside):
    """The kernel's stack begins at the caller of page_alloc and the like; the plugin's may begin deeper."""
    if not inside:
        return True  # before the depot was there
    starts = [i for i, frame in enumerate(outside[:DEEPER_MAX + 1]) if frame == inside[0]]
    return any(outside[i:] == inside[:len(outside) - i] for i in starts)


def differences(inside, outside):
    """(how many events were compared, what differs, one line each)."""
    compared, found = 0, []
    for pfn in sorted(set(inside) | set(outside)):
        mine, theirs = inside.get(pfn, []), outside.get(pfn, [])
        if len(mine) != len(theirs):
            found.append(f"{pfn:#x}: {len(mine)} events inside, {len(theirs)} outside")
        for a, b in zip(mine, theirs):
            compared += 1
            if a[:3] != b[:3] or not same_stack(a[3], b[3]):
                found.append(f"{pfn:#x}: {NAMES[a[0]]} {a[1:]} inside, {NAMES[b[0]]} {b[1:]} outside")
    return compared, found


def record_both(folder, smp, *command, options=""):
    """(the kernel's run, the plugin's run) of one session."""
    inside, outside = folder / "inside", folder / "outside"
    program = qemu_with_plugin(folder / "hooked", our_hooks(), outside, options)
    words = run_command(inside, *command, options=["--smp", str(smp), "--quiet"])
    done = subprocess.run([str(w) for w in [paths.PAGETRAIL, *words]], env={**os.environ, "QEMU": str(program)},
                          capture_output=True, text=True, timeout=600)
    said = done.stdout + done.stderr
    assert done.returncode == 0, "\n".join(line for line in said.splitlines() if "FAILED" in line) + said[-2000:]
    return inside, outside


def assert_nothing_odd(about):
    assert about["ended"] and about["ram_kept"] and not about["discarded"]
    # Who may not wait for memory asks there: usertests need not come to it.
    assert set(about["without_hits"]) <= {"page_alloc_noreclaim"}
    assert {name: kind["count"] for name, kind in about["anomalies"].items() if kind["count"]} == {}
    assert all(call["unmatched"] == call["misses"] == 0 for call in about["calls"])
    assert about["calls_under_way"] == 0 and about["unwatched_stores"] == 0


@pytest.mark.parametrize("smp", [1, 4])
def test_sees_what_the_kernel_sees(tmp_path, smp):
    inside, outside = record_both(tmp_path, smp, "usertests", "-q")
    about = json.loads((outside / "plugin.json").read_text())
    assert_nothing_odd(about)
    compared, found = differences(lives(inside), lives(outside))
    assert not found, "\n".join(found[:20])
    assert compared > 1_000_000
    assert len(np.unique(read_records(outside)["time"])) == about["events"]
    size = sum(path.stat().st_size for path in (outside / "trace").iterdir())
    assert size <= 45 * about["events"]
    assert (outside / "ram").stat().st_mode & 0o777 == 0o600


def test_differences_are_seen(tmp_path):
    """The comparison fails for an event that is missing, a wrong count, another process, another stack."""
    life = [(ALLOC, None, 1, (10, 20)), (GET, (1, 2), 1, (11, 20)), (FREE, None, 2, (12,))]
    assert differences({5: life}, {5: life}) == (3, [])
    for n, wrong in enumerate([(ALLOC, None, 1, (10, 21)), (GET, (1, 3), 1, (11, 20)), (FREE, None, 3, (12,))]):
        assert len(differences({5: life}, {5: life[:n] + [wrong] + life[n + 1:]})[1]) == 1
    assert differences({5: life}, {5: life[:2]})[1] and differences({5: life}, {})[1]


def test_readable_when_killed(tmp_path):
    """SIGKILL at any instant leaves whole packets, and plugin.json says that the end is missing."""
    dice = random.Random(9)
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        run = folder / "run"
        program = qemu_with_plugin(folder, our_hooks(), run)
        machine = subprocess.Popen([program, "-machine", "virt", "-m", "128M", "-smp", "2", "-display", "none", "-monitor",
                                    "none", "-serial", "null", "-kernel", paths.KERNEL, "-initrd", paths.DISK, "-append",
                                    '"run=usertests -q"'])
        try:
            deadline = time.monotonic() + 60
            while not (run / "trace/hart0").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(dice.uniform(0, 1.5))  # the instant is the point: any will do
            assert machine.poll() is None
        finally:
            machine.kill()
            machine.wait()
        assert len(read_records(run)) > 0 and read_stacks(run)
        assert json.loads((run / "plugin.json").read_text())["ended"] is False
        assert not (run / "ram").exists()
        summary = pagetrail("summary", run).out
        damage = [line for line in summary.splitlines() if "DAMAGE" in line and "trace/metadata" not in line]
        assert "INTERRUPTED" in summary and not damage, summary  # `pagetrail watch` writes the metadata


@pytest.mark.parametrize("line, complaint", [
    ("text lo=1", "missing: hi"),
    ("text lo=1 hi=x", "not a number: hi"),
    ("alloc name=a entry=1 pgae=ret", "unknown key: pgae"),
    ("alloc name=a entry=1 page=u33[a0]", "loads are u8"),
    ("alloc name=a entry=1 page=(a0", ") is missing"),
    ("alloc name=a entry=1 page=a0+", "a formula ends early"),
    ("alloc name=a entry=1 page=a9", "unknown name in a formula"),
    ("alloc name=a entry=1 type=frame", "type is va, pa, pfn or struct, not: frame"),
    ("alloc name=a entry=1 type=struct", "no `pages` line"),
    ("free name=a entry=1 push=5-5", "not a list of LO-HI: push"),
    ("free name=a entry=1 notinside=b", "notinside=b names no hook"),
    ("count name=c lo=1 hi=9 elem=3 page=i", "elem is 1, 2, 4 or 8"),
    ("count name=c lo=1 hi=9", "missing: page"),
    ("state name=c lo=1 hi=9 page=i", "a state needs alloc or free"),
    ("mark begin=(", "no regular expression"),
    ("console uart=1", "missing: funcs"),
    ("stack unwind=dwarf", "unwind is fp or none, not: dwarf"),
    ("allocs entry=1", "unknown item: allocs"),
])
def test_refuses_what_it_does_not_understand(tmp_path, line, complaint):
    hooks = line if line.startswith("text") else f"text lo=0 hi=1\n{line}"
    program = qemu_with_plugin(tmp_path, hooks + "\n", tmp_path / "run")
    done = subprocess.run([program, "-machine", "virt", "-display", "none"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and complaint in done.stderr and "pagetrail-plugin: " in done.stderr, done.stderr


def test_refuses_without_files(tmp_path):
    for options, complaint in ((f",hooks={tmp_path}/none", "cannot be read"), (",outt=x", "unknown option: outt=x")):
        program = qemu_with_plugin(tmp_path, "text lo=0 hi=1\n", tmp_path / "run", options)
        done = subprocess.run([program, "-machine", "virt", "-display", "none"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and complaint in done.stderr, done.stderr


@pytest.mark.parametrize("target, complaint", [("riscv64", "install Debian's own qemu-system-misc"),
                                               ("x86_64", "watches kernels under qemu-system-riscv64")])
def test_refuses_another_qemu(tmp_path, target, complaint):
    program = tmp_path / "bare-qemu"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, paths.ROOT / "tests/qemu/bare_qemu.c", "-ldl"],
                   check=True)
    done = subprocess.run([program, PLUGIN, target], capture_output=True, text=True, timeout=60)
    assert done.stdout == "version 1, install 1\n" and complaint in done.stderr, done.stdout + done.stderr
