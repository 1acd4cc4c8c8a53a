# SPDX-License-Identifier: MIT
"""What --json says, of every command, against the schema that docs/JSON.md is written from; and that the schema refuses."""
import copy
import json
import re
import subprocess

import jsonschema
import pytest
from harness import paths
from harness.tool import LEAKED
from test_leaks import Kernel, fault_5

FORMS = paths.ROOT / "trace-tools/json/forms.py"


@pytest.fixture(scope="module")
def schema():
    return json.loads((paths.ROOT / "docs/pagetrail.schema.json").read_text())


@pytest.fixture
def check(schema, pagetrail):
    """Runs a command with --json; what it says fits the form of that command, and no other."""
    def check(command, *words, status=None):
        result = pagetrail(command, "--json", *words)
        said = result.json()
        jsonschema.Draft202012Validator({**schema, "oneOf": [{"$ref": f"#/$defs/command_{command}"}]}).validate(said)
        assert status is None or result.status == status, result.err
        return said
    return check


@pytest.fixture
def run(sites, write):
    kernel = Kernel(sites)
    kernel.machine.sample()
    pages = fault_5(kernel)
    kernel.machine.obj_alloc("dirty", (12, 0), kernel.stack("ext2_file_write"))
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)]
                         + [{"verdict": "POISON", "page": pages[0], "stack": kernel.stack("mm_destroy")}])
    return write(kernel.machine)


def test_documents_are_current():
    for what, path in (("schema", "docs/pagetrail.schema.json"), ("markdown", "docs/JSON.md")):
        made = subprocess.run([FORMS, what], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert made == (paths.ROOT / path).read_text(), "run `make docs`"


def test_every_command_that_has_json_has_a_form(schema, pagetrail):
    commands = re.findall(r"^  (\w+) +\S", pagetrail("help").out, re.M)
    with_json = {c for c in commands if re.search(r"^  --json ", pagetrail(c, "--help").out, re.M)}
    assert {f"command_{c}" for c in with_json} == {d for d in schema["$defs"] if d.startswith("command_")}
    # A description is written for programs as it is; what `watch` found is asked for with `leaks RUN --json`: while it
    # runs, the terminal is the watched command's.
    assert set(commands) - with_json == {"describe", "watch", "baseline"}


@pytest.mark.parametrize("words", [
    ["summary"], ["leaks"], ["leaks", "--test", "write-read"], ["leaks", "--pid", "7", "--kind", "pagecache"],
    ["live"], ["live", "--by", "stack"], ["live", "--by", "pid"], ["live", "--at", "write-read"],
    ["stacks"], ["top"], ["dump"], ["dump", "--resolve", "--limit", "5"], ["diff", "--to", "write-read:end"],
    ["diff", "--from", "write-read", "--all"]], ids=" ".join)
def test_of_a_run(check, run, words):
    check(words[0], run, *words[1:])


def test_page(check, run, pagetrail):
    group, = check("leaks", run)["groups"][:1]
    check("page", run, hex(group["items"][0]["pfn"]))
    check("page", run, "0x87fff")


def test_leaks_against_a_healthy_run(check, run, sites, write, sanitized):
    healthy = Kernel(sites)
    healthy.begin(7, "reader")
    page = healthy.write_page(12, 0)
    healthy.read_page(page, 0)
    healthy.drop(page, 12, 0)
    healthy.end(7)
    healthy.machine.audit([])
    folder = write(healthy.machine, "healthy")
    check("leaks", run, "--baseline", folder)
    assert sanitized("leaks", run, "--baseline", folder).status == LEAKED


def test_what_was_written(check, run, tmp_path):
    assert check("report", run, "-o", tmp_path / "r.html")["files"] == [str(tmp_path / "r.html")]
    assert len(check("plot", run, "-o", tmp_path / "p")["files"]) == 2
    for name in ("speedscope", "collapsed", "csv", "sqlite", "perfetto"):
        said = check("export", run, f"--{name}", "-o", tmp_path / name)
        assert said["format"] == name and (tmp_path / name).stat().st_size


def test_losses(check, sites, write):
    kernel = Kernel(sites)
    kernel.machine.streams[0].discard(3)
    run = write(kernel.machine, "lossy")
    for command in ("summary", "leaks", "dump", "stacks", "live"):
        assert check(command, run, status=2)["verdict"] == "cannot tell", command


def test_machine_that_ran(check, tmp_path):
    """run, verify, record, recover: of one small machine and the memory that it left."""
    run = tmp_path / "machine"
    said = check("run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--smp", "2", "--out", run, "--keep-ram", "--leaks",
                 "--tests", "--timeout", "120", "--", "usertests fork-wait")
    assert said["verdict"] == "good" and said["leaks"] == "no leaks" and said["guest_status"] == 0
    check("verify", run, status=0)
    assert check("recover", run / "ram", "--kernel", paths.KERNEL, "--out", tmp_path / "again")["end"] == "poweroff"
    assert check("record", run / "ram", tmp_path / "third", "--kernel", paths.KERNEL, "--once")["ended"]


def test_the_schema_refuses(schema, pagetrail, run):
    """A member too many, one too few, one of another type, another verdict: each is a fault."""
    said = pagetrail("leaks", run, "--json").json()
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(said)
    for spoil in (lambda s: s.update(surplus=1), lambda s: s.pop("groups"), lambda s: s.update(pages="10"),
                  lambda s: s.update(verdict="fine"), lambda s: s["groups"][0]["items"][0].pop("acquired"),
                  lambda s: s.update(command="summary")):
        spoiled = copy.deepcopy(said)
        spoil(spoiled)
        assert not validator.is_valid(spoiled)
