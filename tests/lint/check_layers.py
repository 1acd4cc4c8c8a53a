#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every #include of the kernel against kernel/LAYERS, and of the host tools against trace-tools/LAYERS.

Rules of the kernel, each of which has its own message:
  1. A source file of folder F includes only public headers owned by F or by a folder listed above F.
  2. A public header includes only public headers of its own or of a higher-listed folder.
  3. A quoted include names a file of the same folder: nobody reaches into another folder's internals.
  4. Headers shared with user space (uapi) include uapi headers and the tables (*.def) and nothing else.
  5. Every public header is owned by exactly one folder, and every folder with sources is listed.

Rules of the host tools, which have no public headers apart from their sources:
  6. A quoted include is "x.h" of the same room, or "room/x.h" of a room listed above.
  7. A header named *_priv.h is included in its own room only.
  8. Every room with sources is listed, and every listed room has sources.

Usage: check_layers.py [KERNEL_FOLDER [TOOLS_FOLDER]]. Prints one line a violation; exit status 1 if there is one.
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+(<([^>]+)>|"([^"]+)")', re.M)
# What the compiler itself provides; depends on nothing.
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "stdalign.h", "limits.h"}


def read_layers(path):
    """Returns ({folder: height}, {header: folder}, [violations]) from the LAYERS file."""
    height, owner, errors = {}, {}, []
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        folder, headers = words[0], words[1:]
        height[folder] = len(height)
        for header in headers:
            if header in owner:
                errors.append(f"{path}: {header} is owned by {owner[header]} and by {folder}")
            owner[header] = folder
    return height, owner, errors


def host_only_lines(text):
    """Text with the branches for the host tests blanked: they include stand-ins, not layers."""
    return re.sub(r"#ifdef PAGETRAIL_HOST\n.*?\n#(else|endif)", r"#\1", text, flags=re.S)


def includes_of(path):
    """Yields (line number, name, quoted) for each include of a file."""
    text = host_only_lines(path.read_text())
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield line, match.group(2) or match.group(3), match.group(3) is not None


def check_kernel_include(folder, name, height, owner):
    """Returns what is wrong with folder including <kernel/name>, or None."""
    if name not in owner:
        return f"<kernel/{name}> is owned by no folder in LAYERS"
    if height[owner[name]] > height[folder]:
        return f"{folder} includes <kernel/{name}> of {owner[name]}, which is above it"
    return None


def check_file(path, folder, height, owner):
    """Yields (line, violation) for a source or public header that belongs to folder."""
    for line, name, quoted in includes_of(path):
        if quoted:
            if "/" in name or not (path.parent / name).exists():
                yield line, f'"{name}" is not a file of {path.parent.name}/'
        elif name.startswith("kernel/"):
            wrong = check_kernel_include(folder, name[len("kernel/"):], height, owner)
            if wrong:
                yield line, wrong
        elif not name.startswith("uapi/") and name not in FREESTANDING:
            yield line, f"<{name}> is neither the kernel's nor the compiler's"


def check_uapi(path):
    """Yields (line, violation) for a header shared with user space."""
    for line, name, quoted in includes_of(path):
        shared = name.startswith("uapi/") or (name.startswith("kernel/") and name.endswith(".def"))
        if quoted or not (shared or name in FREESTANDING):
            yield line, f"{name}: user space cannot include that"


def check_tree(kernel):
    """Returns the list of violations below the kernel folder, as text, and the number of files read."""
    height, owner, errors = read_layers(kernel / "LAYERS")
    files = 0
    for path in sorted(kernel.glob("*/*.[chS]")):
        files += 1
        folder = path.parent.name
        if folder not in height:
            errors.append(f"{path}: folder {folder} is not listed in LAYERS")
            continue
        errors += [f"{path}:{line}: {what}" for line, what in check_file(path, folder, height, owner)]
    for path in sorted((kernel / "include/kernel").iterdir()):
        files += 1
        if path.name not in owner:
            errors.append(f"{path}: owned by no folder in LAYERS")
            continue
        errors += [f"{path}:{line}: {what}" for line, what in check_file(path, owner[path.name], height, owner)]
    for path in sorted((kernel / "include/uapi").iterdir()):
        files += 1
        errors += [f"{path}:{line}: {what}" for line, what in check_uapi(path)]
    return errors, files


# Shares no header with the tools: it is loaded into another program (trace-tools/plugin).
APART = {"plugin"}


def check_tool_include(path, room, name, rooms):
    """Returns what is wrong with a file of `room` including "name", or None."""
    if "/" not in name:
        return None if (path.parent / name).exists() else f'"{name}" is not a file of {room}/'
    other, header = name.split("/", 1)
    if other == room:
        return f'"{name}" is a file of the same room: "{header}"'
    if other not in rooms:
        return f'"{name}": no such room in LAYERS'
    if rooms.index(other) > rooms.index(room):
        return f'{room} includes "{name}", of a room above it'
    if header.endswith("_priv.h"):
        return f'"{name}" is private to {other}'
    return None if (path.parent.parent / name).exists() else f'"{name}" is not there'


def check_tools(tools):
    """Returns the list of violations below the folder of the host tools, as text, and the number of files read."""
    rooms = [words[0] for line in (tools / "LAYERS").read_text().splitlines() if (words := line.split("#")[0].split())]
    errors, used = [], set()
    sources = [path for path in sorted(tools.glob("*/*.[ch]")) if path.parent.name not in APART]
    for path in sources:
        room = path.parent.name
        used.add(room)
        if room not in rooms:
            errors.append(f"{path}: room {room} is not listed in LAYERS")
            continue
        for line, name, quoted in includes_of(path):
            wrong = quoted and check_tool_include(path, room, name, rooms)
            if wrong:
                errors.append(f"{path}:{line}: {wrong}")
    errors += [f"{tools}/LAYERS: room {room} has no sources" for room in rooms if room not in used]
    return errors, len(sources)


def main():
    kernel = Path(sys.argv[1] if len(sys.argv) > 1 else "kernel")
    tools = Path(sys.argv[2] if len(sys.argv) > 2 else "trace-tools")
    errors, files = check_tree(kernel)
    tool_errors, tool_files = check_tools(tools)
    errors, files = errors + tool_errors, files + tool_files
    for error in errors:
        print(error)
    if not errors:
        print(f"layers: {files} files, no upward include")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
