# SPDX-License-Identifier: MIT
"""What a fault of the catalogue must look like, compared with what the tools said.

`expect` in fault.json:
    status      of `pagetrail run --leaks` (1: something lost)
    groups      leak groups of `pagetrail leaks --json` that must be there. Each: what (page, object), kind or cache,
                verdict (any of), ref, taken_by, allocated_by, suspect (any of); at_least, at_most count the pages or
                objects of all groups that match
    only        true: no group matches none of these
    findings    verdicts that are no leaks (DBL, POISON, ...), each with how often at least
    report      patterns for the text of the report
    build_fails pattern for what the compiler says of the patched kernel; there is no run
    console     patterns for the console: what the kernel's own audit printed, or a panic

A fault without "expect" must be as clean as the kernel it was made from.
"""
import re

from .tool import LEAKED, OK

GROUP_FIELDS = ("what", "kind", "cache", "verdict", "ref", "acquired_by", "allocated_by")


def as_list(value):
    return value if isinstance(value, list) else [value]


def group_matches(group, wanted):
    """Whether a leak group is one that `wanted` describes."""
    if any(field in wanted and group.get(field) not in as_list(wanted[field]) for field in GROUP_FIELDS):
        return False
    return "suspect" not in wanted or group["missing_release"]["suspect"] in as_list(wanted["suspect"])


def differing_groups(groups, expect):
    """Yields what is wrong with the leak groups, in number and kind."""
    explained = set()
    for wanted in expect.get("groups", ()):
        matching = [i for i, group in enumerate(groups) if group_matches(group, wanted)]
        explained.update(matching)
        lost = sum(groups[i]["objects" if groups[i]["what"] == "object" else "pages"] for i in matching)
        if lost < wanted.get("at_least", 1) or lost > wanted.get("at_most", lost):
            yield f"{lost} match {wanted}"
    others = len(groups) - len(explained)
    if others and (expect.get("only") or not expect):
        yield f"{others} groups that nobody expects"


def differences(expect, status, leaks, report, console):
    """Yields, a line each, in what a run is not as expected.

    status: of `pagetrail run --leaks`; leaks: answer of `leaks --json`; report: its text; console: of the guest.
    """
    wanted = expect.get("status", LEAKED if expect else OK)
    if status != wanted:
        yield f"status {status} instead of {wanted}"
    if leaks["events_discarded"]:
        yield f"{leaks['events_discarded']} events were discarded"
    yield from differing_groups(leaks["groups"], expect)
    found = [finding["verdict"] for finding in leaks["findings"]]
    for verdict, number in expect.get("findings", {}).items():
        if found.count(verdict) < number:
            yield f"findings {found} instead of {number} {verdict}"
    for what, text in (("report", report), ("console", console)):
        for pattern in expect.get(what, ()):
            if not re.search(pattern, text):
                yield f"the {what} does not say {pattern!r}"
