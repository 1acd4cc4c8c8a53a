# SPDX-License-Identifier: MIT
"""What the project promises of its speed, in figures that repeat: guest instructions, one of them a nanosecond."""
import re

import pytest

OPERATIONS = 1000


@pytest.fixture
def cost(boot):
    """cost(append): {name: guest instructions of one operation}, as `bench` counts them."""
    def measure(append):
        machine = boot(icount=True, run="bench", append=append)
        assert machine.wait(60) == 0
        return {name: int(value) / OPERATIONS for name, value in re.findall(r"(?m)^bench (\w+) (\d+)", machine.console)}
    return measure


def test_page_alloc_and_put(cost):
    off = cost("trace=off")
    assert 50 < off["page_pair"] - off["poison"] <= 250


def test_record_with_its_stack(cost):
    on = cost("trace=flight")
    assert 20 < on["record_bare"] < on["record_stack"] <= 90
    # an allocation and its end are three records of two stacks
    assert on["page_pair"] - on["poison"] > 3 * on["record_bare"]


@pytest.mark.parametrize("program", ["forktest", "stressfs"])
def test_what_enters_the_kernel_only_costs_a_tenth_more_when_traced(boot, program):
    def instructions(append):
        machine = boot(icount=True, run=f"bench run {program}", append=append)
        assert machine.wait(60) == 0
        return int(machine.expect(r"bench run (\d+)\n").group(1))
    assert 1.01 < instructions("trace=flight") / instructions("trace=off") <= 1.10


def test_a_shell_runs_its_first_command_within_a_second(boot):
    """By the guest's clock, which the kernel cannot make go slower by sleeping: without work time jumps on. Nothing is
    typed: what the host takes to type is no time of the kernel's."""
    machine = boot(smp=4, icount=True, run="bench clock")
    assert machine.wait(60) == 0
    assert 1000 < int(machine.expect(r"bench clock (\d+)\n").group(1)) < 1000000


def test_a_fork_of_32000_mappings_takes_less_than_half_a_second(boot):
    machine = boot(icount=True, run="usertests many-mappings")
    assert machine.wait(120) == 0
    assert int(machine.expect(r"fork of 32000 mappings: (\d+) ms").group(1)) < 500
