# SPDX-License-Identifier: MIT
"""The fault catalogue: a kernel with a known mistake runs, and the tools must say what it is, and in which function. What `expect` in
fault.json means stands in harness/expect.py, the rest in harness/faults.py. What leaked is compared with how the healthy kernel releases it (harness/baselines.py).
"""
import json
import sys

import pytest

from harness import baselines, faults, paths
from harness.expect import differences
from harness.tool import pagetrail, pagetrail_json, run_command

sys.path[:0] = [str(paths.ROOT / "tests/mutants"), str(paths.ROOT / "tests/faults")]
import fault_table  # noqa: E402 (the path above)
import judge  # noqa: E402

# `make test` runs these; `make faults` all.
ALWAYS = ("05", "07", "40", "41")


def run_fault(fault, kernel, folder):
    """Runs the fault's workload; (CompletedProcess, answer of leaks --json, console)."""
    run = folder / "run"
    compare = ["--baseline", baselines.kept(fault.run, fault.smp, fault.mem, fault.append)]
    options = ["--smp", str(fault.smp), "--mem", fault.mem, "--leaks", "--quiet", *compare]
    if fault.append:
        options += ["--append", fault.append]
    done = pagetrail(*run_command(run, fault.run, kernel=kernel, options=options, limit=120))
    console = (run / "logs/console.log").read_text(errors="replace")
    return done, pagetrail_json("leaks", run, *compare), console


def check_fault(expect, done, leaks, console):
    """Asserts all that `expect` says."""
    found = list(differences(expect, done.status, leaks, done.out, console))
    assert not found, "\n".join([*found, "--- report ---", done.out + done.err, "--- console ends ---", console[-3000:]])


def catalogue():
    return [pytest.param(name, marks=() if name.startswith(ALWAYS) else pytest.mark.slow) for name in faults.names()]


@pytest.mark.parametrize("name", catalogue())
def test_fault_is_named(name, tmp_path):
    fault = faults.find(name)
    if "build_fails" in fault.expect:
        with pytest.raises(RuntimeError, match=fault.expect["build_fails"]):
            fault.build()
    else:
        done, leaks, console = run_fault(fault, fault.build(), tmp_path)
        check_fault(fault.expect, done, leaks, console)
        assert named_first(leaks) in fault.may_be_named(), json.dumps(judge.first_entry(leaks)[1], indent=1) + done.out


def named_first(leaks):
    """Whom the report names first, or None."""
    return judge.suspect_of(judge.first_entry(leaks)[1])[0] or None


@pytest.mark.parametrize("name", faults.names())
def test_the_mistake_is_where_the_patch_is(name):
    fault = faults.find(name)
    assert set(fault.mistakes) == faults.changed_functions(fault.patch)
    # Where the report names another than that, or nobody, there is a reason.
    assert bool(fault.reason) == hasattr(fault, "named") and (fault.mistakes or fault.reason)


def test_functions_are_found_in_the_text():
    before = "#define X 1\nint x;\n\nstatic int f(int (*g)(int),\n\t     int a)\n{\n\treturn g(a);\n}\n\nvoid h(void)\n{\n\tx++;\n}\n"
    assert faults.changed_in(before, before) == set()
    assert faults.changed_in(before, before.replace("int x;", "long x;")) == set()
    assert faults.changed_in(before, before.replace("g(a)", "g(a + 1)")) == {"f"}
    assert faults.changed_in(before, before.replace("int a)", "long a)")) == {"f"}
    assert faults.changed_in(before, before.replace("\tx++;\n", "")) == {"h"}
    assert faults.changed_in(before, before.replace("x++", "f(0, x)").replace("a);", "x);")) == {"f", "h"}


@pytest.mark.parametrize("name, suspect, found", [
    ("14", "replace_leaf", "exact"), ("14", "set_leaf", "near"), ("14", "pipe_free", "wrong"), ("14", None, "none"),
    ("18", None, "none"), ("18", "spin_lock", "wrong"),
])
def test_a_name_is_as_near_as_to_the_nearest_function_of_the_mistake(name, suspect, found):
    end = {"suspect": suspect, "suspect_place": None, "confidence": "certain", "rule": "only-code"}
    answer = {"groups": [], "findings": [], "end": end}
    view = fault_table.view_of_leaks(faults.find(name), answer, {"replace_leaf": ["set_leaf"]})
    assert (view["class"], view["suspect"]) == (found, suspect or "")
    assert fault_table.as_stated(faults.find(name), {"both": view}) == (found == "exact" or (name, suspect) == ("18", None))


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
