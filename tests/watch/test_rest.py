# SPDX-License-Identifier: MIT
"""A machine that is told to end comes to rest first: trace-tools/plugin/rest.c in a process of our own (rest.c)."""
import subprocess

import pytest
from harness import paths


@pytest.fixture(scope="module")
def rest(tmp_path_factory):
    path = tmp_path_factory.mktemp("rest") / "rest"
    sources = [paths.ROOT / "tests/watch/rest.c", paths.ROOT / "trace-tools/plugin/rest.c"]
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-I", paths.ROOT / "trace-tools", "-o", path, *sources, "-pthread"], check=True)

    def run(milliseconds, signals=1):
        done = subprocess.run([path, str(milliseconds), str(signals)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        state, computed = done.stdout.rsplit(None, 1)
        return state, int(computed)

    return run


@pytest.mark.parametrize("milliseconds", [1, 20, 50])
def test_what_ends_soon_is_awaited(rest, milliseconds):
    assert rest(milliseconds)[0] == "at rest"


def test_what_goes_on_is_not_awaited_for_ever(rest):
    state, computed = rest(0)
    assert state == "running" and computed < 1000  # a fifth of a second; less where the two seconds of our clock were over


def test_the_second_signal_is_passed_on_at_once(rest):
    state, computed = rest(0, signals=2)
    assert state == "running" and computed < 100
