# SPDX-License-Identifier: MIT
"""The views that scripts make in the HTML report, in Debian's chromium: each by the mouse and by the keyboard, against what other commands say.

The run is a small one whose numbers are known: ten pages leaked in the test write-read, twenty that were used in a test before it.
"""
import re

import pytest
import tracegen
from browser import Browser
from test_leaks import Kernel, fault_5, fault_7


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def run(sites, write):
    """A test of its own, calm, whose 20 pages go; then fault 5."""
    kernel = Kernel(sites)
    machine = kernel.machine
    machine.step = 500
    machine.mark("calm")
    kernel.begin(4, "calmer")
    pages = [machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write")) for _ in range(20)]
    for page in pages:
        machine.put(page, "PIPE", (1, 0), kernel.stack("sys_write"))
    kernel.end(4)
    machine.mark("calm", end=True)
    machine.sample()
    fault_5(kernel)
    machine.sample()
    machine.audit([])
    return write(machine)


@pytest.fixture
def shown(browser, pagetrail, run, tmp_path):
    pagetrail("report", run, "-o", tmp_path / "r.html")
    browser.resize(1440, 900)
    browser.load(tmp_path / "r.html")
    browser.until("document.documentElement.classList.contains('ready')")
    yield browser
    assert browser.complaints() == []


@pytest.fixture
def compared(browser, pagetrail, sites, write, run, tmp_path):
    """A: the test calm, with 30 pages, and a test that B has not; B: `run`."""
    kernel = Kernel(sites)
    machine = kernel.machine
    machine.step = 500
    for name, nr in (("calm", 30), ("gone", 1)):
        machine.mark(name)
        kernel.begin(4, "calmer")
        for page in [machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write")) for _ in range(nr)]:
            machine.put(page, "PIPE", (1, 0), kernel.stack("sys_write"))
        kernel.end(4)
        machine.mark(name, end=True)
    machine.sample()
    machine.audit([])
    before = write(machine, "before")
    done = pagetrail("report", before, run, "-o", tmp_path / "c.html")
    assert done.status == pagetrail("leaks", run).status, done.err
    browser.resize(1440, 900)
    browser.load(tmp_path / "c.html")
    browser.until("document.documentElement.classList.contains('ready')")
    yield browser
    assert browser.complaints() == []


def rows(browser, section):
    """The table of a section: a list of lists of cells, without the rows that opened."""
    return browser.evaluate(f"""[...document.querySelectorAll('#{section} tbody tr:not(.detail)')].filter(row => row.checkVisibility())
        .map(row => [...row.cells].map(cell => cell.innerText.trim()))""")


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).innerText")


def frames(browser):
    """{function: aria-label} of the flame graph as it is drawn."""
    return dict(browser.evaluate("[...document.querySelectorAll('.flame .fr')].map(f => [f.getAttribute('aria-label').split(':')[0], f.getAttribute('aria-label')])"))


def choose(browser, section, label, by_key=False):
    """Ticks the box, or the button of a choice, whose label has that text; gives a search the focus."""
    name = browser.evaluate(f"""[...document.querySelectorAll('#{section} label')].find(l => l.innerText === {label!r}).htmlFor""")
    if by_key:
        browser.focus(f"#{name}")
    else:
        browser.click(f"#{name}")
    return f"#{name}"


# ---- tables ----

@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_table_is_sorted_by_any_column(shown, by_key):
    def press(column):
        selector = f"#sites thead th:nth-child({column}) button"
        if by_key:
            shown.focus(selector)
            shown.press("Enter")
        else:
            shown.click(selector)
    allocated = lambda: [int(row[5]) for row in rows(shown, "sites")]
    press(6)
    assert allocated() == sorted(allocated(), reverse=True) and len(set(allocated())) > 1
    press(6)
    assert allocated() == sorted(allocated())
    assert shown.evaluate("document.querySelector('#sites thead th:nth-child(6)').ariaSort") == "ascending"
    press(1)
    assert [row[0] for row in rows(shown, "sites")] == sorted(row[0] for row in rows(shown, "sites"))


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_table_is_searched_and_filtered(shown, pagetrail, run, by_key):
    whole = rows(shown, "sites")
    choose(shown, "sites", "Search call sites", by_key)
    shown.type("ext2_file_write")  # a caller: in the stack, not in the row
    some = rows(shown, "sites")
    assert 0 < len(some) < len(whole)
    assert f"{len(some)} of {len(some)} row" in text(shown, "#sites .count")
    shown.evaluate("document.activeElement.select()")
    shown.type("nowhere to be found")
    assert rows(shown, "sites") == [["None."]]
    shown.evaluate("document.activeElement.select()")
    shown.type(" ")
    box = choose(shown, "sites", "Only leaked", by_key)
    if by_key:
        shown.press(" ")
    assert shown.evaluate(f"document.querySelector('{box}').checked")
    leaked = rows(shown, "sites")
    assert sum(int(row[2]) for row in leaked) == pagetrail("leaks", run, "--json").json()["pages"] == 10


def test_rows_are_what_stacks_says(shown, pagetrail, run):
    sites = pagetrail("stacks", run, "--json").json()["sites"]
    expected = sorted([s["function"], str(s["pages_live"]), str(s["pages_peak"]), str(s["pages_total"])] for s in sites)
    assert sorted([row[0], row[3], row[4], row[5]] for row in rows(shown, "sites")) == expected


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_a_row_opens_to_its_stack_and_leads_to_the_flame_graph(shown, by_key):
    opener = "#sites tbody tr:first-child button.opener"
    if by_key:
        shown.focus(opener)
        shown.press("Enter")
    else:
        shown.click(opener)
    assert "sys_write" in text(shown, "#sites tr.detail") and "kernel/" in text(shown, "#sites tr.detail")
    if by_key:
        shown.focus("#sites tr.detail button")
        shown.press(" ")
    else:
        shown.click("#sites tr.detail button")
    assert shown.evaluate("document.activeElement.classList.contains('fr')")
    assert "lookup" in shown.evaluate("document.activeElement.ariaLabel")
    shown.click(opener)
    assert shown.evaluate("document.querySelectorAll('#sites tr.detail').length") == 0


def test_processes_and_tests_are_there(shown):
    assert {row[1] for row in rows(shown, "processes")} >= {"calmer"}
    names = [row[1] for row in rows(shown, "tests")]
    assert names == ["calm", "write-read"]
    assert rows(shown, "tests")[0][5] == "0"


# ---- flame graph ----

def test_frames_are_as_wide_as_their_pages(shown, pagetrail, run):
    drawn = frames(shown)
    assert all("10 pages, 100.0 %" in label for label in drawn.values())
    assert set(drawn) == {"all"} | {frame["function"] for frame in pagetrail("leaks", run, "--json").json()["groups"][0]["allocation"]}
    widths = shown.evaluate("[...document.querySelectorAll('.flame .fr')].map(f => f.getBoundingClientRect().width)")
    assert max(widths) > 1000


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_other_widths(shown, pagetrail, run, by_key):
    sites = pagetrail("stacks", run, "--json").json()["sites"]
    if by_key:
        choose(shown, "flame", "Leaked", by_key=True)
        shown.press("ArrowRight")  # from button to button of the choice
    else:
        choose(shown, "flame", "Live at the end")
    assert f"{sum(s['pages_live'] for s in sites)} pages, 100.0 %" in frames(shown)["all"]
    if by_key:
        shown.press("ArrowRight", 2)
    else:
        choose(shown, "flame", "Allocated (churn)")
    assert f"{sum(s['pages_total'] for s in sites)} pages, 100.0 %" in frames(shown)["all"]
    choose(shown, "flame", "At the peak")
    assert "20 pages" in frames(shown)["sys_write"], "the most that was ever held was held in the test calm"


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_zoom_and_back(shown, by_key):
    choose(shown, "flame", "Allocated (churn)")
    whole = frames(shown)
    target = "[...document.querySelectorAll('.flame .fr')].find(f => f.ariaLabel.startsWith('ext2_file_write:'))"
    width = f"{target}.getBoundingClientRect().width / document.querySelector('.flame').clientWidth"
    before = shown.evaluate(width)
    assert before < 0.9
    if by_key:
        shown.focus(".flame .fr[tabindex='0']")
        for _ in range(12):
            shown.press("ArrowDown")
            for _ in range(4):
                if shown.evaluate("document.activeElement.ariaLabel.startsWith('sys_write:')") and \
                        shown.evaluate("document.querySelectorAll('.flame .fr').length") and "ext2_file_write" in whole:
                    break
                shown.press("ArrowRight")
            if shown.evaluate("document.activeElement.ariaLabel.startsWith('ext2_file_write:')"):
                break
        shown.press("Enter")
    else:
        shown.evaluate(f"{target}.id = 'target'")
        shown.click("#target")
    assert shown.evaluate(width) > 0.99 and shown.evaluate("document.querySelectorAll('.flame .above').length") > 1
    if by_key:
        shown.press("Escape")
    else:
        shown.click("#flame .tools > button")
    assert frames(shown) == whole


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_search_in_the_flame_graph(shown, by_key):
    choose(shown, "flame", "Search functions", by_key)
    shown.type("lookup")
    assert "1 frame found: 100.0 % of the pages" in text(shown, "#flame .count")
    assert shown.evaluate("[...document.querySelectorAll('.flame .hit')].map(f => f.innerText)") == ["lookup"]
    assert shown.evaluate("document.querySelectorAll('.flame .miss').length") == len(frames(shown)) - 1


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_a_frame_leads_to_its_row(shown, by_key):
    if by_key:
        shown.focus(".flame .fr[tabindex='0']")
        shown.press("ArrowDown", 10)
        assert "lookup" in shown.evaluate("document.activeElement.ariaLabel")
        shown.focus(".about a")
        shown.press("Enter")
    else:
        shown.evaluate("[...document.querySelectorAll('.flame .fr')].pop().id = 'target'")
        shown.click("#target")
        shown.click(".about a")
    assert shown.evaluate("document.activeElement.closest('#sites tr').cells[0].innerText") == "lookup"
    assert len(rows(shown, "sites")) == 1
    shown.evaluate("[...document.querySelectorAll('#sites .tools button')].find(b => b.innerText.includes('show all')).click()")
    assert len(rows(shown, "sites")) > 1


def test_leaked_objects_have_a_column_and_a_width(browser, pagetrail, sites, write, tmp_path):
    kernel = Kernel(sites)
    records = fault_7(kernel, nr=4)
    kernel.machine.audit([{"verdict": "OBJ", "obj": record, "holder": (12, i)} for i, record in enumerate(records)])
    run = write(kernel.machine)
    nr = pagetrail("leaks", run, "--json").json()["objects"]
    pagetrail("report", run, "-o", tmp_path / "r.html")
    browser.load(tmp_path / "r.html")
    browser.until("document.documentElement.classList.contains('ready')")
    assert nr == 4 and f"{nr} objects, 100.0 %" in frames(browser)["record_alloc"]
    choose(browser, "sites", "Only leaked")
    leaked, = rows(browser, "sites")
    assert leaked[0] == "record_alloc" and leaked[2:4] == ["0", str(nr)]
    choose(browser, "processes", "Only leaked")
    assert [row[1] for row in rows(browser, "processes")] == ["writer"]
    assert browser.complaints() == []


# ---- time ----

def test_a_frame_leads_to_all_its_rows(shown):
    """Whatever the table was filtered by."""
    choose(shown, "sites", "Only leaked")
    choose(shown, "flame", "Allocated (churn)")
    said = int(re.search(r"its (\d+) rows", text(shown, "#flame .about"))[1])
    assert said > len(rows(shown, "sites"))
    shown.click("#flame .about a")
    assert len(rows(shown, "sites")) == said


@pytest.mark.parametrize("events", [0, 1, 2])
def test_a_run_of_next_to_nothing(browser, pagetrail, sites, write, tmp_path, events):
    """No time passes in it, and nothing is allocated: its views are empty, and no number is none."""
    kernel = Kernel(sites)
    machine = kernel.machine if events else tracegen.Machine(harts=1)
    if events == 2:
        machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write"))
    pagetrail("report", write(machine), "-o", tmp_path / "r.html")
    browser.resize(1440, 900)
    browser.load(tmp_path / "r.html")
    browser.until("document.documentElement.classList.contains('ready')")
    assert text(browser, "#sites .count") == ("1 of 1 row" if events == 2 else "0 of 0 rows")
    browser.point("#time .large", 0.5)
    browser.drag("#time .small", 0.3, 0.6)
    assert "NaN" not in browser.evaluate("document.querySelector('main').outerHTML + document.querySelector('nav').outerHTML")
    assert browser.complaints() == []


def chip(browser):
    return browser.evaluate("(() => { const chip = document.querySelector('.chip'); return chip.hidden ? '' : chip.innerText; })()")


def test_every_test_can_be_picked_from_the_list(shown):
    assert shown.evaluate("[...document.querySelector('#time select').options].map(o => o.text)") == ["the whole run", "test calm", "test write-read (10 leaked)"]
    shown.focus("#time select")
    shown.press("ArrowDown")
    assert "Selected: test calm" in chip(shown)
    assert [row[1] for row in rows(shown, "tests")] == ["calm"]
    assert [row[1] for row in rows(shown, "processes")] == ["calmer"]
    assert [[row[0], row[2], row[5], row[6]] for row in rows(shown, "sites")] == [["sys_write", "0", "20", "20"]]
    assert "Nothing in the selection" in text(shown, ".flame")
    choose(shown, "flame", "Allocated (churn)")
    assert "20 pages, 100.0 %" in frames(shown)["all"]
    choose(shown, "flame", "At the peak")
    assert "20 pages, 100.0 %" in frames(shown)["all"]
    choose(shown, "flame", "Live at the end")
    assert "Nothing in the selection" in text(shown, ".flame")
    shown.focus("#time select")
    shown.press("ArrowDown")
    assert "Selected: test write-read" in chip(shown)
    choose(shown, "flame", "Leaked")
    assert "10 pages, 100.0 %" in frames(shown)["all"]
    shown.press("Escape")
    shown.focus("#time select")
    shown.press("Escape")
    assert chip(shown) == "" and len(rows(shown, "tests")) == 2


def test_a_click_picks_a_test_and_a_row_does(shown):
    band = shown.evaluate("""(() => { const box = document.querySelector('.large-box').getBoundingClientRect();
        const test = document.querySelectorAll('.band-test')[0].getBoundingClientRect(); return (test.left + test.width / 2 - box.left) / box.width; })()""")
    shown.click(".large-box", band, 0.4)
    assert "Selected: test calm" in chip(shown)
    shown.click(".chip button")
    assert chip(shown) == ""
    shown.click("#tests tbody tr:nth-child(2) button")
    assert "Selected: test write-read" in chip(shown)


def test_dragging_zooms_and_zooms_out_again(shown):
    shown.drag(".large-box", 0.3, 0.6)
    begin, end = shown.evaluate("[...document.querySelectorAll('.handle')].map(h => Number(h.ariaValueNow))")
    whole = shown.evaluate("[Number(document.querySelector('.handle').ariaValueMin), Number(document.querySelector('.handle').ariaValueMax)]")
    assert whole[0] < begin < end < whole[1]
    shown.drag(".small-box", 0.1, 0.95)
    wider = shown.evaluate("[...document.querySelectorAll('.handle')].map(h => Number(h.ariaValueNow))")
    assert wider[0] < begin and wider[1] > end
    for _ in range(4):
        shown.click("#time .tools button:nth-of-type(1)")
    assert chip(shown) == ""


def test_handles_move_by_keys(shown):
    now = "[...document.querySelectorAll('.handle')].map(h => Number(h.ariaValueNow))"
    whole = shown.evaluate(now)
    shown.focus(".handle")
    shown.press("PageUp", 3)
    shown.press("ArrowLeft")
    begin, end = shown.evaluate(now)
    assert abs((begin - whole[0]) / (whole[1] - whole[0]) - 0.29) < 0.02 and end == whole[1]
    shown.press("Tab")
    shown.press("PageDown")
    assert abs((shown.evaluate(now)[1] - whole[0]) / (whole[1] - whole[0]) - 0.9) < 0.02
    shown.press("Escape")
    assert shown.evaluate(now) == whole


def test_hover_reads_the_curves(shown):
    shown.point(".large-box", 0.9, 0.4)
    assert "free;" in text(shown, "#time .readout") and "pagecache 1" in text(shown, "#time .readout")


# ---- the map ----

def leaked_place(browser):
    """Where in the pad a leaked life is, as parts of its width and height."""
    return browser.evaluate("""(() => { const rows = JSON.parse(document.getElementById('data').textContent).map;
        for (let row = 0; row < rows.rowCount; row++)
            for (let i = 0; i < rows.rows[row].length; i += 3)
                if (rows.lives[rows.rows[row][i + 2] * 11 + 10])
                    return [(rows.rows[row][i + 1] - 1.5) / rows.columns, 1 - (row + 0.5) / rows.rowCount];
        return null; })()""")


def test_hover_says_page_kind_holder_and_allocation(shown, pagetrail, run):
    items = pagetrail("leaks", run, "--json").json()["groups"][0]["items"]
    shown.point(".pad", *leaked_place(shown))
    said = text(shown, "#map .readout")
    assert any(f"page 0x{item['pfn']:x}" in said for item in items)
    for words in ("pagecache, leaked", "held by io of pid 7 (reader), page index", "allocated by lookup at", "to the end"):
        assert words in said, (words, said)


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_a_page_opens_to_its_life(shown, pagetrail, run, by_key):
    if by_key:
        shown.focus(".pad")
        assert "leaked" in text(shown, "#map .readout") or shown.press("End") is None
        shown.press("End")
        shown.press("Enter")
    else:
        shown.click(".pad", *leaked_place(shown))
    title = text(shown, "#life h3")
    page = title.split()[1].rstrip(":")
    assert shown.evaluate("document.activeElement === document.querySelector('#life h3')")
    said = pagetrail("page", run, page, "--last", "1", "--json").json()
    entries, first = said["entries"], said["entries"][0]["number"] - 1
    cells = shown.evaluate("[...document.querySelectorAll('#life tbody tr')].map(row => [...row.cells].map(cell => cell.innerText.trim()))")
    assert [[c[2], c[3]] for c in cells] == [[e["event"], f"{e['before']} \u2192 {e['after']}"] for e in entries]
    for cell, entry in zip(cells, entries):
        half = f"released by number {entry['released_by'] - first}" if "released_by" in entry else f"releases number {entry['releases'] - first}" if "releases" in entry else ""
        assert cell[6] == half or (not half and cell[6] == "never released")
        assert entry["function"] in cell[7]
    assert any(cell[6] == "never released" for cell in cells)
    assert "It leaked: finding 1" in text(shown, "#life")
    if by_key:
        shown.press("Escape")
    else:
        shown.click("#life button")
    assert shown.evaluate("document.getElementById('life').hidden && document.activeElement.classList.contains('pad')")


def test_arrow_keys_move_over_the_map(shown):
    shown.focus(".pad")
    shown.press("Home")
    first = text(shown, "#map .readout")
    shown.press("ArrowRight", shift=True)
    assert text(shown, "#map .readout").split(":")[0] > first.split(":")[0]
    page = lambda: re.search(r"pages? (0x\w+)", text(shown, "#map .readout")).group(1)
    below = page()
    shown.press("ArrowUp", 2)
    above = page()
    shown.press("ArrowDown", 2)
    assert int(above, 16) > int(below, 16) and page() == below


def test_the_selection_darkens_the_rest_of_the_map(shown):
    outside = "[...document.querySelectorAll('.outside')].map(o => o.getBoundingClientRect().width)"
    assert shown.evaluate(outside) == [0, 0]
    shown.focus("#time select")
    shown.press("ArrowDown", 2)
    before, after = shown.evaluate(outside)
    assert before > 100 and after >= 0


# ---- two runs ----

def test_tests_are_aligned_by_name(compared):
    by_name = {row[0]: row for row in rows(compared, "tests")}
    assert set(by_name) == {"calm", "gone", "write-read"}
    assert by_name["calm"][3:] == ["0", "0", "0"]
    assert by_name["gone"][2] == by_name["gone"][4] == "not run" and by_name["gone"][5] == "only in A"
    assert by_name["write-read"][3:] == ["not run", "10", "only in B"]
    choose(compared, "tests", "Only different")
    assert {row[0] for row in rows(compared, "tests")} == {"gone", "write-read"}


def marked(write, sites, name, tests):
    machine = Kernel(sites).machine
    for test in tests:
        machine.mark(test)
        machine.mark(test, end=True)
    machine.sample()
    machine.audit([])
    return write(machine, name)


@pytest.mark.parametrize("of_a, of_b, said, nr_rows", [
    ([], [], ["In A none is marked: a program that marks", "In B none is marked: a program"], 0),
    (["calm"], [], ["In B none is marked"], 1), ([], ["calm"], ["In A none is marked"], 1),
    (["calm", "deep"], ["wide"], ["A has 2 and B has 1, and no name is in both."], 3)])
def test_it_is_said_why_no_tests_are_compared(browser, pagetrail, sites, write, tmp_path, of_a, of_b, said, nr_rows):
    pagetrail("report", marked(write, sites, "a", of_a), marked(write, sites, "b", of_b), "-o", tmp_path / "c.html")
    browser.load(tmp_path / "c.html")
    browser.until("document.documentElement.classList.contains('ready')")
    told = text(browser, "#tests > p")
    assert told.startswith("No test of A is compared with one of B.") and all(part in told for part in said), told
    assert told.count(" none is marked") == (not of_a) + (not of_b) and len(rows(browser, "tests")) == nr_rows
    assert browser.complaints() == []


def test_a_comparison_of_tests_gives_no_reason_against_it(compared):
    assert compared.evaluate("document.querySelector('.why-not')") is None


def test_a_change_is_sorted_by_its_size_whatever_its_sign(compared):
    compared.click("#sites thead th:nth-child(11) button")
    changes = [int(row[10].replace(",", "")) for row in rows(compared, "sites")]
    assert min(changes) < 0 and [abs(change) for change in changes] == sorted(map(abs, changes), reverse=True)
    assert changes != sorted(changes, reverse=True)


def test_call_sites_say_what_differs(compared):
    first = rows(compared, "sites")[0]
    assert first[0] == "lookup" and first[2:5] == ["0", "10", "+10"]
    pipes, = [row for row in rows(compared, "sites") if row[0] == "sys_write"]
    assert pipes[8:] == ["31", "20", "-11"]
    compared.click("#sites tbody tr:first-child button.opener")
    assert "ext2_file_write" in text(compared, "#sites tr.detail")


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "keyboard"])
def test_flame_graph_of_the_difference(compared, by_key):
    assert "10 pages, 100.0 %, +10 in B" in frames(compared)["lookup"]
    choose(compared, "flame", "Allocated (churn)")
    drawn = frames(compared)
    assert "sys_write: 41 pages" in drawn["sys_write"] and "-1 in B" in drawn["sys_write"]
    assert "+10 in B" in drawn["lookup"] and compared.evaluate("document.querySelectorAll('.flame .shade-more').length") > 0
    if by_key:
        compared.focus(".flame .fr[tabindex='0']")
        compared.press("ArrowDown", 8)
    else:
        compared.evaluate("[...document.querySelectorAll('.flame .fr')].find(f => f.ariaLabel.startsWith('lookup')).id = 'target'")
        compared.click("#target")
    assert "its row in the table" in text(compared, ".about")
    if by_key:
        compared.focus(".about a")
        compared.press("Enter")
    else:
        compared.click(".about a")
    assert compared.evaluate("document.activeElement.closest('#sites tr') !== null")


def test_what_a_lossy_side_cannot_tell_is_no_number(compared, pagetrail, write, tmp_path):
    """The test calm may have leaked in what is missing of B; others may have run there."""
    machine = tracegen.Machine()
    machine.mark("calm")
    machine.streams[0].discard(5)
    machine.mark("calm", end=True)
    pagetrail("report", tmp_path / "before", write(machine, "lossy"), "-o", tmp_path / "l.html")
    compared.load(tmp_path / "l.html")
    compared.until("document.documentElement.classList.contains('ready')")
    by_name = {row[0]: row for row in rows(compared, "tests")}
    assert by_name["calm"][4:] == ["-", "-"] and by_name["calm"][3] == "0"
    assert by_name["gone"][2] == by_name["gone"][4] == "not recorded" and by_name["gone"][5] == "-"


def test_without_scripts_the_comparison_is_there(compared, tmp_path):
    compared.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        compared.load(tmp_path / "c.html")
        said = compared.evaluate("document.querySelector('main').innerText")
        assert all(words in said for words in ("The two runs", "write-read", "not run", "lookup", "Allocated, B"))
    finally:
        compared.call("Emulation.setScriptExecutionDisabled", value=False)
