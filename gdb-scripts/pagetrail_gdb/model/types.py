# SPDX-License-Identifier: MIT
"""What the kernel's structures look like: sizes, offsets, enums and macros, as plain data.

A `Layout` answers questions about types and symbols. The one used in gdb (`dwarf.GdbLayout`) gets its
answers from the DWARF of the kernel's ELF; `StoredLayout` gets them from a dictionary, so that the model
can be tested without gdb. Nothing of the kernel is written down here: a field that moves, moves with DWARF.
"""

import re
import struct

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_STEP = re.compile(r"([A-Za-z_]\w*)|\[(\d+)\]|\.")


class LayoutError(Exception):
    """The ELF has no such type, field, enum, macro or symbol."""


class Type:
    """One C type.

    kind     "int", "bool", "ptr", "enum", "array", "struct"
    size     bytes
    signed   of an int
    name     tag of a struct or enum, without the keyword; of a pointer: what it points to
    element  Type of an array's elements; count how many
    fields   of a struct: {name: (offset, Type)}, anonymous members flattened into it
    """

    __slots__ = ("kind", "size", "signed", "name", "element", "count", "fields", "_paths")

    def __init__(self, kind, size, signed=False, name="", element=None, count=0, fields=None):
        self.kind = kind
        self.size = size
        self.signed = signed
        self.name = name
        self.element = element
        self.count = count
        self.fields = fields if fields is not None else {}
        self._paths = {}

    def resolve(self, path):
        """(offset in bytes, Type) of a member given as C writes it: "rings[2].base_pa"."""
        found = self._paths.get(path)
        if found is None:
            found = self._paths[path] = self._resolve(path)
        return found

    def _resolve(self, path):
        offset, here = 0, self
        for match in _STEP.finditer(path):
            field, index = match.groups()
            if field is not None:
                if field not in here.fields:
                    raise LayoutError(f"struct {here.name or '?'} has no member {field}")
                step, here = here.fields[field]
                offset += step
            elif index is not None:
                if here.kind != "array":
                    raise LayoutError(f"{path}: not an array")
                here = here.element
                offset += int(index) * here.size
        return offset, here

    def offset(self, path):
        return self.resolve(path)[0]

    def code(self):
        """The struct-module code of a scalar."""
        if self.kind == "bool":
            return "?"
        if self.kind not in ("int", "ptr", "enum"):
            raise LayoutError(f"{self.kind} {self.name} is not a scalar")
        letter = _CODES[self.size]
        return letter.lower() if self.signed else letter

    def unpacker(self, paths):
        """A struct.Struct that takes the named scalars out of one object, in ascending offset order.

        Returns (Struct, names in the order in which it yields them). Its size is the object's.
        """
        members = sorted((self.resolve(path) + (path,) for path in paths), key=lambda member: member[0])
        text, at, names = "<", 0, []
        for offset, member, path in members:
            if offset < at:
                raise LayoutError(f"{path} overlaps another member")
            text += f"{offset - at}x" if offset > at else ""
            text += member.code()
            at = offset + member.size
            names.append(path)
        text += f"{self.size - at}x" if self.size > at else ""
        return struct.Struct(text), names

    def decode(self, buffer, offset=0):
        """The value at `offset`: int, bool, bytes (char arrays), tuple (arrays), or {name: value}."""
        if self.kind == "array":
            if self.element.kind == "int" and self.element.size == 1:
                return bytes(buffer[offset:offset + self.size])
            step = self.element.size
            return tuple(self.element.decode(buffer, offset + i * step) for i in range(self.count))
        if self.kind == "struct":
            return {name: t.decode(buffer, offset + o) for name, (o, t) in self.fields.items()}
        return struct.unpack_from("<" + self.code(), buffer, offset)[0]

    def to_plain(self):
        """As dictionaries and lists, for StoredLayout."""
        plain = {"kind": self.kind, "size": self.size, "signed": self.signed, "name": self.name}
        if self.element is not None:
            plain.update(element=self.element.to_plain(), count=self.count)
        if self.fields:
            plain["fields"] = {name: [o, t.to_plain()] for name, (o, t) in self.fields.items()}
        return plain

    @staticmethod
    def from_plain(plain):
        element = plain.get("element")
        return Type(plain["kind"], plain["size"], plain["signed"], plain["name"],
                    Type.from_plain(element) if element else None, plain.get("count", 0),
                    {name: (o, Type.from_plain(t)) for name, (o, t) in plain.get("fields", {}).items()})


class Layout:
    """What a source of types must answer. Each raises LayoutError for a name it does not know.

    has_names is set to False when they are those of another kernel: then describe_pc gives addresses.
    """

    has_names = True

    def struct(self, name):
        """Type of `struct name`."""
        raise NotImplementedError

    def enum(self, name):
        """{value: constant's name} of `enum name`."""
        raise NotImplementedError

    def macro(self, expression):
        """The value of a macro, or of a function-like one with its arguments ("PT_LEVEL_SHIFT(1)"), as an int."""
        raise NotImplementedError

    def symbol(self, name):
        """(virtual address, Type) of a variable, also of a static one."""
        raise NotImplementedError

    def has_symbol(self, name):
        try:
            self.symbol(name)
        except LayoutError:
            return False
        return True

    def describe_pc(self, va):
        """"function+0x12 (file.c:34)" for a code address; its number where nothing is known."""
        return f"{va:#x}"

    def enum_value(self, enum, constant):
        for value, name in self.enum(enum).items():
            if name == constant:
                return value
        raise LayoutError(f"enum {enum} has no {constant}")

    def enum_label(self, enum, prefix, value):
        """The constant's name without its prefix, in small letters: PK_ANON is "anon"."""
        name = self.enum(enum).get(value)
        return name[len(prefix):].lower() if name else f"{value}?"


class StoredLayout(Layout):
    """A layout from plain data: {"structs", "enums", "macros", "symbols"} as export() makes it."""

    def __init__(self, plain):
        self._structs = {name: Type.from_plain(t) for name, t in plain["structs"].items()}
        self._enums = {name: {int(v): c for v, c in e.items()} for name, e in plain["enums"].items()}
        self._macros = plain["macros"]
        self._symbols = {name: (va, Type.from_plain(t)) for name, (va, t) in plain["symbols"].items()}

    @staticmethod
    def _get(table, what, name):
        if name not in table:
            raise LayoutError(f"no {what} {name}")
        return table[name]

    def struct(self, name):
        return self._get(self._structs, "struct", name)

    def enum(self, name):
        return self._get(self._enums, "enum", name)

    def macro(self, expression):
        return self._get(self._macros, "macro", expression)

    def symbol(self, name):
        return self._get(self._symbols, "symbol", name)


def export(layout, structs, enums, macros, symbols):
    """Plain data with the named parts of a layout, for StoredLayout."""
    known = {}
    for name in symbols:
        va, kind = layout.symbol(name)
        known[name] = (va, kind.to_plain())
    return {
        "structs": {name: layout.struct(name).to_plain() for name in structs},
        "enums": {name: layout.enum(name) for name in enums},
        "macros": {name: layout.macro(name) for name in macros},
        "symbols": known,
    }
