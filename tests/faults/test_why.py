# SPDX-License-Identifier: MIT
"""`pagetrail why` on faulty kernels: the repeated run names the function in which the release is missing, by where the last
pointer died. No comparison with healthy lives is used there, so this is another witness than the suspect of `leaks`."""
import fcntl
import json
import re
import shutil

import pytest
from harness import faults, paths
from harness.tool import CANNOT_TELL, LEAKED, OK, pagetrail, pagetrail_json, run_command


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# Fault, the function to blame, the one in which the last pointer died, the rule; of how many of all that leaked at least.
EXPECTED = [
    ("05", "inode_read_cached", "inode_read_cached", "lost", 1.0),
    ("07", "write_record", "pagecache_sync", "taken", 1.0),
    slow("01", "mm_destroy", "mm_destroy", "lost", 1.0),
    slow("14", "replace_leaf", "replace_leaf", "lost", 1.0),  # set_leaf, a leaf without a frame, stores for it
    slow("22", "free_table", "mm_destroy", "taken", 1.0),
    slow("26", "mm_fork", "mm_fork", "lost", 1.0),
    slow("32", "kstack_free", "kstack_free", "lost", 1.0),
    slow("35", "mm_fault", "mm_fault", "lost", 1.0),
]


def record(name, folder, options=("--icount", "--smp", "1")):
    """A run of the fault's workload that can be repeated."""
    fault = faults.find(name)
    run = folder / "run"
    done = pagetrail(*run_command(run, fault.run, kernel=fault.build(), limit=120,
                                  options=[*options, "--mem", fault.mem, "--leaks", "--quiet"]))
    assert done.status == LEAKED, done.out + done.err
    return run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    runs = {}

    def recorded(name):
        if name not in runs:
            runs[name] = record(name, tmp_path_factory.mktemp(name))
        return runs[name]
    return recorded


@pytest.mark.parametrize("name, blamed, lost, rule, share", EXPECTED)
def test_the_function_to_blame(recorded, name, blamed, lost, rule, share):
    run = recorded(name)
    groups = pagetrail_json("why", run, statuses=(LEAKED,))["groups"]
    assert sum(group["items"] for group in groups) == sum(len(g["items"]) for g in pagetrail_json("leaks", run)["groups"])
    # What went with another thing that leaked has no leak point of its own: a table in its root.
    followed = sum(group["followed"] - group["within"] for group in groups)
    right = sum(group["to_blame"]["agree"] for group in groups
                if group["to_blame"] and (group["to_blame"]["function"], group["lost_in"]["function"], group["rule"]) ==
                (blamed, lost, rule))
    assert followed and right >= share * followed, json.dumps(groups, indent=1)
    assert all(group["followed"] == group["lost"] + group["within"] + group["held"] + group["ended"] for group in groups)
    assert not any(group["ended"] for group in groups)


def test_the_report(recorded):
    run = recorded("05")
    done = pagetrail("why", run)
    assert done.status == LEAKED, done.err
    assert "to blame      inode_read_cached (kernel/fs/cached_io.c:" in done.out
    head = done.out.split("\n\n")[1]
    assert head.startswith("inode_read_cached() (kernel/fs/cached_io.c:") and " is to blame for " in head
    assert "copy_out(buffer + done" in done.out, "the line of source is shown"
    assert "as in [1]" in done.out
    # One verdict, one confidence: the rules that compare and the leak point name the same.
    assert "  suspect       inode_read_cached (kernel/fs/cached_io.c:" in done.out and "; 1 other rule names it, too" in done.out
    report = pagetrail("leaks", run, "--why")
    assert report.status == LEAKED and report.out.count("; 1 other rule names it, too") > 1, report.out + report.err
    missing = pagetrail_json("leaks", run)["groups"][0]["missing_release"]
    assert (missing["suspect"], missing["how"]) == ("inode_read_cached", "same-function")
    assert {"rule": "leak-point", "function": "inode_read_cached"} in missing["considered"]
    only = pagetrail("why", run, "--group", "2", "--limit", "1").out
    assert "[2] " in only and "[1] " not in only and "1 of 1" in only


def test_every_registry_is_known(recorded):
    """Each line of registries.def names something that this kernel has."""
    run = recorded("05")
    pagetrail("why", run)
    hooks = (run / "why/icount/hooks").read_text()
    named = re.findall(r"^REGISTRY\w*\(", (paths.ROOT / "kernel/include/kernel/registries.def").read_text(), re.M)
    assert len(re.findall("^weak ", hooks, re.M)) == len(named) > 0


def test_a_run_that_cannot_be_repeated(recorded, tmp_path):
    """Its time was the host's."""
    run = tmp_path / "run"
    shutil.copytree(recorded("05"), run, ignore=shutil.ignore_patterns("why", "ram"))
    about = json.loads((run / "run.json").read_text())
    about.update(icount=False, repeatable=False)
    (run / "run.json").write_text(json.dumps(about))
    done = pagetrail("why", run)
    assert done.status == CANNOT_TELL and "its time was the host's" in done.err, done.err


def test_a_run_that_went_another_way(recorded, tmp_path):
    """The trace of the recorded run says otherwise than the repeated one: no answer is given."""
    run = tmp_path / "run"
    shutil.copytree(recorded("07"), run, ignore=shutil.ignore_patterns("why", "ram"))
    about = json.loads((run / "run.json").read_text())
    about["append"] += " trace.mask=0xffffffff quiet"
    (run / "run.json").write_text(json.dumps(about))
    done = pagetrail("why", run)
    assert done.status == CANNOT_TELL and "went another way, twice" in done.err and "to blame" not in done.out, done.err


def edited(recorded, folder, **members):
    """A copy of the run whose run.json says otherwise."""
    run = folder / "run"
    shutil.copytree(recorded, run, ignore=shutil.ignore_patterns("why", "ram"))
    (run / "run.json").write_text(json.dumps({**json.loads((run / "run.json").read_text()), **members}))
    return run


def test_a_repetition_that_was_cut_off(recorded, tmp_path):
    """It went no other way: nobody knows. What an earlier one found stays, and is no half file."""
    qemu = tmp_path / "qemu"
    qemu.write_text(f"#!/bin/sh\necho >> {tmp_path}/calls\nkill -9 $$\n")
    qemu.chmod(0o755)
    run = edited(recorded("05"), tmp_path)
    kept = run / "why/leak-points-of-run"
    assert pagetrail("why", run).status == LEAKED
    before = kept.read_bytes()
    (run / "run.json").write_text(json.dumps({**json.loads((run / "run.json").read_text()), "qemu": [str(qemu)]}))
    for words in (("why", run), ("leaks", run, "--why")):
        (tmp_path / "calls").unlink(missing_ok=True)
        done = pagetrail(*words)
        assert done.err.count("QEMU was killed by signal 9") == 1 and "another way" not in done.err, done.err
        assert (tmp_path / "calls").read_text() == "\n", "it is tried once"
        assert done.status == (CANNOT_TELL if words[0] == "why" else LEAKED) and "was repeated" not in done.out
    assert kept.read_bytes() == before and sorted(path.name for path in kept.parent.glob("leak*")) == [kept.name]


def test_what_cannot_be_believed_is_not_kept(recorded, tmp_path):
    """The machine was the same, and what the plugin wrote was cut off: `leaks` is not to meet it later."""
    qemu = tmp_path / "qemu"
    qemu.write_text(f"#!/bin/sh\n{paths.QEMU} \"$@\"\nstatus=$?\necho 'lost of 5' > {tmp_path}/run/why/icount/leak-points\nexit $status\n")
    qemu.chmod(0o755)
    run = edited(recorded("05"), tmp_path, qemu=[str(qemu)])
    done = pagetrail("why", run)
    assert done.status == CANNOT_TELL and "icount/leak-points: it is cut off" in done.err and not done.out, done.out + done.err
    assert not list((run / "why").glob("leak*")) and pagetrail("leaks", run).err == ""


def test_two_at_once(recorded, tmp_path):
    """The second one is told; the first one's answer is whole."""
    run = edited(recorded("05"), tmp_path)
    with open(run / "run.json", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = pagetrail("why", run)
        assert done.status == CANNOT_TELL and "another pagetrail is repeating it" in done.err and not done.out, done.out + done.err
    assert pagetrail("why", run).status == LEAKED


def test_a_part_is_not_called_all(recorded):
    """--limit: what was not followed is not said to have been. A group that there is not is refused before the machine runs."""
    run = recorded("05")
    first = pagetrail("why", run).out.splitlines()[0]
    assert first.endswith("was repeated, event by event, and every pointer to what leaked was followed")
    first = pagetrail("why", run, "--limit", "2").out.splitlines()[0]
    assert first.endswith("every pointer to the first 2 of each group was followed")
    shutil.rmtree(run / "why")
    done = pagetrail("why", run, "--group", "99")
    assert done.status == CANNOT_TELL and "--group: there are" in done.err and not done.out and not (run / "why").exists()
    done = pagetrail("why", run, "--group", "9" * 30)
    assert done.status == CANNOT_TELL and f"--group: {'9' * 30} is not a number from 1" in done.err, done.err


def test_the_kept_baseline_counts_in_both(recorded, tmp_path):
    """One verdict: `why` compares with the baseline of this workload as `leaks` does."""
    run, healthy = edited(recorded("05"), tmp_path, disk=str(paths.DISK)), tmp_path / "healthy"
    fault = faults.find("05")
    done = pagetrail(*run_command(healthy, fault.run, kernel=paths.KERNEL, limit=120,
                                  options=["--icount", "--smp", "1", "--mem", fault.mem, "--quiet"]))
    assert done.status == OK, done.err
    assert pagetrail("baseline", healthy, cwd=tmp_path).status == OK
    done = pagetrail("why", run, cwd=tmp_path)
    leaks = pagetrail("leaks", run, cwd=tmp_path)
    said = pagetrail_json("leaks", run, cwd=tmp_path)["groups"][0]["missing_release"]
    assert (said["suspect"], said["confidence"]) == ("inode_read_cached", "certain"), said
    sure = [line.partition("CERTAIN")[2] for line in done.out.splitlines() if line.startswith("  suspect ")]
    assert sure and all(sure) and "LIKELY" not in done.out and sure[0] in leaks.out, done.out


def test_nothing_leaked(tmp_path):
    run = tmp_path / "run"
    done = pagetrail(*run_command(run, "true", kernel=paths.KERNEL, limit=60, options=["--icount", "--quiet"]))
    assert done.status == OK, done.err
    done = pagetrail("why", run)
    assert done.status == OK and done.out.startswith("no leaks in ")


@pytest.mark.parametrize("name, blamed, options", [("05", "inode_read_cached", ("--icount", "--smp", "1")),
                                                   ("07", "write_record", ("--smp", 4))])
def test_leak_points_need_no_second_run(tmp_path, name, blamed, options):
    """All pointers followed while it runs: what leaked, by all three detectors, and who is to blame."""
    run = record(name, tmp_path, (*options, "--leak-points"))
    leaks = pagetrail_json("leaks", run, statuses=(LEAKED,))
    items = [item for group in leaks["groups"] for item in group["items"]]
    assert len(items) > 200 and all(item["by_audit"] and item["by_pointers"] for item in items)
    groups = pagetrail_json("why", run, statuses=(LEAKED,))["groups"]
    followed = sum(group["followed"] for group in groups)
    right = sum(group["to_blame"]["agree"] for group in groups
                if group["to_blame"] and group["to_blame"]["function"] == blamed)
    assert followed == len(items) and right >= 0.99 * followed, json.dumps(groups, indent=1)
    assert not (run / "why").exists()


@pytest.mark.parametrize("harts", [1, 2, 4])
def test_leak_points_of_a_clean_run(tmp_path, harts):
    """Nothing leaks, and nothing is said to: files, processes, copies on write, pipes, /proc."""
    run = tmp_path / "run"
    tests = "usertests fork-wait cow-sharing pipe-transfer write-read many-files seek exec-arguments"
    done = pagetrail(*run_command(run, *tests.split(), kernel=paths.KERNEL, limit=120,
                                  options=["--smp", harts, "--leak-points", "--leaks", "--quiet"]))
    assert done.status == OK, done.out + done.err
    assert "none is left to 0 of the 0 that leaked" in done.out


def early(name, tmp_path):
    """What `why` says of pages that were freed too early, as JSON; nothing leaks there, and nothing says that it did."""
    run = record(name, tmp_path)
    pages = pagetrail_json("why", run, statuses=(LEAKED,))["freed_early"]
    first = pagetrail("why", run, "--no-repeat").out.splitlines()[0]
    assert first.endswith("every pointer to what was freed too early was followed"), first
    return pages


def functions(acts):
    return [[frame["function"] for frame in act["stack"]] for act in acts]


def test_who_freed_first(tmp_path):
    """A stack's pages are returned twice: both ways are told, and the second is another line of the same function."""
    pages = early("33", tmp_path)
    assert pages and all(page["verdict"] == "DBL" for page in pages)
    for page in pages:
        (first,), (again, *_) = page["freed_first"], page["freed_again"]
        assert first["function"] == again["function"] == "return_pages" and not page["used_after"]
        lines = [frame["line"] for act in (first, again) for frame in act["stack"] if frame["function"] == "kstack_free"]
        assert lines[1] == lines[0] + 1, page


def test_who_used_a_page_after_its_free(tmp_path):
    """A pipe's page is cleared once it is free: by whom, and that the pipe pointed to it still."""
    pages = early("03", tmp_path)
    assert pages and all(page["verdict"] == "POISON" for page in pages)
    for page in pages:
        first, = page["freed_first"]
        assert first["function"] == "pipe_free" and not page["freed_again"]
        assert any("page_reached_zero" in stack and "memset" in stack for stack in functions(page["used_after"])), page
        assert {act["function"] for act in page["pointed_to_by"]} == {"pipe_alloc"}


def test_who_used_an_object_after_its_free(tmp_path):
    """A pipe forgets its page once it is freed itself; the file of its last end leads to it still."""
    objects = early("42", tmp_path)
    assert objects and all((one["verdict"], one["kind"], one["finding"]) == ("POISON", "object", True) for one in objects)
    for one in objects:
        first, = one["freed_first"]
        used, = one["used_after"]
        assert "pipe_free" in functions([first])[0] and not one["freed_again"]
        assert used["function"] == "pipe_close_end" and one["pa"] <= used["address"] & 0xffffffff < one["pa"] + 0x100, one
        assert {act["function"] for act in one["pointed_to_by"]} == {"pipe_open_end"}


def test_who_freed_an_object_first_without_a_second_run(tmp_path):
    """Both frees are calls of one function in another; the first is the one too many, and it is a line above."""
    run = record("43", tmp_path, ("--smp", 2, "--leak-points"))
    one, = pagetrail_json("why", run, statuses=(LEAKED,))["freed_early"]
    (first,), (again,) = one["freed_first"], one["freed_again"]
    assert (one["verdict"], one["kind"]) == ("DBL", "object") and not one["used_after"]
    lines = [frame["line"] for act in (first, again) for frame in act["stack"] if frame["function"] == "remove_name"]
    assert lines[1] == lines[0] + 1 and not (run / "why").exists()


def test_who_freed_what_a_panic_names(tmp_path):
    """No finding, and nothing leaked: the panic is about an object that is free."""
    run = tmp_path / "run"
    pagetrail(*run_command(run, "kdebug", "panic", 2, kernel=paths.KERNEL, limit=60,
                           options=["--icount", "--smp", "1", "--quiet", "--append", "debug=on"]))
    one, = pagetrail_json("why", run, statuses=(CANNOT_TELL,))["freed_early"]
    assert (one["verdict"], one["kind"], one["finding"], one["used_after"]) == ("PANIC", "object", False, [])
    assert one["freed_first"][0]["function"] == "panic_with_object"
