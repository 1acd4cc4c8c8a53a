#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make soak`: every test program of the disk on every shape of machine, and what the books said afterwards.

A row is one boot: the program runs, then the auditor and the structure checks of /proc run once more, the machine
powers itself off, and e2fsck reads the disk that it left. The programs audit by themselves after each test, scenario or
round; here their own lines are read, not only their status.

    program      harts  memory  verdict  audit  identity  checks  e2fsck  seconds  what it says
    kalloctest       4    128M  passed   clean        OK  ok      clean        13  6 passed, 0 failed, 0 pages leaked

verdict   passed; FAILED: its own status; HUNG: it was stopped at its limit; DIED: the machine ended before its time
identity  RAM is the sum of its parts, at the end (in between, a difference is a finding of the program's own audits)

Every test runs on every machine; where one asks less of a small machine it says so, and its words are repeated below the table.
Exit status: 0 if every row is good, 1 otherwise. The consoles of all rows, and the table, stay in BUILD/soak.
"""
import argparse
import re
import signal
import sys
import time
from dataclasses import dataclass, field

from harness import paths
from harness.machine import Machine, MachineError

PROGRAMS = ("usertests", "kalloctest", "cowtest", "lazytest", "mmaptest", "failsweep", "grind")
# Seconds after which a program hangs for certain; grind's own time comes on top.
LIMITS = {"usertests": 1200, "failsweep": 1500}
LIMIT = 600
PASSED, CHECKS, END = "soak: passed", "soak: checks", "soak: end"
SUMMARY = {"failsweep": r"^failsweep: (\d+ scenarios, \d+ failures injected, 0 panics, 0 pages leaked)$",
           "grind": r"^grind: (seed \d+, \d+ rounds, \d+ calls, 0 pages leaked): OK$"}
LENIENCY = r"^  (.*: allowed where .*)$"
HEADER = f"{'program':12} {'harts':>5} {'memory':>7}  {'verdict':8} {'audit':7} {'identity':8} {'checks':7} " \
         f"{'e2fsck':7} {'seconds':>7}  what it says"


@dataclass
class Row:
    """One boot: what ran on what, and everything that was found."""
    program: str
    harts: int
    memory: str
    verdict: str = ""
    audit: str = "-"
    identity: str = "-"
    checks: str = "-"
    e2fsck: str = "-"
    seconds: float = 0
    says: str = ""
    leniencies: list = field(default_factory=list)

    def good(self):
        return (self.verdict, self.audit, self.identity, self.checks, self.e2fsck) == \
            ("passed", "clean", "OK", "ok", "clean")

    def name(self):
        return f"{self.program}-{self.harts}-{self.memory}"

    def line(self):
        return f"{self.program:12} {self.harts:5} {self.memory:>7}  {self.verdict:8} {self.audit:7} {self.identity:8} " \
               f"{self.checks:7} {self.e2fsck:7} {self.seconds:7.0f}  {self.says}"


def first(pattern, text, default=""):
    """The first group of the last match, or the default."""
    found = re.findall(pattern, text, re.M)
    return found[-1] if found else default


def read_console(row, console):
    """Fills in what the program, the auditor and the checkers printed. True: the program itself is content."""
    own_words = SUMMARY.get(row.program, rf"^{row.program}: (\d+ passed, 0 failed, .*0 pages leaked)$")
    row.says = first(own_words, console)
    row.leniencies = re.findall(LENIENCY, console, re.M)
    row.audit = first(r"^verdict: (.*)$", console, "-")
    row.identity = first(r"^RAM \d+ = .*  (OK|DIFFERS.*)$", console, "-")
    checks = re.findall(r"^\w+: (.*)$", console.partition(f"\n{CHECKS}\n")[2].partition(f"{END}\n")[0], re.M)
    row.checks = next((text for text in checks if text != "ok"), "ok") if checks else "-"
    return PASSED in console.splitlines() and bool(row.says)


def show_progress(row, machine):
    """The console's last line, on a terminal only."""
    if sys.stdout.isatty():
        last = machine.console.rstrip().rsplit("\n", 1)[-1]
        print(f"\r\033[K{row.name()}: {last[:90]}", end="", flush=True)


def wait_for_end(row, machine, seconds):
    """The exit status, or None when the machine had to be stopped at its limit."""
    deadline = time.monotonic() + seconds
    while machine.running() and time.monotonic() < deadline:
        show_progress(row, machine)
        time.sleep(0.5)
    return machine.wait(10) if not machine.running() else None


def check_disk(row, machine):
    try:
        machine.check_disk()
        row.e2fsck = "clean"
    except MachineError as error:
        row.e2fsck = "BROKEN"
        print(f"{row.name()}: {error}")


def run_row(row, folder, minutes, seed):
    """Boots one machine and fills in the row."""
    limit, command = LIMITS.get(row.program, LIMIT), row.program
    if row.program == "grind":
        seconds = max(1, round(minutes * 60))
        limit, command = limit + seconds, f"grind {seconds}" + (f" {seed}" if seed else "")
    begin = time.monotonic()
    with Machine(folder / row.name(), smp=row.harts, mem=row.memory, limit=limit + 60,
                 run=f"{command} && echo {PASSED}; cat /proc/audit; echo {CHECKS}; cat /proc/checks; echo {END}") as machine:
        status = wait_for_end(row, machine, limit)
        row.seconds = time.monotonic() - begin
        content = read_console(row, machine.console)
        ended = machine.ended_well()
        row.verdict = "HUNG" if status is None else "DIED" if not ended else "passed" if content and status == 0 else "FAILED"
        if ended:
            check_disk(row, machine)
        if not row.good():
            row.says = row.says or "its console is in " + str(folder / row.name() / "console.log")
        return machine.console


def print_row(row, console):
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    print(row.line(), flush=True)
    if not row.good():
        print("".join(f"    {line}\n" for line in console.splitlines()[-25:]), end="", flush=True)


def summary(rows):
    """What was allowed and why, and the sum: lines of text."""
    lines = [f"{row.program} with {row.harts} harts at {row.memory}: {words}" for row in rows for words in row.leniencies]
    nr_good, minutes = sum(row.good() for row in rows), sum(row.seconds for row in rows) / 60
    return lines + [f"soak: {nr_good} of {len(rows)} rows good, {minutes:.0f} minutes"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10, help="of grind, for each machine")
    options.add_argument("--seed", type=int, default=0, help="grind's; by default each run takes one from its clock")
    options.add_argument("--harts", type=int, nargs="+", default=[1, 2, 4])
    options.add_argument("--memory", nargs="+", default=["128M", "8M"])
    options.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    arguments = options.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the machine ends, too
    folder = paths.BUILD / "soak"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [Row(program, harts, memory) for program in arguments.programs for memory in arguments.memory
            for harts in arguments.harts]
    print(HEADER, flush=True)
    for row in rows:
        print_row(row, run_row(row, folder, arguments.minutes, arguments.seed))
    (folder / "table.txt").write_text("\n".join([HEADER, *(row.line() for row in rows), *summary(rows)]) + "\n")
    print("\n".join(summary(rows)))
    return 0 if all(row.good() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
