# SPDX-License-Identifier: MIT
"""What the pictures and tables of a watched run say of its tests: a difference between two of them is no leak."""
import subprocess

import kernels
import pytest
from harness import paths
from harness.tool import pagetrail


@pytest.fixture(scope="module", params=["small-plain", "small-plain-munmap_keeps"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "run"
    subprocess.run([str(word) for word in (paths.PAGETRAIL, "watch", "--out", folder, *kernels.qemu_command(request.param, 1))],
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return folder


def test_titles_and_tables(run, tmp_path):
    report = pagetrail("leaks", run, "--json").json()
    title = {"no leaks": "no leaks", "leaked": f"{report['pages']} page{'s' * (report['pages'] != 1)} leaked"}[report["verdict"]]
    assert pagetrail("plot", run, "-o", tmp_path / "free").status == 0
    picture = (tmp_path / "free.svg").read_text()
    assert title in picture and picture.count(" leaked") == title.count(" leaked")
    assert pagetrail("report", run, "-o", tmp_path / "report.html").status == pagetrail("leaks", run).status
    page = (tmp_path / "report.html").read_text()
    tests = page[page.index('<section id="tests">'):].partition("</section>")[0]
    assert ">Fewer</th>" in tests and ">Leaked</th>" not in tests and "tests that leaked" not in page
