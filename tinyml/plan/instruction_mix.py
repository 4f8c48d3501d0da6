"""Of what kinds the executed instructions are: what an emulator counts and the cycle model multiplies."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


class Kind(enum.Enum):
    """Kinds of instructions that the core manuals give one timing each; the last group are events beside them.

    ``LOAD_NEXT`` is a single load right behind another load, whose address phase the first one hides.
    ``LOAD_MULTIPLE`` and ``STORE_MULTIPLE`` (LDM, LDRD, POP, VLDM and their twins) come with one ``WORD`` a register.
    ``REFILL`` is a branch that was taken, ``VECTOR_OVERLAP`` a vector instruction whose predecessor is a vector
    instruction of the other sort (memory or arithmetic).
    """

    ALU = "alu"
    MULTIPLY = "multiply"
    MULTIPLY_ADD = "multiply_add"
    SIMD_MULTIPLY = "simd_multiply"
    LONG_MULTIPLY = "long_multiply"
    LONG_MULTIPLY_ADD = "long_multiply_add"
    DIVIDE = "divide"
    LOAD = "load"
    LOAD_NEXT = "load_next"
    STORE = "store"
    LOAD_MULTIPLE = "load_multiple"
    STORE_MULTIPLE = "store_multiple"
    BRANCH = "branch"
    CALL = "call"
    LOOP = "loop"
    SYSTEM = "system"
    FLOAT = "float"
    FLOAT_DIVIDE = "float_divide"
    VECTOR = "vector"
    VECTOR_MEMORY = "vector_memory"

    WORD = "word"
    REFILL = "refill"
    VECTOR_OVERLAP = "vector_overlap"


EVENTS = frozenset({Kind.WORD, Kind.REFILL, Kind.VECTOR_OVERLAP})
"""Kinds that are no instructions of their own."""


@dataclass(frozen=True, slots=True)
class FlashMisses:
    """Lines that the caches between core and flash had to fetch, for code and for data."""

    instruction: int = 0
    data: int = 0


@dataclass(frozen=True, slots=True)
class InstructionMix:
    """How often each kind was executed, and what missed the flash's caches (None where they were not simulated)."""

    counts: Mapping[Kind, int] = field(default_factory=dict)
    misses: FlashMisses | None = None

    @property
    def instructions(self) -> int:
        """All of them, without the events."""
        return sum(count for kind, count in self.counts.items() if kind not in EVENTS)


def total(mixes: Iterable[InstructionMix]) -> InstructionMix:
    """The sum of ``mixes``; its misses are None where one of them has none."""
    counts: dict[Kind, int] = {}
    instruction = data = 0
    known = True
    for mix in mixes:
        for kind, count in mix.counts.items():
            counts[kind] = counts.get(kind, 0) + count
        known = known and mix.misses is not None
        if mix.misses is not None:
            instruction, data = instruction + mix.misses.instruction, data + mix.misses.data
    return InstructionMix(counts, FlashMisses(instruction, data) if known else None)
