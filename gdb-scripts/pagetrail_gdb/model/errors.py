# SPDX-License-Identifier: MIT
"""What can be wrong: with the question (ReadError, CommandError) or with the kernel's structures (Finding)."""

from dataclasses import dataclass


class ReadError(Exception):
    """Memory that cannot be read: outside RAM, or an address that no table maps."""


class CommandError(Exception):
    """The user's question cannot be answered; the message says why."""


@dataclass(frozen=True)
class Finding:
    """Something broken in the kernel's memory. `where` names the object, `what` what is wrong with it."""

    where: str
    what: str

    def __str__(self):
        return f"{self.where}: {self.what}"
