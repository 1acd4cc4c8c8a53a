#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the HTML report of the demo's run costs its reader: bytes, and the milliseconds until chromium paints and has its views.

The run is that of `make demo` (usertests on four harts), recorded here unless a run folder is named. Times are the least of several, as a
busy machine can only add to them. Fails above 5 MB, or above a second to the first paint. docs/PERFORMANCE.md keeps the figures.

Usage: bench_report.py [RUN]
"""
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "trace")]
from browser import Browser  # noqa: E402 (the path above)
from harness.tool import pagetrail, run_command  # noqa: E402

REPEAT = 7
BYTES_MAX, PAINT_MAX_MS = 5_000_000, 1000
PAINTED = "performance.getEntriesByName('first-contentful-paint').length > 0"


def opened(browser, page):
    """(milliseconds to the first paint, to the views) of one time that the page is opened."""
    browser.load(page)
    browser.until(f"{PAINTED} && document.documentElement.classList.contains('ready')")
    return browser.evaluate("[performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.getEntriesByName('views')[0].startTime]")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "run"
        if len(sys.argv) == 1:
            pagetrail(*run_command(run, "usertests", limit=600, options=("--smp", "4", "--mem", "128M", "--quiet")), timeout=700)
        page = folder / "report.html"
        events = pagetrail("summary", run, "--json").json()["events"]
        pagetrail("report", run, "-o", page)
        size = page.stat().st_size
        home = folder / "home"
        home.mkdir()
        with Browser(home) as browser:
            paint, views = (min(times) for times in zip(*(opened(browser, page) for _ in range(REPEAT))))
    print(f"report of {events} events   {size / 1e6:8.2f} MB, first paint {paint:6.0f} ms, views {views:6.0f} ms")
    return 1 if size > BYTES_MAX or paint > PAINT_MAX_MS else 0


if __name__ == "__main__":
    sys.exit(main())
