# SPDX-License-Identifier: MIT
"""Which memory the commands look at, and the `set pagetrail ...` parameters that decide it."""

import json
import os
import re

import gdb

from . import settings
from .model import live
from .model.dwarf import GdbLayout
from .model.elf import build_note
from .model.errors import CommandError, ReadError
from .model.kernel import Kernel
from .model.memory import ElfCore, RamFile
from .stranger import description
from .stranger.kernel import RAM_BASE, Stranger

_ENV_RAM = "PAGETRAIL_RAM"
_ENV_RUN = "PAGETRAIL_RUN"


def _refuse(argument):
    """gdb hands a prefix what is none of its parameters."""
    if argument:
        raise gdb.GdbError(f"there is no parameter {argument.split()[0]}: `show pagetrail` lists them")


class _SetPrefix(gdb.Command):
    """Settings of the Pagetrail commands."""

    def __init__(self):
        super().__init__("set pagetrail", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, prefix=True)

    def invoke(self, argument, from_tty):
        _refuse(argument)
        gdb.execute("help set pagetrail", from_tty)


class _ShowPrefix(gdb.Command):
    """Settings of the Pagetrail commands."""

    def __init__(self):
        super().__init__("show pagetrail", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, prefix=True)

    def invoke(self, argument, from_tty):
        _refuse(argument)
        for name in ("ram-file", *(parameter.name for parameter in settings.PARAMETERS)):
            gdb.execute(f"show pagetrail {name}", from_tty)


class RamFileParameter(gdb.Parameter):
    """The file that holds the guest's RAM, as QEMU's memory-backend-file or `pagetrail run` leave it.

Empty: the target's own memory is used (a live QEMU, or the core file that gdb has open); without a target,
$PAGETRAIL_RAM, or the RAM file of the run folder in $PAGETRAIL_RUN."""

    set_doc = "Set the file that holds the guest's RAM."
    show_doc = "Show the file that holds the guest's RAM."

    def __init__(self):
        super().__init__("pagetrail ram-file", gdb.COMMAND_DATA, gdb.PARAM_OPTIONAL_FILENAME)
        self.value = ""

    def get_set_string(self):
        SESSION.drop_memory()
        return ""

    def get_show_string(self, value):
        return f"The RAM file is {value}." if value else "No RAM file is set: the target's memory is used."


class _ShowMemory(gdb.Command):
    """Show where the Pagetrail commands read memory from, and which physical ranges it has."""

    def __init__(self):
        super().__init__("show pagetrail memory", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        try:
            memory = SESSION.memory()
        except Exception as error:
            raise gdb.GdbError(str(error)) from error
        ranges = ", ".join(f"{start:#x}..{end:#x}" for start, end in memory.ranges)
        print(f"{memory.name}: {ranges}")


class Session:
    """Keeps the layout of the ELF and the memory backend from one command to the next."""

    def __init__(self):
        self._layout = None
        self._layout_of = None
        self._note = None
        self._memory = None
        self._memory_of = None
        self._description = None
        self._description_of = None

    def kernel(self):
        """A Kernel that sees memory as it is now."""
        layout, memory = self.layout(), self.memory()
        memory.forget()
        memory.give_up_after(gdb.parameter("pagetrail timeout"))
        self._check_build(memory)
        return Kernel(layout, memory)

    def is_stranger(self):
        """The ELF is no Pagetrail kernel."""
        return not self.layout().has_symbol("trace_desc")

    def stranger(self):
        """A Stranger that sees memory as it is now, and the folder of its run (None)."""
        layout, run = self.layout(), os.environ.get(_ENV_RUN)
        memory = self.memory()
        memory.forget()
        memory.give_up_after(gdb.parameter("pagetrail timeout"))
        return Stranger(layout, memory, self._items()), run

    def _items(self):
        """The kernel's description, read once for an ELF and a run."""
        key = (*self._layout_of, os.environ.get(_ENV_RUN))
        if self._description_of != key:
            self._description, self._description_of = description.read(key[0], key[2]), key
        return self._description

    def _ground(self):
        if not self.is_stranger():
            return live.Ground.of_layout(self.layout())
        stranger = Stranger(self.layout(), None, self._items())
        return live.Ground(RAM_BASE, stranger.offset, RAM_BASE, lambda: 128 << 20)

    def _check_build(self, memory):
        """Names would be wrong, and the rest may be, if the ELF is of another build than what runs: then places are addresses."""
        if self._note is None:
            return
        pa, content = self._note
        try:
            same = bytes(memory.read(pa, len(content))) == content
        except ReadError:
            same = False
        self._layout.has_names = same or bool(gdb.parameter("pagetrail force-symbols"))
        if not same:
            print(f"warning: {self._layout_of[0]} is of another build than the kernel in memory (or none is loaded)"
                  + ("" if self._layout.has_names else "; addresses stand for the names of functions (`set pagetrail force-symbols on`: names)"))

    def layout(self):
        program = gdb.current_progspace().filename
        if not program:
            raise CommandError("no kernel ELF is loaded: start gdb with it, or use `file`")
        key = (program, os.stat(program).st_mtime_ns if os.path.exists(program) else 0)
        if self._layout is None or self._layout_of != key:
            self._layout, self._layout_of = GdbLayout(), key
            self._note = build_note(program)
        return self._layout

    def memory(self):
        connection = gdb.selected_inferior().connection
        key = (gdb.parameter("pagetrail ram-file"), gdb.parameter("pagetrail backend"), connection,
               os.environ.get(_ENV_RAM), os.environ.get(_ENV_RUN))
        if self._memory is None or self._memory_of != key:
            self.drop_memory()
            self._memory, self._memory_of = self._choose(*key[:2]), key
        return self._memory

    def drop_memory(self):
        if self._memory is not None:
            self._memory.close()
        self._memory = None

    def _choose(self, ram_file, backend):
        ground, auto = self._ground(), backend == settings.AUTO
        by_file, by_core = auto or backend == settings.RAM_FILE, auto or backend == settings.CORE
        if ram_file and by_file:
            return RamFile(ram_file, ground.base)
        if live.is_remote() and backend != settings.CORE:
            return live.attach(ground, backend)
        core = _core_path() if by_core else None
        if core:
            return ElfCore(core, ground.offset)
        found = by_file and (os.environ.get(_ENV_RAM) or _ram_file_of_run(os.environ.get(_ENV_RUN)))
        if found:
            return RamFile(found, ground.base)
        if not auto:
            raise CommandError(f"no memory to read by backend {backend} (`set pagetrail backend auto` takes what is there)")
        raise CommandError("no memory to read: connect to QEMU (target remote), open a core, or "
                           "`set pagetrail ram-file PATH`")


def _core_path():
    match = re.search(r"core dump file:\s+`([^']+)'", gdb.execute("info target", to_string=True))
    return match.group(1) if match else None


def _ram_file_of_run(folder):
    """The RAM file of a run folder: the path in its run.json, else the file `ram` in it."""
    if not folder:
        return None
    try:
        with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
            path = json.load(file).get("ram_file")
    except (OSError, ValueError):
        path = None
    candidates = [os.path.join(folder, path)] if path else []
    candidates.append(os.path.join(folder, "ram"))
    for candidate in candidates:
        if os.path.exists(candidate):
            return candidate
    raise CommandError(f"run folder {folder} has no RAM file")


SESSION = Session()


def register():
    _SetPrefix()
    _ShowPrefix()
    RamFileParameter()
    settings.register()
    _ShowMemory()
