"""What of a firmware goes into a board's flash: its bytes by address, checked against the board, as .bin, .hex or UF2.

Every tool is given a file made here from what was checked, never one that lay beside the ELF.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from tinyml.boards import Board, MemoryRegion
from tinyml.errors import BoardError, DoesNotFitError
from tinyml.firmware.image import Segment, read_image
from tinyml.firmware.memory_map import memory_map

ERASED = 0xFF
HEX_LINE_BYTES = 16
UF2_PAYLOAD_BYTES = 256
UF2_SECTOR_BYTES = 4096
_UF2_MAGIC_START_0, _UF2_MAGIC_START_1, _UF2_MAGIC_END = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_UF2_FAMILY_ID_PRESENT = 0x2000


@dataclass(frozen=True, slots=True)
class FlashImage:
    """Contiguous bytes from ``address``; gaps between the ELF's segments hold 0xFF, as erased flash does."""

    address: int
    data: bytes
    board: str

    @property
    def end(self) -> int:
        """The first address after the image."""
        return self.address + len(self.data)

    def to_hex(self) -> bytes:
        """Intel HEX (Intel, Hexadecimal Object File Format Specification, revision A, 1988) with type 4 addresses."""
        lines: list[str] = []
        upper, start = None, 0
        while start < len(self.data):
            here = self.address + start
            if here >> 16 != upper:
                upper = here >> 16
                lines.append(_hex_record(0, 4, struct.pack(">H", upper)))
            stop = min(start + HEX_LINE_BYTES, (upper + 1 << 16) - self.address)
            lines.append(_hex_record(here & 0xFFFF, 0, self.data[start:stop]))
            start = stop
        return ("\n".join([*lines, _hex_record(0, 1, b"")]) + "\n").encode("ascii")

    def to_uf2(self, family: int) -> bytes:
        """UF2 (Microsoft, USB Flashing Format) of 256-byte blocks for the chips of ``family``.

        Whole sectors of 4,096 bytes are written: RP2040's boot ROM erases a sector at its first block only
        (RP2040 datasheet, errata E14).
        """
        first = self.address - self.address % UF2_SECTOR_BYTES
        padded = bytes([ERASED]) * (self.address - first) + self.data
        padded += bytes([ERASED]) * (-len(padded) % UF2_SECTOR_BYTES)
        count = len(padded) // UF2_PAYLOAD_BYTES
        blocks = []
        for number in range(count):
            start = number * UF2_PAYLOAD_BYTES
            header = struct.pack(
                "<8I",
                _UF2_MAGIC_START_0,
                _UF2_MAGIC_START_1,
                _UF2_FAMILY_ID_PRESENT,
                first + start,
                UF2_PAYLOAD_BYTES,
                number,
                count,
                family,
            )
            payload = padded[start : start + UF2_PAYLOAD_BYTES].ljust(476, b"\0")
            blocks.append(header + payload + struct.pack("<I", _UF2_MAGIC_END))
        return b"".join(blocks)


def _hex_record(address: int, kind: int, data: bytes) -> str:
    body = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}"


def load_flash_image(elf: Path, board: Board) -> FlashImage:
    """Reads ``elf`` and checks that it may be written to ``board``.

    Raises BuildError where it is no firmware; BoardError where it is linked for other addresses or for more RAM than
    the board has, or touches what is reserved (the bootloader); DoesNotFitError where it is larger than the flash.
    """
    segments = sorted((s for s in read_image(elf).segments if s.data), key=lambda segment: segment.load_address)
    if not segments:
        raise BoardError(f"{elf} holds no bytes for a flash", hint="is it a firmware's ELF?")
    for segment in segments:
        _check_segment(segment, board, elf)
    address = segments[0].load_address
    data = bytearray()
    for segment in segments:
        gap = segment.load_address - address - len(data)
        if gap < 0:
            raise BoardError(f"{elf} holds two contents for {segment.load_address:#010x}", hint="build it again")
        data += bytes([ERASED]) * gap + segment.data
    image = FlashImage(address, bytes(data), board.name)
    _check_stack_pointer(image, board, elf)
    return image


def _check_segment(segment: Segment, board: Board, elf: Path) -> None:
    start, end = segment.load_address, segment.load_address + len(segment.data)
    usable = [(r.origin, r.origin + r.size_bytes) for r in memory_map(board).regions if r.kind == "flash"]
    if any(low <= start and end <= high for low, high in usable):
        return
    region = next((r for r in board.regions if r.kind == "flash" and _overlap(r, start, end)), None)
    if region is None:
        raise BoardError(
            f"{elf.name} is linked for {start:#010x}, but the flash of {board.name} is at {board.flash.origin:#010x}",
            hint=f"build it for the board: `tinyml build --board {board.name}`",
        )
    if _touches_reserved(region, start, end, usable):
        raise BoardError(
            f"{elf.name} would overwrite {start:#010x} to {end - 1:#010x}, which {board.name} keeps for "
            f"{region.reserved_for}",
            hint=f"nothing was written; firmware for this board starts at {region.start:#010x}",
        )
    excess = end - region.origin - region.size_bytes
    raise DoesNotFitError(
        f"{elf.name} is {excess:,} bytes too large for {region.name} of {board.name}",
        hint="take a smaller model, or a board with more flash; `tinyml check` shows where the bytes go",
    )


def _overlap(region: MemoryRegion, start: int, end: int) -> bool:
    return start < region.origin + region.size_bytes and end > region.origin


def _touches_reserved(region: MemoryRegion, start: int, end: int, usable: list[tuple[int, int]]) -> bool:
    """Whether a byte of the segment lies inside the region, but in no part that a firmware may use."""
    inside = range(max(start, region.origin), min(end, region.origin + region.size_bytes))
    covered = sum(max(0, min(high, inside.stop) - max(low, inside.start)) for low, high in usable)
    return covered < len(inside)


def _check_stack_pointer(image: FlashImage, board: Board, elf: Path) -> None:
    """The vector table begins with the top of the stack, which is in RAM (ARMv7-M ARM, B1.5.3)."""
    offset = max(board.flash.start - image.address, 0)
    if len(image.data) < offset + 8:
        raise BoardError(f"{elf.name} is too short to hold a vector table", hint="is it a firmware's ELF?")
    stack_pointer, reset = struct.unpack_from("<2I", image.data, offset)
    in_ram = any(r.origin < stack_pointer <= r.origin + r.size_bytes for r in board.regions if r.kind == "ram")
    if not in_ram or not reset & 1:
        raise BoardError(
            f"{elf.name} starts with stack pointer {stack_pointer:#010x} and reset vector {reset:#010x}: "
            f"that is no firmware for {board.name}, whose RAM is at {board.ram.origin:#010x}",
            hint=f"build it for the board: `tinyml build --board {board.name}`",
        )
