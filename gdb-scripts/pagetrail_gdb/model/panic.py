# SPDX-License-Identifier: MIT
"""What a panic left in memory: panic_info of kernel/include/kernel/boot.h."""

from .errors import CommandError
from .stacks import Registers


class Panic:
    """hart: index of the one that panicked; subject: kernel va of what it is about, 0 if it does not say.

    harts: {index: Obj of one hart's registers}, of those that answered.
    """

    def __init__(self, info):
        self.hart, self.nr_harts, self.subject = info["hart"], info["nr_harts"], info["subject"]
        self.message = info.text("message")
        self.harts = {i: hart for i, hart in enumerate(info.elements("harts")) if hart["valid"]}

    def registers(self, hart):
        """Where an unwind of that hart begins; None if it did not answer."""
        saved = self.harts.get(hart)
        if saved is None:
            return None
        # A call of panic() saves where it stands, with cause 0 and pc at the call; a trap saves where the hart was.
        return Registers(saved["pc"], saved["x[8]"], "saved by the panic", exact=True)


def panic_of(kernel):
    """The Panic, or None while the kernel is well."""
    if not kernel.read_symbol("trace_desc")["panic_pa"]:
        return None
    return Panic(kernel.read_symbol("panic_info"))


def panic_or_error(kernel):
    found = panic_of(kernel)
    if found is None:
        raise CommandError("this kernel has not panicked")
    return found
