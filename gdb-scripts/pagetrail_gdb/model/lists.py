# SPDX-License-Identifier: MIT
"""Walking the kernel's rings (struct list) with suspicion: loops, wild and one-way links become findings."""

from .errors import Finding, ReadError

WALK_MAX = 1 << 20  # nodes; more than any list in a machine this small can have


def walk_ring(kernel, head_va, name, findings):
    """Yields the va of each node on the ring, the head not included.

    LIST-1 (kernel/include/kernel/list.h) is checked on the way; the walk ends at the first broken link.
    """
    kind = kernel.struct("list")
    next_offset, prev_offset = kind.offset("next"), kind.offset("prev")
    previous, seen = head_va, set()
    try:
        node = _link(kernel, head_va, next_offset)
        while node != head_va:
            if node in seen or len(seen) > WALK_MAX:
                findings.append(Finding(name, f"the list runs in a loop at {node:#x}"))
                return
            seen.add(node)
            back = _link(kernel, node, prev_offset)
            if back != previous:
                findings.append(Finding(name, f"{node:#x} points back to {back:#x}, not to {previous:#x}"))
            following = _link(kernel, node, next_offset)
            yield node
            previous, node = node, following
        back = _link(kernel, head_va, prev_offset)
        if back != previous:
            findings.append(Finding(name, f"the head points back to {back:#x}, not to {previous:#x}"))
    except ReadError as error:
        findings.append(Finding(name, f"wild link after {previous:#x}: {error}"))


def _link(kernel, va, offset):
    if va % 8:
        raise ReadError(f"{va:#x} is not aligned")
    return int.from_bytes(kernel.read_va(va + offset, 8), "little")


def walk_ring_of(kernel, head_va, struct_name, member, name, findings):
    """Yields the structs on a ring; one that cannot be read is a finding and is left out."""
    for node in walk_ring(kernel, head_va, name, findings):
        try:
            yield kernel.container(struct_name, member, node)
        except ReadError as error:
            findings.append(Finding(name, f"struct {struct_name} around {node:#x}: {error}"))
