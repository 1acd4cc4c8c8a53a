# SPDX-License-Identifier: MIT
"""What the documents tell a reader to type: the CI snippets are run, step by step, and no command or option is one that is not there."""
import os
import re
import subprocess

import pytest
import yaml
from harness import paths
from harness.tool import LEAKED, OK
from watching import QEMU, kernels, shell_words

TEAMS = (paths.ROOT / "docs/TEAMS.md").read_text()
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", TEAMS, re.M | re.S)]


def github_steps(snippet):
    """(shell text, runs also after a failure) of each `run`."""
    job, = snippet["jobs"].values()
    return [(step["run"], step.get("if") == "always()") for step in job["steps"] if "run" in step]


def gitlab_steps(snippet):
    job, = snippet.values()
    return [*((line, False) for line in [*job["before_script"], *job["script"]]), *((line, True) for line in job["after_script"])]


def run_steps(steps, tree):
    """Runs what is not about installing; the status of the step that watches."""
    status = OK
    (tree / "Makefile").write_text(f"qemu:\n\t@{shell_words([QEMU, *kernels.qemu_command('small-prompt', 1)[1:]])}\n")
    env = {**os.environ, "PATH": f"{paths.PAGETRAIL.parent}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(tree / "summary.md")}
    for text, always in steps:
        if re.match(r"apt-get|git clone|export PATH|echo /opt", text) or (status != OK and not always):
            continue
        text = text.replace("'usertests -q'", "'usertests copy'").replace("ALL TESTS PASSED|FAILED", "test copy: OK")
        done = subprocess.run(["bash", "-ec", text], cwd=tree, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)
        assert "pagetrail" in text and (done.returncode == OK or not always), done.stdout
        status = status or done.returncode
    return status


def test_github_actions(tmp_path):
    status = run_steps(github_steps(SNIPPETS[0]), tmp_path)
    assert status == OK
    assert '"version": "2.1.0"' in (tmp_path / "leaks.sarif").read_text() and "no leaks" in (tmp_path / "summary.md").read_text()
    job, = SNIPPETS[0]["jobs"].values()
    uploaded = [step["with"] for step in job["steps"] if "upload" in step.get("uses", "")]
    assert all((tmp_path / name).is_file() for with_ in uploaded for key, name in with_.items() if key in ("sarif_file", "path"))


def test_gitlab(tmp_path):
    assert run_steps(gitlab_steps(SNIPPETS[1]), tmp_path) == OK
    job, = SNIPPETS[1].values()
    assert (tmp_path / job["artifacts"]["reports"]["junit"]).read_text().startswith("<?xml")
    assert all((tmp_path / name).is_file() for name in job["artifacts"]["paths"])


def test_a_step_that_leaks_fails_the_job(tmp_path):
    """The same steps with a kernel that leaks: the watching step has status 1, and the reports are written all the same."""
    steps = [(text.replace("make qemu", shell_words([QEMU, *kernels.qemu_command("small-plain-shrink_keeps", 1)[1:]])
                           ).replace("--type 'usertests -q' --until 'ALL TESTS PASSED|FAILED'", ""), always)
             for text, always in github_steps(SNIPPETS[0])]
    assert run_steps(steps, tmp_path) == LEAKED
    assert "uvmdealloc()" in (tmp_path / "leaks.sarif").read_text()
    assert (tmp_path / "report.html").is_file()


# ---- names of commands and options ----

def commands_in(text):
    """Each `pagetrail COMMAND ...` of a document, on one line."""
    text = re.sub(r"\\\n\s*", " ", text)
    return re.findall(r"(?:^|[\s`$/])pagetrail ((?:[a-z]+)(?: [^`\n|>#]*)?)", text, re.M)


@pytest.fixture(scope="module")
def options():
    """{command: its options}."""
    listed = subprocess.run([paths.PAGETRAIL, "help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {"help": {"--markdown", "--man", "--complete", "--completion"}}
    for command in re.findall(r"^  (\w+) +\S", listed, re.M):
        said = subprocess.run([paths.PAGETRAIL, command, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        found[command] = {"--help", *re.findall(r"^  (--[a-z-]+)", said, re.M)}
    return found


def wrong_words(line, options):
    """What in a command line is no command, or no option of it; words behind `--`, or behind watch's command, are another's."""
    command, *words = line.split()
    if command not in options:
        return [command] if words and words[0].startswith("--") else []
    known = {*options[command], "-o", "-h"}
    words = words[:words.index("--")] if "--" in words else words
    if command == "watch" and "make" in words:
        words = words[:words.index("make")]
    return [word for word in words if re.fullmatch(r"--[a-z-]+", word.split("=")[0]) and word.split("=")[0] not in known]


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in sorted((paths.ROOT / "docs").glob("*.md")))])
def test_commands_of_documents_are_there(document, options):
    text = (paths.ROOT / document).read_text()
    assert {line: wrong for line in commands_in(text) if (wrong := wrong_words(line, options))} == {}


def test_a_wrong_option_is_noticed(options):
    assert wrong_words("leaks RUN --sarrif", options) == ["--sarrif"] and wrong_words("leek --json", options) == ["leek"]
    assert wrong_words("watch --typ x make qemu --until y", options) == ["--typ"] and not wrong_words("leaks RUN --sarif", options)
    assert commands_in("    ../build/trace-tools/pagetrail leaks RUN --json   # words") == ["leaks RUN --json   "]
