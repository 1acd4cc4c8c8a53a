# SPDX-License-Identifier: MIT
"""The part of the plugin that follows pointers, in a process of our own (follow.c): no QEMU, no guest."""
import re
import subprocess

import pytest
from harness import paths

PARTS = "follow follow_code follow_write locations frames alias weak reach freed guest hooks hooks_follow line expr insn sites".split()
# A kernel of which text is page 0, its variables page 1, the array of struct page (32 bytes each) page 2, stacks pages 48 on.
HOOKS = """text lo=0x80000000 hi=0x80001000
map va=0x80000000 pa=0x80000000 size={size:#x}
pages base=u64[0x80001000] stride={stride} pa=0x80000000
stack base=0x80000000 size=4096
{all}func entry=0x80000100 args=1
func entry=0x80000200 args=1
func entry=0x80000300 args=1 observer=1
"""
VARIABLE, PAGES = 0x80001100, 0x80002000
STACK_TOP = 0x80031000
PAGE, OTHER = 0x80010000, 0x80011000


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    path = tmp_path_factory.mktemp("follow") / "follow"
    sources = [paths.ROOT / "tests/watch/follow.c", *(paths.ROOT / f"trace-tools/plugin/{part}.c" for part in PARTS)]
    subprocess.run(["gcc", "-O1", "-g", "-Wall", "-Wno-unused-parameter", "-D_GNU_SOURCE", "-I", paths.ROOT / "trace-tools",
                    "-I", paths.ROOT / "kernel/include", "-o", path, *sources], check=True)
    return path


@pytest.fixture
def follow(binary, tmp_path):
    """Runs what the guest does; returns the lives: {base: {"kind", "heap", "frames", "lost": {what: (by, pc)}, …}}."""
    def follow(script, hooks="", size=0x40000, stride=32, whole=False, every=True):
        (tmp_path / "hooks").write_text(HOOKS.format(size=size, stride=stride, all="" if "freed=" in hooks or not every else "follow all=1\n") + hooks)
        begin = [f"store 0x80000010 {PAGES} 0x80001000", f"reg 2 {STACK_TOP - 0x100}", f"reg 8 {STACK_TOP - 0x40}",
                 "reg 1 0x80000050"]
        done = subprocess.run([binary, tmp_path / "hooks"], input="\n".join([*begin, *script, ""]), capture_output=True,
                              text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout if whole else read(done.stdout)
    return follow


def read(text):
    lives, life = {}, None
    for line in text.splitlines():
        words = line.split()
        if words[0] == "life":
            life = {"kind": words[1], "lost": {}, "held": [], "given": []}
            life.update({key: int(words[words.index(key) + 1]) for key in ("heap", "outside", "frames")})
            base = int(words[2], 0)
            lives[("objref", base) if words[1] == "objref" else base] = life
        elif words[0] in ("location", "frame"):
            life["lost"][words[0]] = (words[1], int(words[2], 0))
        elif words[0] == "given":
            life["given"].append((int(words[1], 0), int(words[words.index("handled") + 1])))
        elif words[0] == "held":
            life["held"].append(int(words[1], 0))
    assert re.search(rf"^end {len(lives)} blind 0$", text, re.M), text
    return lives


def returned(frame=True):
    """The function that was under way returns: its frame is gone."""
    return [f"reg 2 {STACK_TOP - 0x40}", f"reg 8 {STACK_TOP - 0x10}", "reg 10 0", "return 0x80000080"]


def test_the_last_location_is_overwritten(follow):
    life = follow([f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", f"store 0x80000044 0 {VARIABLE}", *returned()])[PAGE]
    assert life["heap"] == life["frames"] == 0
    assert life["lost"]["location"] == ("overwritten", 0x80000048)
    assert life["lost"]["frame"][0] == "popped"


def test_a_variable_holds(follow):
    life = follow([f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", *returned()])[PAGE]
    assert life["heap"] == 1 and not life["lost"] and life["held"] == [VARIABLE]


def test_a_small_number_and_a_strange_one_hold_nothing(follow):
    lives = follow([f"page {PAGE} 1", f"store 0x80000040 5 {VARIABLE}", f"store 0x80000040 {PAGE << 8} {VARIABLE + 8}", *returned()])
    assert lives[PAGE]["heap"] == 0 and lives[PAGE]["lost"]["frame"][0] == "popped"


@pytest.mark.parametrize("value", [PAGE + 8, PAGES + (PAGE - 0x80000000 >> 12) * 32, PAGE >> 12, (PAGE >> 12) << 10 | 7,
                                   8 << 60 | PAGE >> 12])
def test_each_form_of_a_pointer_holds(follow, value):
    life = follow([f"page {PAGE} 1", f"store 0x80000040 {value} {VARIABLE}", *returned()])[PAGE]
    assert life["heap"] == 1 and not life["lost"]


def test_a_registry_holds_nothing(follow):
    script = [f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", *returned()]
    life = follow(script, f"weak lo={VARIABLE} hi={VARIABLE + 8}\n")[PAGE]
    assert life["heap"] == 0 and life["lost"]["frame"][0] == "popped"
    assert follow(script, f"weak lo={VARIABLE + 8} hi={VARIABLE + 16}\n")[PAGE]["heap"] == 1


def test_a_pointer_to_the_node_of_a_registry_holds_nothing(follow):
    thing, node = PAGE + 0x40, 24
    for of, value, held in ((64, thing + node, 0), (64, thing, 1), (64, thing + node + 8, 1), (72, thing + node, 1)):
        script = [f"object {thing} 64", f"store 0x80000040 {value} {VARIABLE}", *returned()]
        assert follow(script, f"weak of={of} off={node}\n")[thing]["heap"] == held, (of, value)


def test_the_links_in_struct_page_hold_nothing(follow):
    neighbour = PAGES + (OTHER - 0x80000000 >> 12) * 32
    for value in (PAGE >> 12, PAGES + (PAGE - 0x80000000 >> 12) * 32 + 8):
        script = [f"page {PAGE} 1", f"store 0x80000040 {value} {neighbour + 8}", *returned()]
        assert follow(script)[PAGE]["heap"] == 1
        assert follow(script, "weak in=struct off=8 size=8\n")[PAGE]["heap"] == 0
        assert follow(script, "weak in=struct off=16 size=8\n")[PAGE]["heap"] == 1


def test_a_node_at_the_structures_begin_holds(follow):
    """Its address is the thing's."""
    thing = PAGE + 0x40
    script = [f"object {thing} 64", f"store 0x80000040 {thing} {VARIABLE}", *returned()]
    assert follow(script, "weak of=64 off=0\n")[thing]["heap"] == 1


def test_the_links_of_pages_of_one_kind(follow):
    neighbour, own = (PAGES + (page - 0x80000000 >> 12) * 32 for page in (OTHER, PAGE))
    for kind, held in ((5, 0), (6, 1)):
        script = [f"page {PAGE} 1", f"store 0x80000040 {kind} {own}", f"store 0x80000040 {PAGE >> 12} {neighbour + 8}", *returned()]
        assert follow(script, "weak in=struct off=8 size=8 byte=0 is=5\n")[PAGE]["heap"] == held


def test_what_nothing_leads_to(follow):
    """The variable leads to one page, that to another; a third leads to a fourth, and nothing to it."""
    first, second, third, fourth = (PAGE + i * 0x1000 for i in range(4))
    thing = third + 0x40
    script = [*(f"page {page} 1" for page in (first, second, third, fourth)), f"object {thing} 64",
              f"store 0x80000040 {first} {VARIABLE}", f"store 0x80000040 {second} {first + 16}",
              f"store 0x80000040 {fourth} {thing + 8}", f"store 0x80000040 {thing} {fourth + 8}", *returned()]
    assert set(follow(script, "follow lost=1\n")) == {third, fourth, thing}
    # A word within an object is the object's: that somebody has the page around it does not count.
    around = f"store 0x80000040 {third} {VARIABLE + 8}"
    assert set(follow([*script[:-4], around, *returned()], "follow lost=1\n")) == {fourth, thing}
    # Who has the object has what it leads to, and its page.
    inside = f"store 0x80000040 {thing} {VARIABLE + 8}"
    assert not follow([*script[:-4], inside, *returned()], "follow lost=1\n")


def test_who_only_looks_holds_what_he_made(follow):
    """A printer that copies a pointer holds nothing; what it allocated itself it holds like any other."""
    copy = f"store 0x80000304 {PAGE} {VARIABLE}"
    enter, leave = ["reg 10 0", "enter 0x80000300"], [f"reg 2 {STACK_TOP - 0x100}", "return 0x80000060"]
    assert follow([f"page {PAGE} 1", *enter, copy, *leave, *returned()])[PAGE]["heap"] == 0
    assert follow([*enter, f"page {PAGE} 1", copy, *leave, *returned()])[PAGE]["heap"] == 1


def test_what_lies_behind_the_array_of_struct_page(follow):
    """A kernel that maps a part of RAM has an array as long as that: a page behind it is no struct page."""
    behind = PAGES + 0x1000
    life = follow([f"page {behind} 1", f"store 0x80000040 {behind} {VARIABLE}", *returned()], size=0x20000, stride=128)[behind]
    assert life["heap"] == 1


def test_a_saved_register_is_no_place(follow):
    """A switch of stacks saves a register with an old pointer and saves it again: whoever lost it is not the switch."""
    life = follow([f"page {PAGE} 1", f"store 0x80000400 {PAGE} {VARIABLE}", *returned(), f"store 0x80000400 0 {VARIABLE}"],
                  "follow switch=0x80000400-0x80000440\n")[PAGE]
    assert "location" not in life["lost"] and life["lost"]["frame"][0] == "popped"


def test_the_end_of_a_stack_is_no_place(follow):
    """A new task's stack pointer is the address of the page behind its stack; that the first switch overwrites it loses nothing."""
    life = follow([f"page {PAGE} 1", *returned(), f"store 0x80000040 {PAGE} {VARIABLE}", f"store 0x80000400 0 {VARIABLE}"],
                  "follow switch=0x80000400-0x80000440\n")[PAGE]
    assert life["heap"] == 0 and "location" not in life["lost"] and life["lost"]["frame"] == ("popped", 0x80000050)


def freed(text):
    """{physical address: {"dangling"|"used"|"again"|"by": [(va, pc)]}} of what was freed too early."""
    pages, page = {}, None
    for words in map(str.split, text.splitlines()):
        if words[0] == "freed":
            page = pages[int(words[2], 0)] = {"dangling": [], "used": [], "again": [], "by": []}
        elif words[0] in ("by", "dangling", "used", "again"):
            page[words[0]].append((int(words[1], 0), int(words[3], 0)))
    return pages


FREED = f"follow freed={PAGE} pattern=0x6b6b6b6b6b6b6b6b\n"


def test_who_points_to_a_page_that_is_freed(follow):
    script = [f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", f"store 0x80000044 {PAGE} {VARIABLE + 8}",
              f"store 0x80000048 0 {VARIABLE + 8}", f"free {PAGE} 1", f"put {PAGE} 1 2", f"free {PAGE} 1"]
    page, = freed(follow(script, FREED, whole=True)).values()
    assert page["dangling"] == [(VARIABLE, 0x80000044)] and len(page["again"]) == 2 and not page["used"]


def test_who_uses_a_page_that_is_freed(follow):
    """From the put that frees it until it is handed out again; what the allocator fills it with is no use."""
    script = [f"page {PAGE} 1", f"store 0x80000040 1 {PAGE}", f"putting {PAGE}", f"store 0x80000044 0x6b6b6b6b6b6b6b6b {PAGE}",
              f"store 0x80000048 2 {PAGE + 8}", f"free {PAGE} 1", f"store 0x8000004c 3 {PAGE + 0x100}", f"store 0x80000050 3 {PAGE + 0x108}",
              f"page {PAGE} 1", f"store 0x80000040 4 {PAGE}", f"free {PAGE} 1"]
    page, = freed(follow(script, FREED, whole=True)).values()
    assert page["used"] == [(PAGE + 8, 0x8000004c), (PAGE + 0x100, 0x80000050)]


def test_a_page_that_is_freed_as_it_should_be(follow):
    script = [f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", f"store 0x80000044 0 {VARIABLE}", f"putting {PAGE}",
              f"free {PAGE} 1", f"page {PAGE} 1", f"store 0x80000040 4 {PAGE}"]
    page, = freed(follow(script, FREED, whole=True)).values()
    assert not page["dangling"] and not page["used"] and not page["again"] and len(page["by"]) == 1


FREED_OBJECT = "follow freedobj=0x80012040 pattern=0x5a5a5a5a5a5a5a5a\n"
PUT_TWICE = ["object 0x80012040 64", f"store 0x80000040 0x80012048 {VARIABLE}", "objfree 0x80012040"]


def test_who_points_to_an_object_that_is_freed(follow):
    script = [*PUT_TWICE, "objput 0x80012040 1 2", "objfree 0x80012040"]
    record, = freed(follow(script, FREED_OBJECT, whole=True, every=False)).values()
    assert record["dangling"] == [(VARIABLE, 0x80000044)] and len(record["again"]) == 2 and not record["used"]


def test_who_uses_an_object_that_is_freed(follow):
    """Its own bytes alone; a get counts; the allocator's fill does not, nor what a call writes to what it hands out."""
    script = [*PUT_TWICE, "store 0x80000044 0x5a5a5a5a5a5a5a5a 0x80012040", "store 0x80000044 1 0x80012080", "store 0x80000044 1 0x80012038",
              "store 0x80000048 1 0x80012078", "objget 0x80012040 1 2 0", "within 4", "store 0x8000004c 0 0x80012040", "within 99",
              "object 0x80012040 64", "store 0x80000050 1 0x80012040", "objfree 0x80012040"]
    record, = freed(follow(script, FREED_OBJECT, whole=True, every=False)).values()
    assert record["used"] == [(0x80012078, 0x8000004c), (0, 0)] and not record["again"]


def test_the_page_of_a_free_object_is_handed_out(follow):
    script = [*PUT_TWICE, "page 0x80012000 1", "store 0x80000048 1 0x80012048", "objfree 0x80012040"]
    record, = freed(follow(script, FREED_OBJECT, whole=True, every=False)).values()
    assert not record["used"] and not record["again"]


@pytest.mark.parametrize("then, told", [([], True), ([f"store 0x80000044 0 {VARIABLE}"], False), ([f"store 0x80000044 {PAGE} {VARIABLE}"], False)])
def test_it_was_handed_out_in_between(follow, then, told):
    """The first free is kept while a word leads to the page that was not stored since: its owner is who frees it the second time."""
    lives = [f"page {PAGE} 1", *then, f"store 0x80000048 {PAGE} {VARIABLE + 8}", f"free {PAGE} 1", f"store 0x8000004c 0 {VARIABLE + 8}"]
    script = [f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", "reg 1 0x80000070", f"free {PAGE} 1", "reg 1 0x80000050", *lives, *lives, f"free {PAGE} 1"]
    text = follow(script, whole=True)
    record, = freed(text).values()
    assert len(record["again"]) == 1 and (VARIABLE + 8, 0x8000004c) in record["dangling"]
    assert (f"since {VARIABLE:#x} by 0x80000044 stack" in text) == told == ("before 0 by 0 stack 0x80000070" in text), text


def test_two_harts_put_at_once(follow):
    """The put of one hart returns after that of another has freed the page: it came first. One that is entered after that did not."""
    script = [f"page {PAGE} 1", f"putting {PAGE}", f"putting {PAGE}", f"free {PAGE} 1", f"putdone {PAGE} 1 2"]
    assert not freed(follow(script, whole=True))
    record, = freed(follow([*script, f"putting {PAGE}", f"putdone {PAGE} 1 2"], whole=True)).values()
    assert len(record["again"]) == 1


def test_the_page_has_objects_of_another_size(follow):
    """The range ends with the object that is freed last there; the next one is no part of it."""
    script = ["object 0x80012040 256", "objfree 0x80012040", "page 0x80012000 1", "object 0x80012040 64", "object 0x80012080 64",
              "objfree 0x80012040", "store 0x80000044 1 0x80012088"]
    assert not freed(follow(script, whole=True))


BEFORE = [f"page {PAGE} 1", f"store 0x80000040 {PAGE} {VARIABLE}", f"free {PAGE} 1"]


@pytest.mark.parametrize("then, told", [([], True), ([f"store 0x80000044 0 {VARIABLE}"], False), ([f"page {PAGE} 1"], False),
                                        ([f"page {PAGE} 1", f"free {PAGE} 1", f"free {PAGE} 1"], True),
                                        ([f"store 0x80000044 0 {VARIABLE}", f"store 0x80000044 1 {PAGE}", f"page {PAGE} 1"], True),
                                        ([f"store 0x80000044 0 {VARIABLE}", f"put {PAGE} 1 2"], True),
                                        ([f"store 0x80000044 0 {VARIABLE}", f"get {PAGE} 1 2"], True),
                                        (["within 0", f"store 0x80000044 0 {PAGE}", "within 99", f"page {PAGE} 1"], False)])
def test_where_all_is_followed(follow, then, told):
    """Told of are pages that were used, or freed again, and those that are free and pointed to at the end."""
    assert list(freed(follow([*BEFORE, *then], whole=True))) == ([PAGE] if told else [])


def test_a_list_in_memory_that_is_free(follow):
    """A free page that points to another is no use of that one: its words are what was left there."""
    script = [f"page {PAGE} 1", f"page {OTHER} 1", f"store 0x80000040 {PAGE} {OTHER + 8}", f"free {PAGE} 1", f"free {OTHER} 1"]
    assert not freed(follow(script, whole=True))
    assert list(freed(follow(script[:-1], whole=True))) == [PAGE]


def test_a_page_with_very_many_references(follow):
    """So many are followed and no more: each access looks at all of them. That those are gone makes room for others."""
    many = [f"get {PAGE} 1 {holder}" for holder in range(1000)]
    text = follow([f"page {PAGE} 1", *many], whole=True)
    assert text.count("life reference") == 256
    gone = [f"put {PAGE} 1 {holder}" for holder in range(1000)]
    text = follow([f"page {PAGE} 1", *many, *gone, f"get {PAGE} 1 5"], whole=True)
    assert text.count("life reference") == 1


# ---- references to objects ----

OBJECT, HOLDER = 0x80012040, 0x80014000
CALL, LASTING = 1, 3
REFERENCES = "follow lasting=8\n"


def getter(ref, at=0):
    """The object, then a reference to it by a function that a function under way has called."""
    return [f"object {OBJECT} 64", f"objget {OBJECT} {ref} 7 {at}"]


def test_the_reference_of_a_call_is_lost_with_its_frame(follow):
    """Though a table has the object still: what only registers it, or has a reference of its own, does not put this one."""
    lives = follow([*getter(CALL), f"store 0x80000040 {OBJECT} {VARIABLE}", *returned()], REFERENCES)
    assert lives[OBJECT]["heap"] == 1 and lives["objref", OBJECT]["lost"]["frame"][0] == "popped"


def test_a_put_ends_the_reference_and_not_the_object(follow):
    lives = follow([*getter(CALL), f"objput {OBJECT} {CALL} 7", *returned()], REFERENCES)
    assert set(lives) == {OBJECT}
    assert ("objref", OBJECT) in follow([*getter(CALL), f"objput {OBJECT} {CALL} 8", *returned()], REFERENCES)


def test_who_frees_the_object_ends_its_references(follow):
    assert not follow([*getter(CALL), f"objfree {OBJECT}"], REFERENCES)


@pytest.mark.parametrize("stored", ["before the get", "after it"])
def test_a_structure_holds_the_reference(follow, stored):
    get, store = f"objget {OBJECT} {LASTING} 7 0", f"store 0x80000040 {OBJECT} {VARIABLE}"
    begin = [f"object {OBJECT} 64", f"objget {OBJECT} {CALL} 7 0", *([store, get] if stored == "before the get" else [get, store])]
    lives = follow([*begin, f"objput {OBJECT} {CALL} 7", *returned()], REFERENCES)
    assert lives["objref", OBJECT]["held"] == [VARIABLE] and not lives["objref", OBJECT]["lost"]
    lives = follow([*begin, f"objput {OBJECT} {CALL} 7", f"store 0x80000044 0 {VARIABLE}", *returned()], REFERENCES)
    assert lives["objref", OBJECT]["lost"]["location"] == ("overwritten", 0x80000048)


def test_the_structure_that_holds_it_is_known(follow):
    """The newest location is another's; the holder says which one is meant."""
    script = [f"object {OBJECT} 64", f"store 0x80000040 {OBJECT} {HOLDER + 8}", f"store 0x80000040 {OBJECT} {VARIABLE}",
              f"objget {OBJECT} {LASTING} 7 {HOLDER}", *returned()]
    assert follow(script, REFERENCES)["objref", OBJECT]["held"] == [HOLDER + 8]


def test_a_dead_reference_is_not_given_away(follow):
    """Its structure has lost it: who is given the object after that has a reference of his own."""
    script = [*getter(LASTING), f"store 0x80000040 {OBJECT} {VARIABLE}", f"store 0x80000044 0 {VARIABLE}", *returned(),
              f"reg 10 {OBJECT}", "enter 0x80000100"]
    life = follow(script, REFERENCES)["objref", OBJECT]
    assert life["frames"] == 0 and not life["given"]


def test_a_function_is_given_the_structure_that_has_it(follow):
    """walk_end(&walk)"""
    structure = "func entry=0x80000240 args=1 s0=32\n"
    script = [f"page {PAGE} 1", f"store 0x80000040 {PAGE} {HOLDER + 24}", f"reg 10 {HOLDER}", "enter 0x80000240"]
    assert follow(script, structure)[PAGE]["given"] == [(0x80000240, 2)]
    assert not follow(script, structure.replace("32", "24"))[PAGE]["given"]


def test_what_points_to_each_other(follow):
    """The last pointer from outside counts: the two hold each other for ever."""
    wanted = [f"follow object={address}\n" for address in (OBJECT, HOLDER)]
    script = [f"object {OBJECT} 64", f"object {HOLDER} 64", f"store 0x80000040 {HOLDER} {OBJECT + 8}",
              f"store 0x80000040 {OBJECT} {HOLDER + 8}", f"store 0x80000040 {OBJECT} {VARIABLE}", *returned(),
              f"store 0x80000060 0 {VARIABLE}", "reg 2 0x80030fe0", "return 0x80000090"]
    lives = follow(script, "".join(wanted), every=False)
    assert (lives[OBJECT]["heap"], lives[OBJECT]["outside"]) == (1, 0)
    assert lives[OBJECT]["lost"]["location"] == ("overwritten", 0x80000064)


@pytest.mark.parametrize("level, heap", [(1, 1), (2, 0)])
def test_what_a_printer_allocates(follow, level, heap):
    """/proc has pages of its own; what the trace writes down while it works for /proc is no pointer."""
    observers = f"func entry=0x80000340 args=0 observer=1\nfunc entry=0x80000380 args=0 observer={level}\n"
    script = ["enter 0x80000340", f"page {PAGE} 1", "enter 0x80000380", f"store 0x80000040 {PAGE} {VARIABLE}"]
    assert follow(script, observers)[PAGE]["heap"] == heap


def test_what_is_done_on_the_stack_of_a_reader_that_waits(follow):
    """A reader of /proc waits for an audit: the task that it gives way to ends, and whoever reaps it does so on the reader's stack."""
    works = "func entry=0x80000340 args=0 observer=2\nfunc entry=0x80000380 args=0 works=1\n"
    script = [f"page {PAGE} 1", f"page {OTHER} 1", "enter 0x80000340", f"reg 2 {STACK_TOP - 0x200}", "enter 0x80000380", f"reg 2 {STACK_TOP - 0x300}",
              f"store 0x80000040 {PAGE} {VARIABLE}", f"reg 2 {STACK_TOP - 0x200}", "return 0x80000350",
              f"store 0x80000044 {OTHER} {VARIABLE + 8}"]
    lives = follow(script, works)
    assert (lives[PAGE]["heap"], lives[OTHER]["heap"]) == (1, 0)
    lives = follow(script, works.replace(" works=1", ""))
    assert (lives[PAGE]["heap"], lives[OTHER]["heap"]) == (0, 0)
