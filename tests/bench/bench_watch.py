#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagetrail watch` costs on an xv6 tree: user CPU of QEMU with and without it, side by side, and bytes an event.

    make bench-watch XV6=DIR [BENCH_WATCH='--pairs 3 --smp 3 --writes --test "usertests -q"']

Each pair is the same command in the same copy of the tree, one after the other, so that a busy host meets both. The CPU
is QEMU's own from its start to the end of the test, as Linux counts it; building, and the report afterwards, are not in
it. Both are typed to by the same hand: a terminal of this program.
"""
import argparse
import json
import os
import pty
import re
import select
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "watch"))
from harness import paths  # noqa: E402
from xv6 import DONE, NO_PMP, Tree  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
PROMPT = rb"\$ $"


def qemu_of(tree):
    """The process of the QEMU that runs in this copy of the tree."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve() == tree.folder.resolve() and b"\0-kernel\0" in (folder / "cmdline").read_bytes() \
                    and b"qemu-system" in (folder / "cmdline").read_bytes().split(b"\0")[0]:
                return int(folder.name)
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            pass
    sys.exit("no QEMU runs in the tree")


def user_seconds(pid):
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(words[11]) / TICK


class Session:
    """A command on a terminal of its own."""

    def __init__(self, command, folder):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, paths.make_environment())
        self.said = b""

    def read(self, limit):
        if not select.select([self.terminal], [], [], limit)[0]:
            sys.exit(f"nothing was said for {limit} s:\n{self.said[-1000:].decode(errors='replace')}")
        try:
            got = os.read(self.terminal, 65536)
        except OSError:
            got = b""
        self.said += got.replace(b"\r", b"")
        return bool(got)

    def await_text(self, pattern, limit=600):
        while not re.search(pattern, self.said, re.M):
            if not self.read(limit):
                sys.exit(f"it ended early:\n{self.said[-2000:].decode(errors='replace')}")

    def type(self, line):
        self.said = b""
        os.write(self.terminal, line.encode() + b"\n")

    def end(self):
        while self.read(600):
            pass
        return os.waitpid(self.pid, 0)[1]


def run_once(tree, arguments, typed, run=None, options=()):
    """User seconds of QEMU for one test, and of the test alone on the wall."""
    command = tree.make(arguments.smp, *([NO_PMP] if tree.needs_no_pmp() else []))
    if run:
        command = [str(paths.PAGETRAIL), "watch", "--out", str(run), *options, *command]
    session = Session(command, tree.folder)
    session.await_text(PROMPT)
    qemu = qemu_of(tree)
    began = time.monotonic()
    session.type(typed)
    session.await_text(PROMPT)
    until = arguments.until or DONE
    if not re.search(until.encode(), session.said):
        sys.exit(f"{typed} ended without {until}:\n{session.said[-2000:].decode(errors='replace')}")
    took, cpu = time.monotonic() - began, user_seconds(qemu)
    os.kill(qemu, signal.SIGTERM)
    session.end()
    return cpu, took


def bytes_an_event(run):
    events = json.loads((run / "plugin.json").read_text())["events"]
    return sum(path.stat().st_size for path in (run / "trace").iterdir()) / events, events


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--smp", default="3")
    parser.add_argument("--test", help="what is typed (usertests, with -q where there is one)")
    parser.add_argument("--until", help="what it says at its end (the words of usertests)")
    parser.add_argument("--writes", action="store_true", help="also with --check writes")
    parser.add_argument("--make-words", default="")
    arguments = parser.parse_args()
    kinds = {"watch": ()} | ({"writes": ("--check", "writes")} if arguments.writes else {})
    ratios = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory(prefix="pagetrail-bench-") as temporary:
        tree = Tree(arguments.tree, Path(temporary), shlex.split(arguments.make_words))
        typed = arguments.test or tree.usertests()
        print(f"{arguments.tree}: {typed}, {arguments.smp} harts; user CPU of QEMU in seconds; "
              f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
        for pair in range(arguments.pairs):
            plain, took = run_once(tree, arguments, typed)
            print(f"pair {pair + 1}: none {plain:.2f} ({took:.0f} s)", end="", flush=True)
            for name, options in kinds.items():
                run = Path(temporary) / f"{name}{pair}"
                cpu, took = run_once(tree, arguments, typed, run, options)
                ratios[name].append(cpu / plain)
                size, events = bytes_an_event(run)
                print(f"; {name} {cpu:.2f} ({took:.0f} s) {cpu / plain:.2f}x, {events} events, {size:.1f} bytes each",
                      end="", flush=True)
                subprocess.run(["rm", "-rf", run], check=True)
            print(f"; load {os.getloadavg()[0]:.1f}", flush=True)
    for name, list_of in ratios.items():
        print(f"{name}: {statistics.median(list_of):.2f}x (median of {len(list_of)}, "
              f"{min(list_of):.2f} to {max(list_of):.2f})")


if __name__ == "__main__":
    main()
