# SPDX-License-Identifier: MIT
"""What every command shares: argument parsing, errors without tracebacks, findings at the end."""

import re

import gdb

from ..model.errors import CommandError, ReadError
from ..model.tasks import all_tasks, current_task
from ..model.types import LayoutError
from ..model.words import plural  # noqa: F401 (for the commands)
from ..session import SESSION
from ..settings import limit, paint
from ..stranger.commands import COMMANDS as stranger_commands

# What the scripts' own mistakes raise, on memory that nobody thought of: a message, never a traceback.
_MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, OSError)
# A name that is neither a register nor has its address taken.
_MEMBER = re.compile(r"([A-Za-z_]\w*)(?:\.\w+|\[\d+\])*")
_VARIABLE_USE = re.compile(r"(?<![&$\w.>])[A-Za-z_]\w*")


class Command(gdb.Command):
    """A Pagetrail command. A subclass sets `name`, its docstring is the help text, and `run` does the work.

    completes   "expression" lets gdb complete symbols; else `words` says what can stand there
    """

    name = ""
    completes = ""
    words = None  # a function of the kernel: texts that complete the word under the cursor

    def __init__(self):
        # gdb calls complete() only if the class has one, and then passes no expressions to it.
        if self.completes == "expression":
            super().__init__(self.name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)
        elif self.words:
            self.complete = self._complete
            super().__init__(self.name, gdb.COMMAND_DATA)
        else:
            super().__init__(self.name, gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def run(self, kernel, arguments, findings):
        """Prints the answer. arguments: list of words; findings: what is found broken goes here."""
        raise NotImplementedError

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        findings = []
        try:
            if SESSION.is_stranger():
                self._run_on_stranger(gdb.string_to_argv(argument), findings)
            else:
                self.run(SESSION.kernel(), gdb.string_to_argv(argument), findings)
        except (CommandError, ReadError, LayoutError) as error:
            print_findings(findings)
            raise gdb.GdbError(f"{self.name}: {error}") from error
        except gdb.error as error:
            raise gdb.GdbError(f"{self.name}: {error}") from error
        except _MISTAKES as error:
            if gdb.parameter("python print-stack") == "full":
                raise
            raise gdb.GdbError(f"{self.name}: the scripts failed: {type(error).__name__}: {error} "
                               "(`set python print-stack full` shows where)") from error
        print_findings(findings)

    def _run_on_stranger(self, arguments, findings):
        if self.name not in stranger_commands:
            raise CommandError("this asks what only the Pagetrail kernel keeps; on another kernel there are "
                               + ", ".join(sorted(stranger_commands)))
        stranger, run = SESSION.stranger()
        stranger_commands[self.name](stranger, arguments, findings, run)

    def _complete(self, text, word):
        if SESSION.is_stranger():
            return []
        try:
            words = self.words(SESSION.kernel())
        except (CommandError, ReadError, LayoutError, gdb.error, *_MISTAKES):
            return []
        return [found for found in words if found.startswith(word or "")]


def pid_words(command, kernel):
    """For Command.words: every pid."""
    return [str(task["pid"]) for task in all_tasks(kernel, [])]


def print_findings(findings):
    shown = findings[:limit("findings")]
    for finding in shown:
        print(f"{paint('finding:', 'bad')} {finding}")
    if len(findings) > len(shown):
        print(f"{paint('finding:', 'bad')} and {len(findings) - len(shown)} more")


def parse_number(kernel, text, what):
    """An unsigned number of 64 bits from any expression gdb understands; for an array, its address."""
    try:
        number = int(text, 0)
    except ValueError:
        number = None
    if number is not None:
        if not -1 << 63 <= number < 1 << 64:
            raise CommandError(f"{what} {text} has more than 64 bits")
        return number & (1 << 64) - 1
    try:
        return evaluate(kernel, gdb.parse_and_eval(text), text)
    except gdb.error as error:
        raise CommandError(f"{what} {text}: {error}") from error


def evaluate(kernel, value, text):
    """A scalar gdb.Value as an unsigned number.

    A variable's contents come through our memory layer: gdb's own view fails while the hart is in user mode, and
    without a target it is the ELF file, not the machine.
    """
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_ARRAY or kind.code == gdb.TYPE_CODE_FUNC:
        return int(value.address)
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        raise CommandError(f"{text} is a {kind}; its address is &{text}")
    if _is_member_of_variable(kernel, value, text):
        return int.from_bytes(bytes(kernel.read_va(int(value.address), kind.sizeof)), "little")
    if gdb.selected_inferior().pid == 0 and _VARIABLE_USE.search(text):
        raise CommandError(f"{text}: without a target, gdb can compute with addresses (&x) and read variables, no more")
    return int(value) & (1 << 64) - 1


def _is_member_of_variable(kernel, value, text):
    """Whether the value lies inside the variable that the expression names, without a pointer on the way."""
    match = _MEMBER.fullmatch(text)
    if not match or value.address is None:
        return False
    try:
        va, kind = kernel.layout.symbol(match.group(1))
    except LayoutError:
        return False
    return va <= int(value.address) < va + kind.size


def parse_count(text, what):
    try:
        count = int(text, 0)
    except ValueError as error:
        raise CommandError(f"{text} is no {what}") from error
    if count < 0:
        raise CommandError(f"{text} is no {what}")
    return count


def parse_pid(text):
    pid = parse_count(text, "pid")
    if pid >= 1 << 16:
        raise CommandError(f"{text} is no pid")
    return pid


def selected_hart(kernel):
    """The kernel's index of the hart whose thread is selected in gdb; 0 without a live target."""
    thread = gdb.selected_thread()
    if thread is None:
        return 0
    return next((i for i, hart in enumerate(kernel.harts()) if hart["hart_id"] == thread.num - 1), 0)


def default_pid(kernel):
    """The process that runs on the selected hart; 1 where none does."""
    try:
        task = current_task(kernel, selected_hart(kernel))
        return task["pid"] if task["mm"] else 1
    except (ReadError, CommandError):
        return 1


def expect(arguments, low, high, usage):
    if not low <= len(arguments) <= high:
        raise CommandError(f"usage: {usage}")


def print_stack(kernel, frames, indent):
    if not frames:
        print(f"{indent}(no stack recorded)")
    for i, frame in enumerate(frames[:limit("frames")]):
        print(f"{indent}#{i:<2} {kernel.describe_frame(frame)}")
