# SPDX-License-Identifier: MIT
"""The checks must be able to fail: each is run on a small tree that breaks its rule."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BAD_FORMAT = "/* SPDX-License-Identifier: MIT */\nint  a;\n"
sys.path.insert(0, str(HERE))

import check_text  # noqa: E402 (the path above)


def run(script, *args, **options):
    """Exit status and output of one of the check scripts."""
    done = subprocess.run([sys.executable, HERE / script, *args], capture_output=True, text=True, **options)
    return done.returncode, done.stdout


@pytest.fixture
def kernel(tmp_path):
    """A kernel folder of two layers that breaks no rule."""
    (tmp_path / "include/kernel").mkdir(parents=True)
    (tmp_path / "include/uapi").mkdir()
    (tmp_path / "low").mkdir()
    (tmp_path / "high").mkdir()
    (tmp_path / "LAYERS").write_text("# comment\nlow  low.h\nhigh high.h\n")
    (tmp_path / "include/kernel/low.h").write_text("#include <stdint.h>\n")
    (tmp_path / "include/kernel/high.h").write_text("#include <kernel/low.h>\n")
    (tmp_path / "low/low.c").write_text('#include "low_priv.h"\n#include <kernel/low.h>\n')
    (tmp_path / "low/low_priv.h").write_text("")
    (tmp_path / "high/high.c").write_text("#include <kernel/low.h>\n")
    return tmp_path


def test_good_tree_passes(kernel):
    status, out = run("check_layers.py", kernel)
    assert (status, out.count("\n")) == (0, 1)


@pytest.mark.parametrize("where, text, message", [
    ("low/low.c", "#include <kernel/high.h>\n", "low includes <kernel/high.h> of high, which is above it"),
    ("low/low_priv.h", "#include <kernel/high.h>\n", "which is above it"),
    ("include/kernel/low.h", "#include <kernel/high.h>\n", "which is above it"),
    ("high/high.c", '#include "../low/low_priv.h"\n', "is not a file of high/"),
    ("high/high.c", "#include <stdio.h>\n", "neither the kernel's nor the compiler's"),
    ("include/kernel/extra.h", "", "owned by no folder"),
    ("stray/stray.c", "", "not listed in LAYERS"),
    ("include/uapi/shared.h", "#include <kernel/low.h>\n", "user space cannot include that"),
])
def test_broken_rule_is_found(kernel, where, text, message):
    (kernel / where).parent.mkdir(exist_ok=True)
    (kernel / where).write_text(text)
    status, out = run("check_layers.py", kernel)
    assert status == 1 and message in out and where in out


@pytest.fixture
def tools(tmp_path):
    """Host tools of two rooms that break no rule."""
    folder = tmp_path / "tools"
    for room in ("low", "high"):
        (folder / room).mkdir(parents=True)
        (folder / room / f"{room}.h").write_text("#include <stdint.h>\n")
    (folder / "LAYERS").write_text("# comment\nlow   what is low\nhigh  what is high\n")
    (folder / "low/low_priv.h").write_text('#include "low.h"\n')
    (folder / "low/low.c").write_text('#include "low_priv.h"\n')
    (folder / "high/high.c").write_text('#include "high.h"\n#include "low/low.h"\n')
    return folder


def test_good_rooms_pass(kernel, tools):
    status, out = run("check_layers.py", kernel, tools)
    assert (status, out.count("\n")) == (0, 1)


@pytest.mark.parametrize("where, text, message", [
    ("low/low.c", '#include "high/high.h"\n', "of a room above it"),
    ("low/low.c", '#include "low/low.h"\n', "is a file of the same room"),
    ("high/high.c", '#include "low/low_priv.h"\n', "is private to low"),
    ("high/high.c", '#include "../low/low.h"\n', "no such room"),
    ("high/high.c", '#include "low/other.h"\n', "is not there"),
    ("stray/stray.c", "", "not listed in LAYERS"),
    ("LAYERS", "low\nhigh\nempty\n", "room empty has no sources"),
])
def test_broken_room_is_found(kernel, tools, where, text, message):
    (tools / where).parent.mkdir(exist_ok=True)
    (tools / where).write_text(text)
    status, out = run("check_layers.py", kernel, tools)
    assert status == 1 and message in out


@pytest.mark.parametrize("name, text, message", [
    ("a.c", "int  a;\n", "clang-format would change"),
    ("a.md", "see /ho" "me/me/notes\n", "path of one machine"),
    ("a.py", "# TO" "DO: later\n", "unfinished work"),
    ("a.mk", "x = 1 \n", "trailing blanks"),
    ("a.h", "int a;", "no newline at the end"),
    ("a.c", "int a;\n", "no SPDX"),
    ("a", "#!/bin/sh\n:\n", "no SPDX"),
    ("Makefile", "a:\n", "no SPDX"),
])
def test_bad_text_is_found(tmp_path, name, text, message):
    if "clang-format" in message and not check_text.formatter()[0]:
        pytest.skip(check_text.formatter()[1])
    (tmp_path / name).write_text(text)
    status, out = run("check_text.py", tmp_path)
    assert status == 1 and message in out


@pytest.mark.parametrize("version, note", [
    ("19.1.7", f"clang-format {check_text.FORMAT_VERSION} is asked, installed is 19"),
    (None, f"clang-format {check_text.FORMAT_VERSION} is asked, none is installed"),
])
def test_format_left_unchecked_is_said(tmp_path, version, note):
    """Another version would format otherwise: it is neither believed nor passed over in silence, and rewrites nothing."""
    tree, commands = tmp_path / "tree", tmp_path / "commands"
    tree.mkdir()
    commands.mkdir()
    (tree / "a.c").write_text(BAD_FORMAT)
    if version:
        program = commands / "clang-format"
        program.write_text(f"#!/bin/sh\n[ \"$*\" = --version ] && echo 'clang-format version {version}' || : >{tree}/called\n")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": str(commands)}
    status, out = run("check_text.py", tree, env=environment)
    assert status == 0 and "format of the C sources was not checked" in out and note in out
    assert run("check_text.py", "--rewrite", tree, env=environment)[0] == 2
    assert (tree / "a.c").read_text() == BAD_FORMAT and not (tree / "called").exists()


def test_every_fault_can_be_made():
    """A change of the kernel that a patch of the catalogue breaks at, is told at once, not by `make faults`."""
    root = HERE.parents[1]
    for patch in sorted((root / "tests/faults").glob("*/fault.patch")):
        done = subprocess.run(["patch", "-p1", "--dry-run", "--batch", "--forward", "-d", root, "-i", patch], capture_output=True, text=True)
        assert done.returncode == 0, f"{patch.parent.name}\n{done.stdout}"


# ---- invariants ----

@pytest.fixture
def invariants(tmp_path):
    """A tree with one list of invariants, all verified."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "tests/host").mkdir(parents=True)
    (tmp_path / "kernel/thing.c").write_text(
        "/*\n * Things.\n *\n * THING-1  a thing is whole, or it is on the list\n *          of those that are not.\n"
        " * THING-2  no two things are the same.\n *\n * Lock: none.\n */\n")
    (tmp_path / "tests/host/test_thing.c").write_text("/* THING-1, THING-2 */\n")
    return tmp_path


def test_good_invariants_pass(invariants):
    assert run("check_invariants.py", invariants) == (0, "invariants: 2 in 1 lists, 0 without a test\n")


@pytest.mark.parametrize("old, new, message", [
    ("list\n *          of those that are not.\n * THING-2", "list of those that are not. THING-2",
     "THING-2 does not stand on a line of its own"),
    (" *          of those", " * of those", "THING-1: its text goes on in a line that is not indented under it"),
    ("THING-2  no", "THING-1  no", "THING-1 is defined in"),
    ("THING-2  no", "THING-3  no", "THING-3 is cited by no test and no checker"),
    ("THING-2  no", "THING-3  no", "THING-2 is cited and nowhere defined"),
])
def test_broken_list_of_invariants_is_found(invariants, old, new, message):
    head = invariants / "kernel/thing.c"
    assert old in head.read_text()
    head.write_text(head.read_text().replace(old, new))
    status, out = run("check_invariants.py", invariants)
    assert status == 1 and message in out


def test_list_of_unverified_invariants_only_shrinks(invariants):
    (invariants / "kernel/thing.c").write_text("/*\n * WAIT-1  of the list of those without a test.\n */\n")
    (invariants / "tests/host/test_thing.c").write_text("/* WAIT-1 */\n")
    status, out = run("check_invariants.py", invariants)
    assert status == 1 and "WAIT-1 is verified: take it off" in out


# ---- words ----

@pytest.mark.parametrize("where, text, message", [
    ("trace-tools/cmd/a.c", 'puts("NOTHING LOST: 3 events");\n', '"NOTHING LOST": say LEAKED'),
    ("trace-tools/cmd/a.c", 'printf("%" PRIu64 " entries " "settled");\n', '"settled": say released'),
    ("trace-tools/plots/a.py", 'title("pages lost")\n', '"pages lost": say leaked'),
    ("trace-tools/report/a.js", 'const words = `${nr} pages lost`; // settled\n', '"pages lost": say leaked'),
    ("trace-tools/help/a.txt", "The last quiet audit decides.\n", '"quiet audit": say quiescent'),
    ("gdb-scripts/a.py", 'print("nobody holds it")\n', '"nobody holds": say nothing holds'),
    ("docs/A.md", "The healthy lives of the function.\n", '"healthy lives": say others that were released'),
    ("tests/a.mk", "a: b ## programs and books\n", '"books": say accounting'),
    ("README.md", "The missing act is named.\n", '"missing act": say missing release'),
])
def test_word_of_our_own_is_found(tmp_path, where, text, message):
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text(text)
    status, out = run("check_words.py", tmp_path)
    assert status == 1 and f"{where}:1: {message}" in out


@pytest.mark.parametrize("where, text", [
    ("trace-tools/cmd/a.c", '/* the lost page */ int settled; /* "healthy lives" */\nputs("no leaks");\n'),
    ("trace-tools/report/a.js", "// the lost page\nconst settled = 1; /* books */\n"),
    ("docs/A.md", "text\n```\nNOTHING LOST\n```\n"),
    ("Makefile", "# settled\na: b # settled\n"),
    ("traces/expected/a.txt", "NOTHING LOST\n"),
])
def test_words_that_nobody_reads_are_free(tmp_path, where, text):
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text(text)
    assert run("check_words.py", tmp_path) == (0, "words: clean\n")


# ---- plurals ----

@pytest.mark.parametrize("where, text, line, what", [
    ("trace-tools/cmd/a.c", 'printf("%zu pages\\n", nr);\n', 1, "%zu pages"),
    ("trace-tools/cmd/a.c", '\nprintf("%" PRIu64\n       " more events", nr);\n', 2, '%" PRIu64 " more events'),
    ("trace-tools/report/a.c", 'fprintf(out, "%u of %u lines in %u files", a, b, c);\n', 1, "%u files"),
    ("gdb-scripts/a.py", 'print(f"{len(pages)} pages of {name}")\n', 1, "{len(pages)} pages")])
def test_a_fixed_plural_is_found(tmp_path, where, text, line, what):
    (tmp_path / where).parent.mkdir(parents=True)
    (tmp_path / where).write_text(text)
    assert run("check_plurals.py", tmp_path) == (1, f"{where}:{line}: a fixed plural behind a count: {what}\n")


@pytest.mark.parametrize("where, text", [
    ("trace-tools/cmd/a.c", 'printf("%zu page%s", nr, plural_s(nr)); printf("3 pages, %s pages of %u, %u of %u pages", a, b, c, d);\n'),
    ("gdb-scripts/a.py", """print(f"{plural(nr, 'page')} of {nr} byte")\n"""),
    ("trace-tools/plots/compare.py", 'title = f"{len(runs)} runs compared"\n')])
def test_a_plural_that_is_counted_is_free(tmp_path, where, text):
    (tmp_path / where).parent.mkdir(parents=True)
    (tmp_path / where).write_text(text)
    assert run("check_plurals.py", tmp_path) == (0, "plurals: clean\n")


ROOT = HERE.parent.parent
NAMED = re.compile(r'"(kernel/(?:\w+/)+(?:\w+\.[chS])?)"')


def missing_places(root, text):
    """Places of the kernel that the text of a tool names and the tree does not have."""
    return [place for place in NAMED.findall(text) if not (root / place).exists()]


def test_tools_name_places_of_the_kernel_that_are_there():
    """What the tools know of the kernel by the names of its files is forgotten in silence when a file moves."""
    assert missing_places(ROOT, 'a "kernel/mm/page.c", "kernel/trace/" and "kernel/mm/nothing.c"') == ["kernel/mm/nothing.c"]
    sources = [*ROOT.glob("trace-tools/*/*.[ch]"), *ROOT.glob("gdb-scripts/**/*.py")]
    assert len(sources) > 100
    assert {str(source): missing_places(ROOT, source.read_text()) for source in sources
            if missing_places(ROOT, source.read_text())} == {}
