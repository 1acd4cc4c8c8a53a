# SPDX-License-Identifier: MIT
"""The test programs beside usertests, whole, on every number of harts; and what lockstat says of the page allocator."""
import re

import pytest

PAGE_LOCKS = [f"pcp{i}" for i in range(8)] + ["buddy"]


@pytest.mark.parametrize("program", ["kalloctest", "cowtest", "lazytest", "mmaptest"])
def test_program_passes_with_nothing_lost(boot, smp, program):
    machine = boot(smp=smp, run=program, limit=240)
    assert machine.wait(240) == 0, machine.console[-3000:]
    assert int(machine.expect(rf"{program}: (\d+) passed, 0 failed, 0 pages leaked").group(1)) >= 6
    machine.expect("ALL TESTS PASSED")


@pytest.mark.parametrize("program", ["kalloctest", "cowtest", "lazytest", "mmaptest"])
def test_program_passes_in_8_mib(boot, program):
    machine = boot(smp=2, mem="8M", run=program, limit=100)
    assert machine.wait(100) == 0, machine.console[-3000:]
    machine.expect("ALL TESTS PASSED")


@pytest.mark.parametrize("program, canary", [("kalloctest", "no-such-test")])
def test_unknown_test_is_refused(boot, program, canary):
    machine = boot(run=f"{program} {canary}")
    assert machine.wait(30) == 1
    machine.expect("is not a test")


def test_copies_without_memory_kill_the_writer_only(boot, smp):
    machine = boot(smp=smp, run="usertests memory-cow memory-cow-read memory-cow-two", limit=200)
    assert machine.wait(200) == 0, machine.console[-3000:]
    machine.expect("killed: out of memory for a store")
    machine.expect("usertests: 3 passed, 0 failed, 0 pages leaked")


def lock_lines(text):
    """{lock: (rank, acquires, contended)} of the first table of /proc/lockstat."""
    first = text[text.index("lock  "):text.index("rank   ", text.index("lock  ") + 20)]
    return {m[1]: (m[2], int(m[3]), int(m[4]))
            for m in re.finditer(r"^(\S.*?)\s{2,}(\w+)\s+(\d+)\s+(\d+)$", first.replace("\r", ""), re.M)}


def test_harts_do_not_meet_in_the_page_allocator(boot):
    """Four harts allocate and free: they meet at a lock of it when the host stops one that holds it, and only then."""
    machine = boot(smp=4, limit=200, run="kalloctest kalloc-pages && cat /proc/lockstat /dev/statistics")
    machine.wait(200)
    machine.expect("kalloctest: 1 passed, 0 failed, 0 pages leaked")
    locks = lock_lines(machine.console)
    for name in PAGE_LOCKS:
        rank, acquires, _ = locks[name]
        assert rank == name.rstrip("01234567") and acquires > 0
    assert sum(locks[name][2] for name in PAGE_LOCKS) * 10_000 <= sum(locks[name][1] for name in PAGE_LOCKS)
    assert sum(locks[f"pcp{i}"][1] for i in range(4)) > 40000
    assert all(name.strip() for name in locks)
    total = int(machine.expect(r"tot= (\d+)").group(1))
    parts = [int(machine.expect(rf"(?m)^{rank} (\d+)").group(1)) for rank in ("pcp", "buddy", "mapping", "lru")]
    assert total == sum(parts)


def test_statistics_ends_with_an_error_and_begins_again(boot):
    machine = boot(run="cat /dev/statistics || cat /dev/statistics || exit 7")
    assert machine.wait(30) == 7
    assert len(re.findall(r"^tot= \d+", machine.console, re.M)) == 2


def test_lockstat_counts_waiting(boot):
    """It can see contention: some lock is contended when four harts open and stat the same files."""
    machine = boot(smp=4, limit=100, run="usertests fork-tree race-create-delete pipe-writers && cat /proc/lockstat")
    assert machine.wait(100) == 0
    assert any(int(m) for m in re.findall(r"^\w+\s+\d+\s+\d+\s+(\d+)\r?$", machine.console, re.M))
