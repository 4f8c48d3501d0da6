"""The compiled hooks of ``native/block_counter.c``: their state, and what they counted."""

from __future__ import annotations

import ctypes
from typing import Any

from tinyml.board import FlashCache
from tinyml.emulate.counting import FIRST_STEP, BlockCounter, BlockHits, step_of_slot
from tinyml.plan.instruction_mix import FlashMisses

_BLOCKS_A_HALFWORD = 4


class _Block(ctypes.Structure):
    """``struct block``."""

    _fields_ = (
        ("hits", ctypes.c_uint64),
        ("fell_through", ctypes.c_uint64),
        ("offset", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("slot", ctypes.c_uint32),
        ("next", ctypes.c_uint32),
    )


class _Cache(ctypes.Structure):
    """``struct flash_cache``."""

    _fields_ = (
        ("tags", ctypes.c_void_p),
        ("sets", ctypes.c_uint32),
        ("ways", ctypes.c_uint32),
        ("line_shift", ctypes.c_uint32),
        ("last", ctypes.c_uint32),
    )


class _State(ctypes.Structure):
    """``struct counter``."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("code_bytes", ctypes.c_uint64),
        ("slot", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("room", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
        ("current", ctypes.c_uint32),
        ("windows", ctypes.c_uint32),
        ("wanted", ctypes.c_uint32),
        ("outside", ctypes.c_uint64),
        ("lost", ctypes.c_uint64),
        ("previous", ctypes.c_uint32),
        ("simulated", ctypes.c_uint32),
        ("misses", ctypes.c_void_p),
        ("code_cache", _Cache),
        ("data_cache", _Cache),
    )


class NativeCounter:
    """Counts as :class:`~tinyml.emulate.counting.BlockCounter` does, by compiled functions.

    ``on_block`` and ``on_read`` are their addresses, ``state`` what an emulator has to pass to them.
    """

    def __init__(self, library: ctypes.CDLL, twin: BlockCounter, cache: FlashCache | None) -> None:
        halfwords = len(twin.slots)
        room = _BLOCKS_A_HALFWORD * halfwords
        slots = (ctypes.c_uint16 * halfwords)(*twin.slots)
        first = (ctypes.c_uint32 * halfwords)()
        self._blocks = (_Block * room)()
        self._misses = (ctypes.c_uint64 * (2 * max(FIRST_STEP, max(twin.slots) + 1)))()
        self._base, self._simulated = twin.base, cache is not None
        self.state = _State(
            twin.base, twin.code_size_bytes, _address(slots), _address(first), _address(self._blocks), room,
        )  # fmt: skip
        self.state.wanted = twin.wanted
        self._keep_alive: list[Any] = [library, slots, first]
        if cache is not None:
            self.state.simulated = 1
            self.state.misses = _address(self._misses)
            self.state.code_cache = self._cache(cache, cache.instruction_sets)
            self.state.data_cache = self._cache(cache, cache.data_sets)
        self.on_block = ctypes.cast(library.tinyml_count_block, ctypes.c_void_p)
        self.on_read = ctypes.cast(library.tinyml_count_read, ctypes.c_void_p)

    @property
    def windows(self) -> int:
        """How often ``network_invoke`` returned."""
        return int(self.state.windows)

    @property
    def finished(self) -> bool:
        """Whether one inference was counted."""
        return self.windows >= int(self.state.wanted)

    @property
    def outside(self) -> int:
        """Blocks of the network that were not in the image's code, or that there was no room for."""
        return int(self.state.outside + self.state.lost)

    def blocks(self) -> list[BlockHits]:
        """What ran."""
        used = (self._blocks[index] for index in range(self.state.used))
        return [BlockHits(step_of_slot(b.slot), self._base + b.offset, b.bytes, b.hits, b.fell_through) for b in used]

    def step_misses(self) -> dict[int, FlashMisses]:
        """Misses of the flash's caches by step; empty where they were not simulated."""
        slots = range(len(self._misses) // 2) if self._simulated else range(0)
        pairs = ((slot, self._misses[2 * slot], self._misses[2 * slot + 1]) for slot in slots)
        return {step_of_slot(slot): FlashMisses(code, data) for slot, code, data in pairs if code or data}

    def _cache(self, cache: FlashCache, sets: int) -> _Cache:
        tags = (ctypes.c_uint32 * max(sets * cache.ways, 1))()
        self._keep_alive.append(tags)
        return _Cache(_address(tags), sets, cache.ways, cache.line_bytes.bit_length() - 1, 0)


def _address(array: Any) -> ctypes.c_void_p:
    return ctypes.cast(array, ctypes.c_void_p)
