# SPDX-License-Identifier: MIT
"""References to counted objects (inodes, open files), paired as those of pages; and references that do not pair."""
import pytest
import tracegen
from harness.tool import CANNOT_TELL, LEAKED, OK
from test_leaks import Kernel


class Objects(Kernel):
    """A kernel whose inodes and files are counted. counts: {object: count now}."""

    def __init__(self, sites, harts=1):
        super().__init__(sites, harts)
        self.counts = {}

    def make(self, cache, ref, holder, *stack):
        obj = self.machine.obj_alloc(cache, stack=self.stack(*stack))
        self.counts[obj] = 0
        self.get(cache, obj, ref, holder, *stack)
        return obj

    def get(self, cache, obj, ref, holder, *stack):
        self.machine.obj_ref("obj_get", cache, obj, ref, holder, self.counts[obj], self.stack(*stack))
        self.counts[obj] += 1

    def put(self, cache, obj, ref, holder, *stack):
        self.machine.obj_ref("obj_put", cache, obj, ref, holder, self.counts[obj], self.stack(*stack))
        self.counts[obj] -= 1


@pytest.fixture
def kernel(sites):
    return Objects(sites)


@pytest.fixture
def leaks(pagetrail, write):
    """leaks(kernel): the parsed report, its status and its text."""
    def leaks(kernel, **more):
        run = write(kernel.machine, **more)
        result, text = pagetrail("leaks", run, "--json"), pagetrail("leaks", run)
        assert text.status == result.status
        return result.json(), result.status, text.out
    return leaks


def opened(kernel, pid):
    """An inode that a walk found and an open file keeps."""
    inode = kernel.make("inode", "CALL", (pid, 0), "lookup", "sys_read")
    file = kernel.make("file", "CALL", (pid, 0), "sys_read")
    kernel.get("inode", inode, "FILE", (0, file), "sys_read")
    kernel.put("inode", inode, "CALL", (pid, 0), "sys_read")
    kernel.get("file", file, "FD", (pid, 3), "sys_read")
    kernel.put("file", file, "CALL", (pid, 0), "sys_read")
    return inode, file


def closed(kernel, pid, inode, file):
    kernel.put("file", file, "FD", (pid, 3), "sys_write")
    kernel.put("inode", inode, "FILE", (0, file), "sys_write")
    kernel.machine.obj_free("file", file)


def test_every_reference_comes_back(kernel, leaks):
    kernel.begin(7)
    closed(kernel, 7, *opened(kernel, 7))
    kernel.end(7)
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert (status, report["groups"], report["findings"]) == (OK, [], [])


def test_a_reference_that_a_call_keeps_is_listed_with_its_get(kernel, leaks):
    """As a page's: by the audit, and by the trace, since a call that is over has nothing in its hands."""
    kernel.begin(7)
    inode, file = opened(kernel, 7)
    kernel.get("inode", inode, "CALL", (7, 0), "lookup", "sys_write")
    closed(kernel, 7, inode, file)
    kernel.end(7)
    kernel.machine.audit([{"verdict": "OVER", "obj": inode, "count": 1, "claims": 0}])
    report, status, text = leaks(kernel)
    (group,) = report["groups"]
    assert status == LEAKED
    assert (group["what"], group["cache"], group["verdict"], group["ref"]) == ("object", "inode", "OVER", "call")
    assert (group["acquired_by"], group["allocated_by"], group["references"]) == ("lookup", "lookup", 1)
    assert [frame["function"] for frame in group["get"]][:2] == ["lookup", "pagecache_get"]
    assert group["items"][0]["detected_by"] == "audit and trace"
    assert "a reference to an object of cache inode" in text and "unmatched get by lookup" in text


@pytest.mark.parametrize("ref, holder", [("FD", (7, 4)), ("CWD", (7, 0)), ("VMA", (7, 0x1234))])
def test_a_holder_that_is_gone_holds_nothing(kernel, leaks, ref, holder):
    """Process and address space ended; the reference in their name is still there. No audit was made."""
    kernel.begin(7)
    file = kernel.make("file", ref, holder, "sys_read")
    kernel.get("file", file, "FD", (9, 4), "sys_read")
    kernel.end(7)
    report, _, _ = leaks(kernel)
    (group,) = report["groups"]
    assert (group["ref"], group["verdict"], group["references"]) == (ref.lower(), "OVER", 1)


def test_an_open_file_that_is_freed_holds_no_inode(kernel, leaks):
    kernel.begin(7)
    inode, file = opened(kernel, 7)
    kernel.put("file", file, "FD", (7, 3), "sys_write")
    kernel.machine.obj_free("file", file)
    kernel.machine.audit([{"verdict": "OVER", "obj": inode, "count": 1, "claims": 0}])
    report, status, _ = leaks(kernel)
    (group,) = report["groups"]
    assert (status, group["cache"], group["ref"]) == (LEAKED, "inode", "file")
    assert group["items"][0]["index"] == file


def mispaired(report):
    return [(f["how"], f["ref"], f["times"], f["stack"][0]["function"]) for f in report["findings"] if f["verdict"] == "MISPAIRED"]


def test_a_put_of_another_kind_is_told_at_its_call(kernel, leaks):
    """The count is right, and the object freed in order: no audit can see it."""
    kernel.begin(7)
    for _ in range(3):
        file = kernel.make("file", "FD", (7, 3), "sys_read")
        kernel.put("file", file, "CALL", (7, 0), "sys_write")
        kernel.machine.obj_free("file", file)
    kernel.end(7)
    kernel.machine.audit()
    report, status, text = leaks(kernel)
    assert status == LEAKED and report["groups"] == []
    assert mispaired(report) == [("releases what was not acquired", "call", 3, "sys_write")]
    assert "sys_write() releases what was not acquired: object" in text and "of cache file" in text and "3 times" in text


def test_a_put_in_the_name_of_another_page(kernel, leaks):
    """Page 5 is released as page 4: of a page that lives on, and of one that is freed."""
    kernel.begin(7)
    for free in (False, True):
        page = kernel.write_page(12, 5)
        kernel.machine.get(page, "IO", (7, 5), kernel.stack("lookup", "sys_read"))
        kernel.machine.put(page, "IO", (7, 4), kernel.stack("pagecache_release", "sys_read"))
        if free:
            kernel.drop(page, 12, 5)
    kernel.end(7)
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert (status, report["groups"]) == (LEAKED, [])
    assert mispaired(report) == [("releases what was not acquired", "io", 2, "pagecache_release")]


def test_a_second_get_where_one_is_the_rule(kernel, leaks):
    """Even when both are put again. Two walks of one call are none."""
    kernel.begin(7)
    inode, file = opened(kernel, 7)
    kernel.get("inode", inode, "CALL", (7, 0), "lookup", "sys_read")
    kernel.get("inode", inode, "CALL", (7, 0), "lookup", "sys_read")
    kernel.put("inode", inode, "CALL", (7, 0), "sys_read")
    kernel.put("inode", inode, "CALL", (7, 0), "sys_read")
    kernel.get("file", file, "FD", (7, 3), "mm_fork")
    kernel.put("file", file, "FD", (7, 3), "mm_fork")
    closed(kernel, 7, inode, file)
    kernel.end(7)
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert status == LEAKED
    assert mispaired(report) == [("acquires a second time what it has", "fd", 1, "mm_fork")]


def test_the_second_get_of_what_leaks_is_named(kernel, leaks):
    kernel.begin(7)
    inode, file = opened(kernel, 7)
    kernel.get("file", file, "FD", (7, 3), "mm_fork")
    kernel.put("file", file, "FD", (7, 3), "mm_destroy")
    kernel.put("inode", inode, "FILE", (0, file), "sys_write")
    kernel.end(7)
    kernel.machine.audit([{"verdict": "OVER", "obj": file, "count": 1, "claims": 0}])
    report, _, text = leaks(kernel)
    missing = report["groups"][0]["missing_release"]
    assert (missing["how"], missing["suspect"], missing["rule"]) == ("twice", "mm_fork", "got-twice")
    assert "mm_fork() acquires a reference to an object of cache file at kernel/vm/fork.c:" in text and "a second time" in text


def test_which_half_of_a_pair_has_the_wrong_name(kernel, leaks):
    """Both calls are looked at in other pairs: sys_write releases as FD what others acquired so, mm_fork's CALL nobody releases."""
    kernel.begin(7)
    for _ in range(3):
        file = kernel.make("file", "FD", (7, 3), "sys_read")
        kernel.put("file", file, "FD", (7, 3), "sys_write")
        kernel.machine.obj_free("file", file)
    file = kernel.make("file", "CALL", (7, 0), "mm_fork")
    kernel.put("file", file, "FD", (7, 3), "sys_write")
    kernel.machine.obj_free("file", file)
    kernel.end(7)
    kernel.machine.audit()
    report, _, text = leaks(kernel)
    (finding,) = report["findings"]
    assert finding["stack"][0]["function"] == "sys_write" and finding["suspect"] == "mm_fork"
    assert finding["left_open"][0]["function"] == "mm_fork"
    assert "mm_fork() acquired it as call, which stays open; the wrong one is mm_fork()" in text


def test_what_another_process_has_acquired(kernel, leaks):
    kernel.begin(7)
    kernel.begin(8)
    kernel.machine.pid = 7
    inode = kernel.make("inode", "CALL", (7, 0), "lookup", "sys_read")
    kernel.machine.pid = 8
    kernel.put("inode", inode, "CALL", (7, 0), "sys_write")
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert status == LEAKED
    assert mispaired(report) == [("releases what another process has acquired", "call", 1, "sys_write")]


def test_two_harts_tell_a_put_before_its_get(sites, leaks):
    kernel = Objects(sites, harts=2)
    kernel.begin(7)
    file = kernel.make("file", "FD", (7, 3), "sys_read")
    machine = kernel.machine
    machine.hart = 1
    machine.obj_ref("obj_put", "file", file, "FD", (8, 3), 2, kernel.stack("sys_write"))
    machine.hart = 0
    machine.obj_ref("obj_get", "file", file, "FD", (8, 3), 1, kernel.stack("mm_fork"))
    machine.audit()
    report, status, _ = leaks(kernel)
    assert (status, report["groups"], mispaired(report)) == (OK, [], [])


def test_over_losses_a_put_without_a_get_says_nothing(kernel, leaks):
    kernel.begin(7)
    file = kernel.make("file", "FD", (7, 3), "sys_read")
    kernel.put("file", file, "CALL", (7, 0), "sys_write")
    kernel.machine.streams[0].discard(2)
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert status == CANNOT_TELL and mispaired(report) == []


def test_of_a_page_whose_allocation_was_not_recorded_nothing_is_told(kernel, leaks):
    """Its first gets were not either (trace.mask): a put of such a reference is no mistake."""
    kernel.begin(7)
    for free in (False, True):
        page = tracegen.Page(kernel.machine.free_pfns.pop(), 0, "PAGECACHE")
        page.count = 2
        kernel.machine.put(page, "IO", (7, 5), kernel.stack("pagecache_release", "sys_read"))
        if free:
            kernel.machine.pages[page.pfn] = page
            kernel.drop(page, 12, 5)
    kernel.end(7)
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert (status, mispaired(report)) == (OK, [])
