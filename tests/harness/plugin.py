# SPDX-License-Identifier: MIT
"""The QEMU plugin as tests use it: hooks for our own kernel, a QEMU that loads it, its trace as arrays."""
import re
import subprocess

import numpy as np

from . import elf, paths

PLUGIN = paths.BUILD / "trace-tools/pagetrail-plugin.so"
HEADER_BYTES = 64  # docs/TRACE-FORMAT.md: packet header; packet size at 8, content size at 16, in bits
PAGE_RECORD = np.dtype([("time", "<u8"), ("event", "<u2"), ("flags", "u1"), ("kind", "u1"), ("stack", "<u4"),
                        ("pfn", "<u4"), ("index", "<u4"), ("before", "<u2"), ("after", "<u2"), ("pid", "<u2"),
                        ("holder", "<u2")])
STACK = np.dtype([("time", "<u8"), ("event", "<u2"), ("nr", "u1"), ("zero", "u1"), ("id", "<u4"), ("frames", "<u4", 12)])
# Everything that stores to struct page's count or kind.
PAGE_FUNCTIONS = re.compile(r"(page|pcp|buddy|block|put_|steal|refill|drain|take_|count_|note_|list_)")


def _symbols(kernel):
    """{name: (address, bytes)}"""
    out = subprocess.run([paths.CROSS + "nm", "-S", str(kernel)], check=True, capture_output=True, text=True).stdout
    words = [line.split() for line in out.splitlines()]
    return {w[-1]: (int(w[0], 16), int(w[1], 16) if len(w) == 4 else 0) for w in words if len(w) >= 3}


def _print(kernel, *expressions):
    """Values that gdb computes from the debug information."""
    words = [word for e in expressions for word in ("-ex", f"print/d {e}")]
    out = subprocess.run(["gdb-multiarch", "-nx", "-batch", *words, str(kernel)], check=True, capture_output=True, text=True)
    return [int(value) for value in re.findall(r"= (-?\d+)", out.stdout)]


def our_hooks(kernel=None, mem_bytes=128 << 20):
    """The hooks file for our own kernel, of which the plugin is told what it would be told of a stranger."""
    kernel = kernel or paths.KERNEL
    symbols = _symbols(kernel)
    pid, count, kind, stride = _print(kernel, "(long)&((struct hart *)0)->pid", "(long)&((struct page *)0)->count",
                                      "(long)&((struct page *)0)->kind", "sizeof(struct page)")
    free, parked = _print(kernel, "PK_FREE", "PK_PCP")
    low, high = symbols["image_start"][0], symbols["text_end"][0]
    code = ",".join(f"{a:#x}-{a + n:#x}" for name, (a, n) in sorted(symbols.items())
                    if n and low <= a < high and PAGE_FUNCTIONS.match(name))
    direct = elf.PHYS_OFFSET + 0x80000000
    return f"""# our own kernel
ram base=0x80000000
text lo={low:#x} hi={high:#x}
map va={direct:#x} pa=0x80000000 size={mem_bytes:#x}
stack base={elf.PHYS_OFFSET:#x} size=8192
pages base=u64[{symbols['pages'][0]:#x}] stride={stride} pa=0x80000000
pid at=u16[tp+{pid}]
alloc name=page_alloc_reclaiming entry={symbols['page_alloc_reclaiming'][0]:#x} type=struct count=1<<(a0&15)
alloc name=page_alloc_noreclaim entry={symbols['page_alloc_noreclaim'][0]:#x} type=struct count=1<<(a0&15)
count name=count in=struct off={count} elem=4 funcs={code}
state name=kind in=struct off={kind} elem=1 free=(v=={free})|(v=={parked}) funcs={code}
"""


def qemu_with_plugin(folder, hooks, run, options=""):
    """A program that is QEMU with the plugin: for $QEMU. `hooks` is the text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hooks").write_text(hooks)
    program = folder / "qemu"
    program.write_text(f'#!/bin/sh\nexec {paths.QEMU} "$@" -plugin {PLUGIN},out={run},hooks={folder}/hooks{options}\n')
    program.chmod(0o755)
    return program


def _packets(path):
    """(header words, content) of each packet of a file; it must consist of nothing else."""
    data, offset = path.read_bytes(), 0
    while offset < len(data):
        assert int.from_bytes(data[offset:offset + 4], "little") == 0xC1FC1FC1, f"{path} at {offset}: no packet"
        size, content = (int.from_bytes(data[offset + at:offset + at + 8], "little") // 8 for at in (8, 16))
        assert HEADER_BYTES <= content <= size and offset + content <= len(data), f"{path} at {offset}: bad sizes"
        yield data[offset + HEADER_BYTES:offset + content]
        offset += size


def read_records(run):
    """All records of a run in the order of time, with the fields of page events."""
    parts = [np.frombuffer(content, PAGE_RECORD) for path in sorted((run / "trace").glob("hart*"))
             for content in _packets(path)]
    records = np.concatenate(parts) if parts else np.zeros(0, PAGE_RECORD)
    return records[np.argsort(records["time"], kind="stable")]


def read_stacks(run):
    """Stack id -> tuple of frames; 0 is the empty one."""
    content = next(_packets(run / "trace/stacks"))
    stacks = np.frombuffer(content, STACK)
    assert list(stacks["id"]) == list(range(1, len(stacks) + 1))
    return [()] + [tuple(map(int, stack["frames"][:stack["nr"]])) for stack in stacks]
