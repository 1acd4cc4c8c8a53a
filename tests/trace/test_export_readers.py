# SPDX-License-Identifier: MIT
"""What `pagetrail export` writes of the recorded runs, opened by other people's readers: jsonschema, protoc, sqlite3."""
import json
import re
import subprocess
from pathlib import Path

import golden
import jsonschema
import pytest
from harness import paths

SCHEMA = Path(__file__).resolve().parent / "schema"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    golden.unpack(folder)
    return folder


@pytest.fixture(params=golden.RUNS)
def run(recorded, request):
    return recorded / request.param


@pytest.fixture
def exported(pagetrail, run, tmp_path):
    """exported(format): the file. Runs with losses give status 2 and a whole file all the same."""
    def exported(form):
        done = pagetrail("export", f"--{form}", run, "-o", tmp_path / form)
        assert done.status == (2 if run.name in ("discards", "overwritten") else 0), done.err
        return tmp_path / form
    return exported


def schema():
    return json.loads((SCHEMA / "speedscope.json").read_text())


def test_speedscope_by_its_schema(pagetrail, run, exported):
    file = json.loads(exported("speedscope").read_text())
    jsonschema.Draft7Validator(schema()).validate(file)
    nr_frames = len(file["shared"]["frames"])
    for profile in file["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert max((max(sample) for sample in profile["samples"]), default=0) < nr_frames
        assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"]
    taken = file["profiles"][2]["endValue"]
    assert taken == pagetrail("summary", run, "--json").json()["by_event"]["page_alloc"]


@pytest.mark.parametrize("change", [lambda f: f["profiles"][0].update(unit="pages"), lambda f: f["profiles"][0].pop("samples"),
                                    lambda f: f["shared"]["frames"][0].update(line=0), lambda f: f.update(extra=1)])
def test_the_schema_refuses(recorded, pagetrail, change):
    file = json.loads(pagetrail("export", "--speedscope", recorded / "clean").out)
    jsonschema.Draft7Validator.check_schema(schema())
    change(file)
    assert not jsonschema.Draft7Validator(schema()).is_valid(file)


def decoded(file):
    """What protoc makes of it, as text; a field that the .proto does not have is a failure."""
    with open(file, "rb") as data:
        done = subprocess.run(["protoc", "--decode=Trace", f"-I{SCHEMA}", "perfetto.proto"], stdin=data, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert not re.search(r"^\s*\d+[:\s]", done.stdout, re.M), "a field that TrackEvent does not have"
    return done.stdout


def test_perfetto_by_protoc(pagetrail, run, exported):
    text = decoded(exported("perfetto"))
    summary, leaks = (pagetrail(command, run, "--json").json() for command in ("summary", "leaks"))
    packets = text.split("\npacket {")
    by_type = {kind: sum(f"type: TYPE_{kind}\n" in packet for packet in packets)
               for kind in ("SLICE_BEGIN", "SLICE_END", "INSTANT", "COUNTER", "UNSPECIFIED")}
    assert by_type["SLICE_BEGIN"] == by_type["SLICE_END"] == len(summary.get("tests", []))
    assert by_type["INSTANT"] == sum(len(group["items"]) for group in leaks["groups"])
    assert by_type["COUNTER"] > 0 and by_type["UNSPECIFIED"] == 0
    tracks = set(re.findall(r"track_descriptor \{\s+uuid: (\d+)", text))
    assert set(re.findall(r"track_uuid: (\d+)", text)) <= tracks
    assert text.count("sequence_flags: 1") == 1 and len(re.findall(r"trusted_packet_sequence_id: 1\n", text)) == len(packets)


def test_protoc_notices_a_strange_field(recorded, pagetrail, tmp_path):
    pagetrail("export", "--perfetto", recorded / "clean", "-o", tmp_path / "p")
    with open(tmp_path / "p", "ab") as file:
        file.write(bytes([0x0a, 2, 0x78, 1]))  # a packet with field 15
    with pytest.raises(AssertionError, match="a field that"):
        decoded(tmp_path / "p")


def sqlite(file, sql):
    done = subprocess.run(["sqlite3", "-bail", "-header", file, sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    assert done.returncode == 0 and not done.stderr, f"{sql}\n{done.stderr}"
    return done.stdout.splitlines()


def test_sqlite_by_its_shell(pagetrail, run, exported):
    file = exported("sqlite")
    assert sqlite(file, "PRAGMA integrity_check") == ["integrity_check", "ok"]
    events = pagetrail("summary", run, "--json").json()["events"]
    assert sqlite(file, "SELECT count(*) AS nr FROM events") == ["nr", str(events)]
    queries = re.findall(r"```sql\n(.*?)```", (paths.ROOT / "docs/EXPORTS.md").read_text(), re.S)
    assert len(queries) == 5
    answers = [sqlite(file, query) for query in queries]
    assert len(answers[0]) > 5 and len(answers[2]) > 3
    if run.name.startswith("fault"):
        assert all(len(answer) > 1 for answer in answers[3:]), "of a run that lost something, who is suspected"
