# SPDX-License-Identifier: MIT
"""`leaks` in the forms of other programs: as compilers warn, as SARIF, as JUnit's XML, as Markdown."""
import json
import os
import re
import xml.etree.ElementTree as xml

import pytest
from test_leaks import Kernel, fault_5, kernel  # noqa: F401  (a fixture among them)
from test_leaks_query import two_tests
from harness.tool import CANNOT_TELL, LEAKED, OK

SENTENCE = ("inode_read_cached() acquires a page-cache reference at kernel/fs/cached_io.c:20 and never releases it: "
            "10 pages leaked")
EVIDENCE = "10 of 10 other references acquired by lookup() were released by pagecache_release()"


@pytest.fixture
def form(pagetrail, write):
    """form(kernel, option): what `leaks --option` says, and its status."""
    def form(kernel, option, **more):
        result = pagetrail("leaks", write(kernel.machine, **more), "--" + option)
        return result.out, result.status
    return form


def leaky(kernel):
    pages = fault_5(kernel)
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)])


def clean(kernel):
    kernel.machine.mark("quiet")
    kernel.begin(7)
    kernel.end(7)
    kernel.machine.mark("quiet", end=True)
    kernel.machine.audit()


def test_gcc(kernel, form):
    leaky(kernel)
    text, status = form(kernel, "gcc")
    assert status == LEAKED
    assert text.splitlines()[:2] == [f"kernel/fs/cached_io.c:20: warning: {SENTENCE} [leaked]",
                                     f"kernel/fs/cached_io.c:20: note: {EVIDENCE}"]
    assert re.fullmatch(r"kernel/\w+/\w+\.c:\d+: note: acquired here", text.splitlines()[2])


def test_gcc_of_a_clean_run_says_nothing(kernel, form):
    clean(kernel)
    assert form(kernel, "gcc") == ("", OK)


def test_gcc_says_what_is_missing(kernel, form):
    clean(kernel)
    text, status = form(kernel, "gcc", end="killed")
    assert status == CANNOT_TELL and text.startswith("pagetrail: warning: cannot tell: ")


def test_sarif(kernel, form):
    leaky(kernel)
    text, status = form(kernel, "sarif")
    log = json.loads(text)
    run, = log["runs"]
    result, = run["results"]
    assert status == LEAKED and log["version"] == "2.1.0"
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": LEAKED}]
    assert result["ruleId"] in [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert (result["level"], result["message"]["text"]) == ("error", f"{SENTENCE}. Evidence: {EVIDENCE}.")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "kernel/fs/cached_io.c", "uriBaseId": "SRCROOT"}, "region": {"startLine": 20}}
    frames = [f["location"]["logicalLocations"][0]["name"] for f in result["stacks"][0]["frames"]]
    assert frames[:3] == ["lookup", "pagecache_get", "inode_read_cached"]
    assert result["partialFingerprints"] == {"ruleAndFunction/v1": "leaked:inode_read_cached"}
    assert result["properties"] == {"pages": 10, "objects": 0, "ways": 1}


def test_sarif_of_an_interrupted_run(kernel, form):
    clean(kernel)
    text, status = form(kernel, "sarif", end="killed")
    run, = json.loads(text)["runs"]
    assert status == CANNOT_TELL and run["results"] == []
    invocation, = run["invocations"]
    assert not invocation["executionSuccessful"] and invocation["toolExecutionNotifications"][0]["message"]["text"]


def cases(text):
    suite = xml.fromstring(text).find("testsuite")
    found = {case.get("name"): case for case in suite.findall("testcase")}
    assert len(found) == int(suite.get("tests"))
    assert sum(case.find("failure") is not None for case in found.values()) == int(suite.get("failures"))
    assert sum(case.find("error") is not None for case in found.values()) == int(suite.get("errors"))
    return found


def test_junit_has_a_case_for_each_test(kernel, form):
    two_tests(kernel)
    kernel.machine.mark("three")
    kernel.machine.mark("three", end=True)
    text, status = form(kernel, "junit")
    found = cases(text)
    assert status == LEAKED and list(found) == ["one", "two", "three", "outside of tests", "evidence"]
    assert "acquired in this case: 2\n" in found["one"].find("failure").text
    assert "acquired in this case: 3\n" in found["two"].find("failure").text
    assert found["three"].find("failure") is None and found["outside of tests"].find("failure") is None


def test_junit_of_a_test_that_ran_twice_and_one_that_never_ended(kernel, form):
    for _ in range(2):
        kernel.machine.mark("again")
        kernel.machine.mark("again", end=True)
    kernel.machine.mark("open")
    found = cases(form(kernel, "junit", end="killed")[0])
    assert list(found) == ["again", "again#2", "open", "outside of tests", "evidence"]
    assert found["open"].find("error").get("type") == "interrupted"
    assert found["evidence"].find("error").get("type") == "cannot tell"


def test_a_finding_that_is_no_leak(kernel, form):
    kernel.machine.mark("freeing")
    kernel.machine.mark("freeing", end=True)
    page = kernel.write_page(12, 0)
    kernel.drop(page, 12, 0)
    kernel.machine.audit([{"verdict": "DBL", "page": page}])
    assert re.search(r"warning: double free: page 0x8[0-9a-f]+, at [0-9.]+ s \[DBL\]", form(kernel, "gcc")[0])
    result, = json.loads(form(kernel, "sarif", name="again")[0])["runs"][0]["results"]
    assert result["ruleId"] == "DBL"
    assert cases(form(kernel, "junit", name="third")[0])["outside of tests"].find("failure").get("type") == "DBL"


def test_names_that_are_no_text(kernel, form, pagetrail, write):
    """A folder's name is any bytes, a guest's name is shown in ASCII: JSON and XML stay text."""
    kernel.machine.mark(b"<&\xff\x01")
    clean(kernel)
    text, _ = form(kernel, "junit", name=os.fsdecode(b"<&\xff\xc3\xa9\x01"))
    assert "<&??" in cases(text)
    assert xml.fromstring(text).find("testsuite").get("name").endswith("<&\ufffd\u00e9")
    run = pagetrail("leaks", write(kernel.machine, name=os.fsdecode(b"b\xff")), "--json")
    assert run.json()["verdict"] == "no leaks"


def test_markdown(kernel, form):
    leaky(kernel)
    text, status = form(kernel, "markdown")
    lines = text.splitlines()
    assert status == LEAKED and lines[0] == "### Pagetrail: leaked: 10 pages, 0 objects (40.0 KiB)"
    assert f"| 1 | {SENTENCE} | kernel/fs/cached_io.c:20 | {EVIDENCE} |" in lines
    assert text.count("<details>") == text.count("</details>") == 1 and text.count("```") == 2


def test_one_form_at_a_time(kernel, pagetrail, write):
    clean(kernel)
    result = pagetrail("leaks", write(kernel.machine), "--gcc", "--sarif")
    assert result.status == CANNOT_TELL and "--gcc and --sarif: one of them" in result.err
