# SPDX-License-Identifier: MIT
"""`pagetrail why` on watched kernels: the machine is run again, and who lost the last pointer is named. The foreign kernels say
themselves who that is (`truth:`, tests/foreign/mistakes). And who freed a page too early, for those that do that."""
import json
import re
import shutil
import subprocess

import pytest
from harness import paths
from harness.tool import CANNOT_TELL, LEAKED, pagetrail
from watching import described, kernel, kernels, watch

# Those whose function is named; docs/STATUS.md tells of the others. The first ones in `make test`, the others by `-m slow`.
ALWAYS = ("small-cow-u8-sole_owner_leaks", "small-O2-last_table_stays", "higher-plain-unmap_keeps")
NAMED = (*ALWAYS, "small-cow-inline-sole_owner_leaks", "small-plain-shrink_keeps", "small-plain-failed_fork_keeps",
         "small-plain-trapframe_stays", "small-kpt-stack_stays", "small-kpt-name-kernel_root_stays",
         "small-plain-refused_fault_keeps", "small-O0-failed_pipe_keeps", "higher-plain-failed_add_keeps",
         "higher-plain-refused_fault_keeps", "higher-plain-empty_slab_stays")
LEAKS = [mistake for mistake in kernels.mistakes() if mistake.name in NAMED]


def leaking(folder, name):
    """A run of a kernel with a mistake, its input known: there is none."""
    run = folder / "run"
    words = kernels.description(name, folder) or ["--kernel-description", described(folder, name)]
    done = watch("--out", run, "--timeout", 100, *words, *kernel(name))
    assert done.status == LEAKED, done.out + done.err
    return run


@pytest.mark.parametrize("mistake", [pytest.param(mistake, id=mistake.name,
                                                  marks=() if mistake.name in ALWAYS else pytest.mark.slow)
                                     for mistake in LEAKS])
def test_who_lost_the_last_pointer(tmp_path, mistake):
    run = leaking(tmp_path, mistake.name)
    done = pagetrail("why", run, "--json", timeout=300)
    assert done.status == LEAKED, done.err
    groups = json.loads(done.out)["groups"]
    blamed = {group["to_blame"]["function"] for group in groups if group["to_blame"]}
    assert mistake.function in blamed, (blamed, done.out)
    assert sum(group["lost"] + group["within"] for group in groups) > 0


def test_what_was_typed_is_not_known(tmp_path):
    """Without --type, --until or --timeout the console was the user's: nothing can be typed again."""
    name = "small-plain-munmap_keeps"
    done = watch("--out", tmp_path / "run", "--kernel-description", described(tmp_path, name), *kernel(name))
    assert done.status == LEAKED, done.err
    done = pagetrail("why", tmp_path / "run")
    assert done.status == CANNOT_TELL and "pagetrail watch --type" in done.err, done.err
    assert not (tmp_path / "run/why").exists()


def test_kernel_that_was_built_again(tmp_path):
    """The second machine would boot another kernel: what it loses, or does not, says nothing of the first."""
    name, boots = "small-plain-munmap_keeps", tmp_path / "kernel.elf"
    shutil.copy(kernels.elf(name), boots)
    words = kernel(name)
    words[words.index("-kernel") + 1] = str(boots)
    done = watch("--out", tmp_path / "run", "--timeout", 100, "--kernel-description", described(tmp_path, name), *words)
    assert done.status == LEAKED, done.err
    for other in ("small-plain", "small-plain-shrink_keeps"):
        shutil.copy(kernels.elf(other), boots)
        done = pagetrail("why", tmp_path / "run")
        assert done.status == CANNOT_TELL and "is not the kernel that QEMU boots" in done.err and not done.out, done.out + done.err


def test_leak_points_need_no_second_run(tmp_path):
    run, name = tmp_path / "run", "small-O2-last_table_stays"
    words = ["--kernel-description", described(tmp_path, name)]
    done = watch("--leak-points", "--out", run, *words, *kernel(name, smp=2))
    assert done.status == LEAKED, done.out + done.err
    leaks = pagetrail("leaks", run, "--json").json()
    items = [item for group in leaks["groups"] for item in group["items"]]
    assert items and all(item["by_pointers"] for item in items)
    done = pagetrail("why", run, "--json")
    mistake, = (mistake for mistake in LEAKS if mistake.name == name)
    assert {group["to_blame"]["function"] for group in done.json()["groups"] if group["to_blame"]} == {mistake.function}
    assert not (run / "why").exists()


# Kernel; verdict; the functions that freed first, used and freed again: their stacks go through these. Those of the second
# run of a machine are its own findings.
EARLY = [
    ("small-plain-munmap_frees_twice", "DBL", True, "uvmunmap", None, "munmap"),
    ("small-plain-write_after_free", "POISON", True, "pipe_close", "pipe_close", None),
    ("small-plain-munmap_frees_mapped", "STALE", True, "munmap", None, None),
    ("higher-plain-evict_puts_twice", "DBL", False, "store_evict", None, "store_evict"),
    ("higher-plain-evict_writes_after_put", "POISON", True, "store_evict", "store_evict", None),
    ("higher-plain-unmap_frees_mapped", "STALE", True, "drop_region", None, None),
    ("higher-O0-clone_takes_none", "STALE", True, "drop_region", None, None),
    ("small-cow-int-count_too_low", "STALE", True, "uvmunmap", None, None),
]


def early_with_leak_points(folder, name):
    words = kernels.description(name, folder) or ["--kernel-description", described(folder, name)]
    done = watch("--leak-points", "--out", folder / "run", *words, *kernel(name, smp=2))
    assert done.status == (CANNOT_TELL if "puts_twice" in name else LEAKED), done.out + done.err
    return kernels.Console(done.out).truths()


@pytest.mark.parametrize("name, verdict, finding, first, used, again",
                         [pytest.param(*row, id=row[0], marks=() if row in EARLY[1:4] else pytest.mark.slow) for row in EARLY])
def test_who_freed_too_early(tmp_path, name, verdict, finding, first, used, again):
    """Each page of which the kernel says so itself, and no other."""
    truths = {truth.address for truth in early_with_leak_points(tmp_path, name)}
    done = pagetrail("why", tmp_path / "run", "--json")
    pages = [page for page in done.json()["freed_early"] if page["verdict"] == verdict]
    assert {page["pa"] for page in pages} == truths and not (tmp_path / "run/why").exists(), done.out
    for page in pages:
        assert (page["kind"], page["finding"]) == ("page", finding)
        for acts, function in (("freed_first", first), ("used_after", used), ("freed_again", again)):
            assert bool(page[acts]) == bool(function), page
            assert all(function in [frame["function"] for frame in act["stack"]] for act in page[acts]), page
        if verdict == "STALE":
            assert {act["function"] for act in page["pointed_to_by"]} & {"mappages", "pte_set", "uvmcopy"}, page


def test_who_freed_first_in_a_second_run(tmp_path):
    """Nothing was followed when it was recorded; the machine that is run again has double frees of its own."""
    run = leaking(tmp_path, "small-plain-munmap_frees_twice")
    done = pagetrail("why", run, timeout=300)
    assert done.status == LEAKED and "findings of pages that are freed too early: " in done.out, done.out + done.err
    pages = [page for page in pagetrail("why", run, "--json").json()["freed_early"] if page["freed_first"]]
    assert pages and all("uvmunmap" in [frame["function"] for frame in page["freed_first"][0]["stack"]] for page in pages)
    assert all("munmap" in [frame["function"] for frame in page["freed_again"][0]["stack"]] for page in pages)


@pytest.mark.parametrize("smp", [1, 2])
@pytest.mark.parametrize("name", ["small-all", "higher-plain"])
def test_leak_points_of_a_clean_kernel(tmp_path, name, smp):
    """QEMU-3: Harts that run in turns are told apart."""
    words = kernels.description(name, tmp_path) or ["--kernel-description", described(tmp_path, name)]
    done = watch("--leak-points", "--out", tmp_path / "run", *words, *kernel(name, smp=smp))
    assert done.status == 0 and "none is left to 0 of the 0 that leaked" in done.out, done.out + done.err
    assert "\nfreed " not in (tmp_path / "run/leak-points").read_text(), "no page is used or freed again, or free and pointed to"


@pytest.fixture(scope="module")
def differ(tmp_path_factory):
    """differ(recorded, now): the sentence about two runs, each a {call site: pages}."""
    path = tmp_path_factory.mktemp("differ") / "differ"
    subprocess.run(["gcc", "-D_GNU_SOURCE", *(f"-I{folder}" for folder in (paths.ROOT / "trace-tools", paths.BUILD / "trace-tools", paths.ROOT / "kernel/include")),
                    "-o", path, paths.ROOT / "tests/watch/leaked_sites.c", paths.BUILD / "trace-tools/libpagetrail.a", "-ldw", "-lelf", "-lz", "-lm"], check=True)

    def run(recorded, now):
        words = [[word for name, nr in side.items() for word in (name, str(nr))] for side in (recorded, now)]
        return subprocess.run([path, *words[0], "--", *words[1]], capture_output=True, text=True, check=True, timeout=60).stdout.rstrip("\n")
    return run


SAID = "the two runs did not leak the same: "


@pytest.mark.parametrize("recorded, now, said", [
    ({"f()": 2, "g()": 1}, {"g()": 1, "f()": 2}, "the same"), ({}, {}, "the same"),
    ({"f()": 2}, {"f()": 1}, SAID + "f() 2 pages recorded, 1 page now"),
    ({"f()": 2, "g()": 1}, {"f()": 2}, SAID + "g() 1 page recorded, none now"),
    ({"f()": 2}, {"h()": 3, "f()": 2}, SAID + "h() none recorded, 3 pages now"),
    ({"f()": 1}, {"g()": 1}, SAID + "f() 1 page recorded, none now; g() none recorded, 1 page now"),
    (dict.fromkeys("abcde", 2), {}, SAID + "; ".join(f"{name} 2 pages recorded, none now" for name in "abcd") + "; and 1 more call site")])
def test_what_two_runs_leaked(differ, recorded, now, said):
    assert differ(recorded, now) == said


def test_the_second_run_is_set_beside_the_first(tmp_path):
    """What each leaked by `leaks` decides whether something is said, and what."""
    run = leaking(tmp_path, "small-plain-munmap_keeps")
    done = pagetrail("why", run, timeout=300)
    first, second = (pagetrail("leaks", folder, "--json").json() for folder in (run, run / "why"))
    told = re.search(r": (\d+) pages? leaked, (\d+) in the recorded run\n(.*)", done.out)
    assert (int(told[1]), int(told[2])) == (second["pages"], first["pages"]), done.out
    sums = [{}, {}]
    for one, total in zip((first, second), sums):
        for group in one["groups"]:
            name = group["allocated_by"]
            total[name] = total.get(name, 0) + group["pages"]
    assert told[3] == "" if sums[0] == sums[1] else told[3].startswith(SAID), (told[0], sums)
