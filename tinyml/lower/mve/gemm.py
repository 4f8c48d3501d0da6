"""Weight streams of ``tml_gemm_mve`` (four channels) and ``tml_fully_connected_mve`` (eight channels)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.lower.mve.product import Ints64, Product
from tinyml.lower.program import Const, Role

LANES = 16
_ALIGN_BYTES = 16
_EVEN_ODD = [0, 2, 4, 6, 1, 3, 5, 7]


def vectors_of(depth: int) -> int:
    """Vectors of 16 inputs that hold ``depth``."""
    return -(-depth // LANES)


def channel_groups(channels: int, size: int) -> list[list[int]]:
    """Channels in groups of ``size``: the last group overlaps; with fewer than ``size`` the last channel repeats."""
    if channels < size:
        return [[min(i, channels - 1) for i in range(size)]]
    starts = [min(c, channels - size) for c in range(0, channels, size)]
    return [list(range(start, start + size)) for start in starts]


def lanes_of(weights: Ints64) -> npt.NDArray[np.int8]:
    """Weights [channels, inputs] as [vectors, channels, 16], filled up with zeros."""
    channels, depth = weights.shape
    vectors = vectors_of(depth)
    filled = np.pad(weights, ((0, 0), (0, vectors * LANES - depth))).astype(np.int8)
    return filled.reshape(channels, vectors, LANES).transpose(1, 0, 2)


def stream(parts: list[npt.NDArray[Any]]) -> Const:
    """One constant of bytes from arrays of int8 and int32 in turn."""
    data = np.frombuffer(b"".join(np.ascontiguousarray(part).tobytes() for part in parts), np.int8)
    return Const("weights", data, Role.WEIGHTS, align_bytes=_ALIGN_BYTES)


def pack_fours(product: Product) -> Const:
    """For each four channels biases, multipliers, shifts, weights."""
    parts: list[npt.NDArray[Any]] = []
    for group in channel_groups(len(product.weights), 4):
        parts += [words[group].astype(np.int32) for words in (product.bias, product.multiplier, product.shift)]
        parts.append(lanes_of(product.weights[group]))
    return stream(parts)


def places(channels: int, pitch: int) -> Const:
    """Where the eight results of a block go: pixel 0 and 1, ``pitch`` bytes apart, of each channel in turn."""
    group = channel_groups(channels, 4)[0]
    offsets = [c + pixel * pitch for c in group for pixel in (0, 1)]
    return Const("places", np.array(offsets, np.uint16), Role.TABLE)


def uniform_scale(product: Product) -> tuple[int, int] | None:
    """Multiplier and shift where all channels have the same."""
    scales = set(zip(product.multiplier.tolist(), product.shift.tolist(), strict=True))
    return scales.pop() if len(scales) == 1 else None


def pack_eights(product: Product) -> Const:
    """For each eight channels weights and biases and, where they differ, multipliers and shifts."""
    channels = len(product.weights)
    words = [product.bias]
    if uniform_scale(product) is None:
        words += [product.multiplier, product.shift]
    missing = max(8 - channels, 0)
    weights = np.pad(product.weights, ((0, missing), (0, 0)))
    words = [np.pad(word, (0, missing)) for word in words]
    parts: list[npt.NDArray[Any]] = []
    for group in channel_groups(channels + missing, 8):
        parts.append(lanes_of(weights[group]))
        parts += [word[group][_EVEN_ODD].astype(np.int32) for word in words]
    return stream(parts)
