# SPDX-License-Identifier: MIT
"""The memory of a real kernel, damaged at random: findings and messages, never an exception or an endless loop.

Each case is replayed by its seed: pytest -k 'damage and seed12'.
"""
import random
import time

import pytest
from debugger import run_gdb
from harness.machine import RAM_BASE, Machine
from pagetrail_gdb.model.audit import Audit
from pagetrail_gdb.model.claims import accounting_of
from pagetrail_gdb.model.errors import ReadError
from pagetrail_gdb.model.kernel import Kernel
from pagetrail_gdb.model.memory import BytesMemory
from pagetrail_gdb.model.pages import pages_of
from pagetrail_gdb.model.pagetable import walk_tree
from pagetrail_gdb.model.stacks import saved_registers, stack_range, unwind
from pagetrail_gdb.model.tasks import all_tasks
from pagetrail_gdb.model.trace import Depot, Trace
from target import quiet_ram

SECONDS_MAX = 20  # of CPU; an audit takes well under one; this only catches loops
WILD = (0, 1, 8, 0x6b6b6b6b6b6b6b6b, 0x5a5a5a5a5a5a5a5a, 0xffffffffffffffff, 0xffffffc080000000, 0xffffffc087fffff8,
        0x80400000)


@pytest.fixture(scope="module")
def ram(layout, tmp_path_factory):
    """RAM of a machine at the prompt that has done something."""
    with Machine(tmp_path_factory.mktemp("damage"), smp=2) as machine:
        machine.shell("stressfs")
        machine.shell("ls /bin")
        yield quiet_ram(machine, layout)


def interesting_ranges(layout, ram):
    """(pa, size) of everything that holds structures: image data, page array, page tables, slabs, trace headers."""
    kernel = Kernel(layout, BytesMemory(RAM_BASE, ram))
    pages = pages_of(kernel)
    wanted = [pages.kind_value(kind) for kind in ("PAGETABLE", "SLAB", "KSTACK")]
    ranges = [(page.pfn << 12, 4096) for page in pages if page.kind in wanted] * 4
    at = pages.first
    used = [pfn for pfn, row in enumerate(pages.rows, at) if row[0] != pages.free]
    ranges += [(kernel.read_symbol("pages") - kernel.offset + (pfn - at) * 32, 32) for pfn in used[-512:]]
    for name in ("task_all", "mm_all", "buddy", "caches", "pagecache", "trace_desc", "kernel_root_pa", "pages", "nr_pages",
                 "managed_pfn", "icache.c:buckets", "proc_all", "fs/pipe.c:pipes", "mount.c:superblocks"):
        va, kind = layout.symbol(name)
        ranges += [(va - kernel.offset, kind.size)] * 8
    return ranges


def damage(ram, ranges, rng):
    """A copy of RAM with a few words overwritten, by junk, wild pointers, or words from elsewhere."""
    broken = bytearray(ram)
    for _ in range(rng.choice((1, 3, 30))):
        pa, size = rng.choice(ranges)
        at = pa - RAM_BASE + rng.randrange(max(size // 8, 1)) * 8
        other = rng.choice(ranges)[0] - RAM_BASE
        word = rng.choice((rng.choice(WILD).to_bytes(8, "little"), rng.randbytes(8), bytes(broken[other:other + 8]),
                           bytes(broken[at:at + 7]) + rng.randbytes(1)))
        broken[at:at + 8] = word
    return broken


def look_at_everything(kernel, findings):
    """All that the model can do, each part on its own, as the commands do it."""
    def everything():
        yield lambda: Audit(kernel, findings, poison=True)
        yield lambda: accounting_of(kernel, findings)
        yield lambda: list(walk_tree(kernel, kernel.kernel_root_pa(), "kernel", findings))
        yield lambda: Trace(kernel, findings).newest(100)
        yield lambda: Trace(kernel, findings).of_page({0x80460})
        yield lambda: [Depot(kernel).frames(stack) for stack in range(20)]
        yield lambda: [unwind(kernel, saved_registers(task), *stack_range(kernel, task), "stack", findings)
                       for task in all_tasks(kernel, findings) if stack_range(kernel, task)]
    for look in everything():
        try:
            look()
        except ReadError as error:
            findings.append(error)


@pytest.mark.parametrize("seed", range(40), ids=lambda seed: f"seed{seed}")
def test_damage(layout, ram, seed):
    broken = damage(ram, interesting_ranges(layout, ram), random.Random(seed))
    findings, begin = [], time.process_time()
    look_at_everything(Kernel(layout, BytesMemory(RAM_BASE, broken)), findings)
    assert time.process_time() - begin < SECONDS_MAX
    assert len(findings) < 200000


@pytest.mark.parametrize("field,bit", [("magic", 0), ("stream", 1), ("instance", 0), ("packet_size_bits", 9),
                                       ("content_size_bits", 40), ("begin_time", 50), ("end_time", 50), ("sequence", 0),
                                       ("events_discarded", 40), ("cpu", 0), ("boot_id", 5)])
def test_a_bit_of_a_packet_header(layout, ram, field, bit):
    """Flipped in the oldest of hart 0's packets: a finding names that packet, or the next one, which does not fit behind it."""
    kernel = Kernel(layout, BytesMemory(RAM_BASE, ram))
    desc = kernel.read_symbol("trace_desc")
    ring = desc.elements("rings")[0]
    assert ring["opened"] > 1
    base, packet = ring["base_pa"], max(0, ring["opened"] - desc["nr_packets"]) % desc["nr_packets"]
    offset, _ = layout.struct("trace_packet_header").resolve(field)
    at = base - RAM_BASE + packet * desc["packet_bytes"] + offset + bit // 8
    broken = bytearray(ram)
    broken[at] ^= 1 << bit % 8
    findings = []
    Trace(Kernel(layout, BytesMemory(RAM_BASE, broken)), findings)
    assert findings and all("ring 0 packet " in str(finding) or "ring 0 packet " in finding.where for finding in findings)


@pytest.mark.parametrize("seed", range(100, 104), ids=lambda seed: f"seed{seed}")
def test_damage_seen_by_the_commands(layout, ram, seed, tmp_path):
    """The same through gdb: every command ends with text."""
    path = tmp_path / "ram"
    path.write_bytes(damage(ram, interesting_ranges(layout, ram), random.Random(seed)))
    run_gdb(["ps", "vmprint 1", "vmprint -k", "buddy-print -v", "page-owner 0x80460", "page-history -s 0x80460",
             "trace-dump -s 50", "kstack-print all", "slab-print -p", "slab-print inode", "pagecache-print", "pagecache-print 0", "dirty-print",
             "pcp-print", "freemem", "audit -p", "leaks", "panic", "whatis 0x80460000", "pte-walk 0x10000 1"], ram=path)


def test_undamaged_has_no_findings(layout, ram):
    findings = []
    audit = Audit(Kernel(layout, BytesMemory(RAM_BASE, ram)), findings, poison=True)
    assert not findings and not audit.verdicts and not audit.busy
