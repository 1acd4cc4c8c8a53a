# SPDX-License-Identifier: MIT
"""What processes and the file system hold: open files, inodes in core, pipes, open /proc files.

Users are roots (roots.py): a descriptor or a mapping leads to an open file, that to its inode or pipe. What the table of
inodes keeps by itself has count 0, or a name on the disk (ICACHE-6 of kernel/fs/icache.c).
"""

from .claims_mm import mm_owners, shared_users
from .errors import Finding, ReadError
from .lists import walk_ring_of
from .roots import reached_procs
from .tasks import all_mms, busy_tasks, vmas_of


def files_of(kernel, proc, findings):
    """[(fd, struct file)] of a process."""
    found = []
    for fd, va in enumerate(proc["files"]):
        if not va:
            continue
        try:
            found.append((fd, kernel.obj("file", va)))
        except ReadError as error:
            findings.append(Finding(f"file {fd} of proc {proc.va:#x}", str(error)))
    return found


def pid_of_proc(kernel, proc):
    """pid of a process, by its task; None where the pointer is wild."""
    try:
        return kernel.obj("task", proc["task"])["pid"]
    except ReadError:
        return None


def claim_procs(kernel, accounting, findings):
    """Processes, and the open files of descriptors and mappings."""
    for proc in reached_procs(kernel, findings):
        accounting.claim_object(proc.va, "tree of processes")
        files_of(kernel, proc, findings)  # for what is wild there
    for va, holders in file_holders(kernel, findings).items():
        for via in holders:
            accounting.claim_object(va, via)


def all_pipes(kernel, findings):
    return list(walk_ring_of(kernel, kernel.symbol_va("fs/pipe.c:pipes"), "pipe", "all", "list of pipes", findings))


def pipe_holders(kernel, findings):
    """{va of a struct pipe: [which end holds it]}."""
    holders = {}
    for va in file_holders(kernel, findings):
        try:
            pipe = kernel.obj("file", va)["pipe"]
        except ReadError:
            continue  # a finding of inode_holders
        if pipe:
            holders.setdefault(pipe, []).append(f"open file {va:#x}")
    return holders


def claim_pipes(kernel, accounting, findings):
    """Pipes and the page of each."""
    listed, holders = all_pipes(kernel, findings), pipe_holders(kernel, findings)
    if busy_tasks(kernel, []):
        holders = {**{pipe.va: ["list of pipes"] for pipe in listed}, **holders}
    for va, vias in holders.items():
        for via in vias:
            accounting.claim_object(va, via)
        try:
            pipe = kernel.obj("pipe", va)
        except ReadError as error:
            findings.append(Finding(f"pipe {va:#x}", str(error)))
            continue
        accounting.claim_page_va(pipe["page"], "PIPE", pipe["id"], 0, f"pipe {va:#x}", findings)


def all_inodes(kernel, findings):
    """Every inode in core, by the buckets of the table."""
    va, kind = kernel.layout.symbol("icache.c:buckets")
    for bucket in range(kind.count):
        yield from walk_ring_of(kernel, va + bucket * kind.element.size, "inode", "hash_link",
                                f"inode bucket {bucket}", findings)


def superblocks_of(kernel, findings):
    """Every mounted struct superblock."""
    return list(walk_ring_of(kernel, kernel.symbol_va("mount.c:superblocks"), "superblock", "link", "mounted file systems",
                             findings))


def file_holders(kernel, findings):
    """{va of a struct file: [who holds it]}: descriptors of processes and mappings of files."""
    holders = {}
    for proc in reached_procs(kernel, []):
        for fd, file in files_of(kernel, proc, []):
            holders.setdefault(file.va, []).append(f"fd {fd} of pid {pid_of_proc(kernel, proc)}")
    owners, file_ops = mm_owners(kernel, []), kernel.symbol_va("file_map.c:file_vma_ops")
    for mm in all_mms(kernel, []):
        for vma in vmas_of(kernel, mm, []) if mm.va in owners else ():
            if vma["file"] and vma["ops"] == file_ops:
                holders.setdefault(vma["file"], []).append(f"mapping at {vma['start']:#x} of mm {mm['id']}")
    return holders


def inode_holders(kernel, findings):
    """{va of a struct inode: [who holds it]}: open files, working directories, roots and mount points."""
    holders = {}
    for va in file_holders(kernel, findings):
        try:
            inode = kernel.obj("file", va)["inode"]
        except ReadError as error:
            findings.append(Finding(f"file {va:#x}", str(error)))
            continue
        if inode:
            holders.setdefault(inode, []).append(f"open file {va:#x}")
    for proc in reached_procs(kernel, []):
        if proc["cwd"]:
            holders.setdefault(proc["cwd"], []).append(f"working directory of pid {pid_of_proc(kernel, proc)}")
    for sb in superblocks_of(kernel, []):
        for field in ("root", "covered"):
            if sb[field]:
                holders.setdefault(sb[field], []).append(f"{field} of {kernel.read_c_string(sb['type'])}")
    return holders


def counted_objects(kernel, findings):
    """{va: (name, count, [who holds it])} of all counted objects that are known: files, pipes, inodes, shared memory."""
    found = {}

    def add(va, struct_name, name, count_of, holders):
        try:
            obj = kernel.obj(struct_name, va)
            found[va] = (name(obj), count_of(obj), holders)
        except ReadError:
            pass  # a finding of the walker that came by it

    for va, holders in file_holders(kernel, findings).items():
        add(va, "file", lambda obj: f"file {obj.va:#x}", lambda obj: obj["count"], holders)
    for va, holders in pipe_holders(kernel, findings).items():
        add(va, "pipe", lambda obj: f"pipe {obj['id']} at {obj.va:#x}",
            lambda obj: bool(obj["read_open"]) + bool(obj["write_open"]), holders)
    for va, holders in shared_users(kernel, findings).items():
        add(va, "shared", lambda obj: f"shared memory {obj['id']} at {obj.va:#x}", lambda obj: obj["count"], holders)
    held = inode_holders(kernel, findings)
    for inode in all_inodes(kernel, []):
        add(inode.va, "inode", lambda obj: f"inode {obj['number']} at {obj.va:#x}", lambda obj: obj["count"],
            held.get(inode.va, []))
    return found


def check_counts(kernel, findings):
    """Counts of objects against their holders. Only a quiet kernel's: a task in a call has more."""
    counted = counted_objects(kernel, findings)
    for name, count, holders in counted.values():
        if count != len(holders):
            findings.append(Finding(name, f"count {count}, but held by {len(holders)}"
                                    + (f" ({', '.join(holders)})" if holders else "")))
    for va, holders in inode_holders(kernel, []).items():
        if va not in counted:
            findings.append(Finding(f"inode {va:#x}", f"held by {', '.join(holders)}, but not in the table of inodes"))


def _table_keeps(kernel, inode):
    """ICACHE-6: unused, or to be found again by its name."""
    if inode["count"] == 0:
        return True
    try:
        return bool(inode["valid"] and inode["links"] and kernel.obj("superblock", inode["sb"])["keeps_inodes"])
    except ReadError:
        return False


def claim_inodes(kernel, accounting, findings):
    for va, holders in inode_holders(kernel, findings).items():
        for via in holders:
            accounting.claim_object(va, via)
    busy = busy_tasks(kernel, [])
    for inode in all_inodes(kernel, findings):
        if busy or _table_keeps(kernel, inode):
            accounting.claim_object(inode.va, f"table of inodes, number {inode['number']}")


def claim_superblocks(kernel, accounting, findings):
    """The pages that a mounted ext2 keeps: its superblock's, and those of the block group it used last."""
    for sb in superblocks_of(kernel, findings):
        if kernel.read_c_string(sb["type"]) != "ext2":
            continue
        try:
            ext2 = kernel.obj("ext2", sb["private"])
            pages = [(field, ext2[field]) for field in ("super_page", "held_desc", "held_bitmap")]
        except ReadError as error:
            findings.append(Finding(f"superblock {sb.va:#x}", str(error)))
            continue
        for field, page_va in pages:
            if page_va:
                accounting.claim_page_va(page_va, "OWNER", 0, 0, f"{field} of the mounted ext2", findings)


def claim_proc_files(kernel, accounting, findings):
    """Open /proc files and the block of text of each: what an open file's `private` is."""
    proc_ops = kernel.symbol_va("procfs.c:file_ops")
    for va in file_holders(kernel, []):
        try:
            private = kernel.obj("file", va)["private"]
            inode = kernel.obj("inode", kernel.obj("file", va)["inode"]) if private else None
            file = kernel.obj("proc_file", private) if inode and inode["ops"] == proc_ops else None
        except ReadError as error:
            findings.append(Finding(f"file {va:#x}", str(error)))
            continue
        if not file:
            continue
        accounting.claim_object(file.va, f"open file {va:#x}")
        if file["block"]:
            accounting.claim_page_va(file["block"], "OWNER", file["owner_pid"], 0, f"text of /proc file {file.va:#x}", findings)
