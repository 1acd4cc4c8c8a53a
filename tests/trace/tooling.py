"""Running the tools and babeltrace2, for the tests."""
import json
import os
import re
import subprocess

NOTHING_LOST, LOST, CANNOT_TELL = 0, 1, 2


class Result:
    """What a command said: status, out, err; json() where it was asked for."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)


def run_tool(program, *words, timeout=120, env=None):
    done = subprocess.run([str(program), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=timeout, env={**os.environ, **(env or {})})
    assert done.returncode >= 0, f"{words}: killed by signal {-done.returncode}\n{done.stderr}"
    return Result(done)


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
