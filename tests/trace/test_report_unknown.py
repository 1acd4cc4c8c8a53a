# SPDX-License-Identifier: MIT
"""What is not known is no number, and is said where it is read first: reports, comparisons and tables of runs that are cut off or incomplete."""
import json
import re

import golden
import pytest
from test_leaks import Kernel, fault_5
from test_report import part_of
from harness.tool import CANNOT_TELL, LEAKED, OK

BAD = "no such run"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return golden.unpack(folder := tmp_path_factory.mktemp("recorded")) or folder


@pytest.fixture
def page_of(pagetrail, tmp_path):
    """page_of(words of report): the page, and the status."""
    def page_of(*words):
        done = pagetrail("report", *words, "-o", tmp_path / "page.html")
        return (tmp_path / "page.html").read_text(), done.status
    return page_of


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def head_of(page):
    """The words up to the findings, without what is folded; and the facts of the head."""
    text = page.split('<h2 id="verdict">')[1].split('<h2 id="groups">')[0]
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    return " ".join(re.sub("<[^>]*>", " ", text.split("<details>")[0]).split()), facts


def test_missing_events_are_said_behind_the_verdict(page_of, recorded):
    page, status = page_of(recorded / "discards")
    head, facts = head_of(page)
    assert status == CANNOT_TELL
    assert head.index("Cannot tell; possibly leaked: 0 pages, 1 object ") < head.index("LOSS: 4871 events were discarded") < head.index("record_free()")
    assert (facts["pages possibly leaked"], facts["objects possibly leaked"], facts["free at the end"]) == ("-", "1", "-")
    assert "tests that leaked" not in facts and facts["tests that never ended"] == "1"
    assert re.search(r"bigwrite [\d.]+ - - - clean", part_of(page, "tests"))


def test_a_test_that_never_ended_has_not_leaked(page_of, pagetrail, recorded):
    head, facts = head_of(page := page_of(recorded / "killed")[0])
    assert "not certain: the machine was stopped before its end" in head
    assert facts["tests that leaked"] == "0" and facts["tests that never ended"] == "1" and facts["pages possibly leaked"] == "-"
    assert "fork-wait never ended 27,400 - - not audited" in part_of(page, "tests")
    assert re.search(r"^fork-wait +27400 +- +- +not audited +-  never ended$", pagetrail("summary", recorded / "killed", "--tests").out, re.M)


def test_what_is_broken_has_not_leaked(page_of, sites, write):
    kernel = Kernel(sites)
    page = kernel.machine.alloc("PIPE", "PIPE", (1, 0), kernel.stack("sys_write"))
    kernel.machine.put(page, "PIPE", (1, 0), kernel.stack("sys_write"))
    kernel.machine.audit([{"verdict": "POISON", "page": page, "stack": kernel.stack("mm_destroy")}])
    page, status = page_of(write(kernel.machine))
    assert status == LEAKED and head_of(page)[0].startswith("Verdict Broken: what was found is no leak")


def test_holders_of_a_watched_kernel_are_not_known(page_of, recorded):
    page = page_of(recorded / "cow")[0]
    rows = re.findall(r"<tr><td class=\"n\">\d+</td><td>.*?</td><td class=\"n\">[\d,]+</td><td class=\"n\">(.*?)</td>", page.split('id="processes"')[1])
    assert len(rows) > 5 and set(rows) == {"-"}


@pytest.mark.parametrize("name", ["fault-05", "fault-07", "cow", "discards"])
def test_what_leaked_adds_up(page_of, pagetrail, recorded, name):
    """By step, call site and process, however many they are: the sums are those of the verdict."""
    leaks = pagetrail("leaks", recorded / name, "--json").json()
    flat = data_of(page_of(recorded / name)[0])["leaks"]
    entries = [flat[i:i + 5] for i in range(0, len(flat), 5)]
    assert sum(number for *_, is_object, number in entries if not is_object) == leaks["pages"]
    assert sum(number for *_, is_object, number in entries if is_object) == leaks["objects"]
    assert len({tuple(entry[:4]) for entry in entries}) == len(entries) > 0


def test_more_leaks_than_a_list_would_hold(page_of, sites, write):
    kernel = Kernel(sites)
    pages = fault_5(kernel, 21000)
    kernel.machine.audit([{"verdict": "UNREACH", "page": page, "holder": (12, i)} for i, page in enumerate(pages)])
    data = data_of(page_of(write(kernel.machine))[0])
    assert sum(data["leaks"][4::5]) == 21000 == sum(data["sites"][10::12])


@pytest.mark.parametrize("a, b", [("clean", "killed"), ("killed", "clean"), ("panic", "clean"), ("discards", "clean")])
def test_two_runs_of_which_one_is_cut_off(page_of, pagetrail, recorded, a, b):
    reason = {"killed": "the machine was stopped before its end", "panic": "the kernel panicked before its end",
              "discards": "events are missing"}
    side, cut = ("A", a) if a != "clean" else ("B", b)
    page, status = page_of(recorded / a, recorded / b)
    assert status == CANNOT_TELL and f"{side}: not certain: {reason[cut]}" in part_of(page, "runs")
    done = pagetrail("diff", recorded / a, recorded / b)
    assert done.status == CANNOT_TELL
    if cut != "discards":
        assert f"{side} is not compared at its end: {reason[cut]}\n" in done.out
        assert pagetrail("diff", recorded / a, recorded / b, "--json").json()[side.lower()]["stopped_early"] == reason[cut]


def test_two_runs_at_instants_that_both_have(page_of, pagetrail, recorded):
    runs = recorded / "clean", recorded / "killed"
    assert pagetrail("diff", *runs, "--from", "fork-wait", "--to", "fork-wait").status == OK
    assert page_of(recorded / "killed", recorded / "fault-05")[1] == LEAKED
    assert re.search(r"fork-wait [\d.]+ 0 never ended - ", part_of(page_of(*runs)[0], "tests"))


def test_pictures_of_two_runs_of_which_one_was_stopped(pagetrail, recorded, tmp_path):
    done = pagetrail("plot", recorded / "clean", recorded / "killed", "-o", tmp_path / "p")
    assert done.status == CANNOT_TELL and "killed is not compared at its end: the machine was stopped" in done.err
    assert (tmp_path / "p.svg").exists()


def test_a_report_is_made_with_what_leaks_is_given(page_of, pagetrail, recorded, tmp_path):
    """Suppressions and the baseline are those of `leaks`: the same verdict and the same suspects."""
    known = tmp_path / "known"
    known.write_text("leak:inode_read_cached\n")
    words = [recorded / "fault-05", "--suppressions", known]
    page, status = page_of(*words)
    assert status == pagetrail("leaks", *words).status == OK
    assert head_of(page)[0].startswith("Verdict No leaks except the suppressed ones") and f"suppressed by {known}: 320 pages, 0 objects" in head_of(page)[0]
    assert not data_of(page)["leaks"]
    words = [recorded / "fault-05", "--baseline", recorded / "clean"]
    evidence = pagetrail("leaks", *words, "--json").json()["groups"][0]["missing_release"]
    assert f"rule {evidence['rule']} named" in page_of(*words)[0]
    assert "--baseline: of one run" in pagetrail("report", recorded / "clean", *words).err


@pytest.mark.parametrize("words", [["--baseline", BAD], ["--suppressions", BAD]], ids=lambda words: words[0])
def test_run_reads_its_files_before_it_boots(pagetrail, tmp_path, words):
    done = pagetrail("run", "--leaks", *words, "--out", tmp_path / "run", "--", "true")
    assert done.status == CANNOT_TELL and BAD in done.err and not (tmp_path / "run").exists()
