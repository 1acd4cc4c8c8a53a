# SPDX-License-Identifier: MIT
"""Growth that is reachable: what becomes more from test to test is said, with its call site; what fills, flattens or falls is not."""
import pytest
from harness.tool import CANNOT_TELL, LEAKED, OK
from test_leaks import Kernel


@pytest.fixture
def kernel(sites):
    return Kernel(sites)


@pytest.fixture
def grown(pagetrail, write):
    """(status, text, candidates) of `leaks` on a kernel."""
    def grown(kernel, *options, name="run"):
        run = write(kernel.machine, name)
        text, report = pagetrail("leaks", run, *options), pagetrail("leaks", run, *options, "--json")
        assert text.status == report.status
        return text.status, text.out, report.json()["candidates"]
    return grown


def hold(kernel, counts, site="sys_write", objects=False, audits=True, ends=True):
    """A test for each count; when it has ended, so many pages (or objects of cache file) of the site are held.

    What a test holds goes and comes meanwhile, and others allocate and free all the time: that is no growth.
    """
    machine, held = kernel.machine, []
    kernel.begin(7)
    for number, count in enumerate(counts):
        machine.mark(f"test{number}")
        passing = machine.alloc("ANON", "PTE", (7, 0), kernel.stack("mm_fork"))
        while len(held) > count:
            old = held.pop()
            machine.obj_free("file", old, stack=kernel.stack("sys_read")) if objects else machine.put(old, "OWNER", (0, 0), ())
        while len(held) < count:
            stack = kernel.stack(site)
            held.append(machine.obj_alloc("file", stack=stack) if objects else machine.alloc("KERNEL", "OWNER", (0, 0), stack))
        machine.put(passing, "PTE", (7, 0), kernel.stack("mm_destroy"))
        if ends:
            machine.mark(f"test{number}", end=True)
        if audits:
            machine.audit()
    if not audits:
        machine.audit()
    return kernel


def hold_beside_another(kernel, nr):
    """Tests that do not grow, of two programs that run at the same time: each begins while one of the other has more and more."""
    machine = kernel.machine
    kernel.begin(7)
    for number in range(nr):
        machine.mark(f"test{number}")
        machine.alloc("KERNEL", "OWNER", (0, 0), kernel.stack("sys_write"))
        if number:
            machine.mark(f"test{number - 1}", end=True)
    machine.audit()
    return kernel


def test_of_tests_at_the_same_time_nothing_is_said(kernel, grown):
    status, text, candidates = grown(hold_beside_another(kernel, 12))
    assert status == OK and not candidates and "GROWS" not in text


def test_tests_inside_another_are_looked_at(kernel, grown):
    """As under the command ktrace: a test of all its own, which ends last."""
    kernel.machine.mark("usertests")
    hold(kernel, LINEAR)
    kernel.machine.mark("usertests", end=True)
    assert grown(kernel)[2]


LINEAR = [3 * n for n in range(1, 13)]


@pytest.mark.parametrize("objects", [False, True])
def test_what_grows_is_named_with_its_site_and_number(kernel, grown, objects):
    status, text, candidates = grown(hold(kernel, LINEAR, objects=objects))
    assert status == OK, "it is reachable, and no leak"
    what = "objects of cache file" if objects else "pages"
    assert text.splitlines()[0].startswith("no leaks") and text.splitlines()[1] == \
        f"GROWS: {what} allocated by sys_write() went from 12 (before test test4) to 36: more in 8 of 8 comparisons over 8 tests, fewer in none"
    assert "what grew from test to test" in text
    grew, = candidates
    assert (grew["before"], grew["live"], grew["since"], grew["together"]) == (12, 36, "test4", False)
    assert (grew["tests"], grew["comparisons"], grew["tests_grown"]) == (8, 8, 8)
    assert grew["allocation"][0]["function"] == "sys_write" and grew["cache"] == ("file" if objects else None)


@pytest.mark.parametrize("counts", [
    pytest.param([5] * 12, id="constant"),
    pytest.param([2, 7, 9, 10, 11, 11, 12, 12, 12, 12, 12, 12], id="flattens"),
    pytest.param([10, 18, 24, 28, 31, 33, 35, 36, 37, 37, 38, 38], id="flattens slowly"),
    pytest.param([3, 6, 9, 12, 15, 18, 21, 20, 23, 26, 29, 32], id="falls once"),
    pytest.param([*LINEAR[:11], 0], id="freed at the end"),
    pytest.param([4, 9, 3, 12, 5, 14, 6, 13, 8, 15, 9, 16], id="comes and goes"),
    pytest.param([0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9], id="one step"),
    pytest.param([3, 6, 9, 12, 15], id="too few tests"),
])
@pytest.mark.parametrize("objects", [False, True])
def test_what_does_not_grow_is_not_named(kernel, grown, counts, objects):
    """GROWTH-1, GROWTH-2, GROWTH-3: it falls, it seldom rises, it flattens."""
    status, text, candidates = grown(hold(kernel, counts, objects=objects))
    assert status == OK and candidates == [] and "GROWS" not in text


def test_growth_of_every_other_test_is_growth(kernel, grown):
    assert len(grown(hold(kernel, [n // 2 for n in range(14)]))[2]) == 1


@pytest.mark.parametrize("nr", [47, 48, 49, 96, 97, 500])
def test_many_tests_take_no_more_rows(kernel, grown, nr):
    """SAMPLES-1. Every test adds a page: whatever the rows are that are kept, before and after are exact."""
    grew, = grown(hold(kernel, range(1, nr + 1)))[2]
    first = int(grew["since"].removeprefix("test"))
    assert grew["before"] == first and grew["live"] == nr and grew["tests"] == nr - first
    assert nr / 4 <= first <= nr / 2 and 4 <= grew["tests_grown"] == grew["comparisons"] <= 48


def test_many_tests_and_no_growth(kernel, grown):
    assert grown(hold(kernel, [3, 5, 4, 7] * 100))[2] == []


def test_many_sites_that_each_grow_once_are_one_growth(kernel, grown):
    """Each test allocates from another place: no site grows, all pages together do."""
    names = ["mm_fork", "sys_read", "sys_write", "lookup", "ext2_file_write", "record_alloc", "record_free", "write_record", "pagecache_drop",
             "pagecache_release", "inode_read_cached", "mm_destroy"]
    for number, name in enumerate(names):
        kernel.machine.mark(f"test{number}")
        for _ in range(5 if name == "write_record" else 2):
            kernel.machine.alloc("KERNEL", "OWNER", (0, 0), kernel.stack(name))
        kernel.machine.mark(f"test{number}", end=True)
        kernel.machine.audit()
    status, text, candidates = grown(kernel)
    grew, = candidates
    assert status == OK and grew["together"] and grew["live"] - grew["before"] == 2 * 7 + 5
    assert grew["allocation"][0]["function"] == "write_record" and "GROWS: all pages together went from 8 " in text and "; most were allocated by write_record()" in text


@pytest.mark.parametrize("ends", [True, False])
def test_without_audits_the_marks_are_enough(kernel, grown, ends):
    """As a watched kernel's console gives them; some print only where a test begins."""
    assert len(grown(hold(kernel, LINEAR, audits=False, ends=ends))[2]) == 1


def test_what_power_off_frees_is_not_looked_at(kernel, grown):
    """The kernel gives up its caches at the end: they grew all the same."""
    hold(kernel, LINEAR)
    for page in list(kernel.machine.pages.values()):
        kernel.machine.put(page, "OWNER", (0, 0), ())
    kernel.machine.audit()
    assert len(grown(kernel)[2]) == 1


def test_no_growth_is_said_over_losses(kernel, grown):
    hold(kernel, LINEAR).machine.streams[0].discard(1)
    status, text, candidates = grown(kernel)
    assert status == CANNOT_TELL and candidates == [] and "GROWS" not in text


def test_leaks_are_not_said_twice_and_suppressions_hold(kernel, grown, tmp_path):
    hold(kernel, LINEAR)
    (tmp_path / "known").write_text("leak:sys_write\n")
    assert grown(kernel, "--suppressions", tmp_path / "known")[2] == []
    kernel.machine.audit([{"verdict": "UNREACH", "page": page} for page in kernel.machine.pages.values()])
    status, _, candidates = grown(kernel, name="leaked")
    assert status == LEAKED and candidates == []


@pytest.mark.parametrize("limit, status", [(1, LEAKED), (24, LEAKED), (25, OK)])
def test_fail_on_growth(kernel, pagetrail, write, limit, status):
    done = pagetrail("leaks", write(hold(kernel, LINEAR).machine), "--fail-on-growth", limit)
    assert done.status == status and ("--fail-on-growth: something grew by 24" in done.err) == (status == LEAKED)


def test_fail_on_growth_of_nothing_and_of_a_part(kernel, pagetrail, write):
    run = write(hold(kernel, [5] * 12).machine)
    assert pagetrail("leaks", run, "--fail-on-growth", 1).status == OK
    for words in (["--fail-on-growth", "0"], ["--fail-on-growth", "1", "--pid", "7"], ["--fail-on-growth", "1", "--test", "test3"]):
        assert pagetrail("leaks", run, *words).status == CANNOT_TELL


def test_only_the_largest_have_a_stack_unless_all_is_asked_for(kernel, grown):
    names = ["mm_fork", "sys_read", "sys_write", "lookup", "ext2_file_write", "record_alloc", "record_free", "write_record", "pagecache_drop"]
    for number in range(12):
        kernel.machine.mark(f"test{number}")
        for more, name in enumerate(names, 1):
            for _ in range(more):
                kernel.machine.alloc("KERNEL", "OWNER", (0, 0), kernel.stack(name))
        kernel.machine.mark(f"test{number}", end=True)
        kernel.machine.audit()
    short, full = grown(kernel)[1], grown(kernel, "--all", name="all")[1]
    assert short.count("GROWS: ") == 5 and "GROWS: and 5 more, listed at the end" in short
    assert short.splitlines()[1].startswith("GROWS: pages allocated by pagecache_drop() went from")
    at_end = [text[text.index("what grew"):] for text in (short, full)]
    assert [text.count("went from") for text in at_end] == [9, 9]
    assert [text.count("upcall_syscall") for text in at_end] == [8, 9]


def test_the_report_has_it(kernel, pagetrail, write, tmp_path):
    run = write(hold(kernel, LINEAR).machine)
    assert pagetrail("report", run, "-o", tmp_path / "report.html").status == OK
    assert "pages allocated by sys_write() went from 12 (before test test4) to 36" in (tmp_path / "report.html").read_text()
