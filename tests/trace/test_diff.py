# SPDX-License-Identifier: MIT
"""What two moments hold: of one run, of two runs, of two kernels."""

import pytest
import tracegen
from harness.tool import CANNOT_TELL, OK


def machine_with(sites, anon, cached, records=0, first_stacks=()):
    """Pages taken by mm_fork and by lookup, records by record_alloc; marks around the middle."""
    machine = tracegen.Machine()
    for stack in first_stacks:
        machine.stack(*stack)
    machine.sample()
    machine.mark("early")
    pages = [machine.alloc("ANON", "PTE", (7, i), (sites["page_get"], sites["mm_fork"], sites["sys_write"]))
             for i in range(anon)]
    machine.mark("early", end=True)
    machine.mark("late")
    for i in range(cached):
        machine.alloc("PAGECACHE", "CACHE", (12, i), (sites["lookup"], sites["sys_read"]))
    for i in range(records):
        machine.obj_alloc("dirty", (12, i), (sites["record_alloc"],))
    if anon > 1:
        machine.put(pages[0], "PTE", (7, 0))
    machine.mark("late", end=True)
    return machine


def stacks(result):
    return {row["name"]: (row["a"]["pages"], row["b"]["pages"], row["by_names"]) for row in result.json()["stacks"]}


@pytest.mark.parametrize("options,expected", [
    (["--from", "early", "--to", "early:end"], {"mm_fork": (0, 4, False)}),
    (["--from", "late", "--to", "late:end"], {"lookup": (0, 3, False), "mm_fork": (4, 3, False)}),
    (["--to", "late"], {"mm_fork": (0, 4, False)}),
    (["--from", "early:end"], {"lookup": (0, 3, False), "mm_fork": (4, 3, False)}),
    (["--from", "late:end", "--to", "end"], {})])
def test_two_moments_of_one_run(pagetrail, write, sites, options, expected):
    run = write(machine_with(sites, 4, 3))
    result = pagetrail("diff", run, *options, "--json")
    assert stacks(result) == expected and result.status == OK
    assert result.json()["verdict"] == ("different" if expected else "same")
    text = pagetrail("diff", run, *options).out
    assert ("no difference" in text) == (not expected)
    for name, (a, b, _) in expected.items():
        assert f"{b - a:+} pages (" in text and name in text


def test_kinds_and_caches(pagetrail, write, sites):
    run = write(machine_with(sites, 4, 3, records=2))
    kinds = {row["name"]: (row["pages"], row["objects"]) for row in
             pagetrail("diff", run, "--from", "late", "--json").json()["kinds"]}
    assert kinds == {"pagecache": (3, 0), "anon": (-1, 0), "dirty": (0, 2)}
    text = pagetrail("diff", run, "--from", "late").out
    assert "+2 objects (0 -> 2), only in B" in text and "(pagecache 0 -> 3), only in B" in text


def test_two_runs_whose_stacks_have_other_numbers(pagetrail, write, sites):
    a = write(machine_with(sites, 2, 3), "a")
    b = write(machine_with(sites, 2, 5, first_stacks=[(0x80200004,), (0x80200008,)]), "b")
    assert stacks(pagetrail("diff", a, b, "--json")) == {"lookup": (3, 5, False)}
    assert stacks(pagetrail("diff", a, b, "--json", "--all")) == {"lookup": (3, 5, False), "mm_fork": (1, 1, False)}
    assert stacks(pagetrail("diff", a, b, "--from", "late", "--to", "late", "--json")) == {}


def test_a_rebuilt_kernel(pagetrail, write, sites, rebuilt_sites, rebuilt_elf):
    """Every address is another. Unchanged functions are found by offset, a changed one by name; both add up."""
    assert all(rebuilt_sites[name] != address for name, address in sites.items())
    a, b = write(machine_with(sites, 3, 3), "a"), write(machine_with(rebuilt_sites, 5, 3), "b", other_kernel=rebuilt_elf)
    result = pagetrail("diff", a, b, "--all", "--json")
    assert stacks(result) == {"mm_fork": (2, 4, True), "lookup": (3, 3, False)}
    text = pagetrail("diff", a, b).out
    assert "+2 pages (anon 2 -> 4), by the functions' names: their code differs" in text and "1 of 2 stacks" in text


def test_call_sites_of_one_function_are_told_apart_while_its_code_is_the_same(pagetrail, write, sites):
    """Two calls within one function, four bytes apart, in two runs of one kernel."""
    def machine(first, second):
        machine = tracegen.Machine()
        for site, nr in ((sites["mm_destroy"], first), (sites["mm_destroy"] + 2, second)):
            for i in range(nr):
                machine.alloc("ANON", "PTE", (site & 0xff, i), (site,))
        return machine
    a, b = write(machine(2, 3), "a"), write(machine(2, 7), "b")
    rows = pagetrail("diff", a, b, "--all", "--json").json()["stacks"]
    assert sorted((r["a"]["pages"], r["b"]["pages"]) for r in rows) == [(2, 2), (3, 7)]


def test_without_a_kernel_addresses_are_compared(pagetrail, write):
    runs = []
    for name, nr in (("a", 1), ("b", 4)):
        machine = tracegen.Machine()
        for i in range(nr):
            machine.alloc("ANON", "PTE", (1, i), (0x80200004,))
        runs.append(write(machine, name, kernel=False))
    assert stacks(pagetrail("diff", *runs, "--json")) == {"0xffffffc080200004": (1, 4, False)}


def test_the_sides_add_up(pagetrail, write):
    from test_format import busy_machine
    a, b = (write(busy_machine(seed, 2, 900)[0], f"run{seed}") for seed in (21, 22))
    report = pagetrail("diff", a, b, "--all", "--json").json()
    for side in ("a", "b"):
        for key in ("pages", "objects", "object_bytes"):
            sums = {part: sum(row[side][key] for row in report[part]) for part in ("kinds", "stacks")}
            assert sums["kinds"] == sums["stacks"] == report[side]["live"][key], (side, key)


@pytest.mark.parametrize("options,words", [
    ([], "two runs, or two instants of one"), (["--from", "nosuch"], "--from: no mark nosuch: the marks are early, late"),
    (["--to", "77"], "--to: 77 is after the end"), (["--from", "late", "--to", "early"], "--from is after --to"),
    (["/nonexistent"], "not a run folder")])
def test_what_is_not_there_is_said(pagetrail, write, sites, options, words):
    result = pagetrail("diff", write(machine_with(sites, 1, 1)), *options)
    assert result.status == CANNOT_TELL and words in result.err and not result.out


def test_over_losses(pagetrail, write, sites):
    a, b = write(machine_with(sites, 1, 1), "a"), machine_with(sites, 1, 1)
    b.streams[0].discard(1)
    result = pagetrail("diff", a, write(b, "b"))
    assert result.status == CANNOT_TELL and result.out.startswith("LOSS: 1 event was")
