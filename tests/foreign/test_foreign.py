# SPDX-License-Identifier: MIT
"""The foreign kernels by themselves: clean ones pass their tests on 1, 2 and 4 harts, and mistakes do what they say.

What they print here is the truth that test_foreign_watch.py compares with what is found from outside.
"""
import re

import kernels
import pytest

VARIANTS = [variant.name for variant in kernels.variants()]
TESTS = {
    "small": set("fork copy sbrk exec pipe pipelimits mmap mmapfork faults kill many oom parallel orphan".split()),
    "higher": set("buddy buffer references slab store mailbox space clone empty memory parallel".split()),
}


def check_clean(name, console):
    assert console.tests() == dict.fromkeys(TESTS[name.split("-")[0]], True), console.text[-2000:]
    before, after = console.free_pages()
    assert before == after
    assert "ALL TESTS PASSED" in console.text and "panic" not in console.text
    assert not console.truths()


@pytest.mark.parametrize("smp", [1, 2, 4])
@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "small-prompt"])
def test_clean(name, smp):
    console = kernels.run(name, smp)
    check_clean(name, console)
    assert console.status == 0


def test_prompt():
    console = kernels.run("small-prompt", 2, typed="usertests copy\nnonsense\nusertests\nquit\n")
    check_clean("small-prompt", console)
    assert console.text.count("test copy: OK") == 2
    assert "unknown command: nonsense" in console.text
    assert console.status == 0


@pytest.mark.parametrize("mistake", kernels.mistakes(), ids=lambda mistake: mistake.name)
def test_mistake(mistake):
    console = kernels.run(mistake.name, 2)
    truths = console.truths()
    assert truths, "the mistake does not show:\n" + console.text[-2000:]
    assert {(truth.what, truth.function) for truth in truths} == {(mistake.what, mistake.function)}
    before, after = console.free_pages()
    if mistake.lost == "+":
        assert before - after == len({truth.address for truth in console.truths(during_tests=True)}) > 0
    else:
        assert before - after == int(mistake.lost)
    assert ("lost some free pages" in console.text) == (before > after)
    assert "panic" not in console.text


def test_every_mistake_of_the_sources_is_in_the_table():
    planted = {(folder, name) for folder in TESTS for source in (kernels.FOLDER / folder).glob("*.c")
               for name in re.findall(r"MISTAKEN\((\w+)\)", source.read_text())}
    assert planted == {(mistake.variant.split("-")[0], mistake.mistake) for mistake in kernels.mistakes()}
