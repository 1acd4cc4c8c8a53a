# SPDX-License-Identifier: MIT
"""The foreign kernels: which there are, how they are started, and what they say of themselves.

A kernel is built as build/foreign/NAME.elf. The tables `variants` and `mistakes` say which, and foreign.mk builds them
from the same tables. A mistake's kernel prints a line at each of its misdeeds,

    truth: leak 0x80fa3000 cow_fault

so a run's console is all that a test needs to know what must be found from outside.
"""
import re
import subprocess
from collections import namedtuple
from pathlib import Path

from harness import paths

FOLDER = Path(__file__).resolve().parent
MEMORY = "128M"

Variant = namedtuple("Variant", "name folder flags")
Mistake = namedtuple("Mistake", "name variant mistake what lost function named title")
Truth = namedtuple("Truth", "what address function")


def _rows(table):
    for line in (FOLDER / table).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def variants():
    """All kernels without a mistake."""
    return [Variant(words[0], words[1], words[2:]) for words in _rows("variants")]


def mistakes():
    """All kernels with one; .name is the kernel's."""
    found = []
    for variant, name, what, lost, function, named, *title in _rows("mistakes"):
        named = function if named == "=" else named
        found.append(Mistake(f"{variant}-{name}", variant, name, what, lost, function, named, " ".join(title)))
    return found


def options(variant):
    """{option: value} of a variant's -D flags."""
    return dict(flag[2:].split("=") for flag in variant.flags if flag.startswith("-D"))


def description(name, folder):
    """Words for commands that take a kernel description: none where it is found, else a file in the folder."""
    variant = next(variant for variant in variants() if name == variant.name or name.startswith(variant.name + "-"))
    if variant.folder == "small":
        return []
    text = (FOLDER / "higher/higher.kd").read_text()
    path = Path(folder) / "higher.kd"
    path.write_text(text.replace("pte ", f"pte levels={options(variant).get('LEVELS', 3)} "))
    return ["--kernel-description", path]


def elf(name):
    path = paths.BUILD / "foreign" / f"{name}.elf"
    assert path.exists(), f"{path} is not built: make foreign"
    return path


def qemu_command(name, smp):
    """QEMU's words for a kernel: the console on stdin and stdout, and nothing else."""
    firmware = ["-bios", "none"] if name.startswith("small") else []
    return [paths.QEMU, "-machine", "virt", *firmware, "-kernel", str(elf(name)), "-m", MEMORY, "-smp", str(smp),
            "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]


class Console:
    """What a run printed, and QEMU's exit status."""

    def __init__(self, text, status=None):
        self.text, self.status = text.replace("\r", ""), status

    def tests(self):
        """{name: passed} of the kernel's own tests."""
        return {name: verdict == "OK"
                for name, verdict in re.findall(r"^test (\w+): .*?\b(OK|FAILED)$", self.text, re.M | re.S)}

    def free_pages(self):
        """Before and after its tests."""
        found = re.search(r"^free pages: (\d+) before, (\d+) after$", self.text, re.M)
        assert found, "the kernel did not count its pages:\n" + self.text[-2000:]
        return int(found.group(1)), int(found.group(2))

    def truths(self, during_tests=False):
        """What its mistake did, in order; during_tests: between the two counts of free pages."""
        text = self.text
        if during_tests:
            text = text[text.index("test "):text.index("free pages:")]
        return [Truth(what, int(address, 16), function)
                for what, address, function in re.findall(r"truth: (\w+) 0x([0-9a-f]+) (\w+)$", text, re.M)]


def run(name, smp=1, typed="", limit=60):
    """Boots a kernel to its end; its Console. typed: once it asks, as its start empties the UART."""
    process = subprocess.Popen(["timeout", "--foreground", "-s", "KILL", str(limit), *qemu_command(name, smp)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    said = b""
    while typed and not said.endswith(b"$ "):
        more = process.stdout.read(1)
        assert more, f"{name} ended before it asked for a command:\n{said.decode(errors='replace')}"
        said += more
    rest, _ = process.communicate(typed.encode())
    return Console((said + rest).decode(errors="replace"), process.returncode)
