# SPDX-License-Identifier: MIT
"""`leaks --sarif` and `--junit` against the rules of their formats: of runs that leaked, did not, were cut, and in several ways.

The rules are those of SARIF 2.1.0 (OASIS) and of the JUnit schemas of Jenkins and windyroad that these answers rely on, written
down here: which members and attributes there are, which must be there, and what their values may be. The official schemas are
not in this repository. Who has them checks against them, too:

    make test-forms SARIF_SCHEMA=sarif-schema-2.1.0.json JUNIT_XSD=JUnit.xsd
"""
import copy
import json
import os
import re
import subprocess
import xml.etree.ElementTree as xml

import golden
import jsonschema
import pytest
from test_leaks import Kernel, fault_5, fault_7

SARIF_SCHEMA, JUNIT_XSD = os.environ.get("SARIF_SCHEMA"), os.environ.get("JUNIT_XSD")
RECORDED = ["clean", "fault-05", "fault-07", "killed", "panic", "discards", "overwritten"]


def an_object(needed, **members):
    """Only these members; `needed` of them must be there."""
    return {"type": "object", "properties": members, "required": needed.split(), "additionalProperties": False}


def a_list(items, **more):
    return {"type": "array", "items": items, **more}


TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
MESSAGE = an_object("text", text=TEXT)
# An absolute path is a URI with a scheme; all others belong to a base.
ARTIFACT = {"oneOf": [an_object("uri", uri={"type": "string", "pattern": r"^file:///([\w.~/-]|%[0-9A-F]{2})+$"}),
                      an_object("uri uriBaseId", uri={"type": "string", "pattern": r"^([\w.~-]|%[0-9A-F]{2})([\w.~/-]|%[0-9A-F]{2})*$"},
                                uriBaseId={"const": "SRCROOT"})]}
PHYSICAL = an_object("artifactLocation", artifactLocation=ARTIFACT,
                     region=an_object("startLine", startLine={"type": "integer", "minimum": 1}))
PLACES = a_list(an_object("physicalLocation", physicalLocation=PHYSICAL, message=MESSAGE), minItems=1, maxItems=1)
FRAME = an_object("location", location=an_object(
    "logicalLocations", physicalLocation=PHYSICAL,
    logicalLocations=a_list(an_object("name kind", name=TEXT, kind={"const": "function"}), minItems=1, maxItems=1)))
RESULT = an_object(
    "ruleId level message partialFingerprints properties", ruleId=TEXT, level={"enum": ["error", "warning"]}, message=MESSAGE,
    locations=PLACES, relatedLocations=PLACES,
    stacks=a_list(an_object("frames message", message=MESSAGE, frames=a_list(FRAME, minItems=1)), minItems=1, maxItems=1),
    partialFingerprints=an_object("ruleAndFunction/v1", **{"ruleAndFunction/v1": TEXT}),
    properties=an_object("pages objects ways", pages=COUNT, objects=COUNT, ways=COUNT))
NOTE = an_object("level message", level={"enum": ["warning", "note"]}, message=MESSAGE)
INVOCATION = an_object("executionSuccessful exitCode", executionSuccessful={"type": "boolean"}, exitCode={"enum": [0, 1, 2]},
                       toolExecutionNotifications=a_list(NOTE, minItems=1))
RULE = an_object("id shortDescription", id=TEXT, shortDescription=MESSAGE)
TOOL = an_object("driver", driver=an_object("name version rules", name={"const": "pagetrail"}, version=TEXT, rules=a_list(RULE, uniqueItems=True)))
SARIF = an_object("$schema version runs", **{"$schema": {"type": "string", "pattern": r"/sarif-schema-2\.1\.0\.json$"}}, version={"const": "2.1.0"},
                  runs=a_list(an_object("tool invocations results", tool=TOOL, invocations=a_list(INVOCATION, minItems=1, maxItems=1),
                                        results=a_list(RESULT)), minItems=1, maxItems=1))

# Of each element: what it may contain, in this order; its attributes, and what they look like; "?": may be missing.
NAME, NUMBER, SECONDS = r".+", r"\d+", r"\d+\.\d{3}"
JUNIT = {
    "testsuites": (["testsuite"], {}),
    "testsuite": (["properties", "testcase", "system-out", "system-err"],
                  {"package": NAME, "id": NUMBER, "name": NAME, "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "hostname": NAME,
                   "tests": NUMBER, "failures": NUMBER, "errors": NUMBER, "time": SECONDS}),
    "testcase": (["failure", "error"], {"classname": NAME, "name": NAME, "time": SECONDS}),
    "failure": ([], {"type": NAME, "message": NAME}),
    "error": ([], {"type": NAME, "message": NAME}),
    "properties": ([], {}), "system-out": ([], {}), "system-err": ([], {}),
}
ONCE = {"properties", "system-out", "system-err", "failure", "error"}
NEEDED = {"testsuites": {"testsuite"}, "testsuite": {"properties", "testcase", "system-out", "system-err"}}


def check_sarif(text):
    log = json.loads(text)
    jsonschema.Draft202012Validator(SARIF).validate(log)
    run, = log["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(ids)) == len(ids) and {result["ruleId"] for result in run["results"]} <= set(ids)
    invocation, = run["invocations"]
    warned = any(note["level"] == "warning" for note in invocation.get("toolExecutionNotifications", []))
    assert invocation["executionSuccessful"] == (invocation["exitCode"] != 2) == (not warned)
    if SARIF_SCHEMA:
        with open(SARIF_SCHEMA, encoding="utf-8") as file:
            official = json.load(file)
        jsonschema.validators.validator_for(official)(official).validate(log)
    return run


def check_element(element):
    children, attributes = JUNIT[element.tag]
    assert set(element.keys()) == set(attributes), element.tag
    for name, pattern in attributes.items():
        assert re.fullmatch(pattern, element.get(name), re.S), (element.tag, name, element.get(name))
    order = [child.tag for child in element]
    assert order == sorted(order, key=children.index), f"{element.tag} has {order}"
    assert all(order.count(tag) <= 1 for tag in ONCE) and NEEDED.get(element.tag, set()) <= set(order), order
    assert order.count("failure") + order.count("error") <= 1
    for child in element:
        check_element(child)


def check_junit(text, tmp_path):
    root = xml.fromstring(text)
    assert root.tag == "testsuites"
    check_element(root)
    suite, = root
    cases = suite.findall("testcase")
    assert len({case.get("name") for case in cases}) == len(cases) == int(suite.get("tests"))
    for attribute, tag in (("failures", "failure"), ("errors", "error")):
        assert int(suite.get(attribute)) == sum(case.find(tag) is not None for case in cases)
    if JUNIT_XSD:
        (tmp_path / "junit.xml").write_text(text)
        done = subprocess.run(["xmllint", "--noout", "--schema", JUNIT_XSD, tmp_path / "junit.xml"], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
    return cases


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return golden.unpack(folder := tmp_path_factory.mktemp("recorded")) or folder


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_runs(recorded, pagetrail, tmp_path, name):
    check_sarif(pagetrail("leaks", recorded / name, "--sarif").out)
    assert check_junit(pagetrail("leaks", recorded / name, "--junit").out, tmp_path)


def test_findings_that_are_no_leaks(sites, write, pagetrail, tmp_path):
    kernel = Kernel(sites)
    pages = fault_5(kernel, 3)
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)]
                         + [{"verdict": "POISON", "page": pages[0], "stack": kernel.stack("mm_destroy")}])
    run = write(kernel.machine, name="a b%ü")
    assert {result["ruleId"] for result in check_sarif(pagetrail("leaks", run, "--sarif").out)["results"]} == {"leaked", "POISON"}
    check_junit(pagetrail("leaks", run, "--junit").out, tmp_path)


def place_of(result):
    place = result["locations"][0]["physicalLocation"]
    return f"{place['artifactLocation']['uri']}:{place['region']['startLine']}"


def test_the_line_is_the_suspects_in_every_form(recorded, pagetrail):
    """What leaked in five ways, of two getters, is one entry with the sum, at the line of the suspect."""
    run = recorded / "fault-05"
    place, sentence = "kernel/fs/cached_io.c:31", "inode_read_cached() acquires a page-cache reference at kernel/fs/cached_io.c:31 and never releases it: 320 pages leaked"
    said = {form: pagetrail("leaks", run, *([form] if form else [])).out for form in ("", "--gcc", "--sarif", "--junit", "--markdown")}
    assert said["--gcc"].splitlines()[0] == f"{place}: warning: {sentence}, in 5 ways [leaked]" and said["--gcc"].count("warning:") == 1
    result, = json.loads(said["--sarif"])["runs"][0]["results"]
    assert place_of(result) == place and result["properties"] == {"pages": 320, "objects": 0, "ways": 5}
    failures = list(xml.fromstring(said["--junit"]).iter("failure"))
    assert failures and all(f.get("message") == sentence and f"\nat {place}\n" in f.text for f in failures)
    assert f"| 1 | {sentence}, in 5 ways | {place} |" in said["--markdown"] and "| 2 |" not in said["--markdown"]
    lines = said[""].splitlines()
    assert lines[2] == f"{sentence}, in 5 ways" and lines[3].startswith("evidence: ") and lines[4] == f"place: {place}"


def test_every_form_says_what_is_left_out(recorded, pagetrail, tmp_path):
    """A file that suppresses all, and a question about one test: "no leaks" is not all there is to say, and what was not asked did not pass."""
    (tmp_path / "known").write_text("leak:inode_read_cached\n")
    run, suppressed = recorded / "fault-05", f"suppressed by {tmp_path}/known: 320 pages, 0 objects (1.2 MiB)"
    for words, said, cases in ((["--suppressions", tmp_path / "known"], suppressed, {"write-read", "seek", "bigwrite"}),
                               (["--test", "seek"], "left out: 317 pages, 0 objects (1.2 MiB)", {"seek"})):
        told = {form: pagetrail("leaks", run, *words, form).out for form in ("--gcc", "--sarif", "--junit", "--markdown")}
        assert re.search(rf"^pagetrail: note: .*{re.escape(said)}$", told["--gcc"], re.M)
        assert said in told["--markdown"]
        notes = check_sarif(told["--sarif"])["invocations"][0]["toolExecutionNotifications"]
        assert [note["level"] for note in notes] == ["note"] and notes[0]["message"]["text"].endswith(said)
        assert {case.get("name") for case in check_junit(told["--junit"], tmp_path)} == cases | {"outside of tests", "evidence"}
        assert said in xml.fromstring(told["--junit"]).find("testsuite/system-out").text
    assert "### Pagetrail: no leaks except the suppressed ones\n" in pagetrail("leaks", run, "--suppressions", tmp_path / "known", "--markdown").out


def test_the_suspects_line_is_not_where_it_was_acquired(sites, write, pagetrail):
    kernel = Kernel(sites)
    records = fault_7(kernel)
    kernel.machine.audit([{"verdict": "OBJ", "obj": r, "holder": (12, i)} for i, r in enumerate(records)])
    run = write(kernel.machine)
    result, = json.loads(pagetrail("leaks", run, "--sarif").out)["runs"][0]["results"]
    assert place_of(result) == "kernel/fs/writeback.c:160"
    assert result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] != 160
    gcc = pagetrail("leaks", run, "--gcc").out.splitlines()
    assert gcc[0].startswith("kernel/fs/writeback.c:160: warning: ") and gcc[2].endswith(": note: acquired here")


@pytest.mark.parametrize("spoil", [
    lambda log: log["runs"][0].pop("tool"), lambda log: log.update(version="2.0.0"),
    lambda log: log["runs"][0]["results"][0].update(level="bad"), lambda log: log["runs"][0]["results"][0].update(ruleId="unknown"),
    lambda log: log["runs"][0]["results"][0]["message"].pop("text"), lambda log: log["runs"][0]["results"][0].update(surplus=1),
    lambda log: log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"].update(startLine=0),
    lambda log: log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"].pop("uriBaseId"),
    lambda log: log["runs"][0]["invocations"][0].update(executionSuccessful=False)])
def test_the_rules_of_sarif_refuse(recorded, pagetrail, spoil):
    log = json.loads(pagetrail("leaks", recorded / "fault-05", "--sarif").out)
    check_sarif(json.dumps(log))
    spoil(spoiled := copy.deepcopy(log))
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        check_sarif(json.dumps(spoiled))


@pytest.mark.parametrize("old,new", [(' tests="', ' tests="1'), (' time="', ' took="'), ("<properties/>", ""), (' hostname="localhost"', ""),
                                     ("</failure>", '</failure><failure type="a" message="b"/>'), ("<system-err/>", "<output/>"),
                                     (' timestamp="', ' timestamp="Sat ')])
def test_the_rules_of_junit_refuse(recorded, pagetrail, tmp_path, old, new):
    text = pagetrail("leaks", recorded / "fault-05", "--junit").out
    assert old in text
    with pytest.raises((AssertionError, KeyError, ValueError)):
        check_junit(text.replace(old, new, 1), tmp_path)
