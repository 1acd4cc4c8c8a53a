# SPDX-License-Identifier: MIT
"""The rows of mutants.csv, and the tables made of them.

A row is one mutant. What is counted of what:

    executed    a workload executes the call
    really      executed, and not `equal` (equivalent.txt): the base of "detected"
    detected    of really; exact, near, wrong and none are of detected
"""
import csv

from harness import csv_rows

# What is judged beside the report that a reader has: with a baseline without its code, and without a baseline.
BESIDE = {"codeless": "all, of the baseline the events alone", "alone": "all, without a baseline"}
OF_EACH = ("suspect", "rule", "confidence", "class")
COLUMNS = ("id", "file", "line", "function", "call", "kind", "path", "workload", "executed", "build_id", "end",
           "guest_status", "detected", "status", "suspect", "place", "confidence", "rule", "class",
           *(f"{column}_{key}" for column in BESIDE for key in OF_EACH), "reason", "seconds")
CLASSES = ("exact", "near", "wrong", "none")
HEAD = ("", "mutants", "executed", "really", "detected", *CLASSES)


def read_rows(path):
    """Rows by id; the last of an id counts."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def append_row(path, row):
    csv_rows.append_row(path, COLUMNS, row)


def write_rows(path, rows):
    path.unlink(missing_ok=True)
    for row in rows:
        append_row(path, row)


def group_of(row):
    """The line of the table that a row belongs to."""
    if row["kind"] in ("delete", "eighth"):
        if row["path"] == "error":
            return "deleted on an error path"
        return "deleted on a normal path" if row["kind"] == "delete" else "every 8th time"
    return {"variable": "a put on another variable", "refkind": "another kind of reference",
            "early": "an early return before the put", "get": "a get too many"}[row["kind"]]


def percent(part, whole):
    return f"{part} ({100 * part / whole:.0f} %)" if whole else str(part)


def counts(label, rows, column="class"):
    """One line of the table, as texts."""
    executed = [row for row in rows if row["class"] not in ("not run", "no build")]
    really = [row for row in executed if row["class"] != "equal"]
    detected = [row for row in really if row["class"] != "missed"]
    per_class = [percent(sum(row[column] == name for row in detected), len(detected)) for name in CLASSES]
    return [label, str(len(rows)), str(len(executed)), str(len(really)), percent(len(detected), len(really)), *per_class]


def by_key(rows, key):
    """{key: rows} by falling number of rows."""
    found = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def markdown(lines):
    """Lines of texts, the first as head, with columns of one width."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    shown = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |" for line in lines]
    return "\n".join([shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]])


def summary(rows):
    """The table of all groups, and one line a rule."""
    rows = list(rows)
    lines = [HEAD, counts("all", rows)]
    lines += [counts(label, some) for label, some in by_key(rows, group_of).items()]
    lines += [counts(label, rows, f"{column}_class") for column, label in BESIDE.items()]
    named = [row for row in rows if row["rule"] and row["class"] in CLASSES]
    rules = [("rule", "used", *CLASSES)]
    for rule, some in by_key(named, lambda row: row["rule"]).items():
        rules.append((rule, str(len(some)), *(str(sum(row["class"] == name for row in some)) for name in CLASSES)))
    missed = by_key([row for row in rows if row["class"] == "missed"], lambda row: row["call"])
    text = markdown(lines) + "\n\n" + markdown(rules)
    if missed:
        text += "\n\nmissed, by the call: " + ", ".join(f"{call} {len(some)}" for call, some in missed.items())
    return text
