# SPDX-License-Identifier: MIT
"""What is generated in docs/ is what the program generates now, and help exists for every command."""
import re
import struct
import subprocess

import examples
from harness import paths


def test_command_reference_is_current(pagetrail):
    assert (paths.ROOT / "docs/PAGETRAIL.md").read_text() == pagetrail("help", "--markdown").out, "run `make docs`"


def test_format_tables_are_current():
    tables = subprocess.run([paths.BUILD / "trace-tools/tables", "markdown"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout
    text = (paths.ROOT / "docs/TRACE-FORMAT.md").read_text()
    generated = re.search(r"<!-- generated[^\n]*-->\n(.*?)<!-- end", text, re.S).group(1)
    assert generated == tables, "run `make docs`"


def test_each_command_has_help(pagetrail):
    listed = re.findall(r"^  (\w+) +\S", pagetrail("help").out, re.M)
    sources = [path.read_text() for path in (paths.ROOT / "trace-tools/cmd").glob("*.c")]
    assert set(listed) == set(re.findall(r"^const struct command command_(\w+) =", "\n".join(sources), re.M))
    for command in listed:
        result = pagetrail(command, "--help")
        assert result.status == 0 and result.out.startswith(f"NAME\n  pagetrail {command}: ")
        assert re.search(r"[Tt]he (exit )?status is ", " ".join(result.out.split())), f"{command}: what does its status mean?"
        assert result.out == pagetrail("help", command).out


def test_unknown_command_and_missing_operands(pagetrail):
    assert pagetrail("nonsense").status == 2
    assert pagetrail("leaks").status == 2 and pagetrail("page", "x").status == 2


def test_examples_are_what_the_commands_say_now(tmp_path):
    folder = examples.unpacked(tmp_path)
    for document in examples.DOCUMENTS:
        text = (paths.ROOT / document).read_text()
        assert len(examples.BLOCK.findall(text)) >= 2
        assert examples.remade(document, folder) == text, f"{document}: run `make examples`"


def test_pictures_of_the_documents_are_there_and_are_drawn(tmp_path):
    """Drawn anew they are as large and say the same; other makes of the fonts may differ in single pixels."""
    folder = examples.unpacked(tmp_path)
    drawn = set()
    for document in examples.DOCUMENTS:
        text = (paths.ROOT / document).read_text()
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text):
            assert (paths.ROOT / document).parent.joinpath(name).is_file(), name
        drawn |= set(examples.PICTURE.findall(text))
    assert len({out for _, out in drawn}) == 4
    for command, out in drawn:
        words = [str(tmp_path / "picture") if word == out else word for word in command.split()]
        subprocess.run([paths.PAGETRAIL, *words], cwd=folder, check=True, timeout=120)
        old, new = (paths.ROOT / f"{out}.png").read_bytes(), (tmp_path / "picture.png").read_bytes()
        assert struct.unpack(">II", old[16:24]) == struct.unpack(">II", new[16:24])
        assert abs(len(old) - len(new)) < len(old) / 10, f"{out}.png: run `make examples`"


def test_links_between_documents_lead_somewhere():
    for document in [paths.ROOT / "README.md", *(paths.ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


OF_OTHER_KERNELS = {"YOUR-KERNEL.md", "KERNEL-DESCRIPTION.md", "XV6.md", "GDB.md"}  # they name files of an xv6


def test_sources_that_documents_name_are_there():
    """Also those in the stacks of the examples: a reader opens them. Where they are gone, the runs are to be recorded again."""
    found = set()
    for document in [paths.ROOT / "README.md", *(paths.ROOT / "docs").glob("*.md")]:
        if document.name not in OF_OTHER_KERNELS:
            named = set(re.findall(r"(?<![\w/.-])((?:kernel|user|tests|trace-tools)/[\w/.-]+\.[chS])\b", document.read_text()))
            assert not [name for name in named if not (paths.ROOT / name).exists()], document.name
            found |= named
    assert "kernel/cache/pagecache.c" in found
