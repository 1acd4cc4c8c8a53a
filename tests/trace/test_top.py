# SPDX-License-Identifier: MIT
"""`pagetrail top` on a folder that grows under it: as text, in a terminal, and to the machine's end."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest
import tracegen
from harness import paths
from test_format import busy_machine
from test_run import fake_qemu, machine  # noqa: F401  (fixtures)
from harness.tool import CANNOT_TELL, OK

LIMIT_S = 30


class Recorder:
    """Plays `pagetrail run`: a machine's files, open for writing, that grow packet by packet."""

    def __init__(self, folder, machine):
        self.packets = {s.hart: self.split(s.bytes(), s.packet_bytes) for s in machine.streams}
        (folder / "trace").mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.stacks = open(folder / "trace/stacks", "wb", buffering=0)
        self.stacks.write(machine.stacks_bytes())
        self.files = {s.hart: open(folder / f"trace/hart{s.hart}", "wb", buffering=0) for s in machine.streams}

    @staticmethod
    def split(data, size):
        return [data[i:i + size] for i in range(0, len(data), size)]

    def add(self, hart=0, nr=1):
        for packet in self.packets[hart][:nr]:
            self.files[hart].write(packet)
        del self.packets[hart][:nr]

    def add_all(self):
        for hart in self.files:
            self.add(hart, len(self.packets[hart]))

    def end(self, interrupted=False):
        """run.json comes before the files are closed."""
        if not interrupted and not self.stacks.closed and (self.folder / "trace").exists():
            tracegen.write_run_json(str(self.folder))
        for file in [self.stacks, *self.files.values()]:
            file.close()


@pytest.fixture
def recorder(tmp_path):
    made = []

    def recorder(machine, name="run"):
        made.append(Recorder(tmp_path / name, machine))
        return made[-1], tmp_path / name
    yield recorder
    for each in made:
        each.end()


def numbers(pagetrail, run):
    return pagetrail("top", run, "--json").json()


def kinds(report, key):
    return {kind: nr for kind, nr in report[key].items() if nr}


@pytest.mark.parametrize("interrupted", [True, False])
def test_interrupted_or_ended(pagetrail, recorder, interrupted):
    files, run = recorder(busy_machine(35, 1, acts=300)[0])
    text = watched(run)
    files.add_all()
    text.until("running")
    files.end(interrupted=interrupted)
    last = text.rest()
    assert (": ended before its time: interrupted, " if interrupted else ": ended, ") in last
    report = numbers(pagetrail, run)
    assert report["state"] == "ended" and report["early_end"] == ("interrupted" if interrupted else None)


@pytest.mark.parametrize("seed,harts", [(31, 1), (32, 2), (33, 4)])
def test_the_numbers_are_those_of_the_replay(pagetrail, write, seed, harts):
    machine, _, _ = busy_machine(seed, harts, acts=3000)
    run = write(machine)
    top, summary = numbers(pagetrail, run), pagetrail("summary", run, "--json").json()
    assert top["events"] == machine.nr_events == summary["events"]
    assert top["free_pages"] == summary["free_pages"] == len(machine.free_pfns)
    assert kinds(top, "kinds") == kinds(summary, "live_pages")
    assert top["state"] == "ended" and top["verdict"] == "complete"
    sites = {row["stack"]: row["page_allocs"] + row["object_allocs"] for row in pagetrail("stacks", run, "--json").json()["sites"]}
    hot = pagetrail("top", run, "--json", "--limit", 5).json()["sites"]
    assert len(hot) == 5 and all(s["pages"] + s["objects"] >= sites[s["stack"]] > 0 for s in hot)
    assert [s["pages"] + s["objects"] for s in hot] == sorted((s["pages"] + s["objects"] for s in hot), reverse=True)


def test_harts_may_come_in_any_order(pagetrail, recorder):
    """A sample on the last hart, long after others' records were seen; the sum at the end is the same."""
    machine, _, _ = busy_machine(34, 3, acts=2500)
    files, run = recorder(machine)
    text = watched(run)
    for hart in (2, 1, 0):
        files.add(hart, len(files.packets[hart]))
        text.until(f"events  {sum(events_in(run))},")
    files.end()
    last = text.rest()
    assert f"free    {len(machine.free_pfns)} pages" in last and ": ended, " in last
    assert text.status() == OK


def events_in(run):
    """Events in each hart's file."""
    for path in sorted((run / "trace").glob("hart*")):
        data, offset, nr = path.read_bytes(), 0, 0
        while offset < len(data):
            size, content = struct.unpack_from("<QQ", data, offset + 8)
            nr += (content // 8 - 64) // 32
            offset += size // 8
        yield nr


class watched:
    """`top RUN` with its output in a pipe; until() reads pictures until one has the words in it."""

    def __init__(self, run, *options):
        self.process = subprocess.Popen([paths.PAGETRAIL, "top", run, "--interval", "0.02", *options],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.text = ""

    def until(self, words):
        read_until(self.process.stdout.fileno(), self, lambda: words in self.text.rsplit("pagetrail top", 1)[-1])

    def rest(self):
        out, self.err = self.process.communicate(timeout=LIMIT_S)
        self.text += out.decode()
        return "pagetrail top" + self.text.rsplit("pagetrail top", 1)[-1]

    def status(self):
        return self.process.wait(LIMIT_S)


def read_until(fd, where, done):
    deadline = time.monotonic() + LIMIT_S
    while not done():
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing of the kind came:\n{where.text[-3000:]}"
        data = os.read(fd, 65536)
        assert data, f"it ended:\n{where.text[-3000:]}"
        where.text += data.decode()


def ten_packets():
    """A machine whose every packet takes as many pages as it has records."""
    machine = tracegen.Machine(packet_bytes=64 + 32 * 10)
    machine.sample()
    machine.mark("filling")
    for i in range(98):
        machine.alloc("ANON", "PTE", (7, i), (0x80200000 + 4 * (i % 30),))
    return machine


def test_pictures_follow_the_growth(recorder):
    machine = ten_packets()
    files, run = recorder(machine)
    free = len(machine.free_pfns) + 98
    text = watched(run)
    text.until("running")
    files.add()
    text.until(f"free    {free - 8} pages")
    assert "test    filling\n" in text.text and "losses  none" in text.text
    files.add(nr=2)
    text.until(f"free    {free - 28} pages")
    assert re.search(r"anon +28 \+20\n", text.text)
    files.add_all()
    files.end()
    assert f"free    {free - 98} pages" in text.rest() and text.status() == OK
    assert "\033" not in text.text and not text.err


def test_nothing_is_said_where_nothing_happens(recorder):
    files, run = recorder(ten_packets())
    files.add()
    text = watched(run)
    text.until("events  10,")
    files.add()
    text.until("events  20,")
    files.end()
    text.rest()
    assert text.text.count("events  10,") == 1


def test_a_writer_that_comes_while_it_looks_for_one(recorder):
    """The system then sends SIGIO to who holds the lease: that must not end it."""
    files, run = recorder(ten_packets())
    files.add()
    text = watched(run)
    text.until("events  10,")
    text.process.send_signal(signal.SIGIO)
    files.add()
    text.until("events  20,")
    files.end()
    assert text.rest() and text.status() == OK


def test_half_a_packet_waits_for_its_other_half(recorder):
    files, run = recorder(ten_packets())
    first, second = files.packets[0][0], files.packets[0][1]
    files.files[0].write(first + second[:100])
    text = watched(run)
    text.until("events  10,")
    files.files[0].write(second[100:])
    text.until("events  20,")
    files.end()
    assert text.rest() and text.status() == OK


def test_the_folder_is_removed(recorder):
    """Nothing comes any more: `top` ends, also when nobody is left to read what it says."""
    files, run = recorder(ten_packets())
    files.add()
    text = watched(run)
    text.until("events  10,")
    shutil.rmtree(run)
    assert ": ended, " in text.rest() and text.status() in (OK, CANNOT_TELL)
    folder = run.parent / "empty"
    folder.mkdir()
    text = watched(folder)
    text.until("waiting for a trace")
    folder.rmdir()
    assert text.rest() and text.status() == CANNOT_TELL


def test_before_there_is_a_trace(tmp_path):
    """The folder is made before the guest says where its trace is."""
    folder = tmp_path / "run"
    folder.mkdir()
    text = watched(folder)
    text.until("waiting for a trace")
    files = Recorder(folder, ten_packets())
    files.add()
    text.until("events  10,")
    files.end()
    assert text.rest() and text.status() == OK


def test_a_new_run_into_the_same_folder(recorder):
    files, run = recorder(ten_packets())
    files.add_all()
    text = watched(run)
    text.until("events  100,")
    for path in (run / "trace").iterdir():
        path.unlink()
    again = Recorder(run, ten_packets())
    again.add()
    text.until("events  10,")
    files.end()
    again.end()
    assert text.rest() and text.status() == OK


def test_losses(recorder, pagetrail):
    machine = ten_packets()
    machine.streams[0].discard(5)
    files, run = recorder(machine)
    files.add(nr=2)
    del files.packets[0][:3]
    files.add_all()
    text = watched(run)
    text.until("LOSSES  5 events discarded, 3 packets missing")
    text.until(f"free    {len(machine.free_pfns) + 98} pages at the last sample; no count is exact")
    files.end()
    text.rest()
    assert text.status() == CANNOT_TELL
    assert numbers(pagetrail, run)["packets_missing"] == 3


def test_damage(recorder):
    files, run = recorder(ten_packets())
    files.add()
    files.files[0].write(b"\1" * 640)
    text = watched(run)
    text.until("DAMAGE  hart0 at offset 384: no packet begins here")
    files.end()
    assert text.rest() and text.status() == CANNOT_TELL


def test_frees_seen_before_their_allocations_give_no_negative_numbers(pagetrail, write):
    """Hart 1 took all pages and is behind; hart 0 gave them back."""
    machine = tracegen.Machine(harts=2, packet_bytes=1024, nr_pages=256)
    for pfn in machine.free_pfns:  # boot gives RAM to the free lists
        machine.page_event("page_free", tracegen.Page(pfn, 0, "FREE"), "BOOT", (0, 0), 0, 0, ())
    machine.sample()
    total = len(machine.free_pfns)
    machine.hart = 1
    pages = [machine.alloc("ANON", "PTE", (2, i), (0x80200004,)) for i in range(200)]
    machine.hart = 0
    for i, page in enumerate(pages):
        machine.put(page, "PTE", (2, i), (0x80200008,))
    run = write(machine)
    whole = pagetrail("top", run, "--json").json()
    assert (whole["kinds"]["anon"], whole["free_pages"]) == (0, total)
    (run / "run.json").unlink()
    file = run / "trace/hart1"
    file.write_bytes(file.read_bytes()[:1024])
    part = pagetrail("top", run, "--json").json()
    assert min(part["kinds"].values()) >= 0 and part["free_pages"] <= total


@pytest.mark.parametrize("name,how", [("hart0", lambda file: file.write_bytes(file.read_bytes()[:-4096])), ("hart0", os.unlink)])
def test_what_run_json_knows_to_be_missing_is_damage(pagetrail, write, name, how):
    machine = tracegen.Machine(harts=2)
    for i in range(600):
        machine.hart = i % 2
        machine.sample()
    run = write(machine)
    assert pagetrail("top", run, "--once").status == OK
    how(run / "trace" / name)
    done = pagetrail("top", run, "--once")
    assert done.status == CANNOT_TELL and f"DAMAGE  {name} " in done.out


def test_a_reader_that_does_not_read_does_not_keep_it(recorder):
    """The pipe is full, so it waits to write; SIGTERM ends it all the same."""
    files, run = recorder(ten_packets())
    files.add()
    end, ours = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(ours, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(ours, b"x" * 512):
            pass
    process = subprocess.Popen([str(paths.PAGETRAIL), "top", str(run)], stdout=ours, stderr=subprocess.DEVNULL)
    os.set_blocking(ours, True)
    deadline, blocked = time.monotonic() + 20, 0
    while time.monotonic() < deadline and not blocked & 1 << signal.SIGTERM - 1:  # from then on it looks for signals itself
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            blocked = int(re.search(r"^SigBlk:\s*(\w+)", status.read(), re.M).group(1), 16)
    process.terminate()
    assert process.wait(timeout=20) in (0, CANNOT_TELL)
    os.close(end)
    os.close(ours)


def test_panic_audit_and_memory_that_ran_out(pagetrail, write):
    machine = ten_packets()
    machine.emit("oom", value=1)
    machine.audit([{"verdict": "UNREACH", "page": next(iter(machine.pages.values()))}])
    machine.emit("panic", name="the reason")
    text = pagetrail("top", write(machine), "--once").out
    assert "audit   1 finding at" in text and "memory  out 1 time\n" in text and "PANIC   the reason" in text


@pytest.mark.parametrize("words,said", [
    (["/nonexistent"], "/nonexistent: No such file"), ([paths.PAGETRAIL], "Not a directory"), ([], "usage: pagetrail top"),
    (["/", "--interval", "0"], "--interval: 0 is not a number of seconds"), (["/", "--interval", "x"], "x is not a number"),
    (["/", "--once"], "there is no trace yet")])
def test_what_is_not_there_is_said(pagetrail, words, said):
    result = pagetrail("top", *words)
    assert result.status == CANNOT_TELL and said in result.err and not result.out


# ---- in a terminal ----

class Terminal:
    """`top` in a pseudo-terminal of a size."""

    def __init__(self, run, rows=24, columns=80, interval="0.05", **environment):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([paths.PAGETRAIL, "top", run, "--interval", interval], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", **environment},
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.text = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, words):
        """Until a whole picture has the words; returns its lines, without what draws them."""
        def picture():
            whole = [p for p in self.text.split("\033[H")[1:] if "\033[J" in p]
            return whole[-1].split("\033[J")[0] if whole else ""
        read_until(self.master, self, lambda: words in picture())
        return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", picture()).split("\r\n")

    def key(self, key):
        os.write(self.master, key)

    def end(self):
        """Its status; what is left on the usual screen is in self.text."""
        os.close(self.slave)
        try:
            while data := os.read(self.master, 65536):
                self.text += data.decode()
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(self.master)
        return self.process.wait(LIMIT_S)

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before


@pytest.fixture
def running(recorder):
    """(files, run) of a machine of which one packet is there."""
    files, run = recorder(ten_packets())
    files.add()
    return files, run


def test_redrawn_in_place_and_left_by_q(running):
    files, run = running
    terminal = Terminal(run)
    first = terminal.until("events  10,")
    assert len(first) <= 24 and "running" in first[0]
    files.add()
    second = terminal.until("events  20,")
    assert "\n\n\n" not in terminal.text and len(second) >= len(first)
    assert not terminal.restored(), "no single keys"
    terminal.key(b"q")
    terminal.process.wait(LIMIT_S)
    assert terminal.restored()
    assert terminal.end() == OK
    assert terminal.text.startswith("\033[?1049h\033[?25l") and terminal.text.count("\033[?1049h") == 1
    left = terminal.text.split("\033[?25h\033[?1049l")[1]
    assert "events  20," in left and "\033" not in left


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "key"])
def test_stopped_by_a_signal_it_restores_the_terminal(running, stop):
    terminal = Terminal(running[1])
    terminal.until("events  10,")
    if stop == "key":
        terminal.key(b"\x03")
    else:
        terminal.process.send_signal(stop)
    assert terminal.process.wait(LIMIT_S) == OK and terminal.restored()
    terminal.end()
    assert "\033[?25h\033[?1049l" in terminal.text


def test_suspended_and_resumed(running):
    """Ctrl-Z gives the terminal back as it was; fg takes it again."""
    files, run = running
    terminal = Terminal(run)
    terminal.until("events  10,")
    os.kill(terminal.process.pid, signal.SIGTSTP)
    os.waitpid(terminal.process.pid, os.WUNTRACED)
    assert terminal.restored()
    os.kill(terminal.process.pid, signal.SIGCONT)
    files.add()
    terminal.until("events  20,")
    assert not terminal.restored()
    terminal.key(b"q")
    assert terminal.process.wait(LIMIT_S) == OK
    terminal.end()


def test_the_machines_end(running):
    files, run = running
    terminal = Terminal(run)
    terminal.until("events  10,")
    files.add_all()
    files.end()
    assert terminal.process.wait(LIMIT_S) == OK and terminal.restored()
    terminal.end()
    left = terminal.text.split("\033[?1049l")[1]
    assert "ended" in left and "events  100," in left
    assert left.count(" 0xffffffc0802") == 10, "ten of thirty sites"


def test_any_other_key_redraws_at_once(running):
    """The interval is an hour; a key is sooner."""
    files, run = running
    terminal = Terminal(run, interval="3600")
    terminal.until("events  10,")
    files.add()
    terminal.key(b" ")
    while "events  20," not in terminal.text:  # the file and the key may be seen in either order
        terminal.key(b" ")
        read_until(terminal.master, terminal, lambda seen=len(terminal.text): len(terminal.text) > seen)
    terminal.key(b"q")
    assert terminal.end() == OK


def test_small_and_resized(running):
    terminal = Terminal(running[1], rows=8, columns=40)
    small = terminal.until("events  10,")
    assert len(small) <= 8 and max(map(len, small)) <= 40
    terminal.resize(30, 100)
    large = terminal.until("call site")
    assert len(large) > 8
    terminal.key(b"q")
    assert terminal.end() == OK


@pytest.mark.parametrize("columns", [40, 56, 64, 72, 80, 120])
def test_no_count_is_cut_however_narrow(recorder, pagetrail, columns):
    """All counts are there, whole, in 40 columns as in 120: what does not fit goes on in the next line."""
    machine, _, _ = busy_machine(36, 2, acts=4000)
    machine.sample()
    machine.emit("oom", value=1)
    machine.audit([{"verdict": "UNREACH", "page": next(iter(machine.pages.values()))}])
    files, run = recorder(machine)
    files.add_all()
    terminal = Terminal(run, rows=60, columns=columns)
    lines = terminal.until(f"events  {machine.nr_events},")
    terminal.key(b"q")
    assert terminal.end() == OK
    top, said = numbers(pagetrail, run), " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= columns
    assert f"free {top['free_pages']} pages, " in said and f" held {top['held_pages']} " in said
    assert re.search(r"at the last sample: \d+ parked, \d+ cached, \d+ dirty ", said)
    assert "audit 1 finding at " in said and "memory out 1 time " in said
    for kind, nr in kinds(top, "kinds").items():
        assert re.search(rf"\b{kind} +{nr}(?= |$)", said), (kind, nr)
    rates = [line for line in lines if re.match(r" *\d+\.\d ", line)]
    assert rates and ("objects/s" in said) == (columns >= 64)


def test_over_losses_nothing_is_counted(recorder, pagetrail):
    """Neither before there is a sample nor after: a picture without a number is better than one with a wrong number."""
    machine = tracegen.Machine()
    machine.alloc("ANON", "PTE", (7, 0))
    machine.streams[0].discard(5)
    machine.alloc("ANON", "PTE", (7, 1))
    files, run = recorder(machine)
    files.add_all()
    files.end()
    text = pagetrail("top", run, "--once")
    assert text.status == CANNOT_TELL and "free    not known: events are missing" in text.out
    assert "pages by kind" not in text.out and re.search(r" seen  call site$", text.out, re.M)
    top = numbers(pagetrail, run)
    assert (top["free_pages"], top["held_pages"], top["kinds"]) == (-1, -1, {})


def test_nothing_seen_is_no_success(recorder, pagetrail):
    files, run = recorder(tracegen.Machine())
    files.add_all()
    files.end()
    assert pagetrail("top", run, "--once").status == CANNOT_TELL
    result = pagetrail("top", run, "--json")
    assert result.status == CANNOT_TELL and result.json()["verdict"] == "cannot tell" and result.json()["events"] == 0


def test_colour_only_where_it_is_wanted(running):
    for environment, bold in ({}, True), ({"NO_COLOR": "1"}, False):
        terminal = Terminal(running[1], **environment)
        terminal.until("events  10,")
        assert ("\033[1m" in terminal.text) == bold and "\033[H" in terminal.text
        terminal.key(b"q")
        terminal.end()


def test_a_dumb_terminal_gets_plain_pictures(running):
    files, run = running
    terminal = Terminal(run, TERM="dumb")
    read_until(terminal.master, terminal, lambda: "events  10," in terminal.text)
    files.end()
    assert terminal.end() == OK and "\033" not in terminal.text


def test_run_is_watched_from_its_beginning_to_its_end(machine, tmp_path):
    """With `pagetrail run` itself as the recorder, and a machine that hangs until it is interrupted."""
    folder = tmp_path / "run"
    folder.mkdir()
    text = watched(folder)
    text.until("waiting for a trace")
    run = machine("--smp", 2, end="hang", events=5000, start=True)
    text.until("running")
    for line in run.stdout:
        if "hanging" in line or "fake3" in line:
            break
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=LIMIT_S)
    last = text.rest()
    assert ": ended before its time: interrupted, " in last and text.status() == OK
    events = json.loads((folder / "run.json").read_text())["events"]
    assert events == 10000 and f"events  {events}," in last
