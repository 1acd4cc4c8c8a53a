# SPDX-License-Identifier: MIT
"""The commands for a kernel that is not Pagetrail: what they can say of it, and how they know.

description   what `pagetrail describe` found in the ELF, or the run folder's copy of it
kernel        memory and description together: processes, page tables, free lists
commands      the commands' work; COMMANDS names what there is
"""
