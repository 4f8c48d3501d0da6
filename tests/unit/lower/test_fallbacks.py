"""Every cause for which a faster kernel is passed over: forced by a model, and said with its numbers."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import pytest

from tests.kernels.cases import model
from tests.support import arithmetic_builder as add
from tests.support import logic_builder as lb
from tests.support import move_builder as mb
from tests.support.arithmetic_builder import transpose_conv
from tests.support.shared import REPOSITORY
from tests.support.tflite_builder import Builder
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.bits import layer as bits
from tinyml.lower.dsp import depthwise_column, depthwise_row
from tinyml.lower.kernels import PORTABLE
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Step, Target
from tinyml.lower.verdict import Verdict, unproven
from tinyml.tflite.read import read_graph

LOWER = REPOSITORY / "tinyml" / "lower"
NO_SIMD = (Isa.V6M, Isa.V7M)
Layer = Callable[[Builder], int]


def full(*shape: int, value: int = 127) -> np.ndarray:
    return np.full(shape, value, np.int8)


def conv(
    weights: np.ndarray, size: tuple[int, int] = (4, 4), groups: int = 1, zero_in: int = 0, scale: float = 500.0,
    weight_scale: float = 0.01, bias: np.ndarray | None = None, **options: Any,
) -> Layer:  # fmt: skip
    """CONV_2D of ``weights`` over an input of ``size``."""

    def layer(b: Builder) -> int:
        x = b.input((1, *size, weights.shape[3] * groups), zero_point=zero_in)
        return b.conv_2d(x, weights, weight_scale, bias, scale=scale, **options)

    return layer


def depthwise(weights: np.ndarray, size: tuple[int, int] = (9, 9), scale: float = 50.0, **options: Any) -> Layer:
    def layer(b: Builder) -> int:
        return b.depthwise_conv_2d(b.input((1, *size, weights.shape[3])), weights, 0.01, scale=scale, **options)

    return layer


def dense(weights: np.ndarray, scale: float, weight_scale: float = 0.01, bias: np.ndarray | None = None) -> Layer:
    def layer(b: Builder) -> int:
        x = b.input((1, weights.shape[1]), zero_point=3)
        return b.fully_connected(x, weights, weight_scale, bias, scale=scale)

    return layer


def transposed(weights: np.ndarray, size: tuple[int, int], stride: int, scale: float = 500.0, **options: Any) -> Layer:
    """TRANSPOSE_CONV of ``weights`` over an input of ``size``."""

    def layer(b: Builder) -> int:
        x = b.input((1, *size, weights.shape[3]))
        return transpose_conv(b, x, weights, 0.01, None, scale=scale, stride=(stride, stride), **options)

    return layer


def binary(kind: str, scales: tuple[float, float, float], b_shape: tuple[int, ...] = (1, 4, 4, 4)) -> Layer:
    def layer(b: Builder) -> int:
        left, right = b.input((1, 4, 4, 4), scale=scales[0]), b.input(b_shape, scale=scales[1])
        return b.binary(kind, left, right, scale=scales[2])

    return layer


def with_constant(b: Builder) -> int:
    x = b.input((1, 4, 4, 4))
    return b.binary("ADD", x, b.constant(full(1, 4, 4, 4, value=3), scale=0.05))


def sum_of_three(b: Builder) -> int:
    x, y = b.input((1, 5, 4, 3), scale=0.05), b.input((1, 5, 1, 3), scale=0.25)
    return b.binary("ADD", x, y, scale=0.1)


def pool(kind: str, shape: tuple[int, ...], size: tuple[int, int], padding: str = "VALID") -> Layer:
    return lambda b: b.pool_2d(kind, b.input(shape), size=size, stride=(1, 1), padding=padding)


def mean(shape: tuple[int, ...], axes: tuple[int, ...], scale: float = 0.1) -> Layer:
    return lambda b: b.reduce("MEAN", b.input(shape), axes, scale=scale)


def prelu(shape: tuple[int, ...], slope: float) -> Layer:
    """PRELU with slopes of ``shape``, scaled by ``slope``."""
    return lambda b: add.broadcast(b, "PRELU", b.input((1, 4, 4, 4)), b.constant(full(*shape), scale=slope), scale=0.05)


def product(a: tuple[int, ...], b: tuple[int, ...], by_row: bool = False) -> Layer:
    """BATCH_MATMUL of two inputs."""
    return lambda builder: add.batch_matmul(builder, builder.input(a), builder.input(b), adj_y=by_row, scale=0.5)


def attention(keys: int) -> Layer:
    def layer(b: Builder) -> int:
        scores = add.batch_matmul(b, b.input((1, 2, 4)), b.input((1, 4, keys)), scale=0.1)
        return add.batch_matmul(b, b.softmax(scores), b.input((1, keys, 4)), scale=0.1)

    return layer


def norm(scale: float, mean_scale: float, depth: int = 8) -> Layer:
    def layer(b: Builder) -> int:
        x = b.input((2, depth), scale=scale)
        mean = b.reduce("MEAN", x, (1,), keep_dims=True, scale=mean_scale)
        return add.normalised(b, "L2_NORMALIZATION", b.binary("SUB", x, mean, scale=mean_scale))

    return layer


def whole_norm(scale: float, mean_scale: float, depth: int = 8) -> Layer:
    def layer(b: Builder) -> int:
        x = b.input((1, 1, depth), scale=scale)
        mean = b.reduce("MEAN", x, (1, 2), keep_dims=True, scale=mean_scale)
        deviation = b.binary("SUB", x, mean, scale=mean_scale)
        square = b.binary("MUL", deviation, deviation, scale=max(100 * mean_scale**2, 1e-6), zero_point=-128)
        variance = b.reduce("MEAN", square, (1, 2), keep_dims=True, scale=b.values[square].scale, zero_point=-128)
        root = add.curve(b, "RSQRT", variance, scale=0.05, zero_point=-128)
        return b.binary("MUL", deviation, root, scale=0.1)

    return layer


def signs(b: Builder, shape: tuple[int, ...]) -> int:
    """Codes of -1 and 1."""
    one = b.constant(full(1, value=127), scale=1 / 127)
    x = b.input(shape, scale=4.0)
    return b.binary("ADD", x, one, scale=1.0, activation="RELU_N1_TO_1")


def conv_of_signs(*shape: int) -> Layer:
    return lambda b: b.conv_2d(signs(b, (1, 20, 20, shape[3])), full(*shape))


def step_of(layer: Layer, isa: Isa, optimize: Optimize = Optimize.BALANCED, match: str = "litert") -> Step:
    """The step of the last op."""
    return lower(read_graph(model(layer), match=match), Target(isa, optimize)).steps[-1]


HALVES = (0.05, 0.25, 0.1)
"""Scales of a sum in simple proportions: ties round away from zero on both sides, so that no line is exact."""
VALID: dict[str, Any] = {"padding": "VALID"}

CASES: dict[str, tuple[Layer, tuple[Isa, ...], str]] = {
    "packed accumulator": (conv(full(2, 1, 1, 600)), (Isa.DSP,), "an accumulator may reach 9753600, packing holds to"),
    "packed accumulator, k by k": (conv(full(2, 3, 3, 70)), (Isa.DSP,), "an accumulator may reach"),
    "packed accumulator, one pixel": (conv(full(2, 1, 1, 600), (1, 1)), (Isa.DSP,), "an accumulator may reach"),
    "inputs in eights": (dense(full(2, 602), 300.0), (Isa.DSP,), "inputs in eights, here 602"),
    "packed accumulator, dense": (dense(full(2, 600), 300.0), (Isa.DSP,), "an accumulator may reach"),
    "more than bits": (conv(np.arange(64, dtype=np.int8).reshape(2, 1, 1, 32)), NO_SIMD, "weights of more than two"),
    "input of more than bits": (conv(full(2, 1, 1, 600)), (Isa.DSP, *NO_SIMD), "but its input may take 256"),
    "few bits": (conv_of_signs(8, 3, 3, 4), (Isa.DSP,), "instructions an output as bits, 31 as bytes"),
    "bits in a large kernel": (conv_of_signs(8, 16, 3, 32), (Isa.DSP,), "a kernel of at most 15×15"),
    "weights of -128": (conv(full(2, 1, 1, 8, value=-128), scale=1.0), (Isa.DSP,), "a weight of -128 does not pack"),
    "groups": (conv(full(4, 1, 1, 2), groups=2), (Isa.DSP, Isa.MVE, *NO_SIMD), "2 groups"),
    "groups on one pixel": (conv(full(4, 1, 1, 2), (1, 1), groups=2), NO_SIMD, "2 groups"),
    "packed accumulator, groups": (conv(full(4, 1, 1, 600), groups=2), (Isa.DSP,), "an accumulator may reach"),
    "groups, k by k": (conv(full(4, 3, 3, 2), groups=2), (Isa.DSP, Isa.MVE), "not 1×1 with stride 1"),
    "groups, one column": (conv(full(4, 3, 1, 2), (4, 1), groups=2), (Isa.MVE,), "rows of at least two pixels"),
    "groups, wide outputs": (conv(full(65532, 1, 1, 2), (1, 2), groups=2), (Isa.MVE,), "here 65,532 channels"),
    "groups, left shift": (conv(full(4, 1, 1, 2), groups=2, scale=1e-5), (Isa.MVE,), "and a shift of 6"),
    "groups, sums in parts": (conv(full(4, 1, 1, 8400), (1, 2), groups=2, scale=9e3), NO_SIMD, "sums may reach"),
    "single channel": (depthwise(full(1, 9, 9, 1)), (Isa.DSP, Isa.MVE, *NO_SIMD), "several channels, here one"),
    "cut rows": (
        transposed(full(2, 3, 3, 4), (4, 4), 2, padding="VALID"),
        (Isa.DSP, Isa.MVE, *NO_SIMD),
        "rows of a multiple of 2 outputs, here 9",
    ),
    "one window": (transposed(full(2, 2, 2, 4), (4, 1), 2), (Isa.MVE,), "rows of at least two windows"),
    "left shift, transposed": (transposed(full(2, 2, 2, 4), (4, 4), 2, scale=1e-5), (Isa.MVE,), "and a shift of 6"),
    "packed accumulator, transposed": (transposed(full(2, 1, 1, 600), (4, 4), 1), (Isa.DSP,), "an accumulator may"),
    "few pixels": (conv(full(2, 1, 1, 8), (1, 2)), (Isa.DSP,), "pixels in blocks of 3, here 2"),
    "many pixels": (conv(full(4, 1, 1, 2), (4, 4)), (Isa.MVE,), "a single pixel, here 16"),
    "one pixel": (conv(full(2, 1, 1, 8), (1, 1), groups=2), (Isa.MVE,), "at least two pixels, here one"),
    "k by k": (conv(full(2, 3, 3, 8)), (Isa.DSP, Isa.MVE), "not 1×1 with stride 1 and without padding"),
    "k by k on one": (conv(full(2, 3, 3, 8), (1, 1)), (Isa.MVE, *NO_SIMD), "one"),
    "sums in parts": (
        conv(full(2, 1, 1, 8400), (1, 2), scale=9e3),
        NO_SIMD,
        "sums may reach 136,550,400, which unpack",
    ),
    "wide outputs": (conv(full(65532, 1, 1, 1), (1, 2)), (Isa.MVE,), "here 65,532 channels"),
    "left shift": (conv(full(2, 1, 1, 8), scale=1e-5), (Isa.MVE,), "and a shift of 6, the vector forms hold to 2^30"),
    "left shift, one pixel": (conv(full(2, 1, 1, 8), (1, 1), scale=1e-5), (Isa.MVE,), "and a shift of 6"),
    "wide kernel": (depthwise(full(1, 3, 9, 4)), (Isa.DSP, *NO_SIMD), "a kernel at most 7 wide, here 9"),
    "large kernel": (depthwise(full(1, 9, 9, 4)), (Isa.MVE,), "a 9×9 kernel, 4 channels"),
    "stride": (depthwise(full(1, 3, 3, 4), stride=(3, 3)), (Isa.DSP,), "a horizontal stride of 1 or 2, here 3"),
    "dilation": (depthwise(full(1, 3, 3, 4), dilation=(2, 2)), (Isa.DSP, Isa.MVE), "no dilation, here 2 by 2"),
    "dilated rows": (depthwise(full(1, 3, 3, 4), dilation=(2, 2)), NO_SIMD, "no dilation along rows, here 2"),
    "long rows": (depthwise(full(1, 3, 3, 1), (3, 2100)), (Isa.DSP,), "rows of at most 2,000 columns, here 2,102"),
    "large sums": (depthwise(full(1, 12, 7, 1), (12, 12)), NO_SIMD, "sums may reach 1,365,504, which unpack below"),
    "depthwise left shift": (depthwise(full(1, 3, 3, 4), scale=1e-5), NO_SIMD, "requantised as TFLite does it"),
    "depthwise left shift, vectors": (depthwise(full(1, 3, 3, 4), scale=1e-5), (Isa.MVE,), "and a shift of 6"),
    "beyond int32": (dense(full(4, 16), 1e-8), (Isa.DSP, *NO_SIMD), "a scaled accumulator may reach 1"),
    "dense left shift": (dense(full(4, 16), 1e-8), (Isa.MVE,), "the vector forms hold to 2^30"),
    "no line": (
        binary("ADD", HALVES),
        (Isa.DSP, Isa.MVE, *NO_SIMD),
        "no linear function equals TFLite's three roundings",
    ),
    "broadcast": (binary("ADD", HALVES, (1, 1, 1, 4)), (Isa.DSP, Isa.MVE, *NO_SIMD), "operands of different shapes"),
    "constant": (with_constant, (Isa.DSP, *NO_SIMD), "a constant operand"),
    "far operand": (binary("ADD", (1e-12, 1.0, 1.0), (1, 1, 1, 4)), (Isa.DSP,), "is scaled by less than 2^-30"),
    "far mean": (norm(1e-12, 1.0), (Isa.DSP,), "is scaled by less than 2^-30"),
    "single column": (product((1, 3, 8), (1, 8, 1)), (Isa.DSP,), "a single column"),
    "short rows": (product((1, 3, 3), (1, 4, 3), True), (Isa.DSP,), "rows of 3, the kernel takes 4 to 4092"),
    "many columns": (product((1, 3, 2), (1, 2, 2050)), (Isa.DSP,), "2050 columns, the kernel takes 2047"),
    "many keys": (attention(600), (Isa.DSP,), "600 keys, the kernel takes 511"),
    "far mean of all": (whole_norm(1e-12, 1.0), (Isa.DSP,), "is scaled by less than 2^-30"),
    "whole norm of six": (whole_norm(0.1, 0.1, 6), (Isa.MVE,), "elements in fours, here 6"),
    "whole norm's left shift": (whole_norm(1.0, 2e-6), (Isa.MVE,), "the vector forms hold for -31 to -1"),
    "norm of six": (norm(0.1, 0.1, 6), (Isa.MVE,), "elements in fours, here 6"),
    "norm's left shift": (norm(1.0, 2e-6), (Isa.MVE,), "shifts of [0], the vector forms hold for -31 to -1"),
    "sum of three": (sum_of_three, (Isa.MVE,), "at least 4 elements in the innermost loop, here 3"),
    "three columns": (product((1, 3, 8), (1, 8, 3)), (Isa.MVE,), "at least 4 columns, here 3"),
    "many products": (product((1, 3, 16_001), (1, 4, 16_001), True), (Isa.MVE,), "after 16001 products"),
    "many keys in vectors": (attention(600), (Isa.MVE,), "at most 511 keys, here 600"),
    "product's left shift": (binary("MUL", (0.5, 0.5, 1e-3)), (Isa.MVE,), "scale below one, here with a shift"),
    "product of columns": (binary("MUL", HALVES, (1, 4, 4, 1)), (Isa.MVE,), "an operand that is neither"),
    "slopes of every line": (prelu((4, 1, 4), 0.01), (Isa.DSP,), "slopes that differ from row to row"),
    "slopes of next to nothing": (prelu((1, 1, 4), 1e-15), (Isa.DSP,), "no linear function rounds as TFLite"),
    "a row's maximum": (lambda b: lb.of_two(b, "MAXIMUM", b.input((3, 4)), b.input((4,))), (Isa.DSP,), "of one shape"),
    "padded pool": (pool("AVERAGE_POOL_2D", (1, 6, 6, 4), (3, 3), "SAME"), (Isa.MVE,), "windows that leave the input"),
    "row by row": (lambda b: mb.slice_(b, b.input((2, 4, 4)), (0, 1, 0), (2, 2, 4)), (Isa.DSP,), "bytes, here runs"),
    "places of run time": (
        lambda b: mb.gather(b, b.input((3, 4)), b.input((2,), scale=None, dtype="int32"), 0),
        (Isa.DSP,),
        "single bytes from places that are known",
    ),
    "large padded pool": (
        pool("AVERAGE_POOL_2D", (1, 16, 16, 4), (16, 17), "SAME"),
        (Isa.DSP,),
        "windows that leave the input",
    ),
    "large pool": (pool("AVERAGE_POOL_2D", (1, 16, 16, 4), (16, 16)), (Isa.DSP,), "at most 255 pixels, here 256"),
    "wide pool": (
        pool("AVERAGE_POOL_2D", (1, 1, 300, 4), (1, 256)),
        (Isa.DSP,),
        "int16 holds sums of 255 columns, here 256",
    ),
    "large window": (
        pool("AVERAGE_POOL_2D", (1, 16, 16, 4), (16, 16)),
        (Isa.MVE,),
        "windows of 3 to 255 pixels, here 256",
    ),
    "odd channels": (pool("AVERAGE_POOL_2D", (1, 16, 16, 3), (16, 16)), (Isa.DSP,), "channels in fours, here 3"),
    "mean of rows": (mean((1, 6, 6, 4), (1,)), (Isa.DSP,), "axes 1 and 2 of one image, here (1,)"),
    "wide mean": (mean((1, 2, 300, 4), (1, 2)), (Isa.DSP,), "int16 holds sums of 255 columns, here 300"),
    "mean of three": (mean((1, 4, 4, 3), (1, 2)), (Isa.DSP,), "four channels or more, here 3"),
    "mean of many": (mean((1, 20, 20, 4), (1, 2)), (Isa.MVE,), "int16 holds sums of 255 elements, here 400"),
    "mean of apart": (mean((1, 6, 6, 4), (1, 3)), (Isa.MVE,), "neighbouring axes before the last one, here (1, 3)"),
    "mean's left shift": (
        mean((1, 2, 2, 4), (1, 2), scale=1e-3),
        (Isa.MVE,),
        "an effective scale below one, here with",
    ),
    "wide kernel, one row": (depthwise(full(1, 3, 9, 4), (3, 12), **VALID), (Isa.DSP,), "here 3×9"),
    "stride, one row": (depthwise(full(1, 3, 3, 4), (3, 9), stride=(3, 3), **VALID), (Isa.DSP,), "a multiplier of 1"),
    "long rows, one row": (depthwise(full(1, 5, 5, 1), (5, 2100), **VALID), (Isa.DSP,), "columns, here 2,1"),
    "most taps inside": (depthwise(full(1, 3, 3, 4)), (Isa.DSP,), "few taps inside, here about 41 instructions"),
    "dilated, three": (depthwise(full(1, 3, 3, 3), dilation=(2, 2)), (Isa.DSP,), "at least four channels and a"),
    "many channels": (depthwise(full(1, 3, 3, 4096), (3, 3), **VALID), (Isa.DSP,), "channels, here 4,096"),
}
WINOGRAD: dict[str, tuple[Layer, str]] = {
    "form": (conv(full(2, 3, 3, 4), stride=(2, 2)), "another form than 3×3 with stride 1"),
    "cost": (conv(full(2, 3, 3, 4), (3, 3)), "its transforms cost more than they save"),
    "bound": (
        conv(full(16, 3, 3, 32), (16, 16), bias=np.full(16, 1 << 29, np.int32), scale=2200.0),
        "four times an accumulator may reach",
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_next_kernel_serves_and_the_cause_is_said(name: str) -> None:
    layer, isas, cause = CASES[name]
    for isa in isas:
        step = step_of(layer, isa)
        assert any(cause in passed.cause for passed in step.passed_over), f"{isa}: {step.passed_over}"
        if step.reason.startswith(PORTABLE):
            assert "; not '" in step.reason


@pytest.mark.parametrize("name", list(WINOGRAD))
def test_why_not_winograd(name: str) -> None:
    layer, cause = WINOGRAD[name]
    step = step_of(layer, Isa.DSP, Optimize.SPEED)
    assert step.kernel != "tml_winograd_dsp"
    assert any(cause in passed.cause for passed in step.passed_over), step.passed_over


def test_integers_serve_where_no_float64_is_needed() -> None:
    assert step_of(dense(full(4, 16), 1.0), Isa.PORTABLE).kernel == "tml_fully_connected"


def refused_rows_of_bits() -> Verdict:
    """What the kernel of bits says of a kernel with many rows where it is called row by row."""
    graph = read_graph(model(conv_of_signs(8, 8, 3, 32)))
    return bits.applies(graph, graph.ops[-1], Target(Isa.DSP, by_rows=True))


def refused_line_of_bits() -> Verdict:
    """What the kernel of bits says where a single rounding has no line, which takes more weights than flash has."""
    graph = read_graph(model(conv_of_signs(8, 3, 3, 32)))
    with patch.object(bits, "_packed", return_value=None):
        return bits.applies(graph, graph.ops[-1], Target(Isa.DSP))


def test_layers_of_bits_that_no_network_of_one_op_makes() -> None:
    assert "a kernel of at most 7 rows where it runs row by row" in refused_rows_of_bits().cause
    assert refused_line_of_bits() == unproven("no line gives the same outputs")


def refused_padding() -> Verdict:
    """What the kernel of one row says of padding as wide as its kernel, which only a folded PAD makes."""
    graph = read_graph(model(depthwise(full(1, 3, 3, 4), (3, 9), **VALID)))
    op = graph.ops[0]
    wide = replace(op, attrs=replace(cast(DepthwiseConv2DAttrs, op.attrs), pad_left=3))
    return depthwise_row.applies(graph, wide, Target(Isa.DSP))


def test_padding_that_only_a_folded_pad_makes() -> None:
    assert "padding narrower than the kernel, here 0 above and 3 to the left" in refused_padding().cause


def refused_columns() -> tuple[Verdict, Verdict]:
    """What the kernel of columns says row by row, and of padding beside them, which only a folded PAD makes."""
    graph = read_graph(model(depthwise(full(1, 3, 1, 4), **VALID)))
    op, target = graph.ops[0], Target(Isa.DSP)
    beside = replace(op, attrs=replace(cast(DepthwiseConv2DAttrs, op.attrs), pad_left=2))
    by_rows = depthwise_column.applies(graph, op, replace(target, by_rows=True))
    return by_rows, depthwise_column.applies(graph, beside, target)


def test_columns_by_rows_and_with_padding_beside_them() -> None:
    by_rows, beside = refused_columns()
    assert "whole columns, not row by row" in by_rows.cause and "to the left, here 2" in beside.cause


def causes() -> set[tuple[str, int]]:
    """File and line of every call that makes a cause."""
    found = set()
    for path in LOWER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"unfit", "unproven"}:
                found.add((str(path), node.lineno))
    return found - {(str(LOWER / "verdict.py"), line) for _, line in found}


def test_every_cause_is_forced() -> None:
    """The models above reach every place where a condition gives a cause."""
    made: set[tuple[str, int]] = set()

    def watch(frame: FrameType, event: str, _argument: object) -> None:
        caller = frame.f_back
        if event == "call" and frame.f_code.co_name in {"unfit", "unproven"} and caller is not None:
            made.add((caller.f_code.co_filename, caller.f_lineno))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        for layer, isas, _ in CASES.values():
            for isa in isas:
                step_of(layer, isa)
        for layer, _ in WINOGRAD.values():
            step_of(layer, Isa.DSP, Optimize.SPEED)
        refused_padding()
        refused_columns()
        refused_rows_of_bits()
        refused_line_of_bits()
    finally:
        sys.setprofile(before)
    missing = {f"{Path(path).relative_to(LOWER)}:{line}" for path, line in causes() - made}
    assert not missing, " ".join(sorted(missing))
