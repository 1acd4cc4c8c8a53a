# SPDX-License-Identifier: MIT
"""Loads the Pagetrail commands into gdb:  (gdb) source gdb-scripts/pagetrail.py

Sourcing it again loads changed scripts again.
"""

import os
import sys

import gdb


def _load():
    folder = os.path.dirname(os.path.abspath(__file__))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for name in [name for name in sys.modules if name.split(".")[0] == "pagetrail_gdb"]:
        del sys.modules[name]
    # gdb 13.1 hangs when it steps over sret under the OS ABI that it guesses, and crashes on large values
    # with the default limit.
    gdb.execute("set osabi none", to_string=True)
    gdb.execute("set max-value-size unlimited", to_string=True)
    import pagetrail_gdb.commands as commands
    commands.register()


_load()
