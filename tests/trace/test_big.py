# SPDX-License-Identifier: MIT
"""Long runs: a recorded one multiplied is consistent, and what reading it takes does not grow with its events.

How fast it is read, `make bench` says.
"""
import golden
import pytest
from multiply import multiply
from harness.tool import OK, babeltrace, measure, summary_total

SHORT, LONG = 150_000, 600_000


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{events wanted: (run folder, events)}"""
    folder = tmp_path_factory.mktemp("big")
    golden.unpack(folder)
    return {events: (folder / str(events), multiply(folder / "clean", folder / str(events), events)) for events in (SHORT, LONG)}


def test_a_multiplied_run_is_one(pagetrail, runs):
    """The replay finds nothing that could not have been: not a page taken twice, put too often, or left over."""
    folder, events = runs[SHORT]
    summary = pagetrail("summary", folder, "--json").json()
    assert summary["events"] == events >= SHORT and summary["complete"] and summary["out_of_order"] == 0
    once = pagetrail("summary", folder.parent / "clean", "--json").json()
    assert all(summary[what] == once[what] for what in ("live_pages", "live_objects", "open_references", "free_pages"))
    leaks = pagetrail("leaks", folder)
    assert leaks.status == OK and "no leaks" in leaks.out
    assert len(babeltrace(folder)) == summary_total(pagetrail("summary", folder))


def peak_kib(words):
    status, _, peak, _ = measure(*words)
    assert status == OK
    return peak


@pytest.mark.parametrize("words", ["leaks RUN", "summary RUN", "stacks RUN", "live RUN --by pid", "diff RUN --from start",
                                   "top RUN --once", "export --collapsed RUN", "report RUN -o /dev/null", f"page RUN {golden.PAGES['clean']}"])
def test_memory_does_not_grow_with_events(runs, words):
    """Four times the events, 14 MB more to read, hardly more memory: pages and stacks are the same."""
    short, long = (peak_kib([runs[events][0] if word == "RUN" else word for word in words.split()])
                   for events in (SHORT, LONG))
    assert long < short + 4096, f"{short} KiB with {SHORT} events, {long} KiB with {LONG}"


def test_the_report_stays_small(pagetrail, runs, tmp_path):
    done = pagetrail("report", runs[LONG][0], "-o", tmp_path / "report.html")
    assert done.status == OK and (tmp_path / "report.html").stat().st_size < 5_000_000
