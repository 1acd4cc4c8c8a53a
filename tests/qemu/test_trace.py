# SPDX-License-Identifier: MIT
"""Runs under stream trace: nothing lost on the way, readable by stock tools, also when QEMU dies."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import paths
from harness.machine import check_disk_image
from harness.tool import (CANNOT_TELL, LEAKED, OK, babeltrace_events, pagetrail, pagetrail_json, run_command)


def traced_run(tmp_path, *guest_words, smp=2, limit=400, options=()):
    """One `pagetrail run`; checks the disk it leaves. Returns (CompletedProcess, run folder)."""
    run, disk_out = tmp_path / "run", tmp_path / "disk.img"
    done = pagetrail(*run_command(run, *guest_words, limit=limit,
                                  options=("--smp", str(smp), "--disk-out", disk_out, *options)), timeout=limit + 60)
    assert disk_out.exists(), f"status {done.status}\n{done.err}"
    check_disk_image(disk_out)
    return done, run


def test_usertests_under_trace(tmp_path, smp):
    """The whole promise of a clean run: tests pass, pages come back, no event is lost, everybody reads the same."""
    done, run = traced_run(tmp_path, "usertests", smp=smp, options=("--progress", "--tests", "--leaks", "--plot"))
    console = (run / "logs/console.log").read_text(errors="replace")
    assert "ALL TESTS PASSED" in console, done.err + console[-2000:]
    passed = int(re.search(r"usertests: (\d+) passed, 0 failed, 0 pages leaked", console).group(1))
    assert passed >= 25
    assert done.status == OK, done.out + done.err
    summary = pagetrail_json("summary", run)
    assert summary["events_discarded"] == 0
    assert babeltrace_events(run) == summary["total"]
    assert (run / "free-pages.png").stat().st_size > 10000


def test_misuse_leaves_a_living_kernel_and_a_clean_audit(tmp_path, smp):
    done, run = traced_run(tmp_path, "usertests", *misuse_tests(), smp=smp, options=("--leaks",))
    assert done.status == OK, done.out + done.err


def test_processes_that_stay_grow_and_are_no_leak(tmp_path):
    """Between the marks of `ktrace` one more `sleep` runs each time: all of it is reachable until it is killed at power-off."""
    done, run = traced_run(tmp_path, "sh", "-c", "sleep 1000 & ktrace true;" * 12, options=("--leaks",))
    assert done.status == OK and "no leaks" in done.out, done.out + done.err
    assert "GROWS: " in done.out and "pages allocated by kstack_alloc() went from" in done.out, done.out  # the head has the four that grew most
    grown = {(each["allocation"][0]["function"], each["cache"]): each["live"] - each["before"] for each in pagetrail_json("leaks", run)["candidates"]}
    assert grown["proc_create", "proc"] >= 5, "half of the tests are compared at least"
    assert pagetrail("leaks", run, "--fail-on-growth", 5).status == LEAKED


def test_programs_that_end_do_not_grow(tmp_path):
    done, run = traced_run(tmp_path, "sh", "-c", "ktrace ls /;" * 12, options=("--leaks",))
    assert done.status == OK and "GROWS" not in done.out, done.out
    assert pagetrail("leaks", run, "--fail-on-growth", 1).status == OK


def test_a_run_keeps_the_sources_that_its_stacks_name(tmp_path):
    """Each is the tree's, byte for byte; the report needs the tree no more. A run into the same folder leaves none of the old ones."""
    run = tmp_path / "run"
    stale = run / "sources/kernel/stale.c"
    stale.parent.mkdir(parents=True)
    stale.write_text("int stale;\n")
    assert pagetrail(*run_command(run, "true", options=("--smp", "1"))).status == OK
    kept = {path.relative_to(run / "sources") for path in (run / "sources").rglob("*") if path.is_file()}
    assert Path("kernel/proc/exec.c") in kept and all((paths.ROOT / name).read_bytes() == (run / "sources" / name).read_bytes()
                                                      for name in kept)
    named = {frame["file"] for row in pagetrail_json("stacks", run)["sites"] for frame in row["frames"] if frame["file"]}
    assert named <= {str(name) for name in kept}


def misuse_tests():
    """The usertests that hand nonsense to the kernel: those of the file about bad arguments."""
    source = (paths.ROOT / "user/bin/usertests/bad.c").read_text()
    table = source[source.index("tests_bad[]"):]
    return re.findall(r'^\s*\{"([^"]+)"', table, re.M)


@pytest.mark.parametrize("harts", [1, 2])
def test_8_mib_under_trace(tmp_path, harts):
    """All usertests in 6 MiB, streamed; rings, depot and page structs take at most 6 % of the managed pages."""
    done, run = traced_run(tmp_path, "free && usertests", smp=harts,
                           options=("--mem", "8M", "--disk-mode", "virtio", "--leaks"))
    console = (run / "logs/console.log").read_text(errors="replace")
    assert done.status == OK, done.out + done.err
    assert "ALL TESTS PASSED" in console
    managed, tracker = (int(re.search(rf"^{word} +(\d+)", console, re.M).group(1)) for word in ("managed", "tracker"))
    assert tracker <= 0.06 * managed


@pytest.mark.parametrize("pages", [1, 5])
def test_lost_pages_are_named(tmp_path, pages):
    done, run = traced_run(tmp_path, f"leakdemo {pages} keep", options=("--leaks",))
    assert done.status == LEAKED, done.out + done.err
    leaks = pagetrail_json("leaks", run)
    assert leaks["pages"] == pages
    assert "leak_pages" in done.out


def qemu_of(process):
    """The pid of the QEMU that a pagetrail started."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@pytest.mark.parametrize("victim", ["qemu", "both"])
def test_sigkill_in_the_middle_leaves_a_readable_run(tmp_path, smp, victim):
    run = tmp_path / "run"
    words = run_command(run, "usertests", options=("--smp", str(smp), "--quiet"))
    process = subprocess.Popen([str(w) for w in (paths.PAGETRAIL, *words)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    log = run / "logs/console.log"
    try:
        wait_for(lambda: log.exists() and re.search(rb"\[ *6/", log.read_bytes()), 60)
        qemu = qemu_of(process)
        if victim == "both":
            process.kill()
        os.kill(qemu, signal.SIGKILL)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    if victim == "qemu":
        assert process.returncode == CANNOT_TELL
    for ram in Path("/dev/shm").glob(f"pagetrail-{process.pid}-*.ram"):
        ram.unlink()
    summary = pagetrail_json("summary", run)
    assert summary["events"] > 1000
    assert babeltrace_events(run) == summary["total"]


def test_a_remembered_stack_is_the_one_that_a_walk_finds(boot):
    """Each is walked as well, and a difference is a panic; among programs that leave and enter the kernel in every
    way, interrupts included (STACK-3)."""
    machine = boot(smp=4, append="trace.check_stacks", limit=200, run="usertests -q && forktest && stressfs && kalloctest")
    assert machine.wait(200) == 0, machine.console[-3000:]
