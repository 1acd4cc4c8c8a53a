"""Random system calls by several processes at once; the books are balanced after every round."""


def test_grind(boot, smp):
    machine = boot(smp=smp, run="grind 20 4711", limit=180)
    assert machine.wait(180) == 0
    last = machine.expect(r"grind: seed 4711, (\d+) rounds, (\d+) calls, 0 pages lost: OK")
    assert int(last.group(1)) >= 3


def test_grind_on_a_small_machine(boot):
    machine = boot(smp=2, mem="8M", run="grind 10 42", limit=180)
    assert machine.wait(180) == 0
    machine.expect(r"0 pages lost: OK")


def test_a_round_can_be_asked_for(boot):
    machine = boot(smp=2, run="grind 2r 7", limit=120)
    assert machine.wait(120) == 0
    machine.expect(r"grind: seed 7, 2 rounds, ")


def test_a_lost_page_fails_the_round(boot):
    """The canary."""
    machine = boot(smp=2, run="grind 3r 7 lose", limit=120)
    assert machine.wait(120) == 1
    machine.expect(r"seed 7 round 0: lost 1 pages, 0 blocks, 0 inodes; 1 findings")
    machine.expect(r"grind: seed 7, 1 rounds, .* 1 pages lost: FAILED")
