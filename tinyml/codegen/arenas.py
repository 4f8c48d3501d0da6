"""The arrays that make up the arena: one, or one a memory region where the plan spreads over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyml.plan.planner import Arena, Plan


@dataclass(frozen=True, slots=True)
class ArenaArray:
    """One array: its name, the macros for its size and attributes, and the linker section it goes to by itself."""

    symbol: str
    attributes_macro: str
    size_macro: str
    start: int
    size_bytes: int
    region: str
    section: str


@dataclass(frozen=True, slots=True)
class ArenaArrays:
    """All arrays of a network, by the offsets they hold; offsets of the plan run through them without a gap."""

    arrays: tuple[ArenaArray, ...]

    def at(self, offset: int) -> str:
        """C for the address of ``offset``."""
        array = next(a for a in reversed(self.arrays) if a.start <= offset)
        return f"{array.symbol} + {offset - array.start}"

    @property
    def address(self) -> str:
        """C for the address of a macro's parameter ``offset``: a constant expression picks the array."""
        text = _from_start(self.arrays[-1])
        for array, following in zip(reversed(self.arrays[:-1]), reversed(self.arrays[1:]), strict=True):
            text = f"((offset) < {following.start} ? {_from_start(array)} : {text})"
        return text


def arena_arrays(plan: Plan, prefix: str, sections: Mapping[str, str]) -> ArenaArrays:
    """The arrays of ``plan``; ``sections`` has the linker section of every memory region but the primary RAM."""
    parts: Sequence[Arena] = plan.arenas or (Arena("", 0, max(plan.arena_bytes, 1)),)
    name = prefix.upper()
    return ArenaArrays(
        tuple(
            ArenaArray(
                symbol=f"{prefix}_arena{_suffix(i)}",
                attributes_macro=f"{name}_ARENA{_suffix(i)}_ATTRIBUTES",
                size_macro=f"{name}_ARENA_BYTES" if len(parts) == 1 else f"{name}_ARENA_{i}_BYTES",
                start=part.start,
                size_bytes=part.size_bytes,
                region=part.region,
                section=sections.get(part.region, ""),
            )
            for i, part in enumerate(parts)
        )
    )


def _suffix(index: int) -> str:
    return f"_{index}" if index else ""


def _from_start(array: ArenaArray) -> str:
    return f"{array.symbol} + (offset)" if array.start == 0 else f"{array.symbol} + ((offset) - {array.start})"
