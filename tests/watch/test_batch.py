# SPDX-License-Identifier: MIT
"""`pagetrail batch`: many trees, one table.

Verified here: BATCH-1 (no number that is not known), BATCH-2 (an interrupted batch knows what is left), BATCH-3 (nothing that a
tree's command started still runs when it is done).
"""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest
from harness import paths
from harness.tool import CANNOT_TELL, LEAKED, OK, pagetrail, read_until
from watching import QEMU, finish, kernels, shell_words

# What each leaky kernel's suspect is; "": no rule is good enough, and none is named.
LEAKY = {"small-cow-u8-sole_owner_leaks": "cow_fault", "small-plain-shrink_keeps": "uvmdealloc",
         "small-kpt-stack_stays": "kpt_destroy", "small-plain-pipe_page_stays": "", "small-plain-refused_fault_keeps": ""}
FIELDS = ("status", "verdict", "pages", "suspect", "place", "reason", "output", "tests", "tests_line")
CLEAN = ["small-plain", "small-O2", "small-cow-u8", "small-cow-int", "small-percpu", "small-kpt", "small-all"]


def tree(folder, rule):
    """A tree with a Makefile whose `qemu` has this rule; its path."""
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text("qemu:\n" + "".join(f"\t@{line}\n" for line in rule))
    return folder


def boots(folder, name, smp=1):
    words = [QEMU, *kernels.qemu_command(name, smp)[1:]]
    return tree(folder, [shell_words(words)])


def does_not_build(folder):
    (made := tree(folder, ["$(CC) -c main.c", "echo never reached"])).joinpath("main.c").write_text("int main(void) { return\n")
    return made


def hangs(folder, seconds=1000):
    """Its command never ends, and leaves a process behind that has run away from it."""
    return tree(folder, [f"setsid sh -c 'echo $$$$ > runaway; exec sleep {seconds}' & sleep {seconds}"])


def batch(*words, cwd=None, limit=300):
    return pagetrail("batch", *words, cwd=cwd, timeout=limit)


def rows(done):
    return {row["tree"]: row for row in done.json()["trees"]}


def is_running(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"


@pytest.fixture(scope="module")
def class_of_twenty(tmp_path_factory):
    """(Result of --json --html, folder): seven clean trees, seven with a mistake, three that do not build, three that hang."""
    folder = tmp_path_factory.mktemp("class")
    trees = [hangs(folder / "t/hangs-1"), hangs(folder / "t/hangs-2"), boots(folder / "t/hangs-3", "small-prompt"),
             *(does_not_build(folder / f"t/does not build {n}") for n in (1, 2)), tree(folder / "t/fails", ["exit 3"]),
             *(boots(folder / f"t/{name}", name) for name in [*LEAKY, *CLEAN]),
             boots(folder / "t/freed-twice", "small-plain-munmap_frees_twice"),
             boots(folder / "t/list-broken", "small-percpu-steal_drops", smp=2)]
    assert len(trees) == 20
    done = batch("--json", "--html", "--jobs", 6, "--timeout", 25, "--watch", "make qemu", "-o", folder / "out", *trees)
    return done, folder


@pytest.fixture(scope="module")
def clean_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    assert pagetrail("watch", "--out", folder / "run", "make", "qemu", cwd=boots(folder / "tree", "small-plain")).status == OK
    return folder / "run"


def console(row):
    return kernels.Console(Path(row["output"]).read_text(errors="replace"))


def test_the_right_table(class_of_twenty):
    done, _ = class_of_twenty
    table = rows(done)
    assert done.status == LEAKED and done.json()["verdict"] == "leaked" and len(table) == 20, done.err
    for name in CLEAN:
        assert (table[name]["status"], table[name]["pages"], table[name]["reason"]) == ("no leaks", 0, None), table[name]
    for name, suspect in LEAKY.items():
        row = table[name]
        assert row["status"] == "leaked" and row["pages"] == len({truth.address for truth in console(row).truths()}) > 0
        assert (row["suspect"] or "") == suspect and re.fullmatch(r"tests/foreign/small/\w+\.c:\d+", row["place"]), row
    for name in ("freed-twice", "list-broken"):
        assert (table[name]["status"], table[name]["verdict"], table[name]["pages"]) == ("broken", "leaked", 0), table[name]
        assert table[name]["findings"] > 0 and table[name]["what"]
    for name in ("does not build 1", "does not build 2"):
        assert table[name]["status"] == "no machine" and "the command ended with status 2 before" in table[name]["reason"]
        assert re.search(r"started: main\.c:1:\d+: error: expected ", table[name]["reason"]), table[name]["reason"]
        assert "main.c:1:" in Path(table[name]["output"]).read_text()
    assert "status 2 before" in table["fails"]["reason"] and "Error 3" in table["fails"]["reason"]
    assert table["hangs-1"]["reason"] == "ended after the --timeout; no machine had started"
    assert re.fullmatch(r"ended after the --timeout; its last line: \S.*", table["hangs-3"]["reason"]), table["hangs-3"]
    said = kernels.Console((Path(table["hangs-3"]["runs"][0]) / "logs/console.log").read_text(errors="replace"))
    assert said.text.split("\n")[-1].strip() in table["hangs-3"]["reason"]
    for name in ("hangs-1", "hangs-2", "hangs-3"):
        assert (table[name]["status"], table[name]["verdict"]) == ("timed out", "cannot tell"), table[name]
    # BATCH-1
    assert {row["pages"] for row in table.values() if row["status"] in ("no machine", "timed out")} == {None}


def test_the_forms_say_the_same(class_of_twenty):
    done, folder = class_of_twenty
    schema = json.loads((paths.ROOT / "docs/pagetrail.schema.json").read_text())
    jsonschema.Draft202012Validator({**schema, "oneOf": [{"$ref": "#/$defs/command_batch"}]}).validate(done.json())
    table = rows(done)
    # Nothing is left to do: the rows are read again.
    words = ["--resume", "--timeout", 25, "--watch", "make qemu", "-o", folder / "out", *sorted((folder / "t").iterdir())]
    text, as_csv = batch(*words), batch("--csv", *words)
    assert text.status == as_csv.status == LEAKED
    # A name that is long has its cells on the next line.
    lines = {line.split("  ")[0]: line for line in re.sub(r"(?m)^(\S{29,})\n +", r"\1  ", text.out).splitlines()}
    for name, row in table.items():
        assert row["status"] in lines[name]
        assert (f"{row['suspect']}() at {row['place']}" in lines[name]) == bool(row["suspect"])
    assert "\n20 trees: 5 leaked, 2 broken, 7 no leaks, 3 timed out, 3 no machine\ntests: " in text.out, text.out
    assert "main.c:1:" in lines["does not build 1"] and "main.c:1:" in (folder / "out/index.html").read_text()
    read = {row["tree"]: row for row in csv.DictReader(io.StringIO(as_csv.out))}
    for name, row in table.items():
        assert [read[name][key] for key in FIELDS] == ["" if row[key] is None else str(row[key]) for key in FIELDS]


def test_the_page_links_to_what_is_there(class_of_twenty):
    done, folder = class_of_twenty
    page = (folder / "out/index.html").read_text()
    links = set(re.findall(r'href="([^"]+)"', page))
    assert {link for link in links if not (folder / "out" / link.replace("%20", " ")).is_file()} == set()
    for name, row in rows(done).items():
        assert f">{name}</a>" in page or (not row["reports"] and f">{name}</th>" in page)
        assert f"trees/{name.replace(' ', '%20')}/output.txt" in links
        assert (f"trees/{name}/report.html" in links) == bool(row["runs"])
    assert "http" not in page


def test_nothing_that_a_tree_started_runs_on(class_of_twenty):
    _, folder = class_of_twenty
    for name in ("hangs-1", "hangs-2"):
        assert not is_running(int((folder / f"t/{name}/runaway").read_text())), name


def test_interrupted_and_resumed(tmp_path):
    trees = [boots(tmp_path / "t/a", "small-plain"), hangs(tmp_path / "t/b"), boots(tmp_path / "t/c", "small-plain-shrink_keeps")]
    words = ["--json", "--watch", "make qemu", "-o", tmp_path / "out", *trees]
    process = subprocess.Popen([paths.PAGETRAIL, "batch", "--jobs", "1", *map(str, words)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    read_until(process, "1 of 3: a: no leaks")
    while not (tmp_path / "t/b/runaway").exists() or not (tmp_path / "t/b/runaway").read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = finish(process)
    table = {row["tree"]: row["status"] for row in json.loads(said.out[said.out.index("{"):said.out.rindex("}") + 1])["trees"]}
    assert table == {"a": "no leaks", "b": "not run", "c": "not run"} and said.status == CANNOT_TELL
    assert "interrupted: --resume --out " in said.out and not is_running(int((tmp_path / "t/b/runaway").read_text()))
    # The one that hung is mended meanwhile; what is done is not done again.
    (tmp_path / "t/b/Makefile").write_text((tmp_path / "t/a/Makefile").read_text())
    (tmp_path / "t/a/Makefile").write_text("qemu:\n\t@exit 1\n")
    again = batch("--resume", *words)
    assert {row["tree"]: row["status"] for row in again.json()["trees"]} == {"a": "no leaks", "b": "no leaks", "c": "leaked"}
    assert again.status == LEAKED and "1 of 3: a" not in again.err


def test_an_error_of_ours_costs_one_row(tmp_path):
    """The process that does a tree dies; what it had started ends with the batch."""
    trees = [hangs(tmp_path / "t/a"), boots(tmp_path / "t/b", "small-plain")]
    process = subprocess.Popen([paths.PAGETRAIL, "batch", "--json", "--jobs", "1", "--watch", "make qemu", "-o", tmp_path / "out", *trees],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    while not (tmp_path / "t/a/runaway").exists() or not (tmp_path / "t/a/runaway").read_text():
        assert process.poll() is None
    worker, = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    table = {row["tree"]: row for row in json.loads(finish(process).out)["trees"]}
    assert (table["a"]["status"], table["a"]["reason"]) == ("failed", "pagetrail was ended by signal 9")
    assert table["b"]["status"] == "no leaks" and not is_running(int((tmp_path / "t/a/runaway").read_text()))


def test_a_batch_is_resumed_with_its_command_only(tmp_path):
    one = tree(tmp_path / "t/a", ["true"])
    first = batch("--watch", "make qemu", "-o", tmp_path / "out", one)
    assert first.status == CANNOT_TELL and "a     no machine  -       not known  the command ended with status 0 before" in first.out
    for words, said in ([["--watch", "make qemu"], "holds a batch: --resume goes on with it"],
                        [["--resume", "--watch", "make"], "was begun with --watch make qemu"],
                        [["--resume"], "was begun with --watch make qemu"]):
        done = batch(*words, "-o", tmp_path / "out", one)
        assert done.status == CANNOT_TELL and said in done.err, done.err
    assert "--out names its folder" in batch("--resume", "--watch", "true", one).err
    assert "is given twice" in batch("-o", tmp_path / "o2", one, one).err
    assert "no folder, and left out" in batch("-o", tmp_path / "o3", one / "Makefile").err


def test_names_of_trees(tmp_path):
    """As many names of their paths as makes them different."""
    trees = [tree(tmp_path / f"{name}/xv6", ["true"]) for name in ("alice", "bob")]
    assert list(rows(batch("--json", "--watch", "make qemu", "-o", tmp_path / "out", *trees))) == ["alice/xv6", "bob/xv6"]
    assert (tmp_path / "out/trees/alice/xv6/output.txt").is_file()


def test_runs_that_are_there(tmp_path):
    """A run, a folder of runs, one without any, and one that cannot be read: a row each."""
    made = boots(tmp_path / "t/leaky", "small-plain-shrink_keeps")
    for name in ("first", "second"):
        assert pagetrail("watch", "--out", f"pagetrail-runs/{name}", "make", "qemu", cwd=made).status == LEAKED
    clean = boots(tmp_path / "t/clean", "small-plain")
    assert pagetrail("watch", "--out", tmp_path / "clean-run", "make", "qemu", cwd=clean).status == OK
    (tmp_path / "t/empty").mkdir()
    (tmp_path / "t/bad/trace").mkdir(parents=True)
    done = batch("--json", "-o", tmp_path / "out", *sorted((tmp_path / "t").iterdir()), tmp_path / "clean-run")
    table = rows(done)
    assert {name: row["status"] for name, row in table.items()} == {
        "bad": "failed", "clean": "no run", "empty": "no run", "leaky/pagetrail-runs/first": "leaked",
        "leaky/pagetrail-runs/second": "leaked", "clean-run": "no leaks"}
    assert table["leaky/pagetrail-runs/first"]["suspect"] == "uvmdealloc" and table["bad"]["reason"]
    assert table["clean-run"]["runs"] == [str(tmp_path / "clean-run")] and done.status == LEAKED
    alone = batch("-o", tmp_path / "out2", tmp_path / "clean-run")
    assert alone.status == OK and "\n1 tree: 1 no leaks\n" in alone.out


def test_no_run_is_dropped_in_silence(clean_run, tmp_path):
    """Beside a run: one without its trace, links, what is deep, and what cannot be read."""
    shutil.copytree(clean_run, tmp_path / "t/a")
    shutil.copytree(tmp_path / "t/a", tmp_path / "elsewhere/run")
    shutil.copytree(tmp_path / "t/a", tmp_path / "t/d/e/f/g/h/run")
    (tmp_path / "t/no-trace").mkdir()
    (tmp_path / "t/no-trace/run.json").write_text("{}")
    for name, to in (("again", "a"), ("up", "."), ("link", "../elsewhere"), ("loop", "loop"), ("nowhere", "nothing")):
        (tmp_path / "t" / name).symlink_to(to)
    done = batch("--json", "-o", tmp_path / "out", tmp_path / "t")
    table = rows(done)
    assert {name: row["status"] for name, row in table.items()} == {
        "t/a": "no leaks", "t/d/e/f/g/h/run": "no leaks", "t/link/run": "no leaks", "t/no-trace": "failed", "t/loop": "failed",
        "t/nowhere": "failed"}, done.err
    assert done.status == CANNOT_TELL and table["t/no-trace"]["reason"] == "it has a run.json, but no folder trace"
    assert "No such file or directory" in table["t/nowhere"]["reason"] and "symbolic links" in table["t/loop"]["reason"]


def test_too_deep_is_said(clean_run, tmp_path):
    shutil.copytree(clean_run, tmp_path / "t/a")
    (tmp_path / "t" / "/".join("d" * 30)).mkdir(parents=True)
    done = batch("--json", "-o", tmp_path / "out", tmp_path / "t")
    assert done.status == CANNOT_TELL and "1 folder is too deep to look for runs" in rows(done)["t"]["reason"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_what_may_not_be_read_is_a_row(clean_run, tmp_path, mode):
    shutil.copytree(clean_run, tmp_path / "t/a")
    (tmp_path / "t/closed/run").mkdir(parents=True)
    (tmp_path / "t/closed").chmod(mode)
    done = batch("--json", "-o", tmp_path / "out", tmp_path / "t")
    (tmp_path / "t/closed").chmod(0o755)
    closed = rows(done)["t/closed"]
    assert (closed["status"], closed["reason"], done.status) == ("failed", "cannot be read: Permission denied", CANNOT_TELL)


@pytest.fixture(scope="module")
def leaky_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaky")
    made = boots(folder / "tree", "small-plain-shrink_keeps")
    assert pagetrail("watch", "--out", folder / "run", "make", "qemu", cwd=made).status == LEAKED
    return folder / "run"


def test_what_is_suppressed_is_said(leaky_run, tmp_path):
    (tmp_path / "known").write_text("leak:*\n")
    pages = rows(batch("--json", "-o", tmp_path / "plain", leaky_run))["run"]["pages"]
    words = ["--suppressions", tmp_path / "known", leaky_run]
    done = batch("--json", "--html", "-o", tmp_path / "out", *words)
    row = rows(done)["run"]
    assert (row["status"], row["pages"], row["suppressed_pages"]) == ("no leaks", 0, pages) and done.status == OK and pages > 0
    said = f"0 (and suppressed: {pages} page"
    assert said in (page := (tmp_path / "out/index.html").read_text()) and "say what was suppressed" in page
    report = (tmp_path / "out/trees/run/report.html").read_text()
    assert "No leaks except the suppressed ones" in report and f": {pages} pages, 0 objects" in report and "No leak was found" in report
    assert said in batch("-o", tmp_path / "out2", *words).out
    read, = csv.DictReader(io.StringIO(batch("--csv", "-o", tmp_path / "out3", *words).out))
    assert read["suppressed_pages"] == str(pages)


def test_what_a_pattern_of_the_shell_gives(clean_run, tmp_path):
    """Files, and links to what is there already, are left out and named; what is not there is a mistake."""
    (tmp_path / "class").mkdir()
    (tmp_path / "class/README").write_text("who is who\n")
    (tmp_path / "class/again").symlink_to(clean_run)
    done = batch("--json", "-j", 1, "-o", tmp_path / "out", clean_run, tmp_path / "class/README", tmp_path / "class/again")
    assert done.status == OK and set(rows(done)) == {"run"}
    assert "README: no folder, and left out" in done.err and "again: is given twice, and done once" in done.err
    assert batch("-o", tmp_path / "none", tmp_path / "class/README").status == CANNOT_TELL
    done = batch("-o", tmp_path / "none", clean_run, tmp_path / "nobody")
    assert done.status == CANNOT_TELL and "nobody: No such file" in done.err and not (tmp_path / "none").exists()
    assert "-x is no option" in batch("-x", clean_run).err


@pytest.mark.parametrize("typed", [[], ["--type", "usertests", "--until", "PASSED"]], ids=["plain", "typed"])
def test_what_prints_without_end_is_ended(tmp_path, typed):
    """Long before its time is over; and what it started that does not listen is ended, too."""
    one = tree(tmp_path / "t", [f"trap '' TERM; yes {(digits := '0123456789' * 7)}"])
    done = batch("--json", "--timeout", 250, *typed, "--watch", "make qemu", "-o", tmp_path / "out", one)
    row = rows(done)["t"]
    said, line = row["reason"].split("; its last line: ")
    assert (row["status"], said) == ("no machine", "ended, as it had printed too much; no machine had started") and line in digits
    assert Path(row["output"]).stat().st_size == pytest.approx(32 << 20, rel=0.01)


def test_kernel_that_says_nothing(tmp_path):
    """What `make` echoes is not its last line."""
    words = [QEMU, *kernels.qemu_command("small-plain", 1)[1:], "-S"]
    one = tree(tmp_path / "t", ["echo a line of the command", shell_words(words)])
    done = batch("--json", "--timeout", 6, "--watch", "make qemu", "-o", tmp_path / "out", one)
    row = rows(done)["t"]
    assert (row["status"], row["reason"]) == ("timed out", "ended after the --timeout; its kernel said nothing")


def test_a_tree_that_does_not_build_says_how_its_command_ended(tmp_path):
    """Whatever was to be typed or awaited."""
    done = batch("--json", "--type", "usertests", "--until", "PASSED", "--watch", "make qemu", "-o", tmp_path / "out", does_not_build(tmp_path / "t"))
    assert rows(done)["t"]["status"] == "no machine" and rows(done)["t"]["reason"] .startswith("the command ended with status 2 before a machine started: main.c:1:")


def test_a_batch_is_resumed_with_its_options_only(tmp_path):
    one = tree(tmp_path / "t/a", ["true"])
    (tmp_path / "known").write_text("leak:f\n")
    words = ["--watch", "make qemu", "-o", "out", "--suppressions", "known", "--type", "one", "--type", "two"]
    assert batch(*words, one, cwd=tmp_path).status == CANNOT_TELL
    assert "no machine" in batch("--resume", *words, one, cwd=tmp_path).out
    for other, said in ([words[:-2], "was begun with --type two"], [words[:4] + words[6:], f"was begun with --suppressions {tmp_path}/known"],
                        [[*words, "--fail-on-leak"], "was begun without --fail-on-leak"],
                        [[*words[:6], "--type", "two", "--type", "one"], "in another order"]):
        done = batch("--resume", *other, one, cwd=tmp_path)
        assert done.status == CANNOT_TELL and said in done.err and not done.out, done.err
    for text in ("{}", "[]", "", '{"watch": "make qemu"}', '{"watch": 1, "options": []}', '{"watch": null, "options": {}}'):
        (tmp_path / "out/batch.json").write_text(text)
        assert "does not say how a batch was begun" in batch("--resume", *words, one, cwd=tmp_path).err, text


def test_a_name_that_is_no_utf8(clean_run, tmp_path):
    (tmp_path / "t").mkdir()
    shutil.copytree(clean_run, name := tmp_path / "t/na\udcffme")
    shutil.copytree(clean_run, tmp_path / "t/other")
    words = ["--html", "--json", "-o", tmp_path / "out", tmp_path / "t"]
    assert name.is_dir()
    for resume in ([], ["--resume"]):
        done = batch(*resume, *words)
        assert {key: row["status"] for key, row in rows(done).items()} == {"t/na\ufffdme": "no leaks", "t/other": "no leaks"}, done.err
        assert done.status == OK and 'href="trees/t/na%FFme/report.html"' in (tmp_path / "out/index.html").read_text()
    # The result of another tree costs a row.
    shutil.copy(tmp_path / "out/trees/t/other/result.json", tmp_path / "out/trees/t/na\udcffme/result.json")
    done = batch("--resume", *words)
    assert rows(done)["t/na\ufffdme"]["status"] == "failed" and "of another tree" in rows(done)["t/na\ufffdme"]["reason"]
    assert rows(done)["t/other"]["status"] == "no leaks"


def test_a_name_forges_no_row_and_no_formula(tmp_path):
    names = ["=1+1", "@x", "-y", "+z", "a\nbob  no leaks  0", "b\x1b[2K", "c\u009bx"]
    for name in names:
        (tmp_path / "t" / name).mkdir(parents=True)
    words = [tmp_path / "t" / name for name in names]
    text = batch("-o", tmp_path / "out", *words)
    assert len(text.out.splitlines()) == len(names) + 4 and "\x1b" not in text.out and "\x9b" not in text.out
    assert "a\\x0abob  no leaks  0" in text.out and "b\\x1b[2K" in text.out and "c\\x9bx" in text.out
    read = list(csv.DictReader(io.StringIO(batch("--csv", "-o", tmp_path / "out2", *words).out, newline="")))
    assert [row["tree"] for row in read[:4]] == ["'=1+1", "'@x", "'-y", "'+z"]


@pytest.mark.parametrize("words", [["--type", "ls"], ["--until", "x"], ["--why"], ["--leak-points"], ["--prompt", "x"], ["--timeout", 5]])
def test_options_of_watch_need_it(tmp_path, words):
    done = batch(*words, "-o", tmp_path / "out", tmp_path)
    assert done.status == CANNOT_TELL and f"{words[0]}: only with --watch" in done.err and not (tmp_path / "out").exists()


def test_several_machines_of_one_tree(tmp_path):
    words = [shell_words([QEMU, *kernels.qemu_command(name, 1)[1:]]) + " || true"
             for name in ("small-plain", "small-plain-shrink_keeps", "small-plain-pipe_page_stays")]
    one = tree(tmp_path / "t/three", words)
    done = batch("--json", "--html", "--watch", "make qemu", "-o", tmp_path / "out", one)
    row = rows(done)["three"]
    assert row["status"] == "leaked" and len(row["runs"]) == len(row["reports"]) == 3 and row["findings"] == 2
    assert row["pages"] == len(console(row).truths()) and row["suspect"] == "uvmdealloc"


@pytest.mark.parametrize("rule, said", [
    (["echo building; no-such-compiler -c x.c"], r"/bin/sh: \d+: no-such-compiler: not found|.*no-such-compiler: No such file.*"),
    (["printf 'cc: \\033[01;31m\\033[Kerror: \\033[m\\033[Kno room\\n'; exit 1"], "cc: error: no room"),
    (["echo the disk image is made; exit 1"], r"make(\[\d+\])?: \*\*\* .* Error 1")], ids=["no compiler", "in colour", "make's own"])
def test_the_first_error_is_in_the_row(tmp_path, rule, said):
    done = batch("--json", "--watch", "make qemu", "-o", tmp_path / "out", tree(tmp_path / "t", rule))
    assert re.fullmatch(f"the command ended with status 2 before a machine started: ({said})", rows(done)["t"]["reason"]), done.out


def test_the_last_line_where_none_is_an_error(tmp_path):
    done = batch("--json", "--watch", "echo first; echo last words; echo; exit 1", "-o", tmp_path / "out", tree(tmp_path / "t", []))
    assert rows(done)["t"]["reason"] == "the command ended with status 1 before a machine started; its last line: last words"


@pytest.mark.parametrize("console, options, tests, line", [
    ("test a: OK\nALL TESTS PASSED\n", [], "passed", "ALL TESTS PASSED"),
    ("mmaptest: all tests succeeded\n", [], "passed", "mmaptest: all tests succeeded"),
    ("test a: FAILED\nALL TESTS PASSED\n", [], "failed", "test a: FAILED"),
    ("ALL TESTS PASSED\nmmaptest: mmap_test failed: munmap, pid=3\n", [], "failed", "mmaptest: mmap_test failed: munmap, pid=3"),
    ("ALL TESTS PASSED\ntest b: panic: kfree\n", [], "failed", "test b: panic: kfree"),
    ("usertests: 3 passed, 0 failed, 0 pages leaked\n", [], "not known", None),
    ("test sbrkfail: OK\ntest FAILURES_are_words: OK\n", [], "not known", None), ("", [], "not known", None),
    ("score 10/10\n", ["--passed", "^score ([0-9]+)/\\1$"], "passed", "score 10/10"),
    ("ALL TESTS PASSED\nscore 3\n", ["--failed", "score [0-4]"], "failed", "score 3"),
    ("ALL TESTS PASSED\r\n\x1b[31mtest c:\x1b[0m FAILED\r\n", [], "failed", "test c: FAILED")])
def test_what_the_guest_says_of_its_tests(clean_run, tmp_path, console, options, tests, line):
    """Beside the verdict, which stays as it is."""
    shutil.copytree(clean_run, tmp_path / "run")
    (tmp_path / "run/logs/console.log").write_text(console, newline="")
    words = [*options, "--html", "-o", tmp_path / "out", tmp_path / "run"]
    done = batch("--json", *words)
    row = rows(done)["run"]
    assert (row["tests"], row["tests_line"], row["status"], done.status) == (tests, line, "no leaks", OK)
    assert f">{tests}</td>" in (tmp_path / "out/index.html").read_text()
    text = batch("--resume", *words)
    assert f"run   no leaks  0       {tests}" in text.out and text.out.endswith(f"\ntests: 1 {tests}\n")
    assert (f"tests failed: {line}" in text.out) == (tests == "failed")


def test_tests_of_a_run_that_was_stopped_are_not_known(clean_run, tmp_path):
    """It said that all passed, and might have said more."""
    shutil.copytree(clean_run, tmp_path / "run")
    (tmp_path / "run/logs/console.log").write_text("ALL TESTS PASSED\n")
    (tmp_path / "run/run.json").unlink()
    row = rows(batch("--json", "-o", tmp_path / "out", tmp_path / "run"))["run"]
    assert (row["tests"], row["tests_line"]) == ("not known", None)
    assert "--passed: (: " in batch("--passed", "(", "-o", tmp_path / "o2", tmp_path / "run").err and not (tmp_path / "o2").exists()


def test_a_long_name_has_a_line_of_its_own(clean_run, tmp_path):
    """The columns of the others stay where they are; on a terminal the last one goes on under itself."""
    long = "group-17-" + "\u00e9" * 40
    for name in ("a", long):
        shutil.copytree(clean_run, tmp_path / name)
        (tmp_path / name / "logs/console.log").write_text("FAILED, and a good many words that say what it was and where\n")
    words = ["-o", tmp_path / "out", tmp_path / "a", tmp_path / long]
    lines = batch(*words).out.splitlines()
    assert [line[:34] for line in lines[:4]] == ["tree  status    leaked  tests   su", "a     no leaks  0       failed  te", long[:34],
                                                "      no leaks  0       failed  te"]
    assert lines[2] == long
    shown = subprocess.run(["script", "-qec", f"stty cols 72; {paths.PAGETRAIL} batch --resume {shell_words(words)} 2>/dev/null", "/dev/null"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert max(len(line) for line in shown) <= 72 and shown[3] == " " * 32 + "words that say what it was and where", shown
