# SPDX-License-Identifier: MIT
"""The browser of the tests ends with all that it started: its folder can be removed at once, whether it was closed, killed or hung."""
import os
import signal
import tempfile

import pytest
from browser import Browser


@pytest.mark.parametrize("how", ["closed", "killed", "stopped"])
def test_nothing_of_it_lives_on(how, monkeypatch):
    monkeypatch.setattr("browser.END_SECONDS", 20 if how == "closed" else 2)
    with tempfile.TemporaryDirectory() as home:
        with Browser(home) as browser:
            members = browser._group()
            assert browser.process.pid in members and len(members) > 2
            if how != "closed":
                os.kill(browser.process.pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        assert browser._group() == [] and browser.process.returncode is not None
        assert (browser.process.returncode == 0) == (how == "closed")
    assert not os.path.exists(home)
