"""plot.py PAGETRAIL PICTURE OUT RUN...: draws one picture as OUT.png and OUT.svg.

PICTURE is free, kinds, map, lifetimes or compare; PAGETRAIL the program, which is asked what was lost (map) and for the
names of call sites (lifetimes). Only compare takes several runs.
"""
import json
import subprocess
import sys

import compare
import free_pages
import kinds
import lifetimes
import page_map
from pagetrail_trace import Trace, tables


def ask(pagetrail, *words):
    """What the program says as JSON; nothing when it cannot tell."""
    done = subprocess.run([pagetrail, *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {}


def lost_pages(pagetrail, run):
    items = [item for group in ask(pagetrail, "leaks", run).get("groups", []) for item in group["items"]]
    return [(item["pfn"], round(item["taken"] * tables.TIME_HZ)) for item in items if "pfn" in item]


def site_names(pagetrail, run):
    return {site["stack"]: site["function"] for site in ask(pagetrail, "stacks", run).get("sites", [])}


def main():
    if len(sys.argv) < 5 or sys.argv[2] not in ("free", "kinds", "map", "lifetimes", "compare"):
        raise SystemExit(__doc__)
    pagetrail, picture, out, runs = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    if picture == "compare":
        compare.draw([Trace(run) for run in runs], out)
        return
    trace = Trace(runs[0])
    if picture == "free":
        free_pages.draw(trace, out)
    elif picture == "kinds":
        kinds.draw(trace, out)
    elif picture == "map":
        page_map.draw(trace, out, lost_pages(pagetrail, runs[0]))
    else:
        lifetimes.draw(trace, out, site_names(pagetrail, runs[0]))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        raise SystemExit(f"plot: {error.filename}: {error.strerror}") from None
