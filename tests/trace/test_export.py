# SPDX-License-Identifier: MIT
"""What `pagetrail export` writes, read back by other readers: json, csv, sqlite3, and a protobuf reader of our own."""
import collections
import csv
import json
import sqlite3

import pytest
from test_leaks import Kernel, fault_5
from harness.tool import CANNOT_TELL, OK


@pytest.fixture
def run(sites, write):
    """A run with one test in which ten page-cache references were lost, and the machine behind it."""
    kernel = Kernel(sites)
    fault_5(kernel)
    kernel.machine.sample()
    return write(kernel.machine), kernel.machine


def export(pagetrail, run, form, out=None, status=OK):
    done = pagetrail("export", f"--{form}", run, *(["-o", out] if out else []))
    assert done.status == status, done.err
    return done


def collapsed(pagetrail, run, *options):
    done = pagetrail("export", "--collapsed", run, *options)
    assert done.status == OK, done.err
    return {stack: int(nr) for stack, nr in (line.rsplit(" ", 1) for line in done.out.splitlines())}


def test_collapsed_adds_up_to_the_live_pages(pagetrail, run):
    folder, machine = run
    stacks = collapsed(pagetrail, folder)
    assert sum(stacks.values()) == sum(1 << page.order for page in machine.pages.values()) > 0
    assert any(stack.startswith("upcall_syscall;") for stack in stacks), "outermost first"
    total = collapsed(pagetrail, folder, "--by", "total")
    assert sum(total.values()) == pagetrail("summary", folder, "--json").json()["by_event"]["page_alloc"]


def test_speedscope_has_the_fields_of_its_schema(pagetrail, run, tmp_path):
    folder, machine = run
    export(pagetrail, folder, "speedscope", tmp_path / "s.json")
    file = json.loads((tmp_path / "s.json").read_text())
    assert set(file) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = file["shared"]["frames"]
    for frame in frames:
        assert isinstance(frame["name"], str) and set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame.get("line", 0), int) and isinstance(frame.get("file", ""), str)
    assert len({json.dumps(f, sort_keys=True) for f in frames}) == len(frames)
    assert 0 <= file["activeProfileIndex"] < len(file["profiles"])
    for profile in file["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert profile["type"] == "sampled"
        assert profile["unit"] in {"bytes", "none", "microseconds", "milliseconds", "nanoseconds", "seconds"}
        assert len(profile["samples"]) == len(profile["weights"])
        assert all(0 <= i < len(frames) for sample in profile["samples"] for i in sample)
        assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"]
    live = file["profiles"][0]
    assert live["endValue"] == 4096 * len(machine.pages)
    assert frames[live["samples"][0][0]]["name"] == "upcall_syscall"


def test_csv_has_a_line_for_each_event(pagetrail, run):
    folder, machine = run
    rows = list(csv.DictReader(export(pagetrail, folder, "csv").out.splitlines()))
    assert len(rows) == machine.nr_events
    times = [float(row["time"]) for row in rows]
    assert times == sorted(times)
    allocs = [row for row in rows if row["event"] == "page_alloc"]
    assert allocs[0]["subject"] == "pagecache" and allocs[0]["kind"] == "cache" and allocs[0]["before"] == "0"
    assert allocs[0]["function"] == "ext2_file_write" or allocs[0]["function"] == "lookup"
    assert [row["name"] for row in rows if row["event"] == "mark"] == ["write-read"] * 2
    assert all(row["pfn"] == "" for row in rows if row["event"] == "mark")


def test_sqlite_answers_questions(pagetrail, run, tmp_path):
    folder, machine = run
    export(pagetrail, folder, "sqlite", tmp_path / "run.db")
    db = sqlite3.connect(tmp_path / "run.db")
    ask = lambda sql: db.execute(sql).fetchall()
    assert {name for name, in ask("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
        "meta", "stacks", "frames", "events", "tests", "findings"}
    assert ask("SELECT count(*) FROM events") == [(machine.nr_events,)]
    report = pagetrail("leaks", folder, "--json").json()
    assert ask("SELECT count(*) FROM findings") == [(sum(len(g["items"]) for g in report["groups"]),)]
    assert ask("SELECT DISTINCT suspect FROM findings") == [(report["groups"][0]["missing_release"]["suspect"],)]
    # The history of a lost page, with the functions that acted.
    pfn = report["groups"][0]["items"][0]["pfn"]
    acts = ask(f"SELECT event, function FROM events JOIN stacks ON stacks.id = stack WHERE pfn = {pfn} ORDER BY time_ns")
    assert acts[0][0] == "page_alloc" and "inode_read_cached" in {f for (f,) in ask("SELECT function FROM frames")}
    assert ask("SELECT name, findings FROM tests")[0][0] == "write-read"
    assert ask("PRAGMA integrity_check") == [("ok",)]


def test_an_older_export_is_replaced(pagetrail, run, tmp_path):
    folder, _ = run
    for _ in range(2):
        export(pagetrail, folder, "sqlite", tmp_path / "run.db")
    assert not (tmp_path / "run.db.part").exists()


# ---- perfetto ----

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """[(field number, int or bytes)] of one message."""
    at, out = 0, []
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            assert key & 7 == 2, f"wire type {key & 7}"
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size
        out.append((key >> 3, value))
    return out


def test_perfetto_packets(pagetrail, run, tmp_path):
    folder, machine = run
    export(pagetrail, folder, "perfetto", tmp_path / "run.pf")
    packets = []
    for number, packet in fields((tmp_path / "run.pf").read_bytes()):
        assert number == 1
        packets.append(dict(fields(packet)))
    assert packets[0][13] == 1 and all(packet[10] == 1 for packet in packets)
    tracks = {}
    for packet in packets:
        if 60 in packet:
            track = dict(fields(packet[60]))
            tracks[track[1]] = track[2].decode()
            assert track[1] == 1 or track[5] == 1, "all tracks hang on one"
    counters, begins, ends, instants = collections.defaultdict(list), [], 0, []
    for packet in packets:
        if 11 not in packet:
            continue
        event = dict(fields(packet[11]))
        assert event[11] in tracks
        if event[9] == 4:
            counters[tracks[event[11]]].append((packet[8], event[30]))
        elif event[9] == 1:
            begins.append((tracks[event[11]], event[23].decode()))
        elif event[9] == 2:
            ends += 1
        else:
            assert event[9] == 3
            notes = [dict(fields(value)) for number, value in fields(packet[11]) if number == 4]
            instants.append((event[23].decode(), {n[10].decode(): n.get(6, b"").decode() or n.get(3) for n in notes}))
    assert begins == [("tests", "write-read")] and ends == 1
    assert max(counters["free"])[1] == len(machine.free_pfns)
    assert max(counters["pagecache"])[1] == len(machine.pages)
    report = pagetrail("leaks", folder, "--json").json()
    assert len(instants) == sum(len(g["items"]) for g in report["groups"])
    name, notes = instants[0]
    assert name == "leaked: pagecache page" and "inode_read_cached" in notes["acquired by"]
    assert notes["suspect"] == report["groups"][0]["missing_release"]["suspect"]


# ---- usage, losses, empty runs ----

@pytest.mark.parametrize("words,said", [
    ([], "which format"), (["--csv", "--collapsed"], "not both"), (["--sqlite"], "needs -o"), (["--csv", "--by", "peak"],
     "belongs to"), (["--collapsed", "--by", "size"], "live, peak or total")])
def test_bad_usage(pagetrail, run, words, said):
    done = pagetrail("export", *words, run[0])
    assert done.status == CANNOT_TELL and said in done.err


@pytest.mark.parametrize("form", ["collapsed", "speedscope", "csv", "sqlite", "perfetto"])
def test_losses_are_said_and_an_empty_run_is_written(pagetrail, sites, write, tmp_path, form):
    kernel = Kernel(sites)
    run = write(kernel.machine, "small")
    export(pagetrail, run, form, tmp_path / "small.out")
    kernel.machine.streams[0].discard(3)
    run = write(kernel.machine, "lossy")
    done = export(pagetrail, run, form, tmp_path / "lossy.out", CANNOT_TELL)
    assert "3 events were discarded" in done.err and (tmp_path / "lossy.out").exists()
