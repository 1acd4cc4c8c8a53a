# SPDX-License-Identifier: MIT
"""Twelve mutants, the same ones each time: what was found of them is found, and what was named is named.

sample.txt has a line for each: id, workload, and the class that it must reach at least (detected < near < exact; see judge.py). A
report that becomes better is no failure. The workload is written there, so that nothing need be counted.
"""
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.tool import OK, pagetrail

sys.path.insert(0, str(Path(__file__).resolve().parent))
import csource  # noqa: E402 (the path above)
import judge  # noqa: E402
import mutate  # noqa: E402
import run as driver  # noqa: E402
import scratch  # noqa: E402
import workloads  # noqa: E402

SAMPLE = Path(__file__).with_name("sample.txt")
# From worst to best. `detected` is any of those from `wrong` on.
ORDER = ("missed", "wrong", "none", "near", "exact")
LEAST = {"detected": "wrong"}
LIMIT = 60
JOBS = 2


def sample_lines():
    """[(id, workload, class)]"""
    lines = SAMPLE.read_text().splitlines()
    return [tuple(line.split()) for line in lines if line and not line.startswith("#")]


class Bench:
    """Two trees, and the answer of each mutant of the sample, all made at once."""

    def __init__(self, folder):
        self.folder = folder
        self.base = scratch.base_tree(folder)
        sources = self.sources = csource.read_kernel(self.base.folder, self.is_concerned)
        self.graph = csource.call_graph(sources)
        lists = mutate.read_functions()
        self.mutants = {mutant.id: mutant for site in mutate.sites(sources, lists)
                        for mutant in mutate.mutants_of_site(*site, lists)}
        self.trees = scratch.worker_trees(self.base, JOBS)

    @staticmethod
    def is_concerned(text):
        """Whether a file defines or calls a function of the sample."""
        names = {mutant_id.split(".")[0].split("-")[-1] for mutant_id, _, _ in sample_lines()}
        return re.search(rf"\b({'|'.join(names)})\(", text)

    def answer(self, mutant_id, workload, tree):
        """(parsed answer of leaks, how the machine ended)"""
        mutant, run = self.mutants[mutant_id], self.folder / "runs" / mutant_id
        kernel = tree.build_with({mutant.file: mutate.mutated(self.sources[mutant.file].text, mutant)}, tree.folder / "mutant.elf")
        end = driver.record(run, workloads.all_workloads()[workload], kernel, LIMIT)
        return driver.ask(run), end["end"]

    def answers(self):
        """{id: answer}, the half of the sample in each tree."""
        lines = sample_lines()

        def half(number):
            return {line[0]: self.answer(line[0], line[1], self.trees[number]) for line in lines[number::JOBS]
                    if line[0] in self.mutants}
        with ThreadPoolExecutor(JOBS) as pool:
            return {key: value for part in pool.map(half, range(JOBS)) for key, value in part.items()}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("mutants"))


@pytest.fixture(scope="module")
def answers(bench):
    return bench.answers()


@pytest.mark.parametrize("mutant_id, workload, least", sample_lines(), ids=[line[0] for line in sample_lines()])
def test_mutant_is_found_and_named(bench, answers, mutant_id, workload, least):
    assert mutant_id in bench.mutants, "the kernel has no such call any more: choose another for sample.txt"
    leaks, end = answers[mutant_id]
    row = judge.judge(mutant_id, bench.mutants[mutant_id].function, leaks, end, bench.graph, [])
    assert ORDER.index(row["class"]) >= ORDER.index(LEAST.get(least, least)), row


def test_the_unchanged_kernel_has_no_leaks(bench, tmp_path):
    """The same trees without a mutant: what the mutants show is theirs."""
    run = tmp_path / "run"
    kernel = bench.trees[0].build_with({}, bench.folder / "unchanged.elf")
    driver.record(run, workloads.all_workloads()[sample_lines()[0][1]], kernel, LIMIT)
    assert pagetrail("leaks", run).status == OK
    assert driver.ask(run)["groups"] == []
