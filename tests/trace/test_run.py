# SPDX-License-Identifier: MIT
"""`pagetrail run` and `record` with a stand-in for QEMU: lossless at full speed, and readable however it ends."""
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pagetrail_tables as tables
import pytest
from harness import paths
from harness.tool import CANNOT_TELL, LEAKED, OK, babeltrace, run_tool

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def fake_qemu(tmp_path_factory, kernel_elf):
    """The stand-in's program, and where the fixture kernel's trace_desc is."""
    program = tmp_path_factory.mktemp("qemu") / "fake-qemu"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-D_GNU_SOURCE",
                    f"-I{paths.ROOT}/kernel/include", "-o", program, HERE / "fake_qemu.c"], check=True)
    out = subprocess.run([paths.CROSS + "nm", kernel_elf], check=True, stdout=subprocess.PIPE, text=True).stdout
    va = next(int(line.split()[0], 16) for line in out.splitlines() if line.endswith(" trace_desc"))
    return program, va - tables.PHYS_OFFSET


@pytest.fixture
def machine(fake_qemu, kernel_elf, tmp_path):
    """machine(*options, end=, events=, ...) runs `pagetrail run` to its end: (result, run folder)."""
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"\0" * 8192)

    def environment(end, events, mode):
        return {"QEMU": str(fake_qemu[0]), "FAKE_DESC": hex(fake_qemu[1]), "FAKE_END": end, "FAKE_EVENTS": str(events),
                "FAKE_MODE": mode}

    def words(*options):
        return ["run", "--kernel", kernel_elf, "--disk", disk, "--mem", "16M", "--out", tmp_path / "run", *options]

    def machine(*options, end="poweroff 0", events=100, mode="stream", start=False):
        env = environment(end, events, mode)
        if start:
            return subprocess.Popen([str(w) for w in [paths.PAGETRAIL, *words(*options)]], env={**os.environ, **env},
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return run_tool(paths.PAGETRAIL, *words(*options), env=env, timeout=60), tmp_path / "run"
    return machine


def about(run):
    return json.loads((run / "run.json").read_text())


def samples(run, hart):
    """free_pages of each record of a hart's file, read without the tools."""
    import numpy as np
    data = (run / f"trace/hart{hart}").read_bytes()
    values, offset = [], 0
    while offset < len(data):
        size, content = np.frombuffer(data, "<u8", 2, offset + 8) // 8
        values.append(np.frombuffer(data, "<u4", int(content - 64) // 4, offset + 64)[4::8])
        offset += int(size)
    return np.concatenate(values).tolist()


@pytest.mark.parametrize("harts,events", [(1, 100), (1, 127), (4, 50000), (8, 20000)])
def test_nothing_is_lost_at_full_speed(machine, pagetrail, harts, events):
    result, run = machine("--smp", harts, events=events)
    assert result.status == OK, result.err
    for hart in range(harts):
        assert samples(run, hart) == list(range(events)), f"hart {hart}"
    assert about(run)["events"] == harts * events and about(run)["end"] == "poweroff"
    assert pagetrail("summary", run).status == OK


def test_babeltrace_accepts_what_run_leaves(machine):
    _, run = machine("--smp", 2, events=1000)
    assert len(babeltrace(run)) == 2 * 1000 + 1
    assert sorted(p.name for p in run.iterdir()) == ["kernel", "logs", "run.json", "sources", "trace"]
    assert sorted(p.name for p in (run / "trace").iterdir()) == ["hart0", "hart1", "metadata", "stacks"]


def test_killed_in_the_middle_of_a_packet(machine, pagetrail):
    result, run = machine("--smp", 2, end="kill", events=5003)
    assert result.status == CANNOT_TELL and "killed by signal 9" in result.err
    assert samples(run, 0) == samples(run, 1) == list(range(5003))
    assert len(babeltrace(run)) == 2 * 5003 + 1
    assert about(run)["end"] == "killed" and about(run)["guest_status"] is None


def test_the_guests_status_counts(machine):
    result, run = machine(end="poweroff 7")
    assert result.status == LEAKED and "the guest failed with status 7" in result.err
    assert about(run)["guest_status"] == 7


def test_qemu_that_fails_says_why(machine):
    result, run = machine(end="fail cannot set up guest memory")
    assert result.status == CANNOT_TELL and "cannot set up guest memory" in result.err
    assert about(run)["end"] == "qemu-failed"


def test_qemu_that_is_not_there(machine, monkeypatch, kernel_elf, tmp_path):
    result = run_tool(paths.PAGETRAIL, "run", "--kernel", kernel_elf, "--disk", kernel_elf, "--out", tmp_path / "r",
                      env={"QEMU": "/nonexistent/qemu"})
    assert result.status == CANNOT_TELL and "/nonexistent/qemu: No such file" in result.err


def test_guest_without_a_trace(machine):
    result, _ = machine("--leaks", end="no-trace")
    assert result.status == CANNOT_TELL and "never announced its trace" in result.err


def test_suppressions_are_read_before_the_machine_runs(machine, tmp_path):
    (tmp_path / "known").write_text("race:x\n")
    result, run = machine("--leaks", "--suppressions", tmp_path / "known")
    assert result.status == CANNOT_TELL and "known:1: not of the form leak:PATTERN" in result.err and not run.exists()
    (tmp_path / "known").write_text("leak:x\n")
    result, run = machine("--leaks", "--suppressions", tmp_path / "known", "--fail-on-leak")
    assert result.status == CANNOT_TELL and "there was no audit" in result.out
    assert "line 1, leak:x: NOT USED" in result.out


def test_timeout_ends_a_machine_that_hangs(machine):
    result, run = machine("--timeout", 1, end="hang", events=300)
    assert result.status == CANNOT_TELL and "ended after the --timeout" in result.err
    assert about(run)["end"] == "timeout" and samples(run, 0) == list(range(300))


def test_interrupt_keeps_the_run_readable(machine, pagetrail, tmp_path):
    process = machine(end="hang", events=300, start=True)
    for line in process.stdout:
        if "hanging" in line or "fake3" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == CANNOT_TELL and "interrupted" in err
    assert samples(tmp_path / "run", 0) == list(range(300))
    assert pagetrail("summary", tmp_path / "run").status == OK


def test_ram_is_kept_on_demand(machine, pagetrail, tmp_path):
    _, run = machine("--keep-ram", events=500)
    ram = run / "ram"
    assert ram.stat().st_size == 16 << 20 and ram.stat().st_blocks * 512 < 4 << 20, "16 MiB, mostly holes"
    # The machine is dead; its memory still holds the newest packets.
    assert pagetrail("record", ram, tmp_path / "again", "--once").status == 0
    kept = samples(tmp_path / "again", 0)
    assert kept and kept == list(range(500))[-len(kept):]


def test_flight_mode_keeps_the_newest(machine, pagetrail):
    result, run = machine("--mode", "flight", "--leaks", events=5000, mode="flight")
    kept = samples(run, 0)
    assert kept == list(range(5000))[-len(kept):] and 3 * 126 < len(kept) <= 4 * 126
    assert result.status == CANNOT_TELL and "the beginning is missing" in result.out


def test_a_record_without_its_beginning_is_not_whole(machine, pagetrail, tmp_path):
    _, run = machine("--mode", "flight", "--keep-ram", events=5000, mode="flight")
    result = pagetrail("record", run / "ram", tmp_path / "again", "--once", "--json")
    missed = result.json()["packets_missed"]
    assert missed and result.status == CANNOT_TELL and f" {missed} packets missed" in result.err


def test_record_attaches_to_a_running_machine(machine, pagetrail, fake_qemu, kernel_elf, tmp_path):
    ram = tmp_path / "ram"
    ram.write_bytes(b"")
    os.truncate(ram, 16 << 20)
    env = {**os.environ, "FAKE_DESC": hex(fake_qemu[1]), "FAKE_EVENTS": "20000", "FAKE_END": "poweroff 0"}
    recorder = subprocess.Popen([paths.PAGETRAIL, "record", ram, tmp_path / "rec", "--kernel", kernel_elf, "--timeout", "50"])
    guest = subprocess.run([fake_qemu[0], "-smp", "2", "-object", f"mem-path={ram},share=on"], env=env, timeout=60,
                           stdout=subprocess.DEVNULL)
    assert guest.returncode == 0 and recorder.wait(timeout=60) == 0
    for hart in range(2):
        assert samples(tmp_path / "rec", hart) == list(range(20000))


def test_disk_out_takes_the_ramdisk_from_memory(machine, tmp_path):
    result, _ = machine("--disk-out", tmp_path / "after.img")
    assert result.status == OK
    assert (tmp_path / "after.img").read_bytes() == b"D" * 4096


def test_an_old_run_in_the_folder_is_replaced(machine, pagetrail):
    machine("--smp", 4, events=1000)
    _, run = machine("--smp", 1, events=10)
    assert sorted(p.name for p in (run / "trace").iterdir()) == ["hart0", "metadata", "stacks"]
    assert samples(run, 0) == list(range(10))


@pytest.fixture
def old_run(machine, pagetrail):
    """A run folder with all that a run may leave there."""
    _, run = machine("--keep-ram", events=300)
    for name in ("panic.log", "recover.log"):
        (run / "logs" / name).write_text("of the old run")
    assert pagetrail("plot", "--what", "all", run).status == OK
    assert pagetrail("report", run).status in (OK, LEAKED, CANNOT_TELL)
    assert len(list(run.glob("*.png"))) == 4 and (run / "report.html").exists()
    return run


def files_of(run):
    return {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}


def test_nothing_of_an_old_run_is_seen_while_the_new_one_runs(machine, old_run):
    process = machine("--mode", "off", end="hang", events=10, start=True)
    for line in process.stdout:
        if "fake guest" in line:
            break
    seen = files_of(old_run)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert seen == {"kernel/pagetrail.elf", "logs/console.log", "trace/metadata"}
    assert about(old_run)["end"] == "interrupted"


def test_nothing_of_an_old_run_stands_for_a_machine_without_a_trace(machine, pagetrail, old_run):
    machine(end="no-trace")
    assert files_of(old_run) == {"kernel/pagetrail.elf", "logs/console.log", "trace/metadata", "run.json"}
    assert pagetrail("leaks", old_run).status == CANNOT_TELL


def test_a_recording_has_no_end_of_another_run(machine, pagetrail, tmp_path):
    _, run = machine("--keep-ram", events=300)
    os.rename(run / "ram", tmp_path / "ram")
    assert pagetrail("record", tmp_path / "ram", run, "--once").status == 0
    assert about(run)["recorded_from"] == str(tmp_path / "ram") and "guest_status" not in about(run)


def test_the_kernel_of_a_run_serves_the_next_one_there(machine, pagetrail, kernel_elf, tmp_path):
    """--kernel RUN/kernel/pagetrail.elf --out RUN: a file that is copied to itself is not emptied."""
    _, run = machine("--keep-ram", events=300)
    kernel = run / "kernel/pagetrail.elf"
    assert pagetrail("recover", run / "ram", "--kernel", kernel, "-o", run).status == OK
    assert kernel.read_bytes() == kernel_elf.read_bytes() and (run / "ram").exists()
    assert machine("--kernel", kernel, events=300)[0].status == OK
    assert kernel.read_bytes() == kernel_elf.read_bytes()


# ---- a guest that writes on what we read ----

@pytest.mark.parametrize("what", ["nr_rings", "packet_bytes", "nr_packets", "depot_pa", "base_pa", "opened", "zeros", "ones"])
def test_a_stray_write_on_the_descriptor(sanitized, fake_qemu, kernel_elf, pagetrail, tmp_path, what):
    """Under ASan. What was recorded is there, the run says what happened, and nobody calls it a good one."""
    disk, run = tmp_path / "disk.img", tmp_path / "run"
    disk.write_bytes(bytes(8192))
    env = {"QEMU": str(fake_qemu[0]), "FAKE_DESC": hex(fake_qemu[1]), "FAKE_EVENTS": "3000", "FAKE_STRAY": what}
    done = sanitized("run", "--kernel", kernel_elf, "--disk", disk, "--mem", "16M", "--smp", 2, "--out", run, "--", "true",
                     more_env=env, timeout=30)
    assert done.status == CANNOT_TELL and "something wrote on trace_desc." in done.err
    assert "something wrote on trace_desc." in about(run)["manifest"]["stray_write"]
    for hart in range(2):
        assert samples(run, hart) == list(range(3000))
    for command in "summary", "leaks":
        said = pagetrail(command, run)
        assert said.status == CANNOT_TELL and "something wrote on trace_desc." in said.out


# ---- memory and input ----

def test_ram_is_no_file_of_any_folder(machine):
    """So it cannot stay, not even after SIGKILL; a debugger finds it where QEMU's words say while it runs."""
    process = machine(end="hang", events=10, start=True)
    for line in process.stdout:
        if "fake3" in line:
            break
    words = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    path = re.search(r"mem-path=([^,\0]+)", Path(f"/proc/{words[0]}/cmdline").read_text()).group(1)
    with open(path, "rb") as ram:
        assert b"PGTRAIL1" in ram.read()
    assert "pagetrail-ram" in os.readlink(path) and "(deleted)" in os.readlink(path)
    process.kill()
    process.communicate(timeout=20)
    assert not os.path.exists(path)


def test_saved_ram_is_for_its_owner_alone(machine):
    _, run = machine("--keep-ram", events=10)
    assert (run / "ram").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("typed", ["", "ls\n", "ls"])
def test_the_end_of_the_input_ends_a_prompt(fake_qemu, kernel_elf, tmp_path, typed):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(8192))
    env = {**os.environ, "QEMU": str(fake_qemu[0]), "FAKE_DESC": hex(fake_qemu[1]), "FAKE_END": "prompt"}
    done = subprocess.run([paths.PAGETRAIL, "run", "--kernel", kernel_elf, "--disk", disk, "--mem", "16M", "--out", tmp_path / "run"],
                          input=typed, env=env, text=True, capture_output=True, timeout=30)
    assert done.returncode == OK and about(tmp_path / "run")["end"] == "poweroff"


# ---- console and command line ----

def test_console_is_shown_and_logged(machine):
    result, run = machine("--append", "quiet", "--", "usertests", "-q")
    log = (run / "logs/console.log").read_text()
    assert log == result.out and log.startswith('fake guest: trace=stream quiet run="usertests -q"')
    assert "test fake3" in log


def test_what_was_run_is_kept_as_it_was_typed(machine):
    words = ["echo", "back\\slash", "tab\there"]
    _, run = machine("--", *words)
    assert about(run)["guest_command"] == words
    assert machine("--", 'a"b')[0].status == CANNOT_TELL


def test_one_word_commands_need_no_quotes(machine):
    assert "run=true\n" in machine("--", "true")[0].out


def test_progress_shows_failures_only_when_piped(machine):
    result, _ = machine("--progress")
    assert "test fake2 ...... FAILED" in result.err and "fake1" not in result.err.split("last lines")[0]
    assert not result.out


def test_quiet_is_quiet(machine):
    result, _ = machine("--quiet")
    assert not result.out and re.fullmatch(r"run: .*: [\d.]+ s, 400 events, 0 discarded\n", result.err)


@pytest.fixture(scope="module")
def tail_of(tmp_path_factory):
    """tail_of(text): the lines that are shown of a console whose guest failed."""
    path = tmp_path_factory.mktemp("tail") / "tail"
    subprocess.run(["gcc", "-D_GNU_SOURCE", *(f"-I{folder}" for folder in (paths.ROOT / "trace-tools", paths.BUILD / "trace-tools", paths.ROOT / "kernel/include")),
                    "-o", path, paths.ROOT / "tests/trace/console_tail.c", paths.BUILD / "trace-tools/libpagetrail.a", "-ldw", "-lelf", "-lz", "-lm"], check=True)
    return lambda text: subprocess.run([path], input=text, text=True, capture_output=True, check=True, timeout=60).stdout.splitlines()


FIRMWARE = ("\nOpenSBI v1.1\n   ____                    _____ ____ _____\n  / __ \\                  / ____|  _ \\_   _|\n\nPlatform Name             : riscv-virtio,qemu\n"
            "Domain0 Region00          : 0x0000000002000000-0x000000000200ffff (I)\n\nBoot HART MEDELEG         : 0x0000000000f0b509\n")


@pytest.mark.parametrize("guest, shown", [
    ("", ["  (the kernel said nothing; the firmware did, before it)"]),
    ("Pagetrail on 2 harts\npanic: no disk\n", ["  | Pagetrail on 2 harts", "  | panic: no disk"]),
    ("Pagetrail\nError : the disk\n", ["  | Pagetrail", "  | Error : the disk"]), ("half a line", ["  | half a line"])])
def test_the_firmware_is_not_what_failed(tail_of, guest, shown):
    assert tail_of((FIRMWARE + guest).replace("\n", "\r\n")) == shown


def test_of_many_findings_the_first_are_shown(tail_of):
    """So that the lines before and behind them are among the last ones."""
    finding = "{} pfn 0x804f{} pagecache count 1 claims 0 pid 9\n  from 80206692 8020a414\n"
    text = "".join(finding.format("UNREACH", n % 10) for n in range(200))
    lines = tail_of(f"[1/1] test a ...... FAILED\n{text}verdict: 200 findings\nOBJ object 0x1 cache dirty pid 3\n  now 1 2\nrest\n")
    assert lines == ["  | [1/1] test a ...... FAILED", *(f"  | {line}" for line in text.splitlines()[:4]), "  | ... 396 more lines of findings",
                     "  | verdict: 200 findings", "  | OBJ object 0x1 cache dirty pid 3", "  |   now 1 2", "  | rest"]
    assert tail_of(text)[4:] == ["  | ... 396 more lines of findings"]
    assert tail_of(finding.format("STALE", 1) * 2 + "  now 7\n")[4:] == ["  | ... 1 more line of findings"]


@pytest.mark.parametrize("words", [["--smp", "9"], ["--smp", "x"], ["--mem", "12Q"], ["--mode", "x"], ["--disk-mode", "x"],
                                   ["--kernel", "/nonexistent"], ["--nonsense"], ["--smp"], ["--quiet=1"]])
def test_bad_usage_is_refused_before_anything_starts(machine, words, tmp_path):
    result, run = machine(*words)
    assert result.status == CANNOT_TELL and result.err.startswith("pagetrail: ") and not run.exists()


def test_qemu_dies_with_us(machine, tmp_path):
    """SIGKILL to pagetrail leaves no machine behind."""
    process = machine(end="hang", events=10, start=True)
    for line in process.stdout:
        if "fake3" in line:
            break
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{child}/stat").read_text().split(")")[1].split()[0] == "Z":
                break
        except FileNotFoundError:
            break
        os.sched_yield()
    else:
        pytest.fail("QEMU still runs")
