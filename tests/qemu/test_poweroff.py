# SPDX-License-Identifier: MIT
"""The end of the machine: programs are ended, memory is audited, and what a program left behind is not overlooked.

Each release in RELEASES is deleted in turn, in a kernel of its own. Some of these leaks leave a thing that a list of
the kernel still leads to; only the audit without programs can see those.
"""
import difflib
import re

import pytest

from harness import faults, paths
from harness.machine import PROMPT
from harness.tool import CANNOT_TELL, LEAKED, pagetrail, run_command

# name: (file, what is there, what stands there instead)
RELEASES = {
    "mm-at-exit": ("kernel/proc/exit.c", "\tmm_destroy(mm);\n", "\t(void)mm;\n"),
    "mm-at-exec": ("kernel/proc/exec.c", "\tmm_destroy(old);\n", "\t(void)old;\n"),
    "mm-struct": ("kernel/vm/addrspace.c", "\tmm_unpublish(mm);\n\tkmem_cache_free(mm_cache, mm, HOLDER(mm->pid, 0));\n}",
                  "\tmm_unpublish(mm);\n}"),
    "proc-struct": ("kernel/proc/proc.c", "\tkmem_cache_free(proc_cache, proc, HOLDER_NONE);\n\tnr_procs--;\n",
                    "\tnr_procs--;\n"),
    "task-struct": ("kernel/proc/proc.c", "\ttask_free(proc->task);\n", ""),
    "files-at-exit": ("kernel/proc/files.c", "\t\tif (file)\n\t\t\tfile_put_ref(file, REF_FD, HOLDER(pid, fd));\n",
                      "\t\t(void)file;\n\t\t(void)pid;\n"),
    "file-struct": ("kernel/fs/file.c", "\t}\n\tkmem_cache_free(file_cache, file, HOLDER_NONE);\n", "\t}\n"),
    "inode-at-close": ("kernel/fs/file.c", "\t\tinode_put_ref(file->inode, REF_FILE, file_holder(file));\n", ""),
    "inode-of-directory": ("kernel/proc/files.c", "\tif (cwd)\n\t\tinode_put_ref(cwd, REF_CWD, CWD_HOLDER(pid));\n",
                           "\t(void)cwd;\n"),
    "group-at-unmount": ("kernel/ext2/ext2_super.c", "\text2_release_group(fs);\n", ""),
}
# Which of the two audits sees it.
SHOWS = {
    "mm-at-exit": "audit: ", "mm-at-exec": "audit: ", "mm-struct": "audit: ", "proc-struct": "audit: ", "task-struct": "audit: ",
    "files-at-exit": "audit: ", "file-struct": "audit: ", "inode-at-close": "audit: ", "inode-of-directory": "audit: ",
    "group-at-unmount": "audit without programs: ",
}


def deletion(name, folder):
    """A patch that deletes one release."""
    path, old, new = RELEASES[name]
    before = (paths.ROOT / path).read_text()
    assert before.count(old) == 1, f"{path}: {old!r} is there {before.count(old)} times"
    diff = difflib.unified_diff(before.splitlines(True), before.replace(old, new).splitlines(True), f"a/{path}", f"b/{path}")
    patch = folder / f"{name}.patch"
    patch.write_text("".join(diff))
    return patch


@pytest.fixture(scope="module", params=RELEASES)
def leaky(request, tmp_path_factory):
    """(name, kernel without that release)"""
    patch = deletion(request.param, tmp_path_factory.mktemp("patches"))
    return request.param, faults.build_patched(f"release-{request.param}", patch)


@pytest.mark.parametrize("program", ["stressfs", "forktest"])
def test_deleted_release_is_found(leaky, program, tmp_path):
    """END-2: which audit sees it is part of what is expected."""
    name, kernel = leaky
    plain = pagetrail(*run_command(tmp_path / "run", program, kernel=kernel, limit=60, options=("--smp", 2)))
    console = (tmp_path / "run/logs/console.log").read_text(errors="replace")
    assert plain.status in (LEAKED, CANNOT_TELL), console
    assert re.search(rf"^power-off: {SHOWS[name]}[1-9]\d* findings, .*(OBJ|OVER|UNREACH) [1-9]", console, re.M), console
    assert pagetrail("leaks", tmp_path / "run").status == LEAKED


def test_healthy_machine_ends_with_two_clean_audits(boot):
    machine = boot(smp=2, run="stressfs")
    assert machine.wait(60) == 0
    assert "power-off:" not in machine.console


def test_end_says_which_programs_were_killed(boot):
    """Two sleepers, and the shell that waits for each. Those that wait for the caller (its shell, init) do not count."""
    machine = boot(smp=2)
    machine.shell("sleep 100000 &")
    machine.shell("sleep 100000 &")
    machine.send("poweroff\n")
    assert machine.wait(30) == 0
    assert re.search(r"^power-off: 4 programs still ran and were killed$", machine.console, re.M)


def test_end_by_the_prompt_kills_nobody(boot):
    machine = boot(smp=2)
    machine.expect(PROMPT)
    machine.send("poweroff\n")
    assert machine.wait(30) == 0
    assert "power-off:" not in machine.console


def test_many_callers_at_once(boot):
    """END-1: One of them ends the machine; the others end like any program."""
    machine = boot(smp=4, run=" & ".join(["poweroff"] * 20))
    assert machine.wait(30) == 0
    assert "do not end" not in machine.console and "findings" not in machine.console


def test_found_leak_is_the_status_of_the_machine(boot):
    """A command that succeeded and leaked ends with 1, one that failed keeps its own status."""
    machine = boot(run="leakdemo 3 keep")
    assert machine.wait(60) == 1
    machine.expect(r"power-off: audit: 3 findings, UNREACH 3")
    assert boot(run="leakdemo 3 keep; exit 7").wait(60) == 7
