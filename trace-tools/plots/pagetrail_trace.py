"""Reads a run folder into numpy arrays, without copying more than what is asked for.

The record layout is not retyped here: field offsets come from pagetrail_tables.py, which the build generates from
the kernel's tables.
"""
import json
import os
import re
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import pagetrail_tables as tables  # noqa: E402  (found through the line above)

HEADER_BYTES = struct.calcsize(tables.PACKET_HEADER)
RECORD = np.dtype([("time", "<u8"), ("event", "<u2"), ("flags", "u1"), ("kind", "u1"), ("stack", "<u4"),
                   ("payload", "V16")])


def _layout_dtype(layout):
    fmt, names = tables.LAYOUTS[layout]
    types = {"H": "<u2", "I": "<u4"}
    fields, text = [], re.findall(r"(\d*)([HIs])", fmt.lstrip("<"))
    for name, (count, code) in zip(names, text):
        fields.append((name, f"S{count}" if code == "s" else types[code]))
    return np.dtype([("time", "<u8"), ("event", "<u2"), ("flags", "u1"), ("kind", "u1"), ("stack", "<u4")] + fields)


def _packets(path):
    """The records of each packet of a file, in order; stops at the first that is no packet."""
    data = np.memmap(path, dtype=np.uint8, mode="r") if os.path.getsize(path) else np.zeros(0, np.uint8)
    offset = 0
    while offset + HEADER_BYTES <= len(data):
        header = struct.unpack(tables.PACKET_HEADER, data[offset:offset + HEADER_BYTES].tobytes())
        magic, size, content = header[0], header[3] // 8, header[4] // 8
        if magic != tables.MAGIC or size < HEADER_BYTES or content < HEADER_BYTES:
            return
        end = min(offset + content, len(data))
        nr = (end - offset - HEADER_BYTES) // RECORD.itemsize
        yield data[offset + HEADER_BYTES:offset + HEADER_BYTES + nr * RECORD.itemsize].view(RECORD)
        offset += size


class Trace:
    """All records of a run, as `records` (unordered between harts)."""

    def __init__(self, folder):
        self.folder = folder
        inner = os.path.join(folder, "trace")
        where = inner if os.path.isdir(inner) else folder
        names = sorted(n for n in os.listdir(where) if re.fullmatch(r"hart\d+", n))
        if not names:
            raise SystemExit(f"{folder}: not a run folder: there is no trace/hart0 in it")
        parts = [p for n in names for p in _packets(os.path.join(where, n)) if len(p)]
        self.records = np.concatenate(parts) if parts else np.zeros(0, RECORD)

    def events(self, *names):
        """The records of these events (all of one layout) by time, with the fields of their payload."""
        layouts = {tables.EVENTS[n][1] for n in names}
        assert len(layouts) == 1, "events of one call have one layout"
        wanted = np.isin(self.records["event"], [tables.EVENTS[n][0] for n in names])
        found = self.records[wanted].view(_layout_dtype(layouts.pop()))
        return found[np.argsort(found["time"], kind="stable")]

    def describe(self):
        """What run.json says, or {}."""
        try:
            with open(os.path.join(self.folder, "run.json"), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return {}


def seconds(times):
    return np.asarray(times, dtype=np.float64) / tables.TIME_HZ
