# SPDX-License-Identifier: MIT
"""panic: what the kernel died of."""

from ..model.panic import panic_or_error
from ..model.tasks import all_tasks
from .base import Command, expect, print_stack
from .whatis import describe_address


class PanicCommand(Command):
    """Print what the kernel died of: panic

The message, what the panic is about (a page, an object, a lock) where it says so, and the stack of every hart, the one that
panicked first. page-history and page-owner tell what became of the page. An error while the kernel is well."""

    name = "panic"

    def run(self, kernel, arguments, findings):
        expect(arguments, 0, 0, "panic")
        panic = panic_or_error(kernel)
        print(f"panic on hart {panic.hart}: {panic.message}")
        for line in describe_address(kernel, panic.subject, findings) if panic.subject else ():
            print(f"about {line}" if not line.startswith(" ") else line)
        for hart in sorted(range(panic.nr_harts), key=lambda i: (i != panic.hart, i)):
            self._print_hart(kernel, panic, hart)

    @staticmethod
    def _print_hart(kernel, panic, hart):
        saved = panic.harts.get(hart)
        if saved is None:
            print(f"hart {hart} did not answer")
            return
        name = next((task.text("name") for task in all_tasks(kernel, []) if task["pid"] == saved["pid"]), "idle")
        print(f"hart {hart}, pid {saved['pid']} ({name}), pc {saved['pc']:#x}, cause {saved['scause']:#x}, "
              f"address {saved['stval']:#x}")
        frames = list(saved["frames"][:saved["nr_frames"]])
        if frames:
            frames[0] += 1  # where it is, not where a call returns to
        print_stack(kernel, frames, "    ")
