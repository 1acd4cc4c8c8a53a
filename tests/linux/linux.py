#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`pagetrail watch` on a Linux that the user has: boots it with a small initramfs to power-off and compares trace and RAM.

    make test-linux LINUX=DIR [LINUX_OPTIONS="--smp '1 2' --memory 256M --parts files,processes"]

DIR has the kernel (vmlinux*, an Image as Debian ships it) and a static busybox for riscv64; docs/LINUX.md says where they
come from. DIR/System.map is used if it is there; else the kernel is booted once and asked for its names, and what it
says is saved as DIR/System.map. Nothing else in DIR is changed. DIR/modules may have modules for the part of that name.

The status is 0 when in every run nothing contradicts the description, the free pages of the trace are those of the zone and
per-CPU lists, and every count that the trace has is the one in RAM; else 1. Leaks are not its question: without types
`pagetrail watch` itself ends with 2. It is 2 when a machine did not end.

Columns: harts; events; pages free in the trace, on the lists, and how many are on one side only; live pages whose count is
the same in both, is not, and is told nowhere; anomalies that the plugin saw; parts that came to their end; seconds.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import paths  # noqa: E402
from harness.tool import CANNOT_TELL, LEAKED, OK, pagetrail, pagetrail_json  # noqa: E402

HERE = Path(__file__).resolve().parent
DESCRIPTION = paths.ROOT / "trace-tools/descriptions/linux.kd"
PARTS = "files,processes,caches"
SELDOM = {"__isolate_free_page", "__putback_isolated_page"}  # called by compaction and the like, so not in each run


# ---- the initramfs: a cpio archive of the "newc" form, which the kernel unpacks into its first file system ----

def _entry(name, mode, data=b"", device=(0, 0)):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def initramfs(folder, path):
    """Writes an archive with the folder's busybox and modules, our init, and a console to begin with."""
    modules = sorted((folder / "modules").glob("*.ko"))
    path.write_bytes(b"".join([
        *(_entry(name, 0o40755) for name in ("bin", "dev", "modules")),
        _entry("bin/busybox", 0o100755, (folder / "busybox").read_bytes()),
        _entry("dev/console", 0o20600, device=(5, 1)),
        *(_entry(f"modules/{module.name}", 0o100644, module.read_bytes()) for module in modules),
        _entry("init", 0o100755, (HERE / "init").read_bytes()),
        _entry("TRAILER!!!", 0)]))
    return path


# ---- a machine ----

class Linux:
    """What DIR has, and the words that boot it."""

    def __init__(self, folder, scratch, memory, more=""):
        kernels = sorted(path for path in folder.glob("vmlinu*") if path.is_file())
        if not kernels or not (folder / "busybox").is_file():
            sys.exit(f"{folder} needs vmlinux* and busybox: see docs/LINUX.md")
        self.kernel, self.memory, self.more = kernels[-1], memory, more
        self.initrd = initramfs(folder, scratch / "initramfs.cpio")
        self.map = folder / "System.map"

    def words(self, smp, parts):
        return ["qemu-system-riscv64", "-machine", "virt", "-m", self.memory, "-smp", str(smp), "-display", "none",
                "-monitor", "none", "-serial", "stdio", "-no-reboot", "-kernel", str(self.kernel), "-initrd",
                str(self.initrd), "-append", f"console=ttyS0 quiet {self.more} pagetrail={parts}"]

    def ask_symbols(self, limit):
        """The kernel's own list of its names, saved as DIR/System.map."""
        done = subprocess.run([paths.QEMU, *self.words(1, "symbols")[1:]], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=limit)
        _, found, rest = done.stdout.decode(errors="replace").replace("\r", "").partition("symbols begin\n")
        names, ended, _ = rest.partition("symbols end\n")
        if not found or not ended:
            sys.exit(f"the kernel did not say its names; its console:\n{done.stdout.decode(errors='replace')[-2000:]}")
        self.map.write_text(names)


def watch(linux, description, smp, parts, run, limit):
    return pagetrail("watch", "--out", run, "--kernel-description", description, "--symbols", linux.map, "--timeout", limit,
                     "--", *linux.words(smp, parts), timeout=limit + 60)


# ---- what it came to ----

def row(run, seconds, parts):
    """(status, columns): 0 where trace and RAM agree."""
    about = json.loads((run / "plugin.json").read_text())
    if not about["ended"]:
        return CANNOT_TELL, [about["events"], "the machine did not end", *["-"] * 4]
    audit = pagetrail_json("audit", run)
    anomalies = sum(kind["count"] for kind in about["anomalies"].values())
    console = (run / "logs/console.log").read_text(errors="replace")
    done = sum(f"test {part}: OK" in console for part in parts.split(","))
    apart = audit["free_only_listed"] + audit["free_only_in_trace"]
    good = (audit["free_checked"] and audit["counts_checked"] and not apart and not anomalies and not audit["faults"] and
            audit["counts_equal"] and not audit["counts_differ"] and not audit["counts_untold"] and
            done == len(parts.split(",")) and set(about["without_hits"]) <= SELDOM and not about["discarded"])
    return OK if good else LEAKED, [about["events"], f"{about['pages']['free']}/{audit['free']}/{apart}",
                                    f"{audit['counts_equal']}/{audit['counts_differ']}/{audit['counts_untold']}", anomalies,
                                    f"{done}/{len(parts.split(','))}", f"{seconds:.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smp", default="1 2", help="harts, one run for each (1 2)")
    parser.add_argument("--memory", default="256M")
    parser.add_argument("--parts", default=PARTS, help=f"what its init does, see tests/linux/init ({PARTS})")
    parser.add_argument("--append", default="", help="more boot arguments")
    parser.add_argument("--description", type=Path, default=DESCRIPTION, help="instead of the one that is shipped")
    parser.add_argument("--keep", type=Path, help="where the run folders stay (a new folder, removed at the end)")
    parser.add_argument("--timeout", type=int, default=1200)
    arguments = parser.parse_args()
    worst = OK
    with tempfile.TemporaryDirectory(prefix="pagetrail-linux-") as temporary:
        linux = Linux(arguments.folder, Path(temporary), arguments.memory, arguments.append)
        if not linux.map.exists():
            linux.ask_symbols(arguments.timeout)
        keep = arguments.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=True)
        print(f"{linux.kernel.name}, {arguments.memory}: {arguments.parts}")
        print("harts     events free trace/lists/apart counts equal/differ/untold anomalies parts seconds")
        for smp in arguments.smp.split():
            run, begin = keep / f"smp{smp}", time.monotonic()
            if run.exists():
                sys.exit(f"{run} is there already: --keep takes a folder without runs")
            done = watch(linux, arguments.description, smp, arguments.parts, run, arguments.timeout)
            (keep / f"smp{smp}.txt").write_text(done.out + done.err)
            if not (run / "plugin.json").exists():
                sys.exit(done.out[-2000:] + done.err[-2000:])
            status, columns = row(run, time.monotonic() - begin, arguments.parts)
            print("%5s %10s %22s %26s %9s %5s %7s" % (smp, *columns), flush=True)
            worst = max(worst, status)
            if status != OK:
                verdict = done.out[done.out.rfind(f"\n{run}\n") + 1:]
                print("\n".join("    " + line for line in (verdict + done.err).splitlines()[:30]))
    return worst


if __name__ == "__main__":
    sys.exit(main())
