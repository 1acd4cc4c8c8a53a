# SPDX-License-Identifier: MIT
"""Where things are: the checkout, what was built, what a test run leaves behind.

The makefile hands its BUILD folder over in PAGETRAIL_BUILD; a test started by hand uses build/.
"""
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD_NAME = os.environ.get("PAGETRAIL_BUILD", "build")  # as make knows it: its rules compare names, not files
BUILD = (ROOT / BUILD_NAME).resolve()
KERNEL = BUILD / "kernel/pagetrail.elf"
DISK = BUILD / "disk.img"
PAGETRAIL = BUILD / "trace-tools/pagetrail"
QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
CROSS = os.environ.get("CROSS", "riscv64-unknown-elf-")


def make_environment():
    """The environment for a make of our own, without the flags and variables of one that may have started us."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def make(*targets, build=BUILD_NAME, tree=ROOT, timeout=900):
    """Builds targets; on failure raises RuntimeError with the end of make's output."""
    done = subprocess.run(["make", "-C", tree, "-j2", "--no-print-directory", f"BUILD={build}", "SETUP=no", *targets],
                          env=make_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"make {' '.join(targets)} failed:\n" + done.stdout[-4000:])
