"""AVERAGE_POOL_2D over the whole image and MEAN over height and width, row by row: sums are kept between calls."""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import PoolAttrs, ReduceAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.reduce import mean_multiplier
from tinyml.lower.program import Arg, In, Int, Isa, Out, RowInt, Scratch, Step, Target

_WIDEST = 255


def reduces_image(graph: Graph, op: Op) -> bool:
    """Whether ``op``, over [1, height, width, channels], gives one value a channel."""
    shape = first_input(graph, op).shape
    if op.kind == "MEAN":
        return {axis % 4 for axis in cast(ReduceAttrs, op.attrs).axes} == {1, 2}
    attrs = cast(PoolAttrs, op.attrs)
    padded = attrs.pad_top or attrs.pad_bottom or attrs.pad_left or attrs.pad_right
    return not padded and (attrs.filter_h, attrs.filter_w) == shape[1:3]


def build(graph: Graph, op: Op, target: Target, count: int) -> Step:
    """The step that adds ``count`` rows a call to int32 sums in its scratch and gives the output with the last."""
    x, output = first_input(graph, op), first_output(graph, op)
    _, height, width, channels = x.shape
    fast = target.isa is Isa.DSP and channels % 4 == 0 and width <= _WIDEST
    suffix, header = ("_dsp", "tml_pool_rows_dsp.h") if fast else ("", "tml_pool_rows.h")
    shape: tuple[Arg, ...] = (
        In(0), Out(0), Scratch(), RowInt("done"),
        Int("rows", count), Int("width", width), Int("channels", channels), Int("height", height),
    )  # fmt: skip
    if op.kind == "MEAN":
        multiplier, shift = mean_multiplier(x.scale, output.scale, height * width)
        ints = {
            "offset": x.zero_point * height * width, "multiplier": multiplier, "shift": shift,
            "out_zero_point": output.zero_point,
        }  # fmt: skip
    else:
        clamps = activation_range(cast(PoolAttrs, op.attrs).activation, output)
        ints = {"out_min": clamps.low, "out_max": clamps.high}
    kernel = "tml_mean_rows" if op.kind == "MEAN" else "tml_average_rows"
    return make_step(
        graph, op, kernel=kernel + suffix, header=header, inputs=op.inputs[:1],
        args=(*shape, *(Int(k, v) for k, v in ints.items())), scratch_bytes=4 * channels,
    )  # fmt: skip
