# SPDX-License-Identifier: MIT
"""pagetrail describe: what it finds in kernels of xv6's shape, compiled in many ways, and what it does not claim."""
import random
import re

import pytest

from sanitized import run_sanitized
from snippets import COUNTS, CONSOLE, HEAD, LISTS, PROCESSES, kernel

COMPILED = [("-O0",), ("-O1",), ("-O2",), ("-O1", "-gdwarf-2"), ("-Os",), ("-O2", "-march=rv64ima")]


@pytest.fixture(scope="session")
def describe(sanitized_build):
    """describe(ELF, *options): {verb: [(subject, {key: value}, why, maybe)]}; "#" has the notes."""
    def run(elf, *options, status=0):
        done = run_sanitized(sanitized_build / "pagetrail", "describe", *options, elf, statuses=(status,))
        found = {"#": []}
        for line in done.stdout.splitlines():
            item, _, why = line.partition("# ")
            words = [word.replace('"', "") for word in re.findall(r'(?:"[^"]*"|\S)+', item)]
            maybe = words[:1] == ["maybe"]
            words = words[maybe:]
            if not words:
                found["#"].append(why)
                continue
            pairs = dict((word.split("=", 1) + [""])[:2] for word in words[1:] if "=" in word or word == "sbi")
            subject = words[1] if len(words) > 1 and "=" not in words[1] else None
            found.setdefault(words[0], []).append((subject, pairs, why, maybe))
        return found
    return run


def one(found, verb):
    assert len(found.get(verb, [])) == 1, found.get(verb)
    return found[verb][0]


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
@pytest.mark.parametrize("lists", LISTS)
def test_lists(compiled, describe, lists, flags):
    found = describe(compiled(kernel(lists), *flags))
    alloc, free, head = one(found, "alloc"), one(found, "free"), one(found, "list")
    assert alloc[0] == "kalloc" and not alloc[3] and LISTS[lists][2] in alloc[2]
    assert free[0] == "kfree" and not free[3] and "kfree" in free[1]["push"].split(",")
    assert "kalloc" not in free[1]["push"].split(",")
    assert head[0] == LISTS[lists][2] and head[1] == {"next": "next"}
    assert "count" not in found and any("no reference counts" in note for note in found["#"])


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
@pytest.mark.parametrize("counts", [name for name in COUNTS if name != "none"])
def test_counts(compiled, describe, counts, flags):
    found = describe(compiled(kernel(counts=counts), *flags))
    subject, pairs, _, maybe = one(found, "count")
    assert (subject, pairs["page"], maybe) == (COUNTS[counts][2], COUNTS[counts][3], False)
    writers = {name.split(".")[0] for name in pairs["funcs"].split(",")}
    assert {"kalloc", "kfree", "share"} <= writers <= {"kalloc", "kfree", "share", "freerange", "kinit", "_entry"}
    assert one(found, "alloc")[0] == "kalloc" and one(found, "free")[0] == "kfree"


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_machine_and_processes(compiled, describe, flags):
    found = describe(compiled(kernel(members="pagetable_t kpagetable; uint64 *kernel_pgtbl; uint64 *numbers;"), *flags))
    assert all(item[2] for verb, items in found.items() if verb != "#" for item in items), "DETECT-3: every item says why"
    subject, pairs, _, maybe = one(found, "procs")
    assert subject == "proc[]" and not maybe
    assert pairs == {"state": "state", "unused": "UNUSED", "running": "RUNNING", "zombie": "ZOMBIE", "pid": "pid",
                     "tables": "pagetable,kpagetable,kernel_pgtbl", "stack": "kstack", "sp": "context.sp",
                     "frame": "trapframe", "name": "name"}
    assert one(found, "pid")[1] == {"at": "cpus[hart].proc->pid"} and one(found, "harts")[1] == {"most": "8"}
    assert one(found, "root")[0] == "kernel_pagetable" and one(found, "table")[:2] == ("ftable.file[]", {"used": "ref"})
    assert one(found, "map")[1] == {"va": "0x80000000", "pa": "0x80000000", "size": "0x8000000"}
    assert one(found, "text")[1] == {"from": "_entry", "to": "etext"} and one(found, "stack")[1] == {"size": "4096", "unwind": "fp"}
    writers = {name.split(".")[0] for name in one(found, "pte")[1]["funcs"].split(",")}
    assert {"walk", "unmap"} <= writers and not writers & {"nothing_of", "uartputc", "kfree"}
    console = one(found, "console")[1]
    assert console["uart"] == "0x10000000" and "uartinit" not in console["funcs"] and "uartputc" in console["funcs"]


def test_kernel_stacks_of_more_pages(compiled, describe):
    found = describe(compiled(kernel(), "-O1", "-DSTACK_PAGES=4"))
    assert one(found, "stack")[1] == {"size": "16384", "unwind": "fp"}


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_other_names(compiled, describe, flags):
    found = describe(compiled(kernel(alloc="take_frame", free="give_frame"), *flags))
    assert one(found, "alloc")[0] == "take_frame" and one(found, "free")[0] == "give_frame"


STEALING = """
__attribute__((noinline)) struct run *steal(int from) {
  struct run *r = kmem[from].freelist;
  if (r) kmem[from].freelist = r->next;
  return r;
}
__attribute__((noinline)) void refill(int to) {
  for (int i = 0; i < NCPU; i++) { struct run *r = steal(i); if (r) { r->next = kmem[to].freelist; kmem[to].freelist = r; return; } }
}
"""


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_moving_between_lists_is_neither_alloc_nor_free(compiled, describe, flags):
    source = kernel("per hart").replace("__attribute__((noinline)) void *kalloc",
                                        STEALING + "__attribute__((noinline)) void *kalloc").replace(
        "if (r) kmem[cpuid()].freelist = r->next;", "if (r) kmem[cpuid()].freelist = r->next; else refill(cpuid());")
    found = describe(compiled(source, *flags))
    assert one(found, "alloc")[0] == "kalloc" and one(found, "free")[0] == "kfree"
    assert not {"refill", "steal", "kalloc"} & set(one(found, "free")[1]["push"].split(","))


WRAPPED = """
__attribute__((noinline)) void *page_new(void) {
  for (int i = 0; i < NCPU; i++) { void *r = take_from(i); if (r) return r; }
  return 0;
}
"""


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_a_wrapper_is_what_counts(compiled, describe, flags):
    source = kernel("per hart", alloc="page_new").replace("void *page_new(void)", "void *take_from(int id)").replace(
        "__attribute__((noinline)) void freerange", WRAPPED + "__attribute__((noinline)) void freerange")
    found = describe(compiled(source, *flags))
    assert one(found, "alloc")[0] == "page_new"


@pytest.mark.parametrize("free", ["kfree", "give_frame"])
@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_a_range_is_no_free(compiled, describe, flags, free):
    """A young kernel frees nothing yet but the range that the boot hands over: its only caller is no wrapper."""
    source = kernel(free=free).replace("#define FREE " + free, "#define FREE(page)")
    found = describe(compiled(source, *flags))
    assert [item[0] for item in found.get("free", [])] in ([free], [])


SUPERPAGES = """
struct { struct spinlock lock; struct run *freelist; } super;
__attribute__((noinline)) void superfree(void *pa) {
  memset(pa, 1, 512 * PGSIZE);
  acquire(&super.lock);
  struct run *r = pa; r->next = super.freelist; super.freelist = r;
  release(&super.lock);
}
__attribute__((noinline)) void *superalloc(void) {
  acquire(&super.lock);
  struct run *r = super.freelist; if (r) super.freelist = r->next;
  release(&super.lock);
  return r;
}
"""


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_superpages(compiled, describe, flags):
    found = describe(compiled(kernel(extra=SUPERPAGES, more="superfree(superalloc());"), *flags))
    assert [(item[0], item[1].get("count")) for item in found["alloc"]] == [("kalloc", None), ("superalloc", "512")]
    assert [(item[0], item[1].get("count")) for item in found["free"]] == [("kfree", None), ("superfree", "512")]
    assert [(item[0], item[1].get("pages")) for item in found["list"]] == [("kmem.freelist", None),
                                                                          ("super.freelist", "512")]


OBJECTS = """
struct timer { struct timer *next; uint64 when; };
struct timer timers[32]; struct timer *idle;
__attribute__((noinline)) struct timer *timer_new(void) { struct timer *t = idle; if (t) idle = t->next; return t; }
__attribute__((noinline)) void timer_old(struct timer *t) { t->next = idle; idle = t; }
"""


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_objects_are_no_pages(compiled, describe, flags):
    found = describe(compiled(kernel(extra=OBJECTS, more="timer_old(timers); timer_new();"), *flags))
    assert one(found, "alloc")[0] == "kalloc" and one(found, "list")[0] == "kmem.freelist"
    assert any("idle looks like a list of struct timer" in note for note in found["#"])


NUMBERS = """
char stack0[32768]; int scores[40000];
__attribute__((noinline)) void score(int i) { scores[i] = stack0[i]++; }
"""


@pytest.mark.parametrize("flags", COMPILED, ids=" ".join)
def test_large_arrays_are_no_counts(compiled, describe, flags):
    found = describe(compiled(kernel(extra=NUMBERS, more="score(3);"), *flags))
    assert "count" not in found


def test_no_allocator_is_said(compiled, describe):
    """DETECT-1: what has the shape of none is not described."""
    source = HEAD + "#define ALLOC(x) 0\n#define FREE(x)\n#define MORE\n" + PROCESSES % "" + CONSOLE + \
        "int marks[32768]; void _entry(void) { marks[((uint64)kernel_pagetable - KERNBASE) / PGSIZE]++; uartputc(cpuid()); proc[1].state = USED; cpus[0].proc = proc; }"
    found = describe(compiled(source), status=2)
    assert not {"alloc", "free", "list", "count"} & set(found)
    assert any("no allocator of pages was found" in note for note in found["#"])
    assert any("marks[32768] is indexed by pages' addresses" in note for note in found["#"])
    assert any("not enough to trace" in note for note in found["#"])


def test_processes_without_a_table(compiled, describe):
    """Allocated one by one, say: the audit cannot walk them, but each hart still points to its own."""
    found = describe(compiled(kernel().replace("struct proc proc[64];", "struct proc *all; struct proc first;")
                              .replace("&proc[cpuid()]", "&first"), "-O1"))
    assert "procs" not in found and one(found, "pid")[1] == {"at": "cpus[hart].proc->pid"}
    assert any("no table of processes" in note for note in found["#"])


BITMAP = """
uchar used[32768];
__attribute__((noinline)) void kfree(void *pa) { used[((uint64)pa - KERNBASE) / PGSIZE] = 0; }
__attribute__((noinline)) void *kalloc(void) { for (int i = 0; i < 32768; i++) if (!used[i]) { used[i] = 1; return (void *)(KERNBASE + i * PGSIZE); } return 0; }
"""


def test_by_name_alone_is_a_guess(compiled, describe):
    """DETECT-2"""
    source = HEAD + BITMAP + "void _entry(void) { kfree(kalloc()); }"
    found = describe(compiled(source))
    assert one(found, "alloc")[0] == "kalloc" and one(found, "alloc")[3] and one(found, "free")[3]


def test_without_debug_information(compiled, describe):
    found = describe(compiled(kernel(), "-O1", "-g0"), status=2)
    assert set(found) == {"#"} and any("no debug information" in note for note in found["#"])


def test_a_program_of_the_host(describe):
    found = describe("/bin/true", status=2)
    assert any("not for RISC-V" in note for note in found["#"])


def test_damaged_kernels_never_end_it(compiled, sanitized_build, tmp_path):
    """CODE-3"""
    seeds = random.Random(4)
    for flags in (("-O1",), ("-O2", "-gdwarf-2")):
        whole = compiled(kernel("per hart", "record"), *flags).read_bytes()
        for _ in range(40):
            damaged = bytearray(whole)
            for _ in range(seeds.choice((1, 10, 300))):
                damaged[seeds.randrange(len(damaged))] = seeds.choice((0, 0x7f, 0xff, seeds.randrange(256)))
            (tmp_path / "damaged").write_bytes(damaged[:seeds.choice((len(damaged), seeds.randrange(len(damaged))))])
            done = run_sanitized(sanitized_build / "pagetrail", "describe", tmp_path / "damaged", statuses=(0, 2))
            assert done.stdout.strip() or done.stderr.startswith("pagetrail: ")
