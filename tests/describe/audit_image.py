# SPDX-License-Identifier: MIT
"""A copy of RAM for the audit, made by hand: a small kernel's variables, lists and page tables, and what a trace says.

`Image` begins healthy: a kernel table with an identity map, kernel stacks in it, two processes that sleep with page tables
of their own, an open pipe. A test breaks one thing and asks the audit. Nothing here runs: the kernel is compiled for its
debug information alone.
"""
import os
import struct
import subprocess
import sys

from harness import paths

sys.path += [str(paths.ROOT / "tests/trace"), str(paths.BUILD / "trace-tools")]
import tracegen  # noqa: E402 (the paths above)

BASE, PAGES, PAGE = 0x80000000, 1024, 4096
FIRST = 512                                     # of the pages that the allocator owns
KSTACK = 0x3fffff0000                           # process i's stack is mapped at KSTACK - 0x2000 * i
V, R, W, X, U = 1, 2, 4, 8, 16

SOURCE = """
typedef unsigned long uint64; typedef uint64 pte_t; typedef uint64 *pagetable_t;
struct run { struct run *next; };
struct { int lock; struct run *freelist; } kmem;
enum procstate { UNUSED, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };
struct context { uint64 ra, sp, s[12]; };
struct trapframe { uint64 kernel_satp, kernel_sp, epc, a0, registers[28]; };
struct node { struct node *next; char text[64]; };
struct pipe { int lock; unsigned nread; char data[512]; struct node *waiters; };
struct file { int type, ref; struct pipe *pipe; };
struct proc { enum procstate state; int pid; uint64 kstack; pagetable_t pagetable, kpagetable;
	struct trapframe *trapframe; struct context context; struct file *ofile[4]; char name[16]; };
struct proc proc[4];
struct { int lock; struct file file[8]; } ftable;
struct { char text[128]; void *buffer; } cons;
pagetable_t kernel_pagetable;
int refs[1024];
void *weak, *strong;
void *kalloc(void) { struct run *r = kmem.freelist; if (r) kmem.freelist = r->next; return r; }
void kfree(struct run *r) { r->next = kmem.freelist; kmem.freelist = r; }
int touch(int i) { return refs[i] + ftable.file[i].ref + proc[i].pid + (cons.buffer == weak) + (strong == kernel_pagetable); }
"""

DESCRIPTION = """
ram base=0x80000000
map va=0x80000000 pa=0x80000000 size=0x400000
alloc kalloc
free kfree push=kfree
list kmem.freelist next=next
count refs page=0x80000000+(i<<12)
procs proc[] state=state unused=UNUSED running=RUNNING zombie=ZOMBIE pid=pid tables=pagetable,kpagetable stack=kstack sp=context.sp frame=trapframe name=name
root kernel_pagetable
table ftable.file[] used=ref
weak weak
"""
PROC = {"state": 0, "pid": 4, "kstack": 8, "pagetable": 16, "kpagetable": 24, "trapframe": 32, "context": 40,
        "sp": 48, "s0": 56, "ofile": 152, "name": 184, "bytes": 200}


def symbols_of(elf):
    out = subprocess.run([paths.CROSS + "nm", elf], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: int(value, 16) for value, _, name in (line.split() for line in out.splitlines() if line.count(" ") == 2)}


class Image:
    def __init__(self, elf, processes=2, description=DESCRIPTION):
        self.elf, self.description = elf, description
        self.at = symbols_of(elf)
        self.ram = bytearray(PAGES * PAGE)
        self.machine = tracegen.Machine(first_pfn=(BASE >> 12) + FIRST, nr_pages=PAGES - FIRST)
        self.free = list(range(PAGES - 1, FIRST - 1, -1))     # numbers of pages, as the list has them
        self.live = {}                                        # number -> tracegen.Page
        self.leaves = {}                                      # number -> how many
        for number in self.free:                              # boot gives the allocator its pages
            self.machine.emit("page_free", kind=1, flags=0xf0, pfn=(BASE >> 12) + number)
        self.root = self.table()
        self.put(self.at["kernel_pagetable"], self.root)
        self.enter(self.root, BASE, BASE, R | W | X, level=1)  # identity, two leaves of 2 MiB
        self.enter(self.root, BASE + (2 << 20), BASE + (2 << 20), R | W | X, level=1)
        self.processes, self.patches = [], []
        for slot in range(processes):
            self.process(slot)

    # ---- memory ----

    def put(self, address, value, form="Q"):
        struct.pack_into("<" + form, self.ram, address - BASE, value)

    def get(self, address):
        return struct.unpack_from("<Q", self.ram, address - BASE)[0]

    def page(self, pid=1):
        """An allocated page, as address."""
        number = self.free.pop()
        page = self.machine.alloc("ANON", "PTE", (pid, number))
        assert page.pfn == (BASE >> 12) + number
        self.live[number] = page
        self.ram[number * PAGE:(number + 1) * PAGE] = bytes(PAGE)
        return BASE + number * PAGE

    # ---- page tables ----

    table = page

    def enter(self, root, va, pa, flags, level=0):
        """Enters a leaf; makes the tables on the way."""
        table = root
        for at in (2, 1, 0):
            slot = table + (va >> (12 + 9 * at) & 511) * 8
            if at == level:
                self.put(slot, pa >> 12 << 10 | flags | V)
                return slot
            if not self.get(slot):
                self.put(slot, self.table() >> 12 << 10 | V)
            table = self.get(slot) >> 10 << 12
        raise AssertionError(level)

    def map_user(self, slot, va, pa):
        number = (pa - BASE) // PAGE
        self.leaves[number] = self.leaves.get(number, 0) + 1
        self.enter(self.processes[slot]["pagetable"], va, pa, R | W | U)
        self.put(self.at["refs"] + 4 * number, self.leaves[number], "I")
        return pa

    # ---- processes ----

    def member(self, slot, name):
        return self.at["proc"] + slot * PROC["bytes"] + PROC[name]

    def process(self, slot):
        new = {"pagetable": self.page(), "kpagetable": self.page(), "kstack": KSTACK - 0x2000 * slot,
               "trapframe": self.page()}
        new["stack_pa"] = self.page()
        self.enter(self.root, new["kstack"], new["stack_pa"], R | W)
        self.enter(new["kpagetable"], BASE, BASE, R | W | X, level=1)
        for name in ("kstack", "pagetable", "kpagetable", "trapframe"):
            self.put(self.member(slot, name), new[name])
        self.put(self.member(slot, "sp"), new["kstack"] + 0x800)
        self.put(self.member(slot, "state"), 1, "I")
        self.put(self.member(slot, "pid"), slot + 1, "I")
        struct.pack_into("<3s", self.ram, self.member(slot, "name") - BASE, b"sh%d" % slot)
        self.processes.append(new)
        for va in (0, 0x1000, 0x5000):
            self.map_user(slot, va, self.page(slot + 1))

    def free_list(self):
        return [BASE + number * PAGE for number in self.free]

    # ---- out ----

    def write(self, folder):
        """A run folder, as `pagetrail watch` leaves it. The list is linked here, last pushed first."""
        head = 0
        for address in self.free_list():
            self.put(address, head)
            head = address
        self.put(self.at["kmem"] + 8, head)
        return self.write_out(folder)

    def write_out(self, folder):
        for patch in self.patches:
            patch()
        self.machine.write(str(folder), paths.BUILD / "trace-tools/metadata")
        os.makedirs(folder / "kernel", exist_ok=True)
        os.symlink(self.elf, folder / "kernel/kernel.elf")
        (folder / "kernel/kernel.kd").write_text(self.description)
        (folder / "ram").write_bytes(self.ram)
        return folder

    def at_last(self, patch):
        """Calls patch when the lists are linked: what it changes stays."""
        self.patches.append(patch)

