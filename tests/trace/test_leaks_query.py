# SPDX-License-Identifier: MIT
"""`leaks` of a part of a run, and of a run with known losses: what is left out, what is suppressed, and the status."""
import pytest
from test_leaks import Kernel, fault_5, fault_7, kernel, leaks, lost_pte  # noqa: F401  (fixtures among them)
from harness.tool import CANNOT_TELL, LEAKED, OK


def two_tests(k):
    """Test `one` loses two pages of process 7, test `two` three of process 8, in kinds of their own."""
    machine = k.machine
    for name, pid, kind, nr in (("one", 7, "ANON", 2), ("two", 8, "DEBUG", 3)):
        machine.mark(name)
        k.begin(pid, name)
        for i in range(nr):
            machine.alloc(kind, "OWNER", (pid, i), k.stack("mm_fork" if pid == 7 else "kstack_alloc"))
        k.end(pid)
        machine.mark(name, end=True)
    machine.audit([{"verdict": "UNREACH", "page": page} for page in machine.pages.values()])
    return machine


@pytest.mark.parametrize("options,pages", [
    (["--test", "one"], 2), (["--test", "two"], 3),
    (["--between", "one", "one"], 2), (["--between", "one", "two"], 5), (["--between", "one:end", "two"], 3),
    (["--between", "start", "one:begin"], 0), (["--between=two:begin", "end"], 3), (["--between", "start", "end"], 5),
    (["--pid", "7"], 2), (["--pid", "0"], 0), (["--kind", "debug"], 3), (["--kind", "anon", "--pid", "8"], 0)])
def test_only_what_was_asked_for(kernel, leaks, options, pages):
    two_tests(kernel)
    report, status, text = leaks(kernel, *options)
    assert (report["pages"], report["left_out"]["pages"]) == (pages, 5 - pages)
    assert status == (LEAKED if pages else OK)
    assert f"left out: {5 - pages} pages, 0 objects" in text
    assert pages or "no leaks in what was asked for" in text


def test_between_times(kernel, leaks):
    """The same span, written in seconds."""
    machine = two_tests(kernel)
    spans = leaks(kernel, "--test", "two")[0]["asked_for"]["spans"]
    end = machine.time - machine.step * (len(machine.pages) + 1)  # the findings and the end of the audit follow
    assert len(spans) == 1 and spans[0]["to"] * 1e7 == pytest.approx(end)
    times = [f"{spans[0][edge]:.7f}" for edge in ("from", "to")]
    assert leaks(kernel, "--between", times[0], times[1] + "s", name="again")[0]["pages"] == 3


def test_a_test_that_ran_twice(kernel, leaks):
    for pid in (7, 8, 9):
        kernel.machine.mark("again" if pid != 8 else "other")
        kernel.begin(pid)
        kernel.machine.alloc("ANON", "PTE", (pid, 0), kernel.stack("mm_fork"))
        kernel.end(pid)
        kernel.machine.mark("again" if pid != 8 else "other", end=True)
    assert leaks(kernel, "--test", "again")[0]["groups"][0]["pids"] == [7, 9]
    assert leaks(kernel, "--between", "again#2", "again#2", name="second")[0]["groups"][0]["pids"] == [9]


def test_objects_by_their_cache(kernel, leaks):
    records = fault_7(kernel, 4)
    lost_pte(kernel)
    kernel.machine.audit([{"verdict": "OBJ", "obj": r, "holder": (12, i)} for i, r in enumerate(records)])
    report, _, _ = leaks(kernel, "--kind", "dirty")
    assert (report["pages"], report["objects"]) == (0, 4)


@pytest.mark.parametrize("options,words", [
    (["--test", "thre"], "--test: no mark thre: the marks are one, two"),
    (["--between", "one", "three"], "--between: no mark three"),
    (["--between", "one#2", "two"], "no mark one#2"),
    (["--between", "two", "one"], "--between: two is after one"),
    (["--between", "0", "999"], "999 is after the end: the trace goes from"),
    (["--between", "one"], "--between needs two values"),
    (["--between", "1x", "two"], "no mark 1x"), (["--between", "nan", "two"], "no mark nan"),
    (["--between", "one", "two", "--test", "one"], "one of them"),
    (["--kind", "anno"], "anno is neither a page kind"), (["--pid", "x"], "x is not a number"),
    (["--suppressions", "/nonexistent"], "/nonexistent: No such file")])
def test_what_is_not_there_is_said(kernel, pagetrail, write, options, words):
    two_tests(kernel)
    result = pagetrail("leaks", write(kernel.machine), *options)
    assert result.status == CANNOT_TELL and words in result.err and not result.out


def test_a_mark_that_never_ended(kernel, pagetrail, write):
    kernel.machine.mark("hangs")
    kernel.begin(7)
    lost_pte(kernel)
    kernel.end(7)
    run = write(kernel.machine)
    assert pagetrail("leaks", run, "--test", "hangs").status == LEAKED
    result = pagetrail("leaks", run, "--between", "start", "hangs")
    assert result.status == CANNOT_TELL and "never ended" in result.err


def test_losses_of_the_trace_forbid_the_verdict_of_a_part_too(kernel, leaks):
    two_tests(kernel).streams[0].discard(1)
    _, status, text = leaks(kernel, "--pid", "0")
    assert status == CANNOT_TELL and "no leaks" not in text and "not certain" in text


def test_what_the_audit_did_not_list_may_be_of_this_part(kernel, leaks):
    kernel.begin(7)
    kernel.machine.emit("audit_done", pages=10, findings=3, quiet=1)
    assert leaks(kernel)[1] == LEAKED
    _, status, text = leaks(kernel, "--pid", "7", name="part")
    assert status == CANNOT_TELL and "the audit counted more than it listed" in text


# ---- the report of a group ----

def test_circumstances_of_a_group(kernel, leaks):
    for pid in (7, 9, 8):
        kernel.machine.mark(f"test{pid}")
        kernel.begin(pid)
        kernel.machine.alloc("ANON", "PTE", (pid, 0), kernel.stack("mm_fork"))
        kernel.end(pid)
        kernel.machine.mark(f"test{pid}", end=True)
    report, _, text = leaks(kernel)
    group, = report["groups"]
    assert (group["tests"], group["pids"], group["holders"]) == (["test7", "test9", "test8"], [7, 8, 9], [7, 8, 9])
    assert group["first"] < group["last"] and group["bytes"] == 3 * 4096 and group["holder_is"] == "mm"
    assert "  holders    mm 7-9\n" in text and "  tests      test7, test9, test8\n" in text


def test_how_sure_it_is(kernel, leaks):
    """Nine of ten others of the same path came back by one act, one by another."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    for i in range(12):
        kernel.read_page(page, 0, forget=i > 9)
    kernel.machine.put(page, "IO", (7, 0), kernel.stack("behind_it", "sys_read"))
    kernel.end(7)
    report, _, text = leaks(kernel)
    assert report["groups"][0]["missing_release"]["evidence"] == "10 of 11 other references acquired on the same path were released by pagecache_release()"
    assert "evidence: 10 of 11 other references acquired on the same path were released by" in text
    assert "inode_read_cached() acquires a page-cache reference at kernel/fs/cached_io.c:20 and does not always release it: 1 page leaked" in text


def test_a_guess_is_called_one(kernel, leaks):
    kernel.begin(7)
    kernel.machine.alloc("DEBUG", "OWNER", (7, 0), kernel.stack("lookup", "mm_fork"))
    kernel.machine.audit([{"verdict": "UNREACH", "page": next(iter(kernel.machine.pages.values()))}])
    assert leaks(kernel)[0]["groups"][0]["missing_release"]["evidence"].startswith("none to compare with")


# ---- suppressions ----

@pytest.mark.parametrize("pattern,fits", [
    ("mm_fork", True), ("m_for", True), ("^mm_fork$", True), ("^m_fork", False), ("mm_for$", False), ("^mm*k$", True),
    ("m*f*k", True), ("*", True), ("^*fork$", True), ("mm_fork*x", False), ("kernel/vm/fork.c", True),
    ("^kernel/vm/*.c$", True), ("fs/*.c", False), ("sys_write", True), ("$", True), ("Mm_fork", False),
    ("mm**fork", True), ("^sys$", False), ("*rk$", True)])
def test_patterns(kernel, leaks, tmp_path, pattern, fits):
    """The frames: mm_fork (kernel/vm/fork.c), sys_write, upcall_syscall (kernel/syscall/)."""
    kernel.begin(7)
    page = kernel.machine.alloc("ANON", "PTE", (7, 0), kernel.stack("mm_fork", "sys_write"))
    kernel.end(7)
    kernel.machine.audit([{"verdict": "UNREACH", "page": page}])
    (tmp_path / "known").write_text(f"leak:{pattern}\n")
    report, status, _ = leaks(kernel, "--suppressions", tmp_path / "known")
    assert (status, report["suppressed"]["pages"]) == ((OK, 1) if fits else (LEAKED, 0))


def test_suppressions_are_counted_and_unused_ones_told(kernel, leaks, tmp_path):
    fault_5(kernel)
    lost_pte(kernel)
    kernel.begin(7)
    kernel.end(7)
    known = tmp_path / "known"
    known.write_text("# the cache keeps one\n\n  leak:^lookup$  \nleak:read_cached\r\nleak:nobody\n")
    report, status, text = leaks(kernel, "--suppressions", known)
    assert status == LEAKED and report["pages"] == 1 and report["groups"][0]["kind"] == "anon"
    assert [(s["line"], s["pattern"], s["pages"]) for s in report["suppressions"]] == [
        (3, "^lookup$", 10), (4, "read_cached", 0), (5, "nobody", 0)]
    assert f"suppressed by {known}: 10 pages" in text and "line 5, leak:nobody: NOT USED" in text


@pytest.mark.parametrize("line,words", [("race:x", "not of the form leak:PATTERN"), ("leak:", "the pattern is empty"),
                                        ("mm_fork", "not of the form")])
def test_what_is_no_suppression_is_refused(kernel, pagetrail, write, tmp_path, line, words):
    (tmp_path / "known").write_text(f"leak:good\n{line}\n")
    result = pagetrail("leaks", write(kernel.machine), "--suppressions", tmp_path / "known")
    assert result.status == CANNOT_TELL and f"known:2: {words}" in result.err


def test_everything_suppressed_over_losses_is_still_no_verdict(kernel, leaks, tmp_path):
    two_tests(kernel).streams[0].discard(1)
    (tmp_path / "known").write_text("leak:*\n")
    report, status, text = leaks(kernel, "--suppressions", tmp_path / "known")
    assert status == CANNOT_TELL and report["suppressed"]["pages"] == 5 and "no leaks" not in text


# ---- for CI ----

def growing(k):
    k.begin(7)
    for test in range(8):
        k.machine.mark(f"test{test}")
        k.machine.obj_alloc("file", stack=k.stack("sys_write"))
        k.machine.mark(f"test{test}", end=True)
    k.machine.audit()


def uncertain(k):
    k.begin(7)
    page = k.machine.alloc("DEBUG", "OWNER", (7, 0), k.stack("sys_read"))
    k.machine.audit([{"verdict": "UNREACH", "page": page}], quiet=False)


def clean(k):
    k.begin(7)
    k.machine.audit()


def with_losses(k):
    uncertain(k)
    k.machine.streams[0].discard(1)


@pytest.mark.parametrize("what,plain,strict", [(growing, OK, LEAKED), (uncertain, CANNOT_TELL, LEAKED),
                                               (clean, OK, OK), (two_tests, LEAKED, LEAKED),
                                               (with_losses, CANNOT_TELL, CANNOT_TELL)])
def test_fail_on_leak(kernel, pagetrail, write, what, plain, strict):
    what(kernel)
    run = write(kernel.machine)
    assert pagetrail("leaks", run).status == plain
    result = pagetrail("leaks", run, "--fail-on-leak")
    assert result.status == strict and ("--fail-on-leak" in result.err) == (plain != strict)
