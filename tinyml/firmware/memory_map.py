"""The memory map an image is linked for: the board's own, or an emulated machine's that differs from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tinyml.boards import Board, Emulator, MemoryRegion

_RELOCATED_ALIGN_BYTES = 4096


@dataclass(frozen=True, slots=True)
class LinkRegion:
    """One line of the linker script's MEMORY: what the image may use of a region, reserved parts taken off."""

    name: str
    kind: str
    origin: int
    size_bytes: int
    section: str


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """The primary flash and RAM, the other regions by section, and the RP2040's second boot stage before the flash."""

    flash: LinkRegion
    ram: LinkRegion
    extra: tuple[LinkRegion, ...]
    boot2: LinkRegion | None

    @property
    def regions(self) -> tuple[LinkRegion, ...]:
        """All regions, flash and RAM first."""
        boot2 = () if self.boot2 is None else (self.boot2,)
        return (self.flash, self.ram, *self.extra, *boot2)


def memory_map(board: Board, emulator: Emulator | None = None) -> MemoryMap:
    """The map of ``board``, moved to ``emulator``'s addresses where its machine lies elsewhere.

    Sizes stay the board's, so that what links for the emulator fits the board. Of a relocated image the other RAMs lie
    behind the primary one; other flash and the boot stage, which the machine does not have, are left out.
    """
    flash, ram = board.flash, board.ram
    if emulator is not None and emulator.relocated:
        flash_origin = flash.start if emulator.flash_origin is None else emulator.flash_origin
        ram_origin = ram.start if emulator.ram_origin is None else emulator.ram_origin
        return MemoryMap(
            LinkRegion("FLASH", "flash", flash_origin, flash.available_bytes, "text"),
            LinkRegion("RAM", "ram", ram_origin, ram.available_bytes, "bss"),
            _behind(ram_origin + ram.available_bytes, board),
            None,
        )
    boot2 = None
    if board.family == "rp2040":
        boot2 = LinkRegion("BOOT2", "flash", flash.origin, flash.reserved_start_bytes, "boot2")
    return MemoryMap(
        LinkRegion("FLASH", "flash", flash.start, flash.available_bytes, "text"),
        LinkRegion("RAM", "ram", ram.start, ram.available_bytes, "bss"),
        tuple(_extra(region) for region in board.regions if region not in (flash, ram)),
        boot2,
    )


def _behind(start: int, board: Board) -> tuple[LinkRegion, ...]:
    """The RAMs of ``board`` besides the primary one, one after the other from ``start`` on."""
    found = []
    for region in board.regions:
        if region.kind == "ram" and region != board.ram:
            origin = -(-start // _RELOCATED_ALIGN_BYTES) * _RELOCATED_ALIGN_BYTES
            found.append(replace(_extra(region), origin=origin))
            start = origin + region.available_bytes
    return tuple(found)


def section_name(region: MemoryRegion) -> str:
    """The section that places an object in another region than the primary ones: ``region_`` and its name."""
    return "region_" + re.sub(r"[^a-z0-9]", "_", region.name.lower())


def arena_sections(board: Board) -> dict[str, str]:
    """The section of every RAM region of ``board`` but the primary one, whose objects need none."""
    return {r.name: section_name(r) for r in board.regions if r.kind == "ram" and r != board.ram}


def _extra(region: MemoryRegion) -> LinkRegion:
    name = re.sub(r"[^A-Za-z0-9_]", "_", region.name)
    name += "_2" if name in ("FLASH", "RAM", "BOOT2") else ""
    return LinkRegion(name, region.kind, region.start, region.available_bytes, section_name(region))
