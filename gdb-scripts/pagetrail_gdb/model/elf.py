# SPDX-License-Identifier: MIT
"""Program headers of 64-bit little-endian ELF files. Source: System V gABI, "ELF Header" and "Program Header"."""

import struct
from collections import namedtuple

from .errors import ReadError

PT_LOAD = 1
PT_NOTE = 4
_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")

Segment = namedtuple("Segment", "kind offset va pa size")


def segments(content, path):
    """Every program header; size is what the file has of it. ReadError if this is no such ELF file."""
    header = bytes(content[:_EHDR.size])
    if len(header) < _EHDR.size or header[:6] != b"\x7fELF\x02\x01":
        raise ReadError(f"{path}: not a 64-bit little-endian ELF file")
    fields = _EHDR.unpack(header)
    table, step, count = fields[5], fields[9], fields[10]
    found = []
    for i in range(count):
        at = table + i * step
        if at + _PHDR.size > len(content):
            raise ReadError(f"{path}: program headers are cut off")
        kind, _, offset, va, pa, size, _, _ = _PHDR.unpack_from(content, at)
        found.append(Segment(kind, offset, va, pa, max(0, min(size, len(content) - offset))))
    return found


def build_note(path):
    """(physical address, bytes) of the note with the build id that the image carries, or None."""
    with open(path, "rb") as file:
        content = file.read()
    for segment in segments(content, path):
        if segment.kind == PT_NOTE and segment.size:
            return segment.pa, content[segment.offset:segment.offset + segment.size]
    return None
