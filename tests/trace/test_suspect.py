# SPDX-License-Identifier: MIT
"""Who is named, by which rule, and who is not: baselines, refused allocations, getters, containers."""
import json
import re
import shutil

import pytest
from conftest import sites_of
from harness.tool import CANNOT_TELL, LEAKED, OK
from test_leaks import Kernel, fault_7, kernel, leaks  # pylint: disable=unused-import


def blocks(kernel, nr=8, forget=(), drop="block_drop"):
    """Blocks that a system call takes and another function drops later, but for some."""
    kernel.begin(7)
    for i in range(nr):
        page = kernel.machine.alloc("ANON", "OWNER", (7, i), kernel.stack("record_alloc", "sys_read"))
        if i not in forget:
            kernel.machine.put(page, "OWNER", (7, i), kernel.stack(drop, "sys_write"))
    kernel.end(7)
    return kernel


@pytest.fixture
def healthy(sites, write):
    """The folder of a run without leaks, with an audit that says so."""
    healthy = blocks(Kernel(sites))
    healthy.machine.audit()
    return write(healthy.machine, "healthy")


def missing_of(report):
    return report["groups"][0]["missing_release"]


def test_the_code_has_a_call_less(healthy, leaks, forgetting_elf):
    """Of another build, with other addresses: the function is the same, and so is what it called."""
    kernel = blocks(Kernel(sites_of(forgetting_elf)), forget=range(8))
    report, status, text = leaks(kernel, "--baseline", healthy, other_kernel=forgetting_elf)
    missing = missing_of(report)
    assert status == LEAKED and (missing["rule"], missing["confidence"]) == ("baseline-code", "certain")
    assert (missing["suspect"], missing["baseline"], missing["baseline_total"]) == ("block_drop", 8, 8)
    assert "block_drop() does not call page_put()" in text and "CERTAIN: rule baseline-code" in text


def test_without_a_baseline_nobody_is_named(leaks, forgetting_elf):
    report, _, text = leaks(blocks(Kernel(sites_of(forgetting_elf)), forget=range(8)), other_kernel=forgetting_elf)
    assert missing_of(report)["suspect"] is None and missing_of(report)["confidence"] == "none"
    assert "no suspect is named" in text and "Start here: acquired by record_alloc (kernel/fs/writeback.c:30), last seen in" in text
    assert "suspect:" not in text


def test_a_kept_baseline_says_the_same(pagetrail, healthy, leaks, forgetting_elf, tmp_path):
    kept = tmp_path / "kept.baseline"
    assert pagetrail("baseline", healthy, "--out", kept).status == OK
    said = [leaks(blocks(Kernel(sites_of(forgetting_elf)), forget=range(8)), "--baseline", baseline,
                  other_kernel=forgetting_elf, name=name)[2] for baseline, name in ((healthy, "a"), (kept, "b"))]
    assert said[0].replace("/a", "/b") == said[1]


def test_a_baseline_is_found_by_its_workload(pagetrail, healthy, write, forgetting_elf, tmp_path):
    """In traces/baselines of the folder that one works in; that of another workload is left alone."""
    kernel = blocks(Kernel(sites_of(forgetting_elf)), forget=range(8))
    leaky = write(kernel.machine, "leaky", other_kernel=forgetting_elf)

    def says(words, *options):
        about = json.loads((leaky / "run.json").read_text())
        (leaky / "run.json").write_text(json.dumps({**about, "guest_command": words}))
        return missing_of(pagetrail("leaks", "--json", *options, leaky, cwd=tmp_path).json())["suspect"]

    about = json.loads((healthy / "run.json").read_text())
    (healthy / "run.json").write_text(json.dumps({**about, "guest_command": ["usertests", "-q"]}))
    assert pagetrail("baseline", healthy, cwd=tmp_path).status == OK
    kept, = (tmp_path / "traces/baselines").iterdir()
    assert kept.name.startswith("usertests-q-") and kept.suffix == ".baseline"
    assert says(["usertests", "-q"]) == "block_drop" and says(["stressfs"]) is None
    # And it is left out where the reader says so, in the report as well.
    assert says(["usertests", "-q"], "--no-baseline") is None
    for options, named in (((), True), (("--no-baseline",), False)):
        pagetrail("report", *options, "-o", tmp_path / "r.html", leaky, cwd=tmp_path)
        assert ("block_drop() does not call page_put()" in (tmp_path / "r.html").read_text()) == named, options


@pytest.mark.parametrize("words", [["leaks"], ["report"], ["run", "--leaks"], ["watch", "--out", "w"], ["batch", "--out", "b"]], ids=lambda words: words[0])
def test_a_baseline_and_none_are_not_both(pagetrail, healthy, tmp_path, words):
    last = {"run": ["--", "true"], "watch": ["true"]}.get(words[0], [healthy])
    result = pagetrail(*words, "--baseline", healthy, "--no-baseline", *last, cwd=tmp_path)
    assert result.status == CANNOT_TELL and "--baseline and --no-baseline: one of them" in result.err, result.err
    assert not list(tmp_path.glob("[bw]"))


def test_a_run_with_leaks_is_no_baseline(pagetrail, kernel, write):
    fault_7(kernel)
    result = pagetrail("baseline", write(kernel.machine))
    assert result.status == CANNOT_TELL and "is no baseline" in result.err


@pytest.mark.parametrize("why", ["leaks", "panic", "killed", "losses"])
def test_nor_is_it_where_it_is_given_to_leaks(pagetrail, healthy, sites, write, why):
    """Its own missing releases would show none, so nothing that is not known to be healthy is taken."""
    other = blocks(Kernel(sites), forget=range(2) if why == "leaks" else ())
    if why == "losses":
        other.machine.streams[0].discard(2)
    if why != "leaks":
        other.machine.audit()
    if why == "panic":
        other.machine.emit("panic", name="bad")
    run = write(other.machine, "other")
    if why == "killed":
        (run / "run.json").unlink()
    result = pagetrail("leaks", healthy, "--baseline", run)
    assert result.status == CANNOT_TELL and not result.out
    assert f"{run} is no baseline" in result.err or f"{run} has leaks: it is no baseline" in result.err
    assert pagetrail("baseline", run).err == result.err


def test_the_kept_baseline_of_a_watched_run_is_read_again(pagetrail, metadata, kernel_elf, sites, tmp_path):
    """Its pages have no kind of reference, which has a word in the file."""
    watched = tmp_path / "metadata"
    watched.write_text(metadata.read_text().replace('source = "rings"', 'source = "watch"'))
    kernel = Kernel(sites)
    machine, stack = kernel.machine, kernel.stack
    for _ in range(3):
        page = machine.alloc("KERNEL", "NONE", (0, 0), stack("record_alloc", "sys_read"))
        machine.put(page, "NONE", (0, 0), stack("block_drop", "sys_write"))
    machine.audit()
    run, kept = tmp_path / "run", tmp_path / "kept.baseline"
    (run / "kernel").mkdir(parents=True)
    shutil.copy(kernel_elf, run / "kernel/kernel.elf")
    machine.write(str(run), str(watched))
    made = pagetrail("baseline", run, "--out", kept)
    assert made.status == OK, made.err
    assert re.search(r"^l page \d", kept.read_text(), re.M), kept.read_text()
    result = pagetrail("leaks", run, "--baseline", kept)
    assert result.status == OK and result.out == pagetrail("leaks", run, "--baseline", run).out, result.err


def test_a_damaged_baseline_is_refused(pagetrail, healthy, tmp_path):
    """Whatever line is cut, doubled or changed: it is refused or read, and nothing else happens."""
    kept = tmp_path / "kept.baseline"
    assert pagetrail("baseline", healthy, "--out", kept).status == OK
    lines = kept.read_text().splitlines(keepends=True)
    for change in (["pagetrail-baseline 9\n", *lines[1:]], [*lines[:5], "n 999999 1 far\n", *lines[5:]],
                   *([*lines[:-1], line, lines[-1]] for line in ("l pte 1 2\n", "l pte 1 2 3 -4\n", "x\n", lines[3], "c a\n", "s a 1\n")),
                   *(lines[:nr] for nr in range(len(lines))), [*lines[:-2], lines[-1]], [*lines, lines[-2]]):
        kept.write_text("".join(change))
        result = pagetrail("leaks", healthy, "--baseline", kept)
        assert result.status == CANNOT_TELL and "kept.baseline" in result.err


def test_another_path_does_all_it_did(healthy, sites, leaks):
    """Some of the blocks are forgotten while block_drop is as it was: it is named as the one that released all others, not for its code."""
    report, _, _ = leaks(blocks(Kernel(sites), forget=(1, 3, 5)), "--baseline", healthy)
    missing = missing_of(report)
    assert missing["baseline_put"][0]["function"] == "block_drop"
    assert (missing["rule"], missing["confidence"]) == ("one-releaser", "likely")


def slabs(kernel, forget=()):
    """Pages of slabs, which the books themselves give back; a cache does not end, so an audit must find them."""
    lost = []
    kernel.begin(7)
    for i in range(8):
        page = kernel.machine.alloc("SLAB", "SLAB", (3, 0), kernel.stack("slab_shrink", "sys_read"))
        if i not in forget:
            kernel.machine.put(page, "SLAB", (3, 0), kernel.stack("slab_shrink", "sys_write"))
        else:
            lost.append({"verdict": "UNREACH", "page": page})
    kernel.end(7)
    if lost:
        kernel.machine.audit(lost)
    return kernel


def said_by(missing, family):
    """Whom the rules of this family would name."""
    return {one["function"] for one in missing["considered"] if one["rule"].startswith(family)}


@pytest.mark.parametrize("changed, lives, said", [
    (("block_drop",), blocks, {"block_drop"}),
    (("block_drop", "mm_destroy"), blocks, {"block_drop"}),  # the other is not on the path
    (("block_let_go",), blocks, {"block_let_go"}),           # it is on no stack: it left by a tail call
    (("slab_shrink",), slabs, {"slab_shrink"}),
    (("block_drop", "sys_write"), blocks, set()),            # two of the path
    (("block_drop", "ALL"), blocks, set()),                  # another compiler's code
])
def test_the_only_function_of_the_path_with_other_code(sites, write, leaks, skipping_elf, changed, lives, said):
    """A release that is sometimes skipped: all calls are there, and a branch more."""
    before = lives(Kernel(sites))
    before.machine.audit()
    elf = skipping_elf(*changed)
    now = lives(Kernel(sites_of(elf)), forget=(1, 3, 5))
    report, status, _ = leaks(now, "--baseline", write(before.machine, "before"), other_kernel=elf)
    missing = missing_of(report)
    assert status == LEAKED and said_by(missing, "baseline-changed") == said
    assert not said or missing["suspect"] == said.pop()


@pytest.mark.parametrize("below, elsewhere, said", [
    (30, 0, {"block_drop"}),   # sys_write is on the way to 32 functions, with page_put and block_drop
    (29, 0, set()),            # to 31: half of so few says little
    (30, 60, set()),           # to fewer than half of all
])
def test_a_dispatcher_with_other_code_is_no_suspect(pagetrail, sites, write, leaks, skipping_elf, tmp_path, below, elsewhere, said):
    """Most functions are called below it, so of two that changed on the path the other one is meant."""
    before, kept = blocks(Kernel(sites)), tmp_path / "kept.baseline"
    before.machine.audit()
    assert pagetrail("baseline", write(before.machine, "before"), "--out", kept).status == OK
    *lines, _ = kept.read_text().splitlines()
    nodes = [line for line in lines if line.startswith("n ")]
    head, rest = lines[:3], lines[3 + len(nodes):]
    dispatcher = next(number for number, line in enumerate(nodes, 1) if line.split()[3] == "sys_write")
    nodes += [f"n {dispatcher} 1 below_{i}" for i in range(below)] + [f"n 0 1 elsewhere_{i}" for i in range(elsewhere)]
    kept.write_text("\n".join([*head, *nodes, *rest, f"end {len(nodes) + len(rest) + 1}", ""]))
    elf = skipping_elf("block_drop", "sys_write")
    report, status, _ = leaks(blocks(Kernel(sites_of(elf)), forget=(1, 3, 5)), "--baseline", kept, other_kernel=elf)
    assert status == LEAKED and said_by(missing_of(report), "baseline-changed") == said


def test_the_getter_with_other_code(sites, write, leaks, skipping_elf):
    """As much is released as before, and more was acquired: whatever changed where it is released."""
    before = blocks(Kernel(sites))
    before.machine.audit()
    elf = skipping_elf("block_drop", "sys_read")
    now = Kernel(sites_of(elf))
    blocks(now, nr=10, forget=(1, 2))
    report, _, text = leaks(now, "--baseline", write(before.machine, "before"), other_kernel=elf)
    assert (missing_of(report)["rule"], missing_of(report)["suspect"]) == ("baseline-changed-get", "sys_read")
    assert "sys_read() acquires such references in other code than the baseline's" in text
    called = next(frame for frame in report["groups"][0]["get"] if frame["function"] == "sys_read")
    place = f"{called['file']}:{called['line']}"
    assert missing_of(report)["suspect_place"] == place and f"place: {place}\n" in text, "not where the function begins"
    assert called["line"] > 41


def names(kernel, forget=()):
    """References to inodes, which one function acquires and another releases, but for some."""
    kernel.begin(7)
    for i in range(8):
        inode = kernel.machine.obj_alloc("inode", stack=kernel.stack("mm_fork"))
        kernel.machine.obj_ref("obj_get", "inode", inode, "CALL", (7, 0), 0, kernel.stack("name_begin", "sys_read"))
        if i not in forget:
            kernel.machine.obj_ref("obj_put", "inode", inode, "CALL", (7, 0), 1, kernel.stack("name_end", "sys_write"))
            kernel.machine.obj_free("inode", inode, stack=kernel.stack("mm_destroy"))
    kernel.end(7)
    return kernel


def test_the_release_of_a_counted_object_has_its_own_name(sites, write, leaks, skipping_elf):
    """The trace has the caller of inode_put() only: not the books' page_put() released it, nor what else the caller calls."""
    before = names(Kernel(sites))
    before.machine.audit()
    elf = skipping_elf("name_end", "sys_read")
    now = names(Kernel(sites_of(elf)), forget=(1, 3, 5))
    _, status, text = leaks(now, "--baseline", write(before.machine, "before"), other_kernel=elf)
    assert status == LEAKED and "name_end() does not always call inode_put(), which released such objects" in text, text


def test_what_a_baseline_says_of_the_code(pagetrail, healthy, tmp_path):
    """A tail call is a call; a function has its copies, and as many branches as the source makes."""
    kept = tmp_path / "kept.baseline"
    assert pagetrail("baseline", healthy, "--out", kept).status == OK
    lines = kept.read_text().splitlines()
    assert "c block_let_go block_drop 1" in lines and "c block_drop page_put 1" in lines
    shapes = {words[1]: words[2:4] for words in map(str.split, lines) if words[0] == "s"}
    assert shapes["block_drop"] == ["1", "0"] and shapes["lookup"] == ["1", "0"]


def test_a_baseline_of_version_1_has_no_shapes(pagetrail, healthy, leaks, skipping_elf, tmp_path):
    kept = tmp_path / "kept.baseline"
    assert pagetrail("baseline", healthy, "--out", kept).status == OK
    lines = [line for line in kept.read_text().splitlines() if not line.startswith("s ")]
    nr = int(lines[-1].split()[1]) - (len(kept.read_text().splitlines()) - len(lines))
    kept.write_text("\n".join(["pagetrail-baseline 1", *lines[1:-1], f"end {nr}", ""]))
    elf = skipping_elf("block_drop")
    report, status, _ = leaks(blocks(Kernel(sites_of(elf)), forget=(1, 3, 5)), "--baseline", kept, other_kernel=elf)
    assert status == LEAKED and not said_by(missing_of(report), "baseline-changed")


def refused_fork(kernel, pid, refuse, deep=False):
    """fork has made a page when it is refused another; without a refusal it gives both back in the end. deep: the stack of
    what was refused is longer than a record, and lacks its outer end."""
    page = kernel.machine.alloc("PAGETABLE", "TABLE", (pid, 0), kernel.stack("record_alloc", "mm_fork", "sys_read"))
    if refuse:
        stack = kernel.stack("kstack_alloc", "mm_fork", "sys_read")
        kernel.machine.emit("fail_injected", stack=stack[:2] if deep else stack, pid=kernel.machine.pid, mm=0, value=0, name="")
        return page
    kernel.machine.put(page, "TABLE", (pid, 0), kernel.stack("mm_destroy", "sys_write"))
    return None


@pytest.mark.parametrize("deep", [False, True])
def test_where_unwinding_forgot(kernel, leaks, deep):
    kernel.begin(7)
    lost = [refused_fork(kernel, pid, refuse=pid % 2, deep=deep) for pid in range(100, 110)]
    kernel.end(7)
    kernel.machine.audit([{"verdict": "UNREACH", "page": page} for page in lost if page])
    report, _, text = leaks(kernel)
    missing = missing_of(report)
    assert (missing["how"], missing["suspect"], missing["confidence"]) == ("refused", "mm_fork", "likely")
    assert "mm_fork() fails when an allocation is refused at kernel/vm/fork.c:5" in text
    assert "5 of 5 leaked ones were followed by a refused allocation" in text


def test_a_refusal_elsewhere_blames_nobody(kernel, leaks):
    kernel.begin(7)
    page = kernel.machine.alloc("PAGETABLE", "TABLE", (7, 0), kernel.stack("record_alloc", "mm_fork", "sys_read"))
    kernel.machine.emit("fail_injected", stack=kernel.stack("kstack_alloc", "sys_write"), pid=7, mm=0, value=0, name="")
    kernel.end(7)
    kernel.machine.audit([{"verdict": "UNREACH", "page": page}])
    assert missing_of(leaks(kernel)[0])["how"] != "refused"


def test_who_hands_the_page_on_is_no_suspect(kernel, leaks):
    """block_page() returns it to its callers, one of which forgets it."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    for i, caller in enumerate(["inode_read_cached"] * 6 + ["ext2_file_write"]):
        kernel.machine.get(page, "IO", (7, i), kernel.stack("lookup", "block_page", caller, "sys_read"))
        if caller == "inode_read_cached":
            kernel.machine.put(page, "IO", (7, i), kernel.stack("pagecache_release", caller, "sys_read"))
    kernel.drop(page, 12, 0)
    kernel.end(7)
    missing = missing_of(leaks(kernel)[0])
    assert (missing["how"], missing["suspect"]) == ("same-function", "ext2_file_write")


def test_the_container_is_named_before_its_contents(kernel, leaks):
    kernel.begin(7)
    mm = kernel.machine.obj_alloc("mm", (7, 0), kernel.stack("record_alloc", "mm_fork"))
    pages = [kernel.machine.alloc("ANON", "PTE", (7, i), kernel.stack("mm_fork")) for i in range(5)]
    kernel.machine.audit([{"verdict": "OBJ", "obj": mm, "holder": (7, 0)},
                          *({"verdict": "UNREACH", "page": page, "holder": (7, i)} for i, page in enumerate(pages))])
    report, _, text = leaks(kernel)
    assert [group["what"] for group in report["groups"]] == ["object", "page"]
    assert [group["part_of"] for group in report["groups"]] == [-1, 0]
    assert "[2]" in text and report["groups"][1]["missing_release"]["how"] == "container"
