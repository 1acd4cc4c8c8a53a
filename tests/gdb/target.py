"""A machine that gdb can connect to, and what its kernel says of itself on the console."""
import re

from debugger import free_port, run_gdb
from harness.machine import Machine


class Target(Machine):
    """A machine with a gdbstub."""

    def __init__(self, folder, smp=1, stopped=False, **options):
        self.port = free_port()
        extra = ["-gdb", f"tcp:127.0.0.1:{self.port}"] + (["-S"] if stopped else [])
        super().__init__(folder, smp=smp, extra=extra, **options)

    def gdb(self, commands, **options):
        """Runs commands connected to the machine; it is detached from, and runs on, afterwards."""
        return run_gdb(commands, remote=self.port, **options)


def guest_audit(console):
    """Of the first /proc/audit on the console: (identity line, {verdict: count}, "N pages, M objects")."""
    report = re.search(r"^RAM .*?^verdict: ", console, re.M | re.S).group(0)
    verdicts = dict(re.findall(r"^([A-Z]+) (\d+)  ", report, re.M))
    return report.splitlines()[0], verdicts, re.search(r"audited (\d+ pages, \d+ objects)", report).group(1)
