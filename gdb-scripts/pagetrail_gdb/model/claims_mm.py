"""What address spaces and kernel stacks hold."""

from .errors import Finding, ReadError
from .pagetable import ROOT_LEVEL, user_root_range, walk_tree
from .tasks import all_mms, all_tasks, root_of, vmas_of


def claim_mms(kernel, books, findings):
    """PTE references of all leaves, TABLE references of all tables, and the mm and vma objects."""
    names = {task["mm"]: f"pid {task['pid']} {task.text('name')}" for task in all_tasks(kernel, [])}
    for mm in all_mms(kernel, findings):
        owner = names.get(mm.va, f"pid {mm['pid']}, no live task")
        books.claim_object(mm.va, "mm_all")
        for vma in vmas_of(kernel, mm, findings):
            books.claim_object(vma.va, f"vmas of mm {mm['id']}")
        try:
            root = root_of(kernel, mm)
        except ReadError as error:
            findings.append(Finding(f"mm {mm['id']}", f"root: {error}"))
            continue
        _claim_tree(kernel, books, findings, mm["id"], owner, root)


def _claim_tree(kernel, books, findings, mm_id, owner, root):
    """One mm's tables and leaves."""
    shift = kernel.page_shift
    level_unit = kernel.layout.macro("TABLE_HOLDER_INDEX(1, 0)")
    books.claim_pa(root, "TABLE", mm_id, ROOT_LEVEL * level_unit, f"root table, {owner}")
    for va, step in walk_tree(kernel, root, f"page table of mm {mm_id}", findings, *user_root_range(kernel)):
        if step.leaf:
            books.claim_pa(step.pa, "PTE", mm_id, va >> shift,
                           f"{owner}, at {va:#x} {kernel.pte.flags(step.pte)}")
        elif step.level:
            level = step.level - 1
            books.claim_pa(step.pa, "TABLE", mm_id, level * level_unit | va >> shift,
                           f"level {level} table for {va:#x}, {owner}")


def claim_kstacks(kernel, books, findings):
    """Stack pages of every task, by the kernel's page table."""
    for task in all_tasks(kernel, findings):
        books.claim_object(task.va, "task_all")
        stack = task["kstack"]
        if not stack:
            continue
        for i in range(kernel.layout.macro("KSTACK_PAGES")):
            try:
                pa = kernel.va_to_pa(stack + i * kernel.page_size)
            except ReadError as error:
                findings.append(Finding(f"kernel stack of pid {task['pid']}", str(error)))
                continue
            books.claim_pa(pa, "KSTACK", task["pid"], i, f"{task.text('name')}, mapped at "
                           f"{stack + i * kernel.page_size:#x}")
