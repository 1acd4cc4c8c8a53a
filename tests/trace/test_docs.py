"""What is generated in docs/ is what the program generates now, and help exists for every command."""
import re
import subprocess

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
        assert "Exit status: 0 nothing lost" in result.out and result.out == pagetrail("help", command).out


def test_unknown_command_and_missing_operands(pagetrail):
    assert pagetrail("nonsense").status == 2
    assert pagetrail("leaks").status == 2 and pagetrail("page", "x").status == 2
