# SPDX-License-Identifier: MIT
"""`make clean-runs` itself: what it runs, that it stays silent of what is clean, and that it notices what is not."""
import dataclasses

import pytest

import clean_plan
import clean_runs
from clean_plan import COMMAND, KILLED, SHAPES, TYPED, Run

NUMBER, SEED = 200, 1
CLEAN = {"verdict": "no leaks", "groups": [], "findings": [], "candidates": [], "events_discarded": 0, "uncertain": None, "events": 9}
CUT_OFF = {**CLEAN, "verdict": "cannot tell", "uncertain": "the machine was stopped before its end"}
FORKTEST = Run(1, "forktest", ("forktest 20",), 2, "8M", virtio=True)


@pytest.fixture(scope="module")
def tests(tmp_path_factory):
    return clean_runs.tests_of_programs(tmp_path_factory.mktemp("lists"))


def test_the_plan(tests):
    """Every test of usertests and every scenario on each shape; the same each time; a smaller one is its beginning."""
    runs = clean_plan.plan(tests, SEED, NUMBER)
    assert len(tests["usertests"]) > 100 and len(tests["failsweep"]) > 80
    assert runs == clean_plan.plan(tests, SEED, NUMBER) != clean_plan.plan(tests, SEED + 1, NUMBER)
    assert runs[:20] == clean_plan.plan(tests, SEED, 20)
    assert [run.number for run in clean_plan.plan(tests, SEED, NUMBER + 50)] == list(range(1, NUMBER + 51))
    assert sum(times for *_, times in clean_plan.one_pass(tests, clean_plan.random.Random(SEED))) == NUMBER
    for program, names in tests.items():
        for shape in SHAPES:
            run_there = [word for run in runs if run.program == program and (run.smp, run.mem) == shape
                         for word in run.words[0].split()[1:]]
            assert sorted(run_there) == sorted(names), (program, shape)
    assert {run.end for run in runs} == {COMMAND, TYPED, KILLED}


@pytest.mark.parametrize("answer, status, run, words", [
    (CLEAN, 0, FORKTEST, ""),
    (CUT_OFF, 2, dataclasses.replace(FORKTEST, end=KILLED), ""),
    (CLEAN, 1, FORKTEST, "status 1"),
    ({**CLEAN, "groups": [{}]}, 0, FORKTEST, "1 groups"),
    ({**CLEAN, "findings": [{}, {}]}, 0, FORKTEST, "2 findings"),
    ({**CLEAN, "candidates": [{}]}, 0, FORKTEST, "1 candidates"),
    ({**CLEAN, "events_discarded": 3}, 0, FORKTEST, "3 events discarded"),
    (CUT_OFF, 0, FORKTEST, "cannot tell: the machine was stopped"),
    (CLEAN, 0, dataclasses.replace(FORKTEST, end=KILLED), "the verdict is no leaks"),
    ({**CUT_OFF, "groups": [{}]}, 2, dataclasses.replace(FORKTEST, end=KILLED), "1 groups"),
])
def test_what_is_clean(answer, status, run, words):
    wrong = clean_runs.what_is_wrong(run, status, answer)
    assert words in wrong and bool(words) == bool(wrong)


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    return clean_runs.Machines(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("run", [
    FORKTEST,
    Run(2, "shell session", ("echo one", "sleep 100000 &", "ps", "exit"), 2, "128M", TYPED),
    Run(3, "QEMU killed", (clean_plan.BUSY[0] + "sleep 100000",), 1, "128M", KILLED, after=0.5),  # it never ends by itself
    Run(4, "power-off at work", (clean_plan.BUSY[1] + "sleep 1; poweroff",), 4, "128M"),
    Run(5, "xv6 programs", ("cd / && /xv6check now",), 1, "128M", xv6=True),
], ids=lambda run: run.program)
def test_clean(machines, run):
    row = clean_runs.do_run(machines, run)
    assert row["wrong"] == "" and row["events"] > 100, row
    assert not (machines.folder / str(run.number)).exists()


def test_a_leak_is_not_clean(machines):
    row = clean_runs.do_run(machines, Run(6, "leakdemo", ("leakdemo 3 keep; exit 0",), 2, "128M"))
    assert "1 groups" in row["wrong"] and "status 1" in row["wrong"] and row["verdict"] == "leaked", row
    assert (machines.folder / "6/trace").is_dir()


def test_it_goes_on_where_it_was(tmp_path, capsys):
    other = Run(2, "true", ("true",), 1, "128M")
    first = clean_runs.run_all(tmp_path, [FORKTEST], 1, SEED, 2)
    both = clean_runs.run_all(tmp_path, [FORKTEST, other], 1, SEED, 2)
    assert "2 runs, 1 of them known" in capsys.readouterr().out
    assert both[0]["seconds"] == first[0]["seconds"] and len(clean_runs.read_rows(tmp_path / "runs.csv", clean_runs.build_of(), SEED)) == 2
    assert clean_runs.table(both)[-1].split()[:5] == ["all", "2", "2", "0", "0"]
