# SPDX-License-Identifier: MIT
"""Memory of a machine that gdb is attached to: QEMU's gdbstub, whatever mode its harts are in.

Ways, fastest first; `attach` takes the first that works:
  - the guest's RAM is a shared file on this host (QEMU says which): map it;
  - QEMU reads physical memory for us (maint packet Qqemu.PhyMemMode), and large pieces with pmemsave;
  - plain reads through the direct map, which need the selected hart to be in the kernel.
"""

import os
import re
import tempfile

import gdb

from .errors import ReadError
from .memory import CachedMemory, Memory, RamFile

_BULK_BYTES = 512 * 1024  # from here on pmemsave beats the gdbstub's 11 MB/s
_CHUNK_BYTES = 128 * 1024
_SAMPLE_BYTES = 64


def _monitor(command):
    """Output of a QEMU monitor command, or "" where the target has none."""
    try:
        return gdb.execute(f"monitor {command}", to_string=True)
    except gdb.error:
        return ""


def is_remote():
    connection = gdb.selected_inferior().connection
    return connection is not None and connection.type in ("remote", "extended-remote")


class PhysicalStub(Memory):
    """Physical reads through QEMU's gdbstub. PhyMemMode is on only within one read."""

    name = "QEMU gdbstub (physical)"

    def __init__(self, ranges):
        super().__init__(ranges)
        self._pmemsave_works = True

    @staticmethod
    def supported():
        try:
            answer = gdb.execute("maint packet qqemu.PhyMemMode", to_string=True)
        except gdb.error:
            return False
        return re.search(r'received: "[01]"', answer) is not None

    def _read(self, pa, size):
        if size >= _BULK_BYTES and self._pmemsave_works:
            content = self._pmemsave(pa, size)
            if content is not None:
                return content
            self._pmemsave_works = False
        return self._read_stub(pa, size)

    @staticmethod
    def _read_stub(pa, size):
        inferior = gdb.selected_inferior()
        gdb.execute("maint packet Qqemu.PhyMemMode:1", to_string=True)
        try:
            pieces = [bytes(inferior.read_memory(pa + at, min(_CHUNK_BYTES, size - at)))
                      for at in range(0, size, _CHUNK_BYTES)]
        except gdb.MemoryError as error:
            raise ReadError(f"QEMU does not read physical {pa:#x}: {error}") from error
        finally:
            gdb.execute("maint packet Qqemu.PhyMemMode:0", to_string=True)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @staticmethod
    def _pmemsave(pa, size):
        """The bytes, or None where QEMU has no monitor or writes files that we cannot see."""
        with tempfile.TemporaryDirectory(prefix="pagetrail-gdb-") as folder:
            path = os.path.join(folder, "ram")
            _monitor(f'pmemsave {pa:#x} {size:#x} "{path}"')
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError:
                return None
        return content if len(content) == size else None


class VirtualStub(Memory):
    """Reads through the kernel's direct map; fails while the selected hart is in user mode."""

    name = "target memory (through the kernel's direct map)"

    def __init__(self, ranges, direct_map_offset):
        super().__init__(ranges)
        self._offset = direct_map_offset

    def _read(self, pa, size):
        try:
            return bytes(gdb.selected_inferior().read_memory(pa + self._offset, size))
        except gdb.MemoryError as error:
            raise ReadError(f"cannot read physical {pa:#x} through the direct map: {error} "
                            "(select a hart that is in the kernel)") from error


def shared_ram_file():
    """Path of the file behind the guest's RAM, if QEMU has one, shares it, and we can see it; else None."""
    backend = _monitor_path("qom-get /machine memory-backend")
    path = _monitor_path(f"qom-get {backend} mem-path") if backend else None
    if path and "true" in _monitor(f"qom-get {backend} share") and os.access(path, os.R_OK):
        return path
    return None


def _monitor_path(command):
    match = re.search(r'"(/[^"]*)"', _monitor(command))
    return match.group(1) if match else None


def _machine_ram_bytes():
    """Size of the guest's RAM as QEMU states it, or None."""
    match = re.search(r"base memory:\s*(\d+)", _monitor("info memory_size_summary"))
    return int(match.group(1)) if match else None


class Ground:
    """What reading a machine's memory needs to know of its kernel.

    base        where RAM begins, physical
    offset      of the direct map: virtual minus physical
    sample_pa   where memory tells one machine from another
    probe       a function: RAM's size in bytes, for stubs without a monitor
    """

    def __init__(self, base, offset, sample_pa, probe):
        self.base, self.offset, self.sample_pa, self.probe = base, offset, sample_pa, probe

    @classmethod
    def of_layout(cls, layout):
        """Of the Pagetrail kernel."""
        base, offset = layout.macro("RAM_BASE"), layout.macro("PHYS_OFFSET")
        return cls(base, offset, layout.symbol("trace_desc")[0] - offset, lambda: _ram_bytes_by_probe(layout, base))


def attach(ground, backend="auto"):
    """The best Memory for the remote target, or the one asked for (settings.Backend): ReadError where it does not do."""
    base = ground.base
    size = _machine_ram_bytes()
    stub = None
    if PhysicalStub.supported():
        stub = PhysicalStub([(base, base + (size or ground.probe()))])
    path = shared_ram_file() if backend in ("auto", "ram-file") else None
    if path is not None:
        mapped = RamFile(path, base)
        if stub is None or _same_machine(mapped, stub, ground):
            return mapped
        mapped.close()
    if backend == "ram-file":
        raise ReadError("this target's RAM is no file on this host: `set pagetrail ram-file PATH` names one")
    if stub is not None and backend != "direct":
        return CachedMemory(stub)
    if backend == "gdbstub":
        raise ReadError("this target's gdbstub does not read physical memory")
    return CachedMemory(VirtualStub([(base, base + (size or ground.probe()))], ground.offset))


def _same_machine(mapped, stub, ground):
    """Guards against a file of the same name that another machine uses now."""
    pa = ground.sample_pa
    try:
        return bytes(mapped.read(pa, _SAMPLE_BYTES)) == bytes(stub.read(pa, _SAMPLE_BYTES))
    except ReadError:
        return False


def _ram_bytes_by_probe(layout, base):
    """RAM's size as the kernel read it from the device tree, for stubs without a monitor."""
    va, kind = layout.symbol("machine")
    offset, member = kind.resolve("ram_end")
    try:
        content = bytes(gdb.selected_inferior().read_memory(va + offset, member.size))
    except gdb.MemoryError as error:
        raise ReadError(f"cannot tell how much RAM the target has: {error}") from error
    end = int.from_bytes(content, "little")
    if end <= base:
        raise ReadError("the kernel has not yet read the device tree: RAM size unknown")
    return end - base
