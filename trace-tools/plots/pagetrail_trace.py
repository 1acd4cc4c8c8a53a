# SPDX-License-Identifier: MIT
"""Reads a run folder into numpy arrays, without copying more than what is asked for.

The record layout is not retyped here: field offsets come from pagetrail_tables.py, which the build generates from
the kernel's tables.
"""
import dataclasses
import json
import os
import re
import stat
import struct
import sys
import zlib

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import pagetrail_tables as tables  # noqa: E402  (found through the line above)

HEADER_BYTES = struct.calcsize(tables.PACKET_HEADER)
RECORD = np.dtype([("time", "<u8"), ("event", "<u2"), ("flags", "u1"), ("kind", "u1"), ("stack", "<u4"),
                   ("payload", "V16")])
PAGE_EVENTS = ("page_alloc", "page_free", "page_get", "page_put", "page_kind")
DRAWN_EVENTS = ("page_alloc", "page_free", "page_kind", "sample", "mark", "audit_done")  # what pictures are drawn from
FIRST_PFN, PAGES_MAX = 0x80000, 4 << 20  # what may be RAM


def _layout_dtype(layout):
    fmt, names = tables.LAYOUTS[layout]
    types = {"H": "<u2", "I": "<u4"}
    fields, text = [], re.findall(r"(\d*)([HIs])", fmt.lstrip("<"))
    for name, (count, code) in zip(names, text):
        fields.append((name, f"S{count}" if code == "s" else types[code]))
    return np.dtype([("time", "<u8"), ("event", "<u2"), ("flags", "u1"), ("kind", "u1"), ("stack", "<u4")] + fields)


PAGE_LAYOUT = _layout_dtype(tables.EVENTS["page_alloc"][1])


def _header(data, offset):
    """(size, content, end time) of the packet of events there, or None: no header can be like that."""
    words = struct.unpack(tables.PACKET_HEADER, data[offset:offset + HEADER_BYTES].tobytes())
    magic, stream, _, size, content, begin, end = words[:7]
    size, content = size // 8, content // 8
    believable = magic == tables.MAGIC and stream == 0 and HEADER_BYTES <= content <= size and size % 8 == 0 and begin <= end
    return (size, content, end) if believable else None


def _bytes_of(path):
    """A regular file's bytes, mapped; of anything else, and of what may not be read, none. It never waits."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            about = os.fstat(file.fileno())
            if stat.S_ISREG(about.st_mode) and about.st_size:
                return np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)  # its subclass is slow
    except IsADirectoryError:
        pass
    return np.zeros(0, np.uint8)


def _next_magic(data, offset):
    """Where behind `offset` a header may stand, or the end."""
    words = data[offset + 8:offset + 8 + (len(data) - offset - 8) // 8 * 8].view("<u8")
    found = np.flatnonzero((words & 0xFFFFFFFF) == tables.MAGIC)
    return offset + 8 + 8 * int(found[0]) if len(found) else len(data)


def _packets(path):
    """(records, latest time that they may have) of each packet of a file, in order; what is no packet is left out."""
    data, offset = _bytes_of(path), 0
    while offset + HEADER_BYTES <= len(data):
        header = _header(data, offset)
        if not header:
            offset = _next_magic(data, offset)
            continue
        size, content, end_time = header
        end = min(offset + content, len(data))
        nr = (end - offset - HEADER_BYTES) // RECORD.itemsize
        yield data[offset + HEADER_BYTES:offset + HEADER_BYTES + nr * RECORD.itemsize].view(RECORD), end_time
        offset += size


def _by_event(*names):
    """A table to be indexed with event numbers: True for these."""
    table = np.zeros(1 << 16, bool)
    table[[tables.EVENTS[name][0] for name in names]] = True
    return table


KNOWN, PAGES, DRAWN = _by_event(*tables.EVENTS), _by_event(*PAGE_EVENTS), _by_event(*DRAWN_EVENTS)


def _rows(records, chosen):
    """records[chosen], copied record by record and not field by field."""
    words = records.view("<u8").reshape(-1, RECORD.itemsize // 8)
    return words[chosen].reshape(-1).view(RECORD)


def _hart(path):
    """(the records of a hart that a picture is drawn from, how many there are of any event, the time of the last one).

    Left out is what cannot be, by the rules of the other commands, which say what that is: records later than their packet or
    earlier than one before them, unknown events, pages outside RAM. Each packet is gone through by itself, in the
    processor's caches.
    """
    kept, nr, latest = [], 0, 0
    for records, end_time in _packets(path):
        events, times = records["event"], np.ascontiguousarray(records["time"])
        pfns = records.view(PAGE_LAYOUT)["pfn"]
        possible = KNOWN[events] & ~(PAGES[events] & (pfns - FIRST_PFN >= PAGES_MAX))  # below FIRST_PFN it wraps
        if len(times) and (times[0] < latest or times[-1] > end_time or (times[1:] < times[:-1]).any()):
            timely = times <= end_time
            highest = np.maximum(np.maximum.accumulate(np.where(timely, times, 0)), latest)
            possible &= timely & (times == highest)
            latest = int(highest[-1])
        elif len(times):
            latest = int(times[-1])
        nr += int(possible.sum())
        kept.append(_rows(records, np.flatnonzero(possible & DRAWN[events])))
    return np.concatenate([np.zeros(0, RECORD), *kept]), nr, latest


@dataclasses.dataclass
class Chain:
    """What the headers of a hart's file say together, as the manifest in run.json has it."""
    packets: int = 0
    events: int = 0
    last_sequence: int = None
    headers_crc32: int = 0
    rest: int = 0  # bytes behind the last packet; below 0: so many of it are missing

    @classmethod
    def of_file(cls, path):
        data, offset, chain = _bytes_of(path), 0, cls()
        while offset + HEADER_BYTES <= len(data) and (header := _header(data, offset)):
            raw = data[offset:offset + HEADER_BYTES].tobytes()
            chain.packets += 1
            chain.events += (min(header[1], len(data) - offset) - HEADER_BYTES) // RECORD.itemsize
            chain.last_sequence = struct.unpack(tables.PACKET_HEADER, raw)[7]
            chain.headers_crc32 = zlib.crc32(raw, chain.headers_crc32)
            offset += header[0]
        chain.rest = len(data) - offset
        return chain


def _manifest_damage(folder, where, names):
    """[(file, what is wrong with it)] by the manifest of run.json."""
    path = os.path.join(folder, "run.json")
    if not os.path.lexists(path):
        return [("run.json", "is not there: the recording was interrupted")]
    try:
        about = json.loads(_bytes_of(path).tobytes().decode())
        if about.get("format") == 1:
            return []
        harts = {f"hart{hart['hart']}": hart for hart in about["manifest"]["harts"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [("run.json", "cannot be used")]
    found = [(name, "run.json knows no such hart") for name in names if name not in harts]
    for name, hart in harts.items():
        if name not in names:
            found += [(name, "is missing")] if hart.get("packets") else []
            continue
        chain = Chain.of_file(os.path.join(where, name))
        wanted = Chain(*(hart.get(field.name) for field in dataclasses.fields(Chain)[:-1]))
        if chain != wanted:
            found.append((name, f"is not what was recorded: {chain}, run.json says {wanted}"))
    return found


@dataclasses.dataclass
class Test:
    """Times in ticks of the CSR. compared: when its free pages are compared, at the audit before the next test, else at its end."""
    name: str
    begin: int
    end: int
    compared: int


@dataclasses.dataclass
class Moves:
    """Changes of pages in the order of time: parallel arrays. Kinds as in PAGE_KINDS."""
    times: np.ndarray
    pfns: np.ndarray
    pages: np.ndarray
    after: np.ndarray
    allocations: np.ndarray  # True where it is a page_alloc
    stacks: np.ndarray
    by_page: np.ndarray      # their positions sorted by page, then time

    def before(self):
        """For each what the page was used for until then: -1, not known."""
        return before_of(self.pfns, self.after, self.by_page, -1)

    def after_boot(self):
        """When boot had given RAM to the free lists: the time of the first allocation."""
        return int(self.times[np.argmax(self.allocations)])


@dataclasses.dataclass
class Lives:
    """Of pages: parallel arrays."""
    lengths: np.ndarray  # ticks; -1: it still lives
    kinds: np.ndarray
    sites: np.ndarray    # stack of the allocation


def order_of(values):
    """np.argsort(values, kind="stable") of numbers below 2^32: numpy sorts 16 bits by counting, which is ten times as fast."""
    values = values.astype(np.int64)  # numpy 2 has no 0xFFFF in an array of bytes
    order = np.argsort((values & 0xFFFF).astype(np.uint16), kind="stable")
    high = (values >> 16).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")] if len(high) and high.max() != high.min() else order


def before_of(places, values, order, unknown):
    """For each change the value that the change before it of the same place gave it; order sorts by place, then time."""
    before, sorted_places = np.full_like(values, unknown), places[order]
    same = sorted_places[1:] == sorted_places[:-1]
    before[order[1:][same]] = values[order[:-1][same]]
    return before


class Trace:
    """The records of a run that pictures are drawn from, as `records`, by time."""

    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(os.path.abspath(folder))
        self._moves = None
        inner = os.path.join(folder, "trace")
        where = inner if os.path.isdir(inner) else folder
        names = sorted(n for n in os.listdir(where) if re.fullmatch(r"hart\d+", n))
        self.damage = _manifest_damage(folder, where, names)
        if not names:
            raise SystemExit(f"{folder}: not a run folder: there is no trace/hart0 in it")
        harts, counts, ends = zip(*(_hart(os.path.join(where, name)) for name in names))
        records = np.concatenate(harts)
        self.records = _rows(records, np.argsort(records["time"], kind="stable"))
        self.nr_events, self.end = sum(counts), max(ends)  # of any event; of the last one, in ticks

    def kind_text(self, kind):
        """What pages of a kind are called; those of a watched kernel have none, they are in use or not."""
        return "in use" if self.watched and kind != tables.PAGE_KINDS["FREE"] else tables.PAGE_KIND_TEXT[kind]

    def events(self, *names):
        """The records of these DRAWN_EVENTS (all of one layout) by time, with the fields of their payload."""
        layouts = {tables.EVENTS[n][1] for n in names}
        assert len(layouts) == 1 and set(names) <= set(DRAWN_EVENTS), "events of one call are kept, and have one layout"
        wanted = _by_event(*names)[self.records["event"]]
        return _rows(self.records, np.flatnonzero(wanted)).view(_layout_dtype(layouts.pop()))

    def tests(self):
        """The tests in their order; one that never ended goes to the last record."""
        found = []
        for mark in self.events("mark"):
            if found and found[-1].end is None:
                found[-1].end = int(mark["time"])
            if mark["kind"] == 0:
                found.append(Test(mark["name"].decode("utf-8", "replace"), int(mark["time"]), None, 0))
        if found and found[-1].end is None:
            found[-1].end = self.end
        audits = self.events("audit_done")["time"].astype(np.int64)
        for i, test in enumerate(found):
            limit = found[i + 1].begin if i + 1 < len(found) else np.iinfo(np.int64).max
            after = audits[(audits >= test.end) & (audits < limit)]
            test.compared = int(after[0]) if len(after) else test.end
        return found

    def moves(self):
        """Every change of what a page is used for."""
        if self._moves is None:
            changes = self.events("page_alloc", "page_free", "page_kind")
            event, pfns, flags = changes["event"], np.ascontiguousarray(changes["pfn"]), np.ascontiguousarray(changes["flags"])
            allocations = event == tables.EVENTS["page_alloc"][0]
            after = np.where(event == tables.EVENTS["page_kind"][0], changes["kind"], flags >> 4).astype(np.int8)
            after[event == tables.EVENTS["page_free"][0]] = tables.PAGE_KINDS["FREE"]
            self._moves = Moves(changes["time"].astype(np.int64), pfns.astype(np.int64), np.left_shift(1, (flags & 15).astype(np.int64)),
                                after, allocations, np.ascontiguousarray(changes["stack"]), order_of(pfns))
        return self._moves

    def lives(self):
        """Every allocation of a page and what became of it."""
        moves = self.moves()
        order = moves.by_page[(moves.allocations | (moves.after == tables.PAGE_KINDS["FREE"]))[moves.by_page]]
        taken, pfns, times = moves.allocations[order], moves.pfns[order], moves.times[order]
        begins = np.flatnonzero(taken)
        following = np.minimum(begins + 1, len(order) - 1)
        freed = (following > begins) & ~taken[following] & (pfns[following] == pfns[begins])
        return Lives(np.where(freed, times[following] - times[begins], -1), moves.after[order[begins]], moves.stacks[order[begins]])

    @property
    def watched(self):
        """Recorded from outside, of a kernel that gives no samples and is not audited between its tests."""
        path = os.path.join(self.folder, "trace", "metadata")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return 'source = "watch"' in file.read()
        except OSError:
            return False

    def describe(self):
        """What run.json says, or {}."""
        try:
            about = json.loads(_bytes_of(os.path.join(self.folder, "run.json")).tobytes().decode())
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}


def seconds(times):
    return np.asarray(times, dtype=np.float64) / tables.TIME_HZ
