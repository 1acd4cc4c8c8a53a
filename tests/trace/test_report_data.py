# SPDX-License-Identifier: MIT
"""The numbers in the HTML report (report/html_data.h): they add up, and are what other commands say, on machines that do much at once.

Verified here: USAGE-1, USAGE-2, LIVES-1, LIVES-2, DATA-1.
"""
import json
import re

import golden
import pytest
from harness import paths
from test_format import busy_machine
from test_leaks import Kernel, fault_5

SITE = 12  # numbers of a site
LIFE = 11


@pytest.fixture
def data_of(pagetrail, tmp_path):
    """data_of(run): the block of JSON in its report."""
    def data_of(run):
        pagetrail("report", run, "-o", tmp_path / "r.html")
        text = (tmp_path / "r.html").read_text()
        block, = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
        assert "<" not in block
        return json.loads(block)
    return data_of


def grouped(flat, nr):
    assert len(flat) % nr == 0
    return [flat[i:i + nr] for i in range(0, len(flat), nr)]


def uses(flat):
    """[(step, allocated, freed)] of a series."""
    out, step = [], 0
    for since, allocated, freed in grouped(flat, 3):
        step += since
        out.append((step, allocated, freed))
    return out


@pytest.mark.parametrize("seed, harts", [(1, 1), (2, 4), (3, 4)])
def test_steps_add_up_to_what_stacks_says(data_of, pagetrail, write, seed, harts):
    machine, _, _ = busy_machine(seed, harts, acts=6000)
    run = write(machine)
    data, sites = data_of(run), pagetrail("stacks", run, "--json").json()["sites"]
    by_stack = {site[0]: (site, uses(flat)) for site, flat in zip(grouped(data["sites"], SITE), data["siteUses"])}
    assert len(data["steps"]) <= 256 + 640 and all(since > 0 for since in data["steps"][1:])
    assert {s["stack"] for s in sites} == set(by_stack)
    most = 0
    for expected in sites:
        site, series = by_stack[expected["stack"]]
        assert [site[1], site[2], site[4], site[5], site[6]] == [expected[k] for k in ("pages_live", "pages_peak", "page_allocs", "page_frees", "pages_total")]
        steps = [step for step, _, _ in series]
        assert steps == sorted(set(steps)) and (not steps or steps[-1] < len(data["steps"]))
        assert sum(a for _, a, _ in series) == site[6] and sum(a - f for _, a, f in series) == site[1]
        most += site[3]
    net = {}
    for _, series in by_stack.values():
        for step, allocated, freed in series:
            net[step] = net.get(step, 0) + allocated - freed
    held = [sum(n for s, n in net.items() if s <= step) for step in range(len(data["steps"]))]
    assert most >= max(held) and most <= sum(s["pages_peak"] for s in sites)


def test_what_was_held_at_the_peak_is_exact(data_of, sites, write):
    """5 pages of one site, then 7 of another while 2 of the first are left: the most is 9, at an instant within a step."""
    kernel = Kernel(sites)
    machine = kernel.machine
    take = lambda function, nr: [machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack(function)) for _ in range(nr)]
    drop = lambda pages: [machine.put(page, "PIPE", (1, 0), kernel.stack("pagecache_drop")) for page in pages]
    first = take("sys_write", 5)
    drop(first[2:])
    second = take("sys_read", 7)
    drop(first[:2] + second)
    machine.time += 10_000_000
    drop(take("sys_write", 1))
    machine.audit([])
    data = data_of(write(machine))
    name = {stack: data["frames"][data["nodes"][2 * site + 1]].split("\t")[0] for stack, _, site in grouped(data["stacks"], 3)}
    assert {name[site[0]]: site[3] for site in grouped(data["sites"], SITE)} == {"sys_write": 2, "sys_read": 7}


def test_a_test_is_made_of_whole_steps(data_of, sites, write):
    kernel = Kernel(sites)
    machine = kernel.machine
    for name in ("one", "two", "three"):
        machine.mark(name)
        kernel.begin(5)
        machine.put(machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write")), "PIPE", (1, 0), kernel.stack("pagecache_drop"))
        kernel.end(5)
        machine.mark(name, end=True)
    machine.audit([])
    data = data_of(write(machine))
    starts = [sum(data["steps"][:i + 1]) for i in range(len(data["steps"]))]
    for test in data["tests"]:
        assert test[1] in starts and test[2] in starts
        inside = [a for step, a, _ in uses(data["siteUses"][0]) if test[1] <= starts[step] < test[2]]
        assert sum(inside) == 1, test


@pytest.mark.parametrize("seed", [4, 5])
def test_lives_are_those_that_page_prints(data_of, pagetrail, write, seed):
    """Lives of a page frame do not overlap; each event of each is in `page`, with the same counts."""
    machine, _, _ = busy_machine(seed, 4, acts=3000)
    run = write(machine)
    data = data_of(run)
    lives, by_pfn = grouped(data["map"]["lives"], LIFE), {}
    assert lives
    for number, life in enumerate(lives):
        by_pfn.setdefault(life[0], []).append((number, life))
    for pfn, some in by_pfn.items():
        for (_, before), (_, after) in zip(some, some[1:]):
            assert before[4] and before[4] <= after[3], f"page {pfn:x}"
    looked = 0
    for pfn, some in sorted(by_pfn.items())[:12]:
        entries = pagetrail("page", run, hex(pfn), "--json").json()["entries"]
        for number, life in some:
            flat = data["map"]["lifeEvents"].get(str(number))
            if not flat or flat[0]:
                continue
            looked += 1
            time, shown = life[3], []
            for event in grouped(flat[1:], 10):
                time += event[0]
                shown.append((time, data["events"][event[1]], event[2], event[3]))
            expected = [(round(e["time"] * data["hz"]), e["event"], e["before"], e["after"]) for e in entries
                        if life[3] <= round(e["time"] * data["hz"]) <= (life[4] or time) and e["block"] == pfn]
            assert shown == expected, f"page {pfn:x}"
    assert looked >= 5


def test_what_lives_at_the_end_and_what_leaked_is_on_the_map(data_of, pagetrail, sites, write):
    kernel = Kernel(sites)
    fault_5(kernel)
    kernel.machine.sample()
    kernel.machine.audit([])
    run = write(kernel.machine)
    data, leaks = data_of(run), pagetrail("leaks", run, "--json").json()
    leaked = {life[0] for life in grouped(data["map"]["lives"], LIFE) if life[10]}
    assert leaked == {item["pfn"] for group in leaks["groups"] for item in group["items"]} and len(leaked) == 10
    shown = {life[0] for life in grouped(data["map"]["lives"], LIFE) if not life[4]}
    assert leaked <= shown


def test_names_cannot_end_the_script(data_of, sites, write):
    kernel = Kernel(sites)
    kernel.machine.mark("</script><b>")
    kernel.machine.mark("</script><b>", end=True)
    kernel.machine.audit([])
    assert [test[0] for test in data_of(write(kernel.machine))["tests"]] == ["</script><b>"]


@pytest.mark.parametrize("name", golden.RUNS)
def test_recorded_runs_under_sanitizers(sanitized, tmp_path, name):
    """Whole runs, damaged ones, one of a watched kernel; with sources, as functions are read from them. And each beside the clean one."""
    golden.unpack(tmp_path)
    sanitized("report", tmp_path / name, "--source", paths.ROOT, "-o", tmp_path / "r.html", timeout=200)
    sanitized("report", tmp_path / "clean", tmp_path / name, "-o", tmp_path / "c.html", timeout=200)
    assert (tmp_path / "r.html").stat().st_size > 20_000 and (tmp_path / "c.html").stat().st_size > 20_000


ODD = ["", "\n" * 40, ">" * 30, "inode_read_cached(", "long inode_read_cached(void) {" + "\n" * 19 + ">x = lookup()", "/*" + "\n" * 40,
       '"' + "\n" * 30 + "inode_read_cached() { '", "long inode_read_cached(void)\n{" + "\n" * 18 + "=lookup(inode)\n;\n}\n",
       "inode_read_cached(){" + "{" * 50 + "\n" * 19 + "lookup\\", "int\ninode_read_cached()\n{" + "\n" * 17 + "p->page = lookup();\nreturn;\n}"]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_sources_that_are_no_c_under_sanitizers(sanitized, sites, write, tmp_path, number):
    kernel = Kernel(sites)
    fault_5(kernel)
    kernel.machine.audit([])
    source = tmp_path / "tree/kernel/fs/cached_io.c"
    source.parent.mkdir(parents=True)
    source.write_text(ODD[number])
    sanitized("report", write(kernel.machine), "--source", tmp_path / "tree", "-o", tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size > 20_000
