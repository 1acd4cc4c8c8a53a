#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make mutants`: how much of what a kernel forgets is found, and whether the right function is named.

Every call of a release in the kernel is changed, one at a time (mutate.py: deleted, skipped every eighth time, ...), in a
scratch copy of the tree; only its file is compiled. The changed kernel runs a workload that is known to execute the call
(coverage.py), recorded by `pagetrail run`; what `pagetrail leaks --json` says is compared with the change (judge.py).

    make mutants                 all of them; a row each in BUILD/mutants/mutants.csv, then the table
    make mutants N=50            fifty; the same ones every time, and among those of a larger N
    make mutants ONLY='pipe_*'   those whose id matches; several patterns with commas
    make mutants JUDGE=1         nothing is run: the recorded runs are judged again, by the tools as they are now
    make mutants WHY=1           those that leaked run again, and `pagetrail why` is asked, too (why.py); with JUDGE=1 these runs again

Rows that are there are kept, unless the kernel has changed since (its build id): an interrupted run goes on where it was.
The recorded runs stay in BUILD/mutants/runs/ID, and those of the unchanged kernel in BUILD/mutants/clean, each with the baseline that
`pagetrail baseline` makes of it.
"""
import argparse
import fnmatch
import hashlib
import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
from harness import paths  # noqa: E402 (the path above)
from harness.machine import needs_virtio  # noqa: E402
from harness.tool import OK, pagetrail, run_command  # noqa: E402

import coverage  # noqa: E402
import csource  # noqa: E402
import judge  # noqa: E402
import mutate  # noqa: E402
import scratch  # noqa: E402
import table  # noqa: E402
import why  # noqa: E402
import workloads  # noqa: E402

# Of one machine: a longer run is a hang. The programs wait a second wherever pages are missing.
LIMIT, LIMIT_TIMES = 30, 4


def record(out, workload, kernel, limit, again=False):
    """Runs the workload into the run folder `out`; its run.json. again: so that it can be repeated."""
    shutil.rmtree(out, ignore_errors=True)
    shape = ["--icount", "--smp", 1] if again else ["--smp", workload.smp]
    done = pagetrail(*run_command(out, *workload.words.split(), kernel=kernel, limit=limit,
                                  options=[*shape, "--mem", workload.mem, "--quiet", "--disk-mode",
                                           "virtio" if needs_virtio(workload.mem) else "ramdisk"]), timeout=limit + 60)
    if not (out / "run.json").exists():
        raise RuntimeError(f"pagetrail run: status {done.status}\n{done.err}")
    return json.loads((out / "run.json").read_text())


def compress(elf):
    """Hundreds of kernels are kept: their debug information takes a fifth so. The tools read it as it is."""
    subprocess.run([paths.CROSS + "objcopy", "--compress-debug-sections=zlib", elf], check=True)


def ask(run, *options):
    """What `leaks --json` says of a run."""
    return pagetrail("leaks", run, "--json", *options).json()


class Measure:
    """All that the mutants of one kernel have in common."""

    def __init__(self, out, jobs):
        self.out, self.jobs = Path(out), jobs
        self.csv = self.out / "mutants.csv"
        self.runs, self.clean = self.out / "runs", self.out / "clean"
        self.runs.mkdir(parents=True, exist_ok=True)
        self.clean.mkdir(exist_ok=True)
        self.equivalent = judge.read_equivalent()
        self.lock = threading.Lock()
        self.clean_locks = {}

    def prepare(self):
        """Builds the unchanged kernel, reads its sources, and counts."""
        self.base = scratch.base_tree(self.out / "trees")
        self.build_id = scratch.build_id(self.base)
        self.sources = csource.read_kernel(self.base.folder)
        self.graph = {name: sorted(calls) for name, calls in csource.call_graph(self.sources).items()}
        (self.out / "calls.json").write_text(json.dumps(self.graph))
        lists = mutate.read_functions()
        sites = list(mutate.sites(self.sources, lists))
        self.coverage = coverage.measure(self.base, self.sources, sites, workloads.all_workloads(), self.out, self.jobs, say)
        self.base.make()
        self.site_of = {mutant.id: site[0] for site in sites for mutant in mutate.mutants_of_site(*site, lists)}
        self.mutants = [mutant for site in sites for mutant in mutate.mutants_of_site(*site, lists)]

    def clean_lock(self, name):
        """One at a time makes a run, or its baseline."""
        with self.lock:
            return self.clean_locks.setdefault(name, threading.Lock())

    def clean_run(self, workload):
        """The baseline of the unchanged kernel under the workload, run once; it must be without leaks."""
        with self.clean_lock(workload.name + " run"):
            run = self.clean / workload.name
            known = run / "build_id"
            if not known.exists() or known.read_text() != self.build_id:
                record(run, workload, self.base.kernel(), limit=300)
                done = pagetrail("leaks", run)
                if done.status != OK:
                    raise RuntimeError(f"the unchanged kernel under {workload.name}: status {done.status}\n{done.out}")
                known.write_text(self.build_id)
        return self.baseline_of(workload.name)

    def baseline_of(self, name):
        """What today's tools keep of the unchanged kernel's run."""
        run, kept = self.clean / name, self.clean / f"{name}.baseline"
        with self.clean_lock(name):
            made_of = max((run / "run.json").stat().st_mtime, paths.PAGETRAIL.stat().st_mtime)
            if not kept.exists() or kept.stat().st_mtime < made_of:
                done = pagetrail("baseline", run, "--out", kept)
                if done.status != OK:
                    raise RuntimeError(f"the baseline of {name}: status {done.status}\n{done.err}")
                kept.with_suffix(".codeless").write_text(without_code(kept.read_text()))
        return kept

    def row_begun(self, mutant):
        """The columns that need no run."""
        return {"id": mutant.id, "file": mutant.file, "line": mutant.line, "function": mutant.function, "call": mutant.callee,
                "kind": mutant.kind, "path": "error" if self.coverage.on_error_path(self.site_of[mutant.id]) else "normal",
                "build_id": self.build_id, "class": "not run", "executed": 0}

    def try_mutant(self, mutant, tree):
        """Builds, runs and judges one, under one workload after the other until it is detected; its row."""
        row, began = self.row_begun(mutant), time.monotonic()
        kernel = tree.folder / "mutant.elf"
        for number, workload in enumerate(self.coverage.choose(self.site_of[mutant.id], mutant.kind)):
            if number == 0:
                try:
                    tree.build_with({mutant.file: mutate.mutated(self.sources[mutant.file].text, mutant)}, kernel)
                except RuntimeError as error:
                    return {**row, "class": "no build", "reason": str(error).splitlines()[-2][:200]}
            row.update(self.run_mutant(mutant, workload, kernel))
            if row["class"] != "missed":
                break
        row["seconds"] = f"{time.monotonic() - began:.1f}"
        return row

    def run_mutant(self, mutant, workload, kernel):
        """One boot; the columns that it decides."""
        run = self.runs / mutant.id
        end = record(run, workload, kernel, int(LIMIT + LIMIT_TIMES * self.coverage.seconds[workload.name]))
        compress(run / "kernel/pagetrail.elf")
        row = {"id": mutant.id, "function": mutant.function, "workload": workload.name, "end": end["end"],
               "executed": self.coverage.executed(self.site_of[mutant.id], workload.name), "guest_status": end["guest_status"]}
        return {**row, **self.judge_run(row, self.clean_run(workload))}

    def judge_run(self, row, baseline):
        """The columns that come from the report: with a baseline, as one reads it; with what that says of events alone; without one."""
        run = self.runs / row["id"]
        verdicts = []
        for options in (("--baseline", baseline), ("--baseline", baseline.with_suffix(".codeless")), ()):
            try:
                answer = ask(run, *options)
            except AssertionError as error:  # the tool crashed: that is no detection, and no reason to stop
                verdicts.append({"class": "missed", "suspect": "", "rule": "", "detected": "-", "reason": str(error)[:200]})
                continue
            if baseline in options:
                (run / "leaks.json").write_text(json.dumps(answer, indent=1))
            verdicts.append(judge.judge(row["id"], row["function"], answer, row["end"], self.graph, self.equivalent))
        return {**verdicts[0], **{f"{column}_{key}": verdict[key] for column, verdict in zip(table.BESIDE, verdicts[1:])
                                  for key in table.OF_EACH}}

    def judge_again(self, only):
        """The recorded runs by today's tools; the rows are written again."""
        self.graph = json.loads((self.out / "calls.json").read_text())
        rows = table.read_rows(self.csv)
        recorded = [row for row in rows.values() if is_asked_for(row["id"], only) and (self.runs / row["id"] / "run.json").exists()]
        with ThreadPoolExecutor(self.jobs) as pool:
            judged = pool.map(lambda row: self.judge_run(row, self.baseline_of(row["workload"])), recorded)
            for row, verdict in zip(recorded, judged):
                row.update(verdict)
        table.write_rows(self.csv, rows.values())
        return rows


    def ask_why(self, number, only, judge_again):
        """The rows that leaked, in the order of a sample, each once; what `why` said of those that are known is kept."""
        self.graph = json.loads((self.out / "calls.json").read_text())
        file, every = self.out / "why.csv", workloads.all_workloads()
        rows = table.read_rows(self.csv)
        leaked = [row for row in rows.values() if row["detected"] == "leaks" and is_asked_for(row["id"], only)
                  and not needs_virtio(every[row["workload"]].mem)]
        leaked.sort(key=lambda row: place(row["id"]))
        known = why.read_rows(file)
        chosen = leaked[:number] if number else leaked
        if judge_again:
            chosen = [row for row in chosen if row["id"] in known]
            file.unlink(missing_ok=True)

        def one(row):
            began, run = time.monotonic(), self.out / "why" / row["id"]
            if not judge_again:
                self.record_again(run, every[row["workload"]], self.runs / row["id"] / "kernel/pagetrail.elf")
            said = why.why_row(row, run, self.graph, self.baseline_of(row["workload"]), judge_again)
            shutil.rmtree(run / "why/trace", ignore_errors=True)
            said["seconds"] = f"{time.monotonic() - began:.0f}"
            with self.lock:
                why.append_row(file, said)
                say(f"{said['id']:44} " + "   ".join(f"{view} {said.get(f'{view}_class', '-'):9} {said.get(f'{view}_suspect') or '-':24}"
                                                    for view in why.VIEWS))

        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(one, [row for row in chosen if judge_again or row["id"] not in known]))
        ids = {row["id"] for row in chosen}
        return why.summary([row for row in why.read_rows(file).values() if row["id"] in ids],
                           rows.values() if not (number or only) else [row for row in rows.values() if row["id"] in ids])

    def record_again(self, run, workload, kernel):
        """A run that can be repeated; it stays, to be judged again."""
        record(run, workload, kernel, why.LIMIT, again=True)
        compress(run / "kernel/pagetrail.elf")


def place(mutant_id):
    """A hash of the id gives the order: every beginning of it is a sample."""
    return hashlib.sha1(mutant_id.encode()).digest()


def without_code(baseline):
    """The text of a baseline without what it says of the code: what is left is known of a leak that every build has, too."""
    lines = baseline.splitlines()
    kept = [line for line in lines[:-1] if line[:2] not in ("c ", "s ")]
    return "\n".join([*kept, f"end {int(lines[-1].split()[1]) - (len(lines) - 1 - len(kept))}", ""])


def say(text):
    print(text, flush=True)


def is_asked_for(mutant_id, only):
    """Whether one of the patterns, with commas between them, fits; all do where there is none."""
    return not only or any(fnmatch.fnmatchcase(mutant_id, pattern) for pattern in only.split(","))


def in_order(mutants, number, only):
    """The chosen ones, in the order of samples."""
    chosen = [mutant for mutant in mutants if is_asked_for(mutant.id, only)]
    chosen.sort(key=lambda mutant: place(mutant.id))
    return chosen[:number] if number else chosen


class Crew:
    """Workers, each with a tree; they take mutants from one queue."""

    def __init__(self, measure, todo, jobs):
        self.measure, self.total, self.done, self.began = measure, len(todo), 0, time.monotonic()
        self.todo, self.failed = queue.SimpleQueue(), []
        for mutant in todo:
            self.todo.put(mutant)
        self.trees = scratch.worker_trees(measure.base, min(jobs, max(1, len(todo))))

    def work(self, tree):
        while not self.failed:
            try:
                mutant = self.todo.get_nowait()
            except queue.Empty:
                return
            try:
                self.finish(self.measure.try_mutant(mutant, tree))
            except BaseException as error:  # noqa: BLE001 (said by run, in the main thread)
                self.failed.append((mutant.id, error))

    def finish(self, row):
        with self.measure.lock:
            table.append_row(self.measure.csv, row)
            self.done += 1
            left = (time.monotonic() - self.began) / self.done * (self.total - self.done) / 60
            say(f"[{self.done:3}/{self.total}] {row['id']:44} {row.get('detected') or '-':8}{row['class']:8} "
                f"{row.get('suspect') or '-':26} {row.get('seconds') or 0:>5} s, {left:.0f} min left")

    def run(self):
        threads = [threading.Thread(target=self.work, args=(tree,), daemon=True) for tree in self.trees]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failed:
            mutant, error = self.failed[0]
            raise RuntimeError(f"{mutant}: {error}") from error


def main():
    parser = argparse.ArgumentParser(prog="make mutants", description="changes releases, and looks whether it is found")
    parser.add_argument("--out", default=paths.BUILD / "mutants", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--why", action="store_true")
    options = parser.parse_args()
    measure = Measure(options.out, options.jobs)
    if options.why:
        say(measure.ask_why(options.number, options.only, options.judge))
        return 0
    if options.judge:
        rows = measure.judge_again(options.only)
    else:
        measure.prepare()
        chosen = in_order(measure.mutants, options.number, options.only)
        known = table.read_rows(measure.csv)
        todo = [mutant for mutant in chosen
                if known.get(mutant.id, {}).get("build_id") != measure.build_id]
        say(f"{len(chosen)} mutants, {len(chosen) - len(todo)} of them known")
        Crew(measure, todo, options.jobs).run()
        rows = {row_id: row for row_id, row in table.read_rows(measure.csv).items()
                if row_id in {mutant.id for mutant in chosen}}
    text = table.summary(rows.values())
    (measure.out / "table.md").write_text(text + "\n")
    say("\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
