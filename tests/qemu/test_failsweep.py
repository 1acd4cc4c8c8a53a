# SPDX-License-Identifier: MIT
"""Every error path walked: each scenario's allocations are refused one by one, and nothing is lost by it."""
import re

ROW = r"^([a-z-]+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(-?\d+)  (\w+)$"


def test_failsweep(boot):
    machine = boot(smp=4, run="failsweep", limit=600)
    status = machine.wait(600)
    rows = re.findall(ROW, machine.console, re.M)
    last = machine.expect(r"failsweep: (\d+) scenarios, (\d+) failures injected, 0 panics, 0 pages leaked")
    assert status == 0
    assert int(last.group(1)) == len(rows) >= 30
    assert int(last.group(2)) == sum(int(row[1]) for row in rows) >= 500
    for name, failures, errors, successes, killed, panics, lost, audit in rows:
        assert int(failures) == int(errors) + int(successes), name
        assert int(killed) <= int(errors), name
        assert (int(panics), int(lost), audit) == (0, 0, "clean"), name


def test_a_lost_page_fails_the_sweep(boot):
    """The canary: a scenario that loses a page whenever its allocation succeeds."""
    machine = boot(smp=2, run="failsweep canary-loses-a-page")
    assert machine.wait(60) == 1
    assert int(machine.expect(r"failsweep: 1 scenarios, 1 failures injected, 0 panics, (\d+) pages leaked").group(1)) == 2
