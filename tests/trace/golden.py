#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The recorded runs in traces/: made, unpacked, and what the tools say of them compared with what they said.

traces/recorded.tar.xz      run folders, one for each entry of RUNS; one archive, because the kernels in it are alike
traces/expected/RUN/*.txt   for each command: its words, its output (both streams), its exit status

The kernels in the archive are the debug information alone, of the sections that give functions and lines: a run is
read without the tree that made it.

Usage: golden.py record [RUN...]   makes all runs anew, or these (boots machines; builds faults 5 and 7), then updates
       golden.py update   takes what the tools say now as what is expected
       golden.py unpack FOLDER
"""
import argparse
import collections
import json
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import elf, faults, paths  # noqa: E402 (the path above)

TRACES = paths.ROOT / "traces"
ARCHIVE = TRACES / "recorded.tar.xz"
EXPECTED = TRACES / "expected"
# What the debug information holds besides functions and lines.
NOT_WANTED = [".debug_macinfo", ".debug_macro", ".debug_loc", ".debug_loclists", ".debug_frame"]
KEPT = ("run.json", "logs/console.log", "logs/panic.log", "trace", "kernel/pagetrail.elf",
        "kernel/kernel.elf", "kernel/kernel.kd", "plugin.json", "ram")  # the last four of a watched run: its audit is made of them
LIMIT_S = 120
DISCARDED = 100  # events, at least


# ---- recording ----

def start(out, command, *options, kernel=paths.KERNEL):
    """`pagetrail run`, on its way."""
    words = [paths.PAGETRAIL, "run", "--kernel", kernel, "--disk", paths.DISK, "--out", out, "--quiet", "--timeout", LIMIT_S,
             *options, "--", command]
    return subprocess.Popen([str(word) for word in words])


def child_of(process):
    """The pid of the QEMU that `pagetrail run` has started."""
    children = ""
    while not children.strip():
        assert process.poll() is None, "it ended before it started QEMU"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        time.sleep(0.01)
    return int(children.split()[0])


def wait_until(process, holds):
    """Polls until holds() or the process ends, which is a failure."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the machine ended before it came to what was to be recorded")
        time.sleep(0.005)


def record_plain(command, *options):
    """A machine that ends by itself, the same at each recording (-icount)."""
    def record(out):
        start(out, command, "--icount", *options).wait()
    return record


def record_fault(number):
    """A workload of the catalogue's fault, on its kernel."""
    def record(out):
        fault = faults.find(number)
        start(out, fault.run, "--icount", "--smp", "1", kernel=fault.build()).wait()
    return record


def record_killed(out):
    """QEMU gets SIGKILL while both harts are inside a packet."""
    process = start(out, "usertests", "--smp", "2")
    qemu, files = child_of(process), [out / "trace/hart0", out / "trace/hart1"]
    wait_until(process, lambda: all(f.exists() and f.stat().st_size >= 65536 for f in files))
    os.kill(qemu, signal.SIGKILL)
    process.wait()


def record_discards(out):
    """The reader stands still until the guest, with its rings full, has given up waiting and counts discards."""
    pa, offset = elf.field_pa(paths.KERNEL, "trace_desc", "rings[0].discarded")  # before: the machine lives for half a second
    process = start(out, "usertests fork-wait write-read bigwrite exec-arguments", "--smp", "1", "--mem", "8M",
                    "--disk-mode", "virtio")
    words = Path(f"/proc/{child_of(process)}/cmdline").read_bytes().decode().split("\0")
    ram_file = re.search(r"mem-path=([^,]+)", next(w for w in words if "mem-path=" in w)).group(1)
    at = pa - 0x80000000 + offset
    with open(ram_file, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as ram:
        wait_until(process, lambda: (out / "trace/hart0").exists())
        process.send_signal(signal.SIGSTOP)
        wait_until(process, lambda: int.from_bytes(ram[at:at + 8], "little") >= DISCARDED)
        process.send_signal(signal.SIGCONT)
    process.wait()


def record_panic(out):
    """The kernel panics; the run is what `recover` makes of the memory it left."""
    first = out.with_name(out.name + "-first")
    start(first, "kdebug panic", "--smp", "2", "--keep-ram", "--append", "debug=on").wait()
    subprocess.run([paths.PAGETRAIL, "recover", first / "ram", "--kernel", paths.KERNEL, "-o", out],
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(first)


def record_watched(out):
    """A small kernel that is not ours, with a mistake in copy-on-write, as `watch` sees it: what the first example in README is about."""
    tree = out.with_name("my-xv6")
    (tree / "kernel").mkdir(parents=True)
    paths.make(f"{paths.BUILD_NAME}/foreign/{WATCHED}.elf")
    # The assembler keeps the folder that it was called in, whatever it is told.
    here = str(paths.ROOT).encode() + b"\0"
    kernel = (paths.BUILD / "foreign" / f"{WATCHED}.elf").read_bytes().replace(here, b".".ljust(len(here), b"\0"))
    (tree / "kernel/kernel").write_bytes(kernel)
    qemu = "qemu-system-riscv64 -machine virt -bios none -kernel kernel/kernel -m 32M -smp 1 -nographic -no-reboot"
    subprocess.run([paths.PAGETRAIL, "watch", "--out", out, *qemu.split()], cwd=tree, stdin=subprocess.DEVNULL, timeout=LIMIT_S)
    shutil.rmtree(tree)


WATCHED = "small-cow-u8-sole_owner_leaks"
RUNS = {
    "clean": record_plain("usertests fork-wait write-read cow-sharing", "--smp", "2"),
    "fault-05": record_fault("05"),
    "fault-07": record_fault("07"),
    "killed": record_killed,
    "discards": record_discards,
    "overwritten": record_plain("usertests fork-wait write-read cow-sharing bigwrite", "--smp", "1", "--mode", "flight"),
    "panic": record_panic,
    "cow": record_watched,
}


def slim(run):
    """Leaves of a run folder what is KEPT, the kernel's debug information alone, and no path of this machine."""
    kernel = run / "kernel/pagetrail.elf"
    removed = [word for section in NOT_WANTED for word in ("-R", section)]
    if kernel.exists():  # a watched run is read with its kernel as it was: run.json has its checksum
        subprocess.run([paths.CROSS + "objcopy", "--only-keep-debug", *removed, kernel], check=True)
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(
        {name: value for name, value in about.items()
         if name not in ("kernel", "disk", "qemu", "qemu_program", "folder", "ram_file", "recovered_from", "started")}, indent=2) + "\n")


def pack(folder):
    """The archive's bytes depend on what is in it alone."""
    def plain(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() else 0o644
        return info

    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for run in RUNS:
            for name in KEPT:
                if (folder / run / name).exists():
                    archive.add(folder / run / name, f"{run}/{name}", filter=plain)


def unpack(folder):
    """A run of the same name that is there already (`make demo FAULT=05` makes fault-05) is replaced, not mixed with this one."""
    for name in RUNS:
        shutil.rmtree(Path(folder) / name, ignore_errors=True)
    with tarfile.open(ARCHIVE) as archive:
        if hasattr(tarfile, "data_filter"):  # newer Pythons want one named; here are but plain files and folders
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)


# ---- comparing ----

def commands(name):
    """{file name: words} of what is asked of a run; `page` is about the page that tells most."""
    asked = {"summary": ["summary", name, "--tests"], "leaks": ["leaks", name],
             "stacks": ["stacks", name, "--by", "total", "--limit", "8"], "dump": ["dump", name, "--limit", "12", "--resolve"],
             "live": ["live", name, "--by", "pid"], "top": ["top", name, "--once"],
             "collapsed": ["export", "--collapsed", name]}
    page = PAGES.get(name)
    if page:
        asked["page"] = ["page", name, page, "--resolve"]
    return asked


def page_of(folder, name):
    """A lost page, else one whose life is neither empty nor long; None where there is no such page."""
    def ask(*words):
        return subprocess.run([paths.PAGETRAIL, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True).stdout

    for group in json.loads(ask("leaks", name, "--json"))["groups"]:
        if group["what"] == "page" and name.startswith(("fault", "cow")):
            return hex(group["items"][0]["pfn"])
    entries = collections.Counter(re.findall(r" page_(?:alloc|get|put|free) pagecache .* pfn (0x[0-9a-f]+) ", ask("dump", name)))
    return next((pfn for pfn, nr in sorted(entries.items()) if 8 <= nr <= 20), None)


PAGES_FILE = EXPECTED / "pages.json"
PAGES = json.loads(PAGES_FILE.read_text()) if PAGES_FILE.exists() else {}


def said(folder, words):
    """What a command says, as it stands in traces/expected."""
    done = subprocess.run([str(paths.PAGETRAIL), *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=60)
    text = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    return f"$ pagetrail {' '.join(words)}\n{text}\n[exit status {done.returncode}]\n"


def update(folder):
    for name in RUNS:
        (EXPECTED / name).mkdir(parents=True, exist_ok=True)
        asked = commands(name)
        for file in (EXPECTED / name).glob("*.txt"):
            if file.stem not in asked:
                file.unlink()
        for file, words in asked.items():
            path, text = EXPECTED / name / f"{file}.txt", said(folder, words)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                print(f"{path.relative_to(paths.ROOT)}")


def record(names):
    """All runs, or some; the others stay as they are in the archive."""
    with tempfile.TemporaryDirectory() as folder:
        if names:
            unpack(folder)
        for name in names or RUNS:
            print(f"recording {name} ...", flush=True)
            shutil.rmtree(Path(folder) / name, ignore_errors=True)
            RUNS[name](Path(folder) / name)
            slim(Path(folder) / name)
        pack(Path(folder))
        choose_pages(folder)


def choose_pages(folder):
    pages = {name: page for name in RUNS if (page := page_of(folder, name))}
    EXPECTED.mkdir(parents=True, exist_ok=True)
    PAGES_FILE.write_text(json.dumps(pages, indent=2) + "\n")
    PAGES.clear()
    PAGES.update(pages)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("act", choices=("record", "update", "unpack"))
    options.add_argument("names", nargs="*")
    arguments = options.parse_args()
    if arguments.act == "unpack":
        unpack(arguments.names[0] if arguments.names else options.error("unpack where?"))
        return
    if arguments.act == "record":
        record(arguments.names)
    with tempfile.TemporaryDirectory() as folder:
        unpack(folder)
        update(Path(folder))


if __name__ == "__main__":
    main()
