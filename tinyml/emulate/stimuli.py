"""What the firmware is run on for the proof: the extremes and seeded random inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import DType, Graph, Tensor
from tinyml.graph.limits import input_limits

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Stimulus:
    """One set of network inputs: an array for each, of that input's shape and dtype, and a name for reports."""

    name: str
    arrays: tuple[Array, ...]

    @property
    def content(self) -> bytes:
        """All inputs one after the other, as ``network_run`` takes them."""
        return b"".join(np.ascontiguousarray(a).tobytes() for a in self.arrays)


def proof_stimuli(graph: Graph, random_count: int, seed: int = 0) -> list[Stimulus]:
    """The lowest, the highest and the all-zero-point input, then ``random_count`` seeded uniform ones.

    Values are drawn from all that an input may have: :func:`~tinyml.graph.limits.input_limits`.
    """
    tensors = [graph.tensors[i] for i in graph.inputs]
    limits = input_limits(graph)
    source = np.random.default_rng(seed)
    both = list(zip(tensors, limits, strict=True))
    fixed = [
        Stimulus("lowest", tuple(_full(t, low) for t, (low, _) in both)),
        Stimulus("highest", tuple(_full(t, high) for t, (_, high) in both)),
        Stimulus("zero point", tuple(_full(t, min(max(_zero(t), low), high)) for t, (low, high) in both)),
    ]
    drawn = [Stimulus(f"random {i}", tuple(_draw(t, limit, source) for t, limit in both)) for i in range(random_count)]
    return fixed + drawn


def _zero(tensor: Tensor) -> float:
    return tensor.zero_point if tensor.quant else 0


def _full(tensor: Tensor, value: float) -> Array:
    return np.full(tensor.shape, value, tensor.dtype.numpy)


def _draw(tensor: Tensor, limits: tuple[float, float], source: np.random.Generator) -> Array:
    low, high = limits
    if tensor.dtype is DType.FLOAT32:
        return source.uniform(low, high, tensor.shape).astype(np.float32)
    return source.integers(int(low), int(high), tensor.shape, dtype=tensor.dtype.numpy, endpoint=True)
