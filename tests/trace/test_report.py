"""`pagetrail report`: one HTML file that holds what `leaks` says, needs nothing from outside, and stays small."""
import html.parser
import re
import shutil
import subprocess
import zlib

import pytest
from test_format import busy_machine
from test_leaks import Kernel, fault_5
from tooling import CANNOT_TELL, NOTHING_LOST

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Checks nesting while it reads; keeps elements and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text, self.parts = [], [], [], {}
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}, line {self.getpos()[0]}"
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)
        if self.open:
            self.parts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def report(pagetrail, tmp_path):
    def report(run, status):
        done = pagetrail("report", run, "-o", tmp_path / "r.html")
        assert done.status == status == pagetrail("leaks", run).status, done.err
        text = (tmp_path / "r.html").read_text()
        assert text.startswith("<!DOCTYPE html>") and len(text) < 5 << 20
        return text, Page(text)
    return report


@pytest.fixture
def lost(sites, write):
    kernel = Kernel(sites)
    fault_5(kernel)
    kernel.machine.sample()
    kernel.machine.audit([])
    return write(kernel.machine)


def test_groups_with_stacks_and_places(report, pagetrail, lost):
    text, page = report(lost, pagetrail("leaks", lost).status)
    groups = pagetrail("leaks", lost, "--json").json()["groups"]
    details = [a for a in page.all("details") if a.get("id", "").startswith("group")]
    assert len(details) == len(groups) > 0
    said = "".join(page.text)
    for group in groups:
        assert group["missing"]["suspect"] in said
        for frame in group["allocation"] + group["get"]:
            assert frame["function"] in said and f"{frame['file']}:{frame['line']}" in said
    assert "inode 12, page index 0-9" in said and "write-read" in page.parts["td"]


def test_needs_nothing_from_outside_and_no_mouse(report, pagetrail, lost):
    text, page = report(lost, pagetrail("leaks", lost).status)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert attributes.get(name, "#").startswith("#"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import|https?://", text)
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {a["href"][1:] for a in page.all("a")} <= anchors
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in page.all("pre"))
    assert len(page.parts["summary"]) >= 2 and page.all("html")[0]["lang"] == "en"
    assert all(a.get("role") == "img" for a in page.all("svg")) and len(page.all("svg")) == 3


def test_curve_lies_within_the_picture(report, pagetrail, lost):
    _, page = report(lost, pagetrail("leaks", lost).status)
    line, = [a for a in page.all("path") if a.get("class") == "line"]
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", line["d"])]
    assert len(numbers) > 100
    assert all(0 <= x <= 1000 for x in numbers[::2]) and all(0 <= y <= 300 for y in numbers[1::2])


def test_names_that_are_markup(report, sites, write):
    kernel = Kernel(sites)
    kernel.machine.mark("<script>&\"")
    kernel.machine.mark("<script>&\"", end=True)
    kernel.machine.audit([])
    _, page = report(write(kernel.machine), NOTHING_LOST)
    assert "<script>&\"" in page.parts["td"]


def test_small_and_lossy_runs(report, sites, write):
    kernel = Kernel(sites)
    kernel.machine.streams[0].discard(3)
    text, _ = report(write(kernel.machine, "lossy"), CANNOT_TELL)
    assert "No verdict" in text and "3 events were discarded" in text
    _, page = report(write(Kernel(sites).machine, "one"), NOTHING_LOST)
    assert len(page.all("svg")) == 3


def test_many_groups_stay_small(report, pagetrail, write):
    machine, _, _ = busy_machine(7, 4, acts=20000)
    run = write(machine)
    report(run, pagetrail("leaks", run).status)


def png_pixels(data):
    """Different bytes among the rows of a PNG, unpacked: more than a few means that something is drawn."""
    at, packed = 8, b""
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    return set(zlib.decompress(packed))


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
def test_in_a_browser(report, pagetrail, lost, tmp_path):
    report(lost, pagetrail("leaks", lost).status)
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'home'}",
                           "--window-size=1000,1600", f"--screenshot={tmp_path / 'shot.png'}", (tmp_path / "r.html").as_uri()],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, text=True)
    assert done.returncode == 0, done.stdout
    assert len(png_pixels((tmp_path / "shot.png").read_bytes())) > 50
