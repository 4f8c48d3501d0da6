"""Two output channels in one multiplication: weight streams for ``tml_conv2d_dsp.h``, ``tml_fully_connected_dsp.h``.

A 32-bit weight word holds, for two inputs, the int16 ``256 * wA + wB`` of channels A and B. SMLAD of the word sums
``256 * A + B``, SMLAD of its sign-extended low bytes sums ``B``; so ``A = (sum - B) >> 8`` modulo 2^32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyml.lower.accumulators import accumulator_range
from tinyml.lower.dsp.requant import Ints64, Layer, Words
from tinyml.lower.program import Optimize, Target

Rows = Callable[[int], list[int]]
"""From a number of channels to the order in which streams have them."""

ABSENT = -1
"""Stands for an input that does not exist: its weight is 0."""
_LIMIT = 1 << 23
MOST_PART_INPUTS = 508
"""Of one part of a deep sum: so many products of at most 128 * 128 stay below 2^23."""
_PART_WORDS = MOST_PART_INPUTS // 2 - 8
"""Of one part before loops pad it."""
_UNROLL_WORDS = {Optimize.SPEED: 64, Optimize.BALANCED: 32, Optimize.SIZE: 8}
_LEAST_UNROLL_WORDS = 8
_TAIL_WORDS = 8
_WORD_CODE_BYTES = 34
AROUND_LOOP_BYTES = 320
_STREAM_ENDS_WORDS, _LITERALS_BYTES, _MOST_BLOCKS = 6, 64, 4
_SCRATCH_PART = {Optimize.SPEED: 8, Optimize.BALANCED: 32, Optimize.SIZE: 1 << 30}
"""Of the bytes of input and output, the part that the scratch of further blocks may have."""


def pairs_of(channels: int) -> list[int]:
    """The channels in twos; an odd last one goes with the one before it again, a single one with itself."""
    even = list(range(channels - channels % 2))
    return [*even, max(channels - 2, 0), channels - 1] if channels % 2 else even


def fours_of(channels: int) -> list[int]:
    """The channels in fours; the last is repeated where some are missing."""
    return list(range(channels)) + [channels - 1] * (-channels % 4)


def why_no_words(layer: Layer) -> str | None:
    """Why the layer's weights cannot be packed in twos, None where they can.

    ``256 * wA + wB`` has to fit int16, which only a weight of -128 over a negative one breaks.
    """
    if bool(((layer.weights[0::2] == -128) & (layer.weights[1::2] < 0)).any()):
        return "a weight of -128 does not pack with its neighbour"
    return None


def why_not(layer: Layer) -> str | None:
    """Why the layer's rows cannot be summed in twos, None where they can.

    Besides :func:`why_no_words`, A's accumulator has to lie in [-2^23, 2^23), which is checked at its exact extremes.
    B's may wrap as TFLite's does.
    """
    if cause := why_no_words(layer):
        return cause
    lowest, highest = accumulator_range(layer.weights[0::2], layer.bias[0::2])
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
    """How many weight words a stream has, and how many of them one turn of the loop does; ``reason`` says why."""

    words: int
    unroll: int
    reason: str = ""


def choose_loop(least_words: int, target: Target) -> Loop:
    """Unroll everything where that is short enough, else the longest even part that divides the words.

    Words are added (with weights of 0) where they would only divide into parts shorter than eight. A loop that does not
    fit the cache in front of the flash would be fetched anew in every turn, so that bounds its length as well.
    """
    limit, why = _UNROLL_WORDS[target.optimize], target.optimize.value
    if target.code_cache_bytes is not None:
        fits = (target.code_cache_bytes - AROUND_LOOP_BYTES) // (2 * _WORD_CODE_BYTES) * 2
        if max(fits, _LEAST_UNROLL_WORDS) < limit:
            limit, why = max(fits, _LEAST_UNROLL_WORDS), f"{target.code_cache_bytes:,} bytes of code cache"
    words = least_words + least_words % 2
    if words <= limit:
        return Loop(words, words, f"all {words} weight words unrolled")
    while True:
        for unroll in range(limit, _LEAST_UNROLL_WORDS - 1, -2):
            if words % unroll == 0:
                return Loop(words, unroll, f"{unroll} of {words} weight words a turn for {why}")
        words += 2


def choose_parts(least_words: int) -> int:
    """In how many parts a sum of ``least_words`` words is taken whose accumulator may leave 24 bits: at least two."""
    return max(2, -(-least_words // _PART_WORDS))


def choose_blocks(pixels: int, words: int, tensors_bytes: int, target: Target) -> int:
    """How many blocks of three pixels read each stream of weights in turn.

    More than one where the cache in front of the flash holds a stream, so that only the first waits for it. Each takes
    scratch, of which all but the first may have a small part of the ``tensors_bytes`` that the layer works on.
    """
    stream_bytes = 4 * (words + _STREAM_ENDS_WORDS)
    if target.data_cache_bytes is None or stream_bytes > target.data_cache_bytes - _LITERALS_BYTES:
        return 1
    room_bytes = tensors_bytes // _SCRATCH_PART[target.optimize]
    return max(1, min(pixels // 3, _MOST_BLOCKS, 1 + room_bytes // (12 * words)))


def choose_tail(pixels: int, words: int, target: Target) -> int:
    """Weight words a turn of the loop for one or two pixels that are left of blocks of three; 0: none of its own.

    For size they are computed as a whole block, of which what is not wanted is thrown away.
    """
    if pixels % 3 == 0 or target.optimize is Optimize.SIZE:
        return 0
    return next(part for part in range(min(words, _TAIL_WORDS), 0, -2) if words % part == 0)


def ordered(weights: Ints64, order: list[int]) -> Ints64:
    """Columns of ``weights`` [channels, inputs] in ``order``, with zeros for absent ones."""
    columns = np.concatenate([weights, np.zeros((len(weights), 1), np.int64)], axis=1)
    return columns[:, order]


def in_words(low: Ints64, high: Ints64) -> Words:
    """Two int16 a word, both of the result's shape."""
    return ((low & 0xFFFF) | (high & 0xFFFF) << 16).astype(np.uint32).view(np.int32)


def pack_words(a: Ints64, b: Ints64) -> Words:
    """Words of channels A and B, both [..., inputs] with an even number of inputs."""
    halves = 256 * a + b
    return in_words(halves[..., 0::2], halves[..., 1::2])


def _heads(layer: Layer) -> Words:
    """The two first words of each pair: 256 times A's bias and B's, and B's, each with what the form adds to it."""
    first = layer.bias + layer.requant.start
    start = layer.requant.start[0::2]
    return np.stack([256 * layer.bias[0::2] + start + first[1::2], first[1::2]], axis=1).astype(np.int32)


def _deep_heads(layer: Layer) -> Words:
    """The first word of each row: its bias with what the form adds to it."""
    return (layer.bias + layer.requant.start).astype(np.int32)


def pack_pairs(layer: Layer, order: list[int], *, deep: bool = False) -> Words:
    """The streams of ``tml_gemm_3x2_dsp``: for each pair two biases, the weight words, then mul and par of A and B.

    ``deep``: the first word is A's bias and not 256 times that and B's, for sums in parts.
    """
    weights = ordered(layer.weights, order)
    words = pack_words(weights[0::2], weights[1::2])
    tails = np.stack([layer.requant.mul, layer.requant.par], axis=1).reshape(-1, 4)
    heads = _deep_heads(layer).reshape(-1, 2) if deep else _heads(layer)
    return np.concatenate([heads, words, tails], axis=1).ravel()


def pack_fours(layer: Layer, *, deep: bool = False) -> Words:
    """The streams of ``tml_fully_connected_dsp``: four channels, inputs filled up to a multiple of eight.

    ``deep`` as in :func:`pack_pairs`.
    """
    heads, words, tails = _fours(layer)
    if deep:
        heads = _deep_heads(layer).reshape(-1, 4)
    return np.concatenate([heads, words, tails], axis=1).ravel()


def pack_fours_apart(layer: Layer) -> tuple[Words, Words]:
    """The same for ``tml_fully_connected_shared_dsp``: the words, then what stands before and behind them."""
    heads, words, tails = _fours(layer)
    return words.ravel(), np.concatenate([heads, tails], axis=1).ravel()


def _fours(layer: Layer) -> tuple[Words, Words, Words]:
    rows, depth = layer.weights.shape
    order = [i if i < depth else ABSENT for i in patch_order(1, -(-depth // 8) * 8)]
    weights = ordered(layer.weights, order)
    pairs = pack_words(weights[0::2], weights[1::2])
    words = np.stack([pairs[0::2], pairs[1::2]], axis=2).reshape(rows // 4, -1)
    tails = np.stack([layer.requant.mul, layer.requant.par], axis=1).reshape(-1, 8)
    return _heads(layer).reshape(-1, 4), words, tails
