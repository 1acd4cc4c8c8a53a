# SPDX-License-Identifier: MIT
"""gdb-multiarch in batch mode with the Pagetrail scripts: commands in, their outputs out."""
import re
import socket
import subprocess

from harness import paths

SCRIPT = paths.ROOT / "gdb-scripts/pagetrail.py"
_MARK = "@@@ command "
TRACEBACK = re.compile(r"Traceback|Error occurred in Python|the scripts failed")


def free_port():
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Outputs(list):
    """What each command printed, in order; `by` finds it by the command's text (the first one with it)."""

    def __init__(self, commands, texts):
        super().__init__(texts)
        self.commands = commands

    def by(self, command):
        return self[self.commands.index(command)]


def run_gdb(commands, kernel=None, core=None, timeout=200, ram=None, remote=None):
    """Runs commands; returns Outputs. ram: a RAM file to read; remote: a port to connect to, first of all.

    A Python traceback in any output fails the test: errors must be messages.
    """
    arguments = ["gdb-multiarch", "-nx", "-q", "-batch", "-ex", "set python print-stack full",
                 "-ex", f"source {SCRIPT}", "-ex", "set pagination off", "-ex", "set confirm off"]
    if ram:
        arguments += ["-ex", f"set pagetrail ram-file {ram}"]
    if remote:
        arguments += ["-ex", f"target remote 127.0.0.1:{remote}"]
    for i, command in enumerate(commands):
        arguments += ["-ex", f"echo {_MARK}{i}\\n", "-ex", command]
    arguments += ["-ex", f"echo {_MARK}end\\n", str(kernel or paths.KERNEL)]
    if core:
        arguments.append(str(core))
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=timeout)
    assert not TRACEBACK.search(done.stdout), done.stdout
    parts = re.split(rf"{_MARK}(?:\d+|end)\n", done.stdout)
    assert len(parts) == len(commands) + 2, done.stdout
    return Outputs(commands, parts[1:-1])


def timed(command):
    """A gdb command that runs another and prints the seconds it took, as its last line."""
    return f"python import time; t = time.time(); gdb.execute({command!r}); print(f'seconds {{time.time() - t:.3f}}')"


def seconds(output):
    return float(re.search(r"seconds ([\d.]+)", output).group(1))
