#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make repro N=200`: what was once broken from outside, done again and again: each must end well every time.

Tests of `make test` do each of these once. But most of them are races, or ways out of memory, that went wrong in a few
tries of a hundred, so once proves little. Here each is a boot of its own, N times, with e2fsck after each:

    fault                                        harts  memory   clean    seconds
    1 symlink beside a rival, memory short           2    128M   200/200      412

A boot is clean if the machine ended with the status that it must, printed what it must and nothing that it must not (among it
findings of the audits at its end), and left a disk that e2fsck accepts. The consoles of those that are not stay in BUILD/repro.
Exit status: 0 if all are clean, 1 otherwise.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from harness import paths
from harness.machine import Machine, MachineError

LIMIT = 120
CANNOT_START = 123  # kernel/boot/main.c
NEVER = r"^panic|^power-off: .*findings|FAILED|do not end"
DEBUG_ONLY = ("kdebug panic", "kdebug leak-pages 1", "kdebug leak-objects 1", "kdebug free-leaked", "kdebug trace-mask 0",
              "poweroff 3", "echo mode=off > /proc/ktrace_ctl", "echo 1 > /proc/1/fail-nth")
REFUSED = "; ".join(f"{command} && echo DONE" for command in DEBUG_ONLY) + "; exit 9"


@dataclass(frozen=True)
class Repro:
    """One way to make the fault, and how a machine without it ends."""
    what: str
    run: str
    smp: int = 2
    mem: str = "128M"
    status: int = 0
    prints: str = ""
    never: str = NEVER
    debug: bool = True
    damage: str = ""  # what debugfs does to the disk first


REPROS = (
    Repro("1 symlink beside a rival, memory short", "failsweep symlink-rival symlink symlink-long && usertests symlinks"),
    Repro("1 the same in 8 MiB", "failsweep symlink-rival symlink symlink-long && usertests symlinks", mem="8M"),
    Repro("2 a fork of 32000 mappings, also killed", "usertests many-mappings many-killed"),
    Repro("3 more references than a page can have", "usertests many-references",
          prints=r"references to a page, then fork says ENOMEM"),
    Repro("4 /dev on the disk cannot be read", "true", status=CANNOT_START, damage="clri /dev",
          prints=r"boot: cannot \w+ /dev: error \d+"),
    Repro("5 what tests do to the kernel, without debug=on", REFUSED, status=9, debug=False, prints=": not permitted",
          never=NEVER + "|DONE"),
    Repro("6 twenty end the machine at once", "kdebug poweroff-race 20", smp=4, status=7),
)


def damaged_disk(repro, folder):
    """A copy of the disk after debugfs, or the disk itself."""
    if not repro.damage:
        return paths.DISK
    disk = folder / "damaged.img"
    shutil.copy(paths.DISK, disk)
    subprocess.run(["debugfs", "-w", "-R", repro.damage, str(disk)], check=True, capture_output=True,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    return disk


def run_once(repro, folder, disk):
    """One boot; what was wrong with it, or None."""
    try:
        with Machine(folder, smp=repro.smp, mem=repro.mem, run=repro.run, debug=repro.debug, disk=disk, limit=LIMIT) as machine:
            status = machine.wait(LIMIT)
            found = re.search(repro.never, machine.console, re.M)
            if status != repro.status:
                return f"status {status}, not {repro.status}"
            if found:
                return f"it printed {found.group(0)!r}"
            if not re.search(repro.prints, machine.console):
                return f"it did not print {repro.prints!r}"
            if not repro.damage:
                machine.check_disk()
    except MachineError as error:
        return str(error).splitlines()[0]
    return None


def repeat(repro, folder, number, deadline=None):
    """Up to `number` boots, until the deadline: how many were clean, how many there were. What was not clean is printed."""
    folder.mkdir(parents=True, exist_ok=True)
    disk, clean, done = damaged_disk(repro, folder), 0, 0
    while done < number and (deadline is None or time.monotonic() < deadline):
        boot = folder / str(done)
        wrong = run_once(repro, boot, disk)
        done += 1
        clean += wrong is None
        if wrong:
            print(f"{repro.what}: boot {done}: {wrong}: {boot}/console.log", flush=True)
        else:
            shutil.rmtree(boot)
    return clean, done


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-n", type=int, default=200, help="boots of each")
    options.add_argument("--only", default="", help="those whose line begins so: 1, 2, ...")
    options.add_argument("--minutes", type=float, help="of each at most; fewer boots are then no failure")
    chosen = options.parse_args()
    folder = paths.BUILD / "repro"
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{'fault':48} {'harts':>5} {'memory':>7}  {'clean':>8} {'seconds':>8}")
    good = True
    for at, repro in enumerate(REPROS):
        if not repro.what.startswith(chosen.only):
            continue
        began = time.monotonic()
        clean, done = repeat(repro, folder / str(at), chosen.n, chosen.minutes and began + 60 * chosen.minutes)
        good = good and clean == done > 0
        print(f"{repro.what:48} {repro.smp:5} {repro.mem:>7}  {f'{clean}/{done}':>8} {time.monotonic() - began:8.0f}",
              flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
