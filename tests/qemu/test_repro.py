# SPDX-License-Identifier: MIT
"""`make repro` counts what ends well, and says of the rest what was wrong: see tests/repro.py."""
import dataclasses

import pytest

import repro

BY_NUMBER = {known.what[0]: known for known in repro.REPROS}


@pytest.mark.parametrize("number", ["4", "5", "6"])
def test_clean(tmp_path, number):
    assert repro.repeat(BY_NUMBER[number], tmp_path, 1) == (1, 1)


@pytest.mark.parametrize("change, words", [
    ({"status": 8}, "status 7, not 8"), ({"prints": "never printed"}, "did not print"), ({"never": "harts"}, "printed 'harts'"),
])
def test_what_is_wrong_is_seen(tmp_path, capsys, change, words):
    assert repro.repeat(dataclasses.replace(BY_NUMBER["6"], **change), tmp_path, 1) == (0, 1)
    assert words in capsys.readouterr().out
