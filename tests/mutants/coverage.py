# SPDX-License-Identifier: MIT
"""Which workload executes which release: counted once for a kernel, and kept.

The kernel is built with a counter at every call that a mutant may change (`mutant_hits`, one word each, atomic). Each
workload runs on it once; after the power-off the counters are read from the machine's memory. A mutant is then tried where its
call is executed, and a call that no workload executes is not tried at all.

The choice of a workload (choose) prefers the ordinary to the refusing, then enough executions, then the quickest:
a release that a workload makes three times leaves a report nothing to compare with. A call that is executed may still have
had nothing to release (a walk that ended well holds nothing), so a mutant that is not detected is tried under the next best, too.
"""
import json
import time
from concurrent.futures import ThreadPoolExecutor

from harness import elf
from harness.machine import Machine

import mutate
import scratch

LIMIT = 240
# Executions beyond which more say nothing new. A refusing workload waits a second for each page that is missing.
ENOUGH = {False: 64, True: 4}
# Workloads under which a mutant must stay undetected before it counts as missed.
TRIES = 6
EVERY_NEEDED = 2 * mutate.EVERY


class Coverage:
    """hits: {workload: {site: executions}}; seconds: {workload: of its run}."""

    def __init__(self, hits, seconds, workloads):
        self.hits, self.seconds, self.workloads = hits, seconds, workloads

    def executed(self, site, workload):
        return self.hits.get(workload, {}).get(site, 0)

    def on_error_path(self, site):
        """Whether only refusing workloads execute it."""
        ran = {self.workloads[name].refusing for name in self.hits if self.executed(site, name)}
        return ran == {True}

    def choose(self, site, kind):
        """The workloads to try a mutant with, best first; []: none executes it often enough."""
        needed = EVERY_NEEDED if kind in ("eighth", "early") else 1
        able = [name for name in self.hits if self.executed(site, name) >= needed]
        return [self.workloads[name] for name in sorted(able, key=lambda name: self._cost(site, name))[:TRIES]]

    def _cost(self, site, name):
        refusing = self.workloads[name].refusing
        return refusing, -min(self.executed(site, name), ENOUGH[refusing]), self.seconds[name], name


def build_counting(tree, sources, sites, kernel):
    """The kernel with the counters."""
    by_file = {}
    for number, (_, source, _, call) in enumerate(sites):
        by_file.setdefault(source.path, []).append((call, number))
    changes = {path: mutate.counted(sources[path], numbered) for path, numbered in by_file.items()}
    first = min(changes)
    changes[first] += b"\nunsigned long mutant_hits[%d];\n" % len(sites)
    return tree.build_with(changes, kernel)


def run_counting(kernel, workload, sites, folder):
    """Runs one workload; ({site: executions}, seconds)."""
    began = time.monotonic()
    with Machine(folder / workload.name, smp=workload.smp, mem=workload.mem, run=workload.words, limit=LIMIT,
                 kernel=kernel) as machine:
        status = machine.wait(LIMIT)
        if status:
            raise RuntimeError(f"workload {workload.name}: status {status} on the unchanged kernel\n" + machine.console[-3000:])
        table = machine.read_pa(elf.symbol_pa(kernel, "mutant_hits"), 8 * len(sites))
    counts = [int.from_bytes(table[i * 8:i * 8 + 8], "little") for i in range(len(sites))]
    return {site[0]: n for site, n in zip(sites, counts) if n}, time.monotonic() - began


def measure(tree, sources, sites, workloads, out, jobs, say):
    """The Coverage of this kernel, from OUT/coverage.json if that is of the same kernel and workloads."""
    kept = out / "coverage.json"
    identity = {"build_id": scratch.build_id(tree), "sites": [site[0] for site in sites],
                "workloads": {w.name: [w.words, w.mem, w.smp] for w in workloads.values()}}
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["identity"] == identity:
            return Coverage(known["hits"], known["seconds"], workloads)
    say(f"counting: {len(sites)} calls, {len(workloads)} workloads")
    kernel = build_counting(tree, sources, sites, out / "counting.elf")
    with ThreadPoolExecutor(jobs) as pool:
        results = dict(zip(workloads, pool.map(
            lambda workload: run_counting(kernel, workload, sites, out / "counting"), workloads.values())))
    hits = {name: result[0] for name, result in results.items()}
    seconds = {name: round(result[1], 2) for name, result in results.items()}
    kept.write_text(json.dumps({"identity": identity, "hits": hits, "seconds": seconds}, indent=0))
    return Coverage(hits, seconds, workloads)
