# SPDX-License-Identifier: MIT
"""What surrounds the answers: arguments, messages, help, completion, parameters, pretty-printers."""
import re

import pytest
from debugger import run_gdb
from harness import elf, paths
from harness.machine import PROMPT
from harness.tool import pagetrail, run_command
from target import Target


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with Target(tmp_path_factory.mktemp("commands"), smp=2, limit=300) as target:
        target.expect(PROMPT)
        yield target


def commands():
    """Names of all commands, as their classes have them."""
    found = re.findall(r'^    name = "(.*)"$', "".join(
        path.read_text() for path in (paths.ROOT / "gdb-scripts/pagetrail_gdb/commands").glob("*.py")), re.M)
    return sorted(name for name in found if name)


def test_every_command_is_registered_helped_and_documented():
    names = commands()
    assert len(names) > 15
    document = (paths.ROOT / "docs/GDB.md").read_text()
    helps = run_gdb([f"help {name}" for name in names])
    for name, text in zip(names, helps):
        assert name in text.splitlines()[0] and len(text.splitlines()) > 2, text
        assert f"| `{name}" in document


def test_wrong_arguments_are_messages(machine):
    wrong = {
        "vmprint 99": "no task with pid 99",
        "vmprint x": "x is no pid",
        "vmprint 1 2": "usage: vmprint",
        "vmprint 3": "kernel thread|no task",
        "pte-walk": "usage: pte-walk",
        "pte-walk 0x8000000000": "hole between",
        "pte-walk nosuch": 'No symbol "nosuch"',
        "pte-walk -1": "0xffffffffffffffff is not mapped",
        "pte-walk 0x10000000000000000": "has more than 64 bits",
        "whatis -1": "0xffffffffffffffff is nothing that the kernel knows",
        "page-owner 0x1000": "neither a pfn",
        "page-owner 0x5000 1": "is not mapped in pid 1",
        "page-owner 0x6b6b6b6b6b6b6b6b": "not mapped in the kernel|outside RAM",
        "page-owner buddy": "its address is &buddy",
        "page-history": "usage: page-history",
        "trace-dump 3 9": "hart 9 has no ring",
        "trace-dump x": "x is no count",
        "trace-dump -5": "-5 is no count",
        "trace-dump 1 -1": "-1 is no hart",
        "slab-print nosuch": "no cache nosuch; there are task, ",
        "pagecache-print 99999": "inode 99999 has no mapping",
        "kstack-print 99": "no task with pid 99",
        "buddy-print foo": "usage: buddy-print",
        "panic": "this kernel has not panicked",
        "set pagetrail nosuch 1": "there is no parameter nosuch",
        "show pagetrail nosuch": "there is no parameter nosuch",
        "whatis 0x10": "nothing that the kernel knows|not mapped",
    }
    found = run_gdb(list(wrong), ram=machine.ram_file)
    for (command, pattern), text in zip(wrong.items(), found):
        assert re.search(pattern, text), f"{command}: {text}"


def test_without_memory_or_kernel(tmp_path):
    assert "no memory to read" in run_gdb(["ps"])[0]
    assert "nothing" not in run_gdb(["ps", "whatis page_put"])[1]
    missing = run_gdb(["ps"], ram=tmp_path / "missing")[0]
    assert "RAM file" in missing and "No such file" in missing
    (tmp_path / "short").write_bytes(bytes(4096))
    assert "outside RAM" in run_gdb(["ps"], ram=tmp_path / "short")[0]
    (tmp_path / "zero").write_bytes(bytes(1 << 22))
    assert "another build" in run_gdb(["ps"], ram=tmp_path / "zero")[0]


def test_expressions_on_a_ram_file(machine):
    """A variable has the machine's value, not the ELF's; what gdb would get wrong is refused."""
    found = run_gdb(["whatis pages", "page-owner trace_desc.depot_pa", "page-owner &harts[1]", "page-owner pages+4096",
                     "page-owner pages[3].kind"], ram=machine.ram_file)
    assert "is the struct page of pfn 0x80000" in found[0]
    assert "kind trace" in found[1]
    assert "kind image" in found[2]
    assert "without a target" in found[3] and "without a target" in found[4]


def test_expressions_on_a_live_machine(machine):
    found = machine.gdb(["page-owner pages+4096", "whatis harts[0].current", "whatis struct page", "whatis u64", "whatis 1+1"])
    assert "kind metadata" in found[0]
    assert re.search(r"type = struct task \*\n0x\w+ is ", found[1])
    assert found[2] == "type = struct page\n" and found[3] == "type = uint64_t\n" and found[4] == "type = int\n"


def test_whatis_names_objects_and_stacks(machine):
    task = machine.gdb(["printf \"%#lx\\n\", ((struct mm *)((char *)mm_all.next - (long)&((struct mm *)0)->all))"])[0].strip()
    found = run_gdb([f"whatis {task}", "whatis 0xffffffff00003ff8", "whatis 0xffffffff0000bff8"], ram=machine.ram_file)
    assert "live object of cache mm" in found[0] and re.search(r"reached by mm of pid \d+", found[0])
    assert any("is in the kernel stack of pid" in text for text in found[1:])


def test_parameters_and_completion(machine):
    found = run_gdb(["show pagetrail ram-file", f"set pagetrail ram-file {machine.ram_file}", "show pagetrail ram-file",
                     "show pagetrail memory", "complete vmprint ", "complete page-ow", "complete page-owner page_pu",
                     "set pagetrail ram-file", "show pagetrail memory", f"set pagetrail ram-file {machine.ram_file}",
                     "complete slab-print in", "complete kstack-print a", "complete pagecache-print ",
                     "complete set pagetrail backend g"])
    assert "No RAM file is set" in found[0] and str(machine.ram_file) in found[2] and "0x80000000..0x88000000" in found[3]
    assert "vmprint 1\n" in found[4] and found[5] == "page-owner\n" and "page-owner page_put\n" in found[6]
    assert "no memory to read" in found[8]
    assert found[10] == "slab-print inode\n" and found[11] == "kstack-print all\n"
    assert "pagecache-print 2\n" in found[12] and found[13] == "set pagetrail backend gdbstub\n"


def test_every_parameter_is_helped_shown_and_documented():
    names = re.findall(r'^    name, [a-z, ]*= "([a-z-]+)"',
                       (paths.ROOT / "gdb-scripts/pagetrail_gdb/settings.py").read_text(), re.M) + ["ram-file"]
    assert {"findings", "backend", "colour", "timeout"} <= set(names)
    document = (paths.ROOT / "docs/GDB.md").read_text()
    shown, listed, *helps = run_gdb(["show pagetrail", "set pagetrail", *(f"help set pagetrail {name}" for name in names)])
    assert len(shown.splitlines()) == len(names)
    for name, text in zip(names, helps):
        assert f"set pagetrail {name} -- " in listed and len(text.splitlines()) > 1 and f"| `{name}" in document


def test_limits(machine):
    found = run_gdb(["set pagetrail events 3", "trace-dump", "set pagetrail events unlimited", "trace-dump", "trace-dump 100000",
                     "set pagetrail frames 1", "page-owner 0x10000 1", "set pagetrail timeout 1", "show pagetrail timeout"],
                    ram=machine.ram_file)
    assert len(found[1].splitlines()) == 3 and len(found[3].splitlines()) > 100 and found[3] == found[4]
    assert "#0 " in found[6] and "#1 " not in found[6]
    assert "give up after 1 s" in found[8]


def test_timeout_ends_a_command(machine):
    """Every look at the clock makes it a thousand seconds later."""
    late = "python import itertools, pagetrail_gdb.model.memory as m; m.time.monotonic = itertools.count(0, 1000).__next__"
    found = run_gdb([late, "audit", "set pagetrail timeout unlimited", "freemem"], ram=machine.ram_file)
    assert "audit: given up: this takes longer than" in found[1]
    assert "OK" in found[3]


def test_colour(machine):
    found = run_gdb(["audit", "set pagetrail colour on", "audit", "set pagetrail colour off", "audit"], ram=machine.ram_file)
    assert found[0] == found[4] and "\033" not in found[0]
    assert re.sub(r"\033\[\d+m", "", found[2]) == found[0] != found[2]


def test_backends(machine, tmp_path):
    """Each way of reading memory, asked for by name; one that is not there is a message."""
    ways = machine.gdb([part for way in ("ram-file", "gdbstub", "direct", "core")
                        for part in (f"set pagetrail backend {way}", "show pagetrail memory", "buddy-print")])
    assert "RAM file" in ways[1] and "gdbstub (physical)" in ways[4] and "direct map" in ways[7]
    assert ways[2] == ways[5] == ways[8] and "no memory to read by backend core" in ways[11]
    core = tmp_path / "core"
    machine.gdb([f"monitor dump-guest-memory {core}"])
    found = run_gdb(["set pagetrail backend core", "buddy-print", "set pagetrail backend gdbstub", "buddy-print"], core=core)
    assert found[1] == ways[2] and "no memory to read by backend gdbstub" in found[3]


def test_a_plain_dump_of_physical_memory(machine, tmp_path):
    """QEMU's pmemsave, as anybody can make one, is a RAM file."""
    dump = tmp_path / "dump"
    live = machine.gdb([f"monitor pmemsave 0x80000000 0x8000000 \"{dump}\"", "audit", "ps"])
    assert list(run_gdb(["audit", "ps"], ram=dump)) == live[1:]


def test_pretty_printers(machine):
    found = machine.gdb(["print pages[512]", "print task_all", "print buddy.lock", "print (pte_t)0x2011a45b",
                         "print/r buddy.lock", "print *harts[0].idle", "print caches[0]",
                         "print *(struct mm *)((char *)mm_all.next - (long)&((struct mm *)0)->all)",
                         "set $proc = (struct proc *)((char *)proc_all.next - (long)&((struct proc *)0)->all)",
                         "print *$proc->cwd", "print *$proc->files[0]", "print $proc->cwd->mapping",
                         "print *(struct vma *)$proc->task->mm->vmas.next"])
    assert "pfn 0x80200 image order 0 count 1" in found[0]
    assert re.search(r"list of \d+", found[1])
    assert re.search(r"buddy, free, \d+ acquires", found[2])
    assert "0x2011a45b (pa 0x80469000 vr-xu-a-)" in found[3]
    assert "acquires," not in found[4]
    assert "pid 0 idle" in found[5]
    assert re.search(r"= task, \d+ bytes, \d+ live", found[6])
    assert re.search(r"= mm \d+ of pid \d+, \d+ pages resident", found[7])
    assert re.search(r"= inode 2 count \d+ size 4096 links \d+", found[9])
    assert re.search(r"= device \d+ count \d+ at 0", found[10])
    assert re.search(r"= mapping of inode 2, 1 page, 0 dirty", found[11])
    assert re.search(r"= 0x\w+\.\.0x\w+ read", found[12])


def test_pretty_printers_of_what_is_none(machine):
    """Code, and nothing at all, taken for structures: print goes on, without a traceback."""
    types = ("task", "mm", "vma", "inode", "mapping", "file", "pipe", "kmem_cache", "spinlock", "list", "page")
    for text in machine.gdb([f"print *(struct {name} *){where}" for name in types for where in ("trap_user", "0x10")]):
        assert text.startswith("$") or "Cannot access memory" in text, text


def test_sourcing_again_keeps_working(machine):
    again = f"source {paths.ROOT / 'gdb-scripts/pagetrail.py'}"
    first, second = (run_gdb([*before, "buddy-print"], ram=None if before else machine.ram_file)[-1]
                     for before in ([], [again, f"set pagetrail ram-file {machine.ram_file}"]))
    assert first == second


def test_elf_of_another_build_is_noticed(machine, tmp_path):
    """One byte of the build id differs."""
    content = bytearray(machine.read_pa(0x80000000, 128 << 20))
    end = elf.symbol_pa(machine.kernel, "build_id_note") - 0x80000000 + 0x24
    content[end - 1] ^= 1
    (tmp_path / "ram").write_bytes(content)
    text, stack, _, forced = run_gdb(["ps", "kstack-print 1", "set pagetrail force-symbols on", "kstack-print 1"], ram=tmp_path / "ram")
    assert "is of another build than the kernel in memory" in text and "init" in text
    assert re.search(r"0x[0-9a-f]{16}", stack) and not re.search(r"0x[0-9a-f]{16} \w", stack) and "addresses stand for the names" in stack
    assert re.search(r"0x[0-9a-f]{16} \w+.*\.c:\d+", forced) and "addresses stand" not in forced


def test_help_lists_the_commands():
    text, said = run_gdb(["help pagetrail", "pagetrail"])
    for name in commands():
        assert re.search(rf"^  {name} +\w", text, re.M) and re.search(rf"^  {name} +\w", said, re.M), name


def test_times_are_those_of_the_tools(tmp_path):
    """The same events at the same seconds, in the memory of a machine that ended and in its run folder."""
    run = tmp_path / "run"
    done = pagetrail(*run_command(run, "true", limit=60, options=("--keep-ram", "--quiet")))
    assert done.status == 0, done.err
    told = [tuple(re.match(r"([\d.]+) hart(\d) (\w+)", line).groups())
            for line in pagetrail("dump", run).out.splitlines()[-50:]]
    seen = [tuple(re.match(r" *([\d.]+) hart (\d) +(?:pid \d+ +)?(\w+)", line).groups())
            for line in run_gdb(["trace-dump 50"], ram=run / "ram")[0].splitlines()]
    assert len(told) == len(seen) == 50
    for (time, *event), (gdb_time, *gdb_event) in zip(told, seen):
        assert event == gdb_event and abs(float(time) - float(gdb_time)) < 1e-6
