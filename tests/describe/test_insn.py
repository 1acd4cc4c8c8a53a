# SPDX-License-Identifier: MIT
"""describe/insn against objdump: kind, registers and number of every instruction of kernels compiled in several ways."""
import re
import subprocess

import pytest

from harness import paths
from sanitized import HERE, SANITIZE
from snippets import kernel

# objdump's names without "c." that mean a kind with another name.
KINDS = {"addiw": "addi", "li": "addi", "addi16sp": "addi", "addi4spn": "addi", "nop": "addi", "mv": "add", "addw": "add",
         "subw": "sub", "mulw": "mul", "slliw": "slli", "srliw": "srli", "sraiw": "srai", "j": "jal", "jr": "jalr",
         "sret": "return", "mret": "return",
         **dict.fromkeys(("beqz", "bnez", "beq", "bne", "blt", "bge", "bltu", "bgeu"), "branch"),
         **{f"l{width}{more}": "load" for width in "bhwd" for more in ("", "u", "sp")},
         **{f"s{width}{more}": "store" for width in "bhwd" for more in ("", "sp")}}
# What is not followed: its length and the register it writes are all that is asked for.
OTHERS = re.compile(r"csr|fence|sfence|wfi|ebreak|unimp|or|xor|slt|sll|srl|sra|div|rem|mulh|and$|auipc$")


@pytest.fixture(scope="module")
def decode(sanitized_build):
    program = sanitized_build / "insn_probe"
    subprocess.run(["gcc", "-g", "-O1", "-D_GNU_SOURCE", *SANITIZE.split(), f"-I{paths.ROOT}/trace-tools", "-o", program,
                    HERE / "insn_probe.c", sanitized_build / "libpagetrail.a"], check=True)

    def run(words):
        out = subprocess.run([program], input="\n".join(words), check=True, stdout=subprocess.PIPE, text=True).stdout
        return [line.split() for line in out.splitlines()]
    return run


def disassembled(elf):
    """(pc, hex, name, operands) of every instruction."""
    out = subprocess.run([paths.CROSS + "objdump", "-d", "-M", "no-aliases,numeric", elf], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    for line in out.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+([0-9a-f]+)\s+(\S+)\s*(.*)$", line)
        if match:
            operands = re.split(r"[#<]", match[4])[0].strip()
            yield int(match[1], 16), match[2], match[3], operands


def expected_kind(name):
    name = name.removeprefix("c.")
    if name.startswith(("amo", "sc.")):
        return "amo"
    if name.startswith("lr."):
        return "lr"
    return KINDS.get(name, name)


def registers(kind, name, operands, rd, rs1, rs2):
    """The registers that we say, in the order in which objdump shows them."""
    plain = name.removeprefix("c.")
    shown = len(re.findall(r"\bx\d+", operands))
    if kind == "store":
        return [rs2, rs1]
    if kind == "branch":
        return [rs1, rs2][:shown]
    if plain == "jr" or (name == "c.jalr"):
        return [rs1]
    if plain == "mv" or (name.startswith("c.") and kind in ("add", "sub", "and")):
        return [rd, rs2]
    if kind == "amo":
        return [rd, rs2, rs1]
    return [rd, rs1, rs2][:shown]


def number(kind, name, operands, pc, imm):
    """(what we say, what objdump shows), in objdump's terms; None: it shows none."""
    plain = name.removeprefix("c.")
    if kind in ("jal", "branch"):
        return pc + imm, int(operands.split(",")[-1], 16)
    if kind in ("load", "store") or (kind == "jalr" and "(" in operands):
        return imm, int(re.search(r"(-?\d+)\(", operands)[1])
    if kind in ("lui", "auipc"):
        return imm >> 12 & 0xfffff, int(operands.split(",")[-1], 16)
    if kind in ("addi", "andi", "slli", "srli", "srai") and plain != "nop":
        return imm, int(operands.split(",")[-1], 0)
    return None


@pytest.mark.parametrize("flags", [("-O0",), ("-O2",), ("-Os",), ("-O2", "-march=rv64ima")], ids=" ".join)
def test_against_objdump(compiled, decode, flags):
    lines = list(disassembled(compiled(kernel("per hart", "record"), *flags)))
    assert len(lines) > 200
    for (pc, word, name, operands), ours in zip(lines, decode([line[1] for line in lines]), strict=True):
        kind, (rd, rs1, rs2, _, _, size, imm) = ours[0], map(int, ours[1:])
        text = f"{pc:x}: {name} {operands}: {ours}"
        assert size == len(word) // 2, text
        if kind == "unknown":
            assert OTHERS.match(name.removeprefix("c.")), text
            continue
        assert kind == expected_kind(name), text
        assert registers(kind, name, operands, rd, rs1, rs2) == [int(n) for n in re.findall(r"\bx(\d+)", operands)], text
        shown = number(kind, name, operands, pc, imm)
        assert shown is None or shown[0] == shown[1], text
