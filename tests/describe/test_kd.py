# SPDX-License-Identifier: MIT
"""Descriptions written by hand: what is read, what is refused and in which words, what the plugin is given."""
import re
import subprocess

import pytest

from harness import paths
from sanitized import run_sanitized
from snippets import kernel


@pytest.fixture(scope="session")
def elf(compiled):
    return compiled(kernel("per hart", "record"), "-O1")


@pytest.fixture
def check(sanitized_build, elf, tmp_path):
    """check(text, *options, status): (stdout, stderr) of `pagetrail describe` with that description."""
    def run(text, *options, status=0):
        (tmp_path / "my.kd").write_bytes(text if isinstance(text, bytes) else text.encode())
        done = run_sanitized(sanitized_build / "pagetrail", "describe", "--kernel-description", tmp_path / "my.kd", *options,
                             elf, statuses=(status,))
        return done.stdout, done.stderr.replace(str(tmp_path) + "/", "").replace("pagetrail: ", "")
    return run


ENOUGH = "alloc kalloc\nfree kfree push=kfree\n"

REFUSED = [
    ("allocate kalloc", "my.kd:1: allocate is no verb; expected one of symbols, ram, text,"),
    ("\n\nalloc", "my.kd:3: expected a function behind alloc"),
    ("count page=i<<12", "my.kd:1: expected a variable behind count"),
    ("maybe", "my.kd:1: expected a verb behind maybe"),
    ("alloc kalloc pages=1", "my.kd:1: alloc takes no pages; expected one of page, type,"),
    ("root kernel_pagetable va=1", "my.kd:1: root takes nothing more, here is va=1"),
    ("alloc kalloc page", "my.kd:1: page of alloc needs a value: expected page=…, the page"),
    ("alloc kalloc page=", "my.kd:1: page of alloc needs a value"),
    ("alloc kalloc page=ret page=a0", "my.kd:1: page is given twice"),
    ("alloc kalloc type=virtual", "my.kd:1: type=virtual: expected one of va pa pfn struct"),
    ("alloc kalloc type=v", "my.kd:1: type=v: expected one of"),
    ("console sbi=1", "my.kd:1: sbi of console takes no value"),
    ("console", "my.kd:1: console needs one of uart=ADDRESS, pa=ADDRESS, sbi"),
    ("console sbi uart=1", "my.kd:1: console needs one of uart=ADDRESS, pa=ADDRESS, sbi"),
    ("console uart=1", "my.kd:1: console without sbi needs funcs=…: the functions that store to it"),
    ("console pa=1", "my.kd:1: console without sbi needs funcs=…"),
    ("console pa=1 uart=1 funcs=kalloc", "my.kd:1: console needs one of uart=ADDRESS, pa=ADDRESS, sbi"),
    ("pte", "my.kd:1: pte needs funcs=… or levels=…"),
    ("list heads at=8", "my.kd:1: list needs at=… and n=… together"),
    ("list heads n=8", "my.kd:1: list needs at=… and n=… together"),
    ("count refs in=struct", "in=struct needs an item pages, which says where the structures are"),
    ("count refs in=page", "my.kd:1: in=page: expected one of struct"),
    ("mark", "my.kd:1: mark needs one of begin=…, line=…, end=…, panic=…"),
    ('mark begin="^test', "my.kd:1: a quote is opened and not closed"),
    ("text from=1", "my.kd:1: text needs to=…: address behind"),
    ("harts most=1\nharts most=2", "my.kd:2: harts is here a second time"),
    ("alloc kalloc#x", "my.kd:1: a blank must stand in front of #"),
    (b"alloc kalloc\0free kfree", "my.kd: no text"),
    # against the kernel
    ("alloc nobody", "my.kd:1: alloc nobody: there is no function nobody in "),
    ("free kfree push=kfree,nobody", "my.kd:1: free kfree: there is no function nobody in "),
    ("count nobody page=i", "my.kd:1: count nobody: there is no variable nobody in "),
    ("count pages[].none page=i", "my.kd:1: count pages[].none: pages is a struct page[32768], which has no [].none"),
    ("count pages[].count", "my.kd:1: count pages[].count: expected page=…, the page of element i"),
    ("count etext page=i", "my.kd:1: count etext: elem=0: expected the bytes of a number, 1, 2, 4 or 8"),
    ("count pages[].count page=i elem=8 stride=8 size=4", "an element of 8 bytes does not fit stride 8 and size 4"),
    ("pid at=cpus[hart].proc->uid", "my.kd:1: pid: at=cpus[hart].proc->uid: there is no member uid in struct proc"),
    ("pid at=cpus[hart]->proc", "a struct cpu is no number"),
    ("pid at=cpus[hart].context", "a struct context is no number"),
    ("pid at=1+", "at=1+: expected a name or a number at its end"),
    ("pid at=(1", 'at=(1: expected ) at ""'),
    ("pid at=1)", 'at=1): expected an operator at ")"'),
    ("pid at=1/0", "at=1/0: division by 0"),
    ("pid at=12ab", 'expected a number at "12ab"'),
    ("pid at=*cpus[0].noff", "* of what is no pointer: say u64[…]"),
    ("pid at=proc[1][2]", "[ ] behind what is no array"),
    ("pid at=nobody", "at=nobody: there is no nobody in "),
    ("pid at=" + "(" * 200 + "1" + ")" * 200, "too deep"),
    ("pid at=" + "-" * 200 + "1", "expected a name or a number"),
    ("harts most=a0", "most=a0: expected a number that is known before the kernel runs"),
    ("list kmem[].freelist next=prev", "next=prev: there is no member prev in struct run"),
    ("list heads at=nobody+i*8 n=2", "my.kd:1: list heads: at=nobody+i*8: there is no nobody in "),
    ("list heads at=8 n=2 next=next", "my.kd:1: list heads: next=next: there is no next in "),
    ("list heads at=8 n=2 link=8", "my.kd:1: list heads: link= needs an item pages"),
    ("alloc kalloc when=nobody", "my.kd:1: alloc kalloc: when=nobody: there is no nobody in "),
    ("list kmem.freelist", "list kmem.freelist: kmem is a "),
    ("procs proc[] state=status unused=0", "state=status: there is no member status in struct proc"),
    ("procs proc[] state=state unused=NOBODY", "unused=NOBODY: there is no NOBODY in "),
    ("table ftable.file[] used=refs", "used=refs: there is no member refs in struct file"),
    ("weak nothing", "my.kd:1: weak nothing: there is no variable nothing"),
    ("weak nextpid link=none\npages base=kernel_pagetable stride=64 pa=1<<31",
     "my.kd:1: weak nextpid: link=none: there is no member none in struct page"),
    ('mark begin="^test ("', "my.kd:1: mark: begin=^test (: "),
    ("alloc kalloc each=a0", "each needs n= (an array) or link= (a list)"),
]


@pytest.mark.parametrize("text,message", REFUSED, ids=range(len(REFUSED)))
def test_refused_in_words(check, text, message):
    out, err = check(text, status=2)
    assert message in err and not out


def test_what_is_found_reads_back_as_the_same(sanitized_build, elf, check):
    found = run_sanitized(sanitized_build / "pagetrail", "describe", elf).stdout
    again, _ = check(found)
    strip = [line for line in found.splitlines() if not line.startswith("#")]
    assert again.splitlines() == strip
    assert run_sanitized(sanitized_build / "pagetrail", "describe", "--hooks", elf).stdout == check(found, "--hooks")[0]


def test_comments_quotes_and_maybe_are_kept(check):
    out, _ = check('  maybe  alloc\tkalloc fail=0   #  because\n# nothing\n' + "free kfree\n" +
                   r'mark begin="a \"b\" \\(#)"' + "\n")
    assert re.search(r"^maybe alloc kalloc fail=0 +# because$", out, re.M)
    assert r'mark begin="a \"b\" \\(#)"' in out and "nothing" not in out


def test_too_little_to_trace(check):
    out, _ = check("alloc kalloc\n", status=2)
    assert "not enough to trace" in out
    check("state pages[].count page=i<<12 alloc=v>0 free=v==0\n")


def hook(check, text):
    """The one line of the hooks file that an item becomes, as {key: value}."""
    out, _ = check(text + ("" if "alloc" in text else "\n" + ENOUGH), "--hooks")
    verb = text.split()[0]
    line, = [line for line in out.splitlines() if line.startswith(verb + " ")]
    return dict(word.split("=", 1) for word in line.split()[1:])


EXPRESSIONS = [
    ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("1 << 4 | 1", "0x11"), ("7 & 3 == 3", "1"), ("10 - 2 - 3", "5"),
    ("~0 >> 60", "0xf"), ("-1", "0xffffffffffffffff"), ("2 < 1", "0"), ("3 % 2 == 1", "1"), ("8 / 2 / 2", "2"),
    ("1 != 2", "1"), ("5 ^ 1", "4"), ("3 >= 3", "1"), ("ZOMBIE", "5"), ("a0", "a0"), ("a0+a1*2", "(a0+(a1*2))"),
    ("1<<a1", "(1<<a1)"), ("u32[a0+4]", "u32[a0+4]"), ("u8[u64[a0]+i]", "u8[u64[a0]+i]"), ("-a0", "-(a0)"),
    ("v&~3", "(v&0xfffffffffffffffc)"), ("hart", "hart"),
]


@pytest.mark.parametrize("text,compiled_text", EXPRESSIONS)
def test_expressions(check, text, compiled_text):
    assert hook(check, f'pid at="{text}"')["at"] == compiled_text


def test_expressions_over_variables(check, probe, elf):
    def address(path):
        return int(probe(elf, "path", path).stdout.split()[2], 16)
    assert hook(check, "pid at=&proc[1].pid")["at"] == f"{address('proc[1].pid'):#x}"
    assert hook(check, "pid at=proc[1].pid")["at"] == f"u32[{address('proc[1].pid'):#x}]"
    assert hook(check, "pid at=proc")["at"] == f"{address('proc'):#x}"
    assert hook(check, "pid at=end")["at"] == "0x80350400"
    size = address("cpus[1]") - address("cpus[0]")
    assert hook(check, "pid at=cpus[hart].proc->context.sp")["at"] == \
        f"u64[(u64[{address('cpus'):#x}+hart*{size:#x}]+{address('proc[0].context') - address('proc'):#x})+0x8]"
    assert hook(check, "pid at=kernel_pagetable[a1]")["at"] == f"u64[u64[{address('kernel_pagetable'):#x}]+a1*0x8]"
    assert hook(check, "pid at=*kernel_pagetable")["at"] == f"u64[u64[{address('kernel_pagetable'):#x}]]"


def test_arrays_as_numbers(check, probe, elf):
    base, second = (int(probe(elf, "path", f"pages[{i}].count").stdout.split()[2], 16) for i in (0, 1))
    pairs = hook(check, "count pages[].count page=i<<12 funcs=kfree")
    assert int(pairs["lo"], 16) == base and int(pairs["stride"]) == second - base and pairs["elem"] == "4"
    assert int(pairs["hi"], 16) == base + 32767 * (second - base) + 4 and re.fullmatch("0x8.*-0x8.*", pairs["funcs"])
    pairs = hook(check, "state pages[].count page=i type=pfn alloc=v>0 free=v==0 value=v&7")
    assert (pairs["type"], pairs["alloc"], pairs["free"], pairs["value"]) == ("pfn", "(v>0)", "(v==0)", "(v&7)")


def test_calls_as_numbers(check, probe, elf):
    functions = {line.split()[1]: int(line.split()[3], 16) for line in probe(elf).stdout.splitlines()
                 if line.startswith("function ")}
    pairs = hook(check, "alloc kalloc page=ret-8 count=1<<a0 fail=-1 type=pa notinside=kfree\nfree kfree")
    assert pairs == {"name": "kalloc", "entry": f"{functions['kalloc']:#x}", "page": "(ret-8)", "count": "(1<<a0)",
                     "fail": "0xffffffffffffffff", "type": "pa", "notinside": "kfree"}
    pairs = hook(check, "put share page=a0 each=a1 n=4")
    assert (pairs["each"], pairs["n"], pairs["entry"]) == ("a1", "4", f"{functions['share']:#x}")


def test_counts_in_struct_page(check):
    pairs = hook(check, "count refs in=struct off=52 elem=4 value=v&255\npages base=kernel_pagetable stride=64 pa=1<<31")
    assert pairs == {"name": "refs", "in": "struct", "off": "52", "elem": "4", "value": "(v&0xff)"}
    assert hook(check, "pte funcs=walk levels=4")["levels"] == "4"


def test_registries(check, probe, elf):
    """The words of the place, each for itself where others lie between; and the members by which pages hang in it."""
    first, second = (int(probe(elf, "path", f"proc[{i}].pid").stdout.split()[2], 16) for i in (0, 1))
    out, _ = check("weak proc[].pid link=count\nweak proc[]\npages base=kernel_pagetable stride=64 pa=1<<31\n" + ENOUGH, "--hooks")
    lines = [line.split()[1:] for line in out.splitlines() if line.startswith("weak ")]
    assert [f"lo={first:#x}", f"hi={first + 4:#x}"] in lines and [f"lo={second:#x}", f"hi={second + 4:#x}"] in lines
    link, = [dict(word.split("=") for word in line) for line in lines if line[0].startswith("in=")]
    count = int(probe(elf, "path", "pages[0].count").stdout.split()[2], 16)
    pages = int(probe(elf, "path", "pages").stdout.split()[2], 16)
    assert link == {"in": "struct", "off": str(count - pages), "size": "4"}
    proc = int(probe(elf, "path", "proc").stdout.split()[2], 16)
    whole, = [line for line in lines if line[0] == f"lo={proc:#x}"]
    assert int(whole[1][3:], 16) - proc == 64 * (second - first)


def test_a_raw_image_and_its_map(sanitized_build, elf, tmp_path):
    """Symbols of a System.map and code of a raw image give the same hooks as the ELF file."""
    nm = subprocess.run([paths.CROSS + "nm", "-n", elf], check=True, stdout=subprocess.PIPE, text=True).stdout
    (tmp_path / "System.map").write_text(nm)
    subprocess.run([paths.CROSS + "objcopy", "-O", "binary", elf, tmp_path / "Image"], check=True)
    text = "text from=_entry to=0x80002000\nalloc kalloc\nfree kfree push=kfree\n"
    (tmp_path / "elf.kd").write_text(text)
    (tmp_path / "image.kd").write_text("symbols map=System.map va=0x80000000\n" + text)
    run = [run_sanitized(sanitized_build / "pagetrail", "describe", "--hooks", "--kernel-description", tmp_path / kd,
                         file).stdout.splitlines() for kd, file in (("elf.kd", elf), ("image.kd", tmp_path / "Image"))]
    of_calls = [[re.sub(r"-0x\w+", "", line) for line in lines if line.startswith(("alloc", "free", "text"))] for lines in run]
    assert of_calls[0] == of_calls[1] and len(of_calls[0]) == 3
    for text, message in (("symbols map=none va=1", "none: No such file"), ("symbols map=System.map va=x", "expected a number"),
                          ("symbols map=System.map va=1\nalloc kmem", "there is no function kmem"),
                          ("symbols map=System.map va=1\nlist kmem.freelist", "the type of kmem is not known")):
        (tmp_path / "image.kd").write_text(text + "\n")
        done = run_sanitized(sanitized_build / "pagetrail", "describe", "--kernel-description", tmp_path / "image.kd",
                             tmp_path / "Image", statuses=(2,))
        assert message in done.stderr


SHIPPED = sorted((paths.ROOT / "trace-tools/descriptions").glob("*.kd"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_descriptions_parse(sanitized_build, elf, path):
    """What they name is not in our kernel: the first name is what is wrong, not the text."""
    done = run_sanitized(sanitized_build / "pagetrail", "describe", "--kernel-description", path, elf, statuses=(2,))
    assert re.search(r"there is no (function|variable|\w+)|No such file", done.stderr), done.stderr


SPLIT = """
int live;
__attribute__((noinline)) void *outer(int n) { live += n; return kalloc(); }
"""


def test_a_function_that_jumps_to_a_hook_is_a_caller_too(compiled, sanitized_build):
    elf = compiled(kernel(extra=SPLIT, more="outer(3);"), "-O2", "-fno-inline")
    out = run_sanitized(sanitized_build / "pagetrail", "describe", "--hooks", elf).stdout
    assert re.search(r"^alloc name=kalloc .* also=0x8[0-9a-f]+$", out, re.M), out
