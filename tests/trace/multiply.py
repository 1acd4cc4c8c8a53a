#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A recorded run made as long as one likes, and still one that a machine could have recorded.

The run is kept as it is, up to the end of its last audit; then what happened between its first test and there happens
again and again, with times that go on; then the rest follows. In the repetitions only whole lives remain: those pages
and objects that were taken and given back in between, and whose place is free again at its end. So each repetition
leaves the books as it found them. Samples are left out there, since they count pages that are not repeated.

Usage: multiply.py RUN OUT EVENTS      RUN/trace to OUT/trace, with at least so many events
"""
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from harness import paths
    sys.path.insert(0, str(paths.BUILD / "trace-tools"))
import pagetrail_tables as tables  # noqa: E402 (the path above)
import tracegen  # noqa: E402

RECORD = np.dtype([("time", "<u8"), ("event", "<u2"), ("flags", "u1"), ("kind", "u1"), ("stack", "<u4"), ("where", "<u4"),
                   ("rest", "V12")])
PACKET_BYTES = 65536
PER_PACKET = (PACKET_BYTES - 64) // RECORD.itemsize
NUMBER = {name: number for name, (number, _) in tables.EVENTS.items()}
PAGE_EVENTS = [NUMBER[name] for name in ("page_alloc", "page_free", "page_get", "page_put", "page_kind")]
OBJECT_EVENTS = [NUMBER["obj_alloc"], NUMBER["obj_free"]]


def read_stream(file):
    """(records, the first packet's header as a list)"""
    data, at, parts, head = file.read_bytes(), 0, [], None
    while at < len(data):
        header = list(struct.unpack_from(tables.PACKET_HEADER, data, at))
        head = head or header
        size, content = header[3] // 8, header[4] // 8
        parts.append(np.frombuffer(data, RECORD, (content - 64) // RECORD.itemsize, at + 64))
        at += size
    return np.concatenate(parts), head


def write_stream(file, records, head):
    with open(file, "wb") as out:
        for sequence, start in enumerate(range(0, len(records), PER_PACKET)):
            body = records[start:start + PER_PACKET]
            bits = (64 + body.nbytes) * 8
            header = [*head[:3], bits, bits, int(body["time"][0]), int(body["time"][-1]), sequence, 0, *head[9:]]
            out.write(struct.pack(tables.PACKET_HEADER, *header) + body.tobytes())


def places(record):
    """The page frames of a page record, by its order; the one address of an object's."""
    order = int(record["flags"]) & 15 if record["event"] in PAGE_EVENTS else 0
    return range(int(record["where"]), int(record["where"]) + (1 << order))


def whole_lives(records, alloc, free, events, inside):
    """For records in order of time: a bool for each, whether it belongs to a life that begins and ends inside.

    events are the ids of the records meant; alloc and free begin and end a life at `where`. A place that is in use at
    the end of `inside` spoils each life that covered it.
    """
    open_lives, whole, used = {}, [], {}
    last = np.flatnonzero(inside)[-1]
    for i in np.flatnonzero(np.isin(records["event"][:last + 1], events)):
        record = records[i]
        where = int(record["where"])
        if record["event"] == alloc and inside[i]:
            open_lives[where] = [i]
        elif where in open_lives:
            open_lives[where].append(i)
            if record["event"] == free:
                whole.append(open_lives.pop(where))
        for place in places(record):
            used[place] = record["event"] != free
    keep = np.zeros(len(records), bool)
    for life in whole:
        if not any(used[place] for place in places(records[life[0]])):
            keep[life] = True
    return keep


def multiply(run, out, events):
    """Returns how many events OUT has."""
    (out / "trace").mkdir(parents=True)
    for name in ("metadata", "stacks"):
        shutil.copy(run / "trace" / name, out / "trace")
    if (run / "kernel").exists():
        shutil.copytree(run / "kernel", out / "kernel")
    streams = {file.name: read_stream(file) for file in sorted((run / "trace").glob("hart*"))}
    records = np.concatenate([records for records, _ in streams.values()])
    hart = np.repeat(np.arange(len(streams)), [len(records) for records, _ in streams.values()])
    order = np.argsort(records["time"], kind="stable")
    records, hart = records[order], hart[order]
    times = records["time"]
    begin = times[records["event"] == NUMBER["mark"]][0]
    end = times[records["event"] == NUMBER["audit_done"]][-1]
    inside = (times >= begin) & (times <= end)
    keep = inside & ~np.isin(records["event"], [*PAGE_EVENTS, *OBJECT_EVENTS, NUMBER["sample"], NUMBER["cache_info"]])
    keep |= whole_lives(records, NUMBER["page_alloc"], NUMBER["page_free"], PAGE_EVENTS, inside)
    keep |= whole_lives(records, NUMBER["obj_alloc"], NUMBER["obj_free"], OBJECT_EVENTS, inside)
    copies = max(0, -(-(events - len(records)) // max(1, int(keep.sum()))))
    span = int(end - begin) + 1
    total = 0
    for number, (name, (_, head)) in enumerate(streams.items()):
        mine = hart == number
        block = records[keep & mine]
        many = np.tile(block, copies)
        many["time"] += np.repeat(np.arange(1, copies + 1, dtype=np.uint64) * span, len(block))
        rest = records[mine & (times > end)].copy()
        rest["time"] += np.uint64(copies * span)
        long = np.concatenate([records[mine & (times <= end)], many, rest])
        write_stream(out / "trace" / name, long, head)
        total += len(long)
    tracegen.write_run_json(out)
    return total


if __name__ == "__main__":
    print(multiply(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])), "events")
