# SPDX-License-Identifier: MIT
"""What a mutant runs under: a few tests by name, in a machine of two harts.

A workload is short, since a mutant is one boot: what counts is that together they execute as many releases as the whole
programs do. Two groups:

    ordinary    nothing is refused on purpose, and memory does not run out
    refusing    allocations are refused (failsweep), or memory runs out (memory-*)

A release that only refusing workloads execute is one of an error path.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """One boot: `words` for init."""
    name: str
    words: str
    refusing: bool = False
    mem: str = "128M"
    smp: int = 2


ORDINARY = {
    "nothing": "true",
    "process": "usertests exit-status fork-wait fork-tree orphans-to-init kill kill-anywhere",
    "process-many": "usertests fork-exit-race many-processes many-sleepers pids preemption",
    "exec": "usertests exec-arguments exec-refusals exec-files exec-race shell",
    "exec-odd": "usertests exec-limits exec-bad-argv elf-headers elf-truncated elf-segments",
    "pipe": "usertests pipe-transfer pipe-closed pipe-misuse pipe-full pipe-many pipe-chain",
    "pipe-ends": "usertests pipe-kill pipe-reader-leaves pipe-writers",
    "file": "usertests open-modes write-read seek holes append truncate truncate-open descriptors",
    "file-more": "usertests stat sync devices bigwrite write-sizes shared-offset",
    "many-files": "usertests many-files names large-directory many-directories getdents",
    "unlinked": "usertests unlinked-open orphans dirty-unlinked removed-cwd removed-parent",
    "directories": "usertests dots mkdir-rmdir links deep-paths chdir",
    "symlinks": "usertests symlinks links-middle links-calls links-chains",
    "race-files": "usertests race-own-files race-append race-create-delete race-exclusive race-link-unlink",
    "race-more": "usertests race-directories race-truncate race-sync race-drop race-offset",
    "sbrk": "usertests sbrk-grow-shrink sbrk-end sbrk-limits sbrk-lazy sbrk-lazy-calls sbrk-lazy-shrink sbrk-parts malloc",
    "cow": "usertests cow-isolation cow-sole-owner cow-sharing cow-system-calls cow-many-sharers cow-generations cow-shrink",
    "mmap": "usertests mmap-private mmap-read-only mmap-shared mmap-children mmap-partial mmap-unlinked mmap-left",
    "mmap-more": "usertests mmap-misuse mmap-end mmap-fixed mmap-buffers mmap-crosswise mmap-at-once mmap-many",
    "mmap-changes": "mmaptest mmap-random mmap-twice mmap-killed mmap-dirty-again mmap-cut-while-used mmap-cut-private mmap-grow",
    "shared": "mmaptest shared-child-first shared-parent-first shared-partial shared-overlap shared-ends",
    "limits": "usertests many-references",
    "fault": "usertests fault-addresses fault-text fault-stack fault-together",
    "bad": "usertests bad-buffers bad-strings bad-lengths bad-descriptors bad-numbers",
    "proc": "usertests freemem meminfo proc-files proc-directory proc-pid ktrace pagemap allocinfo",
    "proc-race": "usertests proc-race proc-pages audit-load",
    "stress": "stressfs",
    "fork": "forktest",
}
REFUSING = {
    "memory": "usertests memory-all memory-fork memory-others memory-back",
    "memory-copy": "usertests memory-lazy memory-copy memory-cow",
    "memory-more": "usertests memory-forks memory-exec memory-calls memory-cached",
}
# Scenarios that walk different code, one boot each.
FAILSWEEP = (
    "fork", "fork-big", "exec", "exec-args-limit", "exec-missing exec-not-a-program", "wait-to-lazy-page kill-and-wait",
    "cow-break cow-break-by-read", "stack-growth sbrk-eager", "sbrk-lazy-touch sbrk-shrink read-to-lazy write-from-lazy",
    "pipe-to-lazy pipe-from-lazy pipe dup", "freemem-events statfs", "mmap-anonymous mmap-shared-memory",
    "shared-memory-touch", "shared-memory-fork", "shared-memory-split", "mmap-over-a-mapping", "munmap-split",
    "mmap-file-private mmap-file-shared mmap-file-hole", "private-page-read", "private-page-write private-page-cow",
    "private-page-copy-out", "shared-page-read", "shared-page-write", "write-direct write-indirect",
    "write-double-indirect", "write-over write-sparse", "write-into-hole write-append write-warm",
    "truncate-shrink truncate-double open-truncate", "close-unlinked", "open-create", "open-existing mknod",
    "mkdir", "link", "link-directory-grows", "symlink", "symlink-long", "symlink-rival mkdir-rival",
    "open-symlink open-through-links", "unlink unlink-one-of-two", "unlink-large", "rmdir", "chdir-deep",
    "read-uncached read-double-indirect", "getdents-large", "proc-audit proc-page-owner proc-meminfo proc-lockstat",
    "proc-pid-maps proc-self-status proc-list")


def all_workloads():
    """Every workload by name, the quick ones first."""
    found = [Workload(name, words) for name, words in ORDINARY.items()]
    found += [Workload(name, words, refusing=True) for name, words in REFUSING.items()]
    found += [Workload("failsweep-" + words.split()[0], "failsweep " + words, refusing=True) for words in FAILSWEEP]
    # So little memory that pages are evicted and slabs shrunk in ordinary work.
    found.append(Workload("small", "usertests bigwrite many-files write-sizes mmap-shared", mem="8M"))
    return {workload.name: workload for workload in found}
