# SPDX-License-Identifier: MIT
"""A kernel that panics: `run` and `recover` name the pages and objects that it had in its hands, with their histories, and
leave a run folder that every command reads."""
import json
import re

import pytest
from harness import faults, paths
from harness.tool import CANNOT_TELL, LEAKED, OK, babeltrace, run_tool
from test_recover import elf_core

PLAIN, PAGE, OBJECT, FAULT, FRAME = range(5)  # enum kdebug_panic


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """dead(how, mode): the folder of a run that ended in `kdebug panic HOW`."""
    folder = tmp_path_factory.mktemp("dead")

    def dead(how, mode="stream"):
        run = folder / f"{mode}{how}"
        if not run.exists():
            done = run_tool(paths.PAGETRAIL, "run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--smp", 3, "--out", run,
                            "--timeout", 60, "--quiet", "--mode", mode, "--append", "debug=on", "--", "kdebug", "panic", how)
            assert done.status == LEAKED, done.err
            assert (run / "logs/panic.log").read_text() in done.err
        return run
    return dead


def verdicts(text):
    """{name of a page or object: the lines of its verdict}, in the order of the report."""
    found, name = {}, None
    for line in text[text.index("PANIC on hart"):].split("\n\n")[0].splitlines()[1:]:
        if not line.startswith("    "):
            name = line.split(", ")[0]
            found[name] = []
        found[name].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def history(text, name):
    """The lines of the last events of a page or object."""
    begin = re.search(rf"^the last \d+ of \d+ events? of {re.escape(name)}$", text, re.M)
    return text[begin.end() + 1:].split("\n\n")[0].splitlines()


def test_a_page_named_by_the_panic(dead):
    text = (dead(PAGE) / "logs/panic.log").read_text()
    name, verdict = next(iter(verdicts(text).items()))
    assert name.split()[1] == re.search(r"about page (0x\w+)", text).group(1)
    assert ", debug, order 0, count 1, named by the panic" in verdict
    assert re.search(r"allocated by panic_with_page[\w <]* \(pid \d+\)", verdict)
    assert re.search(r"held as io of pid \d+ \(kdebug\).*: acquired by panic_with_page.*, not released", verdict)
    assert verdict.count("held as") == 1, "the owner's reference was returned"
    acts = [re.search(r"(page_\w+) +pid \d+ +(\d+) -> (\d+)", line).groups() for line in history(text, name)[-3:]]
    assert acts == [("page_alloc", "0", "1"), ("page_get", "1", "2"), ("page_put", "2", "1")]


def test_the_whole_text_is_in_the_trace(dead):
    """On the console, in `dump` and in the leak report."""
    run = dead(PAGE)
    said = re.search(r"^panic on hart \d: (asked for by pid \d+, about page 0x\w+)$",
                     (run / "logs/console.log").read_text(errors="replace").replace("\r", ""), re.M).group(1)
    assert run_tool(paths.PAGETRAIL, "dump", run, "--event", "panic").out.endswith(f" panic {said}\n")
    assert f"the kernel panicked: {said}\n" in run_tool(paths.PAGETRAIL, "leaks", run).out


def test_a_frame_pointer_that_leads_nowhere(dead):
    text = (dead(FRAME) / "logs/panic.log").read_text()
    assert "store page fault at pc" in text and "panic_without_frame" in text


def test_an_object_named_by_the_panic(dead):
    text = (dead(OBJECT) / "logs/panic.log").read_text()
    name, verdict = next(iter(verdicts(text).items()))
    assert re.fullmatch(r"object 0xffffffc0\w+ of cache debug", name)
    assert "free, named by the panic" in verdict and re.search(r"free since panic_with_object[\w <]* \(pid \d+\)", verdict)
    assert [line.split()[2] for line in history(text, name)] == ["obj_alloc", "obj_free"]


def test_a_page_in_a_register(dead):
    """The panic is a store to nowhere: nobody names the page that the function had taken."""
    text = (dead(FAULT) / "logs/panic.log").read_text()
    assert "store page fault at pc" in text
    found = [(name, verdict) for name, verdict in verdicts(text).items() if ", debug," in verdict]
    assert len(found) == 1 and re.search(r", in s\d+|, in a\d|, on the stack of panic_with_page", found[0][1])
    assert "acquired by panic_with_page" in found[0][1] and "page_put" in history(text, found[0][0])[-1]


def test_every_hart_has_a_symbolised_stack(dead):
    text = (dead(PLAIN) / "logs/panic.log").read_text()
    assert len(re.findall(r"^hart \d, pid", text, re.M)) == 3
    stacks = re.split(r"^hart \d, pid.*$", text, flags=re.M)[1:]
    assert all(re.search(r"^    \w+ +kernel/\w+/\w+\.[cS]:\d+", stack, re.M) or "no kernel stack" in stack for stack in stacks)
    assert re.search(r"^    panic_asked_for +kernel/syscall/sys_debug\.c:\d+", stacks[0], re.M)


@pytest.mark.parametrize("how", [PAGE, FAULT])
def test_recover_says_the_same(pagetrail, dead, tmp_path, how):
    """From the RAM that the panic left in the folder, and from a core."""
    run = dead(how)
    elf_core((run / "ram").read_bytes(), tmp_path / "core")
    said = (run / "logs/panic.log").read_text()
    for body in run / "ram", tmp_path / "core":
        done = pagetrail("recover", body, "--kernel", run / "kernel/pagetrail.elf", "-o", tmp_path / f"{body.name}.run")
        assert done.status == LEAKED
        assert verdicts(done.out) == verdicts(said)
        assert all(history(done.out, name) == history(said, name) for name in verdicts(said))
    done = pagetrail("recover", run / "ram", "-o", tmp_path / "unnamed")
    assert "name its kernel with --kernel" in done.out


def commands(pagetrail):
    """Every command that reads a run folder of our own kernel."""
    helped = pagetrail("--help").out
    names = re.findall(r"^  ([a-z]+)  +\S", helped, re.M)
    assert {"summary", "leaks", "page", "verify", "report", "export"} <= set(names), helped
    others = ("run", "watch", "audit", "record", "recover", "describe", "help", "completion")
    assert set(others) - {"help", "completion"} <= set(names)
    return [name for name in names if name not in others]


@pytest.mark.parametrize("mode", ["stream", "flight"])
def test_every_command_reads_the_folder(pagetrail, dead, tmp_path, mode):
    run = dead(PAGE, mode)
    about = json.loads((run / "run.json").read_text())
    assert about["end"] == "panic" and about["ram_file"] == str(run / "ram")
    page = next(iter(verdicts((run / "logs/panic.log").read_text()))).split()[1]
    words = {"page": [run, page], "diff": [run, run], "export": [run, "--csv", tmp_path / "csv"],
             "plot": [run, "-o", tmp_path / "plot"], "report": [run, "-o", tmp_path / "report.html"]}
    for name in commands(pagetrail):
        done = pagetrail(name, *words.get(name, [run]))
        assert done.status in (OK, LEAKED, CANNOT_TELL), name
        assert done.out or list(tmp_path.iterdir()), f"{name}: {done.err}"
        assert not re.search(r"damaged|not a run|no trace", done.err), f"{name}: {done.err}"
    audit = pagetrail("audit", run)
    assert audit.status == CANNOT_TELL and "audits itself: see `pagetrail leaks`" in audit.err
    assert "panic" in pagetrail("summary", run).out and "panic_with_page" in pagetrail("page", run, page).out
    assert pagetrail("verify", run).status in (OK, LEAKED if mode == "flight" else OK)
    assert babeltrace(run)


# ---- panics from broken invariants: the verdict names the act ----

FAULTS = {
    # name: (boot arguments, verdict of the first thing involved)
    "33": ("incident.panic", r"page 0x\w+, .* named by the panic\n    DBL: .*first by [\w <]+ \(pid \d+\) at .*, and again by \w+"),
    "03": ("incident.panic", r"page 0x\w+, .* named by the panic\n    POISON: .*freed by [\w <]+ \(pid \d+\) at .*, then written"),
    "31": ("", r"page 0x\w+, anon, .* named by the panic\n    allocated by \w+.*\n    held as pte of mm \d+.* not released"),
}


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_that_panics(tmp_path, number):
    append, pattern = FAULTS[number]
    fault = faults.find(number)
    done = run_tool(paths.PAGETRAIL, "run", "--kernel", fault.build(), "--disk", paths.DISK, "--smp", 2, "--out", tmp_path / "run",
                    "--timeout", 100, "--quiet", "--append", append, "--", *fault.run.split(), timeout=300)
    assert done.status == LEAKED
    text = (tmp_path / "run/logs/panic.log").read_text()
    name, verdict = next(iter(verdicts(text).items()))
    assert re.match(pattern, verdict), text
    assert history(text, name)
