# SPDX-License-Identifier: MIT
"""pagetrail: what commands there are, each with the first line of its own help."""

import gdb

_HEAD = """Look into the memory of a Pagetrail kernel, live or dead: the commands and settings.

"""
_TAIL = """
`help COMMAND` describes one of them. `help set pagetrail` lists the settings, `show pagetrail` their values,
`show pagetrail memory` where memory is read from. docs/GDB.md is the manual."""


def _line(command):
    """"buddy-print       the free lists": the first line of a command's help without its usage."""
    first = command.__doc__.strip().splitlines()[0].split(":")[0].rstrip(".")
    return f"  {command.name:<16} {first[0].lower()}{first[1:]}\n"


def overview(commands):
    """The class of the command `pagetrail`, whose help is the list of these commands."""
    text = _HEAD + "".join(_line(command) for command in sorted(commands, key=lambda command: command.name)) + _TAIL

    class Overview(gdb.Command):
        __doc__ = text

        def __init__(self):
            super().__init__("pagetrail", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

        def invoke(self, argument, from_tty):
            print(text)

    return Overview
