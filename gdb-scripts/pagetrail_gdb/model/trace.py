# SPDX-License-Identifier: MIT
"""The trace rings and the stack depot as they stand in memory.

The bytes are described in kernel/include/uapi/trace_format.h; offsets come from DWARF. A ring is read whole
and sifted by columns, since it holds some ten thousand records.
"""

from collections import Counter

from .errors import Finding, ReadError

_PACKET_BYTES_MAX = 1 << 24
_STREAM_EVENTS = 0  # TRACE_STREAM_EVENTS: no kernel source writes that name, so the debug information lacks it


class Record:
    """One event. payload: {field: value} as the event's layout in events.def has them."""

    __slots__ = ("hart", "time", "event", "flags", "kind", "stack", "payload")

    def __init__(self, hart, time, event, flags, kind, stack, payload):
        self.hart = hart
        self.time = time
        self.event = event
        self.flags = flags
        self.kind = kind
        self.stack = stack
        self.payload = payload


class Trace:
    """All rings of one machine.

    lost      {hart: events discarded because nobody read them}
    packets   [(hart, sequence number, bytes of the records)], oldest first within a hart
    """

    def __init__(self, kernel, findings):
        self.kernel = kernel
        self.findings = findings
        layout = kernel.layout
        self.record_type = layout.struct("trace_record")
        self.header_type = layout.struct("trace_packet_header")
        self.events = {v: c[len("EV_"):] for v, c in layout.enum("trace_event").items()}
        self._payload_at = self.record_type.offset("payload")
        fields = ("time", "event", "flags", "kind", "stack")
        self._head, names = self.record_type.unpacker(fields)
        if tuple(names) != fields:
            raise ReadError("struct trace_record has an order of fields that these scripts do not know")
        self._payload_types = {}
        self.packets = []
        self.lost = {}
        self._boot_id, self._before = None, {}
        self.desc = kernel.read_symbol("trace_desc")
        if self.desc["magic"] != layout.macro("TRACE_DESC_MAGIC"):
            findings.append(Finding("trace_desc", "no magic number: the trace has not begun"))
            return
        self._packet_bytes = self.desc["packet_bytes"]
        if not self.header_type.size < self._packet_bytes <= _PACKET_BYTES_MAX:
            findings.append(Finding("trace_desc", f"packets of {self._packet_bytes} bytes"))
            return
        self._boot_id = self._depot_boot_id()
        for hart, ring in enumerate(self.desc.elements("rings")[:self.desc["nr_rings"]]):
            self._read_ring(hart, ring)

    def _depot_boot_id(self):
        """By the packet of stacks; None where that cannot be read."""
        try:
            return self.header_type.decode(self.kernel.memory.read(self.desc["depot_pa"], self.header_type.size))["boot_id"]
        except ReadError:
            return None

    def _read_ring(self, hart, ring):
        self.lost[hart] = ring["discarded"]
        opened, nr = ring["opened"], self.desc["nr_packets"]
        if not ring["base_pa"] or not nr:
            return
        size = self._packet_bytes
        try:
            content = memoryview(self.kernel.memory.read(ring["base_pa"], nr * size))
        except ReadError as error:
            self.findings.append(Finding(f"ring {hart}", str(error)))
            return
        for sequence in range(max(0, opened - nr), opened):
            at = sequence % nr * size
            self._read_packet(hart, sequence, content[at:at + size])

    def _read_packet(self, hart, sequence, packet):
        header = self.header_type.decode(packet)
        name = f"ring {hart} packet {sequence}"
        if header["magic"] != self.kernel.layout.macro("TRACE_MAGIC"):
            self.findings.append(Finding(name, f"magic {header['magic']:#x}"))
            return
        if header["sequence"] != sequence:
            self.findings.append(Finding(name, f"calls itself {header['sequence']}"))
        fault = self._header_fault(hart, header)
        if fault:
            self.findings.append(Finding(name, fault))
        content = header["content_size_bits"] // 8
        if not self.header_type.size <= content <= len(packet):
            self.findings.append(Finding(name, f"content of {content} bytes"))
            return
        records = packet[self.header_type.size:content]
        whole = len(records) - len(records) % self.record_type.size
        if whole:
            self.packets.append((hart, sequence, records[:whole]))

    def _header_fault(self, hart, header):
        """What cannot be in the header of this hart's next packet, or None. See trace-tools/ctf/packet.c."""
        before = self._before.get(hart)
        self._before[hart] = header
        if header["stream"] != _STREAM_EVENTS:
            return f"is of stream class {header['stream']}"
        if header["instance"] != hart or header["cpu"] != hart:
            return f"is of hart {header['instance']} or {header['cpu']}"
        if self._boot_id not in (None, header["boot_id"]):
            return f"is of another boot, {header['boot_id']:#x}"
        if header["packet_size_bits"] != 8 * self._packet_bytes:
            return f"size of {header['packet_size_bits']} bits"
        if header["begin_time"] > header["end_time"] or (before and header["begin_time"] < before["end_time"]):
            return "goes back in time"
        if before and header["events_discarded"] < before["events_discarded"]:
            return "counts fewer discarded events than the packet before"
        return None

    # ---- records ----

    def payload_type(self, event):
        """Type of the payload of an event's number."""
        if event not in self._payload_types:
            name = self.events.get(event)
            union = self.record_type.resolve("payload")[1]
            member = f"ev_payload_{name}"
            self._payload_types[event] = union.resolve(member)[1] if member in union.fields else None
        return self._payload_types[event]

    def is_page_event(self, event):
        kind = self.payload_type(event)
        return kind is not None and "pfn" in kind.fields

    def _record(self, hart, packet, at):
        time, event, flags, kind, stack = self._head.unpack_from(packet, at)
        payload_type = self.payload_type(event)
        payload = payload_type.decode(packet, at + self._payload_at) if payload_type else {}
        return Record(hart, time, event, flags, kind, stack, payload)

    def newest(self, nr, hart=None):
        """The newest nr records in order of time."""
        found = []
        per_hart = {}
        for ring, _, packet in reversed(self.packets):
            if hart is not None and ring != hart:
                continue
            for at in range(len(packet) - self.record_type.size, -1, -self.record_type.size):
                if per_hart.get(ring, 0) == nr:
                    break
                per_hart[ring] = per_hart.get(ring, 0) + 1
                found.append(self._record(ring, packet, at))
        return self._in_order(found[::-1])[-nr:] if nr else []

    def of_page(self, pfns):
        """Every page event about one of the pfns, in order of time."""
        pfn_at = self._payload_at + self.payload_type(self._event_value("page_alloc")).offset("pfn")
        column, step = pfn_at // 4, self.record_type.size // 4
        wanted = set(pfns)
        found = []
        for hart, _, packet in self.packets:
            values = packet.cast("B").cast("I")[column::step].tolist()
            if wanted.isdisjoint(values):
                continue
            for i, value in enumerate(values):
                if value in wanted:
                    record = self._record(hart, packet, i * self.record_type.size)
                    if self.is_page_event(record.event):
                        found.append(record)
        return self._in_order(found)

    def of_objects(self, vas):
        """Every get, put, allocation and free of the objects at these addresses, in order of time."""
        wanted = {self.kernel.va_to_pa(va) // 8 for va in vas}
        events = {self._event_value(name) for name in ("obj_alloc", "obj_free", "obj_get", "obj_put")}
        at = self._payload_at + self.payload_type(self._event_value("obj_get")).offset("obj")
        found = []
        for hart, _, packet in self.packets:
            values = packet.cast("B").cast("I")[at // 4::self.record_type.size // 4].tolist()
            if wanted.isdisjoint(values):
                continue
            records = (self._record(hart, packet, i * self.record_type.size) for i, value in enumerate(values) if value in wanted)
            found += [record for record in records if record.event in events]
        return self._in_order(found)

    def _event_value(self, name):
        return self.kernel.layout.enum_value("trace_event", f"EV_{name}")

    @staticmethod
    def _in_order(records):
        """By time; a page's events of one instant by their chain of counts (before, after)."""
        records.sort(key=lambda record: record.time)
        at = 0
        while at < len(records):
            end = at + 1
            while end < len(records) and records[end].time == records[at].time:
                end += 1
            if end - at > 1:
                records[at:end] = _chain(records[at:end])
            at = end
        return records

    def event_name(self, record):
        return self.events.get(record.event, f"event {record.event}")


def _chain(records):
    """Records of one instant, each page's and object's such that its counts follow on from each other where they can."""
    ordered, places = list(records), {}
    for i, record in enumerate(records):
        if "before" in record.payload:
            what = ("pfn", record.payload["pfn"]) if "pfn" in record.payload else ("obj", record.payload["obj"])
            places.setdefault(what, []).append(i)
    for where in places.values():
        for i, record in zip(where, _follow([records[i] for i in where])):
            ordered[i] = record
    return ordered


def _follow(records):
    """One page's records in a chain of counts. It begins at a count that no other record leads to."""
    begins = Counter(record.payload["before"] for record in records)
    begins.subtract(record.payload["after"] for record in records)
    starts = [i for i, record in enumerate(records) if begins[record.payload["before"]] > 0] + list(range(len(records)))
    waiting = {}
    for i in reversed(range(len(records))):
        waiting.setdefault(records[i].payload["before"], []).append(i)
    ordered, taken = [], set()
    for at in starts:
        while at is not None and at not in taken:
            taken.add(at)
            ordered.append(records[at])
            follow = waiting.get(records[at].payload["after"], [])
            while follow and follow[-1] in taken:
                follow.pop()
            at = follow[-1] if follow else None
    return ordered


def open_references(trace, records):
    """The allocs and gets of one page's, or counted object's, history that no later put returned: [Record], oldest first.

    The rings forget: a reference taken before the oldest record left is not among them.
    """
    holding = {}
    for record in records:
        name, payload = trace.event_name(record), record.payload
        key = (record.kind, payload["holder"], payload["index"])
        if name == "page_alloc":
            holding = {key: [record]}
        elif name in ("page_get", "obj_get"):
            holding.setdefault(key, []).append(record)
        elif name in ("page_put", "obj_put"):
            if holding.get(key):
                holding[key].pop()
        elif name in ("page_free", "obj_alloc", "obj_free"):
            holding = {}
    return sorted((record for taken in holding.values() for record in taken), key=lambda record: record.time)


class Depot:
    """The stack depot: an array of struct trace_stack behind one packet header; ids count from 1."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.type = kernel.struct("trace_stack")
        self._base = kernel.read_symbol("trace_desc")
        self._header = kernel.struct("trace_packet_header").size

    def frames(self, stack):
        """Return addresses, innermost first, as va - PHYS_OFFSET; [] for 0 or an id that is not there."""
        at = self._header + (stack - 1) * self.type.size
        if stack < 1 or at + self.type.size > self._base["depot_bytes"]:
            return []
        try:
            content = self.kernel.memory.read(self._base["depot_pa"] + at, self.type.size)
        except ReadError:
            return []
        entry = self.type.decode(content)
        if entry["stack"] != stack:
            return []
        return list(entry["frames"][:entry["nr_frames"]])


def trace_of(kernel, findings):
    return kernel.once("trace", lambda: Trace(kernel, findings))


def seconds(kernel, time):
    """A time of the trace in seconds."""
    return time / kernel.layout.macro("TIME_HZ")
