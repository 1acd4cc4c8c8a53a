#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make clean-runs`: 200 runs of a kernel that loses nothing, in which nothing may be found.

A report is worth something only if it is silent where nothing is wrong. So everything that the disk has runs on every shape of
machine, with jobs in the background, kills, and ends in the middle (clean_plan.py says what); `pagetrail run` records each run,
and `pagetrail leaks` judges it.

    make clean-runs              all 200; a row each in BUILD/clean-runs/runs.csv, then a table
    make clean-runs N=20         twenty of them, a sample
    make clean-runs JOBS=1       one at a time (2)
    make clean-runs ONLY=grind   those of one program
    make clean-runs LEAK_POINTS=1 N=40   with all pointers followed meanwhile, where what has no pointer left is a finding, too; rows and
                                 table in BUILD/clean-runs-leak-points

A finding is a group of leaks, another finding (MISPAIRED, BROKEN, ...), or something that grows (GROWS). A run is clean if there
is none, the guest's command succeeded, and the verdict is "no leaks" with nothing discarded; where QEMU was killed, "cannot tell".
Rows that are there are kept, unless kernel, disk or pagetrail have changed since: an interrupted command goes on where it was. The
folder of a run that is not clean is kept. Exit status: 0 if all are clean, 1 otherwise.
"""
import argparse
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import clean_plan
from clean_plan import COMMAND, KILLED, TYPED
from harness import paths, xv6_disk
from harness.csv_rows import append_row
from harness.machine import Machine
from harness.recorder import Recorder, for_each
from harness.tool import CANNOT_TELL, OK, pagetrail, read_until, run_command

LIMIT = 600  # of one machine
PROMPT = r"\$ "
COLUMNS = ("build", "seed", "number", "program", "shape", "end", "verdict", "events", "seconds", "wrong", "words")
HEADER = f"{'run':>9}  {'program':17} {'shape':15} {'verdict':12} {'events':>9} {'seconds':>7}"


def tests_of_programs(folder):
    """{program: names of its tests}, as the programs on the disk list them."""
    words = "; ".join(f"echo list {program}; {program} -l" for program in clean_plan.LISTED)
    with Machine(folder, run=words) as machine:
        assert machine.wait(60) == 0, machine.console[-2000:]
        lists = machine.console.split("\nlist ")[1:]
    return {program: [line.split()[0] for line in lines if line and "off:" not in line]
            for program, *lines in map(str.splitlines, lists)}


def build_of():
    """What a run depends on, in a word: kernel, disk, tools."""
    digest = hashlib.sha1()
    for path in (paths.KERNEL, paths.DISK, paths.PAGETRAIL):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Machines:
    """Records runs into folders below one."""

    def __init__(self, folder, options=()):
        self.folder, self.disk, self.recorder, self.options = folder, xv6_disk.built(folder), Recorder(), options

    def record(self, run, out):
        """The status of `pagetrail run`, and what it said."""
        options = [*self.options, "--smp", run.smp, "--mem", run.mem, "--disk-mode", "virtio" if run.virtio else "ramdisk"]
        words = () if run.end == TYPED else run.words
        command = run_command(out, *words, disk=self.disk if run.xv6 else None, limit=LIMIT, options=options)
        meanwhile = {TYPED: type_lines, KILLED: kill_machine, COMMAND: lambda *_: ""}[run.end]
        return self.recorder.run(command, LIMIT + 60, lambda process: meanwhile(process, run, out))


def type_lines(process, run, _out):
    """Types each line when the prompt is there; what was said meanwhile."""
    said = ""
    for line in run.words:
        said += read_until(process, PROMPT, LIMIT)
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
    return said


def kill_machine(process, run, out):
    """SIGKILL of QEMU, some time after it has begun to record; the instant is the point, any will do."""
    deadline = time.monotonic() + LIMIT
    while not (out / "trace/hart0").exists() or not (out / "trace/hart0").stat().st_size:
        assert process.poll() is None and time.monotonic() < deadline, "it records nothing"
        time.sleep(0.02)
    time.sleep(run.after)
    for child in open(f"/proc/{process.pid}/task/{process.pid}/children").read().split():
        os.kill(int(child), signal.SIGKILL)
    return ""


def what_is_wrong(run, status, answer):
    """Why the run is not clean; "" if it is. status: of `pagetrail run`; answer: of `pagetrail leaks --json`."""
    wrong = [f"{len(answer[what])} {what}" for what in ("groups", "findings", "candidates") if answer[what]]
    wanted = ("cannot tell", CANNOT_TELL) if run.end == KILLED else ("no leaks", OK)
    if answer["verdict"] != wanted[0]:
        wrong.append(f"the verdict is {answer['verdict']}: {answer['uncertain']}")
    if status != wanted[1]:
        wrong.append(f"pagetrail run: status {status}")
    if answer["events_discarded"]:
        wrong.append(f"{answer['events_discarded']} events discarded")
    return "; ".join(wrong)


def do_run(machines, run):
    """Records and judges one: the columns that it decides."""
    out, began = machines.folder / str(run.number), time.monotonic()
    shutil.rmtree(out, ignore_errors=True)
    row = {"number": run.number, "program": run.program, "shape": run.shape(), "end": run.end, "words": "\n".join(run.words)}
    try:
        status, said = machines.record(run, out)
        judged = pagetrail("leaks", out, "--json")
        answer = judged.json()
        wrong = what_is_wrong(run, status, answer)
        if wrong:
            (out / "said.txt").write_text(said)
        row.update(verdict=answer["verdict"], events=answer["events"], wrong=wrong)
    except (AssertionError, OSError, json.JSONDecodeError, subprocess.TimeoutExpired) as error:
        row.update(verdict="-", events=0, wrong=" ".join(str(error).split())[-300:] or repr(error))
    if not row["wrong"]:
        shutil.rmtree(out)
    return {**row, "seconds": f"{time.monotonic() - began:.1f}"}


def read_rows(path, build, seed):
    """{number: row} of this build."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {int(row["number"]): row for row in csv.DictReader(file) if (row["build"], row["seed"]) == (build, str(seed))}


def line(row, total):
    text = f"{row['number']:>4}/{total:<4}  {row['program']:17} {row['shape']:15} {row['verdict']:12} {row['events']:>9} " \
           f"{float(row['seconds']):7.1f}"
    return text + (f"  NOT CLEAN: {row['wrong']}" if row["wrong"] else "")


def table(rows):
    """Lines: of each program its runs, verdicts, seconds; then the sum."""
    lines = [f"{'program':17} {'runs':>5} {'no leaks':>9} {'cannot tell':>12} {'not clean':>10} {'events':>11} {'seconds':>8}"]
    for program in [*sorted({row["program"] for row in rows}), "all"]:
        some = [row for row in rows if program in (row["program"], "all")]
        lines.append(f"{program:17} {len(some):5} {sum(row['verdict'] == 'no leaks' for row in some):9} "
                     f"{sum(row['verdict'] == 'cannot tell' for row in some):12} {sum(bool(row['wrong']) for row in some):10} "
                     f"{sum(int(row['events']) for row in some):11} {sum(float(row['seconds']) for row in some):8.0f}")
    return lines


def run_all(folder, chosen, jobs, seed, total, options=()):
    """Runs what has no row yet; all rows of the chosen."""
    path, build, lock = folder / "runs.csv", build_of(), threading.Lock()
    known = read_rows(path, build, seed)
    machines = Machines(folder, options)
    print(f"build {build}, seed {seed}: {len(chosen)} runs, {sum(run.number in known for run in chosen)} of them known\n{HEADER}",
          flush=True)

    def one(run):
        row = {**do_run(machines, run), "build": build, "seed": seed}
        with lock:
            append_row(path, COLUMNS, row)
            print(line(row, total), flush=True)
            known[run.number] = row

    for_each(machines.recorder, jobs, one, [run for run in chosen if run.number not in known])
    return [known[run.number] for run in chosen]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-n", "--number", type=int, default=200)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="", help="of one program")
    options.add_argument("--leak-points", action="store_true", help="follow all pointers")
    arguments = options.parse_args()
    followed = ["--leak-points"] if arguments.leak_points else []
    folder = paths.BUILD / ("clean-runs-leak-points" if followed else "clean-runs")
    folder.mkdir(parents=True, exist_ok=True)
    runs = clean_plan.plan(tests_of_programs(folder / "tests"), arguments.seed, arguments.number)
    chosen = [run for run in runs if run.program.startswith(arguments.only)]
    try:
        rows = run_all(folder, chosen, arguments.jobs, arguments.seed, len(runs), followed)
    except KeyboardInterrupt:
        print("clean-runs: interrupted; the same command goes on")
        return 130
    text = "\n".join(table(rows))
    (folder / "table.txt").write_text(text + "\n")
    print("\n" + text)
    return 1 if any(row["wrong"] for row in rows) or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
