# SPDX-License-Identifier: MIT
"""words: counts in sentences."""


def plural(count, noun):
    """"1 page", "3 pages"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
