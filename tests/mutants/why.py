# SPDX-License-Identifier: MIT
"""`make mutants WHY=1`: what following the pointers adds to the comparison.

`why` compares with nothing: it repeats a run and follows every pointer to what leaked (docs/DESIGN.md). So the kernel of each row that is
detected by its leaks runs again in a machine that can be repeated (--icount, one hart), and is asked three times:

    why     `pagetrail why` alone: the function that it prints first, which is that of the first group for which it blames somebody
    events  the one verdict of `leaks`, with the pointers followed and without a baseline
    both    the same with the baseline that the mutant's row was judged by: what a reader has who has everything

Classes are those of judge.py, and of a machine that ran again

    no leak     it leaked nothing: with one hart the same calls meet in another order
    no answer   the repeated run went another way, or something still points to all that leaked

What is found otherwise than by leaks (findings, panics, machines that do not end), or in a machine that cannot be repeated, has no pointers to
follow: in the table of `both` it counts as its row in mutants.csv has it.
"""
import csv

from harness import csv_rows
from harness.tool import pagetrail

import judge
import table

VIEWS = ("why", "events", "both")
COLUMNS = ("id", "function", "kind", "path", "workload", "class", *(f"{view}_{key}" for view in VIEWS for key in ("suspect", "rule", "class")),
           "seconds")
LIMIT = 300
NO_LEAK, NO_ANSWER = "no leak", "no answer"


def blamed(answer):
    """(function, rule) that `why --json` blames first; ("", "") for nobody."""
    for group in answer["groups"]:
        if group["to_blame"]:
            return group["to_blame"]["function"], group["rule"]
    return "", ""


def view_of_why(row, run, graph, repeated):
    """The columns of `why`."""
    done = pagetrail("why", run, "--json", *(["--no-repeat"] if repeated else []), timeout=4 * LIMIT)
    answer = done.json() if done.out else {"verdict": NO_ANSWER, "groups": []}
    function, rule = blamed(answer)
    what = NO_LEAK if answer["verdict"] == "no leaks" else NO_ANSWER if not function else judge.nearness(function, row["function"], {}, graph)
    return {"why_suspect": function, "why_rule": rule, "why_class": what}


def view_of_leaks(view, row, run, graph, *options):
    """The columns of the one verdict."""
    answer = pagetrail("leaks", run, "--json", *options).json()
    verdict = judge.judge(row["id"], row["function"], answer, "", graph, [])
    return {f"{view}_{key}": verdict[key] for key in ("suspect", "rule", "class")}


def why_row(row, run, graph, baseline, repeated=False):
    """The columns of one mutant. repeated: its run was repeated before, and keeps what came of it."""
    said = {**row, **view_of_why(row, run, graph, repeated)}
    if said["why_class"] != NO_LEAK:
        said.update(view_of_leaks("events", row, run, graph))
        said.update(view_of_leaks("both", row, run, graph, "--baseline", baseline))
    return said


def append_row(path, row):
    csv_rows.append_row(path, COLUMNS, row)


def read_rows(path):
    """Rows by id."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def share(label, classes):
    """One line of the table, as texts; a row without an answer has no name."""
    classes = ["none" if name == NO_ANSWER else name for name in classes]
    return [label, str(len(classes)), *(table.percent(classes.count(name), len(classes)) for name in table.CLASSES)]


def summary(rows, every):
    """The table. rows: of why.csv; every: all rows of mutants.csv, of which those that were detected count."""
    asked = {row["id"]: row for row in rows if row["why_class"] != NO_LEAK}
    head = ("of those that leaked in a machine of one hart", "mutants", *table.CLASSES)
    lines = [head, share("leaks with a baseline, when it was recorded", [row["class"] for row in asked.values()])]
    for view, label in zip(VIEWS, ("why alone", "one verdict without a baseline", "one verdict with a baseline")):
        lines.append(share(label, [row[f"{view}_class"] for row in asked.values()]))
    whole = [(row, asked[row["id"]]["both_class"] if row["id"] in asked else row["class"]) for row in every if row["class"] in table.CLASSES]
    lines.append(share("all that is detected, one verdict with a baseline", [what for _, what in whole]))
    lines.append(share("of these on an error path", [what for row, what in whole if row["path"] == "error"]))
    return table.markdown(lines)
