# SPDX-License-Identifier: MIT
"""Physical memory, read only, from wherever it is. Addresses are physical; sizes are bytes.

Every backend has `ranges`, the parts of RAM it knows as (start, end), and `read`, which gives exactly the
bytes asked for or raises ReadError: nothing outside RAM is ever made up. The backends that need gdb are in
live.py; those here need only a file.
"""

import bisect
import math
import mmap
import struct
import time

from . import elf
from .errors import CommandError, ReadError

FRAME = 4096  # bytes of a cached piece; a unit of reading only, not the kernel's page size


class Memory:
    """RAM in ranges. A subclass implements _read for a span that lies within one range."""

    name = "nothing"
    _deadline = math.inf

    def __init__(self, ranges):
        self.ranges = sorted(ranges)
        self._starts = [start for start, _ in self.ranges]

    def contains(self, pa, size=1):
        at = bisect.bisect_right(self._starts, pa) - 1
        return at >= 0 and pa + size <= self.ranges[at][1]

    def read(self, pa, size):
        if size < 0 or not self.contains(pa, size):
            raise ReadError(f"physical {pa:#x} (+{size:#x}) is outside RAM")
        if time.monotonic() > self._deadline:
            raise CommandError("given up: this takes longer than `show pagetrail timeout` allows")
        return self._read(pa, size)

    def _read(self, pa, size):
        raise NotImplementedError

    def read_u64(self, pa):
        return struct.unpack("<Q", self.read(pa, 8))[0]

    def give_up_after(self, seconds):
        """From now on reads end with a CommandError after so long; None: never."""
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds

    def forget(self):
        """Drops what was cached; called when the machine may have run."""

    def close(self):
        """Gives back files and mappings."""


class BytesMemory(Memory):
    """A block of bytes at one address."""

    name = "bytes"

    def __init__(self, base, content):
        super().__init__([(base, base + len(content))])
        self._base = base
        self._view = memoryview(content)

    def _read(self, pa, size):
        at = pa - self._base
        return self._view[at:at + size]


class RamFile(Memory):
    """QEMU's memory-backend-file, mapped: shows the guest's memory as it is now."""

    def __init__(self, path, base):
        try:
            with open(path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ReadError(f"RAM file {path}: {error}") from error
        super().__init__([(base, base + len(self._map))])
        self.name = f"RAM file {path}"
        self.path = path
        self._base = base

    def _read(self, pa, size):
        at = pa - self._base
        return self._map[at:at + size]

    def close(self):
        self._map.close()


class ElfCore(Memory):
    """The PT_LOAD segments of an ELF core, by physical address.

    A segment belongs to RAM at p_paddr; where the writer left that 0, at p_vaddr minus the direct map's offset.
    """

    def __init__(self, path, direct_map_offset):
        try:
            with open(path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ReadError(f"core {path}: {error}") from error
        self.name = f"core {path}"
        self.path = path
        self._segments = self._without_overlaps(self._find_segments(direct_map_offset))
        if not self._segments:
            raise ReadError(f"core {path}: no RAM in its segments")
        super().__init__([(start, end) for start, end, _ in self._segments])

    def _find_segments(self, direct_map_offset):
        found = []
        for segment in elf.segments(self._map, self.path):
            if segment.kind == elf.PT_LOAD and segment.size:
                pa = segment.pa
                if pa == 0 and segment.va >= direct_map_offset:
                    pa = segment.va - direct_map_offset
                found.append((pa, pa + segment.size, segment.offset))
        return found

    @staticmethod
    def _without_overlaps(segments):
        """Physical and kernel-virtual segments may show the same bytes: the larger one is kept."""
        kept = []
        for segment in sorted(segments, key=lambda s: s[0] - s[1]):
            if all(segment[1] <= start or segment[0] >= end for start, end, _ in kept):
                kept.append(segment)
        return sorted(kept)

    def _read(self, pa, size):
        at = bisect.bisect_right(self._starts, pa) - 1
        start, _, offset = self._segments[at]
        return self._map[offset + pa - start:offset + pa - start + size]

    def close(self):
        self._map.close()


class CachedMemory(Memory):
    """Keeps what a slow backend has read, in frames, until forget(). Large pieces pass through: nobody reads them twice.

    Who has asked for many frames one by one, as along a free list, gets those around each further one, too: a read costs
    the backend as much as a large piece does.
    """

    _LARGE_BYTES = 256 * 1024
    _SINGLE_FRAMES = 32  # missing ones, before their surroundings are read
    _AROUND_BYTES = 4 << 20

    def __init__(self, backend):
        super().__init__(backend.ranges)
        self.backend = backend
        self.name = backend.name
        self._frames = {}
        self._nr_single = 0

    def _read(self, pa, size):
        first, last = pa // FRAME, (pa + size - 1) // FRAME
        if size == 0:
            return b""
        if size > self._LARGE_BYTES:
            return self.backend.read(pa, size)
        if first == last and first not in self._frames:
            self._nr_single += 1
            if self._nr_single <= self._SINGLE_FRAMES or not self._keep_around(pa):
                self._keep(first, last)
        elif first != last:
            self._fetch(first, last)
        if first == last:
            at = pa % FRAME
            return self._frames[first][at:at + size]
        whole = b"".join(self._frames[frame] for frame in range(first, last + 1))
        return whole[pa % FRAME:pa % FRAME + size]

    def _around(self, pa):
        """First and last frame of the aligned piece around an address, as far as RAM goes."""
        start, end = self.ranges[bisect.bisect_right(self._starts, pa) - 1]
        low = max(pa - pa % self._AROUND_BYTES, -(-start // FRAME) * FRAME)
        high = min(pa - pa % self._AROUND_BYTES + self._AROUND_BYTES, end - end % FRAME)
        frame = pa // FRAME
        return min(low // FRAME, frame), max(high // FRAME - 1, frame)

    def _keep_around(self, pa):
        """False: some of it cannot be read, as the firmware's pages by a stub that reads as the guest does."""
        try:
            self._keep(*self._around(pa))
        except ReadError:
            return False
        return True

    def _fetch(self, first, last):
        """Reads runs of missing frames, each run in one go."""
        frame = first
        while frame <= last:
            if frame in self._frames:
                frame += 1
                continue
            end = frame
            while end <= last and end not in self._frames:
                end += 1
            self._keep(frame, end - 1)
            frame = end

    def _keep(self, first, last):
        content = bytes(self.backend.read(first * FRAME, (last + 1 - first) * FRAME))
        for i in range(last + 1 - first):
            self._frames[first + i] = content[i * FRAME:(i + 1) * FRAME]

    def forget(self):
        self._frames.clear()
        self._nr_single = 0
        self.backend.forget()

    def close(self):
        self.backend.close()
