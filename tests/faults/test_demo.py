# SPDX-License-Identifier: MIT
"""`make demo`: its last lines, its status, and that it says so when a fault is not as the catalogue has it."""
import copy
import os
import re
import subprocess
import sys

import pytest

from harness import faults, paths
from harness.expect import differences
from harness.tool import LEAKED, OK

PAGE = {"what": "page", "kind": "pagecache", "ref": "io", "verdict": "OVER", "pages": 300, "objects": 0,
        "missing_release": {"suspect": "inode_read_cached"}}
GOOD = {"expect": {"groups": [{"what": "page", "kind": "pagecache", "suspect": "inode_read_cached", "at_least": 257}],
                   "only": True, "findings": {"DBL": 1}, "report": ["suspect"], "console": ["OVER pfn"]},
        "status": LEAKED, "report": "suspect: f", "console": "OVER pfn 1",
        "leaks": {"events_discarded": 0, "groups": [PAGE], "findings": [{"verdict": "DBL"}]}}


def demo(folder, *words):
    """(status, output) of tests/demo.py, run where `make demo` runs it."""
    environment = {**os.environ, "PAGETRAIL_BUILD": paths.BUILD_NAME}
    done = subprocess.run([sys.executable, "tests/demo.py", "--runs", folder, *words], cwd=paths.ROOT, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    return done.returncode, done.stdout


@pytest.mark.parametrize("words, status", [((), OK), (("--check",), LEAKED)])
def test_a_planted_fault_is_a_success_and_check_keeps_the_status(tmp_path, words, status):
    found, out = demo(tmp_path, "--fault", "05", *words)
    assert found == status, out
    lines = out.splitlines()[-5:]
    assert re.fullmatch(r"verdict   LEAKED: \d+ pages, .*", lines[0]), out
    assert lines[1].startswith("expected  yes: "), out
    for line, what, name in zip(lines[2:], ("picture", "report"), ("free-pages.png", "report.html")):
        word, path = line.split()
        assert word == what and path.endswith(f"fault-05/{name}") and (paths.ROOT / path).stat().st_size > 10000
    word, *command = lines[4].split()
    assert word == "next" and command[1] == "page"
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, timeout=60)
    assert "page_alloc" in done.stdout, done.stderr


@pytest.mark.parametrize("words, status", [((), OK), (("--check",), LEAKED)])
def test_a_kernel_that_does_not_compile_is_expected_too(tmp_path, words, status):
    found, out = demo(tmp_path, "--fault", "39", *words)
    assert found == status and re.search("^verdict .*static assertion.*\nexpected  yes", out, re.M), out


def test_what_is_as_expected_differs_in_nothing():
    assert not list(differences(**copy.deepcopy(GOOD)))


@pytest.mark.parametrize("name, value, said", [
    ("status", OK, "status 0 instead of 1"),
    ("leaks", {"events_discarded": 7}, "7 events were discarded"),
    ("leaks", {"groups": []}, "0 match"),
    ("leaks", {"groups": [{**PAGE, "pages": 256}]}, "256 match"),
    ("leaks", {"groups": [PAGE, {**PAGE, "kind": "anon"}]}, "1 groups that nobody expects"),
    ("leaks", {"groups": [{**PAGE, "missing_release": {"suspect": "f"}}]}, "0 match"),
    ("leaks", {"findings": []}, "findings [] instead of 1 DBL"),
    ("report", "", "the report does not say"),
    ("console", "", "the console does not say"),
])
def test_each_difference_is_told(name, value, said):
    case = copy.deepcopy(GOOD)
    case[name] = {**case[name], **value} if name == "leaks" else value
    assert said in "\n".join(differences(**case))


def test_every_fault_has_a_run_folder_of_its_own():
    numbers = [name.split("-")[0] for name in faults.names()]
    assert len(set(numbers)) == len(numbers)
