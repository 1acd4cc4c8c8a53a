#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make fault-table`: which function the tools name for each fault of the catalogue, beside the one in which the mistake is.

Each faulty kernel runs its workload twice, and three questions are asked:

    leaks   `pagetrail leaks --baseline` of the run that `make faults` makes, with its harts: what the first group names; without groups, whom
            what the run ended in leads to
    why     `pagetrail why` alone, of a run that can be repeated (--icount, one hart): the first that it blames
    both    `pagetrail leaks --why --baseline` of that second run: the one verdict (as JSON: `leaks`, which takes what `why` left there). Where
            that run shows nothing (a mistake that takes two harts), that of the first run

The truth is `mistake` in fault.json, which a test compares with the patch. What the answers are called is the mutants' business (judge.py):
exact, near, wrong, none.

    make fault-table                 all of them; the table into BUILD/fault-table/table.md
    make fault-table ONLY=05,07      these
    make fault-table JUDGE=1         what was recorded does not run: it is asked again, by the tools as they are now

The table between the marks in docs/FAULTS.md is written anew when all are asked. Status 1: `both` names another than fault.json says.
"""
import argparse
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "mutants")]
from harness import baselines, faults, paths  # noqa: E402 (the path above)
from harness.tool import pagetrail, pagetrail_json, run_command  # noqa: E402

import csource  # noqa: E402
import judge  # noqa: E402
import why  # noqa: E402

OUT = paths.BUILD / "fault-table"
DOCUMENT = paths.ROOT / "docs/FAULTS.md"
BEGIN, END = "<!-- made by make fault-table -->\n", "<!-- end -->\n"
CLASSES = ("exact", "near", "wrong", "none")
LIMIT = 120
VIEWS = ("leaks", "why", "both")


def compare(fault):
    """The words that compare with the healthy kernel under the fault's workload."""
    return ["--baseline", baselines.kept(fault.run, fault.smp, fault.mem, fault.append)]


def run_options(fault, again=False):
    """Of `pagetrail run`: the fault's machine, or one that can be repeated."""
    shape = ["--icount", "--smp", "1"] if again else ["--smp", str(fault.smp)]
    return [*shape, "--mem", fault.mem, "--quiet", *(["--append", fault.append] if fault.append else [])]


def record(fault, kernel, run, again=False):
    """Runs the fault's workload into a folder."""
    shutil.rmtree(run, ignore_errors=True)
    done = pagetrail(*run_command(run, fault.run, kernel=kernel, options=run_options(fault, again), limit=LIMIT))
    if not (run / "run.json").exists():
        raise RuntimeError(f"{fault.name}: {done.err}")


def nearness(fault, suspect, entry, graph):
    """The best of what it is to the functions of the mistake."""
    found = [judge.nearness(suspect, truth, entry or {}, graph) for truth in fault.mistakes] or ["wrong" if suspect else "none"]
    return min(found, key=CLASSES.index)


def view_of_leaks(fault, answer, graph):
    """Function, confidence, rule and class of an answer of `leaks`."""
    entry, named = judge.first_entry(answer)
    suspect, _, confidence, rule = judge.suspect_of(named)
    return {"suspect": suspect, "confidence": confidence if suspect else "", "rule": rule if suspect else "",
            "class": nearness(fault, suspect, entry, graph)}


def view_of_why(fault, run, graph):
    """The same of `why` alone; "-" where it has nothing to look at."""
    done = pagetrail("why", run, "--json", timeout=4 * LIMIT)
    groups = done.json()["groups"] if done.out else []
    suspect, _ = why.blamed({"groups": groups})
    return {"suspect": suspect, "confidence": "", "class": nearness(fault, suspect, None, graph) if groups else "-"}


def shows(answer, run):
    """Whether a run shows the fault at all."""
    return judge.first_entry(answer)[1] is not None or json.loads((run / "run.json").read_text())["guest_status"] != 0


def ask(fault, folder, graph):
    """The three answers."""
    first, again = folder / "run", folder / "again"
    leaks = pagetrail_json("leaks", first, *compare(fault))
    (folder / "leaks.json").write_text(json.dumps(leaks, indent=1))
    views = {"leaks": view_of_leaks(fault, leaks, graph), "why": view_of_why(fault, again, graph)}
    both = pagetrail_json("leaks", again, *compare(fault))
    (folder / "both.json").write_text(json.dumps(both, indent=1))
    return {**views, "both": view_of_leaks(fault, both, graph) if shows(both, again) else views["leaks"]}


def not_built(fault):
    """The answers for a kernel that the compiler refuses."""
    try:
        fault.build()
    except RuntimeError:
        return {view: {"suspect": "", "confidence": "", "class": "-"} for view in VIEWS}
    raise RuntimeError(f"{fault.name} builds")


def row_of(name, judge_only, graph):
    """One fault: run, if that is asked for, and judged."""
    fault, folder = faults.find(name), OUT / name
    if "build_fails" in fault.expect:
        return fault, not_built(fault)
    if not judge_only or not (folder / "again/run.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        kernel = fault.build()
        for run, again in (("run", False), ("again", True)):
            record(fault, kernel, folder / run, again)
    return fault, ask(fault, folder, graph)


def cell(view):
    """One answer, in words."""
    if view["class"] == "-":
        return "-"
    name = f"`{view['suspect']}`" if view["suspect"] else "nobody"
    return name + (f", {view['confidence']}" if view["confidence"] else "")


def as_stated(fault, views):
    """Whether the one verdict is what fault.json says of it."""
    return (views["both"]["suspect"] or None) in (fault.may_be_named())


def lines_of(rows):
    """The table, and its sum."""
    yield "| Fault | The mistake is in | `leaks` with the baseline | `why` alone | both, one verdict | |"
    yield "|---|---|---|---|---|---|"
    for fault, views in rows:
        truth = ", ".join(f"`{name}`" for name in fault.mistakes) or "no function"
        yield (f"| {fault.name.replace('-', ' ', 1)} | {truth} | {' | '.join(cell(views[view]) for view in VIEWS)} | "
               f"{views['both']['class'].replace('-', 'not built')} |")
    yield ""
    for view in VIEWS:
        classes = [views[view]["class"] for _, views in rows]
        counted = ", ".join(f"{name} {classes.count(name)}" for name in CLASSES)
        yield f"- {view}: of {len(rows) - classes.count('-')} {counted}"
    rules = Counter(views["both"]["rule"] for _, views in rows if views["both"]["suspect"])
    yield "- by the rule that speaks most for the one verdict: " + ", ".join(f"{rule} {nr}" for rule, nr in rules.most_common())
    reasons = [(fault, fault.reason) for fault, _ in rows if fault.reason]
    if reasons:
        yield ""
        yield from (f"- **{fault.name.split('-')[0]}**: {reason}" for fault, reason in reasons)


def write_document(table):
    """Puts the table into the document, between its marks."""
    head, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(head + BEGIN + table + END + rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(prog="make fault-table", description="whom the tools name for each fault of the catalogue")
    parser.add_argument("--only", default="")
    parser.add_argument("--judge", action="store_true")
    options = parser.parse_args()
    graph = {name: sorted(calls) for name, calls in csource.call_graph(csource.read_kernel(paths.ROOT)).items()}
    names = [name for name in faults.names() if name.startswith(tuple(options.only.split(",")))]
    rows = []
    for name in names:
        fault, views = row_of(name, options.judge, graph)
        rows.append((fault, views))
        print(f"{name:34} {', '.join(fault.mistakes):36} " + "  ".join(f"{view}: {cell(views[view])} ({views[view]['class']})"
                                                                       for view in VIEWS), flush=True)
    table = "\n".join(lines_of(rows)) + "\n"
    print("\n" + table)
    if len(names) == len(faults.names()):
        OUT.mkdir(exist_ok=True)
        (OUT / "table.md").write_text(table)
        write_document(table)
    return 0 if all(as_stated(*row) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
