# SPDX-License-Identifier: MIT
"""Who is the suspect of a panic, of a finding that is no leak, of a machine that did not end; and who is not."""
import json

import pytest
from conftest import sites_of
from harness.tool import CANNOT_TELL, LEAKED, OK
from test_leaks import Kernel, kernel, leaks  # pylint: disable=unused-import
from test_suspect import blocks, healthy  # pylint: disable=unused-import


def ended(kernel, how):
    """Blocks are taken and dropped, and then it ends like this; the last that process 7 did was to drop one."""
    blocks(kernel)
    kernel.begin(8)
    page = kernel.machine.alloc("ANON", "OWNER", (8, 0), kernel.stack("record_alloc", "sys_read"))
    kernel.machine.put(page, "OWNER", (8, 0), kernel.stack("block_drop", "sys_write"))
    if how == "panic":
        kernel.machine.emit("panic", name="bad")
    if how == "guest":
        kernel.machine.audit()
    if how == "finding":
        kernel.machine.finding("DBL", page=page, stack=kernel.stack("lookup", "sys_read"))
    return kernel


ENDS = {"panic": "panic", "finding": "poweroff", "limit": "timeout", "guest": "poweroff"}


def end_of(leaks, elf, how, *options, name="run"):
    """(the part about the end, the whole report, its status, its text)"""
    report, status, text = leaks(ended(Kernel(sites_of(elf)), how), *options, other_kernel=elf, end=ENDS[how], name=name,
                                 guest_status=int(how == "guest"))
    assert report["end"]["how"] == how
    return report["end"], report, status, text


def said_by(end, rule):
    return [one["function"] for one in end["considered"] if one["rule"] == rule]


@pytest.mark.parametrize("how, text, status", [
    ("panic", "the kernel panicked: block_drop() has other branches than in the baseline", CANNOT_TELL),
    ("finding", "the accounting is broken: block_drop() has other branches than in the baseline", LEAKED),
    ("limit", "the machine did not end, and ran into its limit: block_drop() has other branches than in the baseline", CANNOT_TELL),
    ("guest", "the guest's command failed, and no leak was found: block_drop() has other branches than in the baseline", OK),
])
def test_the_only_function_with_other_code(healthy, leaks, skipping_elf, how, text, status):
    end, report, got, said = end_of(leaks, skipping_elf("block_drop"), how, "--baseline", healthy)
    assert (end["suspect"], end["rule"], end["confidence"], got) == ("block_drop", "only-code", "certain", status)
    assert end["suspect_place"].startswith("kernel/fs/ext2_balloc.c:") and not end["start_here"] and not report["groups"]
    assert text in said and f"\nplace: {end['suspect_place']}\nCERTAIN: rule only-code" in said
    assert "in the whole kernel it alone has other calls or branches" in said


def test_the_only_function_that_calls_less(healthy, leaks, forgetting_elf):
    end, _, _, text = end_of(leaks, forgetting_elf, "panic", "--baseline", healthy)
    assert (end["suspect"], end["expected"], end["calls"]) == ("block_drop", "page_put", -1)
    assert "block_drop() calls page_put() on 1 fewer line than in the baseline" in text


def test_a_leak_has_the_only_function_as_suspect_too(healthy, leaks, skipping_elf):
    """It is on no stack of what leaked, and nothing else in the kernel differs."""
    elf = skipping_elf("mm_destroy")
    report, _, text = leaks(blocks(Kernel(sites_of(elf)), forget=(1, 3)), "--baseline", healthy, other_kernel=elf)
    missing = report["groups"][0]["missing_release"]
    assert ("only-code", "mm_destroy") in [(one["rule"], one["function"]) for one in missing["considered"]]
    assert missing["suspect"] == "mm_destroy" and "mm_destroy() has other branches than in the baseline: 2 pages leaked" in text


@pytest.mark.parametrize("how", ENDS)
def test_two_functions_with_other_code_are_where_to_start(healthy, leaks, skipping_elf, how):
    end, _, _, text = end_of(leaks, skipping_elf("block_drop", "mm_destroy"), how, "--baseline", healthy)
    if how == "finding":  # where it differs it was freed before, too: two rules say the same
        assert (end["suspect"], end["confidence"]) == ("block_drop", "likely") and said_by(end, "freed-before") == ["block_drop"]
        return
    assert end["suspect"] is None and "no suspect is named: no rule is good enough. Start here:" in text
    starts = {one["function"]: one["where"] for one in end["start_here"] if one["differs"]}
    near = {"panic": "none", "limit": "last", "guest": "none"}[how]  # without RAM a panic has no stack
    assert starts == {"block_drop": near, "mm_destroy": "none"}
    assert said_by(end, "end-code") == (["block_drop"] if how == "limit" else [])


@pytest.mark.parametrize("how", ENDS)
def test_the_same_code_blames_nobody(healthy, leaks, kernel_elf, how):
    """A healthy kernel may be stopped by its limit."""
    end, _, _, text = end_of(leaks, kernel_elf, how, "--baseline", healthy)
    assert end["same_code"] and "no suspect is named: no function has other code than in the baseline" in text
    assert end["suspect"] is None and not said_by(end, "only-code") and not any(one["differs"] for one in end["start_here"])


@pytest.mark.parametrize("how", ENDS)
def test_the_only_function_whose_calls_stand_in_another_order(healthy, leaks, defining_elf, how):
    end, _, _, text = end_of(leaks, defining_elf("SWAPS"), how, "--baseline", healthy)
    assert (end["suspect"], end["rule"], end["confidence"]) == ("two_calls", "only-code", "certain")
    assert "two_calls() makes its calls in another order than in the baseline" in text


@pytest.mark.parametrize("macro, suspect", [("CONSTANT", "level_first"), ("TRIPLES", "level_set")])
def test_other_instructions_in_what_is_inlined(healthy, leaks, defining_elf, macro, suspect):
    """What an edit does to what is inlined there stays in one body; an edit of what is inlined is in all."""
    end, _, _, text = end_of(leaks, defining_elf(macro), "guest", "--baseline", healthy)
    assert (end["suspect"], end["rule"]) == (suspect, "only-code")
    assert f"{suspect}() has the same calls and branches as in the baseline, and other instructions" in text


@pytest.mark.parametrize("macro", ["SWAPS", "CONSTANT", "TRIPLES"])
def test_a_baseline_of_version_3_knows_no_order(pagetrail, healthy, leaks, defining_elf, tmp_path, macro):
    """Nor bodies: what is inlined in several cannot be told from what is beside it."""
    kept = tmp_path / "kept.baseline"
    assert pagetrail("baseline", healthy, "--out", kept).status == OK
    lines = [" ".join(line.split()[:6]) if line.startswith("s ") else line for line in kept.read_text().splitlines()]
    kept.write_text("\n".join(["pagetrail-baseline 3", *lines[1:], ""]))
    assert end_of(leaks, defining_elf(macro), "guest", "--baseline", kept)[0]["suspect"] is None


def test_another_compilers_code_blames_nobody(healthy, leaks, skipping_elf):
    end, _, _, _ = end_of(leaks, skipping_elf("block_drop", "ALL"), "panic", "--baseline", healthy)
    assert end["suspect"] is None and not said_by(end, "only-code")


def test_what_was_freed_before(leaks, kernel_elf):
    """Without a baseline: where it was freed is shown."""
    end, _, _, _ = end_of(leaks, kernel_elf, "finding")
    assert said_by(end, "freed-before") == ["block_drop"]
    assert [frame["function"] for frame in end["freed"]][:2] == ["block_drop", "sys_write"]


def test_a_guest_that_failed_says_nothing_by_itself(kernel, leaks, healthy, skipping_elf):
    """Without a healthy kernel to compare with; and where something leaked, that is what is to mend."""
    assert leaks(ended(kernel, "guest"), guest_status=1)[0]["end"] is None
    elf = skipping_elf("block_drop")
    report, _, _ = leaks(blocks(Kernel(sites_of(elf)), forget=[1]), "--baseline", healthy, other_kernel=elf, guest_status=1, name="leaked")
    assert report["groups"] and report["end"] is None


@pytest.mark.parametrize("how", ["killed", "poweroff"])
def test_no_end_of_its_own(kernel, leaks, how):
    blocks(kernel).machine.audit()
    assert leaks(kernel, end=how)[0]["end"] is None


def test_one_place_in_every_form(pagetrail, healthy, write, skipping_elf):
    elf = skipping_elf("block_drop")
    run = write(ended(Kernel(sites_of(elf)), "panic").machine, other_kernel=elf, end="panic")
    place = pagetrail("leaks", run, "--json", "--baseline", healthy).json()["end"]["suspect_place"]
    result, = pagetrail("leaks", run, "--sarif", "--baseline", healthy).json()["runs"][0]["results"]
    where = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"]) == ("panic", "error")
    assert f'{where["artifactLocation"]["uri"]}:{where["region"]["startLine"]}' == place
    assert pagetrail("leaks", run, "--gcc", "--baseline", healthy).out.splitlines()[1].startswith(
        f"{place}: warning: the kernel panicked: block_drop()")
    junit = pagetrail("leaks", run, "--junit", "--baseline", healthy).out
    assert '<failure type="panic" message="the kernel panicked: block_drop()' in junit and f"at {place}\n" in junit
    page = run.parent / "page.html"
    for one in (healthy, run):  # the report takes the baseline that is kept for the workload
        about = json.loads((one / "run.json").read_text())
        (one / "run.json").write_text(json.dumps({**about, "guest_command": ["usertests"]}))
    assert pagetrail("baseline", healthy, cwd=run.parent).status == OK
    pagetrail("report", run, "--out", page, cwd=run.parent)
    assert "the kernel panicked: block_drop() has other branches than in the baseline" in page.read_text()
