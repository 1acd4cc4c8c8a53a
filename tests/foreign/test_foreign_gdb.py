# SPDX-License-Identifier: MIT
"""The gdb commands on the small foreign kernel: live under `pagetrail watch`, and on the copy of RAM that is left.

What gdb says is compared with what the audit of the same memory says, and with the addresses the ELF file has.
"""
import json
import os
import re
import subprocess
import sys

import kernels
import pytest
from harness import paths
from harness.tool import CANNOT_TELL, pagetrail

sys.path.insert(0, str(paths.ROOT / "tests/gdb"))
from debugger import free_port, run_gdb, seconds, timed  # noqa: E402 (the path above)

SECONDS_MAX = 1.0 * float(os.environ.get("PAGETRAIL_PATIENCE", "4"))  # a loaded host is slower; `make bench` has the figure


def watch_words(out, *qemu):
    return [str(word) for word in (paths.PAGETRAIL, "watch", "--out", out, *qemu)]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The run of a machine that a test's last line ended, with programs still there."""
    run = tmp_path_factory.mktemp("gdb") / "run"
    done = subprocess.run(watch_words(run, "--type", "usertests copy", "--timeout", "60", *kernels.qemu_command("small-prompt", 2)),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert (run / "ram").exists(), done.stdout
    return run


def gdb_on(run, commands, **more):
    before = os.environ.get("PAGETRAIL_RUN")
    os.environ["PAGETRAIL_RUN"] = str(run)
    try:
        return run_gdb(commands, kernel=run / "kernel/kernel.elf", **more)
    finally:
        if before is None:
            del os.environ["PAGETRAIL_RUN"]
        else:
            os.environ["PAGETRAIL_RUN"] = before


def audit_of(run):
    return json.loads(pagetrail("audit", run, "--json").out)


def nr_free(output):
    return int(re.search(r"^(\d+) pages are free", output, re.M).group(1))


def check_page_table(output):
    """Lines of the page-table lab's form, each entry's address from its bits."""
    lines = output.strip().splitlines()
    assert re.fullmatch(r"page table 0x[0-9a-f]{16}", lines[0])
    entries = [re.fullmatch(r"((?: \.\.)+)(\d+): pte 0x([0-9a-f]{16}) pa 0x([0-9a-f]{16})", line) for line in lines[1:]]
    assert entries and all(entries), output
    for entry in entries:
        pte, pa = int(entry[3], 16), int(entry[4], 16)
        assert pte & 1 and pa == (pte >> 10 & (1 << 44) - 1) << 12 and int(entry[2]) < 512
    assert {len(entry[1]) // 3 for entry in entries} == {1, 2, 3}
    return entries


def test_the_copy_of_ram(ended):
    audit = audit_of(ended)
    leaf = next(page for page in audit["pages"] if page["verdict"] == "held" and re.search(r" leaf 0x", page["held_by"] or ""))
    va = int(leaf["held_by"].split("0x")[1], 16)
    out = gdb_on(ended, [timed("freelist-print"), timed("vmprint 1"), timed(f"page-owner {leaf['pa']:#x}"), "ps", "buddy-print",
                         "pte-walk 0x3f00000000 1", "page-history 0x1000", "vmprint 999"])
    assert nr_free(out[0]) == audit["free"] > 1000
    entries = check_page_table(out[1].rsplit("seconds", 1)[0])
    assert any(int(entry[4], 16) == leaf["pa"] for entry in entries) or "[1]" not in leaf["held_by"]
    assert f"pa 0x{leaf['pa']:016x}" in out[2] and f"{va:#x}" in out[2]
    assert "page_alloc" in out[2] and re.search(r" \w+ +\S+\.c:\d+", out[2]), out[2]
    assert all(seconds(text) < SECONDS_MAX for text in out[:3])
    assert re.search(r"^ +\d+ +1  \w+", out[3], re.M)
    assert "what only the Pagetrail kernel keeps" in out[4]
    assert "is not mapped" in out[5]
    assert "no page of RAM" in out[6] and "there is no process 999" in out[7]


def test_what_cannot_be_read_has_not_leaked(ended, tmp_path):
    """With a linear map that leads out of RAM no list can be followed: then every page is uncertain."""
    text = (ended / "kernel/kernel.kd").read_text()
    wrong = re.sub(r"(?m)^((?:maybe )?map va=\S+) pa=0x80000000", r"\1 pa=0x900000000", text)
    assert wrong != text
    (tmp_path / "kd").write_text(wrong)
    done = pagetrail("audit", ended, "--kernel-description", tmp_path / "kd", "--json")
    audit = json.loads(done.out)
    assert done.status == CANNOT_TELL and audit["leaked"] == 0 and audit["uncertain"] == audit["managed"]
    assert any("not in RAM" in reason for reason in audit["reasons"])


def test_a_live_machine(tmp_path):
    port = free_port()
    words = watch_words(tmp_path / "run", *kernels.qemu_command("small-prompt", 1), "-gdb", f"tcp:127.0.0.1:{port}")
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        text = b""
        while not text.endswith(b"$ "):
            more = process.stdout.read1(4096)
            assert more, text
            text += more
        out = gdb_on(tmp_path / "run", ["freelist-print 2", "vmprint", "pte-walk 0x0 1", "ps"], remote=port)
        assert nr_free(out[0]) > 1000
        check_page_table(out[1])
        assert "level 2" in out[2] and "init" in out[3]
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(30)
