#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the machine takes in seconds: `usertests -q` with 3 harts and 128 MiB, and the way from power-on to the prompt.

Seconds of a host that does other work besides say little, so its load stands beside them, and so does the processor
time that QEMU used, which depends less on it. docs/PERFORMANCE.md keeps the figures.

Usage: wall.py [XV6]

XV6: the folder of an xv6-riscv of 2022, whose own usertests are measured, too.
"""
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, __file__.rsplit("/", 2)[0])
from harness.machine import PROMPT, Machine  # noqa: E402 (the path above)
from harness.tool import run_command  # noqa: E402
from harness import paths  # noqa: E402

# A classic teaching kernel's quick battery (about 60 tests, 480,000 allocations), 3 harts, the same kind of host.
BASELINES = (("as it ships", 172), ("with WFI when idle and a ramdisk", 60))
# xv6's own battery of 2022 on its own kernel, 3 harts, a host without other work.
XV6_BASELINE = 143.6
BOOTS = 5


def usertests(mode, folder, said=r"\d+ passed, \d+ failed", disk=None, options=()):
    """(wall seconds, processor seconds of QEMU and of the tool, what was said of the tests, and of the events)"""
    run = Path(folder) / "-".join(["run", mode, *options])
    words = run_command(run, "usertests", "-q", disk=disk, limit=900,
                        options=("--smp", 3, "--quiet", "--mode", mode, *options))
    before, began = os.times(), time.monotonic()
    done = subprocess.run([str(word) for word in (paths.PAGETRAIL, *words)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1000)
    wall, after = time.monotonic() - began, os.times()
    console = (run / "logs/console.log").read_text(errors="replace")
    counts = re.search(said, console)
    if not counts:
        sys.exit(f"wall: usertests -q, tracing {mode}: status {done.returncode}\n{console[-1000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, counts.group(0), re.search(r"(\d+ events, .*)", done.stdout).group(1)


def xv6(tree, folder):
    """xv6's own usertests on our kernel: as it is, and with a slower processor by the guest's clock, for which sleep costs nothing."""
    build = f"{paths.BUILD_NAME}/xv6-usertests"
    paths.make(f"EXTRA_USER={Path(tree).resolve() / 'user/usertests.c'}", "disk", build=build)
    print("\nxv6's own usertests -q, 3 harts, 128 MiB, ramdisk, streamed")
    print(f"{'  baseline, its own kernel':46}{XV6_BASELINE:8.1f} s")
    for title, options in (("free-running", ()), ("--icount=4", ("--icount=4",))):
        wall, cpu, passed, events = usertests("stream", folder, "ALL TESTS PASSED", paths.ROOT / build / "disk.img", options)
        print(f"{'  ' + title:46}{wall:8.1f} s   {cpu:6.1f} s of processor, {passed}, {events}; 1/{XV6_BASELINE / wall:.1f}")


def boot(folder):
    """(guest's clock when the first command at the prompt ran, wall seconds to the prompt, QEMU's processor time)"""
    began = time.monotonic()
    with Machine(folder, smp=4, append="trace=flight") as machine:
        machine.expect(PROMPT, 60)
        wall, cpu = time.monotonic() - began, machine.cpu_seconds()
        machine.send("bench clock\n")
        return int(machine.expect(r"bench clock (\d+)\n").group(1)) / 1e6, wall, cpu


def main():
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.1f}\n\nusertests -q, 3 harts, 128 MiB, ramdisk")
    for title, seconds in BASELINES:
        print(f"{'  baseline, ' + title:46}{seconds:8.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        for mode, title in (("off", "tracing off"), ("stream", "streamed")):
            wall, cpu, passed, events = usertests(mode, folder)
            print(f"{'  ' + title:46}{wall:8.1f} s   {cpu:6.1f} s of processor, {passed}, {events}; "
                  + ", ".join(f"1/{seconds / wall:.1f} of {seconds}" for _, seconds in BASELINES))
        if sys.argv[1:]:
            xv6(sys.argv[1], folder)
        print("\npower-on to the prompt, 4 harts, 128 MiB, the trace on: best of", BOOTS)
        boots = [boot(Path(folder) / f"boot{i}") for i in range(BOOTS)]
    for i, title in enumerate(("guest's clock, first command included", "host's clock, QEMU's start included",
                               "QEMU's processor time")):
        print(f"{'  ' + title:46}{min(one[i] for one in boots):8.2f} s")


if __name__ == "__main__":
    main()
