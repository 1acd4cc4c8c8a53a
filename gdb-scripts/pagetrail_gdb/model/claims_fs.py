# SPDX-License-Identifier: MIT
"""What processes and the file system hold: open files, inodes in core, pipes, open /proc files."""

from .errors import Finding, ReadError
from .claims_mm import mm_owners
from .lists import walk_ring_of
from .tasks import all_mms, vmas_of


def all_procs(kernel, findings):
    """Every struct proc, zombies included."""
    return list(walk_ring_of(kernel, kernel.symbol_va("proc_all"), "proc", "all", "proc_all", findings))


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
    """Processes and their open files."""
    for proc in all_procs(kernel, findings):
        accounting.claim_object(proc.va, "proc_all")
        pid = pid_of_proc(kernel, proc)
        for fd, file in files_of(kernel, proc, findings):
            accounting.claim_object(file.va, f"fd {fd} of pid {pid}")


def all_pipes(kernel, findings):
    return list(walk_ring_of(kernel, kernel.symbol_va("fs/pipe.c:pipes"), "pipe", "all", "list of pipes", findings))


def claim_pipes(kernel, accounting, findings):
    """Pipes and the page of each."""
    for pipe in all_pipes(kernel, findings):
        accounting.claim_object(pipe.va, "list of pipes")
        accounting.claim_page_va(pipe["page"], "PIPE", pipe["id"], 0, f"pipe {pipe.va:#x}", findings)


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
    for proc in all_procs(kernel, []):
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
    for proc in all_procs(kernel, []):
        if proc["cwd"]:
            holders.setdefault(proc["cwd"], []).append(f"working directory of pid {pid_of_proc(kernel, proc)}")
    for sb in superblocks_of(kernel, []):
        for field in ("root", "covered"):
            if sb[field]:
                holders.setdefault(sb[field], []).append(f"{field} of {kernel.read_c_string(sb['type'])}")
    return holders


def check_counts(kernel, findings):
    """Counts of open files and of inodes in core against their holders. Only a quiet kernel's: a task in a call has more."""
    files = file_holders(kernel, findings)
    for va, holders in files.items():
        try:
            count = kernel.obj("file", va)["count"]
        except ReadError:
            continue  # a finding of inode_holders
        if count != len(holders):
            findings.append(Finding(f"file {va:#x}", f"count {count}, but held by {len(holders)} ({', '.join(holders)})"))
    held = inode_holders(kernel, findings)
    for inode in all_inodes(kernel, []):
        holders = held.pop(inode.va, [])
        if inode["count"] != len(holders):
            findings.append(Finding(f"inode {inode['number']} at {inode.va:#x}", f"count {inode['count']}, but held by "
                                    f"{len(holders)}" + (f" ({', '.join(holders)})" if holders else "")))
    for va, holders in held.items():
        findings.append(Finding(f"inode {va:#x}", f"held by {', '.join(holders)}, but not in the table of inodes"))


def claim_inodes(kernel, accounting, findings):
    for inode in all_inodes(kernel, findings):
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
    """Open /proc files and the block of text of each."""
    head = kernel.symbol_va("procfs/file.c:open_files")
    for file in walk_ring_of(kernel, head, "proc_file", "link", "open /proc files", findings):
        accounting.claim_object(file.va, "open /proc files")
        if file["block"]:
            accounting.claim_page_va(file["block"], "OWNER", file["owner_pid"], 0, f"text of /proc file {file.va:#x}", findings)
