# SPDX-License-Identifier: MIT
"""ps and kstack-print."""

import gdb

from ..model.errors import Finding, ReadError
from ..model.pages import pages_of
from ..model.panic import panic_of
from ..model.stacks import FRAMES_MAX, check_task_stack, saved_registers, stack_range, unwind
from ..model.tasks import all_tasks, find_task, idle_tasks, mm_of, state_label
from .base import Command, default_pid, expect, parse_pid, pid_words

# Where every sleeper stands; what is worth showing is who called these.
_SLEEP_FILES = ("task.c:", "waitqueue.c:", "sleeplock.c:", "timer.c:", "switch.S:")


def _hart_of(kernel, task):
    """Index of the hart whose current task this is, or None."""
    for i, hart in enumerate(kernel.harts()):
        if hart["current"] == task.va:
            return i
    return None


def _live_frames(kernel, hart):
    """Code addresses of a hart of a live target, by gdb's own unwinder; [] where there is no such thread."""
    hart_id = kernel.harts()[hart]["hart_id"]
    thread = next((t for t in gdb.selected_inferior().threads() if t.num - 1 == hart_id), None)
    selected = gdb.selected_thread()
    if thread is None:
        return []
    frames = []
    try:
        thread.switch()
        frame = gdb.newest_frame()
        while frame is not None and frame.pc() and len(frames) < FRAMES_MAX:
            frames.append(int(frame.pc()))
            frame = frame.older()
    except gdb.error:
        pass
    finally:
        if selected is not None:
            selected.switch()
    return frames


def _task_frames(kernel, task, findings):
    """(descriptions of frames, innermost first, source) or ([], why there are none)."""
    hart, span = _hart_of(kernel, task), stack_range(kernel, task)
    if hart is None:
        registers = saved_registers(task)
        check_task_stack(kernel, task, findings)
    else:
        panic = panic_of(kernel)
        registers = panic.registers(hart) if panic else None
        if registers is None and not gdb.parameter("pagetrail ram-file"):
            live = _live_frames(kernel, hart)
            if live and live[0] < kernel.layout.macro("USER_END"):
                return [], f"in user mode on hart {hart}, pc {live[0]:#x}"
            if live:
                return _describe(kernel, live, True), f"hart {hart}"
        if registers is None:
            return [], f"running on hart {hart}; its registers are not in memory"
    frames = [registers.pc]
    if span is not None:
        frames = unwind(kernel, registers, *span, f"kernel stack of pid {task['pid']}", findings)
    return _describe(kernel, frames, registers.exact), registers.source


def _describe(kernel, frames, exact):
    """Texts of code addresses; exact: the first one is where a hart is, not where a call returns to."""
    if not kernel.layout.has_names:
        return [f"0x{pc:016x}" for pc in frames]
    return [f"0x{pc:016x} {kernel.layout.describe_pc(pc + (exact and i == 0))}" for i, pc in enumerate(frames)]


def _waits_at(kernel, task):
    """The innermost function of a sleeper that is not the machinery of sleeping."""
    if state_label(kernel, task) != "blocked":
        return ""
    frames, _ = _task_frames(kernel, task, [])
    places = [frame.split(" ", 1)[-1] for frame in frames]
    return next((place for place in places if not any(file in place for file in _SLEEP_FILES)),
                places[-1] if places else "")


class Ps(Command):
    """List tasks: ps

pid, parent, state, hart it runs on, whether it is killed, resident pages, address space id, name, and where a
blocked task waits."""

    name = "ps"

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 0, "ps")
        print(f"{'PID':>5} {'PPID':>5} {'STATE':<9} {'HART':>4} {'PAGES':>6} {'MM':>5} {'NAME':<16} WAITS AT")
        tasks = all_tasks(kernel, findings)
        for task in tasks + idle_tasks(kernel):
            self._print_task(kernel, task, findings)

    @staticmethod
    def _print_task(kernel, task, findings):
        hart = _hart_of(kernel, task)
        pages, mm_id = "-", "-"
        try:
            mm = mm_of(kernel, task)
            if mm is not None:
                pages, mm_id = mm["nr_resident"], mm["id"]
        except ReadError as error:
            findings.append(Finding(f"pid {task['pid']}", f"mm: {error}"))
        state = state_label(kernel, task) + ("*" if task["killed"] else "")
        print(f"{task['pid']:>5} {_parent(kernel, task):>5} {state:<9} {'-' if hart is None else hart:>4} "
              f"{pages:>6} {mm_id:>5} {task.text('name'):<16} {_waits_at(kernel, task)}".rstrip())


def _parent(kernel, task):
    try:
        parent = kernel.obj("proc", task["proc"])["parent"] if task["proc"] else 0
        return kernel.obj("task", kernel.obj("proc", parent)["task"])["pid"] if parent else "-"
    except ReadError:
        return "?"


class KstackPrint(Command):
    """Print a task's kernel stack: kstack-print [PID | all]

Its pages, how deep it is used, and the backtrace: from the saved context of a sleeping task, from the hart's
registers of a running one, or from what a panic saved."""

    name = "kstack-print"

    def words(self, kernel):
        return [*pid_words(self, kernel), "all"]

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 1, "kstack-print [PID | all]")
        if arguments == ["all"]:
            tasks = all_tasks(kernel, findings)
        else:
            pid = parse_pid(arguments[0]) if arguments else default_pid(kernel)
            tasks = [find_task(kernel, pid, findings)]
        for task in tasks:
            self._print_stack(kernel, task, findings)

    @staticmethod
    def _print_stack(kernel, task, findings):
        span = stack_range(kernel, task)
        print(f"pid {task['pid']} {task.text('name')}  {state_label(kernel, task)}")
        if span is not None:
            print(f"  stack {span[0]:#x}..{span[1]:#x}  {_stack_pages(kernel, span, findings)}")
        frames, source = _task_frames(kernel, task, findings)
        if not frames:
            print(f"  {source}")
            return
        if span is not None and source == "saved context":
            print(f"  sp {task['context.sp']:#x}: {span[1] - task['context.sp']} of {span[1] - span[0]} bytes used")
        print(f"  backtrace ({source}):")
        for i, frame in enumerate(frames):
            print(f"    #{i:<2} {frame}")


def _stack_pages(kernel, span, findings):
    pages, texts = pages_of(kernel), []
    for va in range(span[0], span[1], kernel.page_size):
        try:
            page = pages.page(kernel.va_to_pa(va) >> kernel.page_shift)
        except ReadError as error:
            findings.append(Finding(f"kernel stack page {va:#x}", str(error)))
            continue
        texts.append(f"pfn {page.pfn:#x} ({pages.kind_label(page.kind)}, count {page.count}, pid {page.pid})")
    return ", ".join(texts)


