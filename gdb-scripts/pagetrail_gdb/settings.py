# SPDX-License-Identifier: MIT
"""The `set pagetrail ...` and `show pagetrail ...` parameters but for ram-file, which session.py has.

PARAMETERS is everything there is. A limit of 0 or `unlimited` shows everything.
"""

import gdb

AUTO, RAM_FILE, GDBSTUB, DIRECT, CORE = BACKENDS = ("auto", "ram-file", "gdbstub", "direct", "core")
_COLOURS = {"bad": "31", "good": "32"}


class _Limit(gdb.Parameter):
    """A number of things that commands show at most."""

    default = 0
    what = ""

    def __init__(self):
        self.set_doc = f"Set how many {self.what} commands show at most; 0 or unlimited shows all."
        self.show_doc = f"Show how many {self.what} commands show at most."
        super().__init__(f"pagetrail {self.name}", gdb.COMMAND_DATA, gdb.PARAM_UINTEGER)
        self.value = self.default

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return f"At most {value} {self.what} are shown." if value != "unlimited" else f"All {self.what} are shown."


class Findings(_Limit):
    """Lines that begin with `finding:`, behind the output of each command."""

    name, what, default = "findings", "findings", 50


class Verdicts(_Limit):
    """Verdicts of `audit`."""

    name, what, default = "verdicts", "verdicts", 64


class Events(_Limit):
    """The newest events in page-owner and trace-dump, where no COUNT is given."""

    name, what, default = "events", "events", 20


class Frames(_Limit):
    """Frames of each call stack, innermost first."""

    name, what, default = "frames", "frames of a call stack", 12


class Holders(_Limit):
    """Holders in page-owner."""

    name, what, default = "holders", "holders of a page", 32


class _Setting(gdb.Parameter):
    """One of the others: its subclass has name, kind, initial and what get_show_string needs."""

    choices = ()

    def __init__(self):
        super().__init__(f"pagetrail {self.name}", gdb.COMMAND_DATA, self.kind, *self.choices)
        self.value = self.initial

    def get_set_string(self):
        return ""


class Timeout(_Setting):
    """A command that reads memory for longer than this many seconds ends with a message.

A slow target (a gdbstub across a network) may need more; 0 or `unlimited` waits for ever."""

    set_doc = "Set after how many seconds a Pagetrail command gives up."
    show_doc = "Show after how many seconds a Pagetrail command gives up."

    name, kind, initial = "timeout", gdb.PARAM_UINTEGER, 120

    def get_show_string(self, value):
        return "Commands take as long as they take." if value == "unlimited" else f"Commands give up after {value} s."


class Colour(_Setting):
    """Verdicts and findings in red, OK in green: on, off, or auto: as `set style enabled` has it for gdb itself."""

    set_doc = "Set whether Pagetrail commands use colour: auto, on or off."
    show_doc = "Show whether Pagetrail commands use colour."

    name, kind, initial = "colour", gdb.PARAM_AUTO_BOOLEAN, None

    def get_show_string(self, value):
        return f"Colour is {value}."


class ForceSymbols(_Setting):
    """Functions have addresses and no names when the ELF is of another build than the kernel in memory; on: names all the same.

They are wrong wherever the two kernels differ."""

    set_doc = "Set whether the names of an ELF of another build are used, too."
    show_doc = "Show whether the names of an ELF of another build are used, too."

    name, kind, initial = "force-symbols", gdb.PARAM_BOOLEAN, False

    def get_show_string(self, value):
        return f"The names of an ELF of another build are {'used, too' if value == 'on' else 'not used'}."


class Backend(_Setting):
    """How memory is read. `show pagetrail memory` says which way is in use.

auto      the first of those below that works
ram-file  the file that is the guest's RAM: `set pagetrail ram-file`, or the one that QEMU reports, or $PAGETRAIL_RAM
gdbstub   physical reads through QEMU's gdbstub
direct    plain reads through the kernel's direct map; the selected hart must be in the kernel
core      the ELF core that gdb has open"""

    set_doc = "Set how Pagetrail commands read memory: auto, ram-file, gdbstub, direct or core."
    show_doc = "Show how Pagetrail commands read memory."

    name, kind, initial, choices = "backend", gdb.PARAM_ENUM, AUTO, (BACKENDS,)

    def get_show_string(self, value):
        return f"Memory is read by backend {value}."


PARAMETERS = (Findings, Verdicts, Events, Frames, Holders, Timeout, Colour, ForceSymbols, Backend)


def limit(name):
    """The number of things to show: an int for slices, None for all."""
    return gdb.parameter(f"pagetrail {name}") or None


def paint(text, how):
    """The text in the colour of its meaning ("bad", "good"), where colour is on."""
    wanted = gdb.parameter("pagetrail colour")
    if wanted is None:
        wanted = gdb.parameter("style enabled")
    return f"\033[{_COLOURS[how]}m{text}\033[0m" if wanted else text


def register():
    for parameter in PARAMETERS:
        parameter()
