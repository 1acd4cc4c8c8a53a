#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`pagetrail watch` on an xv6 tree that the user has: builds a copy of it, runs usertests under watch, prints a table.

    make test-xv6 XV6=~/xv6-riscv [SMP='1 3'] [TEST='usertests -q'] [MAKE_WORDS='...']

Nothing in the tree itself is changed. The status is 0 when every run has the verdict "no leaks", 1 when one leaked, else 2.

Columns: harts; status of watch; events; pages free in the trace and on the kernel's own lists (their difference is 0 in
a run that can be believed); anomalies that the plugin saw; tests that the console names and those that are marks; pages
leaked; what forbids a verdict.
"""
import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import paths  # noqa: E402
from harness.tool import CANNOT_TELL, LEAKED, OK, pagetrail, pagetrail_json  # noqa: E402

DONE = "ALL TESTS PASSED|SOME TESTS FAILED|FAILED -- lost|panic: "
NO_PMP = "QEMU=qemu-system-riscv64 -cpu rv64,pmp=false"
TESTED = re.compile(r"^test ([^\s:]+):", re.M)


class Tree:
    """A built copy of an xv6 tree."""

    def __init__(self, source, folder, words=()):
        self.folder, self.words = folder / "tree", list(words)
        shutil.copytree(source, self.folder, symlinks=True, ignore=shutil.ignore_patterns(".git", "pagetrail-runs"))
        done = self._build()
        if "infinite-recursion" in done.stderr:  # gcc 12 and later say so of the shell of older years, with -Werror
            self.words.append(f"CC={paths.CROSS}gcc -Wno-error=infinite-recursion")
            done = self._build()
        if done.returncode:
            sys.exit(f"{source} does not build here:\n{(done.stdout + done.stderr)[-3000:]}")

    def _build(self):
        return subprocess.run(["make", "-C", self.folder, *self.words, "kernel/kernel", "fs.img"],
                              env={**paths.make_environment(), "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)

    def make(self, smp, *more):
        """The command that a user types in the tree."""
        return ["make", f"CPUS={smp}", *self.words, *more, "qemu"]

    def usertests(self):
        """How all its tests are called: -q (2021 and later) leaves out the slow ones."""
        return "usertests -q" if '"-q"' in (self.folder / "user/usertests.c").read_text(errors="replace") else "usertests"

    def needs_no_pmp(self):
        """Kernels that do not set up physical memory protection stop at their first mret in a QEMU that has it."""
        return "pmpcfg0" not in "".join(path.read_text(errors="replace") for path in (self.folder / "kernel").glob("*.[ch]"))


def watch(tree, smp, typed, run, limit, options=()):
    words = tree.make(smp, *([NO_PMP] if tree.needs_no_pmp() else []))
    command = [str(paths.PAGETRAIL), "watch", "--out", str(run), "--type", typed, "--until", DONE, "--timeout", str(limit),
               *options, *words]
    return subprocess.run(command, cwd=tree.folder, env=paths.make_environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace")


def row(run, done, smp):
    """What a run came to, as columns."""
    if not (run / "plugin.json").exists():
        return [smp, done.returncode, *["-"] * 5, done.stderr.strip().splitlines()[-1]]
    about = json.loads((run / "plugin.json").read_text())
    audit = pagetrail_json("audit", run)
    console = (run / "logs/console.log").read_text(errors="replace")
    named, marked = set(TESTED.findall(console)), 0
    for name in named:
        marked += pagetrail("leaks", run, "--test", name[:16]).err.find("--test") < 0
    free = f"{about['pages']['free']}/{audit['free']}"
    anomalies = sum(kind["count"] for kind in about["anomalies"].values())
    return [smp, done.returncode, about["events"], free, anomalies, f"{marked}/{len(named)}", audit["leaked"],
            audit["reasons"][0] if audit["reasons"] else "-"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--smp", default="1 3", help="harts, one run for each (1 3)")
    parser.add_argument("--test", help="what to type (usertests, with -q where there is one)")
    parser.add_argument("--make-words", default="", help="for every make, as in TOOLPREFIX=riscv64-linux-gnu-")
    parser.add_argument("--keep", type=Path, help="where the run folders stay (a new folder, removed at the end)")
    parser.add_argument("--timeout", type=int, default=3000)
    arguments = parser.parse_args()
    worst = OK
    with tempfile.TemporaryDirectory(prefix="pagetrail-xv6-") as temporary:
        tree = Tree(arguments.tree, Path(temporary), shlex.split(arguments.make_words))
        keep = arguments.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=True)
        typed = arguments.test or tree.usertests()
        print(f"{arguments.tree}: {typed}")
        print("harts status     events free trace/lists anomalies   marks leaked not the last word")
        for smp in arguments.smp.split():
            run = keep / f"smp{smp}"
            done = watch(tree, smp, typed, run, arguments.timeout)
            (keep / f"smp{smp}.txt").write_text(done.stdout + done.stderr)
            columns = [str(word) for word in row(run, done, smp)]
            print("%5s %6s %10s %16s %9s %7s %6s %s" % tuple(columns[:8]), flush=True)
            if done.returncode == LEAKED or worst == OK:
                worst = done.returncode if done.returncode in (OK, LEAKED) else CANNOT_TELL
            if done.returncode:
                verdict = done.stdout[done.stdout.rfind(str(run)):]
                print("\n".join("    " + line for line in (verdict + done.stderr).splitlines()[:40]))
    return worst


if __name__ == "__main__":
    sys.exit(main())
