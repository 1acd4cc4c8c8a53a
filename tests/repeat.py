#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make repeat`: one run of --icount, again and again on a host that is busy: memory and trace must be the same, byte by byte.

    make repeat                          usertests, all of them, 20 times, one hart, ramdisk
    make repeat N=5 RUN='usertests -q'   another command, five times

`pagetrail why` and `rerun` rest on this: a second run tells about the first only if it is the same. What a host can do to a machine
is that one of its parts waits. So pagetrail, which empties the rings of the trace, is stopped (SIGSTOP) at random for up to half
a second, some machines run at a time (JOBS=2), and LOAD=2 processes do nothing but compute meanwhile.

Two hashes are printed of each run: of the guest's RAM after its end, and of all files of the trace. The first run, and the folder of one
that differs, are kept in BUILD/repeat, with the place where they differ first. Exit status: 0 if all are the same, else 1.
"""
import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from harness import paths
from harness.recorder import Recorder, for_each
from harness.tool import OK, run_command

LIMIT = 1800  # seconds, of one machine
PAGE = 4096
RAM_BASE = 0x80000000
GOES, STOPS = 1.0, 0.5  # seconds at most between two stops, and of one


def disturb(process, dice):
    """Stops pagetrail and lets it go on, until it ends. Nobody waits for an instant: any will do."""
    while process.poll() is None:
        time.sleep(dice.uniform(0, GOES))
        for number in (signal.SIGSTOP, signal.SIGCONT):
            if process.poll() is None:
                os.kill(process.pid, number)
                time.sleep(dice.uniform(0, STOPS) if number == signal.SIGSTOP else 0)
    return ""


def files_of(run):
    """What must be the same: the copy of RAM, then the trace."""
    return [run / "ram", *sorted((run / "trace").iterdir())]


def digest(files):
    """One hash of the contents and names."""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name} {path.stat().st_size}\n".encode())
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()[:16]


def first_difference(a, b):
    """Where two files differ first, or None."""
    at = 0
    with open(a, "rb") as one, open(b, "rb") as other:
        while True:
            left, right = one.read(1 << 20), other.read(1 << 20)
            if left != right:
                return at + next((i for i, (x, y) in enumerate(zip(left, right)) if x != y), min(len(left), len(right)))
            if not left:
                return None
            at += len(left)


def differences(first, other):
    """Yields where each file differs first."""
    theirs = {path.name: path for path in files_of(other)}
    for path in files_of(first):
        at = first_difference(path, theirs[path.name]) if path.name in theirs else 0
        if at is not None:
            place = f" (page {(RAM_BASE + at) // PAGE:#x})" if path.name == "ram" else ""
            yield f"{path.name} differs from byte {at} on{place}"


class Repetitions:
    """The runs, and what is known of them."""

    def __init__(self, folder, command, changes):
        self.folder, self.command, self.changes = folder, command, changes
        self.recorder, self.hashes, self.failed = Recorder(), {}, []

    def one(self, number):
        """Records a run, prints its hashes; only what is needed for a look is kept."""
        run, began = self.folder / str(number), time.monotonic()
        words = run_command(run, *self.command, limit=LIMIT,
                            options=["--icount", "--smp", 1, "--keep-ram", "--quiet", *self.changes(number)])
        status, said = self.recorder.run(words, LIMIT + 60, lambda process: disturb(process, random.Random(number)))
        if status != OK:
            self.failed.append(number)
            print(f"{number:4}  status {status}: {said.strip()[-500:]}\n      {run}", flush=True)
            return
        ram, *trace = files_of(run)
        self.hashes[number] = digest([ram]), digest(trace)
        print(f"{number:4}  ram {self.hashes[number][0]}  trace {self.hashes[number][1]}  {time.monotonic() - began:6.0f} s",
              flush=True)
        if number != 1 and 1 in self.hashes and self.hashes[number] == self.hashes[1]:
            shutil.rmtree(run)

    def judge(self):
        """Prints what came of it; whether all were the same."""
        for number in sorted(self.hashes):
            run = self.folder / str(number)
            if 1 in self.hashes and self.hashes[number] != self.hashes[1]:
                print("\n".join(f"{number:4}  {text}" for text in differences(self.folder / "1", run)))
            elif number != 1 and 1 in self.hashes:
                shutil.rmtree(run, ignore_errors=True)
        rams, traces = ({pair[i] for pair in self.hashes.values()} for i in (0, 1))
        print(f"{len(self.hashes)} runs of {' '.join(self.command)}: {len(rams)} different hashes of RAM, {len(traces)} of the trace; "
              f"{len(self.failed)} failed")
        return len(rams) == len(traces) == 1 and not self.failed


def repeat(folder, command, number, jobs, load, changes=lambda number: ()):
    """Whether all runs are the same. changes(number): further options of one run, for who wants to see it fail."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    runs = Repetitions(folder, command, changes)
    spinners = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) for _ in range(load)]
    try:
        for_each(runs.recorder, jobs, runs.one, range(1, number + 1))
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    return runs.judge()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-n", "--number", type=int, default=20)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--load", type=int, default=2, help="processes that compute meanwhile")
    options.add_argument("--run", default="usertests", help="what the guest runs")
    arguments = options.parse_args()
    try:
        same = repeat(paths.BUILD / "repeat", arguments.run.split(), arguments.number, arguments.jobs, arguments.load)
    except KeyboardInterrupt:
        return 130
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
