# SPDX-License-Identifier: MIT
"""Completion, asked for as bash asks; man pages, judged by mandoc and groff; what `make install` puts where."""
import re
import subprocess

import pagetrail_tables as tables
import pytest
import tracegen
from harness import paths


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("usr")
    done = subprocess.run(["make", "-s", "-C", paths.ROOT, "SETUP=no", f"BUILD={paths.BUILD_NAME}", f"PREFIX={prefix}",
                           "install"], env=paths.make_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return prefix


@pytest.fixture(scope="module")
def commands(pagetrail):
    return re.findall(r"^  ([a-z]\w+) +\S", pagetrail("help").out, re.M)


@pytest.fixture
def complete(installed, tmp_path):
    """What bash offers for the last word of a line; the words stand in a folder with other names in it."""
    def complete(*words):
        script = (f"source {installed}/share/bash-completion/completions/pagetrail; cd {tmp_path}\n"
                  "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _pagetrail \"$1\"; printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", script, "bash", installed / "bin/pagetrail", *words], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert not done.stderr, done.stderr
        return done.stdout.split()
    return complete


def test_commands_and_options(complete, commands, pagetrail):
    assert sorted(complete("")) == sorted([*commands, "help"])
    assert complete("lea") == ["leaks"] and complete("help", "lea") == ["leaks"]
    assert complete("nonsense", "--") == []
    for command in commands:
        told = set(re.findall(r"^  (--[a-z-]+)", pagetrail(command, "--help").out, re.M))
        assert set(complete(command, "--")) == told | {"--help"}, command
    assert complete("leaks", "--base") == ["--baseline"]


def test_words_to_choose_from(complete):
    assert complete("stacks", "--by", "") == ["live", "peak", "total", "churn"]
    assert complete("run", "--disk-mode", "v") == ["virtio"]
    assert "page_alloc" in complete("dump", "--event", "page_") and "sample" not in complete("dump", "--event", "page_")
    assert complete("run", "--", "user") == []


def test_folders_files_and_what_stands_in_a_run(complete, write, tmp_path):
    machine = tracegen.Machine()
    for name in ("first", "second", "first"):
        machine.mark(name)
        machine.mark(name, end=True)
    write(machine, "a-run")
    (tmp_path / "a-file").write_text("")
    assert complete("leaks", "a") == ["a-run"]
    assert complete("leaks", "--baseline", "a") == ["a-run"]
    assert sorted(complete("record", "a")) == ["a-file", "a-run"]
    assert complete("record", "a-file", "a") == ["a-run"]
    assert complete("leaks", "a-run", "--test", "f") == ["first"]
    assert complete("leaks", "a-run", "--between", "first", "s") == ["second"]
    assert complete("leaks", "--between", "first", "second", "a") == ["a-run"]
    assert complete("live", "a-run", "--at", "") == ["first", "second"]
    assert complete("leaks", "a-run", "--kind", "pagec") == ["pagecache"]


def test_man_pages(installed, commands):
    pages = installed / "share/man/man1"
    assert {p.name for p in pages.iterdir()} == {"pagetrail.1", *(f"pagetrail-{c}.1" for c in commands)}
    format_page = installed / "share/man/man5/pagetrail-trace.5"
    for name in tables.EVENTS:
        assert f"\n.B {name}\n" in format_page.read_text()
    for page in [*sorted(pages.iterdir()), format_page]:
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout
        # without a date the pages of one source are the same bytes whenever they are made
        assert not [line for line in lint.splitlines() if "missing date" not in line], lint
        groff = subprocess.run(["groff", "-ww", "-b", "-man", "-Tutf8", page], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
        assert groff.returncode == 0 and not groff.stderr, f"{page.name}: {groff.stderr}"


def test_a_man_page_says_what_help_says(installed, pagetrail, commands):
    for command in commands:
        page = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=400", installed / f"share/man/man1/pagetrail-{command}.1"],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
        said = " ".join(re.sub(r".\x08", "", page).replace("‐", "-").split())
        told = pagetrail(command, "--help").out
        for option, text in re.findall(r"^  (--[a-z-]+)[^\n]*?  (\S[^\n]*)$", told.split("\nOPTIONS\n")[-1], re.M):
            assert option in said and text.replace("`", "") in said, (command, option)
        for line in told.split("\n\n")[2].splitlines():
            assert " ".join(line.replace("`", "").split()) in said, (command, line)


def test_the_installed_program_finds_its_plots(installed, write):
    run = write(tracegen.Machine())
    done = subprocess.run([installed / "bin/pagetrail", "plot", run], stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_plugin_is_installed(installed):
    """`watch` looks for it beside pagetrail and in ../lib/pagetrail."""
    plugin = installed / "lib/pagetrail/pagetrail-plugin.so"
    assert plugin.read_bytes()[:4] == b"\x7fELF", "pagetrail watch cannot work after make install"
