"""What is counted: the instructions from the entry of ``network_invoke`` to its return, by step of the network.

An emulator needs three things to count: where ``network_invoke`` begins and ends, where it returns to, and where each
step's function begins. A step includes the functions it calls. The emulator says how often each basic block ran in
each step; which kinds of instructions that are is worked out from the image, once a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tinyml.board import FlashCache
from tinyml.errors import BuildError
from tinyml.firmware.image import Image, Symbol
from tinyml.firmware.thumb import branch_target, decode
from tinyml.firmware.thumb_kinds import block_kinds
from tinyml.plan.instruction_mix import FlashMisses, InstructionMix, Kind, total

INVOKE = "network_invoke"
_STEP = re.compile(r"(network_step_\d+)(_last)?")
_SEGMENT = re.compile(r"network_segment_\d+")
_NONE, _INVOKE_BODY, _INVOKE_ENTRY, _RETURN_SITE, _FIRST_STEP = 0, 1, 2, 3, 4
FIRST_STEP = _FIRST_STEP


@dataclass(frozen=True, slots=True)
class CountPoints:
    """``invoke`` is the function, ``returns`` the addresses after the calls of it, ``steps`` the step functions.

    ``segments`` are the functions in which steps take turns; they count for ``network_invoke`` itself.

    ``calls`` of the function make one inference: the rows of an input that comes row by row, else 1.
    """

    invoke: Symbol
    returns: tuple[int, ...]
    steps: tuple[Symbol, ...]
    calls: int = 1
    segments: tuple[Symbol, ...] = ()

    def name(self, step: int) -> str:
        """The symbol of ``step``, whose function for rows left over counts with it; 0 is ``network_invoke`` itself."""
        return self.steps[step - 1].name.removesuffix("_last") if step else INVOKE


@dataclass(frozen=True, slots=True)
class BlockHits:
    """How often a basic block ran in a step (0 is ``network_invoke`` itself), and how often the one behind it next."""

    step: int
    address: int
    size_bytes: int
    hits: int
    fell_through: int


def count_points(image: Image, calls: int = 1) -> CountPoints:
    """Finds what to count in ``image``, where ``calls`` of ``network_invoke`` are one inference.

    Raises BuildError where it has no ``network_invoke`` or nothing calls it.
    """
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
    segments = tuple(function for function in image.functions if _SEGMENT.fullmatch(function.name))
    return CountPoints(invoke, tuple(returns), steps, calls, segments)


def code_bytes(image: Image) -> tuple[int, bytes]:
    """All code of ``image`` as one stretch: its address and content, zeros where there is none."""
    code = [section for section in image.sections if section.executable and section.has_data]
    base = min(section.address for section in code)
    content = bytearray(max(section.address + section.size_bytes for section in code) - base)
    for section in code:
        content[section.address - base : section.address - base + section.size_bytes] = section.data
    return base, bytes(content)


class BlockCounter:
    """Counts basic blocks as an emulator enters them: the Python twin of ``native/block_counter.c``."""

    def __init__(self, code_size_bytes: int, base: int, points: CountPoints, cache: FlashCache | None = None) -> None:
        self.code_size_bytes = code_size_bytes
        self.base = base
        self.slots = _slots(code_size_bytes, base, points)
        self.wanted = points.calls
        self.current = _NONE
        self.windows = 0
        self.outside = 0
        self.misses: dict[int, list[int]] = {}
        self._hits: dict[tuple[int, int, int], list[int]] = {}
        self._previous: tuple[int, list[int]] | None = None
        self._code_cache = _Cache(cache.line_bytes, cache.instruction_sets, cache.ways) if cache else None
        self._data_cache = _Cache(cache.line_bytes, cache.data_sets, cache.ways) if cache else None

    @property
    def finished(self) -> bool:
        """Whether one inference was counted."""
        return self.windows >= self.wanted

    def enter(self, address: int, size: int) -> None:
        """A block of ``size`` bytes at ``address`` is about to run."""
        if self.finished:
            return
        offset = address - self.base
        if not 0 <= offset <= self.code_size_bytes - size:
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
            self._previous = None
            return
        elif slot in (_INVOKE_BODY, _INVOKE_ENTRY):
            self.current = _INVOKE_BODY
        elif slot >= _FIRST_STEP:
            self.current = slot
        if self._previous is not None and self._previous[0] == offset:
            self._previous[1][1] += 1
        entry = self._hits.setdefault((self.current, offset, size), [0, 0])
        entry[0] += 1
        self._previous = (offset + size, entry)
        if self._code_cache:
            self._missed()[0] += self._code_cache.use(address, address + size - 1)

    def read(self, address: int, size: int) -> None:
        """``size`` bytes of the flash are read as data."""
        if self._data_cache and self.current != _NONE and not self.finished:
            self._missed()[1] += self._data_cache.use(address, address + size - 1)

    def blocks(self) -> list[BlockHits]:
        """What ran."""
        return [
            BlockHits(step_of_slot(slot), self.base + offset, size, hits, fell_through)
            for (slot, offset, size), (hits, fell_through) in self._hits.items()
        ]

    def step_misses(self) -> dict[int, FlashMisses]:
        """Misses of the flash's caches by step; empty where they were not simulated."""
        return {step_of_slot(slot): FlashMisses(*pair) for slot, pair in self.misses.items()}

    def _missed(self) -> list[int]:
        return self.misses.setdefault(self.current, [0, 0])


class _Cache:
    """The Python twin of ``native/flash_cache.h``."""

    def __init__(self, line_bytes: int, sets: int, ways: int) -> None:
        self.line_bytes, self.ways = line_bytes, ways
        self.sets: list[list[int]] = [[] for _ in range(sets)]
        self.last: int | None = None

    def use(self, first: int, last: int) -> int:
        misses = 0
        for line in range(first // self.line_bytes, last // self.line_bytes + 1):
            if line == self.last:
                continue
            self.last = line
            lines = self.sets[line % len(self.sets)] if self.sets else []
            if line in lines:
                lines.remove(line)
            else:
                misses += 1
            lines.insert(0, line)
            del lines[self.ways :]
        return misses


def step_of_slot(slot: int) -> int:
    """The step that a slot counts for: 0 is ``network_invoke`` itself."""
    return max(slot - _FIRST_STEP + 1, 0)


def mixes(
    points: CountPoints,
    blocks: Iterable[BlockHits],
    code: Callable[[int, int], bytes],
    misses: Mapping[int, FlashMisses] | None = None,
) -> dict[str, InstructionMix]:
    """What ``network_invoke`` itself and each step executed, by symbol.

    ``code`` gives the bytes at (address, size); ``misses`` is None where the caches were not simulated.
    """
    counts: list[dict[Kind, int]] = [{} for _ in range(len(points.steps) + 1)]
    known: dict[tuple[int, int], tuple[dict[Kind, int], bool]] = {}
    for block in blocks:
        key = block.address, block.size_bytes
        if key not in known:
            known[key] = block_kinds(block.address, code(*key))
        kinds, branches = known[key]
        sums = counts[block.step]
        for kind, times in kinds.items():
            sums[kind] = sums.get(kind, 0) + times * block.hits
        if branches and block.hits > block.fell_through:
            sums[Kind.REFILL] = sums.get(Kind.REFILL, 0) + block.hits - block.fell_through
    found: dict[str, InstructionMix] = {}
    for step, sums in enumerate(counts):
        mix = InstructionMix(sums, None if misses is None else misses.get(step, FlashMisses()))
        name = points.name(step)
        found[name] = total((found[name], mix)) if name in found else mix
    return found


def _slots(size: int, base: int, points: CountPoints) -> list[int]:
    slots = [_NONE] * (size // 2 + 1)
    for body in (points.invoke, *points.segments):
        for address in range(body.address, body.address + body.size_bytes, 2):
            slots[(address - base) >> 1] = _INVOKE_BODY
    slots[(points.invoke.address - base) >> 1] = _INVOKE_ENTRY
    for address in points.returns:
        slots[(address - base) >> 1] = _RETURN_SITE
    for index, step in enumerate(points.steps):
        slots[(step.address - base) >> 1] = _FIRST_STEP + index
    return slots
