# SPDX-License-Identifier: MIT
"""`pagetrail verify`: trace and memory agree on clean runs; one thing changed on either side is found and named."""
import functools
import os
import re
import shutil
import struct
import subprocess

import pagetrail_tables as tables
import pytest
from harness import elf, paths
import tracegen
from harness.tool import CANNOT_TELL, LEAKED, OK, run_tool

PAGES_PER_RAM = 32256


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """clean(harts): a run that ended well, with its RAM."""
    folder = tmp_path_factory.mktemp("clean")

    def clean(harts):
        run = folder / f"smp{harts}"
        if not run.exists():
            done = run_tool(paths.PAGETRAIL, "run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--smp", harts, "--out",
                            run, "--timeout", 100, "--keep-ram", "--quiet", "--", "usertests", "fork-wait", "write-read",
                            "cow-sharing", timeout=120)
            assert done.status == OK, done.err
        return run
    return clean


@pytest.mark.parametrize("harts", [1, 2, 4])
def test_clean_runs_agree(pagetrail, clean, harts):
    done = pagetrail("verify", clean(harts))
    assert done.status == OK, done.out + done.err
    assert done.out.endswith("OK: trace and memory agree\n") and f"{PAGES_PER_RAM} pages" in done.out
    report = pagetrail("verify", clean(harts), "--json").json()
    assert report["verdict"] == "OK" and report["differences"] == 0 and report["ended"]
    looked = {part["part"]: part["looked_at"] for part in report["parts"]}
    assert looked["events"] == pagetrail("summary", clean(harts), "--json").json()["events"]
    assert all(looked[part] > 0 for part in ("pages", "buddy", "slab"))


class Changed:
    """A copy of a run whose trace or memory can be changed."""

    def __init__(self, run, folder):
        self.run = folder / "changed"
        shutil.copytree(run, self.run, ignore=shutil.ignore_patterns("ram"))
        os.symlink(run / "ram", self.run / "ram")

    @functools.cached_property
    def ram(self):
        """Its memory; who asks for it may change it."""
        return bytearray((self.run / "ram").read_bytes())

    def at(self, pa):
        return pa - 0x80000000

    def read(self, fmt, pa):
        return struct.unpack_from(fmt, self.ram, self.at(pa))[0]

    def write(self, fmt, pa, value):
        struct.pack_into(fmt, self.ram, self.at(pa), value)

    def remove_event(self, wanted):
        """Takes one record out of its packet, which stays a whole packet; returns the record."""
        for file in sorted((self.run / "trace").glob("hart*")):
            data = bytearray(file.read_bytes())
            packet = 0
            while packet < len(data):
                size, content = (bits // 8 for bits in struct.unpack_from("<QQ", data, packet + 8))
                for at in range(packet + content - 32, packet + 63, -32):
                    record = bytes(data[at:at + 32])
                    if not wanted(record):
                        continue
                    data[at:packet + content - 32] = data[at + 32:packet + content]
                    struct.pack_into("<Q", data, packet + 16, (content - 32) * 8)
                    data[packet + 32:packet + 40] = data[packet + content - 64:packet + content - 56]  # the last record's time
                    file.write_bytes(data)
                    tracegen.write_run_json(self.run, build_id=elf.build_id(paths.KERNEL))
                    return record
                packet += size
        raise AssertionError("no such event")

    def verify(self, pagetrail, status=LEAKED):
        if "ram" in vars(self):
            (self.run / "ram").unlink()
            (self.run / "ram").write_bytes(self.ram)
        done = pagetrail("verify", self.run, "--json")
        assert done.status == status, done.out + done.err
        text = pagetrail("verify", self.run)
        assert text.status == status
        return {(d["part"], d["pa"]): d["text"] for d in done.json()["list"]}, text.out


@pytest.fixture
def changed(clean, tmp_path):
    return Changed(clean(2), tmp_path)


@pytest.fixture
def stopped(tmp_path):
    """A machine that panicked: programs ran, so inodes and open files have references."""
    done = run_tool(paths.PAGETRAIL, "run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--smp", 1, "--out", tmp_path / "run",
                    "--timeout", 100, "--keep-ram", "--quiet", "--append", "debug=on", "--", "kdebug", "panic", timeout=120)
    assert "cannot" not in done.err, done.err
    return Changed(tmp_path / "run", tmp_path)


def event(record):
    return struct.unpack_from("<H", record, 8)[0]


def in_trace(run):
    """[(hart, packet number, packets of that hart, record)] of a run, read without the tools."""
    out = []
    for file in sorted((run / "trace").glob("hart*")):
        data, packet, packets = file.read_bytes(), 0, []
        while packet < len(data):
            size, content = (bits // 8 for bits in struct.unpack_from("<QQ", data, packet + 8))
            packets.append([data[at:at + 32] for at in range(packet + 64, packet + content, 32)])
            packet += size
        out += [(int(file.name[4:]), number, len(packets), record) for number, records in enumerate(packets)
                for record in records]
    return out


# What a clean run has no occasion to record.
SELDOM = {"finding", "oom", "fail_injected", "panic"} | {"page_map", "page_unmap", "page_write"}  # the last: of watched kernels


@pytest.mark.parametrize("name", sorted(set(tables.EVENTS) - SELDOM))
def test_one_event_removed(pagetrail, changed, name):
    """Any event of any type: the number does not fit, and the time is given."""
    number = tables.EVENTS[name][0]
    time, = struct.unpack_from("<Q", changed.remove_event(lambda r: event(r) == number))
    differences, text = changed.verify(pagetrail)
    assert text.endswith("DIFFERENT\n")
    said = differences["events", 0]
    begin, _, end = re.search(r"missing was recorded (?:between|after) ([\d.]+)( and ([\d.]+))? s", said).groups()
    assert float(begin) <= round(time / 1e7, 7) <= float(end or "inf"), "without an end in the last packet"


def test_two_events_that_undo_each_other(pagetrail, changed):
    """A reference taken and returned, both missing: the end is the same, but for the number and the packet."""
    taken = {}
    numbers = {tables.EVENTS[name][0]: name for name in ("page_get", "page_put", "page_alloc", "page_free")}
    for hart, packet, packets, record in in_trace(changed.run):
        name, (pfn,) = numbers.get(event(record)), struct.unpack_from("<I", record, 16)
        if name == "page_get" and packet + 1 < packets:
            taken[pfn] = hart, packet, record
        elif name == "page_put" and pfn in taken and taken[pfn][:2] == (hart, packet) and record[11] == taken[pfn][2][11]:
            both = taken[pfn][2], record
            break
        elif name:
            taken.pop(pfn, None)
    for one in both:
        assert changed.remove_event(lambda r: r == one) == one
    differences, _ = changed.verify(pagetrail)
    assert list(differences) == [("events", 0)]
    said = differences["events", 0]
    recorded, there = map(int, re.search(r"recorded (\d+) events, the trace has (\d+)", said).groups())
    begin, end = map(float, re.search(r"between ([\d.]+) and ([\d.]+) s", said).groups())
    times = [struct.unpack_from("<Q", one)[0] / 1e7 for one in both]
    assert recorded == there + 2 and begin <= round(times[0], 7) and round(times[1], 7) <= end
    assert end < max(struct.unpack_from("<Q", one)[0] for mine, _, _, one in in_trace(changed.run) if mine == hart) / 1e7


@pytest.mark.parametrize("begin,end,part,said", [
    ("page_alloc", "page_free", "pages", "in memory it is"), ("obj_alloc", "obj_free", "slab", "live in the trace")])
def test_the_last_free_removed(pagetrail, changed, begin, end, part, said):
    """The page or object itself is named, not only the number of events."""
    free, alloc = tables.EVENTS[end][0], tables.EVENTS[begin][0]
    last = {}
    for file in sorted((changed.run / "trace").glob("hart*")):
        data, packet = file.read_bytes(), 0
        while packet < len(data):
            size, content = (bits // 8 for bits in struct.unpack_from("<QQ", data, packet + 8))
            for at in range(packet + 64, packet + content, 32):
                record = data[at:at + 32]
                if event(record) in (free, alloc):
                    time, = struct.unpack_from("<Q", record)
                    where, = struct.unpack_from("<I", record, 16)
                    last[where] = max(last.get(where, (0, b"")), (time, record))
            packet += size
    record = next(r for _, r in last.values() if event(r) == free and r[10] & 15 == 0)
    where, = struct.unpack_from("<I", record, 16)
    assert changed.remove_event(lambda r: r == record) == record
    differences, _ = changed.verify(pagetrail)
    assert said in differences[part, where * (4096 if part == "pages" else 8)]


@functools.lru_cache(maxsize=None)
def page_member(name):
    """Offset of a member of struct page, by gdb: another reader of DWARF than the one that is tested."""
    out = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", f"print/d (long)&((struct page *)0)->{name}", "-ex",
                          "print sizeof(struct page)", str(paths.KERNEL)], check=True, capture_output=True, text=True,
                         timeout=60).stdout
    offset, size = map(int, re.findall(r"= (\d+)", out))
    assert size == 32
    return offset


def page_array(changed):
    desc, offset = elf.field_pa(paths.KERNEL, "trace_desc", "page_array_pa")
    return changed.read("<Q", desc + offset)


def first_free(changed):
    """Head of some free list with two blocks or more: (pfn, where its struct page is)."""
    array = page_array(changed)
    for i in range(0, 32768):
        page = array + i * 32
        kind, order = changed.read("<B", page + page_member("kind")), changed.read("<B", page + page_member("order"))
        if kind == 0 and order < 11 and changed.read("<I", page + page_member("next")):
            return 0x80000 + i, page
    raise AssertionError("no free list of two blocks")


def test_one_count_changed(pagetrail, changed):
    array = page_array(changed)
    wanted = tables.PAGE_KINDS["SLAB"]  # of what is left at the end, counted by references
    pfn = next(i for i in range(512, 32768) if changed.read("<B", array + i * 32 + page_member("kind")) == wanted)
    where = array + pfn * 32 + page_member("count")
    changed.write("<i", where, changed.read("<i", where) + 1)
    differences, _ = changed.verify(pagetrail)
    (said,) = differences.values()
    assert list(differences) == [("pages", (0x80000 + pfn) << 12)] and "its count is" in said


@pytest.mark.parametrize("member,value,said", [
    ("prev", 0x80300, "does not link back"), ("next", 0x12345, "which is no page"), ("next", 0, "its counter says")])
def test_one_buddy_link_changed(pagetrail, changed, member, value, said):
    pfn, page = first_free(changed)
    changed.write("<I", page + page_member(member), value)
    differences, text = changed.verify(pagetrail)
    assert {part for part, _ in differences} == {"buddy"} and said in text


def test_a_free_list_that_loops(pagetrail, changed):
    pfn, page = first_free(changed)
    changed.write("<I", page + page_member("next"), pfn)
    differences, text = changed.verify(pagetrail)
    assert f"page 0x{pfn:x} is on a free list for the second time" in text


def test_the_last_reference_of_an_object_removed(pagetrail, stopped):
    """Its count in memory is another than the trace's then; without that they agree."""
    assert pagetrail("verify", stopped.run).out.endswith("OK: trace and memory agree\n")
    numbers = [tables.EVENTS[name][0] for name in ("obj_get", "obj_put")]
    record = stopped.remove_event(lambda r: event(r) in numbers)
    obj, _, before, after = struct.unpack_from("<IIHH", record, 16)
    differences, _ = stopped.verify(pagetrail)
    assert f"its count is {before} in the trace, {after} in memory" in differences["slab", obj * 8]


def test_losses_give_no_verdict(pagetrail, changed):
    file = changed.run / "trace/hart0"
    data = bytearray(file.read_bytes())
    packet = 0
    while packet < len(data):
        struct.pack_into("<Q", data, packet + 48, 3)
        packet += struct.unpack_from("<Q", data, packet + 8)[0] // 8
    file.write_bytes(data)
    _, text = changed.verify(pagetrail, CANNOT_TELL)
    assert "3 events were discarded" in text and "cannot tell" in text


def test_what_cannot_be_compared(pagetrail, clean, changed, tmp_path):
    (changed.run / "ram").unlink()
    done = pagetrail("verify", changed.run)
    assert done.status == CANNOT_TELL and "--keep-ram" in done.err
    done = pagetrail("verify", changed.run, "--ram", clean(4) / "ram")
    assert done.status == CANNOT_TELL and "another boot" in done.err
    assert pagetrail("verify", changed.run, "--ram", paths.KERNEL).status == CANNOT_TELL
