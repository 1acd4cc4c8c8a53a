# SPDX-License-Identifier: MIT
"""`pagetrail report`: one HTML file that holds what `leaks` says, needs nothing from outside, and stays small.

Verified here: SOURCE-1, FUNC-1.
"""
import base64
import html.parser
import os
import re
import struct
import zlib
from pathlib import Path

import pytest
import pagetrail_tables as tables
from browser import Browser
from test_format import busy_machine
from test_leaks import Kernel, fault_5
from harness.tool import CANNOT_TELL, OK

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
        assert group["missing_release"]["suspect"] in said
        for frame in group["allocation"] + group["get"]:
            assert frame["function"] in said and f"{frame['file']}:{frame['line']}" in said
    assert "inode 12, page index 0-9" in said and "write-read" in page.parts["td"]


def test_needs_nothing_from_outside_and_no_mouse(report, pagetrail, lost):
    text, page = report(lost, pagetrail("leaks", lost).status)
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert {a.get("type", "") for a in page.all("script")} == {"", "application/json"} and not any("src" in a for a in page.all("script"))
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name, "#")
            assert value.startswith("#") or (tag == "image" and value.startswith("data:image/png;base64,")), (tag, value)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\([^#]|@import|https?://(?!www\.w3\.org/2000/svg\")|\bfetch\(|XMLHttp|import\(", re.sub(r"base64,[^\"]*", "", text))
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {a["href"][1:] for a in page.all("a")} <= anchors and "finding1" in anchors
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in page.all("pre"))
    assert len(page.parts["summary"]) >= 2 and page.all("html")[0]["lang"] == "en"
    assert all(a.get("role") == "img" for a in page.all("svg")) and len(page.all("svg")) == 3
    assert len(page.all("image")) == 1


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
    _, page = report(write(kernel.machine), OK)
    assert "<script>&\"" in page.parts["td"]


def test_small_and_lossy_runs(report, sites, write):
    kernel = Kernel(sites)
    kernel.machine.streams[0].discard(3)
    text, _ = report(write(kernel.machine, "lossy"), CANNOT_TELL)
    assert "Cannot tell" in text and "3 events were discarded" in text
    kernel = Kernel(sites)
    kernel.machine.audit()
    text, page = report(write(kernel.machine, "one"), OK)
    assert len(page.all("svg")) == 2 and "No page was allocated in this trace" in text


def test_the_most_pages_of_a_kind_are_counted_at_every_event(report, pagetrail, sites, write):
    """A peak far shorter than a step of the curve: 300 pages come and go, then nothing happens for long."""
    kernel = Kernel(sites)
    machine = kernel.machine
    kernel.begin(7)
    pages = [machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write")) for _ in range(300)]
    for page in pages:
        machine.put(page, "PIPE", (1, 0), kernel.stack("sys_write"))
    machine.time += 100_000_000
    machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write"))
    run = write(machine)
    text, _ = report(run, pagetrail("leaks", run).status)
    assert "pipe, at most 300</span>" in text


def part_of(text, section):
    """The words of a section, without markup."""
    return " ".join(re.sub("<[^>]*>", " ", text.split(f'<section id="{section}">')[1].split("</section>")[0]).split())


def machine_with(sites, *names, discarded=0):
    kernel = Kernel(sites)
    machine = kernel.machine
    machine.sample()
    for name in names:
        machine.mark(name)
        page = machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write"))
        machine.put(page, "PIPE", (1, 0), kernel.stack("sys_write"))
        machine.mark(name, end=True)
    if discarded:
        machine.streams[0].discard(discarded)
    machine.audit()
    return machine


def test_a_side_that_lost_events_says_so(pagetrail, sites, write, tmp_path):
    """What cannot be told of it is no number, and a test that is not in it may have run."""
    whole = write(machine_with(sites, "calm", "gone"), "whole")
    lossy = write(machine_with(sites, "calm", discarded=5), "lossy")
    out = tmp_path / "c.html"
    assert pagetrail("report", whole, lossy, "-o", out).status == CANNOT_TELL
    text = out.read_text()
    runs, tests = part_of(text, "runs"), part_of(text, "tests")
    assert "B: LOSS: 5 events were discarded" in runs and "B: not certain: events are missing" in runs and "A: " not in runs
    assert f"{lossy} cannot tell - - " in runs and f"{whole} no leaks 0 - " not in runs
    assert re.search(r"calm [\d.]+ 0 [\d.]+ - gone [\d.]+ 0 not recorded", tests), tests
    pagetrail("report", lossy, whole, "-o", out)
    assert re.search(r"gone not recorded [\d.]+ 0", part_of(out.read_text(), "tests"))


def test_only_call_sites_that_differ_are_listed(pagetrail, sites, write, tmp_path):
    one, more = write(machine_with(sites, "calm"), "one"), write(machine_with(sites, "calm", "gone"), "more")
    pagetrail("report", one, one, "-o", tmp_path / "c.html")
    assert re.search(r"None of \d+ differs", part_of((tmp_path / "c.html").read_text(), "sites"))
    pagetrail("report", one, more, "-o", tmp_path / "c.html")
    said = part_of((tmp_path / "c.html").read_text(), "sites")
    assert re.search(r"The 1 that differ, of \d+", said) and "sys_write" in said


def test_many_groups_stay_small(report, pagetrail, write):
    machine, _, _ = busy_machine(7, 4, acts=20000)
    run = write(machine)
    report(run, pagetrail("leaks", run).status)


# ---- the map ----

def png_rows(data):
    """(width, height, palette as (r, g, b, a), rows of palette numbers) of a PNG such as the report has."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        name, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(name + body)
        chunks[name] = chunks.get(name, b"") + body
        at += 12 + size
    width, height, depth, kind = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, kind) == (8, 3)
    raw, colours = zlib.decompress(chunks[b"IDAT"]), chunks[b"PLTE"]
    palette = [(*colours[3 * i:3 * i + 3], alpha) for i, alpha in enumerate(chunks[b"tRNS"])]
    assert len(raw) == height * (width + 1) and not any(raw[::width + 1])
    return width, height, palette, [raw[y * (width + 1) + 1:(y + 1) * (width + 1)] for y in range(height)]


def the_map(page):
    image, = page.all("image")
    return png_rows(base64.b64decode(image["href"].split(",", 1)[1]))


def test_map_cell_by_cell(report, sites, write):
    """Two pages, one free again halfway; a page far above; in the end the cells are what is in the books."""
    kernel = Kernel(sites)
    machine = kernel.machine
    machine.step = 1000
    pages = [machine.alloc("ANON", "PTE", (7, i)) for i in range(2)]
    machine.free_pfns.reverse()
    machine.alloc("PAGETABLE", "TABLE", (7, 0))
    for _ in range(100):
        machine.sample()
    machine.put(pages[1], "PTE", (7, 1))
    for _ in range(100):
        machine.sample()
    machine.put(pages[0], "PTE", (7, 0))
    machine.audit([])
    text, page = report(write(machine), OK)
    width, height, palette, rows = the_map(page)
    anon, table = (bytes.fromhex(tables.KIND_COLOURS[tables.PAGE_KINDS[k]][1:]) for k in ("ANON", "PAGETABLE"))
    colour = lambda row, column: palette[rows[row][column]]
    assert colour(height - 1, width // 2)[:3] == tuple(anon) and colour(height - 1, width - 1)[3] == 0
    assert colour(height - 2, width // 4)[:3] == tuple(anon) and colour(height - 2, width * 3 // 4)[3] == 0
    assert colour(0, width - 1) == (*table, 255)
    assert "126.0 MiB never used" in text and "0x80200000" in text


def test_lost_pages_are_red_from_the_get_on(report, pagetrail, lost):
    _, page = report(lost, pagetrail("leaks", lost).status)
    width, _, palette, rows = the_map(page)
    red = palette.index((0xd0, 0, 0, 255))
    assert sum(row[width - 1] == red for row in rows) == 10
    assert sum(row[0] == red for row in rows) == 0
    for row in rows:
        assert list(row).count(red) == 0 or set(row[row.index(red):]) == {red}


# ---- lines of source ----

SUSPECT_TEXT = """int copy(void);
/* inode_read_cached() { is no function here */
long inode_read_cached(struct inode *inode, const char *what)
{
	struct page *page;
	long done = 0;
	int err;

	if (!inode)
		return -1;
	if (*what == '}')
		return -2; // }
	while (done < 10) {
		struct other *one;

		one = inode->one;
		if (one)
			go_on(one, "}");

		page = lookup(inode, done);
		if (IS_ERR(page))
			return PTR_ERR(page);
		err = copy_out(inode,
			       page);
		if (err)
			return err;
		done++;
	}
	return done;
}

int after(void)
{
	return 0; /* < & > */
}
"""


def function_marks(text):
    """{line: class} of the first function that is shown."""
    figure = text.split('<figure class="code">')[1].split("</figure>")[0]
    return {int(line): kind for kind, line in re.findall(r'<mark class="(\w+)"> *(\d+) ', figure)}


def test_the_whole_function_with_the_line_that_acquires_and_where_the_release_is_missing(pagetrail, lost, tmp_path):
    """Line 20 acquires; 22 returns what failed; 26 and 29 return without a release; 24 is the last use. Nothing of `after` is shown."""
    source = tmp_path / "tree/kernel/fs/cached_io.c"
    source.parent.mkdir(parents=True)
    source.write_text(SUSPECT_TEXT)
    done = pagetrail("report", lost, "--source", tmp_path / "tree", "-o", tmp_path / "r.html", "--json")
    said = done.json()
    assert said["files"] == [str(tmp_path / "r.html")] and said["verdict"] in ("leaked", "cannot tell")
    text = (tmp_path / "r.html").read_text()
    assert function_marks(text) == {20: "acquired", 24: "missing", 26: "missing", 29: "missing"}
    page = Page(text)
    shown = "".join(page.parts["pre"])
    assert "long inode_read_cached(struct inode *inode" in shown and "int after(void)" not in shown
    notes = [" ".join(note.split()) for note in page.parts["span"] if "^" in note]
    assert notes[0] == "^ acquired here" and notes[1] == "^ last use of page; no call of pagecache_release() follows"
    assert notes[2] == "^ ends here, with no call of pagecache_release() since line 20"
    frames = [a for a in page.all("details") if a.get("class") == "frame"]
    assert frames and sum("   20" in mark for mark in page.parts["mark"]) == len(frames) + 1


def test_a_release_on_the_way_leaves_only_the_returns_before_it(pagetrail, lost, tmp_path):
    source = tmp_path / "tree/kernel/fs/cached_io.c"
    source.parent.mkdir(parents=True)
    source.write_text(SUSPECT_TEXT.replace("\t\tdone++;", "\t\tpagecache_release(page);"))
    pagetrail("report", lost, "--source", tmp_path / "tree", "-o", tmp_path / "r.html")
    assert function_marks((tmp_path / "r.html").read_text()) == {20: "acquired", 26: "missing", 27: "released"}


def test_sources_in_the_run_are_shown_whatever_became_of_the_tree(pagetrail, lost, tmp_path):
    source = lost / "sources/kernel/fs/cached_io.c"
    source.parent.mkdir(parents=True)
    source.write_text(SUSPECT_TEXT)
    os.utime(lost / "kernel/pagetrail.elf", (1, 1))
    pagetrail("report", lost, "-o", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert function_marks(text)[20] == "acquired" and "was changed after the kernel was built" not in text
    (lost / "sources/.changed").write_text(f"/kernel/fs/other.c\n{Path.cwd()}/kernel/fs/cached_io.c\n")
    pagetrail("report", lost, "-o", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert function_marks(text)[20] == "acquired", "still shown, and said so"
    assert "cached_io.c was changed after the kernel was built: the lines shown may be others" in text


@pytest.mark.parametrize("link", ["sources/kernel/fs/cached_io.c", "sources/kernel", "sources"])
def test_links_out_of_the_run_are_not_followed(pagetrail, lost, tmp_path, link):
    """Who is given a run is not made to put another of his files into the report."""
    file = "cached_io.c"
    away = tmp_path / "away" / {"sources/kernel": f"fs/{file}", "sources": f"kernel/fs/{file}"}.get(link, file)
    away.parent.mkdir(parents=True)
    away.write_text(SUSPECT_TEXT.replace("long done", "long of_another"))
    os.utime(lost / "kernel/pagetrail.elf", (1, 1))
    (lost / link).parent.mkdir(parents=True, exist_ok=True)
    (lost / link).symlink_to(away if link.endswith(".c") else tmp_path / "away")
    pagetrail("report", lost, "-o", tmp_path / "r.html")
    assert "of_another" not in (tmp_path / "r.html").read_text()


def test_source_newer_than_the_kernel_is_not_shown(pagetrail, lost, tmp_path):
    source = tmp_path / "tree/kernel/fs/cached_io.c"
    source.parent.mkdir(parents=True)
    source.write_text(SUSPECT_TEXT)
    os.utime(lost / "kernel/pagetrail.elf", (1, 1))
    pagetrail("report", lost)
    text = (lost / "report.html").read_text()
    assert "<mark" not in text and "The sources are newer than the kernel that ran" in text
    pagetrail("report", lost, "--source", tmp_path / "tree")
    assert "<mark>" in (lost / "report.html").read_text(), "who names a folder knows"


# ---- in Debian's chromium ----

@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def shown(browser, report, pagetrail, lost, tmp_path):
    report(lost, pagetrail("leaks", lost).status)
    browser.resize(1440, 900)
    browser.dark(False)
    browser.load(tmp_path / "r.html")
    browser.until("document.documentElement.classList.contains('ready')")
    return browser


def test_browser_finds_no_fault_and_asks_for_nothing(shown):
    assert shown.complaints() == []
    assert [url.split(":", 1)[0] for url in shown.requests()] == ["file", "data"]
    assert shown.evaluate("document.title") == "run: Pagetrail report"
    assert shown.evaluate("[...document.querySelectorAll('svg.chart, #map-picture svg')].every(s => s.getBoundingClientRect().height > 40)")
    assert len(set(zlib.decompress(b"".join(png_data(shown.screenshot()))))) > 50


def test_without_scripts_all_is_there(shown, tmp_path):
    """Pictures, findings and tables as they are without scripts; nothing asks for one but the flame graph, which says so."""
    shown.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        shown.load(tmp_path / "r.html")
        text = shown.evaluate("document.querySelector('main').innerText")
        for words in ("Leaked: 10 pages", "inode_read_cached() acquires", "Evidence", "Free pages", "Pages by kind", "RAM over time", "write-read", "Call sites",
                      "It needs scripts"):
            assert words in text, words
        assert shown.evaluate("[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().height > 100).length") == 3
        assert shown.evaluate("document.querySelectorAll('input, select, .flame').length") == 0
    finally:
        shown.call("Emulation.setScriptExecutionDisabled", value=False)


def test_wide_and_narrow_nothing_hangs_over(shown):
    for width in (1600, 800, 360):
        shown.resize(width, 900)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_names_on_pictures_do_not_overlap(shown):
    assert shown.evaluate("""(() => {
        const names = [...document.querySelectorAll('#map-picture svg text.name')].map(t => t.getBoundingClientRect());
        return names.length > 0 && names.every((a, i) => names.every((b, k) => i == k || a.right <= b.left ||
            b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top));
    })()""")


def test_dark_and_light(shown):
    ink = "getComputedStyle(document.body).color"
    paper = "getComputedStyle(document.body).backgroundColor"
    brightness = lambda text: sum(map(int, re.findall(r"\d+", text)[:3]))
    assert brightness(shown.evaluate(ink)) < 200 < 700 < brightness(shown.evaluate(paper))
    shown.dark()
    assert brightness(shown.evaluate(paper)) < 100 < 600 < brightness(shown.evaluate(ink))


def test_all_can_be_opened_by_the_keyboard(shown):
    """Tab goes to every folded part in its order; Enter opens it; what opened can be reached, too."""
    closed = "[...document.querySelectorAll('details:not([open])')].filter(d => d.checkVisibility()).length"
    before = shown.evaluate(closed)
    assert before >= 2
    for _ in range(600):
        shown.press("Tab")
        if shown.evaluate("document.activeElement.tagName") == "SUMMARY" and \
                not shown.evaluate("document.activeElement.parentElement.open"):
            shown.press("Enter")
            assert shown.evaluate("document.activeElement.parentElement.open")
        if shown.evaluate(closed) == 0:
            break
    assert shown.evaluate(closed) == 0


def test_links_of_the_head_lead_to_their_sections(shown):
    for _ in range(5):
        shown.press("Tab")
    assert shown.evaluate("document.activeElement.hash") == "#map"
    shown.press("Enter")
    assert shown.evaluate("location.hash") == "#map"
    assert shown.evaluate("document.getElementById('map').getBoundingClientRect().top") < 900


def test_on_paper_all_is_open(shown):
    shown.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert shown.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    shown.call("Emulation.setEmulatedMedia", media="print")
    assert shown.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    shown.call("Emulation.setEmulatedMedia", media="")


def png_data(data):
    """The IDAT chunks of a PNG."""
    at = 8
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        if data[at + 4:at + 8] == b"IDAT":
            yield data[at + 8:at + 8 + size]
        at += 12 + size


def test_sources_that_are_not_there_are_an_error(pagetrail, lost, tmp_path):
    done = pagetrail("report", lost, "--source", tmp_path / "nowhere", "-o", tmp_path / "r.html")
    assert done.status == CANNOT_TELL and "nowhere is not a folder" in done.err and not (tmp_path / "r.html").exists()
