# SPDX-License-Identifier: MIT
"""`pagetrail recover`: a run folder from the memory of a machine that panicked or was stopped in the middle."""
import hashlib
import json
import random
import re
import struct

import pytest
from harness import paths
from harness.tool import CANNOT_TELL, LEAKED, OK, babeltrace, run_tool, summary_total

# The outermost frame of a kernel stack: from user mode, from the firmware, a thread's first; or there is none.
STACK_ROOTS = r" +(trap_entry|entry_boot|entry_secondary|task_first_run|\(no kernel stack)\b"


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """dead(name, harts, seconds, *command): a run folder with the RAM that the machine left in it."""
    folder = tmp_path_factory.mktemp("dead")

    def dead(name, harts, seconds, *command, mem="128M"):
        run = folder / name
        if not run.exists():
            run_tool(paths.PAGETRAIL, "run", "--kernel", paths.KERNEL, "--disk", paths.DISK, "--smp", harts, "--out", run,
                     "--timeout", seconds, "--keep-ram", "--quiet", "--mem", mem, "--disk-mode", "virtio" if mem == "8M" else "ramdisk",
                     "--append", "debug=on", "--", *command, timeout=120)
        return run
    return dead


@pytest.fixture(scope="module")
def panicked(dead):
    return dead("panicked", 3, 60, "kdebug", "panic")


@pytest.fixture(scope="module")
def small(dead):
    """The same of a machine of 8 MiB, to be damaged many times."""
    return dead("small", 1, 60, "kdebug", "panic", mem="8M")


def records(run):
    """Each hart's records, as bytes."""
    out = {}
    for file in sorted((run / "trace").glob("hart*")):
        data, at, body = file.read_bytes(), 0, []
        while at < len(data):
            size, content = struct.unpack_from("<QQ", data, at + 8)
            body.append(data[at + 64:at + content // 8])
            at += size // 8
        out[file.name] = b"".join(body)
    return out


def test_a_panic(pagetrail, panicked, tmp_path):
    before = hashlib.sha1((panicked / "ram").read_bytes()).digest()
    done = pagetrail("recover", panicked / "ram", "--kernel", paths.KERNEL, "-o", tmp_path / "run", "--events", 7)
    assert done.status == LEAKED, done.err
    assert hashlib.sha1((panicked / "ram").read_bytes()).digest() == before, "the evidence was written"
    assert re.search(r"^PANIC on hart \d: asked for by pid \d+", done.out, re.M)
    assert len(re.findall(r"^hart \d, pid", done.out, re.M)) == 3, "a stack for each hart"
    first = done.out[done.out.index("\nhart "):].splitlines()
    assert "(kdebug)" in first[1] and re.match(r" +(panic_asked_for|sys_kdebug) +kernel/syscall/\w+\.c:\d+", first[2])
    assert re.search(r"\bsp ffffff[0-9a-f]{10}", done.out)
    # The others may idle, serve a fault of those who wait for kdebug, or write back: each stack must reach its root.
    for hart in re.split(r"^hart \d, pid .*\n", done.out, flags=re.M)[1:]:
        frames = hart[:hart.index("\n    pc ")].splitlines()
        assert re.match(STACK_ROOTS, frames[-1]), hart
    tail = done.out[done.out.index("the last 7 events"):].splitlines()
    assert len(tail) == 8 and not any(" panic " in line for line in tail), "its text stands at the head"
    assert (tmp_path / "run/logs/recover.log").read_text() == done.out
    assert json.loads((tmp_path / "run/run.json").read_text())["end"] == "panic"
    assert records(tmp_path / "run") == records(panicked)
    summary = pagetrail("summary", tmp_path / "run")
    assert summary.status == OK and summary_total(summary) == len(babeltrace(tmp_path / "run"))
    assert pagetrail("leaks", tmp_path / "run").status in (LEAKED, CANNOT_TELL)


def test_run_tells_the_same_at_once(panicked):
    said = (panicked / "logs/panic.log").read_text()
    assert re.search(r"^PANIC on hart \d: asked for by pid \d+", said, re.M) and "the last 12 events" in said
    assert len(re.findall(r"^hart \d, pid", said, re.M)) == 3 and "sys_kdebug" in said


def test_without_a_kernel(pagetrail, panicked, tmp_path):
    """Found by its magic number; addresses stay numbers."""
    done = pagetrail("recover", panicked / "ram", "-o", tmp_path / "run")
    assert done.status == LEAKED and "PANIC on hart" in done.out and "0xffffffc080" in done.out
    assert records(tmp_path / "run") == records(panicked)


def elf_core(ram, path):
    """The RAM as two loads, one by physical and one by the kernel's virtual address alone."""
    half = len(ram) // 2
    heads = []
    for i, (va, pa) in enumerate([(0, 0x80000000), (0xffffffc080000000 + half, 0)]):
        heads.append(struct.pack("<IIQQQQQQ", 1, 7, 4096 + i * half, va, pa, half, half, 4096))
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 4, 243, 1, 0, 64, 0, 0, 64, 56, len(heads), 0, 0, 0)
    with open(path, "wb") as file:
        file.write((header + b"".join(heads)).ljust(4096, b"\0"))
        file.write(ram)


def test_from_an_elf_core(pagetrail, panicked, tmp_path):
    elf_core((panicked / "ram").read_bytes(), tmp_path / "core")
    done = pagetrail("recover", tmp_path / "core", "--kernel", paths.KERNEL)
    assert done.status == LEAKED and "PANIC on hart" in done.out, done.err
    assert records(tmp_path / "core.run") == records(panicked)


@pytest.mark.parametrize("harts", [1, 4])
def test_stopped_in_the_middle(pagetrail, dead, tmp_path, harts):
    """What the rings still hold is the end of what was recorded, to the last record."""
    run = dead(f"stopped{harts}", harts, 6, "usertests")
    done = pagetrail("recover", run / "ram", "--kernel", paths.KERNEL, "-o", tmp_path / "run")
    assert done.status == OK and "stopped from outside" in done.out, done.out + done.err
    whole, rest = records(run), records(tmp_path / "run")
    assert rest.keys() == whole.keys()
    for name, body in rest.items():
        assert body and whole[name].endswith(body), name
    assert not pagetrail("summary", tmp_path / "run", "--json").json()["damage"]
    assert len(babeltrace(tmp_path / "run")) == summary_total(pagetrail("summary", tmp_path / "run"))


def test_what_is_no_memory_of_ours(pagetrail, tmp_path):
    (tmp_path / "zero").write_bytes(bytes(1 << 20))
    (tmp_path / "short").write_bytes(b"x")
    for name, said in ("zero", "no trace in this memory"), ("short", "neither a RAM file nor a core"), ("none", "No such"):
        done = pagetrail("recover", tmp_path / name)
        assert done.status == CANNOT_TELL and said in done.err and not (tmp_path / f"{name}.run").exists()
    assert pagetrail("recover", paths.KERNEL, "-o", tmp_path / "x").status == CANNOT_TELL


def test_a_description_that_cannot_be(pagetrail, panicked, tmp_path):
    """Rings outside RAM, then a panic_info that is none: said, not followed."""
    ram = bytearray((panicked / "ram").read_bytes())
    desc = ram.index(b"PGTRAIL1")
    while desc % 4096:
        desc = ram.index(b"PGTRAIL1", desc + 1)
    (tmp_path / "ram").write_bytes(ram[:32 << 20])
    done = pagetrail("recover", tmp_path / "ram", "--kernel", paths.KERNEL)
    assert done.status in (LEAKED, CANNOT_TELL)
    panic_pa, = struct.unpack_from("<Q", ram, desc + 96)
    assert 0x80200000 < panic_pa < 0x88000000
    struct.pack_into("<Q", ram, panic_pa - 0x80000000, 1)
    (tmp_path / "ram").write_bytes(ram)
    done = pagetrail("recover", tmp_path / "ram", "--kernel", paths.KERNEL)
    assert "not of this version" in done.err and "PANIC on hart" not in done.out


@pytest.mark.parametrize("seed", range(12))
def test_random_damage(sanitized, small, tmp_path, seed):
    """Whatever stands in memory: each command ends by itself with a status of its own."""
    rng = random.Random(seed)
    ram = bytearray((small / "ram").read_bytes())
    desc = next(at for at in range(0, len(ram), 4096) if ram[at:at + 8] == b"PGTRAIL1")
    for _ in range(rng.randrange(1, 6)):
        at = desc + rng.randrange(8, 256) if rng.random() < 0.6 else rng.randrange(len(ram))
        ram[at:at + 8] = rng.choice([bytes(8), b"\xff" * 8, rng.randbytes(8), struct.pack("<Q", rng.randrange(1 << 33))])
    for _ in range(2000):
        at = rng.randrange(2 << 20, len(ram)) & ~7
        if at & ~4095 != desc:
            ram[at:at + 4] = rng.randbytes(4)
    (tmp_path / "ram").write_bytes(ram)
    sanitized("recover", tmp_path / "ram", "--kernel", paths.KERNEL, "-o", tmp_path / "run", timeout=60)
    sanitized("verify", small, "--ram", tmp_path / "ram", timeout=60)


def test_a_core_that_claims_what_it_has_not(pagetrail, panicked, tmp_path):
    """Loads that reach behind the file's end hold what is there; loads that share bytes are none of a core's."""
    ram = (panicked / "ram").read_bytes()
    elf_core(ram, tmp_path / "core")
    core = bytearray((tmp_path / "core").read_bytes())
    struct.pack_into("<Q", core, 64 + 56 + 32, 8 << 30)
    (tmp_path / "core").write_bytes(core)
    done = pagetrail("recover", tmp_path / "core", "--kernel", paths.KERNEL, "-o", tmp_path / "run")
    assert done.status == LEAKED and "is cut off" in done.err and records(tmp_path / "run") == records(panicked)
    for load in range(2):
        struct.pack_into("<Q", core, 64 + 56 * load + 8, 4096)
        struct.pack_into("<Q", core, 64 + 56 * load + 32, len(ram))
    (tmp_path / "core").write_bytes(core)
    done = pagetrail("recover", tmp_path / "core", "--kernel", paths.KERNEL, "-o", tmp_path / "none")
    assert done.status == CANNOT_TELL and "its loads are larger than it is" in done.err
