"""CONV_2D and FULLY_CONNECTED on ``tml_bits_conv2d``: where it may run them, where it pays, and how it packs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import cast

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import Conv2DAttrs, FullyConnectedAttrs
from tinyml.graph.quantisation import activation_range, effective_scales
from tinyml.lower.bits.line import Binary, Bools, Line, find_line
from tinyml.lower.bits.values import possible_values
from tinyml.lower.ops import conv_2d, fully_connected
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Isa, Out, Role, Scratch, Step, Target
from tinyml.lower.requant import fold_input_zero_point
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_MOST_KERNEL = 15
"""TML_BITS_MOST_ROWS less one; a set of rows and one of columns share a word."""
_MOST_ROWS = 7
_WORD_BITS = 32
_OUTPUT = {Isa.V6M: (60.0, 16.0), Isa.V7M: (45.0, 10.7), Isa.DSP: (45.0, 10.7), Isa.MVE: (45.0, 10.7)}
"""Instructions for an output, and for each word of its window; a test holds them."""
_GATHERED_TAP, _PACKED_CODE = 25.0, 2.0
_OTHER_PER_MAC = {
    "CONV_2D": {Isa.V6M: 2.2, Isa.V7M: 1.2, Isa.DSP: 0.85, Isa.MVE: 3.0},
    "FULLY_CONNECTED": {Isa.V6M: 3.7, Isa.V7M: 2.5, Isa.DSP: 1.0, Isa.MVE: 3.0},
}
"""What the kernels over bytes take (``docs/kernels.md``); with MVE its own come first, and portable C is left."""


@dataclass(frozen=True, slots=True)
class Window:
    """The layer as a convolution: shapes are height, width and channels; a fully connected layer has a column a row."""

    x: tuple[int, int, int]
    out: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)

    def outs(self, by_rows: bool) -> list[Bools]:
        """Every set of taps that lies outside of the input at some output.

        ``by_rows``: a call does not know how many rows lie above and below, so any number of them may be missing.
        """
        columns, rows = self._axis_outs(1), _ends(self.kernel[0]) if by_rows else self._axis_outs(0)
        found = (np.asarray(r)[:, None] | np.asarray(c)[None, :] for r, c in product(rows, columns))
        return [out.ravel() for out in found]

    def _axis_outs(self, axis: int) -> set[tuple[bool, ...]]:
        firsts = (i * self.stride[axis] - self.pad[axis] for i in range(self.out[axis]))
        taps = [k * self.dilation[axis] for k in range(self.kernel[axis])]
        return {tuple(not 0 <= first + tap < self.x[axis] for tap in taps) for first in firsts}

    def runs_in_place(self) -> bool:
        """Whether each row of output ends before the rows of input that are not packed yet when it is written."""
        reach = (self.kernel[0] - 1) * self.dilation[0] + 1 - self.pad[0]
        written = (y + 1 for y in range(self.out[0]))
        read = (min(y * self.stride[0] + reach, self.x[0]) for y in range(self.out[0]))
        a_row, an_output = self.x[1] * self.x[2], self.out[1] * self.out[2]
        return all(w * an_output <= r * a_row for w, r in zip(written, read, strict=True))


def _ends(taps: int) -> set[tuple[bool, ...]]:
    """Every set of the first and the last of ``taps``, but all of them."""
    return {
        tuple(not first <= tap < taps - last for tap in range(taps))
        for first in range(taps)
        for last in range(taps - first)
    }


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Weights of -v and v, an input that is proven to take two values, and enough of both for bits to take less.

    One group, kernels to 15×15, row by row to 7×15.
    """
    if op.kind == "CONV_2D" and cast(Conv2DAttrs, op.attrs).groups != 1:
        return unfit(f"{cast(Conv2DAttrs, op.attrs).groups} groups")
    weights = constant(graph, op, 1)
    magnitudes = np.unique(np.abs(weights.astype(np.int16)))
    if len(magnitudes) != 1 or magnitudes[0] == 0:
        return unfit("weights of more than two values")
    codes = len(possible_values(graph, op.inputs[0]))
    if codes > 2:
        return unproven(f"weights of two values, but its input may take {codes}")
    window = _window(graph, op)
    if max(window.kernel) > _MOST_KERNEL:
        return unfit(f"a kernel of at most {_MOST_KERNEL}×{_MOST_KERNEL}")
    if target.by_rows and window.kernel[0] > _MOST_ROWS:
        return unfit(f"a kernel of at most {_MOST_ROWS} rows where it runs row by row")
    bits, other = _estimates(window, op.kind, target.isa)
    if bits >= other:
        return unfit(f"about {bits:.0f} instructions an output as bits, {other:.0f} as bytes")
    return APPLIES if _packed(graph, op, target.by_rows) else unproven("no line gives the same outputs")


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; in place where no output is written over a row that is still to be packed."""
    window, found = _window(graph, op), _packed(graph, op, target.by_rows)
    assert found is not None
    layer, line = found
    padded = any(bool(out.any()) for out in window.outs(target.by_rows))
    channels, _, depth = layer.signs.shape
    rows = pack_bits(layer.signs > 0)
    words = rows.shape[1] * rows.shape[2]
    outside = line.outside if padded else np.zeros(1, np.int32)
    tap_sums = layer.tap_sums.T if padded else np.zeros(1)
    scales = np.asarray(layer.scales, np.int32) if line.accumulator else np.zeros((1, 2), np.int32)
    consts = (
        Const("weights", rows.reshape(channels, words), Role.WEIGHTS),
        Const("multipliers", line.multiplier, Role.REQUANT),
        Const("starts", line.start, Role.BIAS),
        Const("outside", outside, Role.REQUANT),
        Const("taps", np.ascontiguousarray(tap_sums, np.int16), Role.WEIGHTS, align_bytes=2),
        Const("scales", np.ascontiguousarray(scales), Role.REQUANT),
    )
    ints = {
        "in_h": window.x[0], "in_w": window.x[1], "in_c": depth,
        "out_h": window.out[0], "out_w": window.out[1], "out_c": channels,
        "kernel_h": window.kernel[0], "kernel_w": window.kernel[1],
        "stride_h": window.stride[0], "stride_w": window.stride[1],
        "dilation_h": window.dilation[0], "dilation_w": window.dilation[1],
        "pad_top": window.pad[0], "pad_left": window.pad[1], "padded": int(padded),
        "bit": _bit(layer.low, layer.high), "shift": line.shift, "two_roundings": int(line.accumulator),
        "max_shift": int(scales[:, 1].max()), "out_zero_point": layer.out_zero_point,
        "out_min": layer.clamps.low, "out_max": layer.clamps.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), *(ConstRef(i) for i in range(len(consts))), Scratch(), *(Int(k, v) for k, v in ints.items())
    )  # fmt: skip
    ring_words = ((window.kernel[0] - 1) * window.dilation[0] + 1) * window.x[1] * rows.shape[2]
    step = make_step(
        graph, op, kernel="tml_bits_conv2d", header="tml_bits.h", inputs=op.inputs[:1], args=args, consts=consts,
        scratch_bytes=4 * (ring_words + words + (channels if padded else 0)),
        in_place=((0, 0),) if window.runs_in_place() and not target.by_rows else (),
    )  # fmt: skip
    bits, other = _estimates(window, op.kind, target.isa)
    codes = " and ".join(str(code) for code in sorted((layer.low, layer.high)))
    parts = (
        f"weights and inputs of one bit, codes {codes}",
        *(("requantised in two roundings, no line was found",) if line.accumulator else ()),
        f"about {bits:.0f} instructions an output, {other:.0f} as bytes",
    )
    return replace(step, reason="; ".join(parts))


def pack_bits(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """``bits`` [channels, taps, depth] as words [channels, taps, words]: bit i of 32 lies at 8 * (i % 4) + i // 4."""
    filled = np.pad(bits, ((0, 0), (0, 0), (0, -bits.shape[2] % _WORD_BITS)))
    groups = filled.reshape(*bits.shape[:2], -1, 8, 4).astype(np.uint32)
    places = (8 * np.arange(4)[None, :] + np.arange(8)[:, None]).astype(np.uint32)
    return np.asarray((groups << places).sum(axis=(3, 4), dtype=np.uint32))


def _bit(low: int, high: int) -> int:
    """The highest bit in which the two codes differ."""
    return ((low ^ high) & 0xFF).bit_length() - 1


def _window(graph: Graph, op: Op) -> Window:
    x, output, weights = first_input(graph, op), first_output(graph, op), constant(graph, op, 1)
    if op.kind == "FULLY_CONNECTED":
        channels, depth = weights.shape
        rows = x.elements // depth
        return Window((1, rows, depth), (1, rows, channels), (1, 1))
    attrs = cast(Conv2DAttrs, op.attrs)
    (_, height, width, depth), (_, out_h, out_w, channels) = x.shape, output.shape
    return Window(
        (height, width, depth), (out_h, out_w, channels), (weights.shape[1], weights.shape[2]),
        (attrs.stride_h, attrs.stride_w), (attrs.dilation_h, attrs.dilation_w), (attrs.pad_top, attrs.pad_left),
    )  # fmt: skip


def _estimates(window: Window, kind: str, isa: Isa) -> tuple[float, float]:
    """Instructions for an output as bits, and by the kernels over bytes."""
    taps, depth, channels = window.kernel[0] * window.kernel[1], window.x[2], window.out[2]
    words = taps * -(-depth // _WORD_BITS)
    fixed, a_word = _OUTPUT[isa]
    packed = _PACKED_CODE * window.x[0] * window.x[1] * depth / (window.out[0] * window.out[1] * channels)
    return fixed + a_word * words + _GATHERED_TAP * taps / channels + packed, _OTHER_PER_MAC[kind][isa] * taps * depth


@lru_cache(maxsize=16)
def _packed(graph: Graph, op: Op, by_rows: bool) -> tuple[Binary, Line] | None:
    """The layer and its line; None where it has none."""
    weights, x, output = constant(graph, op, 1), first_input(graph, op), first_output(graph, op)
    values = sorted(possible_values(graph, op.inputs[0]))
    low, high = values[0], values[-1]
    if low == high:
        return None
    if not (high & 0xFF) >> _bit(low, high) & 1:
        low, high = high, low
    flat = weights.reshape(len(weights), -1, weights.shape[-1]).astype(np.int64)
    bias = fold_input_zero_point(optional_bias(graph, op), flat.sum(axis=(1, 2)), x.zero_point)
    rounding, scales = _scales(graph, op)
    attrs = cast(Conv2DAttrs | FullyConnectedAttrs, op.attrs)
    layer = Binary(
        np.sign(flat).astype(np.int8), int(np.abs(flat).max()), low, high, x.zero_point, bias.astype(np.int64), scales,
        rounding, output.zero_point, activation_range(attrs.activation, output),
    )  # fmt: skip
    line = find_line(layer, _window(graph, op).outs(by_rows))
    return None if line is None else (layer, line)


def _scales(graph: Graph, op: Op) -> tuple[Rounding, npt.NDArray[np.float64] | npt.NDArray[np.int64]]:
    """How the op rounds, and its scales of all channels in the form of :class:`Binary`."""
    weights, output = graph.tensor(op.inputs[1]), first_output(graph, op)
    channels = weights.shape[0]
    if op.kind == "FULLY_CONNECTED" and cast(FullyConnectedAttrs, op.attrs).rounding is Rounding.SINGLE:
        assert weights.quant is not None
        scales = effective_scales(first_input(graph, op).scale, weights.quant, output.scale, channels)
        return Rounding.SINGLE, np.array(scales, np.float64)
    if op.kind == "FULLY_CONNECTED":
        clamps = activation_range(cast(FullyConnectedAttrs, op.attrs).activation, output)
        found = fully_connected.requantisation(graph, op, clamps)
    else:
        found = conv_2d.requantisation(graph, op)
    pairs = np.array([found.multipliers, found.shifts], np.int64).T
    return Rounding.DOUBLE, np.repeat(pairs, channels // len(pairs), axis=0)
