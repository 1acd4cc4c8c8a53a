#!/usr/bin/env python3
"""What tracing costs, in guest instructions: exact and repeatable, as one hart under -icount counts them.

Boots one machine for each way of tracing (off at boot; on, but every category masked; on), runs the user
program `bench` in it, and prints tables. docs/PERFORMANCE.md keeps the figures.

Usage: bench.py [--tests "NAME NAME ..."]   the usertests subset for the last line
"""
import argparse
import re
import sys
import tempfile

sys.path.insert(0, __file__.rsplit("/", 2)[0])
from harness.machine import Machine  # noqa: E402 (the path above)

OPERATIONS = 1000
WAYS = {"off": "trace=off", "masked": "trace=flight trace.mask=0", "on": "trace=flight"}
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


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tests", default=SUBSET)
    tests = options.parse_args().tests
    with tempfile.TemporaryDirectory() as folder:
        cost = {way: measure(append, "bench", folder) for way, append in WAYS.items()}
        whole = {command: {way: measure(append, f"bench run {command}", folder)["run"] for way, append in WAYS.items()}
                 for command in (f"usertests {tests}", *PROGRAMS)}

    def per_operation(way, name):
        return cost[way][name] / OPERATIONS

    print("guest instructions, 1 hart, -icount shift=0\n")
    print(f"{'one record, alone':40}{per_operation('on', 'record_bare'):12.1f}")
    print(f"{'one record, with its stack':40}{per_operation('on', 'record_stack'):12.1f}\n")
    print(f"{'':40}{'off':>12}{'masked':>12}{'on':>12}")
    for name, title in (("page_pair", "page_alloc + page_put"), ("ref_pair", "page_get + page_put"),
                        ("poison", "of which filling and checking a page")):
        print(f"{title:40}" + "".join(f"{per_operation(way, name):12.1f}" for way in WAYS))
    less = {way: per_operation(way, "page_pair") - per_operation(way, "poison") for way in WAYS}
    print(f"{'page_alloc + page_put besides filling':40}" + "".join(f"{less[way]:12.1f}" for way in WAYS))
    for command, total in whole.items():
        print(f"\n{command}")
        for way in WAYS:
            print(f"{'  tracing ' + way:40}{total[way]:14,}{total[way] / total['off']:10.3f}")


if __name__ == "__main__":
    main()
