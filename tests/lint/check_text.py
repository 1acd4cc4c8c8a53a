#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the text of every file that is or would be tracked.

  paths     no path of somebody's machine (this checkout's, or below /home or /root)
  marks     no note of unfinished work: that belongs in docs/STATUS.md
  blanks    no trailing blanks, no missing newline at the end
  licence   the first line of a source, or the one after #!, is its SPDX line
  format    clang-format has nothing to change (C sources and headers). Versions differ in what they make of the same
            settings, so one is asked: FORMAT_VERSION. Where another one is installed, or none, a note says that the
            format was not checked.
  sizes     a report, never a failure: files of more than 600 lines

Usage: check_text.py [ROOT]             exit status 1 if something was found
       check_text.py --rewrite [ROOT]   lets clang-format rewrite the sources; status 2 if it is another version
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

LONG_FILE_LINES = 600
FORMAT_VERSION = 14  # Debian 12's
TEXT_SUFFIXES = {".c", ".h", ".S", ".ld", ".def", ".py", ".sh", ".mk", ".md", ".json", ".toml", ".ini", ".txt", ".js", ".css", ""}
LICENCE = re.compile(r"(#!.*\n)?(# SPDX-License-Identifier: MIT\n|/\* SPDX-License-Identifier: MIT( \*/)?\n)")
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def tracked_files(root):
    """Files that git tracks or would track, as paths relative to root; without git, all but build output."""
    try:
        top = subprocess.run(["git", "-C", root, "rev-parse", "--show-toplevel"], check=True,
                             capture_output=True).stdout.decode().strip()
        if Path(top) != root.resolve():
            raise OSError("inside another tree, which may ignore it")
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                             capture_output=True).stdout.decode()
        names = [n for n in out.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(root)) for p in root.rglob("*")
                 if not {".git", "build", "runs"} & set(p.relative_to(root).parts)]
    return sorted({Path(n) for n in names if (root / n).is_file()})


def machine_paths(root):
    """A pattern for paths that exist on one machine only: this checkout's folder, and people's homes."""
    here = [re.escape(str(p)) + "/" for p in (root.resolve(), *root.resolve().parents) if len(p.parts) > 1
            and p.name not in ("usr", "opt", "srv", "tmp", "var")]
    homes = [f"/{name}/" for name in ("home", "root", "Users")]
    return re.compile(r"(?<![\w.])(?:" + "|".join(here + homes) + ")")


def check_lines(path, text, patterns):
    """Yields violations of one file's text."""
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in patterns:
            match = pattern.search(line)
            if match:
                yield f"{path}:{number}: {what}: {match.group(0)}"
        if line != line.rstrip() and path.suffix not in (".md", ".patch"):
            yield f"{path}:{number}: trailing blanks"
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"


def wants_licence(path, text):
    """Whether a file is a source: C, assembler, Python, shell, make, the report's scripts and style."""
    return (path.suffix in {".c", ".h", ".S", ".ld", ".def", ".py", ".sh", ".mk", ".js", ".css"} or path.name == "Makefile"
            or (not path.suffix and text.startswith("#!")))


def check_licence(path, text):
    if wants_licence(path, text) and not LICENCE.match(text):
        yield f"{path}:1: no SPDX-License-Identifier: MIT"


def formatter():
    """(the command of clang-format in its version FORMAT_VERSION, ""), or (None, why there is none)."""
    installed = []
    for command in (f"clang-format-{FORMAT_VERSION}", "clang-format"):
        if not shutil.which(command):
            continue
        text = subprocess.run([command, "--version"], capture_output=True, text=True).stdout
        version = re.search(r"version (\d+)", text)
        if version and int(version.group(1)) == FORMAT_VERSION:
            return command, ""
        installed.append(version.group(1) if version else "unknown")
    return None, f"clang-format {FORMAT_VERSION} is asked, " + (
        f"installed is {' and '.join(installed)}" if installed else "none is installed")


def c_sources(files):
    return [str(f) for f in files if f.suffix in (".c", ".h")]


def check_format(root, files, command):
    """Yields what clang-format would change, one line a file."""
    sources = c_sources(files)
    if not sources:
        return
    out = subprocess.run([command, "--dry-run", *sources], cwd=root, capture_output=True, text=True).stderr
    seen = {}
    for line in out.splitlines():
        match = re.match(r"(.+?):(\d+):\d+: warning: ", line)
        if match:
            seen.setdefault(match.group(1), match.group(2))
    for name, line in seen.items():
        yield f"{name}:{line}: clang-format would change this file"


def rewrite(root):
    command, why = formatter()
    if not command:
        print(f"format: nothing rewritten: {why}", file=sys.stderr)
        return 2
    return subprocess.run([command, "-i", *c_sources(tracked_files(root))], cwd=root).returncode


def check(root):
    files = tracked_files(root)
    patterns = [(machine_paths(root), "path of one machine"), (MARKS, "unfinished work")]
    errors, long_files = [], []
    for path in files:
        if path.suffix not in TEXT_SUFFIXES:
            continue
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            continue
        errors += check_lines(path, text, patterns)
        errors += check_licence(path, text)
        lines = text.count("\n")
        if lines > LONG_FILE_LINES and path.suffix in (".c", ".h", ".S", ".py", ".js", ".css"):
            long_files.append((lines, path))
    command, why = formatter()
    if command:
        errors += check_format(root, files, command)
    else:
        print(f"note: the format of the C sources was not checked: {why}")
    for error in errors:
        print(error)
    for lines, path in sorted(long_files, reverse=True)[:8]:
        print(f"note: {path} has {lines} lines")
    if not errors:
        print(f"text: {len(files)} files")
    return 1 if errors else 0


def main():
    words = sys.argv[1:]
    rewriting = words[:1] == ["--rewrite"]
    root = Path((words[rewriting:] or ["."])[0])
    return rewrite(root) if rewriting else check(root)


if __name__ == "__main__":
    sys.exit(main())
