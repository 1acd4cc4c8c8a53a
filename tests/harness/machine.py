# SPDX-License-Identifier: MIT
"""A virtual machine under test: QEMU with the kernel, its console, its memory and its disk.

    with Machine(folder, smp=2, run="usertests -q") as machine:
        machine.expect(r"ALL TESTS PASSED", timeout=60)
        assert machine.wait() == 0

The RAM is a file shared with QEMU, so a test can read guest memory while it runs and after it is dead.
No machine outlives its limit: timeout(1) stands between us and QEMU, also when the test itself dies.
"""
import itertools
import mmap
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from . import elf, paths

PROMPT = r"(?m)^\$ "
RAM_BASE = 0x80000000
_serial = itertools.count()


class MachineError(AssertionError):
    """The machine did not do what was expected; the text ends with the last lines of its console."""


def size_bytes(text):
    """"128M" as a number."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def needs_virtio(mem):
    """QEMU loads the ramdisk at half of RAM and the device tree near its end: less than 64 MiB has no room for both."""
    return size_bytes(mem) < 64 << 20


def quote_bootarg(value):
    return f'"{value}"' if re.search(r"\s", value) else value


def may_grow(pattern, match, console):
    """Does it end where the console ends so far, and would one more character of a word make another match of it?"""
    if match.end() < len(console):
        return False
    longer = [re.compile(pattern).search(console + more, match.start()) for more in "0a"]
    return any(not again or again.end() > match.end() for again in longer)


class Machine:
    """QEMU's virt board with our kernel. Arguments:

    folder   a folder of this machine's own: console log, disk copy
    smp, mem harts and memory ("128M")
    run      command for init, which then powers off with its status; None boots to the shell
    append   further boot arguments
    debug    the boot argument debug=on: programs may break what they test
    virtio   the disk is a virtio-blk device instead of a ramdisk; None: where the ramdisk has no room
    icount   one instruction is one nanosecond; with `run`, where the host types nothing, deterministic
    limit    seconds after which it is killed
    """

    def __init__(self, folder, smp=1, mem="128M", run=None, append="", virtio=None, icount=False, limit=120, debug=True,
                 kernel=None, disk=None, extra=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kernel = Path(kernel or paths.KERNEL)
        self.disk = Path(disk or paths.DISK)
        self.smp, self.mem = smp, mem
        self.virtio = needs_virtio(mem) if virtio is None else virtio
        self.ram_file = self._place_ram_file()
        self.console = ""
        self._seen = 0
        self._grew = threading.Condition()
        self._closed = False
        words = ["debug=on"] * debug + [append] * bool(append)
        if run is not None:
            words.append("run=" + quote_bootarg(run))
        self.command = self._qemu_command(" ".join(words), icount, run is None) + list(extra)
        self._process = subprocess.Popen(["timeout", "--foreground", "-s", "KILL", str(limit), *self.command],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()

    def _place_ram_file(self):
        """/dev/shm if the RAM fits there twice over, else the machine's own folder."""
        shm = Path("/dev/shm")
        roomy = shm.is_dir() and shutil.disk_usage(shm).free > 2 * size_bytes(self.mem)
        folder = shm if roomy else self.folder
        return folder / f"pagetrail-test-{os.getpid()}-{next(_serial)}.ram"

    def _qemu_command(self, append, icount, at_prompt):
        command = [paths.QEMU, "-machine", "virt,memory-backend=ram", "-m", self.mem, "-smp", str(self.smp),
                   "-object", f"memory-backend-file,id=ram,size={self.mem},mem-path={self.ram_file},share=on",
                   "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
                   "-kernel", str(self.kernel)]
        if append:
            command += ["-append", append]
        if icount:
            # With sleep=off the clock of a machine that waits for the host alone, input or a disk, jumps to its end.
            command += ["-icount", "shift=0,sleep=" + ("on" if at_prompt or self.virtio else "off"), "-seed", "1"]
        if self.virtio:
            copy = self.folder / "disk.img"
            shutil.copyfile(self.disk, copy)
            command += ["-drive", f"file={copy},if=none,format=raw,id=disk0",
                        "-device", "virtio-blk-device,drive=disk0"]
        else:
            command += ["-initrd", str(self.disk)]
        return command

    # ---- console ----

    def _read_console(self):
        with open(self.folder / "console.log", "wb") as log:
            while True:
                chunk = os.read(self._process.stdout.fileno(), 4096)
                if not chunk:
                    break
                log.write(chunk)
                log.flush()
                with self._grew:
                    self.console += chunk.decode("utf-8", "replace").replace("\r", "")
                    self._grew.notify_all()
        with self._grew:
            self._closed = True
            self._grew.notify_all()

    def _fail(self, what):
        tail = "\n".join(self.console.splitlines()[-25:])
        raise MachineError(f"{what}\n--- console ends ---\n{tail}")

    def expect(self, pattern, timeout=30):
        """Waits for the pattern in what was not yet expected; returns the match and consumes through it.

        The console comes in pieces, which may end in mid-number: a match that more would make longer is not whole yet.
        """
        deadline = time.monotonic() + timeout
        with self._grew:
            while True:
                match = re.compile(pattern).search(self.console, self._seen)
                left = deadline - time.monotonic()
                if match and (self._closed or left <= 0 or not may_grow(pattern, match, self.console)):
                    self._seen = match.end()
                    return match
                if self._closed:
                    self._fail(f"the machine ended before it printed {pattern!r}")
                if left <= 0:
                    self._fail(f"no {pattern!r} within {timeout} s")
                self._grew.wait(left)

    def send(self, text):
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def shell(self, command, timeout=30):
        """Types a command at the shell's prompt; returns what it printed up to the next prompt."""
        if self._seen == 0:
            self.expect(PROMPT, timeout)
        self.send(command + "\n")
        start = self._seen
        end = self.expect(PROMPT, timeout)
        text = self.console[start:end.start()]
        echo, _, rest = text.partition("\n")
        return rest if command in echo else text

    # ---- the machine's end ----

    def wait(self, timeout=120):
        """Waits until the machine ends by itself; returns its exit status."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._fail(f"the machine still ran after {timeout} s")
        self._reader.join(5)
        return status

    def pid(self):
        """The process id of QEMU itself."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    def cpu_seconds(self):
        """Processor time that QEMU and its threads have used."""
        fields = Path(f"/proc/{self.pid()}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def running(self):
        return self._process.poll() is None

    def ended_well(self):
        """The machine powered itself off without a panic (and so has written everything to its disk)."""
        return not self.running() and self.trace_desc("exit_status") != 0 and self.trace_desc("panic_pa") == 0

    def kill(self):
        if self.running():
            try:
                os.kill(self.pid(), 9)
            except (IndexError, FileNotFoundError, ProcessLookupError):
                pass
            self._process.kill()
        self._process.wait()
        self._reader.join(5)

    def close(self):
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()
        self.ram_file.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- memory and disk ----

    def read_pa(self, pa, size):
        """Guest memory at a physical address; the machine may run, be ended, or be dead."""
        with open(self.ram_file, "rb") as ram, mmap.mmap(ram.fileno(), 0, prot=mmap.PROT_READ) as view:
            return view[pa - RAM_BASE:pa - RAM_BASE + size]

    def trace_desc(self, field):
        """A 64-bit field of the kernel's trace_desc."""
        address, offset = elf.field_pa(self.kernel, "trace_desc", field)
        return int.from_bytes(self.read_pa(address + offset, 8), "little")

    def build_id(self):
        """The build id that the kernel in memory says it has, as hex."""
        address, offset = elf.field_pa(self.kernel, "trace_desc", "build_id")
        return self.read_pa(address + offset, 20).hex()

    def disk_image(self):
        """The disk as the guest left it: the path of an image file."""
        image = self.folder / "disk.img"
        if not self.virtio:
            start, end = self.trace_desc("ramdisk_start"), self.trace_desc("ramdisk_end")
            image.write_bytes(self.read_pa(start, end - start)[:self.disk.stat().st_size])
        return image

    def check_disk(self):
        """Runs e2fsck on the disk as the guest left it; raises if it is not clean."""
        check_disk_image(self.disk_image())


def check_disk_image(image):
    done = subprocess.run(["e2fsck", "-fn", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    if done.returncode:
        raise MachineError(f"e2fsck -fn {image}: status {done.returncode}\n{done.stdout}")
