#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""forms.py schema|markdown: makes docs/pagetrail.schema.json or docs/JSON.md from forms.txt, which says what the lines mean."""
import json
import os
import re
import sys

SIMPLE = {"bool": "boolean", "int": "integer", "real": "number", "text": "string"}
HEAD = """# What `--json` says

<!-- Generated from trace-tools/json/forms.txt by `make docs`. Do not edit. -->

Every command of `pagetrail` that answers has `--json`: one object on standard output. All of them have

| Member | | |
| --- | --- | --- |
| `command` | text | the command's name |
| `version` | int | of these forms, 2: it grows when a member goes or changes its meaning; members may be added without |
| `verdict` | text | the answer in short; it goes with the exit status |

[pagetrail.schema.json](pagetrail.schema.json) is the same as a JSON Schema. A bar separates words of which a member is one, `?`
behind a type means that it may be null, `[x]` is an array, `{x}` an object with any names; a member in parentheses may be missing.
"""


class Form:
    def __init__(self, kind, name, words):
        self.kind, self.name, self.words, self.members = kind, name, words, []


def read(path):
    """[Form], each with members (name, optional, type, words)."""
    forms, by_name = [], {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            head = re.match(r"(form|part) (\S+)\s+(.*)", line)
            member = re.match(r"  (\w+)(\??) (\S.*?)  (.*)", line)
            same = re.match(r"  = (\w+)", line)
            if head:
                forms.append(Form(*head.groups()))
                by_name[forms[-1].name] = forms[-1]
            elif same:
                forms[-1].members += by_name[same.group(1)].members
            elif member:
                name, optional, kind, words = member.groups()
                forms[-1].members.append((name, bool(optional), kind, words))
            elif line.strip() and not line.startswith("#"):
                raise SystemExit(f"{path}: what is this? {line!r}")
    return forms


def schema_of(kind):
    if kind.endswith("?"):
        return {"anyOf": [schema_of(kind[:-1]), {"type": "null"}]}
    if kind[0] == "[":
        return {"type": "array", "items": schema_of(kind[1:-1])}
    if kind[0] == "{":
        return {"type": "object", "additionalProperties": schema_of(kind[1:-1])}
    if kind == "int|text":
        return {"type": ["integer", "string"]}
    if "|" in kind:
        return {"enum": kind.split("|")}
    return {"type": SIMPLE[kind]} if kind in SIMPLE else {"$ref": f"#/$defs/{kind}"}


def object_of(form):
    members = {}
    if form.kind == "form":
        members = {"command": {"const": form.name}, "version": {"const": 2}, "verdict": {"enum": form.words.split("|")}}
    required = [*members] + [name for name, optional, _, _ in form.members if not optional]
    for name, _, kind, words in form.members:
        members[name] = {**schema_of(kind), "description": words}
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def schema(forms):
    definitions = {("command_" if f.kind == "form" else "") + f.name: object_of(f) for f in forms}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "pagetrail COMMAND --json",
                       "oneOf": [{"$ref": f"#/$defs/command_{f.name}"} for f in forms if f.kind == "form"],
                       "$defs": definitions}, indent=1) + "\n"


def linked(kind, parts):
    """The type as Markdown, with links to the parts it names."""
    return re.sub(r"\w+", lambda m: f"[{m.group(0)}](#{m.group(0)})" if m.group(0) in parts else m.group(0),
                  kind.replace("|", " \\| "))


def table(form, parts):
    lines = ["", "| Member | | |", "| --- | --- | --- |"]
    for name, optional, kind, words in form.members:
        lines.append(f"| {f'(`{name}`)' if optional else f'`{name}`'} | {linked(kind, parts)} | {words} |")
    return "\n".join(lines) + "\n"


def markdown(forms):
    parts = {f.name for f in forms if f.kind == "part"}
    text = HEAD
    for form in forms:
        if form.kind == "form":
            verdicts = ", ".join(f"`{v}`" for v in form.words.split("|"))
            text += f"\n## `pagetrail {form.name}`\n\nVerdict: {verdicts}.\n" + table(form, parts)
    text += "\n# Parts\n"
    for form in forms:
        if form.kind == "part":
            text += f"\n## {form.name}\n\n{form.words}\n" + table(form, parts)
    return text


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("schema", "markdown"):
        raise SystemExit(__doc__)
    forms = read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "forms.txt"))
    sys.stdout.write(schema(forms) if sys.argv[1] == "schema" else markdown(forms))


if __name__ == "__main__":
    main()
