#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make demo`: usertests under trace on a machine of the given shape; then what came of it, in four lines.

    verdict   no leaks: 3799817 events, 0 discarded
    picture   traces/runs/demo/free-pages.png
    report    traces/runs/demo/report.html
    next      build/trace-tools/pagetrail stacks traces/runs/demo

With --fault NN the kernel is built from a patched copy of the tree first, the fault's own workload runs on the machine that
the catalogue names, and what the tools say is compared with what the catalogue expects (a fifth line): a loss that is
found is then a success. The run folder is traces/runs/demo, or traces/runs/fault-NN.

Exit status: 0 as it should be (nothing lost; with a fault: what the catalogue expects), else that of `pagetrail run`
(1 something lost or the guest failed, 2 could not tell), or 1 where a fault does not show. With --check it is that of
`pagetrail run` always.
"""
import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from harness import baselines, faults, paths
from harness.expect import differences
from harness.machine import needs_virtio
from harness.tool import CANNOT_TELL, LEAKED, OK, pagetrail, pagetrail_json

PICTURE, REPORT = "free-pages.png", "report.html"


def parse_arguments():
    options = argparse.ArgumentParser()
    options.add_argument("--smp", help="harts (4; a fault's own)")
    options.add_argument("--mem", help="RAM (128M; a fault's own)")
    options.add_argument("--fault", help="number or name of one in tests/faults")
    options.add_argument("--runs", help="where the run folder goes (traces/runs)", default=paths.ROOT / "traces/runs", type=Path)
    options.add_argument("--no-why", action="store_true", help="with a fault: do not run it again to say where the last pointers died")
    options.add_argument("--check", action="store_true", help="end with the status of `pagetrail run`")
    return options.parse_args()


def shown(path):
    """A path as one would type it here."""
    return shlex.quote(os.path.relpath(path))


def build_kernel(fault):
    """The ELF of the patched kernel, or None where the compiler refuses it as the catalogue expects."""
    print(f"fault {fault.name}: {fault.title}\nbuilding the patched kernel ...", flush=True)
    try:
        return fault.build()
    except RuntimeError as error:
        refusal = fault.expect.get("build_fails")
        if not refusal or not re.search(refusal, str(error)):
            raise SystemExit(str(error)) from None
        line = next(line for line in str(error).splitlines() if re.search(refusal, line))
        print(f"\nverdict   {line}\nexpected  yes: the compiler refuses this kernel")
        return None


def baseline_for(fault, smp, mem):
    """The words that compare with the healthy kernel under the fault's workload, which runs for it once."""
    print(f"what the healthy kernel releases, to compare with: {fault.run} ...", flush=True)
    return ["--baseline", baselines.kept(fault.run, smp, mem, fault.append)]


def record(run, kernel, command, smp, mem, append, compare):
    """Boots the machine, shows its table, its leak report and its curve; returns the status of `pagetrail run`."""
    shutil.rmtree(run, ignore_errors=True)  # a picture of an earlier run is none of this one
    words = [paths.PAGETRAIL, "run", "--kernel", kernel, "--disk", paths.DISK, "--smp", smp, "--mem", mem, "--out", run,
             "--progress", "--tests", "--leaks", "--plot", "--timeout", "600"]
    if needs_virtio(mem):
        words += ["--disk-mode", "virtio"]
    words += [*compare, "--append", f"debug=on {append}".strip()]
    signal.signal(signal.SIGINT, lambda *_: None)  # ctrl-C is for the machine, which then ends and says what it knows
    return subprocess.call([str(word) for word in (*words, "--", command)])


def tell_why(run, kernel, fault, smp, mem):
    """
    What leaked leaks again in a run that can be repeated, whose pointers are followed: where the last of them died. False: that is
    not known. One hart repeats every time; several do not always take turns in the same way, and are for what leaks with them alone.
    """
    again = run.with_name(run.name + "-why")
    words = [paths.PAGETRAIL, "run", "--icount", "--quiet", "--kernel", kernel, "--disk", paths.DISK, "--mem", mem, "--out", again,
             "--timeout", "600", "--append", f"debug=on {fault.append}".strip()]
    print("\nrunning it again, pages elsewhere, to follow every pointer to what leaked or was freed too early: evidence that needs no "
          "healthy kernel to compare with (WHY=no skips this) ...", flush=True)
    for harts in ("1", smp):
        shutil.rmtree(again, ignore_errors=True)
        subprocess.run([str(word) for word in (*words, "--smp", harts, "--", fault.run)], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        if pagetrail("leaks", again).status == LEAKED and subprocess.call([str(paths.PAGETRAIL), "why", str(again)]) == LEAKED:
            return True
    return False


def next_command(run, leaks):
    """What to type next: the life of a lost page, else what stands behind the figures."""
    pages = [item for group in leaks["groups"] if group["what"] == "page" for item in group["items"]]
    if pages:
        return f"page {shown(run)} 0x{pages[0]['pfn']:x}"
    return f"leaks {shown(run)}" if leaks["verdict"] != "no leaks" else f"stacks {shown(run)}"


def headline(report, leaks, status):
    """The verdict as `pagetrail leaks` begins its report; it knows of the trace alone, not how the guest's command ended."""
    first = report.split("\n", 1)[0].removesuffix(", listed at the end")
    return f"{first}; the guest failed" if status == LEAKED and leaks["verdict"] == "no leaks" else first


def differing(fault, run, status, leaks, report):
    """In what the run differs from what the catalogue expects of the fault, a line each."""
    console = (run / "logs/console.log").read_text(errors="replace")
    return list(differences(fault.expect, status, leaks, report, console))


def main():
    arguments = parse_arguments()
    fault = faults.find(arguments.fault) if arguments.fault else None
    kernel = build_kernel(fault) if fault else paths.KERNEL
    if not kernel:
        return LEAKED if arguments.check else OK
    run = arguments.runs / (f"fault-{fault.name.split('-')[0]}" if fault else "demo")
    smp, mem = (str(fault.smp), fault.mem) if fault else ("4", "128M")
    compare = baseline_for(fault, arguments.smp or smp, arguments.mem or mem) if fault else []
    status = record(run, kernel, fault.run if fault else "usertests", arguments.smp or smp, arguments.mem or mem,
                    fault.append if fault else "", compare)
    if not (run / "run.json").exists():
        return status or CANNOT_TELL
    report, leaks = pagetrail("leaks", run, *compare, cwd=paths.ROOT).out, pagetrail_json("leaks", run, *compare, cwd=paths.ROOT)
    if leaks["verdict"] == "no leaks" and not fault:
        pagetrail("baseline", run, cwd=paths.ROOT)  # for the next build's demo: `leaks` finds it by its workload
    pagetrail("report", run, *compare, cwd=paths.ROOT)
    asked_why = fault and leaks["verdict"] == "leaked" and not arguments.no_why and not needs_virtio(arguments.mem or mem)
    if asked_why:
        knows_why = tell_why(run, kernel, fault, arguments.smp or smp, arguments.mem or mem)
    print(f"\nverdict   {headline(report, leaks, status)}")
    good = status == OK
    if fault:
        found = differing(fault, run, status, leaks, report)
        good = not found
        print("expected  " + "\n          ".join(["no: the catalogue knows this fault otherwise", *found] if found else
                                                ["yes: so the catalogue knows this fault"]))
    if asked_why and not knows_why:
        print(f"why       not known: see above, or pagetrail why {shown(run)}-why")
    for what, name in (("picture", PICTURE), ("report", REPORT)):
        print(f"{what:9} {shown(run / name) if (run / name).exists() else 'none was written'}")
    print(f"next      {shown(paths.PAGETRAIL)} {next_command(run, leaks)}", flush=True)
    if arguments.check:
        return status
    return OK if good else status or LEAKED


if __name__ == "__main__":
    sys.exit(main())
