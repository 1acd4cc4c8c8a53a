# SPDX-License-Identifier: MIT
"""The audit of a copy of RAM: a healthy one, the same with one thing broken, and memory that means harm."""
import json
import random
import shutil

import pytest
from audit_image import BASE, DESCRIPTION, FIRST, KSTACK, PAGE, PAGES, SOURCE, U, V, Image, R, W, symbols_of, tracegen
from conftest import run_sanitized


@pytest.fixture
def image(compiled):
    return Image(compiled(SOURCE))


@pytest.fixture
def audit(sanitized_build, tmp_path):
    """audit(image): what --json says of it, and that the text can be printed, too."""
    def run(image, *words, trace=True):
        folder = image.write(tmp_path / "run")
        if not trace:
            shutil.rmtree(folder / "trace")
        said = json.loads(run_sanitized(sanitized_build / "pagetrail", "audit", folder, "--json", *words, statuses=(0, 1, 2)).stdout)
        done = run_sanitized(sanitized_build / "pagetrail", "audit", folder, *words, statuses=(0, 1, 2))
        assert ["no leaks", "leaked", "cannot tell"][done.returncode] == said["verdict"]
        assert ("no leaks" in done.stdout) == (done.returncode == 0), done.stdout
        said["text"] = done.stdout
        return said
    return run


def of(said, verdict):
    return [page["pa"] for page in said["pages"] if page["verdict"] == verdict]


def holder_of(said, pa):
    return next(page["held_by"] for page in said["pages"] if page["pa"] == pa)


# ---- held, and by what ----

def test_a_healthy_kernel(audit, image):
    said = audit(image)
    assert said["verdict"] == "no leaks", said["reasons"]
    assert said["managed"] == PAGES - FIRST and said["free"] == len(image.free) and said["held"] == len(image.live)
    assert said["free_checked"] and said["quiescent"] and not said["faults"]
    assert [(p["pid"], p["name"], p["state"]) for p in said["processes"]] == [(1, "sh0", "SLEEPING"), (2, "sh1", "SLEEPING")]
    process = image.processes[1]
    assert holder_of(said, process["pagetable"]) == "proc[1].pagetable"
    assert holder_of(said, process["trapframe"]) == "proc[1].trapframe"
    assert holder_of(said, process["stack_pa"]) == f"kernel_pagetable leaf {hex(KSTACK - 0x2000)}"
    assert {page["held_by"] for page in said["pages"]} >= {f"proc[{i}].pagetable leaf {va}" for i in (0, 1)
                                                           for va in ("0x0", "0x1000", "0x5000")}


def pointed_to_by(image, where, value=lambda page: page):
    page = image.page()
    image.put(where(image), value(page))
    return page


HELD = {
    "a variable": (lambda i: i.at["strong"], "strong"),
    "a member of a variable": (lambda i: i.at["cons"] + 128, "cons.buffer"),
    "an open file": (lambda i: i.at["ftable"] + 8 + 3 * 16 + 8, "ftable.file[3].pipe"),
    "a file of a process": (lambda i: i.member(1, "ofile") + 8, "proc[1].ofile[1]"),
    "a saved register": (lambda i: i.member(0, "s0") + 24, "proc[0].context.s[3]"),
    "a stack": (lambda i: i.processes[0]["stack_pa"] + 0xff8, f"stack of proc[0] at {hex(KSTACK + 0xff8)}"),
}


@pytest.mark.parametrize("what", HELD)
def test_what_holds_a_page(audit, image, what):
    where, name = HELD[what]
    page = pointed_to_by(image, where, lambda page: page + 16)
    image.put(image.at["ftable"] + 8 + 3 * 16 + 4, 1, "I")     # the file is in use
    said = audit(image)
    assert said["verdict"] == "no leaks" and holder_of(said, page) == name


def test_a_page_that_a_page_holds(audit, image):
    """A pipe's page points to a node in another page, and that to a third; what is text in a pipe is not looked at."""
    pipe, node, third, lost = (image.page() for _ in range(4))
    image.put(image.at["ftable"] + 8 + 4, 1, "I")
    image.put(image.at["ftable"] + 8 + 8, pipe)
    image.put(pipe + 8 + 512, node)
    image.put(node + 128, third)
    image.put(pipe + 8 + 64, lost)
    said = audit(image)
    assert holder_of(said, node) == f"page {hex(pipe)} + 0x208" and holder_of(said, third) == f"page {hex(node)} + 0x80"
    assert said["verdict"] == "leaked" and of(said, "leaked") == [lost]


# ---- leaked, although a stale word says otherwise ----

STALE = {
    "nothing": lambda i, page: None,
    "an unused slot's file": lambda i, page: i.put(i.member(3, "ofile"), page),
    "an unused slot's saved register": lambda i, page: i.put(i.member(3, "s0"), page),
    "a closed file": lambda i, page: i.put(i.at["ftable"] + 8 + 5 * 16 + 8, page),
    "text": lambda i, page: i.put(i.at["cons"] + 40, page),
    "below the stack pointer": lambda i, page: i.put(i.processes[0]["stack_pa"] + 0x7f8, page),
    "a user's register": lambda i, page: i.put(i.processes[0]["trapframe"] + 48, page),
    "user memory": lambda i, page: i.put(i.map_user(0, 0x9000, i.page()), page),
    "a variable that holds nothing": lambda i, page: i.put(i.at["weak"], page),
    "a free page": lambda i, page: i.at_last(lambda: i.put(BASE + i.free[5] * PAGE + 64, page)),
    "the kernel's view of RAM": lambda i, page: i.enter(i.processes[1]["kpagetable"], page, page, R | W),
}


@pytest.mark.parametrize("what", STALE)
def test_leaked(audit, image, what):
    page = image.page()
    STALE[what](image, page)
    said = audit(image)
    assert said["verdict"] == "leaked" and of(said, "leaked") == [page] and not said["faults"], said["text"]
    assert hex(page) in said["text"]


def test_a_zombie_needs_no_stack(audit, image):
    page = pointed_to_by(image, lambda i: i.processes[0]["stack_pa"] + 0xff8)
    image.put(image.member(0, "state"), 4, "I")
    assert of(audit(image), "leaked") == [page]


# ---- not the last word ----

def test_processes_that_run(audit, image):
    """What a process allocated that runs may be in its registers; what another one did has leaked."""
    image.put(image.member(1, "state"), 3, "I")
    image.machine.pid = 2
    own = image.page()
    image.machine.pid = 7
    other = image.page()
    said = audit(image)
    assert of(said, "uncertain") == [own] and of(said, "leaked") == [other]
    assert not said["quiescent"] and "processes still running" in said["reasons"]


def test_a_runnable_process_alone(audit, image):
    image.put(image.member(1, "state"), 2, "I")
    said = audit(image)
    assert said["verdict"] == "cannot tell" and said["reasons"] == ["processes still running"]


def test_pages_free_in_memory_only(audit, image):
    number = min(image.live)
    image.machine.put(image.live[min(image.live)], "PTE", (1, number))   # freed in the trace, still held and not listed
    said = audit(image)
    assert said["verdict"] == "cannot tell" and said["free_only_in_trace"] == 1 and said["free_only_listed"] == 0


def test_pages_lost_from_the_list(audit, image):
    lost = image.free.pop(7)
    said = audit(image)
    assert said["free_only_in_trace"] == 1 and said["faults"] == {"lost-from-list": 1} and of(said, "uncertain") == [BASE + lost * PAGE]


def test_pages_free_in_the_trace_only(audit, image):
    page = image.page()
    image.free.append((page - BASE) // PAGE)
    said = audit(image)
    assert said["verdict"] == "cannot tell" and said["free_only_listed"] == 1


def test_without_a_trace(audit, image):
    """What lies between the pages of the lists is the allocator's."""
    page = image.page()
    image.free = [number for number in image.free if number != FIRST + 300]
    said = audit(image, trace=False)
    assert not said["free_checked"] and said["verdict"] != "no leaks"
    assert BASE + (FIRST + 300) * PAGE in of(said, "leaked") and page not in of(said, "held")


def test_a_trace_with_losses(audit, image):
    image.machine.streams[0].discard(3)
    said = audit(image)
    assert said["verdict"] == "cannot tell" and "the trace is not complete" in said["reasons"]


def test_without_debug_information(audit, image, compiled):
    image.elf = compiled(SOURCE, "-O1", "-g0")
    image.description = "alloc kalloc\nfree kfree push=kfree\n"
    said = audit(image)
    assert said["verdict"] == "cannot tell" and "debug information" in said["reasons"][0]


def test_a_variable_without_a_type(audit, compiled):
    image = Image(compiled(SOURCE + '__asm__(".data\\n.globl untyped\\n.align 3\\n.type untyped,@object\\n.size untyped,16\\n'
                                    'untyped: .quad 1, 1\\n.text\\n");'))
    page = pointed_to_by(image, lambda i: i.at["untyped"] + 8)
    said = audit(image)
    assert of(said, "uncertain") == [page] and "untyped" in said["text"] and said["verdict"] == "cannot tell"


# ---- faults ----

def test_a_page_on_two_lists(audit, compiled):
    """Of a list for each CPU: no list is a loop, and the page is handed out twice."""
    source = SOURCE.replace("struct { int lock; struct run *freelist; } kmem;", "struct { int lock; struct run *freelist; } kmem[2];")
    source = source.replace("kmem.freelist", "kmem[0].freelist")
    image = Image(compiled(source), description=DESCRIPTION.replace("kmem.freelist", "kmem[].freelist"))
    image.at_last(lambda: image.put(image.at["kmem"] + 24, BASE + image.free[4] * PAGE))
    said = audit(image)
    assert said["faults"] == {"double-free": 5}, said["text"]      # it, and the four behind it


def link(image, number, to):
    image.at_last(lambda: image.put(BASE + number * PAGE, to))


FAULTS = {
    "double-free": lambda i: link(i, i.free[9], BASE + i.free[20] * PAGE),
    "list-broken": lambda i: link(i, i.free[9], 0x12345000),
    "mapped-free": lambda i: i.enter(i.processes[0]["pagetable"], 0x7000, BASE + i.free[3] * PAGE, R | U),
    "table-free": lambda i: i.free.append((i.processes[0]["pagetable"] - BASE) // PAGE),
    "table-twice": lambda i: i.put(i.processes[0]["pagetable"] + 8 * 7, i.processes[0]["pagetable"] >> 12 << 10 | V),
    "dead-table": lambda i: i.put(i.member(1, "state"), 0, "I"),
    "over": lambda i: i.put(i.at["refs"] + 4 * (max(i.leaves)), 2, "I"),
    "under": lambda i: i.put(i.at["refs"] + 4 * (max(i.leaves)), 0, "I"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(audit, compiled, fault):
    image = Image(compiled(SOURCE), processes=4)
    FAULTS[fault](image)
    said = audit(image)
    assert said["verdict"] == "leaked" and fault in said["faults"], said
    assert said["findings"] and fault in said["text"]


def test_a_loop_is_named_and_ends(audit, image):
    link(image, image.free[9], BASE + image.free[9] * PAGE)
    said = audit(image)
    assert said["faults"] == {"double-free": 1} and "loop" in said["findings"][0]["text"]


def test_the_tree_of_a_dead_process(audit, image):
    """All its pages have leaked, and each says what it once was."""
    image.put(image.member(1, "state"), 0, "I")
    said = audit(image)
    once = {page["once_held_by"] for page in said["pages"] if page["verdict"] == "leaked"}
    assert {"proc[1].pagetable", "proc[1].pagetable leaf 0x5000", "proc[1].kpagetable"} <= once


def test_counts_that_follow_no_rule(audit, image):
    for number in image.leaves:
        image.put(image.at["refs"] + 4 * number, number % 7, "I")
    said = audit(image)
    assert said["verdict"] == "cannot tell"
    assert said["counts_checked"] and said["counts_differ"] == 5 and "another in RAM than in the trace" in said["reasons"][0]
    assert "follow no rule" in said["reasons"][1]


# ---- a description that is wrong, of a kernel in which a page has leaked ----

WRONG = {
    "states are pids": ("state=state unused=UNUSED", "state=pid unused=1"),
    "processes that sleep are no processes": ("unused=UNUSED", "unused=SLEEPING"),
    "stacks for page tables": ("tables=pagetable,kpagetable", "tables=kstack"),
    "trap frames for page tables": ("tables=pagetable,kpagetable", "tables=trapframe"),
    "no free list": ("list kmem.freelist next=next\n", ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_description(audit, compiled, what):
    """Neither "no leaks" nor a page that is said to have leaked: what it leaves out would be among them."""
    assert WRONG[what][0] in DESCRIPTION
    image = Image(compiled(SOURCE), processes=3, description=DESCRIPTION.replace(*WRONG[what]))
    image.page()
    said = audit(image)
    assert said["verdict"] == "cannot tell" and not of(said, "leaked"), said["text"]


def test_page_tables_of_processes_not_described(audit, compiled):
    """What looks like one is walked: all is held, and the leak is found."""
    image = Image(compiled(SOURCE), description=DESCRIPTION.replace("tables=pagetable,kpagetable", ""))
    leaked = image.page()
    assert of(audit(image), "leaked") == [leaked]


def test_stacks_not_described(audit, compiled):
    image = Image(compiled(SOURCE), description=DESCRIPTION.replace("stack=kstack sp=context.sp", ""))
    image.machine.pid = 1
    of_living = image.page()
    image.machine.pid = 77
    of_dead = image.page()
    said = audit(image)
    assert of(said, "uncertain") == [of_living] and of(said, "leaked") == [of_dead]


def test_a_trace_that_contradicts_the_list(audit, image):
    """Frees that the trace does not have: its allocations may be as wrong, and no page is certain."""
    image.page()
    image.at_last(lambda: image.machine.emit("page_alloc", kind=0, flags=0xf0, pfn=(BASE >> 12) + image.free[7]))
    said = audit(image)
    assert said["free_only_listed"] == 1 and said["verdict"] == "cannot tell" and not of(said, "leaked")


def test_an_allocator_without_pages(audit, image):
    image.free, image.live = [], {}
    said = audit(image, trace=False)
    assert said["managed"] == 0 and said["verdict"] == "cannot tell" and "owns no page" in said["text"]


def test_a_page_table_that_is_being_built(audit, image):
    """exec() went to sleep while it read the program: only its stack leads to the new table."""
    root, user = image.table(), image.page()
    image.enter(root, 0x3000, user, R | W | U)
    image.put(image.at["refs"] + 4 * ((user - BASE) // PAGE), 1, "I")
    image.put(image.processes[0]["stack_pa"] + 0xff0, root)
    said = audit(image)
    assert said["verdict"] == "no leaks", said["text"]
    assert holder_of(said, user).endswith("leaf 0x3000")


def test_no_processes_described(audit, compiled):
    image = Image(compiled(SOURCE), description="\n".join(line for line in DESCRIPTION.split("\n") if not line.startswith("procs")))
    assert "whether one runs is not known" in audit(image)["text"]


def test_no_page_table_of_a_process_is_found(audit, compiled):
    """Whatever nothing reaches may be mapped by one of them."""
    image = Image(compiled(SOURCE), processes=0,
                  description="\n".join(line for line in DESCRIPTION.split("\n") if not line.startswith("procs")))
    page = image.page()
    said = audit(image)
    assert said["verdict"] == "cannot tell" and of(said, "uncertain") == [page], said["text"]


def test_nothing_to_compare_the_trace_with(audit, compiled):
    """No free list is described, and none was free in the trace: that is no self-check that holds."""
    image = Image(compiled(SOURCE), description=DESCRIPTION.replace("list kmem.freelist next=next\n", ""))
    said = audit(image)
    assert not said["free_checked"] and "self-check: the pages that are free" not in said["text"]


# ---- memory that means harm ----

@pytest.mark.parametrize("seed", range(12))
def test_random_memory(audit, compiled, seed):
    """Any bytes anywhere: the audit ends, says something, and stays within the copy."""
    rng = random.Random(seed)
    image = Image(compiled(SOURCE), processes=4)

    def spoil():
        for _ in range(rng.choice([3, 300, 30000])):
            word = rng.choice([rng.getrandbits(64), BASE + rng.randrange(PAGES * PAGE), rng.randrange(PAGES) << 10 | V | BASE >> 2,
                               (1 << 64) - 1 - rng.randrange(1 << 20), KSTACK + rng.randrange(1 << 16)])
            image.put(BASE + rng.randrange(PAGES * PAGE // 8) * 8, word)
    image.at_last(spoil)
    audit(image)


def test_tables_that_all_name_each_other(audit, image):
    """512 x 512 x 512 entries for each of 4 processes, were every one followed."""
    table = image.processes[0]["pagetable"]
    for i in range(512):
        image.put(table + 8 * i, (BASE + (FIRST + i) * PAGE) >> 12 << 10 | V)
        for k in range(512):
            image.at_last(lambda i=i, k=k: image.put(BASE + (FIRST + i) * PAGE + 8 * k, (BASE + (FIRST + k) * PAGE) >> 12 << 10 | V))
    audit(image)


@pytest.mark.parametrize("bytes_left", [0, PAGE - 1, PAGE, FIRST * PAGE // 3, FIRST * PAGE + 5])
def test_a_copy_that_is_cut_off(sanitized_build, image, tmp_path, bytes_left):
    folder = image.write(tmp_path / "run")
    with open(folder / "ram", "r+b") as ram:
        ram.truncate(bytes_left)
    done = run_sanitized(sanitized_build / "pagetrail", "audit", folder, statuses=(1, 2))
    assert "no leaks" not in done.stdout


# ---- struct page, blocks, slabs ----

FRAMES = """
typedef unsigned long uint64;
struct list { struct list *next, *prev; };
struct cache { int size; struct list slabs; };
struct page { int order, inuse; struct list node; struct cache *cache; void *objects; uint64 pad; };
struct page pages[1024];
struct list free_lists[3];
struct cache things;
struct thing { void *data; uint64 words[3]; };
void *block;
struct page *alloc(int order) { struct page *p = (void *)free_lists[order].next; return p + (block == 0) + things.size; }
void release(struct page *p, int order) { p->order = order; }
"""
FRAMES_DESCRIPTION = """
ram base=0x80000000
map va=0x80000000 pa=0x80000000 size=0x400000
pages base=pages stride=48 pa=0x80000000
alloc alloc page=ret type=struct count=1<<a0
free release page=a0 type=struct count=1<<a1
slab free=objects size=cache->size used=inuse
list free_lists[] next=next link=node pages=1<<[1] type=struct
"""
FRAME = 48


class Frames:
    """All free pages are blocks of 4 in free_lists[2]; a slab with one live and one free thing."""

    def __init__(self, elf):
        self.elf, self.at, self.description, self.patches = elf, symbols_of(elf), FRAMES_DESCRIPTION, []
        self.ram = bytearray(PAGES * PAGE)
        self.machine = tracegen.Machine(first_pfn=(BASE >> 12) + FIRST, nr_pages=PAGES - FIRST)
        self.free = list(range(FIRST, PAGES, 4))
        for number in self.free:
            self.machine.emit("page_free", kind=1, flags=0xf2, pfn=(BASE >> 12) + number)
        self.slab, self.held, self.stale = (self.take(0)[0] for _ in range(3))
        frame = self.frame(self.slab)
        self.put(self.at["things"], 32, "I")
        self.ring(self.at["things"] + 8, [frame + 8])
        self.put(frame + 4, 1, "I")                          # one object is in use
        self.put(frame + 24, self.at["things"])
        self.put(frame + 32, self.address(self.slab) + 32)     # the free one, second in the page
        self.put(self.address(self.slab), self.address(self.held))
        self.put(self.address(self.slab) + 40, self.address(self.stale))

    put, get, at_last = Image.put, Image.get, Image.at_last

    def frame(self, number):
        return self.at["pages"] + number * FRAME

    def address(self, number):
        return BASE + number * PAGE

    def take(self, order):
        """A block from the first pages that are free; the rest of its four goes with it, one by one."""
        first = self.free.pop(0)
        self.machine.emit("page_alloc", kind=1, flags=0xf0 | order, pfn=(BASE >> 12) + first, after=1)
        left = [first + i for i in range(1 << order, 4)]
        self.loose = getattr(self, "loose", []) + left
        return [first + i for i in range(1 << order)]

    def ring(self, head, nodes):
        around = [head, *nodes]
        for one, following in zip(around, around[1:] + around[:1]):
            self.put(one, following)
            self.put(following + 8, one)

    def write(self, folder):
        self.ring(self.at["free_lists"], [self.frame(number) + 8 for number in self.loose])
        self.ring(self.at["free_lists"] + 16, [])
        self.ring(self.at["free_lists"] + 32, [self.frame(number) + 8 for number in self.free])
        return Image.write_out(self, folder)


@pytest.mark.parametrize("name", ["page", "frame"])
def test_blocks_and_slabs(audit, compiled, name):
    """A pointer to one page of a block holds all of it; what stands in a free object holds nothing."""
    frames = Frames(compiled(FRAMES.replace("struct page", f"struct {name}")))
    if name != "page":
        frames.description = frames.description.replace("stride=48", f"stride=48 struct={name}")
    block, lost = frames.take(2), frames.take(1)
    frames.put(frames.at["block"], frames.frame(block[2]))
    said = audit(frames)
    assert said["free_checked"] and said["free_only_listed"] == said["free_only_in_trace"] == 0, said["reasons"]
    assert {page["pa"]: page["held_by"] for page in said["pages"] if page["pa"] in map(frames.address, block)} \
        == {frames.address(number): "block" for number in block}
    assert holder_of(said, frames.address(frames.slab)).startswith("things.slabs")
    assert holder_of(said, frames.address(frames.held)) == f"page {hex(frames.address(frames.slab))} + 0x0"
    # Nothing tells where page tables are, so what nothing reaches may be mapped.
    assert sorted(of(said, "uncertain")) == sorted(map(frames.address, [frames.stale, *lost]))
