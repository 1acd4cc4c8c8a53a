# SPDX-License-Identifier: MIT
"""--type, --until, --prompt, --timeout, and the signals that end a watch.

Verified here: DRIVE-1 (an echo is no output), DRIVE-2 (the machine ends in order, so RAM is kept).
"""
import os
import signal
import time

import pytest
from harness.tool import CANNOT_TELL, LEAKED, OK, pagetrail, read_until
from watching import await_machine, described, finish, kernel, machines, start_watch, watch

PROMPT = "small-prompt"


def driven(folder, *options, name=PROMPT, smp=2):
    return watch("--out", folder / "run", "--kernel-description", described(folder, name), *options, *kernel(name, smp))


def test_type_until(tmp_path):
    done = driven(tmp_path, "--type", "usertests", "--until", "ALL TESTS PASSED|SOME TESTS FAILED")
    assert done.status == OK and "no leaks: " in done.out and "test many: OK" in done.out, done.out + done.err
    assert (tmp_path / "run/ram").exists()


def test_lines_are_typed_one_at_each_prompt(tmp_path):
    done = driven(tmp_path, "--type", "nonsense", "--type", "usertests copy", "--type", "usertests fork")
    assert done.status == OK
    said = [done.out.index(text) for text in ("unknown command: nonsense", "test copy: OK", "test fork: OK")]
    assert said == sorted(said)


def test_echo_is_no_output(tmp_path):
    """What is awaited stands in the typed line itself, and must still be said."""
    done = driven(tmp_path, "--type", "usertests copy", "--until", "copy")
    assert done.status == OK and "test copy: OK" in done.out


def test_until_is_never_said(tmp_path):
    done = driven(tmp_path, "--type", "usertests copy", "--type", "quit", "--until", "NEVER SAID")
    assert done.status == CANNOT_TELL and "the command ended before --until was seen" in done.err
    assert "no leaks: " in done.out  # the verdict of what there is


def test_prompt_is_back_without_until(tmp_path):
    """What was typed has ended, and there is nothing to wait for: the machine is ended long before any --timeout."""
    done = driven(tmp_path, "--type", "usertests copy", "--until", "NEVER SAID")
    assert done.status == CANNOT_TELL and "the prompt is back, and --until was not seen" in done.err, done.err
    assert "no leaks: " in done.out and (tmp_path / "run/run.json").exists() and not machines(tmp_path / "run")


def test_command_ends_before_all_is_typed(tmp_path):
    done = driven(tmp_path, "--type", "quit", "--type", "usertests copy")
    assert done.status == CANNOT_TELL and "before all was typed" in done.err


def test_until_without_a_prompt(tmp_path):
    """A kernel that powers off at the end never shows one."""
    done = driven(tmp_path, "--until", "ALL TESTS PASSED", name="small-plain")
    assert done.status == OK, done.out + done.err


def test_other_prompt(tmp_path):
    done = driven(tmp_path, "--prompt", "pages free\r?\n[$] $", "--type", "usertests copy", "--until", "test copy: OK")
    assert "test copy: OK" in done.out


@pytest.mark.parametrize("option", ["--prompt", "--until"])
def test_bad_expression(tmp_path, option):
    done = driven(tmp_path, option, "(", "--type", "x")
    assert done.status == CANNOT_TELL and f"{option}: (: " in done.err


def test_timeout(tmp_path):
    done = driven(tmp_path, "--timeout", 3, "--until", "NEVER SAID")
    assert done.status == CANNOT_TELL and "ended after the --timeout" in done.err
    assert (tmp_path / "run/run.json").exists() and not machines(tmp_path / "run")


def test_timeout_of_a_command_without_a_machine(tmp_path):
    """It is asked to end at once: nothing has a copy of RAM to write."""
    began = time.monotonic()
    done = watch("--out", tmp_path / "run", "--timeout", 1, "sh", "-c", "sleep 1000")
    assert done.status == CANNOT_TELL and "ended after the --timeout" in done.err and "ended by signal 15" in done.err
    assert time.monotonic() - began < 20


def test_leak_found_after_a_timeout_is_one(tmp_path):
    done = driven(tmp_path, "--timeout", 20, "--until", "NEVER SAID", "--type", "usertests", name="small-plain-munmap_keeps")
    assert done.status == LEAKED, done.out + done.err


@pytest.mark.parametrize("drive", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(tmp_path, number, drive):
    """Ctrl-C goes to the whole group, as from a terminal; the others to pagetrail alone. The machine ends in order."""
    run = tmp_path / "run"
    process = start_watch("--out", run, "--kernel-description", described(tmp_path, PROMPT),
                          *(["--until", "NEVER SAID"] if drive else []), *kernel(PROMPT, 2))
    read_until(process, r"\n\$ $")
    await_machine(run, process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    done = finish(process)
    assert not machines(run)
    assert (run / "ram").exists() and (run / "run.json").exists()
    assert "audit of the copy of RAM" in done.out
    # The interrupt is the user's way to end `make qemu`, and so an end like any other; the rest cut the session short.
    # The shell has printed its prompt; on a busy host it may not have come to wait for a line, and the verdict says so.
    ended = number == signal.SIGINT and not drive and "processes still running" not in done.out
    assert done.status == (OK if ended else CANNOT_TELL), done.out
    assert pagetrail("summary", run).status == OK
