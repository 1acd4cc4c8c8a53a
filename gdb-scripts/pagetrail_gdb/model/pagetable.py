# SPDX-License-Identifier: MIT
"""Page tables, walked from memory alone. A table is read once, whole; loops and wild tables are findings."""

import struct

from .errors import Finding, ReadError
from .kernel import WalkStep
from .pages import pages_of

ROOT_LEVEL = 2  # Sv39 has three levels; see PteFormat


def read_table(kernel, pa):
    """The entries of one table page."""
    return struct.unpack(f"<{kernel.pte.entries}Q", kernel.memory.read(pa, kernel.page_size))


def walk_tree(kernel, root_pa, name, findings, first=0, last=None):
    """Yields (va, WalkStep) for each valid entry below root_pa in address order, tables before their contents.

    first, last: the range of root entries, both included. Entries of a table already seen in this tree are
    not visited again.
    """
    last = kernel.pte.entries - 1 if last is None else last
    seen = {root_pa}
    yield from _walk_table(kernel, root_pa, ROOT_LEVEL, 0, first, last, name, findings, seen)


def _walk_table(kernel, table_pa, level, base_va, first, last, name, findings, seen):
    pte_format = kernel.pte
    span = pte_format.span(level)
    try:
        entries = read_table(kernel, table_pa)
    except ReadError as error:
        findings.append(Finding(name, f"level {level} table: {error}"))
        return
    for index in range(first, last + 1):
        pte = entries[index]
        if not pte & pte_format.valid:
            continue
        pa = pte_format.pa(pte)
        leaf = pte_format.is_leaf(pte)
        va = pte_format.canonical(base_va + index * span)
        yield va, WalkStep(level, index, table_pa + index * 8, pte, pa, True, leaf, span)
        if leaf:
            continue
        if level == 0:
            findings.append(Finding(name, f"entry for {va:#x} at level 0 is valid but no leaf ({pte:#x})"))
        elif pa in seen:
            findings.append(Finding(name, f"level {level} entry {index} leads to table {pa:#x} a second time"))
        else:
            seen.add(pa)
            yield from _walk_table(kernel, pa, level - 1, base_va + index * span, 0, pte_format.entries - 1,
                                   name, findings, seen)


def user_root_range(kernel):
    """(first, last) root entries of the user's half."""
    return 0, kernel.layout.macro("USER_END") // kernel.pte.span(ROOT_LEVEL) - 1


def describe_target(kernel, step):
    """What an entry of a user's table leads to: "anon 1", "pagetable 1"; with a word of warning where it is wrong."""
    pages = pages_of(kernel)
    pfn = step.pa >> kernel.page_shift
    if not pages.valid(pfn):
        return "OUTSIDE RAM"
    page = pages.head(pages.page(pfn))
    text = f"{pages.kind_label(page.kind)} {page.count}"
    if page.count <= 0:
        text += " FREE PAGE"
    elif not step.leaf and pages.kind_label(page.kind) != "pagetable":
        text += " NOT A TABLE"
    return text


def describe_kernel_target(kernel, step):
    """The same for the kernel's half: the direct map maps every page, free or not, by megapages where it can."""
    pages = pages_of(kernel)
    pfn = step.pa >> kernel.page_shift
    if not pages.valid(pfn):
        return "device" if step.leaf else "OUTSIDE RAM"
    if step.span > kernel.page_size and step.leaf:
        return "direct map"
    page = pages.head(pages.page(pfn))
    return f"{pages.kind_label(page.kind)} {page.count}"
