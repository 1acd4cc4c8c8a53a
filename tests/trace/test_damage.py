# SPDX-License-Identifier: MIT
"""Damaged runs: the exact file and offset, what is wrong, the rest read all the same; never a crash or a hang."""
import random
import struct

import pagetrail_tables as tables
import pytest
import tracegen
from test_format import busy_machine
from harness.tool import CANNOT_TELL

PACKET = 4096
RECORDS = (PACKET - 64) // 32


@pytest.fixture
def run(write):
    """A run of one hart with five packets, the last one half full."""
    machine = tracegen.Machine(packet_bytes=PACKET)
    for i in range(4 * RECORDS + 40):
        machine.emit("sample", free_pages=i)
    machine.stack(0x80200004, 0x80200010)
    folder = write(machine)
    assert (folder / "trace/hart0").stat().st_size == 5 * PACKET
    return folder


def patch(folder, name, offset, data):
    with open(folder / "trace" / name, "r+b") as file:
        file.seek(offset)
        file.write(data)


def damage_of(sanitized, folder):
    """What the files themselves tell; test_damage_table.py is about what run.json adds."""
    result = sanitized("summary", folder, "--json")
    report = result.json()
    return result.status, report["events"], [(d["file"].rsplit("/", 1)[1], d["offset"], d["what"])
                                             for d in report["damage"] if "run.json" not in d["what"]]


def test_untouched(sanitized, run):
    assert damage_of(sanitized, run) == (0, 4 * RECORDS + 40, [])


def test_file_cut_inside_a_packet(sanitized, run):
    file = run / "trace/hart0"
    file.write_bytes(file.read_bytes()[:PACKET + 64 + 10 * 32 + 7])
    status, events, damage = damage_of(sanitized, run)
    assert (status, events) == (CANNOT_TELL, RECORDS + 10)
    assert damage == [("hart0", PACKET, "packet number 1 is cut off: 391 of 4096 bytes are there")]


def test_file_cut_inside_a_header(sanitized, run):
    file = run / "trace/hart0"
    file.write_bytes(file.read_bytes()[:2 * PACKET + 20])
    assert damage_of(sanitized, run) == (CANNOT_TELL, 2 * RECORDS, [("hart0", 2 * PACKET,
                                                                     "cut off: 20 bytes of a packet header")])


@pytest.mark.parametrize("offset,value,what", [
    (0, struct.pack("<I", 0xdeadbeef), "no packet begins here (wrong magic)"),
    (4, struct.pack("<H", 9), "packet of another stream class"),
    (8, struct.pack("<Q", 24), "impossible packet size"),
    (16, struct.pack("<Q", 1 << 60), "impossible content size"),
    (16, struct.pack("<Q", (64 + 33) * 8), "content is not a whole number of records"),
    (32, struct.pack("<Q", 0), "packet ends before it begins"),
])
def test_header_damaged_in_the_middle(sanitized, run, offset, value, what):
    patch(run, "hart0", 2 * PACKET + offset, value)
    status, events, damage = damage_of(sanitized, run)
    assert (status, events) == (CANNOT_TELL, 3 * RECORDS + 40)
    assert damage[0] == ("hart0", 2 * PACKET, f"{what}; {PACKET} bytes left out")


@pytest.mark.parametrize("offset,value,what", [
    (6, struct.pack("<H", 3), "packet of another hart; left out"),
    (60, struct.pack("<I", 99), "packet of another boot; left out"),
])
def test_packet_that_does_not_belong(sanitized, run, offset, value, what):
    patch(run, "hart0", PACKET + offset, value)
    status, events, damage = damage_of(sanitized, run)
    assert (status, events) == (CANNOT_TELL, 3 * RECORDS + 40)
    assert damage[0] == ("hart0", PACKET, what)


def test_packets_in_the_wrong_order(sanitized, run):
    file = run / "trace/hart0"
    data = file.read_bytes()
    file.write_bytes(data[:PACKET] + data[2 * PACKET:3 * PACKET] + data[PACKET:2 * PACKET] + data[3 * PACKET:])
    status, events, damage = damage_of(sanitized, run)
    assert (status, events) == (CANNOT_TELL, 3 * RECORDS + 40)
    assert damage[0][:2] == ("hart0", 2 * PACKET) and "number 1 comes after number 2" in damage[0][2]


def test_packet_missing(sanitized, run):
    file = run / "trace/hart0"
    data = file.read_bytes()
    file.write_bytes(data[:PACKET] + data[2 * PACKET:])
    result = sanitized("summary", run)
    assert result.status == CANNOT_TELL and "1 packet is missing in the middle" in result.out


@pytest.mark.parametrize("field,value,what", [
    (0, struct.pack("<Q", 5), "record goes back in time"),
    (0, struct.pack("<Q", 1 << 62), "record is later than its packet's end"),
    (8, struct.pack("<H", 777), "record is of an unknown event"),
    (8, struct.pack("<H", 0), "record is of an unknown event"),
])
def test_garbage_record(sanitized, run, field, value, what):
    offset = PACKET + 64 + 5 * 32
    patch(run, "hart0", offset + field, value)
    status, events, damage = damage_of(sanitized, run)
    assert (status, events) == (CANNOT_TELL, 4 * RECORDS + 39)
    assert damage[0][:2] == ("hart0", offset) and damage[0][2].startswith(what)


def test_page_outside_ram(sanitized, write):
    machine = tracegen.Machine()
    machine.emit("page_alloc", flags=0x50, pfn=0xffffffff, after=1)
    machine.emit("page_put", flags=0x50, pfn=3, before=1)
    status, events, damage = damage_of(sanitized, write(machine))
    assert (status, events) == (CANNOT_TELL, 2)
    assert [d[1] for d in damage] == [64, 96] and "page frame 0xffffffff" in damage[0][2]


def test_stacks_cut_missing_or_damaged(sanitized, run):
    file = run / "trace/stacks"
    data = file.read_bytes()
    file.write_bytes(data[:100])
    assert damage_of(sanitized, run)[2] == [("stacks", 100, "cut off: 0 of 1 stacks are there")]
    file.write_bytes(data[:64] + b"\xff" * 64)
    assert "stack 1 is not one" in damage_of(sanitized, run)[2][0][2]
    file.write_bytes(data[:10])
    assert damage_of(sanitized, run)[2] == [("stacks", 0, "no stacks: the file has 10 bytes")]
    file.unlink()
    assert "cannot be read" in damage_of(sanitized, run)[2][0][2]
    assert sanitized("dump", run, "--resolve", "--limit", 1).status == CANNOT_TELL


def test_no_run_at_all(sanitized, tmp_path):
    for name in ("summary", "leaks", "dump", "stacks"):
        result = sanitized(name, tmp_path / "nothing")
        assert result.status == CANNOT_TELL and "not a run folder" in result.err


def test_empty_trace(sanitized, write):
    run = write(tracegen.Machine())
    (run / "trace/hart0").write_bytes(b"")
    (run / "trace/stacks").write_bytes(b"")
    assert sanitized("leaks", run).status == CANNOT_TELL
    assert sanitized("summary", run).status == CANNOT_TELL


@pytest.mark.parametrize("seed", range(40))
def test_random_damage(sanitized, write, seed):
    """Whatever is flipped, cut or doubled, each command ends by itself with a status of its own."""
    rng = random.Random(seed)
    machine, _, _ = busy_machine(seed, harts=2, acts=300)
    machine.audit([{"verdict": "UNREACH", "page": p} for p in list(machine.pages.values())[:3]])
    run = write(machine)
    for name in rng.sample(["hart0", "hart1", "stacks"], rng.randrange(1, 4)):
        file = run / "trace" / name
        data = bytearray(file.read_bytes())
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(len(data))
            what = rng.randrange(4)
            if what == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif what == 1:
                data[at:at + 8] = rng.choice([b"\0" * 8, b"\xff" * 8, rng.randbytes(8)])
            elif what == 2:
                data[at & ~31:(at & ~31) + 32] = rng.randbytes(32)
            else:
                del data[at:at + rng.randrange(1, 300)]
            if not data:
                data = bytearray(b"\0")
        file.write_bytes(bytes(data))
    page = hex(0x80200 + rng.randrange(32256))
    for words in (["summary", run], ["leaks", run], ["leaks", run, "--json"], ["dump", run, "--resolve"],
                  ["leaks", run, "--between", "start", "end", "--pid", "3"], ["page", run, page], ["stacks", run],
                  ["live", run, "--by", "pid"], ["live", run, "--by", "stack", "--at", "start"], ["diff", run, "--from", "start"],
                  ["top", run, "--once"], ["top", run, "--json"], ["report", run], ["export", "--csv", run],
                  ["export", "--speedscope", run], ["export", "--perfetto", run, "-o", run / "export"]):
        sanitized(*words, timeout=60)
    assert tables.MAGIC == 0xC1FC1FC1
