# SPDX-License-Identifier: MIT
"""The tools on the real kernel in QEMU: counts, verdicts, and a machine that is killed."""
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from harness import paths
from harness.tool import CANNOT_TELL, LEAKED, OK, babeltrace, run_tool, summary_total

SOME_TESTS = ["usertests", "fork-wait", "exec-arguments", "pipe-transfer", "write-read", "bigwrite", "cow-sharing"]


@pytest.fixture
def boot(tmp_path):
    """boot(*options, command=[...]) runs the kernel to its end: (result, run folder)."""
    def words(options, command, out):
        return ["run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--out", tmp_path / out, "--timeout", 100, "--quiet",
                *options, "--", *command]

    def boot(*options, command=("true",), out="run", start=False):
        if start:
            return subprocess.Popen([str(w) for w in [paths.PAGETRAIL, *words(options, command, out)]])
        return run_tool(paths.PAGETRAIL, *words(options, command, out), timeout=120), tmp_path / out
    return boot


@pytest.mark.parametrize("harts", [1, 4])
def test_a_healthy_run(boot, pagetrail, harts):
    result, run = boot("--smp", harts, "--leaks", "--tests", "--plot", command=SOME_TESTS)
    assert result.status == OK, result.out + result.err
    assert "no leaks" in result.out and f"{len(SOME_TESTS) - 1} tests, 0 pages leaked, 0 findings" in result.out
    assert (run / "free-pages.png").exists()
    summary = pagetrail("summary", run)
    assert summary.status == OK and summary_total(summary) == len(babeltrace(run))
    # A sample may be taken while each hart is between taking a page and recording that.
    assert abs(int(re.search(r"largest difference (-?\d+)", summary.out).group(1))) <= 4 * harts


def test_lost_on_purpose(boot):
    result, _ = boot("--leaks", "--append", "debug=on", command=["leakdemo", "5", "objects", "3", "keep"])
    assert result.status == LEAKED, result.out + result.err
    assert result.out.startswith("LEAKED: 5 pages, 3 objects")
    assert "5 debug pages" in result.out


def test_killed_in_the_middle(boot, tmp_path, pagetrail):
    process = boot("--smp", 4, command=["usertests"], start=True)
    hart0 = tmp_path / "run/trace/hart0"
    while process.poll() is None and not (hart0.exists() and hart0.stat().st_size >= 4 * 65536):
        os.sched_yield()
    qemu = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    os.kill(qemu, signal.SIGKILL)
    assert process.wait(timeout=30) == CANNOT_TELL
    summary = pagetrail("summary", tmp_path / "run")
    assert summary.status == OK, summary.out
    assert summary_total(summary) == len(babeltrace(tmp_path / "run"))


def test_deterministic_runs_have_the_same_trace(boot):
    """One hart, a ramdisk, instruction-counted time: byte for byte."""
    traces = []
    for out in ("a", "b"):
        result, run = boot("--icount", "--smp", 1, command=["true"], out=out)
        assert result.status == OK, result.err
        traces.append({p.name: p.read_bytes() for p in (run / "trace").iterdir()})
    assert traces[0] == traces[1]


def test_a_disk_is_awaited_under_icount(boot):
    """While the machine has nothing to do but wait for its disk its clock must not jump; without that half of such runs hang."""
    for out in "abcd":
        result, _ = boot("--icount", "--smp", 1, "--disk-mode", "virtio", "--append", "debug=on", command=["stressfs"], out=out)
        assert result.status == OK, result.err


def test_stacks_lead_from_the_allocator_to_the_trap(boot, pagetrail):
    _, run = boot(command=["true"])
    text = pagetrail("dump", run, "--event", "page_get", "--resolve").out
    pte = next(block for block in text.split("page_get")[1:] if " pte " in block.splitlines()[0])
    functions = [line.split()[0] for line in pte.splitlines()[1:] if line.startswith("      ")]
    assert functions[0] not in ("page_get", "trace_stack_here", "arch_unwind")
    assert "trap_user" in functions or "task_first_run" in functions
    assert "pagecache_get" in pagetrail("dump", run, "--event", "page_alloc", "--resolve").out
