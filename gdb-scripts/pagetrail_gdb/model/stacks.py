# SPDX-License-Identifier: MIT
"""Kernel stacks: where a sleeping task is, by its frame pointers.

The frame record is the RISC-V psABI's ("Frame Pointer Convention"): the return address at fp - 8, the
caller's frame pointer at fp - 16. The kernel is compiled with frame pointers throughout.
"""

import struct

from .errors import Finding, ReadError

FRAMES_MAX = 64


class Registers:
    """Where an unwind begins: code address and frame pointer. source says where they come from.

    exact: pc is where a hart is, not where a call returns to.
    """

    def __init__(self, pc, fp, source, exact):
        self.pc = pc
        self.fp = fp
        self.source = source
        self.exact = exact


def stack_range(kernel, task):
    """(lowest va, va above the top) of a task's kernel stack; None for a task without one."""
    low = task["kstack"]
    return (low, low + kernel.layout.macro("KSTACK_BYTES")) if low else None


def saved_registers(task):
    """Registers of a task that is not running."""
    return Registers(task["context.ra"], task["context.s[0]"], "saved context", exact=False)


def unwind(kernel, registers, low, high, name, findings):
    """Code addresses, innermost first, as long as frame pointers rise within [low, high)."""
    frames, fp, below = [registers.pc], registers.fp, low
    while len(frames) < FRAMES_MAX:
        if fp == 0 or fp == high:
            break
        if fp % 8 or not below + 16 <= fp <= high:
            if low <= fp <= high:
                findings.append(Finding(name, f"frame pointer {fp:#x} does not rise"))
            break
        try:
            caller_fp, ra = struct.unpack("<QQ", kernel.read_va(fp - 16, 16))
        except ReadError as error:
            findings.append(Finding(name, f"frame at {fp:#x}: {error}"))
            break
        if ra == 0:
            break
        frames.append(ra)
        below, fp = fp, caller_fp
    return frames


def check_task_stack(kernel, task, findings):
    """Faults 2 and 29 of the catalogue: a saved stack pointer outside the task's own stack."""
    span = stack_range(kernel, task)
    if span is None or task["on_hart"]:
        return
    sp = task["context.sp"]
    if not span[0] <= sp <= span[1]:
        findings.append(Finding(f"pid {task['pid']}", f"saved sp {sp:#x} is outside its kernel stack "
                                f"{span[0]:#x}..{span[1]:#x}"))
