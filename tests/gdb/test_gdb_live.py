# SPDX-License-Identifier: MIT
"""The commands on machines that run: stopped at the prompt, in the kernel, in user mode, in the firmware.

A machine is stopped by gdb connecting to it, or at a breakpoint; the guest's own figures come from its console.
"""
import re
import subprocess

import pytest
from debugger import run_gdb
from harness import elf, paths
from harness.machine import PROMPT
from target import Target, guest_audit, quiet_ram

# Everything that prints the same however memory is read.
READERS = ["vmprint 1", "vmprint -k", "pte-walk 0x10000 1", "pte-walk &pages", "pte-walk 0xffffffff00007ff8", "buddy-print",
           "buddy-print -v", "page-owner 0x10000 1", "page-owner &pages", "page-owner 0x80450", "page-history -s 0x80460",
           "trace-dump 50", "trace-dump -s 5", "ps", "slab-print -p", "slab-print inode", "pagecache-print",
           "pagecache-print 0", "dirty-print", "pcp-print", "freemem", "audit -p", "leaks", "whatis pages",
           "whatis 0x80450000", "kstack-print 1"]


def user_symbol(program, name):
    """Address of a function in a user program."""
    out = subprocess.run([paths.CROSS + "nm", paths.BUILD / "user" / program], check=True, capture_output=True,
                         text=True).stdout
    return int(next(line.split()[0] for line in out.splitlines() if line.split()[-1] == name), 16)


@pytest.fixture(scope="module")
def at_prompt(layout, tmp_path_factory):
    """A machine with two harts, idle at the shell's prompt: nobody is in the middle of kernel work."""
    with Target(tmp_path_factory.mktemp("prompt"), smp=2, limit=300) as machine:
        machine.expect(PROMPT)
        quiet_ram(machine, layout)
        yield machine


@pytest.fixture(scope="module")
def outputs(at_prompt):
    """All readers' outputs at the prompt, through the RAM file that the scripts find by themselves."""
    return at_prompt.gdb(["show pagetrail memory", *READERS])


# ---- one command after the other ----

def test_memory_is_found(at_prompt, outputs):
    assert f"RAM file {at_prompt.ram_file}: 0x80000000..0x88000000" in outputs.by("show pagetrail memory")


def test_vmprint(outputs):
    lines = outputs.by("vmprint 1").splitlines()
    assert re.fullmatch(r"page table 0x0000000080[0-9a-f]{6}", lines[0])
    line = re.compile(r"( \.\.){1,3}\d+: pte 0x[0-9a-f]{16} pa 0x00000000[0-9a-f]{8} v[r-][w-][x-][u-][g-][a-][d-]"
                      r"( cow| shared)* (pagetable|anon|pagecache) [1-9]\d*")
    assert len(lines) > 6 and all(line.fullmatch(text) for text in lines[1:])


def test_vmprint_has_as_many_leaves_as_ps_says(outputs):
    leaves = [line for line in outputs.by("vmprint 1").splitlines() if line.startswith(" .. .. ..")]
    init = next(line.split() for line in outputs.by("ps").splitlines() if line.split()[0] == "1")
    assert int(init[4]) == len(leaves)


def test_pte_walk_agrees_with_vmprint(outputs):
    walk = outputs.by("pte-walk 0x10000 1")
    leaf = next(line for line in outputs.by("vmprint 1").splitlines() if line.startswith(" .. .. ..16:"))
    pa = re.search(r"pa (0x\w+)", leaf).group(1)
    assert len(re.findall(r"^level [210] entry", walk, re.M)) == 3
    assert f"0x0000000000010000 is at pa {pa} in a 4 KiB page" in walk


def test_pte_walk_of_kernel_addresses(outputs):
    assert "metadata order 0 count 1" in outputs.by("pte-walk &pages") or "image" in outputs.by("pte-walk &pages")
    assert "kstack order 0 count 1" in outputs.by("pte-walk 0xffffffff00007ff8")


def test_buddy_total_is_what_freemem_says(outputs):
    total = int(re.search(r"total (\d+) free pages of 32256 managed", outputs.by("buddy-print")).group(1))
    assert "lists consistent" in outputs.by("buddy-print")
    assert f"buddy {total}, per-hart" in outputs.by("freemem")
    listed = re.findall(r"^\s+(\d+)\s+\d+\s+(\d+)\s+(\d+)$", outputs.by("buddy-print"), re.M)
    assert len(listed) == 11 and sum(int(blocks) << int(order) for order, blocks, _ in listed) == total
    pfns = re.findall(r"0x[0-9a-f]+", outputs.by("buddy-print -v"))
    assert len(pfns) == len(set(pfns)) == sum(int(blocks) for _, blocks, _ in listed)


def test_page_owner(outputs):
    text = outputs.by("page-owner 0x10000 1")
    assert re.search(r"kind anon  order 0  count 1", text)
    assert re.search(r"#0 .*\n(.*\n)*.*elf_load|exec_build", text)
    assert "1 holder found\n" in text and re.search(r"pte\(\d+, 0x10\)  pid 1 init, at 0x10000 vr-xu", text)
    assert re.search(r"page_alloc +pfn 0x\w+ anon pte\(\d+, 0x10\) 0 -> 1", text)


def test_ps_says_where_tasks_wait(outputs):
    text = outputs.by("ps")
    assert re.search(r"^ +1 .* blocked .*init +proc_wait", text, re.M)
    assert re.search(r" sh +.*console", text)


def test_kstack_leads_from_the_trap_to_the_sleep(outputs):
    text = outputs.by("kstack-print 1")
    assert re.search(r"backtrace \(saved context\)(.*\n)*.*proc_wait(.*\n)*.*sys_wait(.*\n)*.*trap_user", text)


def test_audit_is_clean_and_quiet(outputs):
    text = outputs.by("audit -p")
    assert text.splitlines()[0].startswith("RAM 32768 = firmware 512 + ") and text.splitlines()[0].endswith("  OK")
    assert text.splitlines()[-1] == "verdict: clean"
    assert "finding:" not in "".join(outputs)
    assert outputs.by("leaks") == "verdict: no leaks\n"


def test_whatis(outputs):
    assert re.search(r"type = struct page \*\n0x\w+ is the struct page of pfn 0x80000", outputs.by("whatis pages"))


# ---- the same answers however memory is read ----

def test_ram_file_gives_the_same(at_prompt, outputs):
    assert list(run_gdb(READERS, ram=at_prompt.ram_file)) == list(outputs)[1:]


def test_run_folder_gives_the_same(at_prompt, outputs, tmp_path, monkeypatch):
    (tmp_path / "ram").symlink_to(at_prompt.ram_file)
    monkeypatch.setenv("PAGETRAIL_RUN", str(tmp_path))
    assert run_gdb(["ps", "audit"]) == [outputs.by("ps"), run_gdb(["audit"], ram=at_prompt.ram_file)[0]]


def test_core_gives_the_same(at_prompt, outputs, tmp_path):
    core = tmp_path / "core"
    at_prompt.gdb([f"monitor dump-guest-memory {core}"])
    found = run_gdb(["show pagetrail memory", *READERS], core=core)
    assert f"core {core}" in found[0]
    assert list(found)[1:] == list(outputs)[1:]


def test_gdbstub_gives_the_same(layout, tmp_path):
    """With the RAM file, and without one in sight."""
    with Target(tmp_path, smp=2) as machine:
        machine.expect(PROMPT)
        quiet_ram(machine, layout)
        mapped = machine.gdb(READERS)
        machine.ram_file.unlink()
        found = machine.gdb(["show pagetrail memory", *READERS])
    assert "QEMU gdbstub (physical)" in found[0]
    assert list(found)[1:] == list(mapped)


def test_a_stub_that_only_reads_virtual_addresses(at_prompt, outputs):
    """Other gdbstubs have neither physical reads nor a monitor; the harts are idle in the kernel, so its half is there."""
    without = "python import pagetrail_gdb.model.live as live; live.PhysicalStub.supported = staticmethod(lambda: False); " \
              "live._monitor = lambda command: ''"
    found = at_prompt.gdb([without, "show pagetrail memory", *READERS])
    assert "direct map" in found[1]
    assert list(found)[2:] == list(outputs)[1:]


# ---- the guest's own figures ----

def test_figures_of_the_guest(tmp_path):
    """Stopped where freemem begins, so that the guest prints exactly what gdb saw."""
    with Target(tmp_path, stopped=True, run="free -s") as machine:
        seen = machine.gdb(["hbreak sys_freemem", "continue", "buddy-print", "freemem"])
        assert machine.wait() == 0
        said = machine.console
    total = re.search(r"in blocks: (\d+) pages, OK", said).group(1)
    assert f"total {total} free pages of 32256 managed" in seen[2]
    blocks = re.search(r"^blocks +(.*)$", said, re.M).group(1).split()
    assert blocks == re.findall(r"^\s+\d+\s+\d+\s+(\d+)\s+\d+$", seen[2], re.M)
    for kind in ("image", "metadata", "trace", "pagetable", "anon", "pagecache", "kstack", "slab", "ramdisk"):
        pages = re.search(rf"^ +{kind} +(\d+)$", said, re.M).group(1)
        assert re.search(rf"^{kind} +{pages}$", seen[3], re.M)


@pytest.mark.parametrize("before", ["echo hello", "leakdemo 5 objects 3 keep"])
def test_audit_agrees_with_proc_audit(tmp_path, before):
    """Stopped while the kernel formats its audit: nothing has changed since."""
    with Target(tmp_path, stopped=True, smp=2, run=f"{before}; cat /proc/audit") as machine:
        seen = machine.gdb(["hbreak audit_format", "continue", "audit", "leaks"])
        machine.wait()
        said = machine.console
    identity, verdicts, audited = guest_audit(said)
    audit = seen.by("audit")
    assert audit.splitlines()[0] == identity
    assert f"audited {audited}" in audit
    assert dict(re.findall(r"^([A-Z]+) (\d+)$", audit, re.M)) == verdicts
    if "leakdemo" in before:
        assert verdicts == {"UNREACH": "5", "OBJ": "3"}
        leaks = seen.by("leaks")
        assert re.search(r"^5 debug pages: UNREACH", leaks, re.M) and re.search(r"^3 debug objects: OBJ", leaks, re.M)
        assert leaks.count("leak_pages") and leaks.count("leak_objects")
    else:
        assert verdicts == {} and "verdict: clean" in audit


def test_audit_of_shared_memory(tmp_path):
    """60 pages that two processes share, some of them touched by one only."""
    with Target(tmp_path, stopped=True, smp=1, run="mmaptest shared-partial") as machine:
        found = machine.gdb(["hbreak shared_shrunk", "continue", "audit -p", "print shared_all.next != &shared_all"])
    assert found.by("audit -p").splitlines()[-1] == "verdict: clean (not quiescent)", found.by("audit -p")
    assert "= 1" in found[-1]


# ---- whatever the harts are doing ----

def both_ways():
    """The readers through QEMU's gdbstub, then through the RAM file, of a machine that stands still."""
    return ["set pagetrail backend gdbstub", "show pagetrail memory", *READERS,
            "set pagetrail backend ram-file", "show pagetrail memory", *READERS, "set pagetrail backend auto"]


def check_both_ways(found):
    """Of the outputs of both_ways: the same, each by its way."""
    nr = len(READERS)
    assert "gdbstub (physical)" in found[1] and "RAM file" in found[nr + 3]
    assert found[2:nr + 2] == found[nr + 4:2 * nr + 4]
    return found[2:nr + 2]


def test_hart_in_user_mode(tmp_path):
    main = user_symbol("free", "main")
    with Target(tmp_path, stopped=True, run="free -s") as machine:
        core = tmp_path / "core"
        found = machine.gdb([f"hbreak *{main:#x}", "continue", "print $priv", *both_ways(), "pte-walk $pc", "page-owner pages",
                             "whatis $pc", "kstack-print", f"monitor dump-guest-memory {core}"])
    same = check_both_ways(found[3:])
    assert list(run_gdb(READERS, core=core)) == same
    assert "$1 = " in found[2] and ("User" in found[2] or "= 0" in found[2])
    assert f"0x{main:016x} is at pa" in found.by("pte-walk $pc")
    assert re.search(r"pid \d+ .*running\n(.*\n)*.*in user mode on hart 0", found.by("kstack-print"))
    assert "metadata" in found.by("page-owner pages")
    assert found.by("audit -p").splitlines()[-1] == "verdict: clean"


def test_hart_in_the_firmware(tmp_path):
    """Before the kernel: messages. In a firmware call: answers."""
    with Target(tmp_path, stopped=True, smp=2, run="usertests fork-tree") as machine:
        found = machine.gdb([*READERS, "hbreak upcall_syscall", "continue", "delete", "hbreak *$mtvec", "continue",
                             "print $priv", "ps", "vmprint 1", "buddy-print", "page-owner pages", *both_ways()])
    check_both_ways(found[-len(both_ways()):])
    late = found[:-len(both_ways())]
    assert "nr_pages is 0" in found.by("buddy-print")
    assert "= 3" in found.by("print $priv") or "Machine" in found.by("print $priv")
    assert "init" in late[-4] and "page table 0x" in late[-3] and "lists consistent" in late[-2]
    assert "metadata" in late[-1]


def test_machine_in_the_middle_of_work(tmp_path):
    """Four harts at work: whatever is seen, no traceback, and it ends. The work has no end: how long gdb takes to start differs."""
    commands = ["show pagetrail memory", "trace-dump 1", *READERS, "kstack-print all"]
    with Target(tmp_path, smp=4, run="grind 3600") as machine:
        machine.expect("init started")
        found = [machine.gdb(commands, timeout=120) for _ in range(3)]
        assert machine.running()
    assert all(f"RAM file {machine.ram_file}" in outputs[0] for outputs in found)
    newest = [outputs.by("trace-dump 1") for outputs in found]
    assert len(set(newest)) == 3, f"no work was done between the sessions:\n{newest}"


def wfi_in(function):
    """Addresses of the wfi instructions in a function of the kernel."""
    out = subprocess.run([paths.CROSS + "objdump", f"--disassemble={function}", paths.KERNEL], check=True, capture_output=True,
                         text=True).stdout
    return [int(line.split(":")[0], 16) for line in out.splitlines() if line.split()[-1:] == ["wfi"]]


def test_nothing_comes_after_the_finisher(tmp_path):
    """A hart runs on for a moment after it gave its status; the firmware's shutdown would put status 0 in its place.

    Here the finisher is a word of the ramdisk, which ends nothing: the hart must go to sleep, not to the firmware.
    """
    with Target(tmp_path, stopped=True, run="poweroff 5") as machine:
        found = machine.gdb(["break arch_poweroff", "continue", "set variable machine.finisher_pa = trace_desc.ramdisk_end - 4096",
                             f"watch -l *(unsigned int *)(machine.finisher_pa + {elf.PHYS_OFFSET:#x})", "continue",
                             "break sbi_shutdown", *(f"break *{pc:#x}" for pc in wfi_in("arch_poweroff")), "continue",
                             "info symbol $pc"], timeout=60)
    assert f"New value = {5 << 16 | 0x3333}" in found[4], found
    assert found[-1].startswith("arch_poweroff"), found


def test_dead_machine(tmp_path):
    """A panic: its registers are in memory, so the panicking task has a backtrace."""
    with Target(tmp_path, smp=2, run="kdebug panic 1") as machine:  # about a page
        pfn = machine.expect(r"asked for by pid \d+, about page (0x\w+)").group(1)
        machine.wait()
        found = run_gdb(["ps", "kstack-print all", "audit", "trace-dump 3", "panic", f"page-history {pfn}"], ram=machine.ram_file)
    panic = found.by("panic")
    assert re.match(rf"panic on hart \d: asked for by pid \d+, about page {pfn}\nabout 0x\w+ is the struct page of pfn {pfn}: debug", panic)
    assert len(re.findall(r"^hart \d, pid \d+ \(\w+\)", panic, re.M)) == 2
    assert re.search(r"^hart \d, pid \d+ \(kdebug\).*\n    #0  panic_with_page \(sys_debug.c:\d+\)", panic, re.M)
    assert re.search(r"page_alloc .*\n.*page_get .*\n.*page_put .*\n\d+ events", found[-1])
    assert re.search(r"backtrace \(saved by the panic\)(.*\n)*.*sys_kdebug", found.by("kstack-print all"))
    assert "panic" in found.by("trace-dump 3")


@pytest.mark.xfail(strict=True, raises=AssertionError)
def test_canary_traceback_is_noticed():
    """The harness must fail when a command ends in a Python traceback."""
    run_gdb(["python raise RuntimeError('canary')"])
