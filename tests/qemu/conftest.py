# SPDX-License-Identifier: MIT
"""Fixtures: machines that are cleaned up, whose disks are checked when they ended by themselves."""
import pytest

from harness.machine import Machine


@pytest.fixture
def boot(tmp_path):
    """boot(**options) gives a running Machine (see harness/machine.py). Afterwards the disk of each that powered
    itself off must be clean for e2fsck; a machine that was killed, or panicked, had no chance to see to it."""
    machines = []

    def boot_one(**options):
        machines.append(Machine(tmp_path / f"machine{len(machines)}", **options))
        return machines[-1]

    yield boot_one
    try:
        for machine in machines:
            if machine.ended_well():
                machine.check_disk()
    finally:
        for machine in machines:
            machine.close()


@pytest.fixture(params=[1, 2, 4], ids=lambda n: f"{n}hart" if n == 1 else f"{n}harts")
def smp(request):
    return request.param
