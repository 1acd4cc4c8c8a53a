# SPDX-License-Identifier: MIT
"""The pagetrail command and babeltrace2, as tests use them."""
import json
import os
import re
import subprocess
import sys
import time

from . import paths

OK, LEAKED, CANNOT_TELL = 0, 1, 2
LIMIT = 120  # seconds for what a machine is waited for


class Result:
    """What a command said: status, out, err; json() where it was asked for."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)


def run_tool(program, *words, timeout=120, env=None, cwd=None):
    """Runs a program to its end, without input; a death by a signal is a failure."""
    done = subprocess.run([str(program), *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout, cwd=cwd,
                          env={**os.environ, **(env or {})})
    assert done.returncode >= 0, f"{words}: killed by signal {-done.returncode}\n{done.stderr}"
    return Result(done)


def pagetrail(*words, timeout=300, **more):
    """Runs `pagetrail WORDS`."""
    return run_tool(paths.PAGETRAIL, *words, timeout=timeout, **more)


def pagetrail_json(*words, statuses=(OK, LEAKED, CANNOT_TELL), **more):
    """The same with --json; the parsed answer."""
    done = pagetrail(*words, "--json", **more)
    assert done.status in statuses, f"status {done.status}\n{done.err}"
    return done.json()


def run_command(out, *guest_words, kernel=None, disk=None, limit=300, options=()):
    """The words of a `pagetrail run` that ends by itself, for pagetrail() or Popen. Programs may break what they test."""
    options = [str(word) for word in options]
    if "--append" in options:
        options[options.index("--append") + 1] += " debug=on"
    else:
        options += ["--append", "debug=on"]
    return ["run", "--kernel", kernel or paths.KERNEL, "--disk", disk or paths.DISK, "--out", out,
            "--timeout", str(limit), *options, "--", *guest_words]


def read_until(process, pattern, limit=LIMIT):
    """Reads what it says up to the pattern; the text. The console is read byte by byte: a prompt ends no line."""
    os.set_blocking(process.stdout.fileno(), False)
    text, deadline = "", time.monotonic() + limit
    while not re.search(pattern, text):
        assert time.monotonic() < deadline, f"{pattern} was not said:\n{text[-2000:]}"
        try:
            got = os.read(process.stdout.fileno(), 65536)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        assert got, f"it ended before {pattern}:\n{text[-2000:]}"
        text += got.decode(errors="replace")
    os.set_blocking(process.stdout.fileno(), True)
    return text


def babeltrace_events(run):
    """How many events stock babeltrace2 reads from a run folder; it must not complain."""
    done = subprocess.run(["babeltrace2", str(run), "-c", "sink.utils.counter"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(re.findall(r"^\s*(\d+) Event message", done.stdout, re.M)[-1])  # it prints on its way, too


def babeltrace_says(folder):
    """(lines of `babeltrace2 FOLDER`, what it says on stderr: it tells of discarded events there)."""
    done = subprocess.run(["babeltrace2", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines(), done.stderr


def babeltrace(folder):
    """Lines of `babeltrace2 FOLDER`; any word on stderr is a failure."""
    lines, complaint = babeltrace_says(folder)
    assert not complaint, complaint[-3000:]
    return lines


def summary_total(result):
    return int(re.search(r"^total (\d+) =", result.out, re.M).group(1))


# A small process between us and the measured one: its peak would else begin with what we have ourselves.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, usage.ru_utime)
"""


def measure(*words, timeout=300):
    """Runs `pagetrail WORDS`: (exit status, CPU seconds, peak of resident memory in KiB, mapped files included, the seconds in user mode)."""
    out = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *(str(word) for word in (paths.PAGETRAIL, *words))],
                         stdout=subprocess.PIPE, text=True, check=True, timeout=timeout).stdout.split()
    return int(out[0]), float(out[1]), int(out[2]), float(out[3])
