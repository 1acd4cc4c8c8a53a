# SPDX-License-Identifier: MIT
"""Runs of a watch: their verdicts, several machines in one command, what is kept, what is said of the kernel's files.

Verified here: WATCH-3 (run.json is there once a machine has ended).
"""
import json
import os
import re
import shutil
import struct
import subprocess

import pytest
from harness import paths
from harness.plugin import read_records
from harness.tool import CANNOT_TELL, LEAKED, OK, babeltrace_events, pagetrail, pagetrail_json
from watching import described, kernel, kernels, shell_words, watch

import pagetrail_tables as tables  # isort: skip (watching says where it is)


def watched(folder, name, *options, smp=1, more=()):
    return watch("--out", folder / "run", "--kernel-description", described(folder, name), *options,
                 *kernel(name, smp, more))


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """(Result, folder) of a clean kernel."""
    folder = tmp_path_factory.mktemp("clean")
    return watched(folder, "small-cow-u8", smp=2), folder / "run"


def test_clean_kernel(clean):
    done, run = clean
    assert done.status == OK and "no leaks: " in done.out and str(run) in done.out, done.out + done.err
    assert "ALL TESTS PASSED" in done.out  # the console stays the user's
    assert f"\nnext: {paths.PAGETRAIL} report {run} " in done.out  # as it was typed, so that it can be
    assert done.err == ""
    about, plugin = (json.loads((run / name).read_text()) for name in ("run.json", "plugin.json"))
    assert about["tracer"] == "watch" and about["ended_by"] == "itself" and about["events"] == plugin["events"]
    assert not any(kind["count"] for kind in plugin["anomalies"].values())
    assert babeltrace_events(run) == plugin["events"] + plugin["stacks"]
    size = sum(path.stat().st_size for path in (run / "trace").iterdir())
    assert size <= 45 * plugin["events"]


def test_readers_of_a_watched_run(clean, tmp_path):
    """Every command lives with pages of no kind, and is sure of the kernel's build."""
    _, run = clean
    with_tests = kernels.Console((run / "logs/console.log").read_text()).tests()
    summary = pagetrail("summary", run)
    assert summary.err == "" and "kernel" not in re.findall(r"pages.*", summary.out)[0]
    free = re.search(r"(\d+) free, \d+ held", pagetrail("audit", run).out)
    assert re.search(r"free pages at the end: (\d+) \(replay\)", summary.out)[1] == free[1]
    for name in with_tests:
        assert pagetrail("leaks", run, "--test", name).status == OK, f"test {name} is no mark"
    pagetrail("report", run, "-o", tmp_path / "report.html")
    assert f"<dt>free at the end</dt><dd>{int(free[1]):,}</dd>" in (tmp_path / "report.html").read_text()
    pagetrail("report", run, run, "-o", tmp_path / "compare.html")
    compared = (tmp_path / "compare.html").read_text()
    assert "Fewer, A" in compared and "Leaked, A</th><th class=\"n\">Seconds" not in compared, "a test leaked that nobody audited"
    page = re.search(r"0x8[0-9a-f]+", pagetrail("live", run, "--by", "page").out)
    commands = [["stacks", run], ["live", run], ["leaks", run], ["dump", run], ["audit", run],
                ["diff", run, run], ["export", run, "--csv"], ["plot", run, "-o", tmp_path / "plot"],
                ["report", run, "-o", tmp_path / "report.html"]]
    if page:
        commands.append(["page", run, page.group()])
    for words in commands:
        done = pagetrail(*words)
        assert "pagetrail: " not in done.err and done.status == OK, (words, done.err, done.status)


def test_top_of_a_watched_run(clean):
    """Its pages have no kinds, and none is made up; how many are free is what the kernel itself says at its end."""
    _, run = clean
    said = pagetrail_json("top", run)
    free = int(re.search(r"^power off.* (\d+) pages free", (run / "logs/console.log").read_text(), re.M).group(1))
    assert said["free_pages"] == free and said["kinds"] == {}
    assert f"free    {free} pages" in pagetrail("top", run, "--once").out


def test_folder_of_runs(clean):
    """The folder above is no run: it is said which ones are in it."""
    _, run = clean
    for command in ("leaks", "audit", "summary"):
        done = pagetrail(command, run.parent)
        assert done.status == CANNOT_TELL and f"a folder of runs, not a run: name one of them, the last first:\n    {run}\n" in done.err
    assert pagetrail("leaks", f"{run.parent}/").err.count(f"    {run}\n") == 1


def test_kinds_of_references_are_not_said(clean):
    """The references of a kernel that is not ours have no kind, and none is made up."""
    _, run = clean
    dump = pagetrail("dump", run).out
    assert " page_alloc page order 0 pfn " in dump and "none" not in dump


def test_a_leak_has_status_1(tmp_path):
    done = watched(tmp_path, "small-cow-u8-sole_owner_leaks", smp=2)
    truths = {truth.address for truth in kernels.Console(done.out).truths()}
    assert done.status == LEAKED and f"LEAKED: {len(truths)} pages, 0 objects" in done.out
    assert "cow_fault() lowers the count of a page at " in done.out
    assert re.search(rf"^      {paths.PAGETRAIL} watch --why --type '[^']+' qemu-system-riscv64 ", done.out, re.M)
    answer = pagetrail_json("leaks", tmp_path / "run")
    assert {item["ref"] for group in answer["groups"] for item in group["items"]} == {""}
    assert answer["pages"] == len(truths) and {group["missing_release"]["suspect"] for group in answer["groups"]} == {"cow_fault"}
    audit = pagetrail_json("audit", tmp_path / "run")
    assert {page["pa"] for page in audit["pages"] if page["verdict"] == "leaked"} == truths


def test_stores_into_free_pages(tmp_path):
    done = watched(tmp_path, "small-plain-write_after_free", "--check", "writes", smp=2)
    truths = {truth.address >> 12 for truth in kernels.Console(done.out).truths()}
    answer = pagetrail_json("leaks", tmp_path / "run")
    assert done.status == LEAKED and re.search(r"^BROKEN: use after free: a free page was written: \d+ times", done.out, re.M)
    assert {finding["where"] for finding in answer["findings"]} == truths
    assert {finding["verdict"] for finding in answer["findings"]} == {"POISON"}
    for finding in answer["findings"]:
        assert finding["stack"][0]["function"] == "pipe_close"
    assert re.search(r"offset 0x28, 0x0 -> 0x\w+ \(low 16 bits\), pid \d+\n +pipe_close ", done.out)
    page = pagetrail("page", tmp_path / "run", hex(min(truths) << 12), "--resolve").out
    assert "page_write" in page and "pipe_close" in page


def test_freed_twice(tmp_path):
    done = watched(tmp_path, "small-plain-munmap_frees_twice", smp=2)
    truths = {truth.address >> 12 for truth in kernels.Console(done.out).truths()}
    answer = pagetrail_json("leaks", tmp_path / "run")
    assert done.status == LEAKED and re.search(r"^BROKEN: double free: ", done.out, re.M), done.out
    assert {finding["where"] for finding in answer["findings"] if finding["verdict"] == "DBL"} == truths
    assert all("munmap" in [frame["function"] for frame in finding["stack"]] for finding in answer["findings"])


def test_stores_of_a_clean_kernel(tmp_path):
    done = watched(tmp_path, "small-plain", "--check", "writes", smp=2)
    assert done.status == OK and json.loads((tmp_path / "run/plugin.json").read_text())["check_writes"], done.out


def test_pushes_of_blocks(tmp_path):
    """A push that gives back a block (superpages) frees all its pages. Here a description says so of a kernel in which
    it is wrong: twice as many pages are free, and that is found to be a contradiction."""
    kd = described(tmp_path, "small-plain")
    text, nr = re.subn(r"(?m)^free kfree ", "free kfree count=2 ", kd.read_text())
    kd.write_text(text)
    done = watch("--out", tmp_path / "run", "--kernel-description", kd, *kernel("small-plain"))
    plugin = json.loads((tmp_path / "run/plugin.json").read_text())
    pushes = next(call["events"] for call in plugin["calls"] if call["name"] == "kfree")
    records = read_records(tmp_path / "run")
    frees = records[records["event"] == 2]
    assert nr == 1 and (1 << (frees["flags"] & 15).astype(int)).sum() == 2 * pushes > 0
    assert plugin["anomalies"]["freed_twice"]["count"] > 0
    assert done.status == CANNOT_TELL and "contradicts its description" in done.out, done.out


def test_part_of_a_run_is_not_more_certain_than_all(tmp_path):
    """What the audit cannot know of all pages it does not know of one process's, nor of those that are not suppressed."""
    kd = described(tmp_path, "small-plain")
    text, nr = re.subn(r"(?m)^list .*", "", kd.read_text())
    kd.write_text(text)
    done = watch("--out", tmp_path / "run", "--kernel-description", kd, *kernel("small-plain"))
    assert nr == 1 and done.status == CANNOT_TELL and "names no free list" in done.out, done.out
    for part in (["--pid", 30000], ["--test", "fork"], ["--kind", "other"]):
        done = pagetrail("leaks", tmp_path / "run", *part)
        assert done.status == CANNOT_TELL and "no leaks" not in done.out, (part, done.out)
    done = pagetrail("why", tmp_path / "run")
    assert done.status == CANNOT_TELL and "not certain: the description names no free list" in done.out, done.out
    assert pagetrail_json("why", tmp_path / "run", statuses=[CANNOT_TELL])["verdict"] == "cannot tell"


def test_fault_counts_whatever_is_asked_for(tmp_path):
    done = watched(tmp_path, "small-plain-munmap_frees_mapped")
    assert done.status == LEAKED and "a free page is mapped" in done.out, done.out
    done = pagetrail("leaks", tmp_path / "run", "--pid", 30000)
    assert done.status == LEAKED and "no leaks" not in done.out, done.out


def test_two_machines_in_one_command(tmp_path):
    """As a course's grade script starts them; each is a run, and the worst status counts, wherever it stands."""
    leaky, clean = "small-plain-munmap_keeps", "small-plain"
    for first, second in ((leaky, clean), (clean, leaky)):
        folder = tmp_path / first
        folder.mkdir()
        done = watch("--out", folder / "run", "--kernel-description", described(folder, clean), "sh", "-c",
                     f"{shell_words(kernel(first))} </dev/null; {shell_words(kernel(second))} </dev/null")
        # One description serves both: it names no address.
        assert done.status == LEAKED, done.out + done.err
        assert done.out.index(f"{folder}/run\n") < done.out.index(f"{folder}/run-2\n")
        assert done.out.count("no leaks: ") == 1 and len(re.findall("^LEAKED: ", done.out, re.M)) == 1


def test_two_machines_at_once(tmp_path):
    done = watch("--out", tmp_path / "run", "--kernel-description", described(tmp_path, "small-plain"), "sh", "-c",
                 f"{shell_words(kernel('small-plain'))} </dev/null & {shell_words(kernel('small-plain'))} </dev/null; wait")
    assert done.status == OK and done.out.count("no leaks: ") == 2, done.out + done.err


GRADER = '''
import subprocess, sys
for _ in range(2):
    machine = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    said = b""
    while not said.endswith(b"$ "):
        said += machine.stdout.read(1)
    machine.stdin.write(b"usertests copy\\n")
    while b"test copy: OK" not in said or not said.endswith(b"$ "):
        said += machine.stdout.read(1)
    machine.terminate()
    machine.wait()
print("score 2/2")
'''


def test_grade_script(tmp_path):
    """It starts QEMU for each of its tests, types, reads, and ends it by terminate()."""
    script = tmp_path / "grade.py"
    script.write_text(GRADER)
    done = watch("--out", tmp_path / "run", "--kernel-description", described(tmp_path, "small-prompt"),
                 "/usr/bin/python3", script, *kernel("small-prompt", 2))
    assert "score 2/2" in done.out and len(re.findall(rf"^{re.escape(str(tmp_path / 'run'))}(?:-2)?$", done.out, re.M)) == 2
    for run in (tmp_path / "run", tmp_path / "run-2"):
        audit = pagetrail_json("audit", run)
        assert audit["leaked"] == audit["uncertain"] == audit["free_only_listed"] == audit["free_only_in_trace"] == 0
        # At the instant of its choice the shell may not sleep yet; then that, and nothing else, forbids a verdict.
        assert audit["reasons"] == ([] if audit["quiescent"] else ["processes still running"])
        assert pagetrail("leaks", run, "--test", "copy").status == (OK if audit["quiescent"] else CANNOT_TELL)


# ---- nothing recorded ----

def test_kernel_that_does_not_reach_its_allocator(tmp_path):
    """Without firmware the second kernel stops at its first call of it; a machine that is never started runs nothing."""
    for name, words in (("higher", kernel("higher-plain", more=["-bios", "none"])), ("stopped", kernel("small-plain", more=["-S"]))):
        folder = tmp_path / name
        folder.mkdir()
        kd = paths.ROOT / "tests/foreign/higher/higher.kd" if name == "higher" else described(folder, "small-plain")
        done = watch("--out", folder / "run", "--timeout", 2, "--kernel-description", kd, *words)
        assert done.status == CANNOT_TELL and "the kernel recorded nothing" in done.err, done.err
        assert "logs/console.log (nothing)" in done.err
        again = pagetrail("leaks", folder / "run")
        assert again.status == CANNOT_TELL and "no event was recorded" in again.err


# ---- the kernel's files ----

def copy_of(run, folder):
    target = folder / "copy"
    subprocess.run(["cp", "-r", "--sparse=always", str(run), str(target)], check=True)
    return target


@pytest.mark.parametrize("ended", [True, False])
def test_another_kernel_in_the_folder(clean, tmp_path, ended):
    """Names of another build would be wrong names; a run that was interrupted knows its kernel, too."""
    run = copy_of(clean[1], tmp_path)
    if not ended:
        (run / "run.json").unlink()
    assert "not the file" not in pagetrail("leaks", run).out
    with (run / "kernel/kernel.elf").open("ab") as file:
        file.write(b"\0")
    done = pagetrail("leaks", run)
    assert done.status == CANNOT_TELL and "it is not the file of the machine that ran" in done.out, done.out


@pytest.mark.parametrize("name, damage", [("kernel.elf", b"more"), ("kernel.kd", b"\n# more\n")])
def test_what_leaked_is_not_certain_by_another_kernel(tmp_path, name, damage):
    """Where the lists and tables are is known from the kernel: by another one every page may seem leaked."""
    done = watched(tmp_path, "small-plain-munmap_keeps")
    assert done.status == LEAKED, done.out
    with (tmp_path / "run/kernel" / name).open("ab") as file:
        file.write(damage)
    for command in ("leaks", "audit"):
        done = pagetrail(command, tmp_path / "run")
        assert done.status == CANNOT_TELL and not re.search("^LEAKED", done.out, re.M), done.out


@pytest.mark.parametrize("ended", [True, False])
def test_another_description_in_the_folder(clean, tmp_path, ended):
    run = copy_of(clean[1], tmp_path)
    if not ended:
        (run / "run.json").unlink()
    path = run / "kernel/kernel.kd"
    path.write_text(path.read_text() + "\n# changed\n")
    done = pagetrail("leaks", run)
    assert done.status == CANNOT_TELL and "kernel.kd" in done.out and "not the file" in done.out, done.out


def flip_bit(path):
    with path.open("r+b") as file:
        file.seek(0x100008)
        byte = file.read(1)[0]
        file.seek(0x100008)
        file.write(bytes([byte ^ 1]))


END_DAMAGE = {
    "ram": {"one bit": flip_bit, "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
            "twice as long": lambda path: os.truncate(path, path.stat().st_size * 2), "empty": lambda path: os.truncate(path, 0),
            "a FIFO": lambda path: (path.unlink(), os.mkfifo(path)), "gone": lambda path: path.unlink()},
    "plugin.json": {"an empty object": lambda path: path.write_text("{}"),
                    "of another machine": lambda path: path.write_text(re.sub(r'"boot_id": \d+', '"boot_id": 7', path.read_text())),
                    "a FIFO": lambda path: (path.unlink(), os.mkfifo(path)), "gone": lambda path: path.unlink()},
}


@pytest.mark.parametrize("name, how", [(name, how) for name in END_DAMAGE for how in END_DAMAGE[name]])
@pytest.mark.parametrize("manifest", [True, False])
def test_what_the_machine_left_is_checked(clean, tmp_path, name, how, manifest):
    """The audit believes the copy of RAM and the plugin's last words: neither may be another machine's, or cut."""
    if not manifest and name == "ram" and how in ("one bit", "twice as long", "half of it"):
        return  # an older run.json has no checksum: nobody can know
    run = copy_of(clean[1], tmp_path)
    if not manifest:
        about = json.loads((run / "run.json").read_text())
        del about["manifest"]["ram"], about["manifest"]["plugin"]
        (run / "run.json").write_text(json.dumps(about))
    assert pagetrail("leaks", run).status == OK
    END_DAMAGE[name][how](run / name)
    done = pagetrail("leaks", run)
    assert done.status == CANNOT_TELL and (f"{run}/{name}" in done.out or "no copy of the machine's RAM" in done.out), done.out
    if (run / "ram").is_file() and (run / "ram").stat().st_size and how != "gone":
        assert pagetrail("audit", run).status == CANNOT_TELL


def spoil_an_allocation(run):
    """The allocation of a page that lives gets a time after its packet's end, so that readers leave it out."""
    records = [record for record in read_records(run) if record["event"] in (tables.EVENTS["page_alloc"][0], tables.EVENTS["page_free"][0])]
    last = {record["pfn"]: record for record in records}
    wanted = next(record.tobytes() for record in last.values() if record["event"] == tables.EVENTS["page_alloc"][0])
    path = next(path for path in (run / "trace").glob("hart*") if wanted in path.read_bytes())
    path.write_bytes(path.read_bytes().replace(wanted, struct.pack("<Q", 1 << 60) + wanted[8:], 1))


def test_a_record_that_is_missing_breaks_no_kernel(clean, tmp_path):
    """Without its allocation the trace has a page free that is on no list: the gap is to blame, not the kernel."""
    run = copy_of(clean[1], tmp_path)
    spoil_an_allocation(run)
    done = pagetrail("leaks", run)
    assert done.status == CANNOT_TELL and "DAMAGE" in done.out + done.err and "BROKEN" not in done.out, done.out


def test_without_any_identity(clean, tmp_path):
    """An older run, of which nobody said: names are taken, and that is said."""
    run = copy_of(clean[1], tmp_path)
    (run / "watch.json").unlink()
    (run / "run.json").unlink()
    done = pagetrail("leaks", run)
    assert done.status == CANNOT_TELL and "unknown kernel build" in done.err


def test_the_sources_are_those_of_the_tree_that_is_watched(tmp_path):
    """A tree that was copied after it was built: its kernel names the sources of the first one, which has changed since."""
    name, source = "small-plain", "tests/foreign/small/vm.c"
    tree, elf = tmp_path / "tree", kernels.elf(name)
    (tree / source).parent.mkdir(parents=True)
    (tree / source).write_text("the copy's\n")
    os.utime(tree / source, (1, 1))
    shutil.copy2(elf, tree / "kernel.elf")
    words = kernel(name)
    words[words.index("-kernel") + 1] = "kernel.elf"
    watching = ("--kernel-description", described(tmp_path, name))

    def kept(run):
        return {path.relative_to(run / "sources").as_posix(): path.read_text() for path in (run / "sources").rglob("*.c")}

    done = watch("--out", tmp_path / "old", *watching, *words, cwd=tree)
    texts = kept(tmp_path / "old")
    assert done.status == OK and "changed after" not in done.err, done.err
    assert {text for path, text in texts.items() if path.endswith(source)} == {"the copy's\n"}
    assert len(texts) > 1, "what the tree does not have comes from where it was compiled"

    later = os.stat(elf).st_mtime + 10
    os.utime(tree / source, (later, later))
    done = watch("--out", tmp_path / "new", *watching, *words, cwd=tree)
    said = "vm.c was changed after the kernel was built: the lines shown may be others"
    assert done.err.count("changed after") == 1 and said in done.err, done.err
    assert kept(tmp_path / "new") == texts
    assert pagetrail("report", tmp_path / "new").status == OK

    away = tmp_path / "away/kernel.elf"
    away.parent.mkdir()
    shutil.move(tree / "kernel.elf", away)
    words[words.index("kernel.elf")] = str(away)
    watch("--out", tmp_path / "other", *watching, *words, cwd=tree)
    assert "the copy's\n" not in kept(tmp_path / "other").values(), "the kernel is not of the tree that was stood in"
