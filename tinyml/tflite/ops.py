"""From an operator's options in a ``.tflite`` file to the graph's attributes: one parser an op, one table of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import ABSENT
from tinyml.graph.ops import (
    ArgAttrs,
    Attrs,
    BinaryAttrs,
    ConcatenationAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    LeakyReluAttrs,
    PadAttrs,
    PoolAttrs,
    ReduceAttrs,
    SoftmaxAttrs,
    TopKAttrs,
)
from tinyml.graph.ops.logic import OF_TWO
from tinyml.tflite.arithmetic import ARITHMETIC_PARSERS
from tinyml.tflite.context import Context, Parsed, normal_axes, same_or_valid
from tinyml.tflite.flatbuffer import damaged
from tinyml.tflite.moves import MOVE_PARSERS


def _window(context: Context, options: Any, kernel: tuple[int, int], dilation: tuple[int, int]) -> dict[str, int]:
    """Strides and resolved padding of a convolution or a pool."""
    x = context.input(0)
    if len(x.shape) != 4:
        raise UnsupportedError(f"{context.where} has an input of shape {list(x.shape)}", hint="it takes [1, H, W, C]")
    stride_h, stride_w = int(options.StrideH()), int(options.StrideW())
    padding = int(options.Padding())
    top, bottom = same_or_valid(context.where, padding, x.shape[1], kernel[0], stride_h, dilation[0])
    left, right = same_or_valid(context.where, padding, x.shape[2], kernel[1], stride_w, dilation[1])
    return {
        "stride_h": stride_h,
        "stride_w": stride_w,
        "pad_top": top,
        "pad_bottom": bottom,
        "pad_left": left,
        "pad_right": right,
    }


def _filter(context: Context) -> tuple[int, int, int, int]:
    """The shape of a convolution's weights."""
    shape = context.input(1).shape
    if len(shape) != 4:
        raise UnsupportedError(f"{context.where} has weights of shape {list(shape)}", hint="they have 4 dimensions")
    return shape[0], shape[1], shape[2], shape[3]


def _conv_2d(context: Context) -> Parsed:
    options = context.options("Conv2DOptions")
    _, kernel_h, kernel_w, channels = _filter(context)
    dilation = int(options.DilationHFactor()), int(options.DilationWFactor())
    attrs = Conv2DAttrs(
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        groups=context.input(0).shape[-1] // channels,
        activation=context.activation(options),
        **_window(context, options, (kernel_h, kernel_w), dilation),
    )
    return attrs, 3


def _depthwise_conv_2d(context: Context) -> Parsed:
    options = context.options("DepthwiseConv2DOptions")
    _, kernel_h, kernel_w, channels = _filter(context)
    dilation = int(options.DilationHFactor()), int(options.DilationWFactor())
    attrs = DepthwiseConv2DAttrs(
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        multiplier=channels // context.input(0).shape[-1],
        activation=context.activation(options),
        **_window(context, options, (kernel_h, kernel_w), dilation),
    )
    return attrs, 3


def _fully_connected(context: Context) -> Parsed:
    options = context.options("FullyConnectedOptions")
    if int(options.WeightsFormat()) != schema.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise UnsupportedError(f"{context.where} has shuffled weights", hint="convert without weight shuffling")
    return FullyConnectedAttrs(context.activation(options), bool(options.KeepNumDims()), context.rounding), 3


def _binary(options_name: str) -> Callable[[Context], Parsed]:
    def parse(context: Context) -> Parsed:
        return BinaryAttrs(context.activation(context.options(options_name))), 2

    return parse


def _pad(context: Context) -> Parsed:
    flat = context.integers(1, "paddings")
    x, output = context.input(0), context.outputs[0]
    if len(flat) != 2 * len(x.shape):
        raise damaged(f"{context.where} has {len(flat)} paddings for {len(x.shape)} dimensions")
    value = x.zero_point if x.quant is not None else 0
    if len(context.inputs) > 2:
        constant = context.constant(2)
        if constant.data is None or constant.elements != 1 or constant.dtype is not x.dtype:
            raise UnsupportedError(f"{context.where} computes its value at run time", hint="pad with a constant")
        if constant.quant is not None and output.quant is not None and constant.quant != output.quant:
            raise UnsupportedError(
                f"{context.where} has a value quantised unlike its output", hint="use one scale for both"
            )
        value = int(constant.data.reshape(-1)[0])
    return PadAttrs(tuple(zip(flat[0::2], flat[1::2], strict=True)), value), 1


def _pool(context: Context) -> Parsed:
    options = context.options("Pool2DOptions")
    filter_h, filter_w = int(options.FilterHeight()), int(options.FilterWidth())
    window = _window(context, options, (filter_h, filter_w), (1, 1))
    return PoolAttrs(filter_h, filter_w, activation=context.activation(options), **window), 1


def _reduce(context: Context) -> Parsed:
    options = context.options("ReducerOptions")
    axes = normal_axes(context, context.integers(1, "axes"), len(context.input(0).shape))
    return ReduceAttrs(axes, bool(options.KeepDims())), 1


def _expect_shape(context: Context, wanted: tuple[int, ...]) -> Parsed:
    shape = context.outputs[0].shape
    if shape != wanted:
        raise damaged(f"{context.where} gives the shape {list(wanted)}, its output has {list(shape)}")
    return Attrs(), 1


def _reshape(context: Context) -> Parsed:
    if len(context.inputs) > 1:
        wanted = context.integers(1, "shape")
    else:
        options = context.options("ReshapeOptions")
        wanted = tuple(int(options.NewShape(i)) for i in range(min(int(options.NewShapeLength()), 64)))
    known = 1
    for size in wanted:
        known *= size if size > 0 else 1
    elements = context.input(0).elements
    return _expect_shape(context, tuple(elements // known if size == -1 else size for size in wanted))


def _squeeze(context: Context) -> Parsed:
    options = context.options("SqueezeOptions")
    shape = context.input(0).shape
    listed = tuple(int(options.SqueezeDims(i)) for i in range(min(int(options.SqueezeDimsLength()), 64)))
    axes = normal_axes(context, listed, len(shape)) if listed else tuple(i for i, n in enumerate(shape) if n == 1)
    if any(shape[axis] != 1 for axis in axes):
        raise damaged(f"{context.where} drops the dimensions {list(axes)} of {list(shape)}")
    return _expect_shape(context, tuple(n for i, n in enumerate(shape) if i not in axes))


def _expand_dims(context: Context) -> Parsed:
    shape = context.input(0).shape
    axes = normal_axes(context, context.integers(1, "axis"), len(shape) + 1)
    if len(axes) != 1:
        raise damaged(f"{context.where} has {len(axes)} axes")
    return _expect_shape(context, (*shape[: axes[0]], 1, *shape[axes[0] :]))


def _concatenation(context: Context) -> Parsed:
    options = context.options("ConcatenationOptions")
    axes = normal_axes(context, (int(options.Axis()),), len(context.input(0).shape))
    return ConcatenationAttrs(axes[0], context.activation(options)), len(context.inputs)


def _pack(context: Context) -> Parsed:
    axes = normal_axes(context, (int(context.options("PackOptions").Axis()),), len(context.input(0).shape) + 1)
    return ConcatenationAttrs(axes[0]), len(context.inputs)


def _softmax(context: Context) -> Parsed:
    return SoftmaxAttrs(float(context.options("SoftmaxOptions").Beta())), 1


def _leaky_relu(context: Context) -> Parsed:
    return LeakyReluAttrs(float(context.options("LeakyReluOptions").Alpha())), 1


def _plain(context: Context) -> Parsed:
    return Attrs(), 1


def _of_two(context: Context) -> Parsed:
    return Attrs(), 2


def _of_three(context: Context) -> Parsed:
    return Attrs(), (0, 1, 2)


def _arg(context: Context) -> Parsed:
    axes = normal_axes(context, context.integers(1, "axis"), len(context.input(0).shape))
    if len(axes) != 1:
        raise damaged(f"{context.where} has {len(axes)} axes")
    return ArgAttrs(axes[0]), 1


def _top_k(context: Context) -> Parsed:
    count, shape = context.integers(1, "count"), context.input(0).shape
    if len(count) != 1:
        raise damaged(f"{context.where} has {len(count)} counts")
    if len(context.outputs) != 2 or not shape or context.output.shape != (*shape[:-1], *count):
        raise damaged(f"{context.where} gives {count[0]} of {list(shape)}, its output has {list(context.output.shape)}")
    return TopKAttrs(positions=context.position == 1), 1


PARSERS: dict[str, Callable[[Context], Parsed]] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _binary("AddOptions"),
    "SUB": _binary("SubOptions"),
    "MUL": _binary("MulOptions"),
    "PAD": _pad,
    "PADV2": _pad,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _reduce,
    "SUM": _reduce,
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "CONCATENATION": _concatenation,
    "PACK": _pack,
    "SOFTMAX": _softmax,
    "LOGISTIC": _plain,
    "TANH": _plain,
    "HARD_SWISH": _plain,
    "LEAKY_RELU": _leaky_relu,
    "RELU": _plain,
    "RELU6": _plain,
    "RELU_N1_TO_1": _plain,
    "QUANTIZE": _plain,
    "DEQUANTIZE": _plain,
    **ARITHMETIC_PARSERS,
    **MOVE_PARSERS,
    **dict.fromkeys(OF_TWO, _of_two),
    "LOGICAL_NOT": _plain,
    "SELECT": _of_three,
    "SELECT_V2": _of_three,
    "ARG_MAX": _arg,
    "ARG_MIN": _arg,
    "REDUCE_MAX": _reduce,
    "REDUCE_MIN": _reduce,
    "CAST": _plain,
    "TOPK_V2": _top_k,
}


_OPTIONAL_BIAS: dict[int | tuple[int, ...], int] = {3: 2, (2, 1, 3): 3}
"""Of operators with weights, by the inputs that they keep: which of the file's may be absent."""

MANY_OUTPUTS = frozenset({"SPLIT", "SPLIT_V", "UNPACK", "TOPK_V2"})
"""Operators of several outputs; each output becomes an op of its own, parsed with its position."""


def parse(kind: str, context: Context, indices: tuple[int, ...]) -> tuple[Attrs, tuple[int, ...]]:
    """The attributes of an operator and the tensors that it still reads, trailing absent ones as :data:`ABSENT`."""
    attrs, kept = PARSERS[kind](context)
    positions = tuple(range(kept)) if isinstance(kept, int) else kept
    if any(p not in positions and p not in context.taken for p in range(len(indices))):
        raise damaged(f"{context.where} has {len(indices)} inputs, the op takes {len(positions)}")
    bias = _OPTIONAL_BIAS.get(kept)
    absent = [p for p, index in enumerate(indices) if index == ABSENT and p != bias]
    if absent:
        raise damaged(f"{context.where} has no input {absent[0]}")
    kept_indices = tuple(indices[p] for p in positions if p < len(indices))
    if bias is not None:
        kept_indices += (ABSENT,) * (3 - len(kept_indices))
    return attrs, kept_indices
