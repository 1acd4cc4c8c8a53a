#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tracing costs, in guest instructions: exact and repeatable, as one hart under -icount counts them.

Boots one machine for each way of tracing (off at boot; on, but every category masked; on), runs the user
program `bench` in it, and prints tables; then the whole of `usertests -q`, with tracing off and with the trace
streamed to `pagetrail run`. docs/PERFORMANCE.md keeps the figures.

Usage: bench.py [--short]   without the whole of usertests -q
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, __file__.rsplit("/", 2)[0])
from harness.machine import Machine  # noqa: E402 (the path above)
from harness.tool import pagetrail, run_command  # noqa: E402

OPERATIONS = 1000
WAYS = {"off": "trace=off", "masked": "trace=flight trace.mask=0", "on": "trace=flight"}
# What the project asks of itself: in instructions; for the whole of usertests -q; for programs that only enter the kernel.
PAIR_AT_MOST, RECORD_AT_MOST, RATIO_AT_MOST, PROGRAM_AT_MOST = 250, 90, 1.03, 1.10
# Fixed, so that figures of two versions can be compared: processes, memory, files, pipes.
SUBSET = "fork-wait exec-arguments sbrk-grow-shrink cow-sharing pipe-transfer write-read bigwrite many-files"
# Without the audits around each test, which cost the same in all ways.
PROGRAMS = ("forktest", "stressfs")


def measure(append, command, folder):
    """{name: guest instructions} from one boot that runs a command."""
    with Machine(folder, smp=1, icount=True, append=append, run=command, limit=600) as machine:
        status = machine.wait(600)
        if status:
            sys.exit(f"bench: {command!r} with {append!r} ended with status {status}\n{machine.console[-2000:]}")
        return {name: int(value) for name, value in re.findall(r"^bench (\w+) (\d+)", machine.console, re.M)}


def measure_whole(mode, folder):
    """Guest instructions of usertests -q under `pagetrail run`, and what the run says of its events."""
    run = Path(folder) / f"whole-{mode}"
    done = pagetrail(*run_command(run, "bench", "run", "usertests", "-q", limit=900,
                                  options=("--smp", 1, "--icount", "--quiet", "--mode", mode)), timeout=1000)
    console = (run / "logs/console.log").read_text(errors="replace")
    if done.status:
        sys.exit(f"bench: usertests -q, tracing {mode}: status {done.status}\n{console[-2000:]}")
    events = re.search(r"[\d.]+ s, (.* events, .*)", done.out + done.err)
    return int(re.search(r"^bench run (\d+)", console, re.M).group(1)), events.group(1)


def print_whole(folder):
    """usertests -q, off and streamed. True: the cost is within the bound."""
    print("\nusertests -q, whole, under `pagetrail run`")
    off, _ = measure_whole("off", folder)
    on, events = measure_whole("stream", folder)
    print(f"{'  tracing off':40}{off:16,}{1:10.3f}")
    print(f"{'  streamed':40}{on:16,}{on / off:10.3f}   (at most {RATIO_AT_MOST:.2f}; {events})")
    return on / off <= RATIO_AT_MOST


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true")
    short = options.parse_args().short
    with tempfile.TemporaryDirectory() as folder:
        cost = {way: measure(append, "bench", folder) for way, append in WAYS.items()}
        whole = {command: {way: measure(append, f"bench run {command}", folder)["run"] for way, append in WAYS.items()}
                 for command in (f"usertests {SUBSET}", *PROGRAMS)}

    def per_operation(way, name):
        return cost[way][name] / OPERATIONS

    print("guest instructions, 1 hart, -icount shift=0\n")
    print(f"{'one record, alone':40}{per_operation('on', 'record_bare'):12.1f}")
    record = per_operation("on", "record_stack")
    print(f"{'one record, with its stack':40}{record:12.1f}   (at most {RECORD_AT_MOST})\n")
    print(f"{'':40}{'off':>12}{'masked':>12}{'on':>12}")
    for name, title in (("page_pair", "page_alloc + page_put"), ("ref_pair", "page_get + page_put"),
                        ("poison", "of which filling and checking a page")):
        print(f"{title:40}" + "".join(f"{per_operation(way, name):12.1f}" for way in WAYS))
    less = {way: per_operation(way, "page_pair") - per_operation(way, "poison") for way in WAYS}
    print(f"{'page_alloc + page_put besides filling':40}" + "".join(f"{less[way]:12.1f}" for way in WAYS) +
          f"   (off: at most {PAIR_AT_MOST})")
    good = less["off"] <= PAIR_AT_MOST and record <= RECORD_AT_MOST
    for command, total in whole.items():
        print(f"\n{command}")
        for way in WAYS:
            print(f"{'  tracing ' + way:40}{total[way]:16,}{total[way] / total['off']:10.3f}")
        good = good and total["on"] / total["off"] <= PROGRAM_AT_MOST
    if not short:
        with tempfile.TemporaryDirectory() as folder:
            good = print_whole(folder) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
