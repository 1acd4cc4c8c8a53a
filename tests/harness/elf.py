# SPDX-License-Identifier: MIT
"""What the tests need to know of the kernel ELF, asked of nm and gdb instead of being typed again."""
import functools
import os
import re
import subprocess

from . import paths

PHYS_OFFSET = 0xffffffc000000000


@functools.lru_cache(maxsize=None)
def symbols(kernel, _mtime):
    out = subprocess.run([paths.CROSS + "nm", str(kernel)], check=True, capture_output=True, text=True).stdout
    return {words[2]: int(words[0], 16) for words in map(str.split, out.splitlines()) if len(words) == 3}


def symbol_pa(kernel, name):
    """Physical address of a kernel symbol."""
    return symbols(kernel, os.stat(kernel).st_mtime)[name] - PHYS_OFFSET


@functools.lru_cache(maxsize=None)
def _offset(kernel, _mtime, variable, field):
    out = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", f"print/d (long)&{variable}.{field} - (long)&{variable}",
                          str(kernel)], check=True, capture_output=True, text=True, timeout=60).stdout
    return int(re.search(r"= (\d+)", out).group(1))


def field_pa(kernel, variable, field):
    """Physical address of a global variable and the byte offset of one of its fields, from DWARF."""
    return symbol_pa(kernel, variable), _offset(kernel, os.stat(kernel).st_mtime, variable, field)


def build_id(kernel):
    """The build id in the ELF's note, as hex."""
    out = subprocess.run([paths.CROSS + "readelf", "-n", str(kernel)], check=True, capture_output=True, text=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", out).group(1)
