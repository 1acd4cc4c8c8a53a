# SPDX-License-Identifier: MIT
"""`make mutants WHY=1`: what `pagetrail why` says of mutants that leak, beside what `leaks` says.

`why` compares with nothing: it repeats a run and follows every pointer to what leaked (docs/DESIGN.md). So the kernel of each row that is
detected by its leaks runs again in a machine that can be repeated (--icount, one hart), and is asked. What counts is the function that
`why` prints first: that of the first group for which it blames somebody. Classes are those of judge.py, and

    no leak     the machine of one hart leaked nothing
    no answer   the repeated run went another way, or something still points to all that leaked
"""
import csv

from harness.tool import pagetrail

import judge

COLUMNS = ("id", "function", "kind", "path", "workload", "suspect", "class", "why", "rule", "why_class", "together_class", "seconds")
LIMIT = 300


def blamed(answer):
    """(function, rule) that `why --json` blames first; ("", "") for nobody."""
    for group in answer["groups"]:
        if group["to_blame"]:
            return group["to_blame"]["function"], group["rule"]
    return "", ""


def together(row, suspect):
    """What a reader of both has: the suspect of `leaks`; where that names none, the one of `why`."""
    return row["suspect"] or suspect


def ask(run):
    """(function, rule, class or "") of a run that can be repeated."""
    done = pagetrail("why", run, "--json", timeout=4 * LIMIT)
    if not done.out:
        return "", "", "no answer"
    answer = done.json()
    if answer["verdict"] == "no leaks":
        return "", "", "no leak"
    function, rule = blamed(answer)
    return function, rule, "" if function else "no answer"


def why_row(row, run, graph):
    """The columns of one mutant."""
    function, rule, what = ask(run)
    both = together(row, function)
    return {**row, "why": function, "rule": rule, "why_class": what or judge.nearness(function, row["function"], {}, graph),
            "together_class": judge.nearness(both, row["function"], {}, graph)}


def append_row(path, row):
    """Writes one row, with the head if it is the first."""
    fresh = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path):
    """Rows by id."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def summary(rows):
    """One line for each of leaks, why, and both; of the rows for which why has a leak to look at."""
    rows = [row for row in rows if row["why_class"] != "no leak"]
    lines = []
    for label, column in (("leaks", "class"), ("why", "why_class"), ("both", "together_class")):
        counted = {name: sum(row[column] == name for row in rows) for name in ("exact", "near", "wrong", "none", "no answer")}
        lines.append(f"{label:6} of {len(rows)}: " + ", ".join(f"{name} {nr}" for name, nr in counted.items() if nr))
    return "\n".join(lines)
