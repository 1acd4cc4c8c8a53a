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
                   r"ts (?P<ts>\d+) ns, free_ts (?P<free_ts>\d+) ns")


def page_owner_records(machine):
    """[(match of the first line, the other lines)] of a machine that ran `cat /proc/page_owner` last."""
    assert machine.wait(60) == 0
    text = machine.console.replace("\r", "")
    text = text[text.index("Page allocated"):text.rindex("\n\n") + 1]
    records = []
    for record in text.split("\n\n"):
        lines = record.strip().split("\n")
        records.append((re.fullmatch(PAGE_OWNER_LINE, lines[0]), lines[1:]))
        assert records[-1][0], record
    assert len(records) > 50
    return records


def test_page_owner_has_the_lines_of_linux(boot):
    names = set()
    for first, lines in page_owner_records(boot(run="cat /proc/page_owner", smp=2)):
        assert re.fullmatch(r"PFN \d+ type \w+ Block \d+ type \w+ Flags 0x0\(count \d+ stack \d+( inode \d+ index \d+)?\)", lines[0])
        assert all(re.fullmatch(r" 0xffffffc0[0-9a-f]{8}", line) for line in lines[1:]) and len(lines) > 1
        assert first["ts"] == first["free_ts"] == "0"
        names.add(first["name"])
    assert {"init", "sh", "cat"} <= names


def test_page_owner_on_says_when(boot):
    """page_owner=on: times since boot, in an array that is metadata of 16 bytes a page and no more."""
    def metadata(machine):
        return int(machine.expect(r"metadata (\d+) ").group(1))
    machine = boot(run="sh -c 'forktest; cat /proc/page_owner'", smp=2, append="page_owner=on", icount=True)
    records = page_owner_records(machine)
    took = int(machine.expect(r"init started after (\d+) ms").group(1)) * 1000000
    by_name = {}
    for first, _ in records:
        by_name.setdefault(first["name"], []).append((int(first["ts"]), int(first["free_ts"])))
        assert by_name[first["name"]][-1][1] <= by_name[first["name"]][-1][0]  # freed before, if at all
    assert took < min(by_name["sh"])[0] < min(by_name["cat"])[0] < max(by_name["cat"])[0] < took + 10**9
    assert any(freed for _, freed in by_name["cat"])
    assert any(freed == 0 for times in by_name.values() for _, freed in times)
    plain, noting = (boot(run="cat /proc/audit", append=append) for append in ("", "page_owner=on"))
    assert metadata(noting) - metadata(plain) == 128 * 256 * 16 // 4096
    for machine in plain, noting:
        assert machine.wait(60) == 0
        machine.expect(r"  OK\n")
