"""Writes small ELF files for 32-bit Arm: load segments, a symbol table, nothing else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

EM_ARM, PT_LOAD, SHT_SYMTAB, SHT_STRTAB = 40, 1, 2, 3


def elf_bytes(segments: Sequence[tuple[int, bytes]], machine: int = EM_ARM) -> bytes:
    """An ELF whose load segments hold the given (address, bytes), where they are stored and where they run."""
    names = b"\0.symtab\0.strtab\0.shstrtab\0"
    header_bytes, program_bytes, section_bytes = 52, 32, 40
    offset = header_bytes + program_bytes * len(segments)
    programs, contents = b"", b""
    for address, data in segments:
        place = offset + len(contents)
        programs += struct.pack("<8I", PT_LOAD, place, address, address, len(data), len(data), 5, 4)
        contents += data
    symbols, strings = struct.pack("<IIIBBH", 0, 0, 0, 0, 0, 0), b"\0"
    start = offset + len(contents)
    parts = (symbols, strings, names)
    places = [start + sum(len(part) for part in parts[:i]) for i in range(3)]
    sections = struct.pack("<10I", *[0] * 10)
    sections += struct.pack("<10I", 1, SHT_SYMTAB, 0, 0, places[0], len(symbols), 2, 1, 4, 16)
    sections += struct.pack("<10I", 9, SHT_STRTAB, 0, 0, places[1], len(strings), 0, 0, 1, 0)
    sections += struct.pack("<10I", 17, SHT_STRTAB, 0, 0, places[2], len(names), 0, 0, 1, 0)
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH",
        2,
        machine,
        1,
        segments[0][0] | 1,
        header_bytes,
        start + sum(map(len, parts)),
        0x5000200,
        header_bytes,
        program_bytes,
        len(segments),
        section_bytes,
        4,
        3,
    )
    return header + programs + contents + symbols + strings + names + sections


def firmware_bytes(start: int, stack_top: int, size_bytes: int = 3000) -> bytes:
    """Bytes that begin with a vector table (the stack's top, a reset vector inside); the rest varies."""
    body = bytes((i * 37 + (i >> 8) * 11) & 0xFF for i in range(size_bytes - 8))
    return struct.pack("<2I", stack_top, start + 9) + body


def write_firmware(path: Path, start: int, stack_top: int, size_bytes: int = 3000) -> bytes:
    """Writes an ELF of one segment to ``path`` and gives the segment's bytes."""
    data = firmware_bytes(start, stack_top, size_bytes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(elf_bytes([(start, data)]))
    return data
