# SPDX-License-Identifier: MIT
"""Kernels with changed sources, built fast: one scratch tree a worker, in which only what a mutant changes is compiled.

A tree is a copy of the sources a kernel build reads, with the objects of the main build; both keep their times, so make finds
nothing to do but the changed file and the link. Afterwards source and object are put back, times too. The flags are
the kernel's own: a mutant that compiles with a warning is none (mutate.py sees to it that what a deleted call leaves counts
as used).
"""
import os
import shutil
from pathlib import Path

from harness import elf, faults, paths

BUILD = "build"


class Tree:
    """A scratch tree."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def kernel(self):
        return self.folder / BUILD / "kernel/pagetrail.elf"

    def make(self):
        """Compiles what changed and links; raises RuntimeError with the compiler's words."""
        paths.make("kernel", build=BUILD, tree=self.folder)
        return self.kernel()

    def build_with(self, changes, kernel):
        """Builds with other contents of some files ({path: bytes}), moves the ELF to `kernel`, and puts all back."""
        kept = []
        try:
            for name, content in changes.items():
                kept += [_keep(self.folder / name), _keep(self._object(name))]
                (self.folder / name).write_bytes(content)
            shutil.move(self.make(), kernel)
        finally:
            for put_back in kept:
                put_back()
        return kernel

    def _object(self, source):
        return self.folder / BUILD / (source + ".o")


def _keep(path):
    """Remembers a file; returns the function that puts it back as it was, its times too."""
    if not path.exists():
        return lambda: path.unlink(missing_ok=True)
    content, times = path.read_bytes(), path.stat()

    def put_back():
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return put_back


def base_tree(folder):
    """The unchanged sources, built; a Tree. What was there before is brought up to date."""
    tree, fresh = folder / "base", folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    faults.copy_tree(fresh)
    tree.mkdir(exist_ok=True)
    faults.update_tree(fresh, tree)
    shutil.rmtree(fresh)
    faults.carry_objects(tree / BUILD)
    made = Tree(tree)
    made.make()
    return made


def worker_trees(base, nr):
    """Copies of the base tree, one a worker."""
    trees = []
    for number in range(nr):
        folder = base.folder.parent / f"worker{number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base.folder, folder)
        trees.append(Tree(folder))
    return trees


def build_id(tree):
    """What identifies the unchanged kernel."""
    return elf.build_id(tree.kernel())
