# SPDX-License-Identifier: MIT
"""Each structure that the commands walk, broken on purpose in a real kernel's memory: a finding names it, and the command goes
on to its end. A traceback, an endless loop or silence fails.

The breaks are made in a copy of the machine's RAM file, at addresses that the scripts' own model finds, one after the other
while one gdb looks at it; at the end of this file also in a live machine, through QEMU's gdbstub.
"""
import re
import struct

import pytest
from debugger import run_gdb
from harness.machine import PROMPT, RAM_BASE, Machine
from pagetrail_gdb.model.kernel import Kernel
from pagetrail_gdb.model.memory import BytesMemory
from pagetrail_gdb.model.pagecache import mappings_of
from pagetrail_gdb.model.pages import pages_of
from pagetrail_gdb.model.slab import caches_of
from pagetrail_gdb.model.tasks import all_mms, all_tasks, find_task, root_of
from target import Target, quiet_ram

WILD, ODD, DEVICE = 0x6b6b6b6b6b6b6b6b, 0xffffffc080460001, 0x10000000


@pytest.fixture(scope="module")
def ram(layout, tmp_path_factory):
    """RAM of a quiet machine with dirty pages, parked pages and a shell."""
    with Machine(tmp_path_factory.mktemp("whole"), smp=2) as machine:
        machine.expect(PROMPT)
        machine.shell("fill /tmp/big 300K")
        machine.shell("ls /bin")
        yield quiet_ram(machine, layout)


class Breaker:
    """Plans what to write into a kernel's RAM. pokes: [(offset, bytes)]."""

    def __init__(self, layout, ram):
        self.ram = ram
        self.kernel = Kernel(layout, BytesMemory(RAM_BASE, ram))
        self.layout = layout
        self.pokes = []

    def poke_pa(self, pa, value, size=8):
        content = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        assert content != self.ram[pa - RAM_BASE:pa - RAM_BASE + size], "this breaks nothing"
        self.pokes.append((pa - RAM_BASE, content))

    def poke(self, va, value, size=8):
        self.poke_pa(self.kernel.va_to_pa(va), value, size)

    def peek(self, va):
        return struct.unpack_from("<Q", self.ram, self.kernel.va_to_pa(va) - RAM_BASE)[0]

    def member(self, obj, path, value):
        """obj.path = value."""
        offset, kind = obj.type.resolve(path)
        self.poke(obj.va + offset, value, kind.size)

    def variable(self, name, path, value):
        va, kind = self.layout.symbol(name)
        offset, member = kind.resolve(path)
        self.poke(va + offset, value, member.size)

    def page(self, pfn, path, value):
        kind = self.layout.struct("page")
        offset, member = kind.resolve(path)
        base = self.kernel.read_symbol("pages") + (pfn - pages_of(self.kernel).first) * kind.size
        self.poke(base + offset, value, member.size)

    # ---- things to break ----

    def task(self, name):
        return next(task for task in all_tasks(self.kernel, []) if task.text("name") == name)

    def mm(self):
        return next(mm for mm in all_mms(self.kernel, []) if mm["pid"] == 1)

    def root(self):
        return root_of(self.kernel, self.mm())

    def table(self):
        """pa of the second-level table of the first entry of init's root."""
        return self.kernel.pte.pa(self.kernel.memory.read_u64(self.root()))

    def big(self):
        """The mapping with a tree of nodes and dirty pages."""
        return max(mappings_of(self.kernel, []), key=lambda mapping: len(mapping.dirty))

    def cache(self, name):
        return next(cache for cache in caches_of(self.kernel, []) if cache.name == name)

    def slab(self, name):
        """(pfn, header) of a cache's first slab."""
        cache = self.cache(name)
        return cache.slabs[0], cache.header(cache.slabs[0])

    def proc(self):
        return self.kernel.obj("proc", find_task(self.kernel, 1, [])["proc"])

    def inode(self):
        return self.kernel.obj("inode", self.proc()["cwd"])

    def superblock(self):
        """The first one mounted: the root's."""
        link = self.peek(self.kernel.symbol_va("mount.c:superblocks"))
        return self.kernel.container("superblock", "link", link)

    def free_block(self):
        """pfn of the first block of the longest free list."""
        lists = self.kernel.read_symbol("buddy").elements("lists")
        return max(lists, key=lambda one: one["nr_blocks"])["first"]

    def parked(self):
        """(hart, pfn) of a page in a per-hart cache."""
        return next((hart, obj["first"]) for hart, obj in enumerate(self.kernel.read_symbol_array("pcps")) if obj["nr"] > 1)

    def ring_pa(self, hart=0):
        return self.kernel.read_symbol("trace_desc")[f"rings[{hart}].base_pa"]


def entry(pa):
    """A page-table entry that leads to a table."""
    return pa >> 12 << 10 | 1


# (what is broken, how, the command that walks it, what it must find)
CASES = {
    "tasks: a loop": (
        lambda b: b.member(b.task("sh"), "all_link.next", b.task("sh").at("all_link")),
        "ps", r"task_all: the list runs in a loop"),
    "tasks: a wild link": (lambda b: b.member(b.task("init"), "all_link.next", WILD), "ps", r"task_all: wild link"),
    "tasks: a misaligned link": (
        lambda b: b.member(b.task("init"), "all_link.next", ODD),
        "ps", r"task_all: wild link .*not aligned"),
    "tasks: one-way": (
        lambda b: b.member(b.task("sh"), "all_link.prev", b.kernel.symbol_va("task_all")),
        "ps", r"task_all: .* points back to"),
    "tasks: mm is wild": (lambda b: b.member(b.task("sh"), "mm", WILD), "ps", r"pid \d+: mm:"),
    "harts: current is wild": (lambda b: b.variable("harts", "[0].current", WILD), "ps", r"PID"),
    "mms: a loop": (
        lambda b: b.member(b.mm(), "all.next", b.mm().at("all")),
        "audit", r"mm_all: .*(loop|points back)"),
    "mms: head is wild": (lambda b: b.variable("mm_all", "next", WILD), "audit", r"mm_all: wild link"),
    "mm: root is wild": (lambda b: b.member(b.mm(), "root", WILD), "audit", r"mm \d+: root: 0x6b"),
    "vmas: a loop": (
        lambda b: b.poke(b.peek(b.mm().at("vmas.next")), b.peek(b.mm().at("vmas.next"))),
        "audit", r"vmas of mm \d+: the list runs in a loop"),
    "vmas: misaligned": (lambda b: b.member(b.mm(), "vmas.next", ODD), "audit", r"vmas of mm \d+: wild link"),
    "page table: cyclic": (
        lambda b: b.poke_pa(b.root() + 8, entry(b.root())),
        "vmprint 1", r"leads to table 0x\w+ a second time"),
    "page table: cyclic below": (
        lambda b: b.poke_pa(b.table() + 8, entry(b.root())),
        "audit", r"leads to table 0x\w+ a second time"),
    "page table: outside RAM": (
        lambda b: b.poke_pa(b.root() + 8, entry(DEVICE)),
        "vmprint 1", r"level 1 table: physical 0x10000000"),
    "page table: no leaf at level 0": (
        lambda b: b.poke_pa(b.kernel.pte.pa(b.kernel.memory.read_u64(b.table())) + 8, entry(0x80460000)),
        "vmprint 1", r"at level 0 is valid but no leaf"),
    "page table: kernel root is wild": (
        lambda b: b.variable("kernel_root_pa", "", WILD),
        "vmprint -k", r"level 2 table|outside RAM"),
    "buddy: a loop": (lambda b: b.page(b.free_block(), "next", b.free_block()), "buddy-print", r"list \d+: .*loop"),
    "buddy: to nowhere": (lambda b: b.page(b.free_block(), "next", 0x12345), "buddy-print", r"not managed"),
    "buddy: head to nowhere": (
        lambda b: b.variable("buddy", "lists[0].first", 0xffffffff),
        "buddy-print", r"list 0: leads to pfn 0xffffffff"),
    "pcp: a loop": (
        lambda b: b.page(b.parked()[1], "next", b.parked()[1]),
        "pcp-print", r"cache of hart \d: its list .*a loop"),
    "pcp: to nowhere": (
        lambda b: b.variable("pcps", f"[{b.parked()[0]}].first", 0x7),
        "pcp-print", r"cache of hart \d: its list leads to pfn 0x7"),
    "pcp: a page in use": (
        lambda b: b.page(b.parked()[1], "count", 1),
        "pcp-print", r"on its list has kind pcp, order 0, count 1"),
    "slab: list to nowhere": (
        lambda b: b.member(b.cache("inode").obj, "partial", 0x12345),
        "slab-print", r"cache inode: list partial leads to pfn 0x12345, outside RAM"),
    "slab: list in a loop": (
        lambda b: b.page(b.slab("inode")[0], "next", b.slab("inode")[0]),
        "slab-print", r"cache inode: list \w+ leads to pfn 0x\w+, which is on a list already"),
    "slab: no header": (
        lambda b: b.member(b.slab("task")[1], "magic", 0),
        "slab-print task", r"cache task: slab 0x\w+ has a header"),
    "slab: bitmap": (
        lambda b: b.member(b.slab("task")[1], "live[0]", 0),
        "slab-print task", r"0 objects live, counted \d+"),
    "slab: the empty one is wild": (
        lambda b: b.member(b.cache("pipe").obj, "empty", WILD),
        "slab-print", r"the empty slab: 0x6b"),
    "slab: objects that cannot be": (
        lambda b: b.member(b.cache("mm").obj, "per_slab", 60000),
        "slab-print", r"cache mm: .*that cannot be"),
    "slab: name is wild": (lambda b: b.member(b.cache("mm").obj, "name", WILD), "slab-print", r"\?"),
    "radix: root is wild": (
        lambda b: b.member(b.big().obj, "tree.root", WILD),
        "pagecache-print", r"wild node: 0x6b"),
    "radix: a node twice": (
        lambda b: b.poke(b.big().nodes[0] + b.layout.struct("radix_node").offset("slots"), b.big().nodes[0]),
        "pagecache-print", r"is in the tree twice"),
    "radix: height": (
        lambda b: b.member(b.big().obj, "tree.height", 99),
        "pagecache-print", r"height 99 is more than any index needs"),
    "radix: a page of another": (
        lambda b: b.page(b.big().pages[3][1].pfn, "owner.index", 999),
        "pagecache-print", r"belongs to page 999"),
    "mappings: wild": (
        lambda b: b.variable("pagecache", "mappings.next", WILD),
        "pagecache-print", r"list of mappings: wild link"),
    "dirty: a loop": (
        lambda b: b.poke(b.peek(b.big().obj.at("dirty.next")), b.peek(b.big().obj.at("dirty.next"))),
        "dirty-print", r"dirty list of .*: the list runs in a loop"),
    "dirty: a wild page": (
        lambda b: b.poke(b.big().dirty[0].va + b.layout.struct("dirty_record").offset("page"), WILD),
        "dirty-print", r"dirty record 0x\w+: 0x6b"),
    "inodes: a bucket in a loop": (
        lambda b: b.member(b.inode(), "hash_link.next", b.inode().at("hash_link")),
        "audit", r"inode bucket \d+: .*(loop|points back)"),
    "inodes: count": (
        lambda b: b.member(b.inode(), "count", 77),
        "audit", r"inode 2 at 0x\w+: count 77, but held by \d+ \(.*working directory of pid 1"),
    "files: count": (
        lambda b: b.poke(b.proc()["files"][0] + b.layout.struct("file").offset("count"), 9, 4),
        "audit", r"file 0x\w+: count 9, but held by \d+ \(fd 0 of pid 1"),
    "procs: wild": (lambda b: b.variable("proc_all", "next", WILD), "audit", r"proc_all: wild link"),
    "procs: a wild file": (lambda b: b.member(b.proc(), "files[5]", WILD), "audit", r"file 5 of proc 0x\w+: "),
    "procs: a wild directory": (
        lambda b: b.member(b.proc(), "cwd", WILD),
        "audit", r"inode 0x6b\w+: held by working directory"),
    "pipes: wild": (lambda b: b.variable("fs/pipe.c:pipes", "next", WILD), "audit", r"list of pipes: wild link"),
    "procs: wild children": (
        lambda b: b.member(b.proc(), "children.next", ODD),
        "audit", r"children of proc 0x\w+: wild link"),
    "tasks: a run queue in a loop": (
        lambda b: b.variable("runqueue.c:runqueue", "next", ODD),
        "audit", r"run queue: wild link"),
    "superblocks: private is wild": (
        lambda b: b.member(b.superblock(), "private", WILD),
        "audit", r"superblock 0x\w+: "),
    "stack: frame pointer in a circle": (
        lambda b: (b.member(b.task("init"), "context.s[0]", b.task("init")["context.sp"] + 16),
            b.poke(b.task("init")["context.sp"], b.task("init")["context.sp"] + 16)),
        "kstack-print 1", r"frame pointer 0x\w+ does not rise"),
    "stack: sp elsewhere": (
        lambda b: b.member(b.task("init"), "context.sp", 0xffffffc080460000),
        "kstack-print 1", r"pid 1: saved sp 0xffffffc080460000 is outside its kernel stack"),
    "stack: not mapped": (
        lambda b: b.member(b.task("init"), "kstack", 0xffffffff7fff0000),
        "kstack-print 1", r"kernel stack page 0x\w+: .*not mapped"),
    "trace: no magic": (lambda b: b.poke_pa(b.ring_pa(), 0, 4), "trace-dump 3 0", r"ring 0 packet 0: magic 0x0"),
    "trace: content": (
        lambda b: b.poke_pa(b.ring_pa() + 16, WILD),
        "trace-dump 3 0", r"ring 0 packet 0: content of \d+ bytes"),
    "trace: ring is wild": (
        lambda b: b.variable("trace_desc", "rings[1].base_pa", WILD),
        "trace-dump 3", r"ring 1: physical 0x6b"),
    "trace: packets that cannot be": (
        lambda b: b.variable("trace_desc", "packet_bytes", 7),
        "trace-dump", r"trace_desc: packets of 7 bytes"),
    "trace: depot is wild": (
        lambda b: b.variable("trace_desc", "depot_pa", WILD),
        "page-owner 0x80480", r"no stack recorded|freed by"),
    "pages: pointer is wild": (
        lambda b: b.variable("pages", "", WILD),
        "freemem", r"freemem: .*not mapped|outside RAM"),
    "pages: too many": (
        lambda b: b.variable("nr_pages", "", 0x7fffffff),
        "freemem", r"nr_pages is 2147483647, RAM has 32768"),
    "audit: a free page is mapped": (
        lambda b: b.poke_pa(b.kernel.pte.pa(b.kernel.memory.read_u64(b.table())) + 8, b.free_block() << 10 | 0x13),
        "audit", r"STALE pfn 0x\w+ free"),
    "audit: a free page is written": (
        lambda b: b.poke_pa((b.free_block() << 12) + 64, 0x41),
        "audit -p", r"POISON pfn 0x\w+ free"),
    "audit: a lost object": (
        lambda b: b.member(b.slab("vma")[1], "live[0]", (1 << b.cache("vma").per_slab) - 1),
        "audit", r"OBJ object 0x\w+ cache vma"),
}


_POKE = "python f = open({path!r}, 'r+b'); [(f.seek(at), f.write(content)) for at, content in {pokes!r}]; f.close()"


@pytest.fixture(scope="module")
def outputs(layout, ram, tmp_path_factory):
    """{case: what its command and the audit said, while it was broken}."""
    path = tmp_path_factory.mktemp("broken") / "ram"
    path.write_bytes(ram)
    commands, at = [], {}
    for name, (break_it, command, _) in CASES.items():
        breaker = Breaker(layout, ram)
        break_it(breaker)
        whole = [(offset, ram[offset:offset + len(content)]) for offset, content in reversed(breaker.pokes)]
        at[name] = len(commands) + 1
        commands += [_POKE.format(path=str(path), pokes=breaker.pokes), command, "audit",
                     _POKE.format(path=str(path), pokes=whole)]
    found = run_gdb(commands, ram=path, timeout=300)
    assert path.read_bytes() == ram
    return {name: found[i:i + 2] for name, i in at.items()}


@pytest.mark.parametrize("name", CASES)
def test_broken(outputs, name):
    text = outputs[name][0]
    assert re.search(CASES[name][2], text), text[-3000:]


def test_the_whole_one_has_no_finding(ram, tmp_path):
    (tmp_path / "ram").write_bytes(ram)
    commands = sorted({command for _, command, _ in CASES.values()})
    assert "finding:" not in "".join(run_gdb(commands, ram=tmp_path / "ram"))


def test_broken_through_the_live_stub(tmp_path):
    """gdb writes into the machine itself; what was broken is mended at the end, so that it runs on."""
    with Target(tmp_path, smp=2) as machine:
        machine.expect(PROMPT)
        found = machine.gdb([
            "set $old = task_all.next", "set variable task_all.next = (struct list *)0x6b6b6b6b6b6b6b6b", "ps",
            "set variable task_all.next = $old", "set $first = buddy.lists[0].first",
            "set variable buddy.lists[0].first = 0x12345", "buddy-print", "set variable buddy.lists[0].first = $first",
            "set $live = mm_all.next", "set variable mm_all.next = (struct list *)((char *)mm_all.next + 1)", "audit",
            "set variable mm_all.next = $live", "audit"])
        assert "task_all: wild link" in found.by("ps")
        assert "list 0: leads to pfn 0x12345" in found.by("buddy-print")
        assert "mm_all: wild link" in found[10]
        assert found[12].splitlines()[-1] == "verdict: clean"
        assert "hello" in machine.shell("echo hello")
