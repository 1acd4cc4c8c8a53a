# SPDX-License-Identifier: MIT
"""target/types: what it says of functions, variables and types, for every DWARF version, and of damaged files."""
import random
import subprocess

import pytest

from harness import paths

SOURCE = """
typedef unsigned long uint64; typedef uint64 pte_t; typedef uint64 *pagetable_t; typedef unsigned char uchar;
enum procstate { UNUSED, USED, RUNNING = 4, BAD = -3 };
struct context { uint64 ra, sp; };
struct file { int ref; };
struct proc {
  struct { unsigned locked; char *name; } lock;
  enum procstate state;
  int pid;
  pagetable_t pagetable;
  union { uint64 word; struct { unsigned low, high; }; };
  struct context context;
  struct file *ofile[3];
  char name[16];
  unsigned flag : 1, mode : 3, wide : 20;
  uint64 big : 40;
  struct proc *next;
};
struct proc proc[4] = {{ .pid = 7 }};
static volatile int counter = 3;
uchar refs[2][8];
struct proc *current;
extern int later; int later = 5;
const char *text = "hello";
__attribute__((noinline)) void *kalloc(int n) { static int calls; calls += n; pte_t *pte = &proc[n].word; *pte = n; return current; }
__attribute__((noinline)) static void nothing(void) { counter++; }
__attribute__((noinline)) static int part(struct proc *p, int unused) { if (!p) return 0; counter += p->pid; return counter; }
void _entry(void) { kalloc(2); nothing(); part(proc, 3); part(current, 4); refs[1][2]++; later++; text++; }
"""


@pytest.fixture(params=["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"])
def elf(request, compiled):
    return compiled(SOURCE, "-O1", request.param)


def lines(done, what):
    return [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith(what + " ")]


def test_globals_and_members(elf, probe):
    done = probe(elf)
    globals_ = {line.split()[0]: line for line in lines(done, "global")}
    assert globals_["proc"].endswith("struct proc[4]") and globals_["refs"].endswith(" 16 uchar[2][8]")
    assert globals_["calls"].endswith("int of kalloc") and globals_["current"].endswith("struct proc *")
    assert globals_["counter"].endswith(" 4 int") and globals_["later"].endswith(" 4 int")
    leaves = {line.split()[0]: line.split(" ", 1)[1] for line in lines(done, "leaf")}
    assert leaves["proc[0].lock.locked"] == "+0 unsigned int" and leaves["proc[0].lock.name"] == "+8 char *"
    assert leaves["proc[0].state"] == "+16 enum procstate" and leaves["proc[0].pagetable"] == "+24 pagetable_t"
    assert leaves["proc[0].high"] == "+36 unsigned int" and leaves["proc[0].context.sp"] == "+48 uint64"
    assert leaves["proc[0].ofile[2]"] == "+72 struct file *" and leaves["proc[1].ofile[2]"] == "+184 struct file *"
    assert leaves["proc[0].name"] == "+80 char[16]"
    assert leaves["proc[0].flag"] == "+96 unsigned int bits 0-0" and leaves["proc[0].mode"] == "+96 unsigned int bits 1-3"
    assert leaves["proc[0].wide"] == "+96 unsigned int bits 4-23"
    assert leaves["proc[0].big"] == "+96 uint64 bits 24-63"
    assert leaves["refs[0]"] == "+0 uchar[8]" and leaves["refs[1]"] == "+8 uchar[8]"


def test_functions(elf, probe):
    functions = {line.split()[0]: line for line in lines(probe(elf), "function")}
    assert "typed void *(int n" in functions["kalloc"] and "pte_t * pte" in functions["kalloc"]
    assert functions["nothing"].split()[1].startswith("nothing") and functions["_entry"].endswith("void()")
    assert functions["part"].split()[0] == "part"


def test_clones_have_their_symbol(compiled, probe):
    functions = lines(probe(compiled(SOURCE, "-O2")), "function")
    clone = [line for line in functions if line.startswith("part part.")]
    assert len(clone) == 1, functions


def test_paths(elf, probe):
    out = probe(elf, "path", "proc", "proc[2].context.sp", "proc[1].high", "proc[4]", "proc.pid", "nobody", "current.pid",
                "proc[1].nothing", "proc[", "proc[1]x").stdout.splitlines()
    base = int(out[0].split()[2], 16)
    size = int(out[0].split()[-1]) // 4
    assert int(out[1].split()[2], 16) == base + 2 * size + 48 and out[1].endswith(" uint64 8")
    assert int(out[2].split()[2], 16) == base + size + 36
    assert out[3] == "path proc[4]: proc is a struct proc[4], which has no [4]"
    assert "there is no variable nobody in " in out[5]
    assert all(": " in line for line in out[3:])


def test_enumerators(elf, probe):
    out = probe(elf, "enum", "RUNNING", "BAD", "NONE").stdout
    assert out == "enum RUNNING 4\nenum BAD -3\nenum NONE none\n"


def test_without_debug_information(compiled, probe):
    """TYPES-4"""
    done = probe(compiled(SOURCE, "-O1", "-g0"))
    assert "no debug information" in lines(done, "problem")[0]
    assert not lines(done, "global")
    functions = {line.split()[0]: line for line in lines(done, "function")}
    assert "untyped" in functions["kalloc"] and int(functions["kalloc"].split()[3]) > 0


def test_system_map(compiled, probe, tmp_path):
    elf = compiled(SOURCE, "-O1")
    text = subprocess.run([paths.CROSS + "nm", "-n", elf], check=True, stdout=subprocess.PIPE, text=True).stdout
    (tmp_path / "System.map").write_text(text)
    subprocess.run([paths.CROSS + "objcopy", "-O", "binary", elf, tmp_path / "Image"], check=True)
    done = probe("--map", tmp_path / "System.map", tmp_path / "Image", "0x80000000")
    assert [line.split()[0] for line in lines(done, "function")] == \
        [line.split()[1] for line in sorted(lines(probe(elf), "function"), key=lambda f: int(f.split()[2], 16))]
    (tmp_path / "System.map").write_text(text + "not a map\n")
    done = probe("--map", tmp_path / "System.map", tmp_path / "Image", "0x80000000", statuses=(2,))
    assert f":{len(text.splitlines()) + 1}: no line of a System.map" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"hello" * 1000, b"\x7fELF\x01\x01\x01" + bytes(200),
                                     b"\x7fELF\x02\x02\x01" + bytes(200)])
def test_no_elf_file(probe, tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert "ELF file" in probe(tmp_path / "file", statuses=(2,)).stderr


def test_missing_file(probe, tmp_path):
    assert "No such file" in probe(tmp_path / "none", statuses=(2,)).stderr


def test_damaged_files_never_end_it(compiled, probe, tmp_path):
    """TYPES-3: bytes changed anywhere, in the debug sections above all; each file is read to an answer or refused in words."""
    seeds = random.Random(9)
    for version in ("-gdwarf-2", "-gdwarf-5"):
        whole = compiled(SOURCE, "-O1", version).read_bytes()
        sections = subprocess.run([paths.CROSS + "readelf", "-SW", compiled(SOURCE, "-O1", version)], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
        debug = [(int(words[3], 16), int(words[4], 16)) for words in
                 (line.split("]", 1)[1].split() for line in sections.splitlines() if "] .debug_" in line)]
        debug = [(offset, size) for offset, size in debug if size]
        for _ in range(40):
            damaged = bytearray(whole)
            for _ in range(seeds.choice((1, 3, 30))):
                offset, size = seeds.choice(debug) if seeds.random() < .8 else (0, len(whole))
                damaged[offset + seeds.randrange(size)] = seeds.choice((0, 1, 0x7f, 0x80, 0xff, seeds.randrange(256)))
            (tmp_path / "damaged").write_bytes(damaged[:seeds.choice((len(damaged), seeds.randrange(len(damaged))))])
            done = probe(tmp_path / "damaged", statuses=(0, 2))
            assert done.returncode == 0 or done.stderr.strip()
