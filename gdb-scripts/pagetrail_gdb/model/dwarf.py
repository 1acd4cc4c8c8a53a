# SPDX-License-Identifier: MIT
"""The layout of the kernel whose ELF is loaded in gdb, from its DWARF (types, symbols, lines, macros)."""

import re

import gdb

from .types import Layout, LayoutError, Type

# Functions whose source files include the headers with the macros we ask for. Their order is only one of
# speed: a macro is looked up file by file until one of them knows it.
_MACRO_SCOPES = ("mm_fault", "page_alloc", "kstack_alloc", "kmem_cache_alloc", "pagecache_get", "proc_fork",
                 "pipe_create", "trace_record", "arch_unwind", "_start")
_DEFINE = re.compile(r"^#define (\w+)(\([^)]*\))? (.*)$", re.MULTILINE)
_NUMBER_SUFFIX = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b")
_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_USE = re.compile(r"\b([A-Za-z_]\w*)\b(\([^()]*\))?")
_ARITHMETIC = re.compile(r"(?:0[xX][0-9a-fA-F]+|[1-9]\d*|0(?!\d)|[-+*()<>|&~^% ])+")
_MACRO_NESTING_MAX = 20


class GdbLayout(Layout):
    """One instance for one ELF; remembers every answer."""

    def __init__(self):
        self._structs = {}
        self._enums = {}
        self._symbols = {}
        self._macro_values = {}
        self._macro_texts = {}
        self._scopes_left = list(_MACRO_SCOPES)
        self._places = {}

    # ---- types ----

    def struct(self, name):
        if name not in self._structs:
            self._structs[name] = self._convert(self._lookup(f"struct {name}"))
        return self._structs[name]

    def enum(self, name):
        if name not in self._enums:
            fields = self._lookup(f"enum {name}").fields()
            self._enums[name] = {field.enumval: field.name for field in fields}
        return self._enums[name]

    @staticmethod
    def enumerator(name):
        """The value of an enumerator of whatever enum."""
        try:
            return int(gdb.parse_and_eval(name))
        except gdb.error as error:
            raise LayoutError(f"{name}: {error}") from error

    @staticmethod
    def _lookup(text):
        try:
            found = gdb.lookup_type(text)
            fields = found.fields()
        except gdb.error as error:
            raise LayoutError(f"{text}: {error}") from error
        if not fields:
            raise LayoutError(f"{text} is declared in the ELF's DWARF, but not defined")
        return found

    def _convert(self, gdb_type):
        plain = gdb_type.strip_typedefs().unqualified()
        code = plain.code
        if code == gdb.TYPE_CODE_BOOL:
            return Type("bool", plain.sizeof)
        if code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR):
            return Type("int", plain.sizeof, signed=plain.is_signed)
        if code == gdb.TYPE_CODE_ENUM:
            return Type("enum", plain.sizeof, name=plain.tag or "")
        if code == gdb.TYPE_CODE_PTR:
            target = plain.target().strip_typedefs().unqualified()
            return Type("ptr", plain.sizeof, name=target.tag or target.name or "")
        if code == gdb.TYPE_CODE_ARRAY:
            low, high = plain.range()
            return Type("array", plain.sizeof, element=self._convert(plain.target()),
                        count=max(high - low + 1, 0))
        if code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            return Type("struct", plain.sizeof, name=plain.tag or "", fields=self._fields(plain))
        raise LayoutError(f"type {gdb_type} is of a kind the kernel does not use")

    def _fields(self, gdb_type):
        fields = {}
        for field in gdb_type.fields():
            if not hasattr(field, "bitpos") or field.bitsize:
                continue
            offset, member = field.bitpos // 8, self._convert(field.type)
            if field.name:
                fields[field.name] = (offset, member)
            else:
                for name, (inner, inner_type) in member.fields.items():
                    fields[name] = (offset + inner, inner_type)
        return fields

    # ---- symbols and code ----

    def symbol(self, name):
        if name not in self._symbols:
            symbol = self._lookup_symbol(name)
            # An `extern` declaration is found, too, where gdb sees it first; it has an address, but is no "variable".
            if symbol is None or symbol.is_function or symbol.addr_class == gdb.SYMBOL_LOC_TYPEDEF:
                raise LayoutError(f"the kernel has no variable {name}")
            value = symbol.value()
            if value.address is None:
                raise LayoutError(f"{name} has no address")
            self._symbols[name] = (int(value.address), self._convert(symbol.type))
        return self._symbols[name]

    @staticmethod
    def _lookup_symbol(name):
        """name, or "file.c:name" for a static variable whose name another file may have, too."""
        file, _, plain = name.rpartition(":")
        if not file:
            return gdb.lookup_global_symbol(plain) or gdb.lookup_static_symbol(plain)
        return next((symbol for symbol in gdb.lookup_static_symbols(plain)
                     if symbol.symtab.filename.endswith("/" + file)), None)

    def describe_pc(self, va):
        if not self.has_names:
            return f"{va:#x}"
        if va not in self._places:
            self._places[va] = self._describe_pc(va)
        return self._places[va]

    @staticmethod
    def _describe_pc(va):
        """va is a return address: the line is that of the call before it."""
        if va < 1:
            return "0"
        function, inlined = None, None
        try:
            block = gdb.block_for_pc(va - 1)
        except (gdb.error, RuntimeError):
            block = None
        while block is not None and function is None and not block.is_static and not block.is_global:
            if block.function is not None:
                inlined = inlined or block.function.print_name
                if block.superblock is None or block.superblock.is_static:
                    function = block.function.print_name
            block = block.superblock
        if function is None:
            text = gdb.format_address(va)
            return text.split("<")[1].rstrip(">") if "<" in text else f"{va:#x}"
        where = gdb.find_pc_line(va - 1)
        place = f" ({where.symtab.filename.split('/')[-1]}:{where.line})" if where.symtab else ""
        name = function if inlined in (None, function) else f"{inlined} in {function}"
        return name + place

    # ---- macros ----

    def macro(self, expression):
        if expression not in self._macro_values:
            for name in _NAME.findall(expression):
                self._load_macro(name)
            self._macro_values[expression] = self._evaluate(expression)
        return self._macro_values[expression]

    def _load_macro(self, name):
        """Reads scope after scope until one knows the macro."""
        while name not in self._macro_texts and self._scopes_left:
            scope = self._scopes_left.pop(0)
            try:
                listing = gdb.execute(f"info macros {scope}", to_string=True)
            except gdb.error:
                continue
            for found, parameters, text in _DEFINE.findall(listing):
                names = [p.strip() for p in parameters[1:-1].split(",")] if parameters else None
                self._macro_texts.setdefault(found, (names, text))
        if name not in self._macro_texts:
            raise LayoutError(f"no macro {name} in the ELF's DWARF (is the kernel compiled with -g3?)")

    def _evaluate(self, expression):
        text = _NUMBER_SUFFIX.sub(r"\1", expression)
        for _ in range(_MACRO_NESTING_MAX):
            expanded = _NUMBER_SUFFIX.sub(r"\1", _USE.sub(self._expand_one, text))
            if expanded == text:
                break
            text = expanded
        if _ARITHMETIC.fullmatch(text):
            return int(eval(text, {"__builtins__": {}}))  # digits and operators only
        try:
            return int(gdb.parse_and_eval(text))
        except gdb.error as error:
            raise LayoutError(f"macro {expression} = {text}: {error}") from error

    def _expand_one(self, use):
        """A macro's text in place of its use. Arguments may not contain parentheses or commas."""
        name, arguments = use.group(1), use.group(2)
        if name not in self._macro_texts:
            return use.group()
        parameters, text = self._macro_texts[name]
        if parameters is None:
            return f"({text}){arguments or ''}"
        if arguments is None:
            return name
        values = dict(zip(parameters, (value.strip() for value in arguments[1:-1].split(","))))
        return "(" + _NAME.sub(lambda m: f"({values[m.group()]})" if m.group() in values else m.group(), text) + ")"
