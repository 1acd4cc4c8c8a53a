# SPDX-License-Identifier: MIT
"""A machine that gdb can connect to, and what its kernel says of itself on the console."""
import re
import time

from debugger import free_port, run_gdb
from harness.machine import RAM_BASE, Machine, size_bytes
from pagetrail_gdb.model.kernel import Kernel
from pagetrail_gdb.model.memory import BytesMemory
from pagetrail_gdb.model.tasks import busy_tasks


class Target(Machine):
    """A machine with a gdbstub."""

    def __init__(self, folder, smp=1, stopped=False, **options):
        self.port = free_port()
        extra = ["-gdb", f"tcp:127.0.0.1:{self.port}"] + (["-S"] if stopped else [])
        super().__init__(folder, smp=smp, extra=extra, **options)

    def gdb(self, commands, **options):
        """Runs commands connected to the machine; it is detached from, and runs on, afterwards."""
        return run_gdb(commands, remote=self.port, **options)


def quiet_ram(machine, layout, timeout=30):
    """The RAM of a machine in which no task is in the middle of kernel work.

    That it has come to its prompt is not enough: the shell still returns from the write that printed it.
    """
    deadline = time.monotonic() + timeout
    while True:
        ram = machine.read_pa(RAM_BASE, size_bytes(machine.mem))
        findings = []
        busy = busy_tasks(Kernel(layout, BytesMemory(RAM_BASE, ram)), findings)
        if not busy and not findings:
            return ram
        assert time.monotonic() < deadline, f"{len(busy)} tasks were in the kernel for {timeout} s {findings}"
        time.sleep(0.02)


def guest_audit(console):
    """Of the first /proc/audit on the console: (identity line, {verdict: count}, "N pages, M objects")."""
    report = re.search(r"^RAM .*?^verdict: ", console, re.M | re.S).group(0)
    verdicts = dict(re.findall(r"^([A-Z]+) (\d+)  ", report, re.M))
    return report.splitlines()[0], verdicts, re.search(r"audited (\d+ pages, \d+ objects)", report).group(1)
