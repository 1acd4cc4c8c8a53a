# SPDX-License-Identifier: MIT
"""The independent audit on kernels with known faults: it must say what the kernel's own audit says, and name the place."""
import re

import pytest
from harness import faults
from harness.machine import PROMPT
from target import Target, guest_audit

# Seen at the moment of the act and kept; a walk afterwards cannot see them.
INCIDENTS = ("DBL", "INUSE", "POISON")


VERDICTS = ("OVER", "UNDER", "ORPHAN", "UNREACH", "OBJ", "STALE", "OBJSTALE", "IDENTITY")


@pytest.mark.parametrize("name", ["01", "11", "14", "32"])
def test_counts_by_verdict(name, tmp_path):
    """At the first audit that a faulty kernel makes: as many of each verdict as its own auditor counted."""
    fault = faults.find(name)
    kernel = fault.build()
    counts = [f"output/d result->nr_by_verdict[VERDICT_{verdict}]" for verdict in VERDICTS]
    with Target(tmp_path, smp=fault.smp, mem=fault.mem, kernel=kernel, run=fault.run, limit=300, stopped=True) as machine:
        seen = machine.gdb(["hbreak audit_format", "continue", *counts, "audit"], kernel=kernel, timeout=300)
    found = dict(re.findall(r"^([A-Z]+) (\d+)$", seen.by("audit"), re.M))
    said = {verdict: seen.by(command) for verdict, command in zip(VERDICTS, counts)}
    assert found == {verdict: count for verdict, count in said.items() if count != "0"}
    assert found


@pytest.mark.parametrize("name, run, expected, groups", [
    ("05", "cat /README", {"OVER", "UNREACH"},
     [r"pagecache pages?: OVER", r"never released .* page_get .* io\((.*\n)*.*inode_read_cached"]),
    ("07", "fill /tmp/big 100K; sync", {"OBJ"}, [r"dirty objects?: OBJ(.*\n)*.*pagecache_mark_dirty"]),
], ids=["05", "07"])
def test_fault(name, run, expected, groups, tmp_path):
    """Stopped while the kernel formats its audit: nothing has changed since."""
    fault = faults.find(name)
    kernel = fault.build()
    with Target(tmp_path, smp=fault.smp, mem=fault.mem, kernel=kernel, run=f"{run}; cat /proc/audit", limit=300,
                stopped=True) as machine:
        seen = machine.gdb(["hbreak audit_format", "continue", "audit", "leaks"], kernel=kernel, timeout=300)
        machine.wait(200)
        said = machine.console
    identity, verdicts, _ = guest_audit(said)
    audit, leaks = seen.by("audit"), seen.by("leaks")
    assert audit.splitlines()[0] == identity
    found = dict(re.findall(r"^([A-Z]+) (\d+)$", audit, re.M))
    assert found == {word: count for word, count in verdicts.items() if word not in INCIDENTS}
    assert expected & set(found)
    for group in groups:
        assert re.search(group, leaks), leaks


def test_count_of_an_object(tmp_path):
    """A working directory that exit never gives back (fault 40), at the prompt: while a task is in a call, no count is judged."""
    kernel = faults.find("40").build()
    with Target(tmp_path, kernel=kernel) as machine:
        machine.expect(PROMPT)
        for command in ("mkdir /tmp/d", "cd /tmp/d", "ls /", "ls /"):
            machine.shell(command)
        for _ in range(20):  # the shell may still return from the write that printed its prompt
            seen = machine.gdb(["audit", "leaks"], kernel=kernel)
            if "not quiescent" not in seen.by("audit"):
                break
        machine.shell("cat /proc/audit")
        _, verdicts, _ = guest_audit(machine.console)
    found = dict(re.findall(r"^([A-Z]+) (\d+)$", seen.by("audit"), re.M))
    assert found == verdicts and set(found) == {"OVER"}
    assert re.search(r"OVER object 0x\w+ cache inode count \d+ claims \d+ pid \d+", seen.by("audit"))
    leaks = seen.by("leaks")
    assert re.search(r"inode objects?: OVER", leaks) and "not released (object 0x" in leaks and "files_copy" in leaks, leaks
