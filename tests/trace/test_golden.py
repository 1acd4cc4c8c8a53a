# SPDX-License-Identifier: MIT
"""The recorded runs of traces/: every command says what it said; `make golden-update` accepts a change."""
import difflib
import re
import struct

import golden
import pytest
from harness.tool import CANNOT_TELL, babeltrace_says, run_tool, summary_total


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    golden.unpack(folder)
    return folder


def test_unpacking_replaces_a_run_of_the_same_name(tmp_path):
    """A file of another run among these would be taken for damage, or for a hart of this one."""
    stray, other = tmp_path / "fault-05/trace/hart7", tmp_path / "demo/run.json"
    for file in (stray, other):
        file.parent.mkdir(parents=True)
        file.write_text("another run's")
    golden.unpack(tmp_path)
    assert not stray.exists() and other.exists() and (tmp_path / "fault-05/trace/hart0").stat().st_size > 0


@pytest.mark.parametrize("name", golden.RUNS)
def test_commands_say_what_they_said(recorded, name):
    asked = golden.commands(name)
    assert {file.stem for file in (golden.EXPECTED / name).glob("*.txt")} == set(asked)
    for file, words in asked.items():
        expected, said = (golden.EXPECTED / name / f"{file}.txt").read_text(), golden.said(recorded, words)
        changes = list(difflib.unified_diff(expected.splitlines(), said.splitlines(), "expected", "said", lineterm=""))
        assert not changes, "\n".join(changes[:60] + ["`make golden-update` accepts this"])


@pytest.mark.parametrize("name", golden.RUNS)
def test_babeltrace_opens_them(pagetrail, recorded, name):
    """And it agrees on what is missing."""
    summary = pagetrail("summary", recorded / name)
    discarded = re.search(r"LOSS: (\d+) events were discarded", summary.out)
    lines, complaint = babeltrace_says(recorded / name)
    assert len(lines) == summary_total(summary)
    assert sum(map(int, re.findall(r"Tracer discarded (\d+) events", complaint))) == int(discarded.group(1) if discarded else 0)
    assert bool(complaint) == bool(discarded)


def test_they_hold_what_their_names_say(pagetrail, recorded):
    summaries = {name: pagetrail("summary", recorded / name, "--json").json() for name in golden.RUNS}
    assert summaries["discards"]["events_discarded"] > 0 and summaries["overwritten"]["beginning_missing"]
    assert [name for name, s in summaries.items() if not s["complete"]] == ["discards", "overwritten"]
    for number, what in ("05", "page"), ("07", "object"):
        groups = pagetrail("leaks", recorded / f"fault-{number}", "--json").json()["groups"]
        assert groups and {group["what"] for group in groups} == {what}
    # Killed inside a packet: the last one of each hart is shorter than those before it.
    for file in (recorded / "killed/trace").glob("hart*"):
        data, sizes = file.read_bytes(), []
        while sum(sizes) < len(data):
            sizes.append(struct.unpack_from("<Q", data, sum(sizes) + 8)[0] // 8)
        assert sizes[-1] < sizes[0]


@pytest.mark.parametrize("name", [name for name in golden.RUNS if name not in ("discards", "overwritten")])
def test_commands_agree_on_what_is_held(pagetrail, recorded, name):
    """The replay, the sums of `live` and `diff`, and the counts of `top`, which replays nothing."""
    run = recorded / name
    summary, top = (pagetrail(command, run, "--json").json() for command in ("summary", "top"))
    assert top["events"] == summary["events"]
    if name == "cow":  # a watched run: its pages have no kinds
        assert (top["kinds"], top["held_pages"]) == ({}, sum(summary["live_pages"].values()))
    else:
        assert (top["kinds"], top["free_pages"]) == (summary["live_pages"], summary["free_pages"])
    pages, objects = sum(summary["live_pages"].values()), summary["live_objects"]
    for by in ("kind", "stack"):
        rows = pagetrail("live", run, "--by", by, "--json").json()["rows"]
        assert (sum(row["pages"] for row in rows), sum(row["objects"] for row in rows)) == (pages, objects)
    rows = pagetrail("diff", run, "--from", "start", "--all", "--json").json()["stacks"]
    assert (sum(row["b"]["pages"] for row in rows), sum(row["b"]["objects"] for row in rows)) == (pages, objects)
    same = pagetrail("diff", run, run, "--json").json()
    assert same["stacks_that_differ"] == 0 and same["verdict"] == ("same" if name not in ("killed", "panic") else "cannot tell")


def test_functions_and_lines_are_in_the_archive(recorded):
    for name in golden.RUNS:
        text = (golden.EXPECTED / name / "stacks.txt").read_text()
        assert re.search(r" (kernel|tests/foreign)/\w+/\w+\.c:\d+$", text, re.M) and "0xffffffc0" not in text


def test_a_changed_word_is_noticed(recorded, tmp_path):
    """The comparison can fail."""
    said = golden.said(recorded, golden.commands("clean")["summary"])
    hart0 = recorded / "clean/trace/hart0"
    data = hart0.read_bytes()
    try:
        hart0.write_bytes(data[:-32])
        assert golden.said(recorded, golden.commands("clean")["summary"]) != said
        assert run_tool(golden.paths.PAGETRAIL, "summary", recorded / "clean").status == CANNOT_TELL
    finally:
        hart0.write_bytes(data)
