# SPDX-License-Identifier: MIT
"""What is held at an instant, how the references of a page add up, and the call sites by what they allocate."""
import collections
import json

import pagetrail_tables as tables
import pytest
import tracegen
from test_format import busy_machine
from harness.tool import CANNOT_TELL, OK


def fork(machine, pid, name):
    machine.pid = pid
    machine.task("task_fork", pid=pid, mm=pid, value=1, name=name)
    machine.task("mm_create", pid=pid, mm=pid)


@pytest.fixture
def shared(sites):
    """Processes 7 and 8 share one page and have one and two alone; a file page of 8's; a dirty record."""
    machine = tracegen.Machine()
    machine.sample()
    fork(machine, 7, "parent")
    both = machine.alloc("ANON", "PTE", (7, 0), (sites["mm_fork"],))
    machine.alloc("ANON", "PTE", (7, 1), (sites["mm_fork"],))
    machine.mark("forked")
    fork(machine, 8, "child")
    machine.get(both, "PTE", (8, 0))
    machine.alloc("PAGETABLE", "TABLE", (8, 0), (sites["mm_fork"],), order=1)
    machine.mark("forked", end=True)
    file = machine.alloc("PAGECACHE", "CACHE", (12, 0), (sites["lookup"],))
    machine.get(file, "PTE", (8, 9))
    machine.obj_alloc("dirty", (12, 0), (sites["record_alloc"],))
    machine.put(both, "PTE", (7, 0))
    machine.task("task_exit", pid=7)
    return machine


def rows(result):
    return {row["name"]: row for row in result.json()["rows"]}


def test_by_kind(shared, pagetrail, write):
    run = write(shared)
    result = pagetrail("live", run, "--json")
    by_name = rows(result)
    assert {n: (r["pages"], r["objects"]) for n, r in by_name.items()} == {
        "anon": (2, 0), "pagetable": (2, 0), "pagecache": (1, 0), "dirty": (0, 1)}
    assert by_name["dirty"]["object_bytes"] == 64
    assert result.json()["pages"] == 5 and result.json()["free_pages"] == len(shared.free_pfns)
    text = pagetrail("live", run).out
    assert "5 pages live (20.0 KiB), 1 object;" in text and result.status == OK


def test_by_pid(shared, pagetrail, write):
    """The shared page was let go by 7: it is 8's alone. 7 has ended and still holds one."""
    run = write(shared)
    by_name = rows(pagetrail("live", run, "--by", "pid", "--json"))
    assert {n: (r.get("pid"), r["pages"], r["alone"], r["ended"]) for n, r in by_name.items()} == {
        "parent": (7, 1, 1, True), "child": (8, 4, 3, False), "(page cache)": (None, 1, 0, False)}
    assert by_name["child"]["kinds"] == {"anon": 1, "pagetable": 2, "pagecache": 1}
    text = pagetrail("live", run, "--by", "pid").out
    assert "anon 1, pagetable 2, pagecache 1" in text or "pagetable 2, anon 1, pagecache 1" in text
    assert "(ended)" in text


def test_by_stack(shared, pagetrail, write):
    run = write(shared)
    by_name = rows(pagetrail("live", run, "--by", "stack", "--json"))
    assert {n: (r["pages"], r["objects"]) for n, r in by_name.items()} == {
        "mm_fork": (4, 0), "lookup": (1, 0), "record_alloc": (0, 1)}
    assert by_name["lookup"]["frames"][1]["function"] == "pagecache_get"
    text = pagetrail("live", run, "--by", "stack", "--limit", 1).out
    assert "2 more (--limit)" in text and "4 pages, 16.0 KiB (pagetable 2, anon 2)" in text


@pytest.mark.parametrize("at,pages", [("start", 0), ("forked", {"parent": (2, 2)}), ("forked:begin", {"parent": (2, 2)}),
                                      ("forked:end", {"parent": (2, 1), "child": (3, 2)}),
                                      ("end", {"parent": (1, 1), "child": (4, 3), "(page cache)": (1, 0)})])
def test_at_a_mark(shared, pagetrail, write, at, pages):
    by_name = rows(pagetrail("live", write(shared), "--by", "pid", "--at", at, "--json"))
    assert {n: (r["pages"], r["alone"]) for n, r in by_name.items()} == (pages or {})


def test_at_each_instant_the_rows_are_the_generators_books(pagetrail, write):
    """A random machine, asked in the middle and at the end; by kind and by stack the rows add up."""
    for stop in (300, 900):
        machine, _, objects = busy_machine(11, 1, acts=stop)
        time, kinds = machine.time, collections.Counter()
        for page in machine.pages.values():
            kinds[tables.PAGE_KIND_TEXT[tables.PAGE_KINDS[page.kind]]] += 1 << page.order
        whole = busy_machine(11, 1, acts=1200)[0]
        run = write(whole, f"run{stop}")
        at = f"{time / 1e7:.7f}"
        result = pagetrail("live", run, "--at", at, "--json").json()
        assert {r["name"]: r["pages"] for r in result["rows"] if r["pages"]} == dict(kinds)
        assert result["objects"] == len(objects) and result["free_pages"] == len(machine.free_pfns)
        by_stack = pagetrail("live", run, "--at", at, "--by", "stack", "--limit", 10000, "--json").json()["rows"]
        assert sum(r["pages"] for r in by_stack) == sum(kinds.values())
        assert sum(r["objects"] for r in by_stack) == len(objects)


@pytest.mark.parametrize("options,words", [
    (["--at", "frked"], "--at: no mark frked: the marks are forked"), (["--at", "99"], "99 is after the end"),
    (["--at", "-1"], "no mark -1"), (["--by", "holder"], "--by: kind, stack or pid, not holder"),
    (["--limit", "x"], "x is not a number")])
def test_what_is_not_there_is_said(shared, pagetrail, write, options, words):
    result = pagetrail("live", write(shared), *options)
    assert result.status == CANNOT_TELL and words in result.err and not result.out


def test_over_losses(shared, pagetrail, write):
    shared.streams[0].discard(2)
    result = pagetrail("live", write(shared))
    assert result.status == CANNOT_TELL and result.out.startswith("LOSS: 2 events were discarded")


# ---- one page ----

def test_page_at_a_moment(shared, pagetrail, write):
    run, pfn = write(shared), next(p for p in shared.pages if shared.pages[p].kind == "ANON")
    whole = pagetrail("page", run, hex(pfn), "--json").json()
    early = pagetrail("page", run, hex(pfn), "--at", "forked:end", "--json").json()
    assert [e["event"] for e in whole["entries"]] == ["page_alloc", "page_get", "page_put"]
    assert (whole["count"], whole["open"], early["count"], early["open"]) == (1, [2], 2, [1, 2])
    assert "count 2 at 0.0" in pagetrail("page", run, hex(pfn), "--at", "forked:end").out


def test_a_page_of_a_block(pagetrail, write):
    """What happens to a block of four happens to its third page."""
    machine = tracegen.Machine()
    block = machine.alloc("KERNEL", "OWNER", (7, 0), order=2)
    other = machine.alloc("ANON", "PTE", (7, 0))
    run = write(machine)
    text = pagetrail("page", run, hex(block.pfn + 2)).out
    assert f"kernel, order 2, count 1, part of the block at {block.pfn:#x} at the end" in text
    assert pagetrail("page", run, hex(block.pfn + 4 if other.pfn != block.pfn + 4 else block.pfn - 1), "--json").json()[
        "entries"] == []


def test_lives_of_a_page(pagetrail, write):
    machine = tracegen.Machine()
    for i in range(3):
        page = machine.alloc("ANON", "PTE", (i, 0))
        machine.get(page, "IO", (9, i))
        machine.put(page, "IO", (9, i))
        if i < 2:
            machine.put(page, "PTE", (i, 0))
    run = write(machine)
    whole = pagetrail("page", run, hex(page.pfn), "--json").json()
    assert whole["lives"] == 3 and [e["life"] for e in whole["entries"]] == [1] * 5 + [2] * 5 + [3] * 3
    last = pagetrail("page", run, hex(page.pfn), "--last", 1)
    assert "3 lives, the last of them shown" in last.out and "#11 " in last.out and "#10 " not in last.out
    assert "2 acquired, 1 released, 1 open" in last.out


def test_a_put_recorded_before_its_get(pagetrail, write):
    machine = tracegen.Machine(harts=2)
    page = machine.alloc("ANON", "PTE", (1, 0))
    time = machine.time
    machine.hart, machine.time = 0, time + 20
    machine.get(page, "IO", (3, 4))
    machine.hart, machine.time = 1, time + 19
    machine.put(page, "IO", (3, 4))
    entries = pagetrail("page", write(machine), hex(page.pfn), "--json").json()["entries"]
    assert [(e["event"], e.get("released_by"), e.get("releases")) for e in entries] == [
        ("page_alloc", None, None), ("page_put", None, 3), ("page_get", 2, None)]


def test_freed_while_somebody_holds_it(pagetrail, write):
    """One put too many: the page goes while an entry is open, and a put settles nothing."""
    machine = tracegen.Machine()
    page = machine.alloc("ANON", "PTE", (1, 0))
    machine.get(page, "PTE", (2, 0))
    machine.put(page, "PTE", (1, 0))
    machine.put(page, "PTE", (1, 0))
    text = pagetrail("page", write(machine), hex(page.pfn)).out
    assert "releases NOTHING" in text and "freed while 1 of 2 references were open" in text and "open:" not in text


@pytest.mark.parametrize("page", ["0x1000", "nonsense", "", "0x80200zz"])
def test_no_page_of_ram(pagetrail, write, page):
    result = pagetrail("page", write(tracegen.Machine()), page)
    assert result.status == CANNOT_TELL and "is not a page of RAM" in result.err


# ---- call sites ----

def test_call_sites_and_what_went_through_them(pagetrail, write, sites):
    """A site that takes blocks and gives them back, one that takes once, one of objects."""
    machine = tracegen.Machine()
    for i in range(4):
        block = machine.alloc("KERNEL", "OWNER", (7, i), (sites["mm_fork"],), order=1)
        machine.time += 9_999_993  # its put is a second after its alloc
        machine.put(block, "OWNER", (7, i))
    for i in range(3):
        machine.alloc("ANON", "PTE", (1, i), (sites["kstack_alloc"],))
    record = machine.obj_alloc("dirty", (1, 1), (sites["record_alloc"],))
    machine.obj_free("dirty", record, (1, 1))
    run = write(machine)
    by_name = rows_by_function(pagetrail("stacks", run, "--by", "churn", "--json"))
    assert list(by_name) == ["mm_fork", "record_alloc", "kstack_alloc"]
    fork_row = by_name["mm_fork"]
    assert (fork_row["pages_live"], fork_row["pages_peak"], fork_row["pages_total"], fork_row["pages_churn"]) == (0, 2, 8, 8)
    assert fork_row["page_life"] == pytest.approx(1.0, rel=1e-6) and fork_row["page_allocs"] == 4
    assert (by_name["record_alloc"]["object_allocs"], by_name["record_alloc"]["object_frees"]) == (1, 1)
    assert list(rows_by_function(pagetrail("stacks", run, "--json")))[0] == "kstack_alloc"
    text = pagetrail("stacks", run, "--by", "churn").out
    assert "total 8; allocated 4 times, freed 4 times; churn 8 (2.0 a second), mean life 1.00000" in text


def rows_by_function(result):
    return {row["function"]: row for row in result.json()["sites"]}


@pytest.mark.parametrize("page", ["0x90000000", "0x88000", "0xffffffc090000000"])
def test_a_page_outside_ram_is_an_error(pagetrail, write, page):
    run = write(tracegen.Machine())
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**about, "ram_bytes": 128 << 20}))
    done = pagetrail("page", run, page)
    assert done.status == CANNOT_TELL and f"{page} is outside RAM: the machine had 128 MiB" in done.err and not done.out
    assert pagetrail("page", run, "0x87fff").status == OK
