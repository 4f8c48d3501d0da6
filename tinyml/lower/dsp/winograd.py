"""CONV_2D 3×3 on ``tml_winograd_dsp``: Winograd's F(2×2, 3×3) in integers, 16 products in place of 36.

With the kernel transform doubled, ``2 G``, every number of the algorithm is an integer and its result four times the
accumulator: exact, whatever the inputs. Transformed inputs lie within ±512 and transformed weights within ±1152 (nine
weights of -128), so that both are int16 and SMLAD takes two input channels at once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import cast

import numpy as np

from tinyml.graph.fixed_point import INT32_MAX, INT32_MIN
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.accumulators import accumulator_range
from tinyml.lower.dsp.gemm import AROUND_LOOP_BYTES, in_words
from tinyml.lower.dsp.requant import Ints64, Layer, Words, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_convolution
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import Verdict, unfit

_DOUBLED_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
_ORDER = (0, 2, 1, 3)
"""In which order ``tml_winograd_tile_dsp`` delivers four input channels."""
_TILES = 3
"""How many tiles of 2×2 outputs go at once."""
_POSITIONS = 16
_MOST_STEPS = 64
_STEP_CODE_BYTES = 32
_INT16 = 1 << 15


@lru_cache(maxsize=4)
def op_layer(graph: Graph, op: Op) -> Layer:
    """The op as a matrix product over patches, one row a channel."""
    return layer(*of_convolution(graph, op))


def transformed(weights: Ints64) -> Ints64:
    """``(2 G) g (2 G)'`` of weights [channels, 3, 3, depth]: [channels, 4, 4, depth]."""
    result: Ints64 = np.einsum("ai,oijd,bj->oabd", _DOUBLED_G, weights, _DOUBLED_G)
    return result


def why_not(product: Layer) -> str | None:
    """Why the layer's channels cannot be computed as four times their accumulators, None where they can.

    Sums may wrap on the way, as int32 does; four times the accumulator, with what the requantisation adds to it, has to
    fit at its exact extremes, and every transformed weight int16.
    """
    lowest, highest = (4 * end for end in accumulator_range(product.weights, product.bias + product.requant.start))
    outside = (highest > INT32_MAX) | (lowest < INT32_MIN)
    if bool(outside.any()):
        return f"four times an accumulator may reach {int(max(highest.max(), -lowest.min())):,}, beyond int32"
    kernels = transformed(product.weights.reshape(len(product.weights), 3, 3, -1))
    largest = int(np.abs(kernels).max())
    return f"a transformed weight of {largest:,} leaves int16" if largest >= _INT16 else None


def suits(graph: Graph, op: Op) -> bool:
    """Whether the op has the form that the kernel knows: see :func:`applies`."""
    attrs = cast(Conv2DAttrs, op.attrs)
    _, kernel_h, kernel_w, depth = constant(graph, op, 1).shape
    _, height, width, channels = first_output(graph, op).shape
    plain = attrs.stride_h == attrs.stride_w == attrs.dilation_h == attrs.dilation_w == attrs.groups == 1
    return plain and kernel_h == kernel_w == 3 and depth % 4 == channels % 2 == 0 and height >= 2 and width >= 2


def pays(height: int, width: int, depth: int, channels: int) -> bool:
    """Whether it takes fewer instructions than the direct product for such an output and input depth.

    For each tile: 16 products at 8 instructions for 12, 45 an input channel to transform, 100 an output channel for
    sums and outputs. Direct, for each pixel: 9 products at 17 for 24 and 9 an output channel, 8 an input channel. Tiles
    that reach beyond the end are lost.
    """
    tiles = -(-(-(-height // 2) * -(-width // 2)) // _TILES) * _TILES
    winograd = tiles * (32 * depth * channels / 3 + 45 * depth + 100 * channels)
    direct = height * width * (51 * depth * channels / 8 + 9 * channels + 8 * depth)
    return winograd < direct


def refusal(graph: Graph, op: Op) -> str:
    """For a layer of the right form, why it is not computed this way; empty where it is or the form is another."""
    if not suits(graph, op):
        return ""
    _, height, width, channels = first_output(graph, op).shape
    if not pays(height, width, first_input(graph, op).shape[3], channels):
        return "not Winograd: its transforms cost more than they save here"
    why = why_not(op_layer(graph, op))
    return f"not Winograd: {why}" if why else ""


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """3×3, stride 1, no dilation, one group, a multiple of four inputs and even channels, at least 2×2 outputs.

    Besides, four times each accumulator fits int32 (:func:`why_not`) and the transforms pay (:func:`pays`).
    """
    if not suits(graph, op):
        return unfit("another form than 3×3 with stride 1 over a multiple of four inputs")
    return Verdict(refusal(graph, op))


def choose_unroll(steps: int, target: Target) -> int:
    """The longest part that divides the steps of a position and fits the cache in front of the flash."""
    limit = _MOST_STEPS
    if target.code_cache_bytes is not None:
        limit = max(1, min(limit, (target.code_cache_bytes - AROUND_LOOP_BYTES) // _STEP_CODE_BYTES))
    return max(unroll for unroll in range(1, min(limit, steps) + 1) if steps % unroll == 0)


def pack(product: Layer) -> Words:
    """The streams of ``tml_winograd_dsp``: for each pair the 16 positions, then biases times four, mul and par."""
    kernels = transformed(product.weights.reshape(len(product.weights), 3, 3, -1))
    depth = kernels.shape[3]
    order = [group + k for group in range(0, depth, 4) for k in _ORDER]
    halves = kernels.reshape(-1, _POSITIONS, depth)[:, :, order]
    words = in_words(halves[..., 0::2], halves[..., 1::2])
    pairs = words.reshape(-1, 2, _POSITIONS, depth // 2).transpose(0, 2, 3, 1).reshape(len(words) // 2, -1)
    bias = 4 * (product.bias + product.requant.start).reshape(-1, 2)
    tails = np.stack([product.requant.mul, product.requant.par], axis=1).reshape(-1, 4)
    return np.concatenate([pairs, bias.astype(np.int32), tails], axis=1).ravel()


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_winograd_dsp``."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    product = op_layer(graph, op)
    depth, channels = x.shape[3], output.shape[3]
    unroll = choose_unroll(depth // 2, target)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "depth": depth,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left,
        "out_h": output.shape[1], "out_w": output.shape[2], "channels": channels,
        "unroll": unroll, "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    streams = pack(product)
    step = make_step(
        graph, op, kernel="tml_winograd_dsp", header="tml_winograd_dsp.h", inputs=op.inputs[:1], args=args,
        consts=(Const("weights", streams, Role.WEIGHTS),),
        scratch_bytes=_POSITIONS * (2 * _TILES * depth + 8 * _TILES) + 16 * _TILES + max(16 * depth, channels),
    )  # fmt: skip
    flash = f"{streams.nbytes:,} bytes of flash for {product.weights.size:,} weights"
    return replace(step, reason=f"{flash}; {unroll} of {depth // 2} steps a turn")
