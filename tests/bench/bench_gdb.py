#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seconds that the GDB commands take on a kernel at its prompt: through the RAM file, through the gdbstub alone, on a core.

One gdb for each way, after one command that loads what gdb keeps (DWARF, macros). The best of three times is
printed: the host does other things, too. docs/PERFORMANCE.md keeps the figures.

Usage: bench_gdb.py
"""
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [__file__.rsplit("/", 2)[0], __file__.rsplit("/", 2)[0] + "/gdb"]
from debugger import run_gdb, seconds, timed  # noqa: E402 (the path above)
from harness.machine import PROMPT  # noqa: E402
from target import Target  # noqa: E402

COMMANDS = ("buddy-print", "audit", "audit -p", "leaks", "ps", "kstack-print 1", "vmprint 1", "vmprint -k", "page-owner &pages",
            "page-history 0x80460", "trace-dump 50", "slab-print", "pagecache-print", "freemem")
# What the project asks of itself, in seconds, on 128 MiB.
AT_MOST = {"buddy-print": 0.5, "audit": 5}
ROUNDS = 3


def times(run, **options):
    """{command: seconds, the best of ROUNDS}. run: run_gdb or a machine's gdb."""
    found = run(["freemem"] + [timed(command) for command in COMMANDS * ROUNDS], timeout=300, **options)
    taken = [seconds(text) for text in found[1:]]
    return {command: min(taken[i::len(COMMANDS)]) for i, command in enumerate(COMMANDS)}


def measure(folder):
    """{way: {command: seconds}}"""
    with Target(folder, smp=4, limit=600) as machine:
        machine.expect(PROMPT)
        machine.shell("stressfs")
        core = Path(folder) / "core"
        machine.gdb([f"monitor dump-guest-memory {core}"])
        found = {"RAM file": times(machine.gdb), "core": times(run_gdb, core=core)}
        machine.ram_file.unlink()
        found["gdbstub"] = times(machine.gdb)
    return found


def main():
    with tempfile.TemporaryDirectory() as folder:
        found = measure(folder)
    print(f"\nGDB commands on 128 MiB, seconds\n{'':24}" + "".join(f"{way:>12}" for way in found))
    good = True
    for command in COMMANDS:
        taken = [found[way][command] for way in found]
        bound = AT_MOST.get(command)
        good = good and (bound is None or max(taken) <= bound)
        print(f"  {command:22}" + "".join(f"{value:12.3f}" for value in taken) + (f"   (at most {bound})" if bound else ""))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
