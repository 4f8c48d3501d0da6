"""Sorts Thumb instructions into the kinds that the cycle model knows.

Encodings: Armv7-M Architecture Reference Manual, DDI 0403E, chapter A5; for low-overhead loops and vectors the Armv8-M
Architecture Reference Manual, DDI 0553B, chapter C2. Where an encoding holds instructions of several kinds that cost
the same on every core, it is not taken apart further.
"""

from __future__ import annotations

from tinyml.firmware.thumb import Instruction, decode
from tinyml.plan.instruction_mix import Kind

_PC = 15
_VECTOR_KINDS = (Kind.VECTOR, Kind.VECTOR_MEMORY)
_LOADS = (Kind.LOAD, Kind.LOAD_NEXT)


def block_kinds(address: int, code: bytes) -> tuple[dict[Kind, int], bool]:
    """Kinds of the instructions of one basic block, and whether its last one can branch.

    ``REFILL`` is not among them: whether the branch is taken is the emulator's to say. Low-overhead loops are no
    branches here, since they refill nothing.
    """
    counts: dict[Kind, int] = {}
    previous: Kind | None = None
    branches = False
    for instruction in decode(address, code):
        kind, words, branches = classify(instruction)
        if kind is Kind.LOAD and previous in _LOADS:
            kind = Kind.LOAD_NEXT
        if kind in _VECTOR_KINDS and previous in _VECTOR_KINDS and kind is not previous:
            counts[Kind.VECTOR_OVERLAP] = counts.get(Kind.VECTOR_OVERLAP, 0) + 1
            previous = None
        else:
            previous = kind
        counts[kind] = counts.get(kind, 0) + 1
        if words:
            counts[Kind.WORD] = counts.get(Kind.WORD, 0) + words
    return counts, branches


def classify(i: Instruction) -> tuple[Kind, int, bool]:
    """Kind, registers moved by a multiple load or store (else 0), and whether the instruction can branch."""
    return _narrow(i.first) if i.size_bytes == 2 else _wide(i.first, i.second)


def _narrow(first: int) -> tuple[Kind, int, bool]:
    top = first >> 12
    if first & 0xFFC0 == 0x4340:
        return Kind.MULTIPLY, 0, False
    if first & 0xFF00 == 0x4700:  # BX, BLX
        return (Kind.CALL if first & 0x80 else Kind.BRANCH), 0, True
    if first & 0xFF87 == 0x4687 or first & 0xFF87 == 0x4487:  # MOV PC, ADD PC
        return Kind.BRANCH, 0, True
    if first & 0xF800 == 0x4800:
        return Kind.LOAD, 0, False
    if top == 5:
        return (Kind.LOAD if first >> 9 & 7 >= 3 else Kind.STORE), 0, False
    if top in (6, 7, 8, 9):
        return (Kind.LOAD if first & 0x800 else Kind.STORE), 0, False
    if first & 0xFE00 == 0xB400:  # PUSH
        return Kind.STORE_MULTIPLE, (first & 0x1FF).bit_count(), False
    if first & 0xFE00 == 0xBC00:  # POP
        return Kind.LOAD_MULTIPLE, (first & 0x1FF).bit_count(), bool(first & 0x100)
    if first & 0xF500 == 0xB100:  # CBZ, CBNZ
        return Kind.BRANCH, 0, True
    if top == 12:
        return (Kind.LOAD_MULTIPLE if first & 0x800 else Kind.STORE_MULTIPLE), (first & 0xFF).bit_count(), False
    if top == 13:
        return (Kind.BRANCH, 0, True) if first >> 8 & 15 < 14 else (Kind.SYSTEM, 0, False)
    if top == 14:
        return Kind.BRANCH, 0, True
    return Kind.ALU, 0, False


def _wide(first: int, second: int) -> tuple[Kind, int, bool]:
    group = first >> 9 & 0xF
    if first & 0xEC00 == 0xEC00:  # 111x 11xx: coprocessors, floats and vectors
        return _coprocessor(first, second), _float_words(first, second), False
    if group == 0b0100:  # 1110 100x: multiple, dual, exclusive, table branch
        return _multiple_or_dual(first, second)
    if first & 0xF800 == 0xF000 and second & 0x8000:
        return _branch_or_control(first, second)
    if first & 0xFE00 == 0xF800:
        if not first & 0x10:
            return Kind.STORE, 0, False
        into_pc = second >> 12 == _PC
        if into_pc and first & 0x60 != 0x40:  # PLD, PLI
            return Kind.ALU, 0, False
        return Kind.LOAD, 0, into_pc
    if first & 0xFF00 == 0xFB00:
        return _multiply(first, second), 0, False
    return Kind.ALU, 0, False


def _multiple_or_dual(first: int, second: int) -> tuple[Kind, int, bool]:
    kind = Kind.LOAD_MULTIPLE if first & 0x10 else Kind.STORE_MULTIPLE
    if not first & 0x40:
        return kind, second.bit_count(), bool(first & 0x10 and second & 1 << _PC)
    if first & 0x120:  # LDRD, STRD
        return kind, 2, False
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:  # TBB, TBH
        return Kind.LOAD, 0, True
    return (Kind.LOAD if first & 0x10 else Kind.STORE), 0, False


def _branch_or_control(first: int, second: int) -> tuple[Kind, int, bool]:
    form = second & 0xD000
    if form == 0xD000:
        return Kind.CALL, 0, True
    if form == 0x9000:
        return Kind.BRANCH, 0, True
    if form == 0xC000:  # DLS, WLS, LE and their tail-predicated forms: Armv8.1-M took BLX's place
        return Kind.LOOP, 0, False
    if first >> 6 & 15 < 14:
        return Kind.BRANCH, 0, True
    return (Kind.ALU if first == 0xF3AF and second == 0x8000 else Kind.SYSTEM), 0, False  # NOP.W


def _multiply(first: int, second: int) -> Kind:
    operation = first >> 4 & 15
    if operation == 0:
        if second & 0xF0:
            return Kind.MULTIPLY_ADD  # MLS
        return Kind.MULTIPLY if second >> 12 == 15 else Kind.MULTIPLY_ADD
    if operation < 8:
        return Kind.SIMD_MULTIPLY
    if operation in (9, 11):
        return Kind.DIVIDE
    return Kind.LONG_MULTIPLY if operation in (8, 10) else Kind.LONG_MULTIPLY_ADD


def _coprocessor(first: int, second: int) -> Kind:
    coprocessor = second >> 8 & 15
    if coprocessor in (10, 11) and first & 0xFF00 in (0xEC00, 0xED00):
        if first & 0xFFE0 == 0xEC40:  # VMOV of two core registers
            return Kind.FLOAT
        if first & 0x120 == 0x100:
            return Kind.LOAD if first & 0x10 else Kind.STORE
        return Kind.LOAD_MULTIPLE if first & 0x10 else Kind.STORE_MULTIPLE
    if coprocessor in (10, 11) and first & 0xFF00 == 0xEE00 and not second & 0x10:
        square_root = first & 0xBF == 0xB1 and second & 0xC0 == 0xC0
        return Kind.FLOAT_DIVIDE if first & 0xB0 == 0x80 or square_root else Kind.FLOAT
    if coprocessor in (10, 11) and first & 0xFF00 == 0xEE00:
        return Kind.FLOAT  # VMOV between a core register and a scalar or lane
    if coprocessor in (14, 15) and first & 0xEE00 == 0xEC00:
        return Kind.VECTOR_MEMORY
    return Kind.VECTOR


def _float_words(first: int, second: int) -> int:
    multiple = first & 0xFE00 == 0xEC00 and first & 0x120 != 0x100 and first & 0xFFE0 != 0xEC40
    return second & 0xFF if multiple and second >> 8 & 15 in (10, 11) else 0
