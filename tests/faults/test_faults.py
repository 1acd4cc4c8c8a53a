"""The fault catalogue: a kernel with a known mistake runs, and the tools must say what it is.

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

import pytest

from harness import faults
from harness.tool import LOST, NOTHING_LOST, pagetrail, pagetrail_json, run_command

# `make test` runs these; `make faults` all.
ALWAYS = ("05", "07")
GROUP_FIELDS = ("what", "kind", "cache", "verdict", "ref", "taken_by", "allocated_by")


def run_fault(fault, kernel, folder):
    """Runs the fault's workload; (CompletedProcess, answer of leaks --json, console)."""
    run = folder / "run"
    options = ["--smp", str(fault.smp), "--mem", fault.mem, "--leaks", "--quiet"]
    if fault.append:
        options += ["--append", fault.append]
    done = pagetrail(*run_command(run, fault.run, kernel=kernel, options=options, limit=120))
    console = (run / "logs/console.log").read_text(errors="replace")
    return done, pagetrail_json("leaks", run), console


def as_list(value):
    return value if isinstance(value, list) else [value]


def group_matches(group, wanted):
    """Whether a leak group is one that `wanted` describes."""
    if any(field in wanted and group.get(field) not in as_list(wanted[field]) for field in GROUP_FIELDS):
        return False
    return "suspect" not in wanted or group["missing"]["suspect"] in as_list(wanted["suspect"])


def check_groups(groups, expect):
    """Asserts that the leak groups are those expected, in number and kind."""
    explained = set()
    for wanted in expect.get("groups", ()):
        matching = [i for i, group in enumerate(groups) if group_matches(group, wanted)]
        explained.update(matching)
        lost = sum(groups[i]["objects" if groups[i]["what"] == "object" else "pages"] for i in matching)
        assert lost >= wanted.get("at_least", 1), f"{lost} match {wanted}"
        assert lost <= wanted.get("at_most", lost), f"{lost} match {wanted}"
    if expect.get("only") or not expect:
        others = [group for i, group in enumerate(groups) if i not in explained]
        assert not others, "groups that nobody expects"


def check_fault(expect, done, leaks, console):
    """Asserts all that `expect` says."""
    text = done.out + done.err
    assert done.status == expect.get("status", LOST if expect else NOTHING_LOST), text
    assert leaks["events_discarded"] == 0
    check_groups(leaks["groups"], expect)
    found = [finding["verdict"] for finding in leaks["findings"]]
    for verdict, number in expect.get("findings", {}).items():
        assert found.count(verdict) >= number, f"{found} instead of {number} {verdict}"
    for pattern in expect.get("report", ()):
        assert re.search(pattern, done.out), f"the report does not say {pattern!r}:\n{done.out}"
    for pattern in expect.get("console", ()):
        assert re.search(pattern, console), f"the console does not say {pattern!r}:\n{console[-3000:]}"


def catalogue():
    return [pytest.param(name, marks=() if name.startswith(ALWAYS) else pytest.mark.slow) for name in faults.names()]


@pytest.mark.parametrize("name", catalogue())
def test_fault_is_named(name, tmp_path):
    fault = faults.find(name)
    if "build_fails" in fault.expect:
        with pytest.raises(RuntimeError, match=fault.expect["build_fails"]):
            fault.build()
    else:
        check_fault(fault.expect, *run_fault(fault, fault.build(), tmp_path))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Fault 05's workload on a kernel built with an empty patch, through the same path as the others."""
    folder = tmp_path_factory.mktemp("healthy")
    empty = folder / "empty.patch"
    empty.write_text("")
    fault = faults.find("05")
    return run_fault(fault, faults.build_patched("00-empty", empty), folder)


def test_an_empty_patch_loses_nothing(healthy):
    check_fault({}, *healthy)


@pytest.mark.xfail(reason="canary: a healthy kernel must not fulfil a fault's expectation", raises=AssertionError,
                   strict=True)
@pytest.mark.parametrize("name", catalogue())
def test_an_empty_patch_fulfils_no_expectation(name, healthy):
    expect = faults.find(name).expect
    assert "build_fails" not in expect
    check_fault(expect, *healthy)
