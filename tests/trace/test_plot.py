"""The picture: made in both forms, with what it must say in the SVG's text; no trace is too small for it."""
import re
import struct

import pytest
import tracegen


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


@pytest.fixture
def picture(pagetrail, write):
    def picture(machine):
        run = write(machine)
        result = pagetrail("plot", run)
        assert result.status == 0, result.err
        width, height = struct.unpack(">II", (run / "free-pages.png").read_bytes()[16:24])
        assert (width, height) == (1600, 800)
        return (run / "free-pages.svg").read_text()
    return picture


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_tests_and_losses_are_labelled(picture):
    words = texts(picture(marked_machine()))
    assert {"good-test", "bad-test", "bad-test: 3 lost", "seconds since power-on", "free pages of 4 KiB"} <= set(words)
    assert any("2 tests, 3 pages lost" in w for w in words)
    assert not any(w.startswith("good-test:") for w in words)


def test_the_same_trace_gives_the_same_picture(pagetrail, write):
    run = write(marked_machine())
    pictures = []
    for name in ("a", "b"):
        assert pagetrail("plot", run, "--out", run / name).status == 0
        pictures.append((run / f"{name}.svg").read_bytes() + (run / f"{name}.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_empty_trace(picture):
    machine = tracegen.Machine()
    machine.mark("alone")
    assert "no page was allocated or freed in this trace" in texts(picture(machine))


def test_one_event_and_no_sample(picture):
    machine = tracegen.Machine()
    machine.alloc("ANON", "PTE", (1, 0))
    assert "pages freed minus pages taken" in texts(picture(machine))


def test_without_matplotlib_it_says_so(pagetrail, write):
    result = pagetrail("plot", write(marked_machine()), env={"PAGETRAIL_PYTHON": "/nonexistent"})
    assert result.status == 2
