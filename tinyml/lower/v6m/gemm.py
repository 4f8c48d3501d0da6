"""Three output channels in two words: the weights of ``tml_gemm_v6m.h``, the bound to prove, and where words lie.

The words of channels A, B, C are ``a + (c << 21)`` and ``b + (c << 10)`` modulo 2^32. Sums of products come back
exactly while A and B fit 21 bits and C fits 22, less the 2^10 that its lower half may borrow from the upper; K is cut
in equal parts where they would not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinyml.graph.ir import Graph, Op, Tensor
from tinyml.lower.program import Const, Optimize, Role, Target
from tinyml.lower.v6m.lines import Ints64
from tinyml.lower.v6m.requant import raw_range

_LIMIT_AB, _LIMIT_C, _BORROW = 1 << 20, 1 << 21, 1 << 10
MOST_PARTS = 64


@dataclass(frozen=True, slots=True)
class Placement:
    """How a layer's weights are stored, and why."""

    in_bytes: bool
    scratch_bytes: int
    reason: str


def parts_of(weights: Ints64) -> int | None:
    """Into how many parts K is cut so that each part's sums unpack exactly; None where even many do not help.

    The sums are bounded at their exact extremes, channel by channel. A part's are no less than their mean over all.
    """
    (least, most), (low, high) = _limits(len(weights)), raw_range(weights)
    fewest = max(1, int(np.max(high // most)) + 1, int(np.max(-(low // -least))))
    return next((n for n in range(fewest, min(MOST_PARTS, weights.shape[1]) + 1) if unpacks(weights, n)), None)


def _limits(channels: int) -> tuple[Ints64, Ints64]:
    """The least sum of each channel that unpacks, and the first one that no longer does."""
    third = np.arange(channels) % 3 == 2
    return np.where(third, -_LIMIT_C, -_LIMIT_AB), np.where(third, _LIMIT_C - _BORROW, _LIMIT_AB)


def unpacks(weights: Ints64, parts: int) -> bool:
    """Whether each part's sums unpack exactly when K is cut in so many ``parts``."""
    least, most = _limits(len(weights))
    ranges = [raw_range(part) for part in np.split(filled(weights, parts), parts, axis=1)]
    return all(bool((low >= least).all() and (high < most).all()) for low, high in ranges)


def why_no_parts(weights: Ints64) -> str | None:
    """Why the sums of ``weights`` unpack in no number of parts; None where they do."""
    return None if parts_of(weights) is not None else why_too_large(weights)


def why_too_large(weights: Ints64) -> str:
    """The largest sum, which unpacks in no number of parts."""
    low, high = raw_range(weights)
    most = int(max(high.max(), -low.min()))
    return f"sums may reach {most:,}, which unpack below 2^20 in at most {MOST_PARTS} parts"


def filled(weights: Ints64, parts: int) -> Ints64:
    """The weights [channels, inputs] with zeros up to a multiple of ``parts`` inputs."""
    return np.pad(weights, ((0, 0), (0, -weights.shape[1] % parts)))


def groups(weights: Ints64) -> list[Ints64]:
    """The weights [inputs, n] of each group of three channels, and of the one or two that are left."""
    return [weights[c : c + 3].T for c in range(0, len(weights), 3)]


def pack(weights: Ints64, in_bytes: bool) -> Const:
    """The weights as words, or as bytes that the kernel expands."""
    if in_bytes:
        flat = np.concatenate([group.ravel() for group in groups(weights)])
        return Const("weights", flat.astype(np.int8), Role.WEIGHTS)
    streams = []
    for group in groups(weights):
        c = group[:, 2] if group.shape[1] == 3 else np.zeros(len(group), np.int64)
        words = np.stack([group[:, 0] + (c << 21), (group[:, 1] if group.shape[1] > 1 else c) + (c << 10)], axis=1)
        streams.append((words if group.shape[1] > 1 else words[:, :1]).ravel())
    return Const("weights", (np.concatenate(streams) & 0xFFFFFFFF).astype(np.uint32), Role.WEIGHTS)


def word_bytes(channels: int, depth: int) -> int:
    """Bytes of the weights as words."""
    return 4 * depth * (channels // 3 * 2 + channels % 3)


def place(graph: Graph, op: Op, target: Target, channels: int, depth: int) -> Placement:
    """Whether the weights are words in flash, 8/3 bytes each, or bytes that are expanded to scratch once a call."""
    words = word_bytes(channels, depth)
    if target.optimize is Optimize.SPEED or target.by_rows:
        return Placement(False, 0, f"weights as words: {words:,} bytes of flash instead of {channels * depth:,}")
    own = live_bytes(graph, op) + words + 12 * depth
    peak = peak_of_others(graph, op)
    if target.optimize is Optimize.SIZE or own <= peak:
        why = "where other layers need more memory" if own <= peak else "for the least flash"
        return Placement(True, words, f"weights as bytes, expanded to {words:,} bytes of scratch {why}")
    return Placement(
        False, 0, f"weights as words in flash: expanding them would need {own:,} bytes of memory, other layers {peak:,}"
    )


def peak_of_others(graph: Graph, op: Op) -> int:
    """The most activations that any other op has at once: scratch below that costs no memory."""
    found = zip(graph.ops, _live_bytes_of_all(graph), strict=True)
    return max((size for other, size in found if other is not op), default=0)


@lru_cache(maxsize=2)
def _live_bytes_of_all(graph: Graph) -> tuple[int, ...]:
    return tuple(live_bytes(graph, op) for op in graph.ops)


def live_bytes(graph: Graph, op: Op) -> int:
    """Activations that exist while ``op`` runs, an output that can lie over its input counted with it."""
    now = next(i for i, other in enumerate(graph.ops) if other is op)
    made = {t: i for i, other in enumerate(graph.ops) for t in other.outputs}
    read = {t: i for i, other in enumerate(graph.ops) for t in other.inputs if t >= 0}
    total = 0
    for index, tensor in enumerate(graph.tensors):
        known = index in made or index in graph.inputs
        last = len(graph.ops) if index in graph.outputs else read.get(index, -1)
        if known and tensor.data is None and made.get(index, -1) <= now <= last:
            total += _bytes(tensor)
    source, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    pointwise = op.kind == "CONV_2D" and graph.tensor(op.inputs[1]).shape[1:3] == (1, 1)
    over = pointwise or op.kind in ("DEPTHWISE_CONV_2D", "ADD", "SUB", "RESHAPE")
    return total - _bytes(output) if over and _bytes(output) <= _bytes(source) else total


def _bytes(tensor: Tensor) -> int:
    return tensor.elements * int(np.dtype(tensor.dtype.numpy).itemsize)
