"""What the firmware is run on for the proof: the extremes and seeded random inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import DType, Graph, Tensor

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

    Integer inputs are drawn from their whole range; float inputs, which only stand before a QUANTIZE, from [-4, 4).
    """
    tensors = [graph.tensors[i] for i in graph.inputs]
    source = np.random.default_rng(seed)
    fixed = [
        Stimulus("lowest", tuple(_full(t, _limits(t)[0]) for t in tensors)),
        Stimulus("highest", tuple(_full(t, _limits(t)[1]) for t in tensors)),
        Stimulus("zero point", tuple(_full(t, _zero(t)) for t in tensors)),
    ]
    drawn = [Stimulus(f"random {i}", tuple(_draw(t, source) for t in tensors)) for i in range(random_count)]
    return fixed + drawn


def _limits(tensor: Tensor) -> tuple[float, float]:
    if tensor.dtype is DType.FLOAT32:
        return -4.0, 4.0
    if tensor.dtype is DType.BOOL:
        return 0, 1
    info = np.iinfo(tensor.dtype.numpy)
    return info.min, info.max


def _zero(tensor: Tensor) -> float:
    return tensor.zero_point if tensor.quant else 0


def _full(tensor: Tensor, value: float) -> Array:
    return np.full(tensor.shape, value, tensor.dtype.numpy)


def _draw(tensor: Tensor, source: np.random.Generator) -> Array:
    low, high = _limits(tensor)
    if tensor.dtype is DType.FLOAT32:
        return source.uniform(low, high, tensor.shape).astype(np.float32)
    return source.integers(int(low), int(high), tensor.shape, dtype=tensor.dtype.numpy, endpoint=True)
