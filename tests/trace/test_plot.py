# SPDX-License-Identifier: MIT
"""The pictures: made in both forms, with what they must say in the SVG's text; no trace is too small for them."""
import json
import re
import struct

import golden
import pytest
import tracegen
from harness.tool import CANNOT_TELL
from harness import paths
from test_leaks import Kernel, fault_5

PICTURES = {"free": "free-pages", "kinds": "kinds", "map": "page-map", "lifetimes": "lifetimes"}


def marked_machine():
    machine = tracegen.Machine()
    machine.step = 20000
    machine.sample()
    for name, lose in (("good-test", 0), ("bad-test", 3)):
        machine.mark(name)
        pages = [machine.alloc("ANON", "PTE", (7, i)) for i in range(200)]
        for i, page in enumerate(pages[lose:]):
            machine.put(page, "PTE", (7, i + lose))
        machine.mark(name, end=True)
        machine.sample()
        machine.audit()
    return machine


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def words_of(path):
    """Checks the PNG's size and returns the SVG's words."""
    assert struct.unpack(">II", path.with_suffix(".png").read_bytes()[16:24]) == (1600, 800)
    return texts(path.with_suffix(".svg").read_text())


@pytest.fixture
def picture(pagetrail, write):
    def picture(machine, what="free"):
        run = write(machine, what)
        result = pagetrail("plot", run, "--what", what)
        assert result.status == 0, result.err
        return words_of(run / PICTURES[what])
    return picture


def test_tests_and_losses_are_labelled(picture):
    words = picture(marked_machine())
    assert {"good-test", "bad-test", "bad-test: 3 leaked", "seconds since power-on", "free pages of 4 KiB"} <= set(words)
    assert any("2 tests, 3 pages leaked" in w for w in words)
    assert not any(w.startswith("good-test:") for w in words)


def test_kinds_lie_on_one_another(picture):
    machine = tracegen.Machine()
    pages = [machine.alloc("ANON", "PTE", (7, i)) for i in range(40)]
    for page in pages[:30]:
        machine.put(page, "PTE", (7, pages.index(page)))
    for i in range(25):
        machine.alloc("PAGECACHE", "CACHE", (12, i))
    words = picture(machine, "kinds")
    assert {"anon, at most 40", "pagecache, at most 25"} <= set(words)
    assert not any(w.startswith(("pagetable", "image", "free,")) for w in words)


def test_map_shows_what_was_lost(picture, sites):
    kernel = Kernel(sites)
    fault_5(kernel)
    kernel.machine.free_pfns.reverse()
    kernel.machine.alloc("ANON", "PTE", (9, 0))
    kernel.machine.audit([])
    words = picture(kernel.machine, "map")
    assert {"leaked: 10 pages", "pagecache", "anon", "0x80200000"} <= set(words)
    assert any(w.endswith(" MiB never used") for w in words), words


def test_pages_of_a_watched_kernel_have_no_kind(pagetrail, tmp_path):
    golden.unpack(tmp_path)
    for what, words in (("map", "in use"), ("lifetimes", "in use"), ("kinds", "in use, at most 8,166")):
        assert pagetrail("plot", tmp_path / "cow", "--what", what, "--out", tmp_path / what).status == 0
        said = words_of(tmp_path / what)
        assert words in said and not any(w.startswith("kernel") for w in said), said


def test_lifetimes_by_kind_and_by_function(picture, sites):
    kernel = Kernel(sites)
    fault_5(kernel)
    words = picture(kernel.machine, "lifetimes")
    assert {"pagecache", "lookup", "ended", "live"} <= set(words) and {"1 µs", "10 µs"} & set(words)


def test_runs_over_one_another(pagetrail, write, tmp_path):
    runs = [write(marked_machine(), name) for name in ("one", "two", "three")]
    result = pagetrail("plot", *runs, "--out", tmp_path / "all", "--json")
    assert result.status == 0 and [f.rsplit("/", 1)[1] for f in result.json()["files"]] == ["all.png", "all.svg"]
    words = words_of(tmp_path / "all")
    assert {"one", "two", "three", "3 runs compared", "pages leaked", "bad-test"} <= set(words)
    assert "good-test" not in words and words.count("3") >= 3
    assert pagetrail("plot", *runs, "--what", "map").status == 2
    assert pagetrail("plot", runs[0], "--what", "nonsense").status == 2


def test_watched_runs_are_not_said_to_leak_by_their_tests(pagetrail, tmp_path):
    """What is not free again after a test of such a run is fewer free pages; whether it leaked says the verdict of the run."""
    golden.unpack(tmp_path)
    assert pagetrail("plot", tmp_path / "cow", tmp_path / "cow", "--out", tmp_path / "p").status in (0, CANNOT_TELL)
    words = words_of(tmp_path / "p")
    title, = [w for w in words if w.startswith("2 runs compared; ")]
    assert title.count("leaked") == 2
    assert "pages leaked" not in words and "no test of any run leaked a page" not in words


def test_what_is_said_of_tests_of_watched_runs(monkeypatch):
    monkeypatch.syspath_prepend(str(paths.BUILD / "trace-tools/plots"))
    from types import SimpleNamespace
    from compare import says_leaked
    own, watched = SimpleNamespace(watched=False), SimpleNamespace(watched=True)
    assert says_leaked([own, own]) and not says_leaked([watched, watched]) and not says_leaked([own, watched])


def slower(machine, times):
    """The same events, each so many times as late."""
    for stream in machine.streams:
        for packet in stream.packets:
            packet[:] = [struct.pack("<Q", struct.unpack_from("<Q", r)[0] * times) + r[8:] for r in packet]
    return machine


def curves_of(svg):
    """The x of each point of the first two runs' curves."""
    return [[float(n) for n in re.findall(r"[ML] (-?[\d.]+)", d)] for d in re.findall(r'<path d="([^"]+)" clip-path[^>]*stroke-width: 2', svg)]


def test_tests_of_slower_runs_are_drawn_where_they_are_in_the_first(pagetrail, write, tmp_path):
    runs = [write(marked_machine(), "first"), write(slower(marked_machine(), 3), "slow")]
    assert pagetrail("plot", *runs, "--out", tmp_path / "p").status == 0
    assert any("since the first test began in first" in w for w in words_of(tmp_path / "p"))
    curves = curves_of((tmp_path / "p.svg").read_text())
    assert len(curves) == 2 and len(curves[0]) > 100
    # both runs end together: three times the time for the tests, drawn in the same
    assert abs(curves[0][-1] - curves[1][-1]) < 1


def machine_of_tests(*names):
    """A machine on which each test allocates 40 pages and frees them, but the third is one that leaks two."""
    machine = tracegen.Machine()
    machine.step = 20000
    machine.sample()
    for name in names:
        machine.mark(name)
        pages = [machine.alloc("ANON", "PTE", (7, i)) for i in range(40)]
        for i, page in enumerate(pages[2 if name == "leaky" else 0:]):
            machine.put(page, "PTE", (7, i + (2 if name == "leaky" else 0)))
        machine.mark(name, end=True)
        machine.audit()
    return machine


def test_runs_of_more_and_fewer_tests_are_aligned(pagetrail, write, tmp_path):
    """One run has other tests in another order, and stopped early; what they have in common lies over one another."""
    runs = [write(machine_of_tests("one", "two", "leaky", "four"), "whole"),
            write(slower(machine_of_tests("two", "one", "extra", "leaky"), 2), "other")]
    assert pagetrail("plot", *runs, "--out", tmp_path / "p").status == 0
    assert {"leaky", "pages leaked"} <= set(words_of(tmp_path / "p"))
    whole, other = curves_of((tmp_path / "p.svg").read_text())
    # the end of `leaky`: three quarters of the first run, all of the second
    last = whole[0] + (whole[-1] - whole[0]) * 3 / 4
    assert abs(other[-1] - last) < (whole[-1] - whole[0]) / 50 and other[-1] < whole[-1] - 50


def test_the_longest_sequence_of_tests_that_runs_share(monkeypatch):
    monkeypatch.syspath_prepend(str(paths.BUILD / "trace-tools/plots"))
    from compare import longest_common
    assert longest_common(list("abcd"), list("abcd")) == list("abcd")
    assert longest_common(list("abcd"), list("axbd")) == list("abd")
    assert longest_common(list("ab"), list("ba")) in (["a"], ["b"])
    assert longest_common(["a", "b", "a#2"], ["a", "a#2"]) == ["a", "a#2"] and longest_common([], ["a"]) == []


def test_same_names_are_told_apart(pagetrail, write, tmp_path):
    runs = [write(tracegen.Machine(), f"{name}/run") for name in ("a", "b")]
    assert pagetrail("plot", *runs, "--out", tmp_path / "x").status == 0
    assert {str(r) for r in runs} <= set(words_of(tmp_path / "x")) or \
        "no page was allocated or freed in these traces" in words_of(tmp_path / "x")


@pytest.mark.parametrize("what", PICTURES)
def test_the_same_trace_gives_the_same_picture(pagetrail, write, what):
    run = write(marked_machine())
    pictures = []
    for name in ("a", "b"):
        assert pagetrail("plot", run, "--what", what, "--out", run / name).status == 0
        pictures.append((run / f"{name}.svg").read_bytes() + (run / f"{name}.png").read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("what", PICTURES)
def test_empty_trace(picture, what):
    machine = tracegen.Machine()
    machine.mark("alone")
    assert any(w.startswith("no page was allocated") for w in picture(machine, what))


@pytest.mark.parametrize("what", PICTURES)
def test_one_event_and_no_sample(picture, what):
    machine = tracegen.Machine()
    machine.alloc("ANON", "PTE", (1, 0))
    assert {"free": "pages freed minus pages allocated", "kinds": "anon, at most 1", "map": "anon", "lifetimes": "anon"}[what] \
        in picture(machine, what)


def test_all_at_once_and_what_was_written(pagetrail, write):
    run = write(marked_machine())
    result = pagetrail("plot", run, "--what", "all", "--json")
    said = json.loads(result.out)
    assert result.status == 0 and said["verdict"] == "drawn"
    assert {f"{run}/{name}.{kind}" for name in PICTURES.values() for kind in ("png", "svg")} == set(said["files"])


def test_damage_is_left_out_as_the_other_commands_do(pagetrail, write, monkeypatch):
    """A packet with no header, and records that cannot be: unknown, too late, too early, of no RAM."""
    run = write(marked_machine())
    file, packet = run / "trace/hart0", 4096
    data = bytearray(file.read_bytes())
    struct.pack_into("<I", data, packet, 0)
    for number, (offset, form, value) in enumerate([(8, "<H", 9999), (0, "<Q", 1 << 62), (0, "<Q", 1), (16, "<I", 0xffffffff)]):
        at = (2 + number) * packet + 64 + 10 * 32
        assert struct.unpack_from("<H", data, at + 8)[0] <= 5, "a page event"
        struct.pack_into(form, data, at + offset, value)
    file.write_bytes(bytes(data))
    monkeypatch.syspath_prepend(str(paths.BUILD / "trace-tools/plots"))
    from pagetrail_trace import Trace
    # The page of no RAM is counted there, as an event.
    assert Trace(run).nr_events == pagetrail("summary", run, "--json").json()["events"] - 1
    result = pagetrail("plot", run, "--what", "all")
    assert result.status == CANNOT_TELL and "DAMAGE: " in result.err and "Traceback" not in result.err
    assert (run / "free-pages.png").exists(), "what can be read is drawn"


@pytest.mark.parametrize("name", ["alone", "beside another"])
def test_a_bad_record_is_no_success(pagetrail, write, tmp_path, name):
    """Packets alone do not show it, only all records do."""
    run = write(marked_machine(), "bad")
    file = run / "trace/hart0"
    data = bytearray(file.read_bytes())
    struct.pack_into("<H", data, 64 + 10 * 32 + 8, 9999)
    file.write_bytes(bytes(data))
    runs = [run] if name == "alone" else [write(marked_machine(), "good"), run]
    result = pagetrail("plot", *runs, "--out", tmp_path / "p", "--json")
    assert result.status == CANNOT_TELL and "DAMAGE: " in result.err and result.json()["verdict"] == "cannot tell"
    assert (tmp_path / "p.png").exists()


def test_lost_events_are_drawn_and_no_success(pagetrail, write):
    machine = marked_machine()
    machine.streams[0].discard(2)
    result = pagetrail("plot", write(machine), "--json")
    assert result.status == CANNOT_TELL and "LOSS: 2 events" in result.err
    assert result.json()["verdict"] == "cannot tell" and len(result.json()["files"]) == 2


def test_without_matplotlib_it_says_so(pagetrail, write):
    result = pagetrail("plot", write(marked_machine()), env={"PAGETRAIL_PYTHON": "/nonexistent"})
    assert result.status == 2
