# SPDX-License-Identifier: MIT
"""What the trace says of an object whose holder ended: the number of a holder means another thing in each cache.

Found in clean runs that were cut off: an address space and its areas counted as an inode's, whose number they happened to have.
"""
import pytest
from harness.tool import CANNOT_TELL, LEAKED, OK
from test_leaks import kernel, leaks  # noqa: F401 (fixtures)

STACK = ("record_alloc", "ext2_file_write", "sys_write")


def live(kernel, cache, number):
    return kernel.machine.obj_alloc(cache, (number, 0), kernel.stack(*STACK))


def evict(kernel, inode):
    kernel.machine.emit("inode_load", inode=inode, links=1)
    kernel.machine.emit("inode_evict", inode=inode)


@pytest.mark.parametrize("cache", ["vma", "mm", "pipe", "file", "dentry"])
def test_an_inode_of_that_number_says_nothing(kernel, leaks, cache):  # noqa: F811
    kernel.begin(7)
    live(kernel, cache, 7)
    evict(kernel, 7)
    kernel.machine.audit()
    report, status, _ = leaks(kernel)
    assert status == OK and not report["groups"]


def end_of_process(kernel):
    kernel.end(7)


def end_of_inode(kernel):
    kernel.machine.emit("inode_evict", inode=7)


@pytest.mark.parametrize("cache, end, inode", [("vma", end_of_process, 0), ("mm", end_of_process, 0), ("dirty", end_of_inode, 7),
                                               ("inode", end_of_inode, 7)])
def test_it_outlives_its_holder(kernel, leaks, cache, end, inode):  # noqa: F811
    kernel.begin(7)
    kernel.machine.emit("inode_load", inode=7, links=1)
    live(kernel, cache, 7)
    assert leaks(kernel, name="before")[1] == CANNOT_TELL
    end(kernel)
    kernel.machine.audit()
    report, status, text = leaks(kernel, name="after")
    item, = report["groups"][0]["items"]
    assert status == LEAKED and item["by_trace"] and (item["holder"], item["inode"]) == (7, inode), text
    assert ("inode 7" in text) == bool(inode)


@pytest.mark.parametrize("end, status", [("poweroff", LEAKED), ("killed", CANNOT_TELL)])
def test_an_inode_between_its_eviction_and_its_free(kernel, leaks, end, status):  # noqa: F811
    """The machine was stopped just there: the free was to come. At a power-off nothing was."""
    kernel.machine.audit()
    kernel.machine.emit("inode_load", inode=7, links=1)
    live(kernel, "inode", 7)
    end_of_inode(kernel)
    report, found, _ = leaks(kernel, end=end)
    assert found == status and bool(report["groups"]) == (status == LEAKED)


def test_an_inode_that_stays_until_an_audit(kernel, leaks):  # noqa: F811
    """Nobody was at work then, so the free was forgotten, whatever ended the machine."""
    kernel.machine.emit("inode_load", inode=7, links=1)
    live(kernel, "inode", 7)
    end_of_inode(kernel)
    kernel.machine.audit()
    assert leaks(kernel, end="killed")[1] == LEAKED


@pytest.mark.parametrize("end, status", [("poweroff", LEAKED), ("killed", CANNOT_TELL)])
def test_a_page_in_the_name_of_a_process_that_ended(kernel, leaks, end, status):  # noqa: F811
    """A child has the open file whose page it is; only at the end of a whole run has nobody."""
    kernel.begin(7)
    kernel.machine.alloc("KERNEL", "OWNER", (7, 0), kernel.stack("sys_read"))
    kernel.end(7)
    report, found, _ = leaks(kernel, end=end)
    assert found == status and bool(report["groups"]) == (status == LEAKED)
