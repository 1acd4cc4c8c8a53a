# SPDX-License-Identifier: MIT
"""What `pagetrail leaks --json` said of a mutant, compared with the truth.

    detected by    leaks     a leak is reported
                   finding   something that is no leak is: a page freed twice, a count below its holders, ...
                   panic     the kernel stopped itself
                   hang      the machine ran into its limit
                   -         none of these

    suspect        the function that the first group names as CERTAIN or LIKELY; without groups, the one that is named for what
                   the run ended in: findings that are no leaks, a panic, the limit. A suspect without a confidence counts as
                   LIKELY.

    class          exact     it is the function whose text was changed
                   near      it is not; but it calls that function, or is called by it, or that function is quoted: in a stack of
                             the report, or as the one that should have called the suspect
                   wrong     neither
                   none      detected, and no suspect is named
                   missed    not detected
                   equal     not detected, and equivalent.txt says why the change loses nothing
                   not run   no workload executes the call (often enough)
"""
import fnmatch
import re
from pathlib import Path

EQUIVALENT = Path(__file__).with_name("equivalent.txt")
NAMED = ("certain", "likely")
STACKS = ("allocation", "get", "stack", "put", "later_put", "holder_end", "baseline_put")


def read_equivalent(path=EQUIVALENT):
    """[(pattern of ids, reason)]"""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(part.strip() for part in line.split(":", 1)) for line in lines]


def reason_of(mutant_id, equivalent):
    """Why a mutant loses nothing, or None."""
    return next((reason for pattern, reason in equivalent if fnmatch.fnmatchcase(mutant_id, pattern)), None)


def quoted(entry):
    """The functions of all stacks of a group or finding, at any depth of its JSON."""
    names = set()
    for key, value in entry.items():
        if isinstance(value, dict):
            names |= quoted(value)
        elif isinstance(value, list) and value and isinstance(value[0], dict) and "function" in value[0]:
            names |= {frame["function"] for frame in value}
        elif key in ("suspect_caller", "getter", "putter", "evidence") and value:
            names |= set(re.findall(r"\w+", value))
    return names


def first_entry(leaks):
    """(what the report names first, its part about the suspect) of a parsed answer; (None, None)."""
    for group in leaks["groups"]:
        return group, group["missing_release"]
    if leaks["end"]:
        return {"end": leaks["end"], **dict(zip(["finding"], leaks["findings"]))}, leaks["end"]
    return None, None


def suspect_of(named):
    """(function, place, confidence, rule) of the entry; "" where there is none."""
    suspect = (named or {}).get("suspect") or ""
    confidence = ((named or {}).get("confidence") or ("likely" if suspect else "none")).lower()
    if confidence not in NAMED:
        suspect = ""
    rule = (named or {}).get("rule") or (named or {}).get("how") or ""
    return suspect, (named or {}).get("suspect_place") or "", confidence, rule


def detected_by(leaks, end):
    """leaks, finding, panic, hang or "-". end: of run.json."""
    if leaks["groups"]:
        return "leaks"
    if leaks["findings"] or leaks["other_findings"]:
        return "finding"
    if leaks["panic"] or end == "panic":
        return "panic"
    return "hang" if end == "timeout" else "-"


def nearness(suspect, truth, entry, graph):
    """exact, near, wrong or none."""
    if not suspect:
        return "none"
    if suspect == truth:
        return "exact"
    if truth in graph.get(suspect, ()) or suspect in graph.get(truth, ()) or truth in quoted(entry):
        return "near"
    return "wrong"


def judge(mutant_id, truth, leaks, end, graph, equivalent):
    """The columns of a row that a run decides."""
    by = detected_by(leaks, end)
    entry, named = first_entry(leaks)
    suspect, place, confidence, rule = suspect_of(named)
    verdict = {"detected": by, "status": leaks["verdict"], "suspect": suspect, "place": place, "confidence": confidence,
               "rule": rule, "reason": ""}
    if by == "-":
        reason = reason_of(mutant_id, equivalent)
        return {**verdict, "class": "equal" if reason else "missed", "reason": reason or ""}
    return {**verdict, "class": nearness(suspect, truth, entry, graph)}
