# SPDX-License-Identifier: MIT
"""GDB commands for Pagetrail: `model` reads memory and returns data, `commands` prints."""
