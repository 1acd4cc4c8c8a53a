# SPDX-License-Identifier: MIT
"""Where the walks begin: processes and tasks that something outside of their own lists leads to.

A list of all processes or of all tasks proves nothing of its members: one that was never taken off it is on it for ever.
Processes are reached from init by their parents, and tasks by their process; a kernel thread by what will run it again, or
wakes it. While a task is in the middle of kernel work it may hold anything: then the lists are roots, too.
"""

from .errors import ReadError
from .lists import walk_ring, walk_ring_of
from .tasks import all_tasks, busy_tasks, state_label

TREE_MAX = 1 << 16  # more processes than there can be: the walk of a broken tree ends


def all_procs(kernel, findings):
    """Every struct proc, zombies included."""
    return list(walk_ring_of(kernel, kernel.symbol_va("proc_all"), "proc", "all", "proc_all", findings))


def _running(kernel):
    """What each hart runs now."""
    found = []
    for hart in kernel.harts():
        try:
            found.append(kernel.obj("task", hart["current"]))
        except ReadError:
            continue
    return found


def _tree(kernel, root, findings):
    """A process and all below it."""
    waiting, found = [root], []
    while waiting and len(found) < TREE_MAX:
        proc = waiting.pop()
        found.append(proc)
        waiting += walk_ring_of(kernel, proc.at("children"), "proc", "sibling", f"children of proc {proc.va:#x}", findings)
    return found


def reached_procs(kernel, findings):
    """Those that init's tree has, or that run; every one while a task is in the middle of kernel work."""
    def make():
        procs = all_procs(kernel, findings)
        if busy_tasks(kernel, []):
            return procs
        found = {}
        for proc in procs:
            if not proc["parent"]:
                found.update((each.va, each) for each in _tree(kernel, proc, findings))
        for task in _running(kernel):
            if task["proc"] and task["proc"] not in found:
                found[task["proc"]] = kernel.obj("proc", task["proc"])
        return list(found.values())
    return kernel.once("reached_procs", make)


def _is_linked(kernel, va):
    """A struct list that some list has: an empty one points to itself."""
    return int.from_bytes(kernel.read_va(va + kernel.struct("list").offset("next"), 8), "little") != va


def _is_scheduled(kernel, task, queued):
    """Something will run it again, or wake it."""
    state = state_label(kernel, task)
    if state == "runnable":
        return task.at("run_link") in queued
    if state == "blocked":
        return _is_linked(kernel, task.at("wait_link")) or _is_linked(kernel, task.at("timer_link"))
    return state == "running" and bool(task["on_hart"])


def reached_tasks(kernel, findings):
    """Those of reached processes, and kernel threads that are scheduled; every one while a task is at work."""
    def make():
        tasks = all_tasks(kernel, findings)
        if busy_tasks(kernel, []):
            return tasks
        of_procs = {proc["task"] for proc in reached_procs(kernel, findings)}
        queued = set(walk_ring(kernel, kernel.symbol_va("runqueue.c:runqueue"), "run queue", findings))
        return [task for task in tasks if task.va in of_procs
                or (not task["proc"] and _is_scheduled(kernel, task, queued))]
    return kernel.once("reached_tasks", make)
