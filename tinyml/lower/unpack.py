"""Weights that carry little: packed in flash, expanded exactly by a step of their own before the layer that reads them.

Few distinct units (bytes, halfwords or words of the array as its kernel wants it) become codes into a palette; arrays
of mostly zeros become a mask and what is not zero. Biases and multipliers that a kernel has between its weights stay as
they are. Which arrays are worth it is the plan's choice (:mod:`tinyml.plan.packed_weights`); here is how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import DType, Graph, Tensor
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Pointers, Program, Role, Step, padded_bytes

KIND = "UNPACK"
HEADER = "tml_unpack.h"
Place = tuple[int, int]
"""A constant of a program: the step's index and the constant's in the step."""

_UNITS = {1: (1, 2, 4), 2: (1, 2, 4, 8), 4: (1, 2, 4, 8)}
"""The codes' bits for each size of a unit."""
_LEAST_CODED_PART = 0.5
_TABLE_NOISE = 24
"""Frequent values of a kernel's numbers between the weights that might displace those of the palette."""
_NEARLY_AS_SMALL = 0.02
_INSTRUCTIONS_A_WORD = {1: 35, 2: 24, 4: 13}
_INSTRUCTIONS_A_ZERO_WORD, _INSTRUCTIONS_A_MASK, _INSTRUCTIONS_A_VALUE = 5, 50, 17
"""Of the slowest core, ARMv6-M; a test holds them."""

Words = npt.NDArray[np.uint32]
Units = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A packed array: the kernel that expands it, its two constants and numbers, and what expanding takes at most."""

    kernel: str
    consts: tuple[Const, Const]
    ints: tuple[Int, ...]
    original: Const
    scheme: str
    instructions: int

    @property
    def size_bytes(self) -> int:
        """Bytes in flash."""
        return sum(padded_bytes(const) for const in self.consts)

    @property
    def saved_bytes(self) -> int:
        """Bytes of flash that the array takes less."""
        return padded_bytes(self.original) - self.size_bytes


@dataclass(frozen=True, slots=True)
class Runs:
    """Where codes stand among words: ``count`` runs of ``words`` words, and plain words around them."""

    count: int
    words: int
    before: int
    between: int
    after: int

    @property
    def coded(self) -> int:
        """Words in all runs."""
        return self.count * self.words

    def mask(self) -> npt.NDArray[np.bool_]:
        """For each word of the array whether it is in a run."""
        run = np.concatenate([np.ones(self.words, np.bool_), np.zeros(self.between, np.bool_)])
        middle = np.tile(run, self.count)[: self.count * (self.words + self.between) - self.between]
        return np.concatenate([np.zeros(self.before, np.bool_), middle, np.zeros(self.after, np.bool_)])


def pack_const(const: Const) -> Packed | None:
    """The smallest form of ``const``, or one nearly as small that expands faster; None where none is smaller."""
    words = words_of(const)
    found = [packed for packed in _forms(const, words) if packed.saved_bytes > 0]
    if not found:
        return None
    limit = min(packed.size_bytes for packed in found) + _NEARLY_AS_SMALL * const.size_bytes
    best = min((p for p in found if p.size_bytes <= limit), key=lambda p: (p.instructions, p.size_bytes))
    if not np.array_equal(expand(best), words):
        raise AssertionError(f"{const.suffix} does not expand to itself")
    return best


def words_of(const: Const) -> Words:
    """The constant's bytes as words, filled up with zeros."""
    content = np.ascontiguousarray(const.data).tobytes()
    return np.frombuffer(content + bytes(-len(content) % 4), "<u4").astype(np.uint32)


def _forms(const: Const, words: Words) -> Iterator[Packed]:
    for unit_bytes, widths in _UNITS.items():
        units = words.view(f"<u{unit_bytes}")
        values, counts = np.unique(units, return_counts=True)
        zeros = _mostly_zeros(const, units, unit_bytes)
        if zeros is not None:
            yield zeros
        order = np.argsort(-counts, kind="stable")
        for bits in widths:
            most = values[order[: (1 << bits) + _TABLE_NOISE]]
            if np.sort(counts)[::-1][: 1 << bits].sum() >= _LEAST_CODED_PART * len(units):
                coded = _codes(const, words, np.sort(most), unit_bytes, bits)
                if coded is not None:
                    yield coded
            if len(values) <= 1 << bits:
                break


def _mostly_zeros(const: Const, units: Units, unit_bytes: int) -> Packed | None:
    nonzero = units != 0
    if nonzero.mean() >= _LEAST_CODED_PART:
        return None
    bits = np.packbits(np.pad(nonzero, (0, -len(nonzero) % 32)), bitorder="little").view("<u4")
    masks = np.concatenate([[len(bits), len(units) * unit_bytes // 4], bits]).astype(np.uint32)
    values = units[nonzero] if nonzero.any() else units[:1]
    instructions = (
        len(units) * unit_bytes // 4 * _INSTRUCTIONS_A_ZERO_WORD
        + len(bits) * _INSTRUCTIONS_A_MASK
        + int(nonzero.sum()) * _INSTRUCTIONS_A_VALUE
    )
    consts = (Const("masks", masks, Role.WEIGHTS), Const("values", values.copy(), Role.WEIGHTS, align_bytes=unit_bytes))
    scheme = f"{100 * (1 - nonzero.mean()):.0f} % zeros as a mask of {_name(unit_bytes)}"
    return Packed("tml_unpack_zeros", consts, (Int("unit_bytes", unit_bytes),), const, scheme, instructions)


def _codes(const: Const, words: Words, frequent: Units, unit_bytes: int, bits: int) -> Packed | None:
    """Runs of the ``frequent`` values give the palette; what is frequent outside of them only is no part of it."""
    around = find_runs(_known(words, frequent), 4 // unit_bytes * bits)
    if around is None:
        return None
    values, counts = np.unique(words[around.mask()].view(frequent.dtype), return_counts=True)
    palette = np.sort(values[np.argsort(-counts, kind="stable")[: 1 << bits]])
    runs = find_runs(_known(words, palette), 4 // unit_bytes * bits)
    if runs is None:
        return None
    coded = runs.mask()
    places = np.searchsorted(palette, words.view(palette.dtype)).clip(0, len(palette) - 1)
    codes = places.reshape(len(words), -1)[coded].ravel().astype(np.uint64)
    rows = np.pad(codes, (0, -len(codes) % (32 // bits))).reshape(-1, 32 // bits)
    stream = (rows << (np.arange(32 // bits, dtype=np.uint64) * np.uint64(bits))).sum(axis=1).astype(np.uint32)
    head = [runs.count, runs.words, runs.before, runs.between, runs.after]
    packed = np.concatenate([np.array(head, np.uint32), words[~coded], stream])
    consts = (
        Const("codes", packed, Role.WEIGHTS),
        Const("palette", np.ascontiguousarray(palette), Role.WEIGHTS, align_bytes=unit_bytes),
    )
    ints = (Int("unit_bytes", unit_bytes), Int("code_bits", bits))
    scheme = f"{len(palette)} values of {_name(unit_bytes)} as {bits}-bit codes"
    return Packed("tml_unpack_codes", consts, ints, const, scheme, len(words) * _INSTRUCTIONS_A_WORD[unit_bytes])


def _known(words: Words, palette: Units) -> npt.NDArray[np.bool_]:
    """For each word whether all its units are in ``palette``."""
    return np.asarray(np.isin(words.view(palette.dtype), palette).reshape(len(words), -1).all(axis=1))


def _name(unit_bytes: int) -> str:
    return {1: "bytes", 2: "halfwords", 4: "words"}[unit_bytes]


def find_runs(known: npt.NDArray[np.bool_], bits_a_word: int) -> Runs | None:
    """The runs of words whose units are all in the palette that leave the fewest bits; None without a run.

    Kernels repeat a record of biases, weights and multipliers, so that runs are of one length at one distance: for
    every period that divides the array, the longest stretch of words that are known in each repetition.
    """
    size = len(known)
    if known.all():
        return Runs(1, size, 0, 0, 0)
    best: tuple[int, Runs] | None = None
    for period in (p for p in range(1, size + 1) if size % p == 0):
        columns = np.asarray(known.reshape(-1, period).all(axis=0))
        start, length = _longest(columns)
        if length == 0:
            continue
        runs = Runs(size // period, length, start, period - length, period - start - length)
        cost = 32 * (size - runs.coded) + bits_a_word * runs.coded
        if best is None or cost < best[0]:
            best = cost, runs
    return None if best is None else best[1]


def _longest(flags: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, ends = edges[0::2], edges[1::2]
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best] - starts[best])


def expand(packed: Packed) -> Words:
    """What the kernel makes of a packed array, as words: the check that nothing is lost."""
    numbers = {arg.name: arg.value for arg in packed.ints}
    first, second = (const.data for const in packed.consts)
    per_word = 4 // numbers["unit_bytes"]
    if packed.kernel == "tml_unpack_zeros":
        bits = np.unpackbits(first[2:].astype("<u4").view(np.uint8), bitorder="little").astype(np.bool_)
        units = np.zeros(int(first[1]) * per_word, second.dtype)
        chosen = bits[: len(units)]
        units[chosen] = second[: int(chosen.sum())]
        return units.view("<u4").astype(np.uint32)
    runs = Runs(*(int(n) for n in first[:5]))
    coded, width = runs.mask(), numbers["code_bits"]
    plain = len(coded) - runs.coded
    shifts = np.arange(32 // width, dtype=np.uint32) * np.uint32(width)
    codes = (first[5 + plain :, None] >> shifts) & np.uint32((1 << width) - 1)
    words = np.zeros(len(coded), np.uint32)
    words[~coded] = first[5 : 5 + plain]
    words[coded] = second[codes.ravel()[: runs.coded * per_word]].view("<u4")
    return words


def candidates(program: Program) -> dict[Place, Packed]:
    """The smaller form of every array of weights that has one and that a kernel takes by a pointer of its own.

    Where the input comes by rows, the steps of the first segment have no time to expand anything before it; a step that
    has another for rows left over keeps what both read.
    """
    found = {}
    fed = range(program.segments[0][1] + 1) if program.fed_by_rows and program.segments else range(0)
    for index, step in enumerate(program.steps):
        if index in fed or step.last is not None:
            continue
        in_lists = {item for arg in step.args if isinstance(arg, Pointers) for item in arg.items}
        for position, const in enumerate(step.consts):
            kept = const.role is not Role.WEIGHTS or ConstRef(position) in in_lists or not _has_type(const)
            packed = None if kept else pack_const(const)
            if packed is not None:
                found[index, position] = packed
    return found


def _has_type(const: Const) -> bool:
    return str(const.data.dtype) in {dtype.value for dtype in DType} and const.data.dtype.itemsize <= 4


def with_packed(program: Program, chosen: Mapping[Place, Packed]) -> Program:
    """The program with those of its constants packed: a step that expands each, before the step that reads it.

    Steps that run together by rows have theirs before the first of them, so that nothing is expanded for each row.
    """
    tensors, steps = list(program.graph.tensors), list[Step]()
    starts = {i: first for first, last in program.segments for i in range(first, last + 1)}
    readers: list[Step] = []
    unpacking: dict[int, list[Step]] = {}
    for index, step in enumerate(program.steps):
        taken = {position: packed for (at, position), packed in sorted(chosen.items()) if at == index}
        outputs = range(len(tensors), len(tensors) + len(taken))
        tensors += [_tensor(step, packed) for packed in taken.values()]
        before = unpacking.setdefault(starts.get(index, index), [])
        before += [_unpack_step(step, packed, o) for packed, o in zip(taken.values(), outputs, strict=True)]
        readers.append(_reading(step, list(taken), outputs) if taken else step)
    place: list[int] = []
    for index, reader in enumerate(readers):
        steps += unpacking.get(index, [])
        place.append(len(steps))
        steps.append(reader)
    segments = tuple((place[first], place[last]) for first, last in program.segments)
    return replace(program, graph=_grown(program.graph, tensors), steps=tuple(steps), segments=segments)


def _grown(graph: Graph, tensors: list[Tensor]) -> Graph:
    """The graph with more tensors, which are not the file's."""
    more = len(tensors) - len(graph.tensors)
    return replace(
        graph,
        tensors=tuple(tensors),
        source_tensors=(*graph.source_tensors, *(-1,) * more),
        source_channels=(*graph.source_channels, *(None,) * more) if graph.source_channels else (),
    )


def _reading(step: Step, positions: list[int], tensors: range) -> Step:
    """The step with tensors as further inputs in place of its constants at ``positions``."""
    expanded = {position: len(step.inputs) + i for i, position in enumerate(positions)}
    kept = [i for i in range(len(step.consts)) if i not in expanded]
    args = tuple(_moved(arg, expanded, kept) for arg in step.args)
    return replace(step, inputs=(*step.inputs, *tensors), args=args, consts=tuple(step.consts[i] for i in kept))


def _moved(arg: Arg, expanded: Mapping[int, int], kept: list[int]) -> Arg:
    match arg:
        case ConstRef(i):
            return In(expanded[i]) if i in expanded else ConstRef(kept.index(i))
        case Pointers(name, items):
            return Pointers(name, tuple(ConstRef(kept.index(i.index)) if isinstance(i, ConstRef) else i for i in items))
        case _:
            return arg


def _tensor(step: Step, packed: Packed) -> Tensor:
    data = packed.original.data
    elements = -(-data.nbytes // 4) * 4 // data.dtype.itemsize
    return Tensor(f"{step.name} {packed.original.suffix}", (elements,), DType(str(data.dtype)))


def _unpack_step(reader: Step, packed: Packed, output: int) -> Step:
    size, before = packed.size_bytes, padded_bytes(packed.original)
    return Step(
        name=f"{reader.name} {packed.original.suffix}",
        kind=KIND,
        kernel=packed.kernel,
        header=HEADER,
        inputs=(),
        outputs=(output,),
        args=(ConstRef(0), ConstRef(1), Out(0), *packed.ints),
        consts=packed.consts,
        reason=f"{packed.scheme}: {size:,} bytes of flash instead of {before:,}",
    )
