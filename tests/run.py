#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the parts of the test suite one after another and adds up what they say.

Each part is a make target. Its output goes to BUILD/results/PART.log and, when it fails, its end to the
terminal. Tests are counted from the summaries that pytest and the host tests print; a part without either
counts as one test, passed or failed by its exit status.

Usage: run.py PART...   (PAGETRAIL_BUILD names the build folder)
"""
import re
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0])
from harness import paths  # noqa: E402 (the path above)

SHOWN_LINES = 40
PYTEST = re.compile(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.M)
HOST_PASSED = re.compile(r"^host tests: .* (\d+) tests passed|^\[  PASSED  \] (\d+) test", re.M)
HOST_FAILED = re.compile(r"^\[  FAILED  \] (\d+) test", re.M)
# A pytest word and what it counts as. An expected failure is a canary that failed as it must.
COUNTS_AS = {"passed": "passed", "xfailed": "passed", "failed": "failed", "error": "failed", "errors": "failed",
             "xpassed": "failed", "skipped": "skipped"}


def count_tests(output, status):
    """{"passed": n, "failed": n, "skipped": n} of one part."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for summary in PYTEST.findall(output):
        for number, word in re.findall(r"(\d+) ([a-z]+)", summary):
            if word in COUNTS_AS:
                counts[COUNTS_AS[word]] += int(number)
    counts["passed"] += sum(int(all_tests or tests) for all_tests, tests in HOST_PASSED.findall(output))
    counts["failed"] += sum(map(int, HOST_FAILED.findall(output)))
    if not any(counts.values()):
        counts["passed" if status == 0 else "failed"] = 1
    elif status and not counts["failed"]:
        counts["failed"] = 1
    return counts


def run_part(part, results):
    """Runs one make target. Returns (counts, seconds, output)."""
    start = time.monotonic()
    done = subprocess.run(["make", "-C", str(paths.ROOT), "--no-print-directory", f"BUILD={paths.BUILD_NAME}", "SETUP=no", part],
                          env=paths.make_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    (results / f"{part}.log").write_text(done.stdout)
    return count_tests(done.stdout, done.returncode), time.monotonic() - start, done.stdout


def main():
    results = paths.BUILD / "results"
    results.mkdir(parents=True, exist_ok=True)
    total, begin = {"passed": 0, "failed": 0, "skipped": 0}, time.monotonic()
    for part in sys.argv[1:]:
        if sys.stdout.isatty():
            print(f"{part:12} ...\r", end="", flush=True)
        counts, seconds, output = run_part(part, results)
        for word, number in counts.items():
            total[word] += number
        skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
        print(f"{part:12} {counts['passed']:4} passed, {counts['failed']} failed{skipped}  ({seconds:.0f} s)", flush=True)
        if counts["failed"]:
            print("".join(f"    {line}\n" for line in output.splitlines()[-SHOWN_LINES:]), end="", flush=True)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}  ({time.monotonic() - begin:.0f} s; "
          f"logs in {results.relative_to(paths.ROOT) if results.is_relative_to(paths.ROOT) else results})")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
