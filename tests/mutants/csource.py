# SPDX-License-Identifier: MIT
"""What a C source of the kernel says, as clang reads it: functions, their calls, their variables.

A mutant is a change of the text, so everything here has byte offsets into the file. They come from clang's own tree
(`clang -Xclang -ast-dump=json`), not from patterns: a call inside a macro, a comment or a string is told apart from one that
can be changed, and types say which variables could be confused.

    file = read_source(root, "kernel/fs/icache.c")
    [call.callee for call in file.functions["inode_put"].calls]  ->  ["spin_lock", "mapping_unpin", ...]

Rules:
    - only functions defined in the file itself; calls that a macro expands to are left out
    - offsets are of bytes; `end` is behind the last byte
    - a call through a member (`vma->ops->close(vma)`) has the callee "->close"
    - a variable's `from_` is where its value may be used: behind its declaration, which has an initializer; a parameter's is
      the body's begin
"""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# As `make tidy` reads the kernel: the flags that only gcc has are left out.
CLANG = ("clang", "--target=riscv64-unknown-elf", "-march=rv64imac", "-mabi=lp64", "-mcmodel=medany", "-ffreestanding",
         "-std=gnu11", "-Ikernel/include", "-w", "-fsyntax-only", "-Xclang", "-ast-dump=json")


@dataclass
class Call:
    """One call expression."""
    callee: str
    begin: int
    open: int            # its arguments begin here
    end: int
    line: int
    type: str            # what it returns, as written
    statement: bool      # it is a statement of its own
    arguments: list      # texts
    argument_types: list
    returns_next: bool = False  # behind it comes a return, or the end of its function


@dataclass
class Variable:
    """A parameter, or a local with an initializer."""
    name: str
    type: str
    from_: int
    until: int


@dataclass
class Function:
    """A function that the file defines."""
    name: str
    file: str
    type: str
    line: int
    begin: int
    end: int
    calls: list = field(default_factory=list)
    variables: list = field(default_factory=list)


@dataclass
class Source:
    """One file."""
    path: str
    text: bytes
    functions: dict


def offsets(node):
    """(begin, end) of a node that no macro had a hand in; None otherwise."""
    begin, end = node["range"]["begin"], node["range"]["end"]
    if "offset" not in begin or "offset" not in end:
        return None
    return begin["offset"], end["offset"] + end["tokLen"]


def begin_of(node):
    """Where a node begins in the file, a macro or not."""
    begin = node["range"]["begin"]
    return begin.get("expansionLoc", begin).get("offset")


def end_of(node):
    end = node["range"]["end"]
    end = end.get("expansionLoc", end)
    return end.get("offset", 0) + end.get("tokLen", 0)


def split_arguments(text):
    """The texts of arguments, cut at the commas that no bracket and no literal contains."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(text):
        c = text[i]
        if c in "\"'":
            i += 1
            while text[i] != c:
                i += 2 if text[i] == "\\" else 1
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
        i += 1
    last = text[start:].strip()
    return parts + [last] if last or parts else []


def callee_of(call):
    """(name, node) of what a CallExpr calls: a function, or "->member"; (None, None)."""
    node = call["inner"][0]
    while node["kind"] in ("ImplicitCastExpr", "ParenExpr") and node.get("inner"):
        node = node["inner"][0]
    if node["kind"] == "DeclRefExpr" and node["referencedDecl"]["kind"] == "FunctionDecl":
        return node["referencedDecl"]["name"], node
    if node["kind"] == "MemberExpr":
        return "->" + node["name"], node
    return None, None


class _Reader:
    """Walks one function."""

    def __init__(self, text, function):
        self.text, self.function = text, function

    def add_call(self, node, statement):
        where, (callee, named) = offsets(node), callee_of(node)
        if not where or not callee or not offsets(named):
            return None
        begin, end = where
        inside = self.text[offsets(named)[1]:end].decode()
        if not (inside.startswith("(") and inside.endswith(")")):
            return None
        call = Call(callee, begin, offsets(named)[1] + 1, end, self.text.count(b"\n", 0, begin) + 1, node["type"]["qualType"], statement,
                    split_arguments(inside[1:-1]), [a["type"]["qualType"] for a in node["inner"][1:]])
        self.function.calls.append(call)
        return call

    def add_variable(self, node, block_end):
        if "init" in node and "name" in node:
            self.function.variables.append(
                Variable(node["name"], node["type"]["qualType"], end_of(node), block_end))

    def block(self, node, outermost=False):
        """A { }: its statements in order, and whether a return follows each call among them."""
        children = node.get("inner", [])
        calls = [self.walk(child, True, end_of(node)) for child in children]
        for i, call in enumerate(calls):
            if call:
                call.returns_next = children[i + 1]["kind"] == "ReturnStmt" if i + 1 < len(children) else outermost

    def walk(self, node, statement, block_end):
        """Returns the Call if the node is one."""
        kind = node.get("kind")
        if kind == "CompoundStmt":
            self.block(node)
            return None
        call = self.add_call(node, statement) if kind == "CallExpr" else None
        if kind == "VarDecl":
            self.add_variable(node, block_end)
        for i, child in enumerate(node.get("inner", [])):
            if child.get("kind"):
                self.walk(child, is_body(kind, i), block_end)
        return call


def is_body(kind, place):
    """Whether the child in this place is a statement that the parent controls."""
    return (kind == "IfStmt" and place > 0) or kind in ("DoStmt",) and place == 0 or \
        kind in ("WhileStmt", "ForStmt", "CaseStmt", "DefaultStmt", "LabelStmt") and place > 0


def _function(node, path, text):
    """A Function, or None if the node defines none in this file."""
    body = next((i for i in node.get("inner", ()) if i["kind"] == "CompoundStmt"), None)
    if node["kind"] != "FunctionDecl" or "includedFrom" in node["loc"] or not body:
        return None
    function = Function(node["name"], path, node["type"]["qualType"], text.count(b"\n", 0, begin_of(body)) + 1,
                        begin_of(node), end_of(node))
    for parameter in node["inner"]:
        if parameter["kind"] == "ParmVarDecl" and "name" in parameter:
            function.variables.append(Variable(parameter["name"], parameter["type"]["qualType"], begin_of(body),
                                               end_of(body)))
    _Reader(text, function).block(body, outermost=True)
    function.calls.sort(key=lambda call: call.begin)
    return function


def read_source(root, path):
    """Asks clang about one file, given relative to the root; a Source."""
    text = (Path(root) / path).read_bytes()
    done = subprocess.run([*CLANG, path], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"clang does not read {path}:\n" + done.stderr.decode(errors="replace")[-2000:])
    functions = (_function(node, path, text) for node in json.loads(done.stdout)["inner"])
    return Source(path, text, {function.name: function for function in functions if function})


def read_kernel(root, wanted=lambda text: True):
    """The C sources of the kernel, by path; those whose text is wanted."""
    paths = sorted(str(path.relative_to(root)) for path in Path(root).glob("kernel/*/*.c") if wanted(path.read_text()))
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(paths, pool.map(lambda path: read_source(root, path), paths)))


def call_graph(sources):
    """Function name -> the names of the functions that it calls."""
    graph = {}
    for source in sources.values():
        for function in source.functions.values():
            graph.setdefault(function.name, set()).update(call.callee for call in function.calls)
    return graph
