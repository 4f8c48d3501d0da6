"""What is counted: the instructions from the entry of ``network_invoke`` to its return, by step of the network.

An emulator needs three things to count: where ``network_invoke`` begins and ends, where it returns to, and where each
step's function begins. A step includes the functions it calls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinyml.errors import BuildError
from tinyml.firmware.image import Image, Symbol
from tinyml.firmware.thumb import branch_target, decode, instruction_bytes

INVOKE = "network_invoke"
_STEP = re.compile(r"network_step_\d+")
_NONE, _INVOKE_BODY, _INVOKE_ENTRY, _RETURN_SITE, _FIRST_STEP = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class CountPoints:
    """``invoke`` is the function, ``returns`` the addresses after the calls of it, ``steps`` the step functions."""

    invoke: Symbol
    returns: tuple[int, ...]
    steps: tuple[Symbol, ...]


def count_points(image: Image) -> CountPoints:
    """Finds what to count in ``image``. Raises BuildError where it has no ``network_invoke`` or nothing calls it."""
    invoke = image.by_name.get(INVOKE)
    if invoke is None or invoke.kind != "STT_FUNC":
        raise BuildError(f"{image.path.name} has no function {INVOKE}, whose instructions are counted")
    returns = []
    for address, code in image.code_ranges():
        for instruction in decode(address, code):
            if branch_target(instruction) == (invoke.address, True):
                returns.append(instruction.address + instruction.size_bytes)
    if not returns:
        raise BuildError(f"nothing in {image.path.name} calls {INVOKE}")
    steps = tuple(function for function in image.functions if _STEP.fullmatch(function.name))
    return CountPoints(invoke, tuple(returns), steps)


class BlockCounter:
    """Counts basic blocks as an emulator enters them: the Python twin of ``native/block_counter.c``."""

    def __init__(self, code: bytes, base: int, points: CountPoints) -> None:
        self.code = code
        self.base = base
        self.names = [step.name for step in points.steps]
        self.slots = _slots(len(code), base, points)
        self.counts = [0] * (_FIRST_STEP + len(points.steps))
        self.current = _NONE
        self.windows = 0
        self.outside = 0
        self._instructions: dict[tuple[int, int], int] = {}

    def enter(self, address: int, size: int) -> None:
        """A block of ``size`` bytes at ``address`` is about to run."""
        if self.windows:
            return
        offset = address - self.base
        if not 0 <= offset <= len(self.code) - size:
            self.outside += self.current != _NONE
            return
        slot = self.slots[offset >> 1]
        if self.current == _NONE:
            if slot != _INVOKE_ENTRY:
                return
            self.current = _INVOKE_BODY
        elif slot == _RETURN_SITE:
            self.current = _NONE
            self.windows += 1
            return
        elif slot in (_INVOKE_BODY, _INVOKE_ENTRY):
            self.current = _INVOKE_BODY
        elif slot >= _FIRST_STEP:
            self.current = slot
        count = self._instructions.get((offset, size))
        if count is None:
            count = self._instructions[offset, size] = _count_instructions(self.code[offset : offset + size])
        self.counts[self.current] += count


def by_step(points: CountPoints, counts: list[int]) -> dict[str, int]:
    """Counts of ``network_invoke`` itself and of each step, by symbol. ``counts`` has them in that order."""
    return {INVOKE: counts[0]} | {step.name: count for step, count in zip(points.steps, counts[1:], strict=True)}


def slot_counts(counts: list[int]) -> list[int]:
    """``network_invoke``'s own count and each step's, out of the counts by slot."""
    return [counts[_INVOKE_BODY], *counts[_FIRST_STEP:]]


def _slots(size: int, base: int, points: CountPoints) -> list[int]:
    slots = [_NONE] * (size // 2 + 1)
    for address in range(points.invoke.address, points.invoke.address + points.invoke.size_bytes, 2):
        slots[(address - base) >> 1] = _INVOKE_BODY
    slots[(points.invoke.address - base) >> 1] = _INVOKE_ENTRY
    for address in points.returns:
        slots[(address - base) >> 1] = _RETURN_SITE
    for index, step in enumerate(points.steps):
        slots[(step.address - base) >> 1] = _FIRST_STEP + index
    return slots


def _count_instructions(code: bytes) -> int:
    position, count = 0, 0
    while position + 2 <= len(code):
        position += instruction_bytes(code[position] | code[position + 1] << 8)
        count += 1
    return count
