# SPDX-License-Identifier: MIT
"""Tasks and address spaces."""

from .errors import CommandError, ReadError
from .lists import walk_ring_of
from .pages import pages_of


def all_tasks(kernel, findings):
    """Every struct task on task_all (the idle tasks are not on it)."""
    return list(walk_ring_of(kernel, kernel.symbol_va("task_all"), "task", "all_link", "task_all", findings))


def idle_tasks(kernel):
    """The idle task of each hart that has one."""
    found = []
    for hart in kernel.harts():
        try:
            found.append(kernel.obj("task", hart["idle"]))
        except ReadError:
            continue
    return found


def find_task(kernel, pid, findings):
    for task in all_tasks(kernel, findings):
        if task["pid"] == pid:
            return task
    raise CommandError(f"no task with pid {pid}")


def current_task(kernel, hart_index):
    """What runs on a hart."""
    harts = kernel.harts()
    if hart_index >= len(harts):
        raise CommandError(f"hart {hart_index} is not online")
    return kernel.obj("task", harts[hart_index]["current"])


def all_mms(kernel, findings):
    """Every struct mm on mm_all."""
    return list(walk_ring_of(kernel, kernel.symbol_va("mm_all"), "mm", "all", "mm_all", findings))


def mm_of(kernel, task):
    """The task's struct mm, or None for a kernel thread."""
    return kernel.obj("mm", task["mm"]) if task["mm"] else None


def root_of(kernel, mm):
    """Physical address of an mm's root table."""
    return pages_of(kernel).by_va(mm["root"]).pfn << kernel.page_shift


def state_label(kernel, task):
    return kernel.layout.enum_label("task_state", "TASK_", task["state"])


def vmas_of(kernel, mm, findings):
    return list(walk_ring_of(kernel, mm.at("vmas"), "vma", "link", f"vmas of mm {mm['id']}", findings))


def busy_tasks(kernel, findings):
    """Tasks that may hold pages or objects which only their own stack knows (sched_nr_busy in kernel/sched/task.c)."""
    busy = []
    for task in all_tasks(kernel, findings):
        state = state_label(kernel, task)
        if state == "dead":
            if task["kstack"]:
                busy.append(task)
        elif state != "new" and not task["quiet"] and not task["in_user"]:
            busy.append(task)
    return busy
