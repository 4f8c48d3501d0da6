"""Decodes the few Thumb instructions that matter for call graphs and stack frames.

Encodings: Armv7-M Architecture Reference Manual, DDI 0403E, chapter A7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_LR = 14


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its address, its first halfword, its second (0 for a 16-bit one) and its size in bytes."""

    address: int
    first: int
    second: int
    size_bytes: int


def instruction_bytes(first: int) -> int:
    """Bytes of the instruction whose first halfword is ``first`` (A5.1): 4 where bits 15:11 are above 11100."""
    return 4 if first >> 11 >= 0x1D else 2


def decode(address: int, code: bytes) -> Iterator[Instruction]:
    """The instructions of a stretch of code that holds nothing else."""
    position = 0
    while position + 2 <= len(code):
        first = int.from_bytes(code[position : position + 2], "little")
        size = instruction_bytes(first)
        second = int.from_bytes(code[position + 2 : position + 4], "little") if size == 4 else 0
        yield Instruction(address + position, first, second, size)
        position += size


def branch_target(i: Instruction) -> tuple[int, bool] | None:
    """(target, is a call) of a direct branch that can leave a function: BL, B.W and B (A7.7.12, A7.7.18)."""
    if i.size_bytes == 4 and i.first & 0xF800 == 0xF000 and i.second & 0x8000:
        s, j1, j2 = i.first >> 10 & 1, i.second >> 13 & 1, i.second >> 11 & 1
        if i.second & 0x5000 in (0x5000, 0x1000):  # BL (T1), B.W (T4)
            i1, i2 = 1 - (j1 ^ s), 1 - (j2 ^ s)
            offset = s << 24 | i1 << 23 | i2 << 22 | (i.first & 0x3FF) << 12 | (i.second & 0x7FF) << 1
            return i.address + 4 + _signed(offset, 25), bool(i.second & 0x4000)
        if i.second & 0x5000 == 0 and i.first >> 7 & 7 != 7:  # conditional B.W (T3)
            offset = s << 20 | j2 << 19 | j1 << 18 | (i.first & 0x3F) << 12 | (i.second & 0x7FF) << 1
            return i.address + 4 + _signed(offset, 21), False
        return None
    if i.size_bytes == 2 and i.first & 0xF800 == 0xE000:  # B (T2)
        return i.address + 4 + _signed((i.first & 0x7FF) << 1, 12), False
    if i.size_bytes == 2 and i.first & 0xF000 == 0xD000 and i.first >> 8 & 15 < 14:  # conditional B (T1)
        return i.address + 4 + _signed((i.first & 0xFF) << 1, 9), False
    return None


def is_indirect_call(i: Instruction) -> bool:
    """BLX to a register (A7.7.19): which function it calls can't be read from the instruction."""
    return i.size_bytes == 2 and i.first & 0xFF87 == 0x4780


def is_indirect_jump(i: Instruction) -> bool:
    """BX to a register other than LR: a tail call through a pointer, or a veneer."""
    return i.size_bytes == 2 and i.first & 0xFF87 == 0x4700 and i.first >> 3 & 15 != _LR


def pushed_bytes(i: Instruction) -> int:
    """By how many bytes the instruction lowers the stack pointer; 0 where it does not by a constant."""
    if i.size_bytes == 2:
        if i.first & 0xFE00 == 0xB400:  # PUSH (T1)
            return 4 * (i.first & 0x1FF).bit_count()
        if i.first & 0xFF80 == 0xB080:  # SUB SP, #imm7
            return 4 * (i.first & 0x7F)
        return 0
    if i.first & 0xFFFF == 0xE92D:  # STMDB SP! (PUSH.W)
        return 4 * i.second.bit_count()
    if i.first == 0xF84D and i.second & 0x0F00 == 0x0D00:  # STR Rt, [SP, #-imm]! (PUSH of one register)
        return i.second & 0xFF
    if i.first == 0xE96D:  # STRD Rt, Rt2, [SP, #-imm]!
        return 4 * (i.second & 0xFF)
    if i.first & 0xFBEF == 0xF1AD and i.second & 0x8F00 == 0x0D00:  # SUB.W SP, SP, #const
        return _modified_immediate((i.first >> 10 & 1) << 11 | (i.second >> 12 & 7) << 8 | i.second & 0xFF)
    if i.first & 0xFBFF == 0xF2AD and i.second & 0x8F00 == 0x0D00:  # SUBW SP, SP, #imm12
        return (i.first >> 10 & 1) << 11 | (i.second >> 12 & 7) << 8 | i.second & 0xFF
    if i.first & 0xFFBF == 0xED2D and i.second & 0x0E00 == 0x0A00:  # VPUSH
        return 4 * (i.second & 0xFF)
    return 0


def adjusts_stack_by_register(i: Instruction) -> bool:
    """SUB or ADD of a register to SP, or a move to SP: a frame whose size is not in the instruction."""
    if i.size_bytes == 2:
        return i.first & 0xFF87 == 0x4485 or (i.first & 0xFF87 == 0x4685)  # ADD SP, Rm; MOV SP, Rm
    return i.first & 0xFFEF == 0xEBAD and i.second & 0x0F00 == 0x0D00  # SUB.W SP, SP, Rm


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _modified_immediate(imm12: int) -> int:
    """ThumbExpandImm (A5.3.2)."""
    value = imm12 & 0xFF
    if imm12 >> 10 == 0:
        return {0: value, 1: value << 16 | value, 2: value << 24 | value << 8, 3: value * 0x01010101}[imm12 >> 8 & 3]
    rotation, value = imm12 >> 7, 0x80 | imm12 & 0x7F
    return (value >> rotation | value << (32 - rotation)) & 0xFFFFFFFF
