# SPDX-License-Identifier: MIT
"""Run folders that may not be read, or only in part: said as it is, and never taken for a run without losses."""
import os
import subprocess

import pytest
from harness import paths
from test_format import busy_machine
from harness.tool import CANNOT_TELL

# root without the capabilities that open every file
WITHOUT_POWER = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
COMMANDS = ["summary", "leaks", "live", "stacks", "dump", "top", "top --once", "plot", "export --csv"]


@pytest.fixture
def run(write):
    return write(busy_machine(1, 2, acts=300)[0])


def powerless(words, run):
    done = subprocess.run([*WITHOUT_POWER, paths.PAGETRAIL, *words.split(), run], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == CANNOT_TELL and "Traceback" not in said
    return said


@pytest.mark.parametrize("words", COMMANDS)
def test_one_hart_may_not_be_read(run, words):
    (run / "trace/hart1").chmod(0)
    said = powerless(words, run)
    assert "hart1" in said and ("Permission denied" in said or "cannot be opened" in said)


@pytest.mark.parametrize("words", COMMANDS)
def test_the_trace_may_not_be_read(run, words):
    (run / "trace").chmod(0)
    try:
        said = powerless(words, run)
    finally:
        (run / "trace").chmod(0o755)
    assert "Permission denied" in said


@pytest.mark.parametrize("words", COMMANDS)
def test_a_folder_is_no_hart(run, words):
    (run / "trace/hart1").unlink()
    (run / "trace/hart1").mkdir()
    said = powerless(words, run)
    assert "hart1" in said and "Success" not in said
