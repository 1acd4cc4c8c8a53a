# SPDX-License-Identifier: MIT
"""Shared by every pytest folder below tests/: the harness package, and the end of temporary folders."""
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.has_passed = outcome.get_result().passed


@pytest.fixture(autouse=True)
def forget_what_passed(request):
    """A run of usertests leaves 100 MB: only what failed is kept for a look."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder and getattr(request.node, "has_passed", False):
        shutil.rmtree(folder, ignore_errors=True)
