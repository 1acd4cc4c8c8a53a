# SPDX-License-Identifier: MIT
"""`make soak` itself: a good row is good, and each thing that can be wrong with one is seen."""
import pytest

import soak

GOOD = """\
kalloctest: 6 passed, 0 failed, 0 pages leaked
ALL TESTS PASSED
soak: passed
RAM 2048 = firmware 512 + free 1536  OK
audited 1536 pages, 33 objects, 6 parked, quiescent
verdict: clean
soak: checks
page: ok
mm: ok
soak: end
"""


def row_of(console):
    """The row of a machine that ended well with that console, and a clean disk."""
    row = soak.Row("kalloctest", 2, "8M", verdict="passed", e2fsck="clean")
    if not soak.read_console(row, console):
        row.verdict = "FAILED"
    return row


def test_a_good_console():
    row = row_of(GOOD)
    assert row.good() and row.says == "6 passed, 0 failed, 0 pages leaked"


@pytest.mark.parametrize("right, wrong", [
    ("soak: passed\n", ""), ("6 passed, 0 failed", "5 passed, 1 failed"), ("0 pages leaked", "1 pages leaked"),
    ("verdict: clean", "verdict: 1 findings"), ("verdict: clean", "verdict: not quiescent"), ("1536  OK", "1535  DIFFERS by 1 pages"),
    ("mm: ok", "mm: PT-2: mm 3 may write 0x14000"), ("page: ok\nmm: ok\n", "the machine is never quiescent\n"), ("soak: checks\n", ""),
])
def test_what_is_wrong_is_seen(right, wrong):
    assert right in GOOD
    assert not row_of(GOOD.replace(right, wrong)).good()


@pytest.mark.parametrize("field", ["verdict", "e2fsck"])
def test_a_disk_or_an_end_that_is_not_good(field):
    row = row_of(GOOD)
    setattr(row, field, "BROKEN")
    assert not row.good()


def test_what_is_allowed_is_repeated():
    words = "3 failed test-and-sets: allowed where caches are two pages a batch"
    assert words in soak.summary([row_of(f"  {words}\n{GOOD}")])[0]


def test_a_machine(tmp_path):
    row = soak.Row("lazytest", 2, "8M")
    soak.run_row(row, tmp_path, 0, 0)
    assert row.good(), row.line()
