"""Two output channels in one multiplication: the weight streams of ``tml_conv2d_dsp.h`` and ``tml_fully_connected_dsp.h``.

A 32-bit weight word holds, for two inputs, the int16 ``256 * wA + wB`` of channels A and B. SMLAD of the word sums
``256 * A + B``, SMLAD of its sign-extended low bytes sums ``B``; so ``A = (sum - B) >> 8`` modulo 2^32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.lower.dsp.requant import Requant
from tinyml.lower.program import Optimize

Ints64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.int32]

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


def why_not(weights: Ints64, bias: Ints64, pairs: list[tuple[int, int]]) -> str | None:
    """Why ``weights`` [channels, inputs] cannot be packed in ``pairs``, None where they can.

    ``256 * wA + wB`` has to fit int16, which only a weight of -128 over a negative one breaks. A's accumulator over
    inputs in -128..127 has to lie in [-2^23, 2^23): its exact extremes follow from the signs of the weights. B's
    accumulator may wrap as TFLite's does. ``bias`` has the input's zero point folded in.
    """
    a, b = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    if bool(((weights[a] == -128) & (weights[b] < 0)).any()):
        return "a weight of -128 does not pack with its neighbour"
    positive, negative = np.maximum(weights[a], 0).sum(axis=1), np.minimum(weights[a], 0).sum(axis=1)
    highest = bias[a] + 127 * positive - 128 * negative
    lowest = bias[a] - 128 * positive + 127 * negative
    if bool(((highest >= _LIMIT) | (lowest < -_LIMIT)).any()):
        return f"an accumulator may reach {int(max(highest.max(), -lowest.min()))}, packing holds to {_LIMIT}"
    return None


def patch_order(rows: int, run: int) -> list[int]:
    """In which order ``tml_expand3_dsp`` delivers a patch of ``rows`` runs of ``run`` bytes, as indices into the patch."""
    words = [
        row * run + group + k for row in range(rows) for group in range(0, run // 4 * 4, 4) for k in (0, 2, 1, 3)
    ]
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


def pack_pairs(weights: Ints64, bias: Ints64, requant: Requant, order: list[int]) -> Words:
    """The streams of ``tml_gemm_3x2_dsp``: for each pair two biases, the weight words, then mul and par of A and B."""
    alive = ordered(np.where(requant.live[:, None], weights, 0), order)
    folded = np.where(requant.live, bias, 0)
    streams = []
    for a, b in pairs_of(len(weights)):
        head = np.array([256 * folded[a] + folded[b], folded[b]]).astype(np.int32)
        tail = np.array([requant.mul[a], requant.par[a], requant.mul[b], requant.par[b]], np.int32)
        streams += [head, pack_words(alive[a], alive[b]), tail]
    return np.concatenate(streams)


def pack_fours(weights: Ints64, bias: Ints64, requant: Requant) -> Words:
    """The streams of ``tml_fully_connected_dsp``: four channels, inputs filled up to a multiple of eight."""
    channels, depth = weights.shape
    extra, padded = -channels % 4, -(-depth // 8) * 8
    order = [i if i < depth else ABSENT for i in patch_order(1, padded)]
    alive = np.pad(ordered(np.where(requant.live[:, None], weights, 0), order), ((0, extra), (0, 0)))
    folded = np.pad(np.where(requant.live, bias, 0), (0, extra))
    mul, par = (np.pad(words, (0, extra)) for words in (requant.mul, requant.par))
    streams = []
    for c in range(0, channels, 4):
        head = [256 * folded[c] + folded[c + 1], folded[c + 1], 256 * folded[c + 2] + folded[c + 3], folded[c + 3]]
        words = np.stack([pack_words(alive[c], alive[c + 1]), pack_words(alive[c + 2], alive[c + 3])], axis=1)
        tail = np.stack([mul[c : c + 4], par[c : c + 4]], axis=1)
        streams += [np.array(head).astype(np.int32), words.ravel(), tail.ravel().astype(np.int32)]
    return np.concatenate(streams)
