# SPDX-License-Identifier: MIT
"""The measure itself: that each kind of mutant does what it says, that the verdict on a report is the right one, that the list of
functions is complete. No machine is started here; test_sample.py runs mutants.
"""
import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths

sys.path.insert(0, str(Path(__file__).resolve().parent))
import csource  # noqa: E402 (the path above)
import judge  # noqa: E402
import mutate  # noqa: E402
import run as driver  # noqa: E402
import table  # noqa: E402
import why  # noqa: E402
import workloads  # noqa: E402

LISTS = {"release": {"page_put", "->close", "drop"}, "get": {"page_get"}, "not": set()}

# A world that counts what is called, and with what.
PROGRAM = r"""
int printf(const char *, ...);
enum { REF_IO, REF_CACHE };
struct page { int puts, gets, ref; };
struct ops { void (*close)(struct page *); };
static int nr_after;
static _Bool page_put(struct page *page, int ref)
{
	page->puts++;
	page->ref = ref;
	return 1;
}
static void page_get(struct page *page, int ref) { page->gets++; page->ref = ref; }
static void drop(struct page *page) { page->puts++; }
static const struct ops ops = {drop};
#define PUT_TWICE(page) (page_put(page, REF_IO), page_put(page, REF_IO))

static int work(struct page *page, struct page *other)
{
	page_get(page,
		 REF_CACHE);
	page_put(page, REF_CACHE); /* page_put(page, REF_CACHE); */
	nr_after++;
	return 0;
}

static int value(struct page *page) { return page_put(page, REF_CACHE) ? 10 : 20; }
static void by_member(const struct ops *o, struct page *page) { o->close(page); }
static void in_macro(struct page *page) { PUT_TWICE(page); }
static void holding_lock(struct page *page, void (*unlock)(void), void (*lock)(void))
{
	drop(page);
	nr_after++;
}

int main(void)
{
	struct page page = {0}, other = {0}, third = {0}, macro = {0};
	int sum = 0, results = 0;

	for (int i = 0; i < 16; i++) {
		results += work(&page, &other);
		sum += value(&third);
		by_member(&ops, &third);
	}
	in_macro(&macro);
	holding_lock(&macro, 0, 0);
	printf("puts=%d gets=%d ref=%d other=%d after=%d results=%d third=%d sum=%d macro=%d\n", page.puts, page.gets, page.ref,
	       other.puts, nr_after, results, third.puts, sum, macro.puts);
	return 0;
}
"""
UNCHANGED = {"puts": 16, "gets": 16, "ref": 1, "other": 0, "after": 17, "results": 0, "third": 32, "sum": 160, "macro": 3}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The program as a Source, and its mutants by id."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "world.c").write_text(PROGRAM)
    source = csource.read_source(folder, "world.c")
    sites = list(mutate.sites({"world.c": source}, LISTS))
    mutants = {mutant.id: mutant for site in sites for mutant in mutate.mutants_of_site(*site, LISTS)}
    return folder, source, mutants, sites


def outcome(folder, text, name="changed"):
    """Compiles a text, warnings being errors as in the kernel, and runs it: what the program counted."""
    source = folder / f"{name}.c"
    source.write_bytes(text)
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-o",
                    folder / name, source], check=True)
    said = subprocess.run([folder / name], check=True, capture_output=True, text=True).stdout
    return {word: int(number) for word, number in re.findall(r"(\w+)=(-?\d+)", said)}


EXPECTED = {
    "work.page_put.1.delete": {"puts": 0},
    "work.page_put.1.eighth": {"puts": 14},
    "work.page_put.1.variable": {"puts": 0, "other": 16},
    "work.page_put.1.refkind": {"ref": 0},
    "work.page_put.1.early": {"puts": 14, "after": 15, "results": -24},
    "work.page_get.1.get": {"gets": 32},
    "work.page_get.1.refkind": {},  # the put behind it writes the kind again
    "value.page_put.1.delete": {"third": 16, "sum": 320},
    "value.page_put.1.eighth": {"third": 30, "sum": 180},
    "value.page_put.1.refkind": {},
    "by_member.close.1.delete": {"third": 16},
    "by_member.close.1.eighth": {"third": 30},
    "holding_lock.drop.1.delete": {"macro": 2},
    "holding_lock.drop.1.eighth": {},  # it is called once
    "holding_lock.drop.1.early": {},
}


def test_the_program_unchanged(world):
    folder, source, _, _ = world
    assert outcome(folder, source.text) == UNCHANGED


def test_every_call_and_kind_is_there_and_nothing_of_macros_and_comments(world):
    _, _, mutants, _ = world
    assert set(mutants) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_mutant_does_what_its_kind_says(world, name):
    folder, source, mutants, _ = world
    text = mutate.mutated(source.text, mutants[name])
    assert text.count(b"\n") == source.text.count(b"\n")
    assert outcome(folder, text, name) == {**UNCHANGED, **EXPECTED[name]}


def test_counters_count_and_change_nothing(world):
    folder, source, _, sites = world
    text = mutate.counted(source, [(site[3], number) for number, site in enumerate(sites)])
    names = [site[0] for site in sites]
    text += b"""
unsigned long mutant_hits[%d];
__attribute__((destructor)) static void say(void)
{
	for (int i = 0; i < %d; i++)
		printf("hits%%d=%%d ", i, (int)mutant_hits[i]);
}
""" % (len(sites), len(sites))
    counted = outcome(folder, text, "counted")
    hits = {names[int(key[4:])]: counted.pop(key) for key in list(counted) if key.startswith("hits")}
    assert counted == UNCHANGED
    assert hits == {"work.page_get.1": 16, "work.page_put.1": 16, "value.page_put.1": 16, "by_member.close.1": 16,
                    "holding_lock.drop.1": 1}


# ---- the list of functions ----

RELEASE_VERB = re.compile(r"(^|_)(put|free|release|drop|destroy|discard|close|forget|unpin|detach)(_|$)")
DECLARED = re.compile(r"^(?!\s|#|/|\*|typedef).*?(\w+)\((?!\*)", re.M)


def undecided(headers, lists):
    """Functions that headers declare under the name of a release and that the list says nothing of."""
    decided = lists["release"] | lists["get"] | lists["not"]
    names = {name for text in headers for name in DECLARED.findall(text)}
    return sorted(name for name in names if RELEASE_VERB.search(name) and name not in decided)


def kernel_headers():
    return [path.read_text() for path in [*paths.ROOT.glob("kernel/include/kernel/*.h"), *paths.ROOT.glob("kernel/*/*_priv.h")]]


def test_list_decides_every_release_of_the_headers():
    assert not undecided(kernel_headers(), mutate.read_functions())


def test_a_release_that_nobody_decided_is_seen():
    assert undecided(["void gadget_put(struct gadget *gadget);\n"], mutate.read_functions()) == ["gadget_put"]


def test_list_names_no_function_that_is_gone():
    text = "\n".join(path.read_text() for path in paths.ROOT.glob("kernel/**/*.[ch]"))
    gone = [name for word in ("release", "get") for name in mutate.read_functions()[word]
            if not re.search(rf"\b{re.escape(name.removeprefix('->'))}\(", text) and not name.startswith("->")]
    assert not gone


# ---- the verdict on a report ----

GRAPH = {"outer": ["middle"], "middle": ["inner"], "inner": []}


def report(suspect="middle", confidence="likely", groups=True, **more):
    missing = {"how": "same-path", "suspect": suspect, "confidence": confidence, "suspect_place": "", "put": [],
               "suspect_caller": None}
    group = {"get": [{"function": "quoted"}], "missing_release": {**missing, **more.pop("missing", {})}}
    return {"verdict": "leaked", "panic": None, "other_findings": 0, "findings": [], "groups": [group] if groups else [], "end": None, **more}


def ended(suspect=None, confidence="certain", **more):
    """In a panic, a finding or the limit."""
    return report(groups=False, end={"suspect": suspect, "confidence": confidence, "rule": "only-code", "suspect_place": None,
                                     "freed": [{"function": "quoted"}]}, **more)


DBL = {"verdict": "DBL", "stack": [{"function": "finder", "file": "a.c", "line": 1}]}


@pytest.mark.parametrize("truth, leaks, end, detected, what", [
    ("middle", report(), "poweroff", "leaks", "exact"),
    ("inner", report(), "poweroff", "leaks", "near"),
    ("outer", report(), "poweroff", "leaks", "near"),
    ("quoted", report(), "poweroff", "leaks", "near"),
    ("stranger", report(), "poweroff", "leaks", "wrong"),
    ("called", report(missing={"suspect_caller": "called"}), "poweroff", "leaks", "near"),
    ("stranger", report(confidence="none"), "poweroff", "leaks", "none"),
    ("middle", report(confidence="none"), "poweroff", "leaks", "none"),
    ("middle", report(confidence="certain"), "poweroff", "leaks", "exact"),
    ("middle", report(suspect=None), "poweroff", "leaks", "none"),
    ("middle", report(groups=False), "poweroff", "-", "missed"),
    ("middle", ended(), "timeout", "hang", "none"),
    ("middle", ended("middle"), "timeout", "hang", "exact"),
    ("middle", ended(panic="panic: it"), "panic", "panic", "none"),
    ("middle", ended("middle", panic="panic: it"), "panic", "panic", "exact"),
    ("middle", ended("middle", "none", panic="panic: it"), "panic", "panic", "none"),
    ("middle", ended(other_findings=1, findings=[DBL]), "poweroff", "finding", "none"),
    ("middle", ended("middle", other_findings=1, findings=[DBL]), "poweroff", "finding", "exact"),
    ("stranger", ended("middle", other_findings=1, findings=[DBL]), "poweroff", "finding", "wrong"),
    ("finder", ended("middle", other_findings=1, findings=[DBL]), "poweroff", "finding", "near"),
    ("quoted", ended("middle", other_findings=1, findings=[DBL]), "poweroff", "finding", "near"),
    ("middle", {**ended("middle"), **report(suspect="inner", other_findings=1, findings=[DBL])}, "poweroff", "leaks", "near"),
])
def test_verdict(truth, leaks, end, detected, what):
    row = judge.judge("x.y.1.delete", truth, leaks, end, GRAPH, [])
    assert (row["detected"], row["class"]) == (detected, what)


def test_equivalent_explains_only_what_is_not_detected():
    equivalent = [("x.*", "nothing is behind it")]
    assert judge.judge("x.y.1.delete", "middle", report(groups=False), "poweroff", GRAPH, equivalent)["class"] == "equal"
    assert judge.judge("z.y.1.delete", "middle", report(groups=False), "poweroff", GRAPH, equivalent)["class"] == "missed"
    assert judge.judge("x.y.1.delete", "middle", report(), "poweroff", GRAPH, equivalent)["class"] == "exact"


def test_every_reason_has_a_sentence():
    assert all(pattern and len(reason.split()) >= 4 for pattern, reason in judge.read_equivalent())


def test_a_baseline_without_its_code():
    """The last line counts what is left: the node 0, a node, a life."""
    text = "pagetrail-baseline 2\nbuild b\nworkload w\nn 0 1 f\nl pte 1 1 1 2\nc f g 1\ns f 1 2 3\nend 5\n"
    assert driver.without_code(text) == "pagetrail-baseline 2\nbuild b\nworkload w\nn 0 1 f\nl pte 1 1 1 2\nend 3\n"


# ---- what why says ----

def test_what_why_names_first():
    nobody, one = {"to_blame": None, "rule": "none"}, {"to_blame": {"function": "inner"}, "rule": "lost"}
    assert why.blamed({"groups": [nobody, one]}) == ("inner", "lost")
    assert why.blamed({"groups": [nobody]}) == ("", "")


def test_rows_of_why_are_kept_and_counted(tmp_path):
    """Of a machine that leaked nothing when it ran again, nothing is counted but what its recorded run said."""
    path = tmp_path / "why.csv"
    for number, what in enumerate(("exact", "no answer", "no leak")):
        why.append_row(path, {"id": str(number), "function": "middle", "class": "near", "why_class": what, "events_class": "wrong",
                              "both_class": "exact"})
    rows = why.read_rows(path)
    assert list(rows) == ["0", "1", "2"]
    every = [{"id": str(number), "class": "near", "path": "error" if number else "normal"} for number in range(4)]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in why.summary(rows.values(), every).splitlines()[2:]]
    assert [line[1:] for line in lines] == [
        ["2", "0 (0 %)", "2 (100 %)", "0 (0 %)", "0 (0 %)"], ["2", "1 (50 %)", "0 (0 %)", "0 (0 %)", "1 (50 %)"],
        ["2", "0 (0 %)", "0 (0 %)", "2 (100 %)", "0 (0 %)"], ["2", "2 (100 %)", "0 (0 %)", "0 (0 %)", "0 (0 %)"],
        ["4", "2 (50 %)", "2 (50 %)", "0 (0 %)", "0 (0 %)"], ["3", "1 (33 %)", "2 (67 %)", "0 (0 %)", "0 (0 %)"]]


# ---- rows and table ----

def row(number, what, kind="delete", path="normal", rule="same-path"):
    return {"id": f"f.g.{number}.{kind}", "kind": kind, "path": path, "class": what, "rule": rule, "call": "g",
            "alone_class": "", "codeless_class": ""}


def test_table_counts_detected_of_really_and_classes_of_detected():
    rows = [row(1, "exact"), row(2, "near"), row(3, "missed", rule=""), row(4, "equal", rule=""), row(5, "not run", rule=""),
            row(6, "wrong", path="error")]
    assert table.counts("all", rows) == ["all", "6", "5", "4", "3 (75 %)", "1 (33 %)", "1 (33 %)", "1 (33 %)", "0 (0 %)"]
    text = table.summary(rows)
    assert "deleted on an error path" in text and "missed, by the call: g 1" in text


def test_rows_are_appended_and_the_last_of_an_id_counts(tmp_path):
    path = tmp_path / "mutants.csv"
    for what in ("near", "exact"):
        table.append_row(path, row(1, what))
    table.append_row(path, row(2, "missed"))
    with open(path, newline="") as file:
        assert next(csv.reader(file)) == list(table.COLUMNS)
    assert {name: known["class"] for name, known in table.read_rows(path).items()} == {"f.g.1.delete": "exact", "f.g.2.delete": "missed"}


def test_a_sample_is_the_beginning_of_a_larger_one(world):
    _, _, mutants, _ = world
    ten, five = (driver.in_order(mutants.values(), number, "") for number in (10, 5))
    assert ten[:5] == five
    assert [mutant.id for mutant in driver.in_order(mutants.values(), 0, "work.*get,value.*delete")] == \
        [mutant.id for mutant in driver.in_order(mutants.values(), 0, "") if mutant.id in ("work.page_get.1.get", "value.page_put.1.delete")]


def test_workloads_name_tests_that_exist():
    text = "\n".join(path.read_text() for path in paths.ROOT.glob("user/bin/**/*.c"))
    for workload in workloads.all_workloads().values():
        for word in workload.words.split()[1:]:
            assert f'"{word}"' in text, f"{workload.name}: {word}"
