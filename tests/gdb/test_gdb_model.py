# SPDX-License-Identifier: MIT
"""The model on made-up memory, whole and broken: no gdb, no QEMU."""
import pytest
from image import Image
from pagetrail_gdb.model.accounting import Accounting
from pagetrail_gdb.model.claims_mm import claim_mms
from pagetrail_gdb.model.errors import ReadError
from pagetrail_gdb.model.lists import walk_ring
from pagetrail_gdb.model.memory import BytesMemory, CachedMemory, ElfCore, RamFile
from pagetrail_gdb.model.pages import pages_of
from pagetrail_gdb.model.pagetable import walk_tree
from pagetrail_gdb.model.radix import RadixWalk
from pagetrail_gdb.model.tasks import all_tasks, find_task
from pagetrail_gdb.model.trace import Depot, Trace, open_references

RAM = 0x80000000
MIB = 1 << 20


@pytest.fixture
def image(layout):
    return Image(layout)


def texts(findings):
    return [str(finding) for finding in findings]


# ---- memory ----

def test_reads_outside_ram_are_errors():
    memory = BytesMemory(RAM, bytes(8192))
    assert len(memory.read(RAM, 8192)) == 8192
    for pa, size in ((RAM - 1, 1), (RAM, 8193), (RAM + 8192, 1), (0, 8), (RAM + 8190, 4)):
        with pytest.raises(ReadError):
            memory.read(pa, size)


def test_ram_file_shows_changes(tmp_path):
    path = tmp_path / "ram"
    path.write_bytes(bytes(8192))
    memory = RamFile(path, RAM)
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"live")
    assert memory.read(RAM + 4096, 4) == b"live"
    memory.close()
    with pytest.raises(ReadError):
        RamFile(tmp_path / "missing", RAM)


class CountingMemory(BytesMemory):
    """Counts what really is read."""
    reads = 0

    def _read(self, pa, size):
        self.reads += 1
        return super()._read(pa, size)


def test_cache_reads_once_and_forgets():
    slow = CountingMemory(RAM, bytes(range(256)) * 64)
    memory = CachedMemory(slow)
    assert memory.read(RAM + 4094, 4) == slow.read(RAM + 4094, 4)
    before = slow.reads
    memory.read(RAM, 8192)
    assert slow.reads == before
    memory.read(RAM, 16384)
    assert slow.reads == before + 1
    memory.forget()
    memory.read(RAM, 1)
    assert slow.reads == before + 2


def test_cache_reads_the_surroundings_of_many_frames():
    """A free list leads through all of RAM: it must not cost a read for each page."""
    content = bytes(range(256)) * 16 * 2500  # no whole number of the large pieces
    slow = CountingMemory(RAM, content)
    memory = CachedMemory(slow)
    for page in reversed(range(2500)):
        assert memory.read(RAM + page * 4096 + 8, 8) == content[8:16]
    assert slow.reads <= 32 + 3
    assert memory.read(RAM + len(content) - 8, 8) == content[-8:]
    with pytest.raises(ReadError):
        memory.read(RAM + len(content), 8)


def elf_core(segments):
    """A core with (p_vaddr, p_paddr, content) segments."""
    import struct
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 243, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    offset = 64 + 56 * len(segments)
    table, body = b"", b""
    for va, pa, content in segments:
        table += struct.pack("<IIQQQQQQ", 1, 7, offset + len(body), va, pa, len(content), len(content), 4096)
        body += content
    return header + table + body


@pytest.mark.parametrize("pa", [RAM, 0])
def test_core_is_read_by_physical_address(tmp_path, pa):
    path = tmp_path / "core"
    offset = 0xffffffc000000000
    path.write_bytes(elf_core([(offset + RAM, pa, b"kernel" + bytes(4090)), (offset + RAM, RAM, b"kernel")]))
    core = ElfCore(path, offset)
    assert core.ranges == [(RAM, RAM + 4096)]
    assert core.read(RAM + 1, 5) == b"ernel"
    core.close()


@pytest.mark.parametrize("content", [b"", b"not an ELF", elf_core([(0, RAM, b"x")])[:80], elf_core([])])
def test_damaged_core_is_an_error(tmp_path, content):
    path = tmp_path / "core"
    path.write_bytes(content)
    with pytest.raises(ReadError):
        ElfCore(path, 0xffffffc000000000)


# ---- lists ----

def ring(image, nr):
    """A head and nr nodes."""
    head, nodes = image.take(64), [image.take(64) for _ in range(nr)]
    image.list_init(head)
    for node in nodes:
        image.list_add(head, node)
    return head, nodes


def test_ring_whole(image):
    head, nodes = ring(image, 5)
    findings = []
    assert list(walk_ring(image.kernel(), head, "ring", findings)) == nodes
    assert not findings


@pytest.mark.parametrize("target, found, what", [
    (lambda nodes: nodes[1], 4, "loop"),
    (lambda nodes: 0x6b6b6b6b6b6b6b6b, 4, "wild link"),
    (lambda nodes: 0, 4, "wild link"),
    (lambda nodes: nodes[0] + 4, 4, "wild link"),
])
def test_ring_broken(image, target, found, what):
    head, nodes = ring(image, 5)
    image.set("list", nodes[3], next=target(nodes))
    findings = []
    assert len(list(walk_ring(image.kernel(), head, "ring", findings))) == found
    assert any(what in text for text in texts(findings))


def test_ring_with_one_wrong_back_link(image):
    head, nodes = ring(image, 3)
    image.set("list", nodes[2], prev=nodes[0])
    findings = []
    assert list(walk_ring(image.kernel(), head, "ring", findings)) == nodes
    assert len(findings) == 1 and "points back to" in str(findings[0])


# ---- struct page ----

def test_pages_in_bulk(image):
    pfn = image.first_pfn + 77
    image.set_page(pfn, kind=image.kind("ANON"), order=2, count=-3, pid=9, owner__id=5, owner__index=6, stack=1234)
    pages = pages_of(image.kernel())
    page = pages.page(pfn)
    assert (page.kind, page.order, page.count, page.pid, page.owner_id, page.owner_index, page.stack) == (
        image.kind("ANON"), 2, -3, 9, 5, 6, 1234)
    assert page.private == 6 << 32 | 5
    assert len(pages.rows) == image.nr_pages and sum(pages.count_by_kind().values()) == image.nr_pages
    with pytest.raises(ReadError):
        pages.page(image.first_pfn - 1)


def test_state_bits_have_one_meaning_each(image, layout):
    bits = {name: layout.enum_value("page_state", f"PAGE_{name.upper()}") for name in ("uptodate", "ahead", "boot")}
    pages = pages_of(image.kernel())
    for name, bit in bits.items():
        assert pages.state_flags(bit) == [name]
    assert pages.state_flags(bits["uptodate"] | bits["ahead"]) == ["uptodate", "ahead"]


@pytest.mark.parametrize("symbol, value", [("pages", 0), ("pages", 0xdead000), ("nr_pages", 0), ("nr_pages", 1 << 31)])
def test_pages_that_cannot_be(image, symbol, value):
    image.set_symbol(symbol, value)
    with pytest.raises(ReadError):
        pages_of(image.kernel())


def test_body_page_leads_to_its_head(image, layout):
    head, body = image.first_pfn + 8, image.first_pfn + 9
    image.set_page(head, kind=image.kind("SLAB"), order=1, count=1)
    image.set_page(body, kind=image.kind("SLAB"), order=layout.macro("PAGE_BODY"), owner__index=head)
    pages = pages_of(image.kernel())
    assert pages.head(pages.page(body)).pfn == head
    image.set_page(body, owner__index=3)
    pages = pages_of(image.kernel())
    assert pages.head(pages.page(body)).pfn == body


# ---- page tables ----

def test_tree_in_order_with_flags(image):
    root, kernel = image.take_page(), image.kernel()
    frames = [image.take_page() for _ in range(3)]
    image.map(root, 0x3fffff000, frames[2], "R", "U", "COW")
    image.map(root, 0x1000, frames[0], "R", "W", "U", "A", "D")
    image.map(root, 0x2000, frames[1], "R", "X", "U")
    findings = []
    leaves = [(va, step.pa, kernel.pte.flags(step.pte)) for va, step in walk_tree(kernel, root, "t", findings) if step.leaf]
    assert leaves == [(0x1000, frames[0], "vrw-u-ad"), (0x2000, frames[1], "vr-xu---"),
                      (0x3fffff000, frames[2], "vr--u--- cow")]
    assert not findings


@pytest.mark.parametrize("flags, pa, what", [
    (("V",), "root", "a second time"),
    (("V",), 0x40, "outside RAM"),
    (("V",), 0x14141414141000, "outside RAM"),
])
def test_tree_broken(image, flags, pa, what):
    root = image.take_page()
    image.map(root, 0x1000, image.take_page(), "R", "U")
    middle = image.peek_u64(root) >> 10 << 12
    image.set_pte(middle, 7, root if pa == "root" else pa, *flags)
    findings = []
    assert len(list(walk_tree(image.kernel(), root, "t", findings))) == 4
    assert [text for text in texts(findings) if what in text]


def test_level_0_pointer_is_a_finding(image):
    root = image.take_page()
    entry = image.map(root, 0x1000, image.take_page(), "R", "U")
    image.poke_u64(entry, image.peek_u64(entry) & ~0xe)
    findings = []
    list(walk_tree(image.kernel(), root, "t", findings))
    assert "level 0 is valid but no leaf" in str(findings[0])


def test_kernel_addresses_outside_the_direct_map(image):
    pa = image.take_page()
    image.map(image.root_pa, 0xffffffff00002000, pa, "R", "W")
    image.poke(pa, b"stack")
    kernel = image.kernel()
    assert bytes(kernel.read_va(0xffffffff00002000, 5)) == b"stack"
    assert kernel.va_to_pa(image.pages_va) == image.pages_va - image.offset
    for va in (0xffffffff00003000, 0, 0x6b6b6b6b6b6b6b6b):
        with pytest.raises(ReadError):
            kernel.read_va(va, 8)


# ---- tasks and what they hold ----

def test_tasks(image):
    for pid in (1, 2, 7):
        image.new_process(pid, b"proc%d" % pid)
    findings = []
    assert [task["pid"] for task in all_tasks(image.kernel(), findings)] == [1, 2, 7]
    assert find_task(image.kernel(), 7, findings).text("name") == "proc7"
    assert not findings


def test_claims_of_address_spaces(image, layout):
    _, _, root = image.new_process(3)
    shared, own = image.take_page(), image.take_page()
    image.map(root, 0x5000, shared, "R", "U", "COW")
    image.map(root, 0x6000, own, "R", "W", "U")
    _, _, other = image.new_process(4)
    image.map(other, 0x5000, shared, "R", "U", "COW")
    kernel, findings = image.kernel(), []
    accounting = Accounting(kernel)
    claim_mms(kernel, accounting, findings)
    pte = layout.enum_value("ref_kind", "REF_PTE")
    holders = lambda pa: {(c.ref, c.id, c.index) for c in accounting.pages[image.pfn_of(pa)]}  # noqa: E731
    assert holders(shared) == {(pte, 103, 5), (pte, 104, 5)}
    assert holders(own) == {(pte, 103, 6)}
    table = layout.enum_value("ref_kind", "REF_TABLE")
    assert holders(root) == {(table, 103, 2 << 27)}
    assert len(accounting.pages) == 8 and not findings


def test_mm_with_a_wild_root(image):
    _, mm, _ = image.new_process(3)
    image.set("mm", mm, root=0x1234)
    findings = []
    claim_mms(image.kernel(), Accounting(image.kernel()), findings)
    assert "root" in str(findings[0])


# ---- radix trees ----

def radix_tree(image, indexes):
    """A tree of height 2 over the indexes; the item of index i is 0x1000 + i."""
    root = image.new("radix_node", shift=6, count=len({i >> 6 for i in indexes}))
    leaves = {}
    for i in indexes:
        if i >> 6 not in leaves:
            leaves[i >> 6] = image.new("radix_node", shift=0, count=len([j for j in indexes if j >> 6 == i >> 6]))
            image.set("radix_node", root, **{f"slots[{i >> 6}]": leaves[i >> 6]})
        image.set("radix_node", leaves[i >> 6], **{f"slots[{i & 63}]": 0x1000 + i})
    return image.new("radix", root=root, height=2), root, leaves


def walk(image, tree):
    findings = []
    kernel = image.kernel()
    return RadixWalk(kernel, kernel.obj("radix", tree), "tree", findings), texts(findings)


def test_radix_whole(image):
    tree, root, leaves = radix_tree(image, [0, 63, 64, 4095])
    found, findings = walk(image, tree)
    assert found.items == [(i, 0x1000 + i) for i in (0, 63, 64, 4095)]
    assert set(found.nodes) == {root, *leaves.values()} and not findings
    assert walk(image, image.new("radix", root=0x5000, height=0))[0].items == [(0, 0x5000)]
    assert walk(image, image.new("radix", root=0, height=0))[0].items == []


def test_radix_broken(image):
    tree, root, leaves = radix_tree(image, [0, 63, 64])
    image.set("radix_node", leaves[1], count=5)
    assert any("5 of its slots are used; 1 are" in text for text in walk(image, tree)[1])
    image.set("radix_node", root, **{"slots[9]": root})
    assert any("twice" in text for text in walk(image, tree)[1])
    image.set("radix_node", root, **{"slots[9]": 0x6b6b6b6b6b6b6b6a})
    assert any("wild node" in text for text in walk(image, tree)[1])
    image.set("radix", tree, height=9)
    assert any("height" in text for text in walk(image, tree)[1])


# ---- trace ----

def ring_image(image, layout, nr_packets=4, packet_bytes=4096):
    """An empty ring of hart 0 and a depot."""
    base = image.take(nr_packets * packet_bytes) - image.offset
    depot = image.take(8192) - image.offset
    for path, value in (("magic", layout.macro("TRACE_DESC_MAGIC")), ("nr_rings", 1), ("packet_bytes", packet_bytes),
                        ("nr_packets", nr_packets), ("rings[0].base_pa", base), ("depot_pa", depot), ("depot_bytes", 8192)):
        image.set_symbol("trace_desc", value, path)
    return base, depot


def packet(image, layout, base, sequence, records, nr_packets=4, packet_bytes=4096):
    va = base + sequence % nr_packets * packet_bytes + image.offset
    header = layout.struct("trace_packet_header").size
    image.set("trace_packet_header", va, magic=layout.macro("TRACE_MAGIC"), sequence=sequence,
              packet_size_bits=packet_bytes * 8,
              content_size_bits=(header + len(records) * layout.struct("trace_record").size) * 8)
    for i, (time, pfn, event, before, after) in enumerate(records):
        at = va + header + i * layout.struct("trace_record").size
        union = f"payload__ev_payload_{event}__"
        image.set("trace_record", at, time=time, event=layout.enum_value("trace_event", f"EV_{event}"), stack=1,
                  **{union + "pfn": pfn, union + "before": before, union + "after": after})
    image.set_symbol("trace_desc", sequence + 1, "rings[0].opened")


def test_history_of_a_page(image, layout):
    base, _ = ring_image(image, layout)
    packet(image, layout, base, 0, [(1, 9, "page_alloc", 0, 1)])
    packet(image, layout, base, 1, [(10, 7, "page_alloc", 0, 1), (11, 8, "page_alloc", 0, 1), (12, 7, "page_get", 1, 2)])
    packet(image, layout, base, 2, [(20, 7, "page_put", 2, 1), (20, 7, "page_free", 0, 0), (20, 7, "page_put", 1, 0)])
    findings = []
    trace = Trace(image.kernel(), findings)
    history = [(r.time, trace.event_name(r), r.payload["before"]) for r in trace.of_page({7})]
    assert history == [(10, "page_alloc", 0), (12, "page_get", 1), (20, "page_put", 2), (20, "page_put", 1),
                       (20, "page_free", 0)]
    assert [r.time for r in trace.newest(2)] == [20, 20]
    assert not findings


def test_events_of_one_instant_are_in_the_order_of_their_counts(image, layout):
    """Two pages, whose events came out of order, among each other's."""
    base, _ = ring_image(image, layout)
    packet(image, layout, base, 0, [(5, 7, "page_get", 2, 3), (5, 8, "page_alloc", 0, 1), (5, 7, "page_alloc", 0, 1),
                                    (5, 8, "page_get", 1, 2), (5, 7, "page_get", 1, 2), (5, 8, "page_put", 2, 1)])
    for records in (lambda trace: trace.of_page({7, 8}), lambda trace: trace.newest(6)):
        found = [(r.payload["pfn"], r.payload["before"]) for r in records(Trace(image.kernel(), []))]
        assert [before for pfn, before in found if pfn == 7] == [0, 1, 2]
        assert [before for pfn, before in found if pfn == 8] == [0, 1, 2]


def test_an_instant_of_very_many_events_is_no_endless_loop(image, layout):
    """A clock that stood still, or a ring that was overwritten: as many looks at a record as records, not their square."""
    nr, size = 20000, 1 << 20
    base, _ = ring_image(image, layout, packet_bytes=size)
    packet(image, layout, base, 0, [(5, 7, "page_get", 1, 2) for _ in range(nr)], packet_bytes=size)
    looks = []

    class Payload(dict):
        def __getitem__(self, key):
            looks.append(key)
            return super().__getitem__(key)

        def get(self, key, default=None):
            looks.append(key)
            return super().get(key, default)

    trace = Trace(image.kernel(), [])
    decode = trace._record

    def counted(*where):
        record = decode(*where)
        record.payload = Payload(record.payload)
        return record

    trace._record = counted
    assert len(trace.of_page({7})) == nr and len(looks) < 30 * nr


def test_references_that_were_not_returned(image, layout):
    base, _ = ring_image(image, layout)
    packet(image, layout, base, 0, [(1, 7, "page_get", 1, 2), (2, 7, "page_alloc", 0, 1), (3, 7, "page_get", 1, 2),
                                    (4, 7, "page_get", 2, 3), (5, 7, "page_put", 3, 2)])
    trace = Trace(image.kernel(), [])
    assert [record.time for record in open_references(trace, trace.of_page({7}))] == [2, 3]
    packet(image, layout, base, 1, [(6, 7, "page_free", 0, 0)])
    trace = Trace(image.kernel(), [])
    assert open_references(trace, trace.of_page({7})) == []


def test_ring_that_wrapped_and_a_torn_packet(image, layout):
    base, _ = ring_image(image, layout)
    for sequence in range(7):
        packet(image, layout, base, sequence, [(sequence, 7, "page_get", 1, 2)])
    findings = []
    assert [r.time for r in Trace(image.kernel(), findings).of_page({7})] == [3, 4, 5, 6]
    assert not findings
    image.set("trace_packet_header", base + image.offset, content_size_bits=1 << 40)
    image.set("trace_packet_header", base + 4096 + image.offset, magic=0)
    assert [r.time for r in Trace(image.kernel(), findings).of_page({7})] == [3, 6]
    assert len(findings) == 2


@pytest.mark.parametrize("path, value", [("magic", 0), ("packet_bytes", 0), ("packet_bytes", 1 << 31),
                                         ("rings[0].base_pa", 0x1000), ("nr_packets", 1 << 20)])
def test_trace_description_broken(image, layout, path, value):
    base, _ = ring_image(image, layout)
    packet(image, layout, base, 0, [(1, 9, "page_alloc", 0, 1)])
    image.set_symbol("trace_desc", value, path)
    findings = []
    assert Trace(image.kernel(), findings).of_page({9}) == []
    assert findings


def test_depot(image, layout):
    _, depot = ring_image(image, layout)
    va = depot + image.offset + layout.struct("trace_packet_header").size + 2 * layout.struct("trace_stack").size
    image.set("trace_stack", va, stack=3, nr_frames=2, **{"frames[0]": 0x80201000, "frames[1]": 0x80202000})
    found = Depot(image.kernel())
    assert found.frames(3) == [0x80201000, 0x80202000]
    assert found.frames(0) == found.frames(2) == found.frames(1 << 20) == []
