# SPDX-License-Identifier: MIT
"""Radix trees, with RADIX-1 to RADIX-3 of kernel/include/kernel/radix.h checked on the way."""

from .errors import Finding, ReadError

_BITS_MAX = 32  # of an index


class RadixWalk:
    """items: [(index, item's va)]; nodes: [va of each interior node]."""

    def __init__(self, kernel, tree, name, findings):
        self.items = []
        self.nodes = []
        self._kernel = kernel
        self._name = name
        self._findings = findings
        self._shift = kernel.layout.macro("RADIX_SHIFT")
        self._seen = set()
        height, root = tree["height"], tree["root"]
        if height * self._shift >= _BITS_MAX + self._shift:
            self._report(f"height {height} is more than any index needs")
        elif height == 0:
            if root:
                self.items.append((0, root))
        elif root:
            self._walk(root, height - 1, 0)
        else:
            self._report(f"height {height} without a root")

    def _report(self, text):
        self._findings.append(Finding(self._name, text))

    def _walk(self, node_va, level, base):
        if node_va in self._seen:
            self._report(f"node {node_va:#x} is in the tree twice")
            return
        self._seen.add(node_va)
        try:
            node = self._kernel.obj("radix_node", node_va)
        except ReadError as error:
            self._report(f"wild node: {error}")
            return
        self.nodes.append(node_va)
        slots = node["slots"]
        used = sum(1 for slot in slots if slot)
        if used != node["count"]:
            self._report(f"node {node_va:#x} says that {node['count']} of its slots are used; {used} are")
        elif used == 0:
            self._report(f"node {node_va:#x} is empty")
        if node["shift"] != level * self._shift:
            self._report(f"node {node_va:#x} has shift {node['shift']}, not {level * self._shift}")
        for i, slot in enumerate(slots):
            if not slot:
                continue
            index = base + (i << level * self._shift)
            if level == 0:
                self.items.append((index, slot))
            else:
                self._walk(slot, level - 1, index)
