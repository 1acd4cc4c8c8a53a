# SPDX-License-Identifier: MIT
"""Mutants: one mistake each, of the kinds that people make about releases.

    kind       the mistake, in `inode_put(dir);`
    delete     the call is not made
    eighth     every eighth call is not made: a path that is almost always right
    variable   another variable of the same type is released: inode_put(parent)
    refkind    page_put, page_get and the like: another kind of reference is named than the one that was taken
    early      every eighth time the function returns before the call, and before what follows it
    get        a call that takes a reference is made twice

A mutant's truth is the function whose text was changed, and the line of the call. Its id says which it is without line
numbers, so that it stays the same while lines move:

    exec_build.inode_put.2.delete      the second call of inode_put in exec_build, deleted

A changed text has as many lines as before: stacks and places of the rest are those of the kernel that was changed.
"""
import re
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = Path(__file__).with_name("functions.txt")
EVERY = 8
COUNT = f"static unsigned mutant_calls; if (__atomic_add_fetch(&mutant_calls, 1, 0) % {EVERY} == 0)"
KINDS = ("delete", "eighth", "variable", "refkind", "early", "get")
# The argument that names the kind of reference is the second of these; and the kind that is taken for another.
WITH_REF = ("page_put", "page_get", "inode_put_ref", "inode_get_ref", "file_put_ref", "file_get_ref")
REF_PLACE = 1
OTHER_REF = {"REF_IO": "REF_CACHE", "REF_FILE": "REF_CALL", "REF_CALL": "REF_FILE", "REF_CWD": "REF_CALL",
             "REF_FD": "REF_CALL", "REF_MOUNT": "REF_CALL", "REF_VMA": "REF_CALL"}
LOCK, UNLOCK = re.compile(r"(^|_)(lock|acquire|try)(_|$)"), re.compile(r"(^|_)(unlock|release)(_|$)")
ENOMEM = -12


@dataclass(frozen=True)
class Mutant:
    """One change. `call` is a csource.Call, `new` the text in place of it."""
    id: str
    kind: str
    file: str
    function: str
    callee: str
    line: int
    begin: int
    end: int
    new: str


def read_functions(path=FUNCTIONS):
    """{"release": set, "get": set, "not": set} of the list."""
    lists = {"release": set(), "get": set(), "not": set()}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            word, name = re.match(r"(\w+) ([\w>-]+)", line).groups()
            lists[word].add(name)
    return lists


def flat(text):
    """The text on one line: for a copy beside the original, which keeps the lines."""
    return re.sub(r"\s*\n\s*", " ", text)


def without(call):
    """The call's text without the call: its arguments are evaluated, and the value is 0. The callee counts as used."""
    parts = [f"(void)({flat(argument)})" for argument in call.arguments]
    if not call.callee.startswith("->"):
        parts.append(f"(void){call.callee}")
    if call.type != "void" and not call.statement:
        parts.append(f"({call.type})0")
    return "(" + ", ".join(parts or ["(void)0"]) + ")"


def _sometimes(call, text, instead):
    """`text`, but every eighth time `instead`."""
    if call.type == "void" or call.statement:
        return f"({{ {COUNT} {instead}; else {text}; }})"
    return f"({{ {call.type} mutant_result; {COUNT} mutant_result = {instead}; else mutant_result = {text}; " \
           "mutant_result; })"


def _with_argument(text, call, place, argument):
    """The call's text with another argument."""
    arguments = [*call.arguments[:place], argument, *call.arguments[place + 1:]]
    return text[:call.open - call.begin] + ", ".join(arguments) + ")"


def other_variable(function, call):
    """A variable that could be taken for the first argument: same type, in scope, its value set before. None: there is none."""
    if not call.arguments or not re.fullmatch(r"\w+", call.arguments[0]) or "*" not in call.argument_types[0]:
        return None
    for variable in function.variables:
        if variable.type == call.argument_types[0] and variable.name != call.arguments[0] \
                and variable.from_ <= call.begin < variable.until:
            return variable.name
    return None


def early_return(function, call):
    """The statement that leaves the function before the call, or None where it would say nothing new or hold a lock."""
    if not call.statement or call.returns_next:
        return None
    held = 0
    for other in function.calls:
        if other.begin < call.begin and LOCK.search(other.callee) and not UNLOCK.search(other.callee):
            held += 1
        elif other.begin < call.begin and UNLOCK.search(other.callee):
            held -= 1
    if held > 0:
        return None
    result = function.type.split("(")[0].strip()
    if result == "void":
        return "return"
    if result in ("int", "s64", "ssize_t"):
        return f"return {ENOMEM}"
    return "return 0" if result.endswith("*") or result == "bool" else None


def release_texts(function, call, text):
    """Yields (kind, new text) of one call of a release."""
    yield "delete", without(call)
    yield "eighth", _sometimes(call, text, without(call))
    other = other_variable(function, call)
    if other:
        # A variable that is NULL at the time would be no confusion but a crash.
        yield "variable", _with_argument(text, call, 0, f"({other} ? {other} : {call.arguments[0]})")
    leave = early_return(function, call)
    if leave:
        yield "early", f"({{ {COUNT} {leave}; {text}; }})"


def ref_text(call, text):
    """Yields the mutant that names another kind of reference."""
    if call.callee in WITH_REF and call.arguments[REF_PLACE].startswith("REF_"):
        yield "refkind", _with_argument(text, call, REF_PLACE, OTHER_REF.get(call.arguments[REF_PLACE], "REF_IO"))


def texts(function, call, text, lists):
    """Yields (kind, new text) of one call."""
    if call.callee in lists["release"]:
        yield from release_texts(function, call, text)
    elif call.callee in lists["get"]:
        yield "get", f"({{ {text}; {flat(text)}; }})"
    yield from ref_text(call, text)


def same_lines(new, old):
    """`new` with as many line ends as `old`."""
    return new + "\n" * (old.count("\n") - new.count("\n"))


def site_name(function, ordinal, call):
    return f"{function.name}.{call.callee.lstrip('->')}.{ordinal}"


def sites(sources, lists):
    """Yields (name, source, function, call) of every call that is looked at, in the order of the files."""
    seen = set()
    for source in sources.values():
        for function in source.functions.values():
            ordinals = {}
            for call in function.calls:
                if call.callee not in lists["release"] | lists["get"]:
                    continue
                ordinals[call.callee] = ordinals.get(call.callee, 0) + 1
                name = site_name(function, ordinals[call.callee], call)
                if name in seen:  # two static functions of one name
                    name = f"{Path(source.path).stem}-{name}"
                seen.add(name)
                yield name, source, function, call


def mutants_of_site(name, source, function, call, lists):
    """Yields the mutants of one call."""
    text = source.text[call.begin:call.end].decode()
    for kind, new in texts(function, call, text, lists):
        yield Mutant(f"{name}.{kind}", kind, source.path, function.name, call.callee, call.line, call.begin, call.end,
                     same_lines(new, text))


def mutated(text, mutant):
    """The file's bytes with the mutant in it."""
    return text[:mutant.begin] + mutant.new.encode() + text[mutant.end:]


def counted(source, numbered):
    """The file's bytes with a counter at each site: numbered is [(call, number)]. See coverage.py."""
    edits = []
    for call, number in numbered:
        edits.append((call.begin, 1, "({ extern unsigned long mutant_hits[]; "
                      f"__atomic_fetch_add(&mutant_hits[{number}], 1, 0); "))
        edits.append((call.end, 0, "; })"))
    parts, last = [], 0
    for offset, _, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += [source.text[last:offset], new.encode()]
        last = offset
    return b"".join([*parts, source.text[last:]])
