# SPDX-License-Identifier: MIT
"""What address spaces and kernel stacks hold."""

from .errors import Finding, ReadError
from .lists import walk_ring_of
from .pagetable import ROOT_LEVEL, user_root_range, walk_tree
from .radix import RadixWalk
from .roots import reached_tasks
from .tasks import all_mms, busy_tasks, root_of, vmas_of


def mm_owners(kernel, findings):
    """{va of a struct mm: the task that runs in it}, of tasks that something leads to."""
    return {task["mm"]: task for task in reached_tasks(kernel, findings) if task["mm"]}


def claim_mms(kernel, accounting, findings):
    """PTE references of all leaves, TABLE references of all tables, the mm and vma objects, and what is mapped.

    An mm that no task runs in holds nothing: what it maps was forgotten with it. While a task is in the middle of
    kernel work that is not so: exec has two.
    """
    owners, busy = mm_owners(kernel, []), busy_tasks(kernel, [])
    for mm in all_mms(kernel, findings):
        task = owners.get(mm.va)
        if task is None and not busy:
            continue
        owner = f"pid {task['pid']} {task.text('name')}" if task else f"pid {mm['pid']}, no live task"
        accounting.claim_object(mm.va, f"mm of {owner}")
        for vma in vmas_of(kernel, mm, findings):
            accounting.claim_object(vma.va, f"vmas of mm {mm['id']}")
        if not mm["root"]:
            continue
        try:
            root = root_of(kernel, mm)
        except ReadError as error:
            findings.append(Finding(f"mm {mm['id']}", f"root: {error}"))
            continue
        _claim_tree(kernel, accounting, findings, mm["id"], owner, root)


def _claim_tree(kernel, accounting, findings, mm_id, owner, root):
    """One mm's tables and leaves."""
    shift = kernel.page_shift
    level_unit = kernel.layout.macro("TABLE_HOLDER_INDEX(1, 0)")
    accounting.claim_pa(root, "TABLE", mm_id, ROOT_LEVEL * level_unit, f"root table, {owner}")
    for va, step in walk_tree(kernel, root, f"page table of mm {mm_id}", findings, *user_root_range(kernel)):
        if step.leaf:
            accounting.claim_pa(step.pa, "PTE", mm_id, va >> shift,
                           f"{owner}, at {va:#x} {kernel.pte.flags(step.pte)}")
        elif step.level:
            level = step.level - 1
            accounting.claim_pa(step.pa, "TABLE", mm_id, level * level_unit | va >> shift,
                           f"level {level} table for {va:#x}, {owner}")


def _shared_ranges(kernel):
    """{va of an object: [(mm id, first index, index behind the last)]} of the VMAs that map it, by address spaces in use."""
    ranges, owners, busy = {}, mm_owners(kernel, []), busy_tasks(kernel, [])
    for mm in all_mms(kernel, []):
        for vma in vmas_of(kernel, mm, []) if busy or mm.va in owners else ():
            nr = (vma["end"] - vma["start"]) >> kernel.page_shift
            ranges.setdefault(vma["file"], []).append((mm["id"], vma["file_index"], vma["file_index"] + nr))
    return ranges


def shared_users(kernel, findings):
    """{va of a struct shared: [which mm maps it]}."""
    ranges = _shared_ranges(kernel)
    return {shared.va: [f"mapping of mm {user[0]}" for user in ranges.get(shared.va, ())]
            for shared in walk_ring_of(kernel, kernel.symbol_va("shared_all"), "shared", "all", "shared_all", findings)}


def claim_shared(kernel, accounting, findings):
    """Memory shared without a file: SHM-1 to SHM-3 of kernel/vm/shared.c. What no VMA has is not claimed."""
    ranges = _shared_ranges(kernel)
    for shared in walk_ring_of(kernel, kernel.symbol_va("shared_all"), "shared", "all", "shared_all", findings):
        users = ranges.get(shared.va, ())
        name = f"shared memory {shared['id']} of mm {', '.join(str(mm) for mm in sorted({user[0] for user in users}))}"
        if not users:
            continue
        accounting.claim_object(shared.va, name)
        tree = RadixWalk(kernel, shared["tree"], name, findings)
        for node in tree.nodes:
            accounting.claim_object(node, name)
        for index, page_va in tree.items:
            if not any(first <= index < end for _, first, end in users):
                findings.append(Finding(name, f"page {index} lies in no VMA"))
            accounting.claim_page_va(page_va, "SHARE", shared["id"], index, name, findings)


def claim_kstacks(kernel, accounting, findings):
    """Stack pages of every task, by the kernel's page table."""
    for task in reached_tasks(kernel, findings):
        accounting.claim_object(task.va, "process or scheduler")
        stack = task["kstack"]
        if not stack:
            continue
        for i in range(kernel.layout.macro("KSTACK_PAGES")):
            try:
                pa = kernel.va_to_pa(stack + i * kernel.page_size)
            except ReadError as error:
                findings.append(Finding(f"kernel stack of pid {task['pid']}", str(error)))
                continue
            accounting.claim_pa(pa, "KSTACK", task["pid"], i, f"{task.text('name')}, mapped at "
                           f"{stack + i * kernel.page_size:#x}")
