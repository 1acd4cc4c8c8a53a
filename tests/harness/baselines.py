# SPDX-License-Identifier: MIT
"""Baselines of the healthy kernel: how it releases what a workload acquires (docs/DESIGN.md), kept in BUILD/baselines.

A kernel with a mistake is compared with the one it was made from: the same command, harts, RAM and boot arguments. Such a run is made
once for each build of the kernel and each workload, and again when the tools are newer, which may keep more of it; the file is named
after both.

    compare = ["--baseline", baselines.kept("usertests -q", smp=2, mem="128M")]
"""
import hashlib
import os
import shutil
import tempfile

from . import elf, paths
from .machine import needs_virtio
from .tool import OK, pagetrail, run_command

FOLDER = paths.BUILD / "baselines"


def path_of(command, smp, mem, append, kernel):
    """Where it is kept."""
    what = f"{elf.build_id(kernel)} {smp} {mem} {append} {command}"
    return FOLDER / f"{command.split()[0]}-{hashlib.sha1(what.encode()).hexdigest()[:16]}.baseline"


def kept(command, smp=2, mem="128M", append="", kernel=None, limit=300):
    """The file; made if it is not there, or older than the tools. Raises RuntimeError where the healthy kernel's run is no baseline."""
    kernel = kernel or paths.KERNEL
    file = path_of(command, smp, mem, append, kernel)
    if file.exists() and file.stat().st_mtime >= paths.PAGETRAIL.stat().st_mtime:
        return file
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = ["--smp", smp, "--mem", mem, "--quiet"]
    if needs_virtio(mem):
        options += ["--disk-mode", "virtio"]
    if append:
        options += ["--append", append]
    folder = tempfile.mkdtemp(dir=FOLDER)
    try:
        run, made = f"{folder}/run", f"{folder}/made"
        pagetrail(*run_command(run, *command.split(), kernel=kernel, options=options, limit=limit), timeout=limit + 60)
        done = pagetrail("baseline", run, "--out", made)
        if done.status != OK:
            raise RuntimeError(f"the healthy kernel under {command}: {done.err}")
        os.replace(made, file)  # two that make it at once make the same
    finally:
        shutil.rmtree(folder)
    return file
