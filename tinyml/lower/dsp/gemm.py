"""Two output channels in one multiplication: weight streams for ``tml_conv2d_dsp.h``, ``tml_fully_connected_dsp.h``.

A 32-bit weight word holds, for two inputs, the int16 ``256 * wA + wB`` of channels A and B. SMLAD of the word sums
``256 * A + B``, SMLAD of its sign-extended low bytes sums ``B``; so ``A = (sum - B) >> 8`` modulo 2^32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyml.lower.dsp.requant import Ints64, Layer, Words, accumulator_range
from tinyml.lower.program import Optimize

ABSENT = -1
"""Stands for an input that does not exist: its weight is 0."""
_LIMIT = 1 << 23
_UNROLL_WORDS = {Optimize.SPEED: 64, Optimize.BALANCED: 32, Optimize.SIZE: 8}
_LEAST_UNROLL_WORDS = 8


def pairs_of(channels: int) -> list[tuple[int, int]]:
    """Channels in twos; an odd last one goes with the one before it again, a single one with itself."""
    pairs = [(c, c + 1) for c in range(0, channels - 1, 2)]
    if channels % 2:
        pairs.append((max(channels - 2, 0), channels - 1))
    return pairs


def why_not(layer: Layer, pairs: list[tuple[int, int]]) -> str | None:
    """Why the layer's channels cannot be packed in ``pairs``, None where they can.

    ``256 * wA + wB`` has to fit int16, which only a weight of -128 over a negative one breaks. A's accumulator has to
    lie in [-2^23, 2^23), which is checked at its exact extremes. B's may wrap as TFLite's does.
    """
    a, b = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    if bool(((layer.weights[a] == -128) & (layer.weights[b] < 0)).any()):
        return "a weight of -128 does not pack with its neighbour"
    lowest, highest = accumulator_range(layer.weights[a], layer.bias[a])
    if bool(((highest >= _LIMIT) | (lowest < -_LIMIT)).any()):
        return f"an accumulator may reach {int(max(highest.max(), -lowest.min()))}, packing holds to {_LIMIT}"
    return None


def patch_order(rows: int, run: int) -> list[int]:
    """In which order ``tml_expand3_dsp`` delivers a patch of ``rows`` runs of ``run`` bytes: indices into the patch."""
    words = [row * run + group + k for row in range(rows) for group in range(0, run // 4 * 4, 4) for k in (0, 2, 1, 3)]
    rest = [row * run + k for row in range(rows) for k in range(run // 4 * 4, run)]
    return words + rest


def padded_order(order: list[int], words: int) -> list[int]:
    """``order`` filled up with absent inputs to two for each of ``words`` words."""
    return order + [ABSENT] * (2 * words - len(order))


@dataclass(frozen=True, slots=True)
class Loop:
    """How many weight words a stream has, and how many of them one turn of the loop does."""

    words: int
    unroll: int


def choose_loop(least_words: int, optimize: Optimize) -> Loop:
    """Unroll everything where that is short enough, else the longest even part that divides the words.

    Words are added (with weights of 0) where they would only divide into parts shorter than eight.
    """
    limit = _UNROLL_WORDS[optimize]
    words = least_words + least_words % 2
    if words <= limit:
        return Loop(words, words)
    while True:
        for unroll in range(limit, _LEAST_UNROLL_WORDS - 1, -2):
            if words % unroll == 0:
                return Loop(words, unroll)
        words += 2


def ordered(weights: Ints64, order: list[int]) -> Ints64:
    """Columns of ``weights`` [channels, inputs] in ``order``, with zeros for absent ones."""
    columns = np.concatenate([weights, np.zeros((len(weights), 1), np.int64)], axis=1)
    return columns[:, order]


def pack_words(a: Ints64, b: Ints64) -> Words:
    """Words of channels A and B, both [..., inputs] with an even number of inputs."""
    halves = (256 * a + b) & 0xFFFF
    return (halves[..., 0::2] | halves[..., 1::2] << 16).astype(np.uint32).view(np.int32)


def pack_pairs(layer: Layer, order: list[int]) -> Words:
    """The streams of ``tml_gemm_3x2_dsp``: for each pair two biases, the weight words, then mul and par of A and B."""
    weights, bias, mul, par = ordered(layer.weights, order), layer.bias, layer.requant.mul, layer.requant.par
    streams = []
    for a, b in pairs_of(len(weights)):
        head = np.array([256 * bias[a] + bias[b], bias[b]]).astype(np.int32)
        streams += [head, pack_words(weights[a], weights[b]), np.array([mul[a], par[a], mul[b], par[b]], np.int32)]
    return np.concatenate(streams)


def pack_fours(layer: Layer) -> Words:
    """The streams of ``tml_fully_connected_dsp``: four channels, inputs filled up to a multiple of eight."""
    channels, depth = layer.weights.shape
    extra, padded = -channels % 4, -(-depth // 8) * 8
    order = [i if i < depth else ABSENT for i in patch_order(1, padded)]
    weights = np.pad(ordered(layer.weights, order), ((0, extra), (0, 0)))
    bias, mul, par = (np.pad(v, (0, extra)) for v in (layer.bias, layer.requant.mul, layer.requant.par))
    streams = []
    for c in range(0, channels, 4):
        head = [256 * bias[c] + bias[c + 1], bias[c + 1], 256 * bias[c + 2] + bias[c + 3], bias[c + 3]]
        words = [pack_words(weights[c], weights[c + 1]), pack_words(weights[c + 2], weights[c + 3])]
        tail = np.stack([mul[c : c + 4], par[c : c + 4]], axis=1)
        streams += [np.array(head).astype(np.int32), np.stack(words, axis=1).ravel(), tail.ravel().astype(np.int32)]
    return np.concatenate(streams)
