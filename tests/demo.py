#!/usr/bin/env python3
"""`make demo`: usertests under trace on a machine of the given shape, its table, its leak report and its curve.

With --fault NN-name the kernel is built from a patched copy of the tree first, and the fault's own workload
runs. The exit status is that of `pagetrail run`: 0 nothing lost, 1 something lost, 2 could not tell.
"""
import argparse
import os
import sys

from harness import faults, paths
from harness.machine import needs_virtio


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--smp", default="4")
    options.add_argument("--mem", default="128M")
    options.add_argument("--fault", default="")
    arguments = options.parse_args()

    kernel, command, name, append = paths.KERNEL, "usertests", "demo", ""
    if arguments.fault:
        fault = faults.find(arguments.fault)
        print(f"fault {fault.name}: {fault.title}\nbuilding the patched kernel ...", flush=True)
        kernel, command, name, append = fault.build(), fault.run, "demo-" + fault.name, fault.append
    run = paths.ROOT / "traces/runs" / name
    program = [paths.PAGETRAIL, "run", "--kernel", kernel, "--disk", paths.DISK, "--smp", arguments.smp,
               "--mem", arguments.mem, "--out", run, "--progress", "--tests", "--leaks", "--plot", "--timeout", "600"]
    if needs_virtio(arguments.mem):
        program += ["--disk-mode", "virtio"]
    program += ["--append", f"debug=on {append}".strip()]
    program += ["--", command]
    os.execv(program[0], [str(word) for word in program])


if __name__ == "__main__":
    sys.exit(main())
