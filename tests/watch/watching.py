# SPDX-License-Identifier: MIT
"""`pagetrail watch` as the tests use it: with the foreign kernels, and with a QEMU of our own making.

    done = watch("--out", run, *kernel("small-plain", smp=2))
    assert done.status == OK and "NOTHING LOST" in done.out
"""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import paths
from harness.tool import LIMIT, Result, pagetrail

sys.path[:0] = [str(paths.ROOT / "tests/foreign"), str(paths.BUILD / "trace-tools")]
import kernels  # noqa: E402  (the foreign kernels' own list)

QEMU = "qemu-system-riscv64"


def kernel(name, smp=1, more=()):
    """The words that boot a foreign kernel, as a Makefile would say them: QEMU by its name."""
    return [QEMU, *kernels.qemu_command(name, smp)[1:], *more]


def shell_words(words):
    return " ".join(f"'{word}'" for word in words)


def watch(*words, cwd=None, env=None, limit=LIMIT):
    """Runs `pagetrail watch WORDS` without input."""
    return pagetrail("watch", *words, timeout=limit, cwd=cwd, env=env)


def start_watch(*words, cwd=None, env=None, tool=paths.PAGETRAIL):
    """The same, while it runs: a Popen in a process group of its own, as a shell starts it."""
    return subprocess.Popen([str(tool), "watch", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(env or {})}, text=True,
                            errors="replace", start_new_session=True)


def finish(process, limit=LIMIT):
    """Its Result, once it has ended; what it had said before is not in it."""
    try:
        out, _ = process.communicate(timeout=limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    done = subprocess.CompletedProcess(process.args, process.returncode, out, "")
    return Result(done)


def machines(run):
    """The processes of the QEMUs that record into this run folder."""
    wanted, found = f"out={run},".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended meanwhile
    return found


def await_machine(run, process, limit=LIMIT):
    """The process of a QEMU that has begun to record into the run folder."""
    deadline = time.monotonic() + limit
    while not (run / "trace/hart0").exists():
        assert process.poll() is None and time.monotonic() < deadline, "no machine records"
        time.sleep(0.01)
    return machines(run)[0]


def described(folder, name):
    """A description of a foreign kernel, in a file: what is found, and where the kernel sees RAM if that was not."""
    path = folder / f"{name}.kd"
    text = pagetrail("describe", kernels.elf(name)).out
    if not re.search(r"^map ", text, re.M):
        text += "map va=0x80000000 pa=0x80000000 size=0x8000000\n"
    path.write_text(text)
    return path


def fake_qemu(folder, script):
    """A qemu-system-riscv64 of our own making; what must come first in PATH for it."""
    folder.mkdir(exist_ok=True)
    path = folder / QEMU
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}
