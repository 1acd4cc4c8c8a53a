#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds for the fuzzer: small whole inputs, so that it begins behind the headers.

Usage: seeds.py TARGET FOLDER     writes FOLDER/*; TARGET is trace, model, image or lives

trace   captures (model: the same): a generated machine with everything in it that can be recorded, one of each kind of loss, and the
        beginnings of the recorded runs, cut at a packet and shortened to a few records
lives   what the plugin writes of the pointers that it followed: all kinds of lives and ends, pages that were freed too early
image   RAM files of a few pages with a trace_desc, rings and a depot; the same as ELF cores
"""
import random
import struct
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "trace")]
from harness import paths  # noqa: E402 (the path above)

sys.path.insert(0, str(paths.BUILD / "trace-tools"))
import golden  # noqa: E402
import pagetrail_tables as tables  # noqa: E402
import tracegen  # noqa: E402

RAM_BASE = 0x80000000
# Of a recorded run: a fuzzer wants its inputs small.
RECORDS_KEPT = 16
STACKS_KEPT = 6


def every_event(harts=2):
    """A machine on which each event happens, some pages stay, and an audit finds some of them."""
    machine = tracegen.Machine(harts=harts, packet_bytes=1024)
    rng = random.Random(1)
    held = []
    machine.task("task_fork", pid=2, mm=2, name="sh")
    machine.task("mm_create", mm=2)
    machine.emit("inode_load", inode=5, links=1)
    machine.sample()
    for number in range(2):
        machine.mark(f"test{number}")
        for i in range(12):
            machine.hart = rng.randrange(harts)
            machine.pid = 2
            stack = (0x80200000 + 8 * rng.randrange(6), 0x80201000)
            page = machine.alloc("PAGECACHE", "CACHE", (5, i), stack, order=rng.choice((0, 0, 1)))
            machine.get(page, "IO", (2, i), stack)
            held.append((page, machine.obj_alloc("dirty", (5, i), stack), i))
            if i % 3:
                page, obj, index = held.pop(rng.randrange(len(held)))
                machine.obj_free("dirty", obj, (5, index), stack)
                machine.put(page, "IO", (2, index), stack)
                machine.put(page, "CACHE", (5, index), stack)
        machine.mark(f"test{number}", end=True)
        machine.audit([{"verdict": rng.choice(["OVER", "UNREACH", "ORPHAN"]), "page": page, "holder": (5, i)}
                       for page, _, i in held[:4]] + [{"verdict": "OBJ", "obj": held[0][1]}])
    machine.emit("inode_evict", inode=5)
    machine.task("mm_drop", mm=2)
    for name in ("task_exec", "task_exit", "task_reaped", "oom", "fail_injected"):
        machine.task(name, pid=2, value=1, name="sh")
    machine.emit("panic", name="so it ended")
    return machine


def capture(machine, first=0):
    return machine.stacks_bytes() + b"".join(stream.bytes(first) for stream in machine.streams)


def trimmed_packet(data, at, class_bytes, keep):
    """The packet at `at` with its first `keep` records alone, and where the next one is."""
    head = list(struct.unpack_from(tables.PACKET_HEADER, data, at))
    content = min(head[4] // 8, 64 + class_bytes * keep)
    body = data[at + 64:at + content]
    size, head[3] = head[3] // 8, content * 8
    head[4] = content * 8
    if body:
        head[6] = struct.unpack_from("<Q", body, len(body) - class_bytes)[0]
    return struct.pack(tables.PACKET_HEADER, *head) + body, at + size


def recorded_captures(folder):
    """{name: capture} of the beginnings of the recorded runs."""
    golden.unpack(folder)
    out = {}
    for name in golden.RUNS:
        trace = Path(folder) / name / "trace"
        data = trimmed_packet((trace / "stacks").read_bytes(), 0, 64, STACKS_KEPT)[0]
        for file in sorted(trace.glob("hart*")):
            packets, at = file.read_bytes(), 0
            while at < len(packets):
                packet, at = trimmed_packet(packets, at, 32, RECORDS_KEPT)
                data += packet
        out[name] = data
    return out


def trace_seeds():
    whole = every_event()
    seeds = {"every-event": capture(whole), "one-hart": capture(every_event(harts=1)), "starts-late": capture(whole, first=1)}
    lossy = every_event()
    lossy.streams[0].discard(3)
    seeds["discards"] = capture(lossy)
    seeds["cut"] = seeds["every-event"][:-700]
    with tempfile.TemporaryDirectory() as folder:
        seeds.update(recorded_captures(folder))
    return seeds


def ram(nr_packets=3, packet_bytes=512, harts=2):
    """A RAM file of 12 pages: trace_desc at page 1, the depot at page 2, rings from page 4 on."""
    machine = every_event(harts)
    machine_packets = [b"".join(s.packets[0][:12]) for s in machine.streams]
    image = bytearray(12 * 4096)
    depot = machine.stacks_bytes()[:4096]
    image[2 * 4096:2 * 4096 + len(depot)] = depot
    rings = []
    for hart, records in enumerate(machine_packets):
        base = (4 + 2 * hart) * 4096
        per_packet = (packet_bytes - 64) // 32 * 32
        for number in range(nr_packets):
            body = records[:per_packet] if number < nr_packets - 1 else records[:64]
            header = struct.pack(tables.PACKET_HEADER, tables.MAGIC, 0, hart, packet_bytes * 8, (64 + len(body)) * 8,
                                 *(struct.unpack_from("<Q", body, at)[0] for at in (0, len(body) - 32)), number, 0, hart,
                                 machine.boot_id)
            image[base + number * packet_bytes:base + number * packet_bytes + 64 + len(body)] = header + body
        rings.append(struct.pack("<5Q24x", RAM_BASE + base, nr_packets, 0, 0, len(records) // 32))
    desc = struct.pack("<8s4I2Q2I", b"PGTRAIL1", 2, harts, packet_bytes, nr_packets, RAM_BASE + 2 * 4096, 4096, 1, 1)
    desc += struct.pack("<6Q", RAM_BASE, RAM_BASE + len(image), RAM_BASE, RAM_BASE + 4096, 0, 0)
    desc += struct.pack("<5Q20s36x", RAM_BASE + 10 * 4096, 0, RAM_BASE + 9 * 4096, 12, 0, bytes(range(20)))
    image[4096:4096 + len(desc) + 64 * harts] = desc + b"".join(rings)
    struct.pack_into("<Q", image, 10 * 4096, 0x31434e4150475450)
    return bytes(image)


def core(image):
    """An ELF core with two loads, by physical and by virtual address."""
    half = len(image) // 2
    heads = b"".join(struct.pack("<IIQQQQQQ", 1, 7, 256 + i * half, va, pa, half, half, 1) for i, (va, pa) in
                     enumerate([(0, RAM_BASE), (0xffffffc000000000 + RAM_BASE + half, 0)]))
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 4, 243, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    return (header + heads).ljust(256, b"\0") + image


def image_seeds():
    images = {"two-harts": ram(), "one-hart": ram(harts=1), "one-packet": ram(nr_packets=1, packet_bytes=1024)}
    return {**images, **{f"core-{name}": core(image) for name, image in images.items()}, "not-of-ram": core(b"")}


STACK = "0xffffffc080200a6e 0xffffffc08020170c"
ENDS = ("overwritten", "freed", "popped", "trap", "stack")


def life(number, kind):
    """The lines of one life, with each line that one can have."""
    end = ENDS[number % len(ENDS)]
    return (f"life {kind} {0xffffffc080400000 + 4096 * number:#x} bytes 4096 pfn {0x80400 + number:#x} ref 4 holder 12 nth {number} heap 1 outside 1 "
            f"frames 0 kept 7\nborn {STACK}\nlocation {end} 0xffffffc080200a6e where 0xffffffc080237758 when 9 stack {STACK}\n"
            f"frame popped 0xffffffc080200a6e where 0 when 10 stack {STACK}\ngiven 0xffffffc080203c38 from 0xffffffc080203d96 argument 1 handled "
            f"{number % 3} when 8\nheld 0xffffffc0804e5da8 by 0xffffffc08021ae8a in 0\n")


def lives_seeds():
    kinds = ("page", "object", "reference", "objref")
    lives = "".join(life(i, kinds[i % 4]) for i in range(6))
    freed = "".join(f"freed {('page', 'object')[i]} {0x80500000 + 4096 * i:#x} bytes 4096 nth {i}\nby 0x0 by 0xffffffc080200a6e stack {STACK}\n" +
                    "".join(f"{word} 0xffffffc080500008 by 0xffffffc080200a6e stack {STACK}\n" for word in ("dangling", "dangling", "used", "again"))
                    for i in range(2))
    texts = {"asked": lives + "end 6 blind 0", "lost": f"lost of 812\n{lives}end 6 blind 0", "none": "lost of 27\nend 0 blind 0",
             "freed": freed + "end 0 blind 0", "both": lives + freed + "end 6 blind 0", "blind": "end 0 blind 7"}
    return {name: text.encode() + b"\n" for name, text in texts.items()} | {"cut": (lives + "end 6").encode()[:-70]}


def main():
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {"trace": trace_seeds, "model": trace_seeds, "image": image_seeds, "lives": lives_seeds}[target]().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
