"""The accounting identity and the audit: exact before, during and after work, and able to see a loss."""
import re

import pytest

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
    machine.send("usertests\n")
    for _ in range(3):
        machine.expect(r"\btest\b|\bOK\b|\bok\b", timeout=60)
    # The shell is busy; a second one in the background prints the books while the tests run.
    machine.expect(r"ALL TESTS PASSED", timeout=200)
    machine.shell("free -s")
    machine.send("poweroff\n")
    machine.wait(30)
    for managed, total, verdict in sums(machine.console):
        assert (managed, total, verdict) == (MANAGED_128M, MANAGED_128M, "OK")


def test_parts_add_up_while_tests_run(boot, smp):
    machine = boot(smp=smp, limit=240, run="(usertests > /tmp/log &) ; free -s; free -s; sleep 1; free -s; sleep 1; free -s")
    machine.wait(200)
    rows = sums(machine.console)
    assert len(rows) == 4
    for managed, total, verdict in rows:
        assert (managed, total, verdict) == (MANAGED_128M, MANAGED_128M, "OK")


def test_audit_prints_the_identity_with_ok(boot, smp):
    machine = boot(smp=smp, run="cat /proc/audit")
    assert machine.wait(30) == 0
    assert re.search(r"identity.*OK", machine.console)


@pytest.mark.parametrize("pages", [1, 2, 7, 64, 1000])
def test_leakdemo_is_detected_exactly(boot, pages):
    machine = boot(smp=2, run=f"leakdemo {pages}")
    assert machine.wait(60) == 0
    machine.expect(f"lost {pages} pages and 0 objects")
    machine.expect("exactly what was lost")


@pytest.mark.parametrize("objects", [1, 100])
def test_lost_objects_are_detected_exactly(boot, objects):
    machine = boot(smp=2, run=f"leakdemo 3 objects {objects}")
    assert machine.wait(60) == 0
    machine.expect("exactly what was lost")
