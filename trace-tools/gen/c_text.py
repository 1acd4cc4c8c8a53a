# SPDX-License-Identifier: MIT
"""Text as C, for what is embedded in the tools when they are built (help/embed.py, report/page/embed.py)."""


def c_string(text):
    """Text as a C string literal, one literal a line."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return "\n".join(f'\t"{line}\\n"' for line in quoted.splitlines())
