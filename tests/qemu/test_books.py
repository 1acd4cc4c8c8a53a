# SPDX-License-Identifier: MIT
"""The accounting identity and the audit: exact before, during and after work, and able to see a loss."""
import re

import pytest

BUSY_TESTS = "fork-tree bigwrite pipe-writers cow-at-once write-sizes race-create-delete"
MANAGED_128M = (0x88000000 - 0x80200000) // 4096


def sums(console):
    """[(managed, sum of kinds, verdict)] of each `free` in the console."""
    found = re.findall(r"^managed\s+(\d+)\n(.*?)^sum\s+(\d+)\s+(\w+)", console, re.M | re.S)
    for managed, kinds, total, verdict in found:
        assert sum(int(n) for n in re.findall(r"^  \w+\s+(\d+)", kinds, re.M)) == int(total)
    return [(int(managed), int(total), verdict) for managed, _, total, verdict in found]


def test_parts_add_up_before_during_and_after_usertests(boot, smp):
    machine = boot(smp=smp, limit=240)
    machine.shell("free -s")
    machine.shell(f"usertests {BUSY_TESTS} > /tmp/log &")
    for _ in range(6):
        machine.shell("free -s", timeout=60)
    machine.shell("wait", timeout=100)
    # Programs that come and go beside them make the tests' own counts uncertain: only that they ran is looked at.
    assert re.search(r"usertests: \d+ passed", machine.shell("cat /tmp/log"))
    machine.shell("free -s")
    machine.send("poweroff\n")
    machine.wait(30)
    rows = sums(machine.console)
    assert len(rows) == 8
    assert set(rows) == {(MANAGED_128M, MANAGED_128M, "OK")}


def test_audit_prints_the_identity_with_ok(boot, smp):
    machine = boot(smp=smp, run="cat /proc/audit")
    assert machine.wait(30) == 0
    machine.expect(r"RAM 32768 = firmware 512 \+ .* \+ free \d+  OK\n")
    machine.expect("verdict: clean")


@pytest.mark.parametrize("pages", [1, 2, 7, 64, 1000])
def test_leakdemo_is_detected_exactly(boot, pages):
    machine = boot(smp=2, run=f"leakdemo {pages}")
    assert machine.wait(60) == 0
    machine.expect(f"leaked {pages} pages and 0 objects")
    machine.expect("exactly what was leaked")


@pytest.mark.parametrize("objects", [1, 100])
def test_lost_objects_are_detected_exactly(boot, objects):
    machine = boot(smp=2, run=f"leakdemo 3 objects {objects}")
    assert machine.wait(60) == 0
    machine.expect("exactly what was leaked")


# The first line of a record, as Linux 6.1 writes it: its page_owner_sort takes order, pid, tgid, name and times from there.
PAGE_OWNER_LINE = (r"Page allocated via order \d+, mask 0x[0-9a-f]+\([^)]*\), pid \d+, tgid \d+ \((?P<name>.*)\), "
                   r"ts \d+ ns, free_ts \d+ ns")


def test_page_owner_has_the_lines_of_linux(boot):
    machine = boot(run="cat /proc/page_owner", smp=2)
    assert machine.wait(60) == 0
    text = machine.console.replace("\r", "")
    text = text[text.index("Page allocated"):text.rindex("\n\n") + 1]
    records = text.split("\n\n")
    assert len(records) > 50
    names = set()
    for record in records:
        lines = record.strip().split("\n")
        first = re.fullmatch(PAGE_OWNER_LINE, lines[0])
        assert first, record
        assert re.fullmatch(r"PFN \d+ type \w+ Block \d+ type \w+ Flags 0x0\(count \d+ stack \d+( inode \d+ index \d+)?\)", lines[1])
        assert all(re.fullmatch(r" 0xffffffc0[0-9a-f]{8}", line) for line in lines[2:]) and len(lines) > 2
        names.add(first["name"])
    assert {"init", "sh", "cat"} <= names
