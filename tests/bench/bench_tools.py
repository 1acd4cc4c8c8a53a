#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast and how large the trace tools are on a long run: a recorded one multiplied (tests/trace/multiply.py).

CPU time is that of the process, the least of several runs, since a busy machine can only add to it. Memory is the peak of
all that is resident, the mapped trace included. docs/PERFORMANCE.md keeps the figures.

Usage: bench_tools.py [EVENTS]    (5,000,000; a fourth of that is measured, too)
"""
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "trace")]
from harness import paths  # noqa: E402 (the paths above and below)

sys.path.insert(0, str(paths.BUILD / "trace-tools"))
import golden  # noqa: E402
from harness.tool import measure  # noqa: E402
from multiply import multiply  # noqa: E402

REPEAT = 5


def run(words):
    """(CPU seconds, peak KiB, those of the seconds in user mode)"""
    status, *used = measure(*words)
    if status:
        sys.exit(f"pagetrail {' '.join(map(str, words))}: status {status}")
    return used


def first_output(folder):
    """Seconds until `summary` has printed something, by the clock."""
    begin = time.monotonic()
    process = subprocess.Popen([str(paths.PAGETRAIL), "summary", str(folder)], stdout=subprocess.PIPE)
    select.select([process.stdout], [], [])
    seconds = time.monotonic() - begin
    process.communicate()
    return seconds


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        golden.unpack(folder)
        sizes = [multiply(folder / "clean", folder / name, events) for name, events in (("short", wanted // 4), ("long", wanted))]
        print(f"{'':24}{'events/s of CPU':>18}{'in user mode':>14}{'peak, ' + str(sizes[0]):>20}{'peak, ' + str(sizes[1]):>20}")
        report = folder / "report.html"
        for title, words in (("leaks", ["leaks", "RUN"]), ("summary", ["summary", "RUN"]), ("stacks", ["stacks", "RUN"]),
                             ("live --by pid", ["live", "RUN", "--by", "pid"]), ("diff --from start", ["diff", "RUN", "--from", "start"]),
                             ("top --once", ["top", "RUN", "--once"]),
                             ("export --collapsed", ["export", "--collapsed", "RUN"]),
                             ("export --perfetto", ["export", "--perfetto", "RUN", "-o", folder / "perfetto"]),
                             ("report", ["report", "RUN", "-o", report])):
            short, long = ([run([folder / name if word == "RUN" else word for word in words]) for _ in range(REPEAT)]
                           for name in ("short", "long"))
            print(f"{title:24}{sizes[1] / min(cpu for cpu, _, _ in long) / 1e6:16.1f} M{sizes[1] / min(user for _, _, user in long) / 1e6:12.1f} M"
                  f"{max(kib for _, kib, _ in short) / 1024:16.1f} MiB{max(kib for _, kib, _ in long) / 1024:16.1f} MiB")
        print(f"\n{'':24}{'seconds of CPU':>18}{'in user mode':>14}{'by the clock':>16}")
        for title, words in (("export --csv", ["export", "--csv"]), ("export --sqlite", ["export", "--sqlite"]), ("plot --what all", ["plot", "--what", "all"])):
            used = [(run([*words, folder / "long", "-o", folder / "out"]), time.monotonic() - begin)
                    for _ in range(REPEAT) for begin in [time.monotonic()]]
            print(f"{title:24}{min(cpu for (cpu, _, _), _ in used):16.2f} s{min(user for (_, _, user), _ in used):12.2f} s"
                  f"{min(clock for _, clock in used):14.2f} s")
        print(f"\nsummary's first output   {1000 * min(first_output(folder / 'long') for _ in range(REPEAT)):8.1f} ms")
        print(f"size of the report       {report.stat().st_size / 1e6:8.2f} MB")


if __name__ == "__main__":
    main()
