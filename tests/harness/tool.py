"""The pagetrail command and babeltrace2, as tests use them."""
import json
import re
import subprocess
import sys

from . import paths

NOTHING_LOST, LOST, CANNOT_TELL = 0, 1, 2


def pagetrail(*words, timeout=300):
    """Runs `pagetrail WORDS`; the CompletedProcess with stdout and stderr as text."""
    return subprocess.run([str(word) for word in (paths.PAGETRAIL, *words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout)


def pagetrail_json(*words, statuses=(NOTHING_LOST, LOST, CANNOT_TELL)):
    """The same with --json; the parsed answer."""
    done = pagetrail(*words, "--json")
    assert done.returncode in statuses, f"status {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout)


def run_command(out, *guest_words, kernel=None, disk=None, limit=300, options=()):
    """The words of a `pagetrail run` that ends by itself, for pagetrail() or Popen."""
    return ["run", "--kernel", kernel or paths.KERNEL, "--disk", disk or paths.DISK, "--out", out,
            "--timeout", str(limit), *options, "--", *guest_words]


def babeltrace_events(run):
    """How many events stock babeltrace2 reads from a run folder; it must not complain."""
    done = subprocess.run(["babeltrace2", str(run), "-c", "sink.utils.counter"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(re.findall(r"^\s*(\d+) Event message", done.stdout, re.M)[-1])  # it prints on its way, too


# A small process between us and the measured one: its peak would else begin with what we have ourselves.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def measure(*words, timeout=300):
    """Runs `pagetrail WORDS`: (exit status, CPU seconds, peak of resident memory in KiB, mapped files included)."""
    out = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *(str(word) for word in (paths.PAGETRAIL, *words))],
                         stdout=subprocess.PIPE, text=True, check=True, timeout=timeout).stdout.split()
    return int(out[0]), float(out[1]), int(out[2])
