# SPDX-License-Identifier: MIT
"""plot.py PAGETRAIL PICTURE=OUT... RUN...: draws each picture as OUT.png and OUT.svg.

PICTURE is free, kinds, map, lifetimes or compare; PAGETRAIL the program, which is asked what was leaked (map) and for the
names of call sites (lifetimes). Only compare takes several runs. The trace is read once for all pictures.
"""
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time

import compare
import free_pages
import kinds
import lifetimes
import page_map
from pagetrail_trace import Trace, tables


PICTURES = ("free", "kinds", "map", "lifetimes", "compare")


def ask(pagetrail, *words):
    """What the program says as JSON; nothing when it cannot tell."""
    done = subprocess.run([pagetrail, *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {}


def leaked_pages(pagetrail, run):
    items = [item for group in ask(pagetrail, "leaks", run).get("groups", []) for item in group["items"]]
    return [(item["pfn"], round(item["acquired"] * tables.TIME_HZ)) for item in items if "pfn" in item]


def site_names(pagetrail, run):
    return {site["stack"]: site["function"] for site in ask(pagetrail, "stacks", run).get("sites", [])}


class Progress:
    """One line that is written over, as trace-tools/base/progress.h says; to be used as a context, which erases it."""

    def __init__(self):
        wanted = os.environ.get("PAGETRAIL_PROGRESS", "1")
        self.wanted = sys.stderr.isatty() and wanted != "off"
        self.begin, self.shown = time.monotonic() + (float(wanted) if re.fullmatch(r"[\d.]+", wanted) else 0), False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, text):
        if self.wanted and time.monotonic() >= self.begin:
            print(f"\rplot: {text}\x1b[K", end="", file=sys.stderr, flush=True)
            self.shown = True


TRACES = []  # of the runs; set before the drawing processes are forked


def draw(pagetrail, picture, out):
    """One picture of the first run, in a process of its own."""
    trace = TRACES[0]
    if picture == "free":
        free_pages.draw(trace, out, ask(pagetrail, "leaks", trace.folder) if trace.watched else {})
    elif picture == "kinds":
        kinds.draw(trace, out)
    elif picture == "map":
        page_map.draw(trace, out, leaked_pages(pagetrail, trace.folder))
    else:
        lifetimes.draw(trace, out, site_names(pagetrail, trace.folder))


def draw_all(pagetrail, pictures, progress):
    """The pictures of one run, in as many processes as there are processors; forked, so that the trace is shared."""
    TRACES[0].moves()  # what several pictures need is worked out once, before the processes part
    with multiprocessing.get_context("fork").Pool(min(len(pictures), multiprocessing.cpu_count())) as pool:
        waiting = [pool.apply_async(draw, (pagetrail, picture, out)) for picture, out in pictures]
        for nr, done in enumerate(waiting, 1):
            done.get()
            progress.show(f"drew {nr} of {len(pictures)} pictures")


def main():
    pictures = [word.split("=", 1) for word in sys.argv[2:] if word.split("=", 1)[0] in PICTURES and "=" in word]
    runs = sys.argv[2 + len(pictures):]
    if not pictures or not runs:
        raise SystemExit(__doc__)
    with Progress() as progress:
        progress.show("reading the trace")
        TRACES[:] = [Trace(run) for run in runs]
        progress.show("drawing")
        if pictures[0][0] == "compare":
            compare.draw(TRACES, pictures[0][1], [ask(sys.argv[1], "leaks", t.folder) if t.watched else {} for t in TRACES])
        else:
            draw_all(sys.argv[1], pictures, progress)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        raise SystemExit(f"plot: {error.filename}: {error.strerror}") from None
