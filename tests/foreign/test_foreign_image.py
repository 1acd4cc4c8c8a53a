# SPDX-License-Identifier: MIT
"""A kernel without debug information: a raw image, a System.map, and a description in numbers, as for Linux.

The second foreign kernel is cut down to that. What must hold is what holds of Linux: the free pages of the trace are those
of the lists in RAM, the counts of the trace are those in RAM, and nothing is said of leaks.
"""
import json
import re
import subprocess

import kernels
import pytest

from harness import paths, tool

TEXT = (kernels.FOLDER / "higher/higher-image.kd").read_text()


class Machine:
    """One run of the image under `pagetrail watch`, with a description that may be changed."""

    def __init__(self, folder, smp=2, name="higher-plain", change=None):
        self.run, self.elf = folder / "run", kernels.elf(name)
        self.image, self.map, self.kd = folder / "Image", folder / "names.map", folder / "image.kd"
        subprocess.run([paths.CROSS + "objcopy", "-O", "binary", self.elf, self.image], check=True)
        self.map.write_text(subprocess.run([paths.CROSS + "nm", self.elf], check=True, capture_output=True, text=True).stdout)
        self.kd.write_text(TEXT if change is None else TEXT.replace(*change))
        assert change is None or self.kd.read_text() != TEXT
        qemu = [str(self.image) if word == str(self.elf) else word for word in kernels.qemu_command(name, smp)]
        self.done = tool.pagetrail("watch", "--out", self.run, "--kernel-description", self.kd, "--symbols", self.map, "--",
                                   "qemu-system-riscv64", *qemu[1:], timeout=120)
        self.plugin = json.loads((self.run / "plugin.json").read_text())
        self.audit = tool.pagetrail_json("audit", self.run)
        self.console = kernels.Console(self.done.out)


@pytest.mark.parametrize("smp", [1, 3])
def test_trace_and_ram_agree(smp, tmp_path):
    machine = Machine(tmp_path, smp)
    assert "ALL TESTS PASSED" in machine.console.text
    assert not any(kind["count"] for kind in machine.plugin["anomalies"].values())
    assert machine.plugin["without_hits"] == []
    audit = machine.audit
    assert audit["free_checked"] and audit["free_only_listed"] == audit["free_only_in_trace"] == 0
    assert audit["free"] == machine.plugin["pages"]["free"] and not audit["faults"]
    assert audit["counts_checked"] and audit["counts_differ"] == audit["counts_untold"] == 0 < audit["counts_equal"]
    assert machine.plugin["arrays"][0]["changes"] > 100


@pytest.mark.parametrize("smp", [1, 3])
def test_an_atomic_addition_counts_once(smp, tmp_path):
    """page_put() takes one off, with one instruction: there are as many events as calls, which a hook that never acts counts.

    One hart too: QEMU makes a load and a store of the instruction there, and 7.2 tells of both.
    """
    machine = Machine(tmp_path, smp, change=("console sbi", "put page_put type=struct when=0\nconsole sbi"))
    calls, = (call for call in machine.plugin["calls"] if call["name"] == "page_put")
    assert calls["hits"] == calls["skipped"] > 100 and calls["events"] == 0
    events = re.search(r"^ *page_put +(\d+)$", tool.pagetrail("summary", machine.run).out, re.M)
    assert int(events.group(1)) == calls["hits"]


def test_nothing_is_said_of_leaks(tmp_path):
    machine = Machine(tmp_path, name="higher-plain-unmap_keeps")
    assert machine.console.truths()
    assert machine.done.status == 2 and machine.audit["verdict"] == "cannot tell" and machine.audit["leaked"] == 0
    assert any("no debug information" in reason for reason in machine.audit["reasons"])
    assert "no leaks" not in machine.done.out


def test_names_come_from_the_map(tmp_path):
    """The run has an ELF file with them: stacks, and a debugger, need no map."""
    machine = Machine(tmp_path)
    stacks = tool.pagetrail("stacks", machine.run).out
    assert "page_alloc" in stacks and "0xffff" not in stacks
    made = machine.run / "kernel/kernel.elf"
    listed = subprocess.run([paths.CROSS + "nm", made], check=True, capture_output=True, text=True).stdout.split("\n")
    wanted = machine.map.read_text().split("\n")
    assert {line.split()[2] for line in listed if line} == {line.split()[2] for line in wanted if line}
    assert "symbols" not in (machine.run / "kernel/kernel.kd").read_text()
    code = subprocess.run([paths.CROSS + "objdump", "-d", "--disassemble=buddy_take", made], check=True, capture_output=True,
                          text=True).stdout
    assert "<buddy_take>:" in code and "ret" in code


@pytest.mark.parametrize("change, what", [
    (("elem=4 off=4", "elem=4 off=4 funcs=page_put"), "is another in RAM than in the trace"),
    (("pages=1<<i", "pages=1"), "are free in the trace and on no free list"),
    (("count=1<<a1", "count=1<<a1 when=a1!=0"), "on the free lists that are not free in the trace"),
    (("n=10", "n=1"), "are free in the trace and on no free list"),
    (("at=free_lists+i*16", "at=u64[8]"), "there is no memory at 8"),
], ids=["counts unseen", "orders", "frees left out", "lists left out", "no memory"])
def test_a_wrong_description_is_seen(change, what, tmp_path):
    machine = Machine(tmp_path, change=change)
    assert machine.done.status != 0
    assert any(what in reason for reason in machine.audit["reasons"]), machine.audit["reasons"]


def test_a_map_for_a_kernel_with_names(tmp_path):
    (tmp_path / "names.map").write_text("ffffffd000200000 T entry\n")
    done = tool.pagetrail("describe", "--symbols", tmp_path / "names.map", kernels.elf("higher-plain"))
    assert done.status == 2 and "symbols va=" in done.err
