#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What following pointers costs (`pagetrail why`): user CPU of QEMU in the repeated run beside the recorded one, as pairs.

    make bench-why [BENCH_WHY='--pairs 3 --limit 300 05 07']

For each fault of the catalogue the kernel is built and its workload recorded once; then, turn and turn about, the run is repeated as
it was (`rerun`) and with everything that leaked followed (`why`). The seconds are QEMU's own, from run.json of both.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import faults  # noqa: E402
from harness.tool import LEAKED, pagetrail, run_command  # noqa: E402

RATIO_AT_MOST = 1.4


def cpu_seconds(folder):
    return json.loads((folder / "run.json").read_text())["cpu_seconds"]


def record(fault, workload, folder):
    run = folder / "run"
    done = pagetrail(*run_command(run, workload, kernel=fault.build(), limit=1200,
                                  options=["--icount", "--smp", "1", "--mem", fault.mem, "--leaks", "--quiet"]), timeout=1300)
    if done.status != LEAKED:
        sys.exit(f"{fault.name}: status {done.status}\n{done.out[-1000:]}{done.err[-1000:]}")
    return run


def measure(name, arguments, folder):
    """Ratios of one fault's pairs."""
    fault = faults.find(name)
    run = record(fault, arguments.run or fault.run, folder)
    ratios = []
    for _ in range(arguments.pairs):
        pagetrail("rerun", run, timeout=1300)
        plain = cpu_seconds(run / "again")
        pagetrail("why", "--limit", str(arguments.limit), run, timeout=1300)
        followed = cpu_seconds(run / "why")
        ratios.append(followed / plain)
        hooks = (run / "why/icount/hooks").read_text()
        asked = sum(hooks.count(f"follow {kind}=") for kind in ("page", "object", "reference"))
        print(f"{name}: {asked} followed; {plain:.2f} s as it was, {followed:.2f} s followed, {ratios[-1]:.2f}x; "
              f"load {os.getloadavg()[0]:.1f}", flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faults", nargs="*", default=["05", "07", "35"])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=300, help="of each group")
    parser.add_argument("--run", help="the workload, instead of each fault's own")
    arguments = parser.parse_args()
    medians = []
    for name in arguments.faults:
        with tempfile.TemporaryDirectory(prefix="pagetrail-bench-") as folder:
            medians.append(statistics.median(measure(name, arguments, Path(folder))))
    print(f"median of each: {', '.join(f'{m:.2f}x' for m in medians)} (at most {RATIO_AT_MOST:.2f})")
    return max(medians) > RATIO_AT_MOST


if __name__ == "__main__":
    sys.exit(main())
