# SPDX-License-Identifier: MIT
"""freelist-print: the free lists of a kernel that is not Pagetrail; the Pagetrail kernel's are buddy-print's and pcp-print's."""

from ..model.errors import CommandError
from .base import Command


class FreelistPrint(Command):
    """Print the free lists of a kernel that is not Pagetrail: freelist-print [COUNT]

Each list of the kernel's description (`pagetrail describe`): how many pages, and the first COUNT (8) of them."""

    name = "freelist-print"

    def run(self, kernel, arguments, findings):
        raise CommandError("the Pagetrail kernel's free pages are on the lists that buddy-print and pcp-print show")
