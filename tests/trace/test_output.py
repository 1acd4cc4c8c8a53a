# SPDX-License-Identifier: MIT
"""Where output goes: full disks, closed pipes, and files that are no ordinary ones; whatever the command."""
import os
import subprocess
import threading

import pytest
from harness import paths
from test_format import busy_machine
from harness.tool import CANNOT_TELL, OK

COMMANDS = ["summary RUN", "leaks RUN", "leaks RUN --json", "live RUN", "diff RUN --from start", "stacks RUN", "dump RUN",
            "top RUN --once", "export --csv RUN", "export --collapsed RUN", "page RUN 0x80500", "help", "help leaks",
            "leaks --help", "leaks -h", "help --markdown"]
FILES = ["export --csv", "export --collapsed", "export --speedscope", "export --perfetto", "report"]


@pytest.fixture
def run(write):
    """No audit is in it: `report` cannot tell whether something leaked."""
    return write(busy_machine(1, 2, acts=300)[0])


@pytest.mark.parametrize("words", COMMANDS)
def test_a_full_disk_is_told(run, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([paths.PAGETRAIL, *(str(run) if word == "RUN" else word for word in words.split())],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == CANNOT_TELL and "pagetrail: " in done.stderr


@pytest.mark.parametrize("words", FILES)
def test_a_device_stays_one(pagetrail, run, tmp_path, words):
    """It is written, not replaced by a file that takes its name."""
    name = tmp_path / "full"
    name.symlink_to("/dev/full")
    done = pagetrail(*words.split(), run, "-o", name)
    assert done.status == CANNOT_TELL and "No space left on device" in done.err
    assert name.is_symlink() and [*tmp_path.glob("*.part")] == []


@pytest.mark.parametrize("words", FILES)
def test_a_pipe_is_written(pagetrail, run, tmp_path, words):
    pipe, whole, got = tmp_path / "pipe", tmp_path / "whole", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    done = pagetrail(*words.split(), run, "-o", pipe)
    reader.join(60)
    wanted = CANNOT_TELL if words == "report" else OK
    assert done.status == pagetrail(*words.split(), run, "-o", whole).status == wanted, done.err
    assert pipe.is_fifo() and got == [whole.read_bytes()]


def test_a_data_base_is_no_device(pagetrail, run, tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    done = pagetrail("export", "--sqlite", run, "-o", tmp_path / "link")
    assert done.status == CANNOT_TELL and "no ordinary file" in done.err and (tmp_path / "link").is_symlink()
