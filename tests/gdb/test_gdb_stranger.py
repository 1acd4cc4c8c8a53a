# SPDX-License-Identifier: MIT
"""What gdb reads of a stranger's kernel without gdb: descriptions, page tables and free lists on memory made by hand."""
import struct

import pytest
from pagetrail_gdb.model.errors import CommandError
from pagetrail_gdb.model.memory import BytesMemory
from pagetrail_gdb.model.types import Type
from pagetrail_gdb.stranger.description import parse
from pagetrail_gdb.stranger.kernel import RAM_BASE, Stranger

DESCRIPTION = """
# a comment
map va=0x80000000 pa=0x80000000 size=0x8000
list kmem.freelist next=next      # list of struct run
maybe list odd.head next=next
procs proc[] state=state unused=UNUSED pid=pid tables=pagetable name=name
mark begin="^test # ([^:]+):"
"""


class Layout:
    """As little of a layout as the commands ask for."""

    run = Type("struct", 8, name="run", fields={"next": (0, Type("ptr", 8, name="run"))})

    def symbol(self, name):
        head = Type("struct", 8, name="kmem", fields={"freelist": (0, Type("ptr", 8, name="run"))})
        return {"kmem": (RAM_BASE, head), "odd": (RAM_BASE + 8, Type("struct", 8, fields={"head": (0, Type("ptr", 8, name="run"))}))}[name]

    def struct(self, name):
        return self.run


def memory(words):
    content = bytearray(0x8000)
    for at, value in words.items():
        struct.pack_into("<Q", content, at, value)
    return BytesMemory(RAM_BASE, bytes(content))


def test_a_description():
    items = parse(DESCRIPTION)
    assert [item.verb for item in items] == ["map", "list", "list", "procs", "mark"]
    assert items[3].subject == "proc[]" and items[3].keys["unused"] == "UNUSED"
    assert items[4].keys["begin"] == '"^test # ([^:]+):"'


def test_free_lists_loops_and_wild_links():
    findings = []
    good = Stranger(Layout(), memory({0: RAM_BASE + 0x1000, 0x1000: RAM_BASE + 0x2000, 8: RAM_BASE + 0x3000,
                                      0x3000: RAM_BASE + 0x3000}), parse(DESCRIPTION))
    lists = good.free_lists(findings)
    assert lists[0][1] == [RAM_BASE + 0x1000, RAM_BASE + 0x2000]
    assert lists[1][1] == [RAM_BASE + 0x3000] and "twice" in findings[0]
    findings = []
    wild = Stranger(Layout(), memory({0: 0x123456789000}), parse(DESCRIPTION))
    assert wild.free_lists(findings)[0][1] == [] and "outside RAM" in findings[0]


def test_page_tables_that_lead_to_themselves():
    root = 0x4000
    words = {root: (RAM_BASE + root) >> 2 | 1, root + 8: (RAM_BASE + 0x5000) >> 2 | 1, 0x5000: (RAM_BASE + 0x6000) >> 2 | 1,
             0x6000: (RAM_BASE + 0x7000) >> 2 | 0xF, 0x6008: (RAM_BASE + 0x7000) >> 2 | 1}
    stranger, findings = Stranger(Layout(), memory(words), parse(DESCRIPTION)), []
    steps = list(stranger.walk_tree(RAM_BASE + root, findings))
    assert [(step.level, step.leaf) for step in steps] == [(2, False), (2, False), (1, False), (0, True), (0, False)]
    assert "was there before" in findings[0] and "is no leaf" in findings[1]
    assert [step.leaf for step in stranger.walk(RAM_BASE + root, 1 << 30)] == [False, False, True]


def test_what_is_not_described():
    stranger = Stranger(Layout(), memory({}), parse("map va=0x80000000 pa=0x80000000 size=0x1000"))
    with pytest.raises(CommandError, match="free list"):
        stranger.free_lists([])
    with pytest.raises(CommandError, match="processes"):
        stranger.processes()
