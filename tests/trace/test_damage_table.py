# SPDX-License-Identifier: MIT
"""Every kind of damage to a run folder is seen and named: no command ends with "no leaks", none crashes or waits.

A table of damages is applied to a good run and to a leaky one. `leaks` under ASan and UBSan must answer 2, or 1 where the
run leaks and the damage does not touch what proves it; `summary`, `top --once` and the plots' reader, which is Python,
must name the damaged file.
"""
import json
import os
import shutil
import struct
import sys

import pagetrail_tables as tables
import pytest
import tracegen
from harness import elf, paths
from harness.tool import CANNOT_TELL, LEAKED, OK

LIMIT_S = 10
PACKET = 1024
# Offsets of the members of a packet header, and the bit of each that is flipped.
HEADER = {"magic": (0, 0), "stream": (4, 1), "instance": (6, 0), "packet_size": (8, 9), "content_size": (16, 8),
          "begin_time": (24, 0), "end_time": (32, 0), "sequence": (40, 0), "events_discarded": (48, 3), "cpu": (56, 0),
          "boot_id": (60, 5)}


def machine(leaky, boot_id, pages=90):
    """Two harts with several packets each; a quiet audit at the end. A leaky one has a page of a dead process."""
    made = tracegen.Machine(harts=2, packet_bytes=PACKET, boot_id=boot_id)
    made.sample()
    made.task("task_fork", pid=7, mm=7, value=1, name="test")
    made.task("mm_create", pid=7, mm=7)
    made.mark("test")
    for i in range(pages):
        made.hart = i % 2
        page = made.alloc("ANON", "PTE", (7, i), (0x80200004, 0x80200010))
        made.put(page, "PTE", (7, i), (0x80200014,))
    made.hart = 0
    lost = [made.alloc("ANON", "PTE", (7, 1000), (0x80200004, 0x80200010))] if leaky else []
    made.mark("test", end=True)
    for event in "mm_drop", "task_exit", "task_reaped":
        made.task(event, pid=7, mm=7)
    made.audit([{"verdict": "UNREACH", "page": page} for page in lost])
    return made


def change(run, name, how):
    file = run / name
    file.write_bytes(how(file.read_bytes()))


def flip(name, packet, field):
    """One bit of a header's member."""
    offset, bit = HEADER[field]

    def damage(run, other):
        def how(data):
            data, at = bytearray(data), packet * PACKET if packet >= 0 else last_packet(data)
            data[at + offset + bit // 8] ^= 1 << bit % 8
            return bytes(data)
        change(run, name, how)
    return damage


def last_packet(data):
    at = 0
    while at + struct.unpack_from("<Q", data, at + 8)[0] // 8 < len(data):
        at += struct.unpack_from("<Q", data, at + 8)[0] // 8
    return at


def edit_json(how):
    def damage(run, other):
        about = json.loads((run / "run.json").read_text())
        how(about)
        (run / "run.json").write_text(json.dumps(about))
    return damage


def set_hart(key, by):
    return edit_json(lambda about: about["manifest"]["harts"][1].update({key: about["manifest"]["harts"][1][key] + by}))


def pipe(run, name):
    (run / name).unlink()
    os.mkfifo(run / name)


def folder(run, name):
    (run / name).unlink()
    (run / name).mkdir()


def link(run, name, to):
    (run / name).unlink()
    (run / name).symlink_to(to)


def damages():
    """{title: (the name that must be said, what is done with (run, another run))}"""
    table = {}
    for name in "trace/hart0", "trace/hart1", "trace/stacks", "trace/metadata", "run.json", "kernel/pagetrail.elf":
        said = name.rsplit("/", 1)[-1]
        table[f"{name} emptied"] = said, lambda run, other, n=name: (run / n).write_bytes(b"")
        table[f"{name} half"] = said, lambda run, other, n=name: change(run, n, lambda d: d[:len(d) // 2])
        table[f"{name} cut by a byte"] = said, lambda run, other, n=name: change(run, n, lambda d: d[:-1])
        table[f"{name} a pipe"] = said, lambda run, other, n=name: pipe(run, n)
        table[f"{name} a folder"] = said, lambda run, other, n=name: folder(run, n)
        table[f"{name} removed"] = said, lambda run, other, n=name: (run / n).unlink()
        table[f"{name} another run's"] = said, lambda run, other, n=name: shutil.copy(other / n, run / n)
        table[f"{name} a device"] = said, lambda run, other, n=name: link(run, n, "/dev/zero")
    for name in "trace/hart0", "trace/hart1":
        said = name.rsplit("/", 1)[-1]
        table[f"{name} first packet alone"] = said, lambda run, other, n=name: change(run, n, lambda d: d[:PACKET])
        table[f"{name} last packet missing"] = said, lambda run, other, n=name: change(run, n, lambda d: d[:last_packet(d)])
        table[f"{name} last packet alone"] = said, lambda run, other, n=name: change(run, n, lambda d: d[last_packet(d):])
        table[f"{name} a packet twice"] = said, lambda run, other, n=name: change(run, n, lambda d: d[:PACKET] + d)
        table[f"{name} something behind"] = said, lambda run, other, n=name: change(run, n, lambda d: d + b"\0" * 4096)
        for field in HEADER:
            for title, packet in ("first", 0), ("second", 1), ("last", -1):
                table[f"{name} {title} packet's {field}"] = said, flip(name, packet, field)
    for field in HEADER:
        table[f"stacks' {field}"] = "stacks", flip("trace/stacks", 0, field)
    table["hart files exchanged"] = "hart0", lambda run, other: exchange(run)
    table["a hart too many"] = "hart2", lambda run, other: shutil.copy(run / "trace/hart1", run / "trace/hart2")
    table["both harts removed"] = "hart0", lambda run, other: [(run / f"trace/hart{h}").unlink() for h in (0, 1)]
    for key, by in ("packets", 1), ("events", -1), ("last_sequence", 1), ("headers_crc32", 1), ("discarded", 7):
        table[f"run.json: {key}"] = "" if key == "discarded" else "hart1", set_hart(key, by)
    table["run.json: marks"] = "run.json", edit_json(lambda about: about["manifest"].update(marks=5))
    table["run.json: stacks"] = "stacks", edit_json(lambda about: about["manifest"]["stacks"].update(crc32=5))
    table["run.json: a hart left out"] = "hart1", edit_json(lambda about: about["manifest"]["harts"].pop())
    table["run.json: no manifest"] = "run.json", edit_json(lambda about: about.pop("manifest"))
    table["run.json: no end"] = "run.json", edit_json(lambda about: about.pop("end"))
    table["run.json: another format"] = "run.json", edit_json(lambda about: about.update(format=3))
    table["run.json: another build"] = "pagetrail.elf", edit_json(lambda about: about["manifest"].update(build_id="ab" * 20))
    table["run.json: a stray write"] = "run.json", edit_json(
        lambda about: about["manifest"].update(stray_write="something wrote on trace_desc.nr_rings"))
    return table


def exchange(run):
    a, b = ((run / f"trace/hart{hart}").read_bytes() for hart in (0, 1))
    (run / "trace/hart0").write_bytes(b)
    (run / "trace/hart1").write_bytes(a)


DAMAGES = damages()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, metadata, kernel_elf, rebuilt_elf):
    """{leaky: a run folder}, and of each another one to take files from: the other boot, the other kernel, no fewer pages."""
    base, made = tmp_path_factory.mktemp("whole"), {}
    for name, leaky, boot, kernel in (("good", False, 0x1234, kernel_elf), ("leaky", True, 0x1234, kernel_elf),
                                      ("other-good", False, 0x777, rebuilt_elf), ("other-leaky", True, 0x777, rebuilt_elf)):
        run = made[name] = base / name
        (run / "kernel").mkdir(parents=True)
        shutil.copy(kernel, run / "kernel/pagetrail.elf")
        machine(leaky, boot).write(str(run), str(metadata), build_id=elf.build_id(kernel))
    return made


def test_whole_runs_have_their_verdicts(sanitized, whole):
    assert len(DAMAGES) >= 60
    assert sanitized("leaks", whole["good"]).status == OK
    assert sanitized("leaks", whole["leaky"]).status == LEAKED
    assert sanitized("summary", whole["good"]).status == OK


@pytest.mark.parametrize("title", DAMAGES)
def test_damage_is_seen_and_named(sanitized, whole, tmp_path, title):
    named, damage = DAMAGES[title]
    for name, other in ("good", "other-leaky"), ("leaky", "other-good"):
        run = tmp_path / name
        shutil.copytree(whole[name], run)
        damage(run, whole[other])
        done = sanitized("leaks", run, timeout=LIMIT_S)
        said = done.out + done.err
        assert done.status in ((CANNOT_TELL, LEAKED) if name == "leaky" else (CANNOT_TELL,)), said
        assert named in said and "no leaks" not in said, said
        assert "suspect:" not in said or (done.status == LEAKED and named != "pagetrail.elf"), said
        if done.status == CANNOT_TELL and done.out:
            summary = sanitized("summary", run, timeout=LIMIT_S)
            assert summary.status == CANNOT_TELL and named in summary.out + summary.err


@pytest.mark.parametrize("title", [title for title in DAMAGES if title.startswith("trace/hart") or title == "a hart too many"])
def test_the_reader_of_the_plots_sees_it(whole, tmp_path, title):
    """It is Python and reads the hart files and run.json by itself."""
    sys.path.insert(0, str(paths.BUILD / "trace-tools/plots"))
    import pagetrail_trace
    run = tmp_path / "run"
    shutil.copytree(whole["good"], run)
    assert pagetrail_trace.Trace(str(run)).damage == []
    DAMAGES[title][1](run, whole["other-good"])
    named = [name for name, _ in pagetrail_trace.Trace(str(run)).damage]
    assert DAMAGES[title][0] in named


@pytest.mark.parametrize("title", [title for title in DAMAGES if title.startswith("trace/hart") and
                                   any(word in title for word in ("emptied", "removed", "half", "pipe", "device", "another"))])
def test_other_commands_end(sanitized, whole, tmp_path, title):
    run = tmp_path / "run"
    shutil.copytree(whole["good"], run)
    DAMAGES[title][1](run, whole["other-good"])
    for words in (["top", run, "--once"], ["report", run, "-o", tmp_path / "r.html"], ["live", run], ["dump", run, "--limit", 2]):
        assert sanitized(*words, timeout=LIMIT_S).status == CANNOT_TELL, words


def test_a_flip_of_any_bit_of_a_header_is_seen(pagetrail, whole, tmp_path):
    """All 512 of them, of the first packet of a hart."""
    run = tmp_path / "run"
    shutil.copytree(whole["good"], run)
    file = run / "trace/hart1"
    data = file.read_bytes()
    for bit in range(0, 512, 7):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bytes(changed))
        assert pagetrail("summary", run, timeout=LIMIT_S).status == CANNOT_TELL, f"bit {bit}"
    assert tables.MAGIC == 0xC1FC1FC1


def test_an_interrupted_run_says_until_when(pagetrail, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole["leaky"], run)
    (run / "run.json").unlink()
    done = pagetrail("leaks", run)
    assert done.status == LEAKED and "then interrupted" in done.out, "the audit's finding proves it all the same"


def test_force_symbols_takes_the_names_of_another_kernel(pagetrail, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole["leaky"], run)
    shutil.copy(whole["other-leaky"] / "kernel/pagetrail.elf", run / "kernel/pagetrail.elf")
    done = pagetrail("leaks", run)
    assert "0xffffffc080200" in done.out and "it is of build" in done.out and "page_get" not in done.out
    done = pagetrail("leaks", run, "--force-symbols")
    assert "0xffffffc0802" not in done.out and done.status == LEAKED
