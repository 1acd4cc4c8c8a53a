# SPDX-License-Identifier: MIT
"""Fixtures for the gdb tests: the kernel's layout as plain data, and the scripts on sys.path."""
import json
import subprocess
import sys

import pytest
from harness import paths

SCRIPTS = paths.ROOT / "gdb-scripts"
sys.path.insert(0, str(SCRIPTS))

from pagetrail_gdb.model.types import StoredLayout  # noqa: E402 (the path above)

# What the unit tests use of the layout; the names only, the rest comes out of DWARF.
LAYOUT_OF = {
    "structs": ["page", "list", "task", "mm", "vma", "shared", "radix", "radix_node", "trace_record",
                "trace_packet_header", "trace_stack", "trace_desc", "hart", "mapping", "dirty_record", "kmem_cache", "slab",
                "slab_tag", "proc", "file", "inode", "pipe", "proc_file", "superblock", "ext2"],
    "enums": ["page_kind", "page_state", "ref_kind", "task_state", "trace_event", "verdict", "vma_flags"],
    "macros": ["PHYS_OFFSET", "RAM_BASE", "PAGE_SHIFT", "PAGE_SIZE", "PAGE_BODY", "PFN_NONE", "PAGE_MAX_ORDER", "USER_END",
               "TABLE_HOLDER_INDEX(1, 0)", "RADIX_SHIFT", "TRACE_MAGIC", "TRACE_DESC_MAGIC", "TIME_HZ", "KSTACK_PAGES",
               "KSTACK_BYTES", "POISON_FREE", "POISON_OBJ", "SLAB_MAGIC",
               *(f"PTE_{bit}" for bit in ("V", "R", "W", "X", "U", "G", "A", "D", "COW", "SHARED", "LEAF_BITS"))],
    "symbols": ["pages", "first_pfn", "nr_pages", "managed_pfn", "buddy", "pcps", "caches", "task_all", "mm_all",
                "shared_all", "proc_all", "kernel_root_pa", "trace_desc", "harts", "nr_harts", "machine", "pagecache",
                "icache.c:buckets", "fs/pipe.c:pipes", "procfs.c:file_ops", "runqueue.c:runqueue", "virtio_blk.c:disk",
                "file_map.c:file_vma_ops", "mount.c:superblocks"],
}

_EXPORT = """
import json, sys
sys.path.insert(0, {scripts!r})
from pagetrail_gdb.model.dwarf import GdbLayout
from pagetrail_gdb.model.types import export
with open({out!r}, "w") as file:
    json.dump(export(GdbLayout(), **{what!r}), file)
"""


def export_layout(elf, out):
    """Has gdb write the layout of an ELF to a JSON file."""
    script = out.with_suffix(".py")
    script.write_text(_EXPORT.format(scripts=str(SCRIPTS), out=str(out), what=LAYOUT_OF))
    done = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-x", str(script), str(elf)], capture_output=True, text=True,
                          timeout=60)
    assert out.exists() and not done.stderr.strip(), done.stderr
    return json.loads(out.read_text())


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    """The kernel's layout, without gdb."""
    return StoredLayout(export_layout(paths.KERNEL, tmp_path_factory.mktemp("layout") / "layout.json"))
