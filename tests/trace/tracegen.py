# SPDX-License-Identifier: MIT
"""Makes run folders with known contents: a small machine whose pages, objects and processes are traced.

`Machine` plays the kernel's part: each act (alloc, get, put, free, ...) becomes one record on one hart. It keeps its
own books, plainly, so that a test can ask what is live and compare. `write(folder)` leaves a run folder.
"""
import json
import os
import struct
import zlib

import pagetrail_tables as tables


def event_record(time, event, kind=0, flags=0, stack=0, **fields):
    """The 32 bytes of one record."""
    number, layout = tables.EVENTS[event]
    fmt, names = tables.LAYOUTS[layout]
    values = []
    for name in names:
        value = fields.pop(name, 0)
        if isinstance(value, str):
            value = value.encode()
        values.append(value if value != 0 or "s" not in fmt or name not in ("name",) else b"")
    assert not fields, f"{event} has no field {sorted(fields)}"
    return struct.pack(tables.RECORD_HEAD, time, number, flags, kind, stack) + struct.pack(fmt, *values)


class Stream:
    """One hart's records, cut into packets."""

    def __init__(self, hart, packet_bytes, boot_id):
        self.hart, self.packet_bytes, self.boot_id = hart, packet_bytes, boot_id
        self.packets = [[]]          # lists of records
        self.discarded = [0]         # so far, when the packet was closed
        self.nr_discarded = 0

    def add(self, record):
        if (len(self.packets[-1]) + 1) * 32 + 64 > self.packet_bytes:
            self.packets.append([])
            self.discarded.append(self.nr_discarded)
        self.packets[-1].append(record)
        self.discarded[-1] = self.nr_discarded

    def discard(self, nr):
        self.nr_discarded += nr
        self.discarded[-1] = self.nr_discarded

    def bytes(self, first=0):
        """Whole packets from number `first` on."""
        out = []
        for number, (records, discarded) in enumerate(zip(self.packets, self.discarded)):
            if number < first:
                continue
            times = [struct.unpack_from("<Q", r)[0] for r in records] or [0]
            body = b"".join(records)
            out.append(struct.pack(tables.PACKET_HEADER, tables.MAGIC, tables.STREAM_EVENTS, self.hart,
                                   self.packet_bytes * 8, (64 + len(body)) * 8, times[0], times[-1], number,
                                   discarded, self.hart, self.boot_id))
            out.append(body.ljust(self.packet_bytes - 64, b"\0"))
        return b"".join(out)


class Page:
    def __init__(self, pfn, order, kind):
        self.pfn, self.order, self.kind, self.count = pfn, order, kind, 1

    @property
    def flags(self):
        return tables.PAGE_KINDS[self.kind] << 4 | self.order


class Machine:
    def __init__(self, harts=1, packet_bytes=4096, first_pfn=0x80200, nr_pages=32256, boot_id=0x1234):
        self.streams = [Stream(h, packet_bytes, boot_id) for h in range(harts)]
        self.boot_id = boot_id
        self.time = 1000
        self.hart = 0
        self.pid = 0
        self.stacks = {}             # frames -> id
        self.stack_times = []
        self.free_pfns = list(range(first_pfn + nr_pages - 1, first_pfn - 1, -1))
        self.pages = {}              # pfn -> Page
        self.caches = {}             # name -> id
        self.live = {}               # cache -> live objects
        self.next_obj = 0x90000000 // 8
        self.nr_events = 0
        self.step = 7

    # ---- plumbing ----

    def stack(self, *frames):
        """Depot id of a stack, given as addresses minus PHYS_OFFSET, innermost first."""
        frames = tuple(f & 0xffffffff for f in frames)
        if not frames:
            return 0
        if frames not in self.stacks:
            self.stacks[frames] = len(self.stacks) + 1
            self.stack_times.append(self.time)
        return self.stacks[frames]

    def emit(self, event, kind=0, flags=0, stack=(), **fields):
        self.time += self.step
        self.streams[self.hart].add(
            event_record(self.time, event, kind, flags, self.stack(*stack), **fields))
        self.nr_events += 1

    def page_event(self, event, page, ref, holder, before, after, stack):
        self.emit(event, tables.REF_KINDS[ref], page.flags, stack, pfn=page.pfn, holder=holder[0], index=holder[1],
                  before=before, after=after, pid=self.pid)

    # ---- acts ----

    def alloc(self, kind, ref, holder, stack=(), order=0):
        if order:
            pfn = self.free_pfns.pop()
            while pfn & ((1 << order) - 1) or any(pfn + i not in self.free_pfns for i in range(1, 1 << order)):
                self.free_pfns.insert(0, pfn)
                pfn = self.free_pfns.pop()
            for i in range(1, 1 << order):
                self.free_pfns.remove(pfn + i)
        else:
            pfn = self.free_pfns.pop()
        page = self.pages[pfn] = Page(pfn, order, kind)
        self.page_event("page_alloc", page, ref, holder, 0, 1, stack)
        return page

    def get(self, page, ref, holder, stack=()):
        page.count += 1
        self.page_event("page_get", page, ref, holder, page.count - 1, page.count, stack)

    def put(self, page, ref, holder, stack=()):
        page.count -= 1
        self.page_event("page_put", page, ref, holder, page.count + 1, page.count, stack)
        if page.count == 0:
            self.page_event("page_free", page, ref, holder, 0, 0, stack)
            del self.pages[page.pfn]
            self.free_pfns += [page.pfn + i for i in range(1 << page.order)]

    def cache(self, name, size=64):
        if name not in self.caches:
            self.caches[name] = len(self.caches)
            self.live[name] = 0
            self.emit("cache_info", cache=self.caches[name], size=size, name=name)
        return self.caches[name]

    def obj_alloc(self, name, holder=(0, 0), stack=()):
        number = self.cache(name)
        self.next_obj += 8
        self.live[name] += 1
        self.emit("obj_alloc", stack=stack, obj=self.next_obj, cache=number, live=self.live[name], pid=self.pid,
                  holder=holder[0], index=holder[1])
        return self.next_obj

    def obj_free(self, name, obj, holder=(0, 0), stack=()):
        self.live[name] -= 1
        self.emit("obj_free", stack=stack, obj=obj, cache=self.caches[name], live=self.live[name], pid=self.pid,
                  holder=holder[0], index=holder[1])

    def obj_ref(self, event, name, obj, ref, holder, before, stack=()):
        """A get or put of a counted object; before: its count."""
        self.emit(event, tables.REF_KINDS[ref], self.caches[name], stack, obj=obj, holder=holder[0], index=holder[1],
                  before=before, after=before + (1 if event == "obj_get" else -1), pid=self.pid)

    def task(self, event, pid=None, mm=0, value=0, name=""):
        self.emit(event, pid=self.pid if pid is None else pid, mm=mm, value=value, name=name)

    def mark(self, name, end=False):
        self.emit("mark", kind=int(end), name=name)

    def sample(self):
        self.emit("sample", free_pages=len(self.free_pfns))

    def finding(self, verdict, page=None, obj=None, holder=(0, 0), count=1, claims=0, stack=()):
        self.emit("finding", kind=tables.VERDICTS[verdict][0], flags=int(obj is not None), stack=stack,
                  where=page.pfn if page else obj, count=count, claims=claims, holder=holder[0], index=holder[1],
                  pid=self.pid)

    def audit(self, findings=(), quiet=True):
        """findings: dicts for finding()."""
        for each in findings:
            self.finding(**each)
        self.emit("audit_done", pages=len(self.pages), objects=sum(self.live.values()), findings=len(findings),
                  quiet=int(quiet))

    # ---- out ----

    def stacks_bytes(self):
        body = b"".join(
            struct.pack(tables.RECORD_HEAD, time, tables.STACK_EVENT, len(frames), 0, number)
            + struct.pack("<12I", *(frames + (0,) * (12 - len(frames))))
            for (frames, number), time in zip(self.stacks.items(), self.stack_times))
        bits = (64 + len(body)) * 8
        first, last = (self.stack_times[0], self.stack_times[-1]) if self.stack_times else (0, 0)
        return struct.pack(tables.PACKET_HEADER, tables.MAGIC, tables.STREAM_STACKS, 0, bits, bits, first, last, 0, 0,
                           0, self.boot_id) + body

    def write(self, folder, metadata, first_packet=0, end="poweroff", build_id=None, guest_status=None):
        """A run folder at `folder`; metadata is the path of a metadata file. Returns the folder."""
        trace = os.path.join(folder, "trace")
        os.makedirs(trace, exist_ok=True)
        with open(metadata, "rb") as source:
            about = source.read().replace(b"boot_id = 0x00000000", b"boot_id = 0x%08x" % self.boot_id)
        files = {f"hart{stream.hart}": stream.bytes(first_packet) for stream in self.streams}
        for name, data in {**files, "stacks": self.stacks_bytes(), "metadata": about}.items():
            if data:
                with open(os.path.join(trace, name), "wb") as out:
                    out.write(data)
        write_run_json(folder, end, build_id, guest_status)
        return folder


def _hart_of_manifest(hart, data):
    headers, events, at, last = [], 0, 0, None
    while at < len(data):
        headers.append(data[at:at + 64])
        last = struct.unpack(tables.PACKET_HEADER, headers[-1])
        events += (last[4] // 8 - 64) // 32
        at += last[3] // 8
    return {"hart": hart, "packets": len(headers), "events": events, "last_sequence": last[7] if last else None,
            "discarded": last[8] if last else 0, "headers_crc32": zlib.crc32(b"".join(headers))}


def _marks_in(data):
    marks, at = 0, 0
    while at < len(data):
        size, content = (bits // 8 for bits in struct.unpack_from("<QQ", data, at + 8))
        marks += memoryview(data)[at + 64:at + content].cast("H")[4::16].tolist().count(tables.EVENTS["mark"][0])
        at += size
    return marks


def write_run_json(folder, end="poweroff", build_id=None, guest_status=None):
    """RUN/run.json with the manifest of the files that are there now, whatever they are."""
    def read(name):
        path = os.path.join(folder, "trace", name)
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as file:
            return file.read()

    harts = {int(name[4:]): read(name) for name in sorted(os.listdir(os.path.join(folder, "trace"))) if name.startswith("hart")}
    stacks, about = read("stacks"), read("metadata")
    boot_id = struct.unpack(tables.PACKET_HEADER, stacks[:64])[-1]
    rows = [_hart_of_manifest(hart, data) for hart, data in harts.items()]
    manifest = {"boot_id": boot_id, "build_id": build_id,
                "kernel": os.path.exists(os.path.join(folder, "kernel/pagetrail.elf")), "marks": sum(map(_marks_in, harts.values())), "missed": 0,
                "stray_write": None, "harts": rows,
                "stacks": {"count": len(stacks) // 64 - 1, "bytes": len(stacks), "crc32": zlib.crc32(stacks)},
                "metadata": {"bytes": len(about), "crc32": zlib.crc32(about)}}
    with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as out:
        json.dump({"format": 2, "end": end, "guest_status": guest_status, "events": sum(row["events"] for row in rows), "manifest": manifest}, out, indent=2)
