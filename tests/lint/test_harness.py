# SPDX-License-Identifier: MIT
"""What the tests themselves stand on: a console that comes in pieces."""
import re

import pytest
from harness.machine import PROMPT, may_grow


@pytest.mark.parametrize("pattern, console, grows", [
    (r"about page (0x\w+)", "about page 0x8", True),
    (r"about page (0x\w+)", "about page 0x804f2\n", False),
    (r"(\d+) passed", "12 passed", False),
    (r"(?m)status (\d+)$", "status 1", True),
    (r"(?m)^tot= \d+", "tot= 4", True),
    (PROMPT, "init\n$ ", False),
])
def test_a_match_that_is_cut_is_waited_for(pattern, console, grows):
    assert may_grow(pattern, re.search(pattern, console), console) == grows
