# SPDX-License-Identifier: MIT
"""Random system calls by several processes at once; the books are balanced after every round.

As many rounds each time, however busy the host is: `grind SECONDS` would make fewer.
"""


def test_grind(boot, smp):
    machine = boot(smp=smp, run="grind 40r 4711", limit=180)
    assert machine.wait(180) == 0
    assert int(machine.expect(r"grind: seed 4711, 40 rounds, (\d+) calls, 0 pages leaked: OK").group(1)) > 40000


def test_grind_on_a_small_machine(boot):
    machine = boot(smp=2, mem="8M", run="grind 8r 42", limit=180)
    assert machine.wait(180) == 0
    machine.expect(r"8 rounds, \d+ calls, 0 pages leaked: OK")


def test_seconds_can_be_asked_for(boot):
    machine = boot(smp=2, run="grind 2 7", limit=120)
    assert machine.wait(120) == 0
    assert int(machine.expect(r"grind: seed 7, (\d+) rounds, ").group(1)) >= 1


def test_a_lost_page_fails_the_round(boot):
    """The canary."""
    machine = boot(smp=2, run="grind 3r 7 lose", limit=120)
    assert machine.wait(120) == 1
    machine.expect(r"seed 7 round 0: leaked 1 pages, 0 blocks, 0 inodes; 1 findings")
    machine.expect(r"grind: seed 7, 1 rounds, .* 1 pages leaked: FAILED")
