# SPDX-License-Identifier: MIT
"""Reads the kernel's memory and returns plain data. Only dwarf.py and live.py need gdb."""
