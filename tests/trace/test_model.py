# SPDX-License-Identifier: MIT
"""The replay against the generator's own books."""
import collections
import random
import struct

import pagetrail_tables as tables
import pytest
import tracegen
from test_format import busy_machine
from harness.tool import CANNOT_TELL


@pytest.mark.parametrize("seed,harts", [(1, 1), (2, 2), (3, 4), (4, 8)])
def test_live_pages_references_and_objects(pagetrail, write, seed, harts):
    machine, live, objects = busy_machine(seed, harts, acts=3000)
    summary = pagetrail("summary", write(machine), "--json").json()
    by_kind = collections.Counter()
    for page in machine.pages.values():
        by_kind[tables.PAGE_KIND_TEXT[tables.PAGE_KINDS[page.kind]]] += 1 << page.order
    assert {k: n for k, n in summary["live_pages"].items() if n} == dict(by_kind), f"seed {seed}"
    assert summary["open_references"] == sum(len(refs) for _, refs in live)
    assert summary["live_objects"] == len(objects)
    assert summary["free_pages"] == len(machine.free_pfns)
    assert summary["events"] == machine.nr_events and summary["complete"]


@pytest.mark.parametrize("seed", range(4))
def test_blocks_freed_in_parts(pagetrail, write, seed):
    """What is left of a block is live, page by page, whatever part goes first."""
    rng, machine, live = random.Random(seed), tracegen.Machine(), set()
    for _ in range(12):
        order = rng.randrange(5)
        block = machine.alloc("ANON", "PTE", (1, 0), stack=(0x80201000,), order=order)
        live |= set(range(block.pfn, block.pfn + (1 << order)))
    for _ in range(25):
        part = rng.choice(sorted(live))
        order = rng.choice([0, 0, 1])
        part &= ~((1 << order) - 1)
        if not live >= set(range(part, part + (1 << order))):
            continue
        machine.page_event("page_free", tracegen.Page(part, order, "ANON"), "PTE", (1, 0), 0, 0, (0x80201100,))
        live -= set(range(part, part + (1 << order)))
    run = write(machine)
    assert sum(pagetrail("summary", run, "--json").json()["live_pages"].values()) == len(live), f"seed {seed}"
    site, = pagetrail("stacks", run, "--json").json()["sites"]
    assert site["pages_live"] == len(live)


def shake_times(machine, rng, ticks):
    """Records of different harts slip past each other by up to `ticks`; the order within a hart stays."""
    for stream in machine.streams:
        last = 0
        for packet in stream.packets:
            for i, record in enumerate(packet):
                time = max(last, struct.unpack_from("<Q", record)[0] + rng.randrange(ticks))
                packet[i] = struct.pack("<Q", time) + record[8:]
                last = time


@pytest.mark.parametrize("seed", range(5))
def test_harts_that_record_a_little_late(pagetrail, write, seed):
    """A get and a put that two harts record in the wrong order still settle each other."""
    rng = random.Random(seed)
    machine = tracegen.Machine(harts=4)
    pages = [machine.alloc("ANON", "PTE", (1, i)) for i in range(20)]
    for step in range(800):
        page = rng.choice(pages)
        machine.hart = rng.randrange(4)
        machine.get(page, "IO", (machine.hart + 1, step))
        machine.put(page, "IO", (machine.hart + 1, step))
    shake_times(machine, rng, 3 * machine.step)
    summary = pagetrail("summary", write(machine), "--json").json()
    assert summary["out_of_order"] > 0, "the test shook nothing"
    assert summary["open_references"] == len(pages), f"seed {seed}"


@pytest.mark.parametrize("seed", range(3))
def test_page_and_the_replay_pair_alike(pagetrail, write, seed):
    """What `page` shows as open is what the replay counts: early puts, puts under another index, freed while open."""
    rng = random.Random(seed)
    machine = tracegen.Machine(harts=3)
    pages = [machine.alloc("PAGECACHE", "CACHE", (1, i)) for i in range(6)]
    pfns = [page.pfn for page in pages]
    for step in range(60):
        at = rng.randrange(len(pages))
        machine.hart = rng.randrange(3)
        machine.get(pages[at], rng.choice(["IO", "PTE"]), (machine.hart + 1, step % 3))
        machine.hart = rng.randrange(3)
        if rng.random() < 0.6:
            machine.put(pages[at], rng.choice(["IO", "PTE"]), (machine.hart + 1, step % 3))
        if rng.random() < 0.1:
            while pages[at].count:
                machine.put(pages[at], "CACHE", (1, at))
            pages[at] = machine.alloc("ANON", "PTE", (2, at))
            pfns.append(pages[at].pfn)
    shake_times(machine, rng, 3 * machine.step)
    run = write(machine)
    shown = [pagetrail("page", run, hex(pfn), "--json").json() for pfn in set(pfns)]
    assert any("releases" in entry and entry["number"] < entry["releases"] for page in shown for entry in page["entries"]), \
        "no put came before its get: the test shook nothing"
    assert sum(len(page["open"]) for page in shown) == pagetrail("summary", run, "--json").json()["open_references"]


def test_equal_times_are_ordered_by_counts(pagetrail, write):
    """Three harts act on one page in the same tick; only one order fits the counts."""
    machine = tracegen.Machine(harts=3)
    machine.step = 0
    machine.hart = 2
    page = machine.alloc("ANON", "PTE", (1, 0))
    machine.hart = 1
    machine.get(page, "PTE", (2, 0))
    machine.hart = 0
    machine.put(page, "PTE", (1, 0))
    result = pagetrail("page", write(machine), hex(page.pfn), "--json").json()
    assert [e["event"] for e in result["entries"]] == ["page_alloc", "page_get", "page_put"]
    assert pagetrail("summary", write(machine, "again"), "--json").json()["out_of_order"] == 0


def test_boot_pages_have_kinds_but_were_never_free(pagetrail, write):
    machine = tracegen.Machine()
    machine.emit("page_kind", kind=tables.PAGE_KINDS["RAMDISK"], flags=tables.PAGE_KINDS["RAMDISK"] << 4 | 11,
                 pfn=0x84800, before=1, after=1)
    machine.sample()
    summary = pagetrail("summary", write(machine), "--json").json()
    assert summary["live_pages"]["ramdisk"] == 2048
    assert summary["free_pages"] == len(machine.free_pfns) and summary["sample_difference"] == 0


def test_samples_check_the_replay(pagetrail, write):
    machine = tracegen.Machine()
    machine.sample()
    machine.alloc("ANON", "PTE", (1, 0))
    machine.emit("sample", free_pages=len(machine.free_pfns) - 3)
    assert pagetrail("summary", write(machine), "--json").json()["sample_difference"] == -3


def test_page_is_double_entry_bookkeeping(pagetrail, write):
    machine = tracegen.Machine()
    page = machine.alloc("PAGECACHE", "CACHE", (9, 4))
    machine.get(page, "IO", (3, 4))
    machine.get(page, "DIRTY", (9, 4))
    machine.put(page, "IO", (3, 4))
    run = write(machine)
    entries = pagetrail("page", run, hex(page.pfn), "--json").json()["entries"]
    assert [e.get("released_by") for e in entries] == [None, 4, None, None]
    assert entries[3]["releases"] == 2
    text = pagetrail("page", run, hex(page.pfn << 12)).out
    assert "dirty of inode 9, page index 4" in text.split("open:")[1]
    assert "io of pid 3" not in text.split("open:")[1]


def test_dump_is_in_order_and_filters(pagetrail, write):
    machine, _, _ = busy_machine(7, 4, 500)
    run = write(machine)
    times = [float(line.split()[0]) for line in pagetrail("dump", run).out.splitlines()]
    assert len(times) == machine.nr_events and times == sorted(times)
    allocs = pagetrail("dump", run, "--event", "page_alloc").out.splitlines()
    assert allocs and all(" page_alloc " in line for line in allocs)
    assert len(pagetrail("dump", run, "--limit", 3).out.splitlines()) == 3
    pfn = allocs[0].split(" pfn ")[1].split()[0]
    assert all(f"pfn {pfn} " in line for line in pagetrail("dump", run, "--page", pfn).out.splitlines())
    assert pagetrail("dump", run, "--event", "nonsense").status == CANNOT_TELL


def test_stacks_resolve_to_functions_files_and_inlined_frames(pagetrail, write, sites):
    machine = tracegen.Machine()
    machine.alloc("PAGECACHE", "IO", (3, 0), (sites["lookup"], sites["inode_read_cached"], sites["sys_read"]))
    lines = pagetrail("dump", write(machine), "--resolve").out.splitlines()[1:]
    assert [line.split() for line in lines] == [
        ["lookup", "kernel/fs/pagecache.c:150", "(inlined)"],
        ["pagecache_get", "kernel/fs/pagecache.c:210"],
        ["inode_read_cached", "kernel/fs/cached_io.c:20"],
        ["sys_read", "kernel/syscall/sys_file.c:46"],
    ]


def test_a_call_at_the_very_end_of_a_function(pagetrail, write, sites):
    machine = tracegen.Machine()
    machine.alloc("ANON", "PTE", (3, 0), (sites["ends_with_call"],))
    assert "ends_with_call               kernel/boot/panic.c:6" in pagetrail("dump", write(machine), "--resolve").out


def test_without_a_kernel_addresses_stay_numbers(pagetrail, write):
    machine = tracegen.Machine()
    machine.alloc("ANON", "PTE", (1, 0), (0x80200004,))
    result = pagetrail("dump", write(machine, kernel=False), "--resolve")
    assert "0xffffffc080200004" in result.out and "no kernel file" in result.err


def test_call_sites_by_live_peak_and_total(pagetrail, write, sites):
    machine = tracegen.Machine()
    pages = [machine.alloc("ANON", "PTE", (1, i), (sites["mm_fork"],)) for i in range(5)]
    for i, page in enumerate(pages[:3]):
        machine.put(page, "PTE", (1, i))
    machine.alloc("KSTACK", "KSTACK", (1, 0), (sites["kstack_alloc"],))
    text = pagetrail("stacks", write(machine)).out
    assert "live 2, peak 5, total 5; allocated 5 times, freed 3 times" in text
    assert text.index("mm_fork") < text.index("kstack_alloc")
