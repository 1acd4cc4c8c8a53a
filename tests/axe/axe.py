#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make axe`: axe-core (npm) looks at the HTML report for what keeps people out: contrast, names, roles, keyboard.

The report of a recorded run that leaked, and two runs compared, are opened in Debian's chromium, light and dark, narrow and wide, with all
that is folded open, a span picked and a page's life shown. What axe-core calls serious or critical fails; the rest is printed.

Usage: axe.py AXE.min.js
"""
import json
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "trace")]
from harness import paths  # noqa: E402 (the paths above and below)

sys.path.insert(0, str(paths.BUILD / "trace-tools"))
import golden  # noqa: E402
from browser import Browser  # noqa: E402
from harness.tool import pagetrail  # noqa: E402

OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true; })"
# What a reader may have done; each on top of the one before.
STATES = [("as it opens", None), ("all open", OPEN_ALL),
          ("a row open", "document.querySelector('#sites button.opener').click()"),
          ("a page's life", "(() => { const pad = document.querySelector('.pad'); if (pad) { pad.focus(); "
           "pad.dispatchEvent(new KeyboardEvent('keydown', {key: 'End', bubbles: true})); "
           "pad.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true})); } })()"),
          ("a search", "(() => { const box = document.querySelector('#flame input[type=search]'); box.value = 'a'; "
           "box.dispatchEvent(new Event('input')); })()"),
          ("a test picked", "(() => { const list = document.querySelector('#time select'); if (list) { list.selectedIndex = 1; "
           "list.dispatchEvent(new Event('change')); } })()")]
GRAVE = ("serious", "critical")


def look(browser, axe, what):
    """Prints what axe-core finds now; how much of it is grave."""
    browser.evaluate(axe)
    found = json.loads(browser.evaluate("axe.run(document).then(result => JSON.stringify(result.violations))", promise=True))
    for one in found:
        print(f"{what}: {one['impact']}: {one['id']}: {one['help']}: {len(one['nodes'])} places")
        for node in one["nodes"][:3]:
            print(f"    {node['html'][:160]}\n    {node.get('failureSummary', '')[:240]}")
    return sum(one["impact"] in GRAVE for one in found)


def main():
    axe = Path(sys.argv[1]).read_text()
    grave = looked = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        golden.unpack(folder)
        for name, words in (("run", [folder / "fault-05"]), ("compared", [folder / "clean", folder / "fault-05"])):
            pagetrail("report", *words, "-o", folder / f"{name}.html")
        home = folder / "home"
        home.mkdir()
        with Browser(home) as browser:
            for name in ("run", "compared"):
                for width, dark in ((1440, False), (1440, True), (360, False), (360, True)):
                    browser.resize(width, 900)
                    browser.dark(dark)
                    browser.load(folder / f"{name}.html")
                    browser.until("document.documentElement.classList.contains('ready')")
                    for state, change in STATES:
                        if change:
                            browser.evaluate(change)
                        grave += look(browser, axe, f"{name}, {width} px, {'dark' if dark else 'light'}, {state}")
                        looked += 1
    print(f"axe: {looked} views, {grave} serious or critical")
    return 1 if grave else 0


if __name__ == "__main__":
    sys.exit(main())
