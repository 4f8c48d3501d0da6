"""Where the bytes of a linked firmware are: per memory region, and split into code, weights, arena and the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinyml.boards import Board
from tinyml.firmware.image import Image, Section, read_image
from tinyml.firmware.memory_map import LinkRegion, MemoryMap, memory_map

_WEIGHTS = re.compile(r"network_[a-z0-9_]+_\d{3}")
_ARENA = re.compile(r"network_arena(_\d+)?")


@dataclass(frozen=True, slots=True)
class RegionSize:
    """What the image takes of a region, gaps between sections included; the stack is not in it."""

    name: str
    kind: str
    available_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class FirmwareSizes:
    """The firmware's bytes.

    ``flash_bytes`` is all that is stored in flash: code, weights, other constants and the load image of ``.data``.
    ``bss_bytes`` leaves out the arena. ``functions`` and ``constants`` map symbols to bytes.
    """

    code_bytes: int
    weights_bytes: int
    constants_bytes: int
    data_bytes: int
    bss_bytes: int
    arena_bytes: int
    regions: tuple[RegionSize, ...]
    functions: dict[str, int]
    constants: dict[str, int]

    @property
    def flash_bytes(self) -> int:
        """Bytes in flash, the boot stage and gaps left out."""
        return self.code_bytes + self.weights_bytes + self.constants_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        """Bytes in RAM without the stack."""
        return self.data_bytes + self.bss_bytes + self.arena_bytes


def measure(elf: Path | Image, board: Board) -> FirmwareSizes:
    """Measures a firmware that was linked for ``board``'s own addresses or for those of one of its emulators.

    Raises BuildError where ``elf`` is not a firmware.
    """
    image = elf if isinstance(elf, Image) else read_image(elf)
    layout = image_map(image, board)
    code = sum(s.size_bytes for s in image.sections if s.has_data and _is_code(s) and not _in_boot2(s, layout))
    data = sum(s.size_bytes for s in image.sections if s.has_data and _in_ram(s, layout))
    read_only = sum(s.size_bytes for s in image.sections if s.has_data) - data - code
    read_only -= sum(s.size_bytes for s in image.sections if _in_boot2(s, layout))
    zeroed = sum(s.size_bytes for s in image.sections if not s.has_data)
    constants = {
        symbol.name: symbol.size_bytes
        for symbol in image.symbols
        if symbol.kind == "STT_OBJECT" and _WEIGHTS.fullmatch(symbol.name) and _in(layout.flash, symbol.address)
    }
    arena = sum(s.size_bytes for s in image.symbols if s.kind == "STT_OBJECT" and _ARENA.fullmatch(s.name))
    weights = sum(constants.values())
    return FirmwareSizes(
        code_bytes=code,
        weights_bytes=weights,
        constants_bytes=read_only - weights,
        data_bytes=data,
        bss_bytes=zeroed - arena,
        arena_bytes=arena,
        regions=tuple(
            RegionSize(region.name, region.kind, region.size_bytes, _used(image, region)) for region in layout.regions
        ),
        functions={function.name: function.size_bytes for function in image.functions},
        constants=constants,
    )


def image_map(image: Image, board: Board) -> MemoryMap:
    """The memory map that ``image`` was linked for: the board's, or an emulator's that differs from it."""
    vectors = image.address("tml_vectors")
    layouts = [memory_map(board), *(memory_map(board, e) for e in board.emulators if e.relocated)]
    return next((layout for layout in layouts if _in(layout.flash, vectors)), layouts[0])


def _is_code(section: Section) -> bool:
    return section.executable or section.name == ".vectors"


def _in_boot2(section: Section, layout: MemoryMap) -> bool:
    return layout.boot2 is not None and _in(layout.boot2, section.address)


def _in_ram(section: Section, layout: MemoryMap) -> bool:
    return any(region.kind == "ram" and _in(region, section.address) for region in layout.regions)


def _used(image: Image, region: LinkRegion) -> int:
    ends = [s.address + s.size_bytes for s in image.sections if _in(region, s.address)]
    ends += [s.load_address + len(s.data) for s in image.segments if s.data and _in(region, s.load_address)]
    return max(ends, default=region.origin) - region.origin


def _in(region: LinkRegion, address: int) -> bool:
    return region.origin <= address < region.origin + region.size_bytes
