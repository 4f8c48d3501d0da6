"""Which C kernel runs an op on an instruction set: one readable table, first matching row wins.

A faster kernel is one more row above the portable one of its op. Its ``applies`` function says in its docstring when
it is correct; its ``build`` function turns the op into a :class:`~tinyml.lower.program.Step` and lives in
:mod:`tinyml.lower.ops`. The note becomes the step's ``reason``, which ``tinyml profile`` prints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.logic import OF_TWO
from tinyml.graph.ops.move import MOVES
from tinyml.lower.bits import layer as bits
from tinyml.lower.dsp import binary as dsp_binary
from tinyml.lower.dsp import broadcast as dsp_broadcast
from tinyml.lower.dsp import conv_2d as dsp_conv_2d
from tinyml.lower.dsp import depthwise_clipped as dsp_depthwise_clipped
from tinyml.lower.dsp import depthwise_column as dsp_depthwise_column
from tinyml.lower.dsp import depthwise_conv_2d as dsp_depthwise_conv_2d
from tinyml.lower.dsp import depthwise_row as dsp_depthwise_row
from tinyml.lower.dsp import elementwise as dsp_elementwise
from tinyml.lower.dsp import extremes as dsp_extremes
from tinyml.lower.dsp import fully_connected as dsp_fully_connected
from tinyml.lower.dsp import grouped as dsp_grouped
from tinyml.lower.dsp import layer_norm as dsp_layer_norm
from tinyml.lower.dsp import lstm as dsp_lstm
from tinyml.lower.dsp import matmul as dsp_matmul
from tinyml.lower.dsp import move as dsp_move
from tinyml.lower.dsp import pool_2d as dsp_pool_2d
from tinyml.lower.dsp import prelu as dsp_prelu
from tinyml.lower.dsp import transpose_conv as dsp_transpose_conv
from tinyml.lower.dsp import whole_norm as dsp_whole_norm
from tinyml.lower.dsp import wide as dsp_wide
from tinyml.lower.dsp import winograd as dsp_winograd
from tinyml.lower.mve import binary as mve_binary
from tinyml.lower.mve import broadcast as mve_broadcast
from tinyml.lower.mve import conv_2d as mve_conv_2d
from tinyml.lower.mve import depthwise_conv_2d as mve_depthwise_conv_2d
from tinyml.lower.mve import elementwise as mve_elementwise
from tinyml.lower.mve import fully_connected as mve_fully_connected
from tinyml.lower.mve import grouped as mve_grouped
from tinyml.lower.mve import layer_norm as mve_layer_norm
from tinyml.lower.mve import lstm as mve_lstm
from tinyml.lower.mve import matmul as mve_matmul
from tinyml.lower.mve import pool_2d as mve_pool_2d
from tinyml.lower.mve import transpose_conv as mve_transpose_conv
from tinyml.lower.mve import whole_norm as mve_whole_norm
from tinyml.lower.ops import (
    arithmetic,
    attention,
    batch_matmul,
    binary,
    concatenation,
    conv_2d,
    depthwise_conv_2d,
    elementwise,
    fully_connected,
    layer_norm,
    logic,
    lstm,
    move,
    normalisation,
    pad,
    pool_2d,
    quantize,
    reduce,
    resize_bilinear,
    softmax,
    state,
    top_k,
    transpose_conv,
    whole_norm,
)
from tinyml.lower.ops.common import Build, Condition
from tinyml.lower.program import Isa, Optimize, PassedOver, Step, Target
from tinyml.lower.v6m import binary as v6m_binary
from tinyml.lower.v6m import conv_2d as v6m_conv_2d
from tinyml.lower.v6m import depthwise_conv_2d as v6m_depthwise_conv_2d
from tinyml.lower.v6m import fully_connected as v6m_fully_connected
from tinyml.lower.v6m import grouped as v6m_grouped
from tinyml.lower.v6m import transpose_conv as v6m_transpose_conv
from tinyml.lower.verdict import APPLIES, Verdict

ANY_ISA = frozenset(Isa)
ANY_GOAL = frozenset(Optimize)
NOT_SIZE = frozenset({Optimize.SPEED, Optimize.BALANCED})
PORTABLE = "portable C"
OF_ONE = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "RELU_N1_TO_1", "DIV", "GELU", "EXP", "LOG",
          "RSQRT", "SQRT", "ABS", "LOOKUP")  # fmt: skip
"""Ops that are functions of one 8-bit value."""


@dataclass(frozen=True, slots=True)
class KernelRow:
    """One kernel: for which op, instruction sets and goals, under which condition, how to build its step, and why."""

    kind: str
    isas: frozenset[Isa]
    optimize: frozenset[Optimize]
    applies: Condition
    build: Build
    note: str


def always(graph: Graph, op: Op, target: Target) -> Verdict:
    """Correct for every op that the graph's constraints let through."""
    return APPLIES


def _portable(kind: str, build: Build) -> KernelRow:
    return KernelRow(kind, ANY_ISA, ANY_GOAL, always, build, PORTABLE)


def _dsp(kind: str, applies: Condition, build: Build, note: str) -> KernelRow:
    return KernelRow(kind, frozenset({Isa.DSP}), ANY_GOAL, applies, build, note)


def _no_simd(kind: str, applies: Condition, build: Build, note: str) -> KernelRow:
    return KernelRow(kind, frozenset({Isa.V6M, Isa.V7M}), ANY_GOAL, applies, build, note)


def _bits(kind: str, *isas: Isa) -> KernelRow:
    return KernelRow(kind, frozenset(isas), ANY_GOAL, bits.applies, bits.build, "bits, counted by carry-save adders")


def _mve(kind: str, applies: Condition, build: Build, note: str) -> KernelRow:
    return KernelRow(kind, frozenset({Isa.MVE}), ANY_GOAL, applies, build, note)


KERNELS: tuple[KernelRow, ...] = (
    *(
        KernelRow(kind, ANY_ISA, ANY_GOAL, logic.of_int32, logic.build_int32, "portable C, int32")
        for kind in ("ADD", "SUB", "MUL")
    ),
    _bits("CONV_2D", Isa.V6M, Isa.V7M, Isa.DSP),
    _bits("FULLY_CONNECTED", Isa.V6M, Isa.V7M, Isa.DSP),
    _no_simd("CONV_2D", v6m_conv_2d.one_pixel_applies, v6m_conv_2d.build_one_pixel, "6 channels at a time"),
    _no_simd("CONV_2D", v6m_conv_2d.applies, v6m_conv_2d.build, "3 pixels by 3 channels in 2 words"),
    _no_simd("CONV_2D", v6m_grouped.applies, v6m_grouped.build, "3 pixels by 3 channels, group by group"),
    _no_simd(
        "DEPTHWISE_CONV_2D",
        v6m_depthwise_conv_2d.applies,
        v6m_depthwise_conv_2d.build,
        "3 outputs in 2 words",
    ),
    _no_simd(
        "DEPTHWISE_CONV_2D",
        v6m_grouped.depthwise_applies,
        v6m_grouped.build_depthwise,
        "3 pixels at a time, channel by channel",
    ),
    _mve("CONV_2D", mve_conv_2d.single_pixel_applies, mve_conv_2d.build_single_pixel, "VMLADAVA on 8 channels"),
    _mve("CONV_2D", mve_conv_2d.pointwise_applies, mve_conv_2d.build_pointwise, "VMLADAVA on 4 channels by 2 pixels"),
    _mve("CONV_2D", mve_conv_2d.general_applies, mve_conv_2d.build_general, "VMLADAVA on 4 channels by 2 patches"),
    _mve("CONV_2D", mve_grouped.pointwise_applies, mve_grouped.build_pointwise, "VMLADAVA on 2 pixels, by groups"),
    _mve("CONV_2D", mve_grouped.general_applies, mve_grouped.build_general, "VMLADAVA on 2 patches, by groups"),
    _dsp("CONV_2D", dsp_conv_2d.pointwise_applies, dsp_conv_2d.build_pointwise, "SMLAD on 3 pixels by 2 channels"),
    _dsp("CONV_2D", dsp_conv_2d.few_pixels_applies, dsp_conv_2d.build_few_pixels, "SMLAD on 4 channels, row by row"),
    KernelRow(
        "CONV_2D",
        frozenset({Isa.DSP}),
        frozenset({Optimize.SPEED}),
        dsp_winograd.applies,
        dsp_winograd.build,
        "Winograd's F(2x2, 3x3) in integers, SMLAD on 3 tiles by 2 channels",
    ),
    _dsp("CONV_2D", dsp_conv_2d.general_applies, dsp_conv_2d.build_general, "SMLAD on 3 patches by 2 channels"),
    _dsp(
        "CONV_2D",
        dsp_conv_2d.deep_pointwise_applies,
        dsp_conv_2d.build_deep_pointwise,
        "SMLAD on 3 pixels by 2 channels, accumulators beyond 24 bits",
    ),
    _dsp(
        "CONV_2D",
        dsp_conv_2d.deep_general_applies,
        dsp_conv_2d.build_deep_general,
        "SMLAD on 3 patches by 2 channels, accumulators beyond 24 bits",
    ),
    _dsp("CONV_2D", dsp_grouped.pointwise_applies, dsp_grouped.build_pointwise, "SMLAD on 3 pixels, group by group"),
    _dsp("CONV_2D", dsp_grouped.general_applies, dsp_grouped.build_general, "SMLAD on 3 patches, group by group"),
    _mve("DEPTHWISE_CONV_2D", mve_depthwise_conv_2d.applies, mve_depthwise_conv_2d.build, "VMLADAV on gathers"),
    _mve(
        "DEPTHWISE_CONV_2D",
        mve_grouped.depthwise_applies,
        mve_grouped.build_depthwise,
        "VMLADAVA on 2 patches, by groups of channels",
    ),
    _dsp(
        "DEPTHWISE_CONV_2D",
        dsp_depthwise_column.applies,
        dsp_depthwise_column.build,
        "SMLAD on int16 columns, weights in registers",
    ),
    KernelRow(
        "DEPTHWISE_CONV_2D",
        frozenset({Isa.DSP}),
        NOT_SIZE,
        dsp_depthwise_clipped.applies,
        dsp_depthwise_clipped.build,
        "SMLABB on 4 channels, taps inside",
    ),
    _dsp("DEPTHWISE_CONV_2D", dsp_depthwise_row.applies, dsp_depthwise_row.build, "SMLAD on columns of one row"),
    _dsp("DEPTHWISE_CONV_2D", dsp_depthwise_row.plane_applies, dsp_depthwise_row.build_plane, "SMLAD on pairs of rows"),
    _dsp("DEPTHWISE_CONV_2D", dsp_depthwise_conv_2d.applies, dsp_depthwise_conv_2d.build, "SMLAD on int16 planes"),
    _dsp("DEPTHWISE_CONV_2D", dsp_depthwise_clipped.any_applies, dsp_depthwise_clipped.build, "SMLABB on 4 channels"),
    _dsp(
        "DEPTHWISE_CONV_2D",
        dsp_grouped.depthwise_applies,
        dsp_grouped.build_depthwise,
        "SMLAD on 3 patches, channel by channel",
    ),
    KernelRow(
        "FULLY_CONNECTED",
        ANY_ISA,
        ANY_GOAL,
        fully_connected.needs_float64,
        fully_connected.build_float64,
        "portable C, software float64",
    ),
    _mve("FULLY_CONNECTED", mve_fully_connected.applies, mve_fully_connected.build, "VMLADAVA on 8 channels"),
    _dsp("FULLY_CONNECTED", dsp_fully_connected.applies, dsp_fully_connected.build, "SMLAD on 4 channels"),
    _dsp(
        "FULLY_CONNECTED",
        dsp_fully_connected.deep_applies,
        dsp_fully_connected.build_deep,
        "SMLAD on 4 channels, accumulators beyond 24 bits",
    ),
    _dsp("ADD", dsp_binary.applies, dsp_binary.build, "one linear function, proven on all 65,536 pairs"),
    _dsp("SUB", dsp_binary.applies, dsp_binary.build, "one linear function, proven on all 65,536 pairs"),
    _dsp("AVERAGE_POOL_2D", dsp_pool_2d.average_applies, dsp_pool_2d.build_average, "SXTAB16 on 4 channels"),
    _dsp(
        "AVERAGE_POOL_2D",
        dsp_pool_2d.large_average_applies,
        dsp_pool_2d.build_large_average,
        "SXTAB16 on 4 channels, rows in groups",
    ),
    _dsp("MAX_POOL_2D", always, dsp_pool_2d.build_max, "SEL on 4 channels"),
    _dsp("MEAN", dsp_pool_2d.mean_applies, dsp_pool_2d.build_mean, "SXTAB16 on 4 channels"),
    _dsp("ADD", dsp_broadcast.sum_applies, dsp_broadcast.build_sum, "three roundings in SMMLAR"),
    _dsp("SUB", dsp_broadcast.sum_applies, dsp_broadcast.build_sum, "three roundings in SMMLAR"),
    _dsp("MUL", always, dsp_broadcast.build_mul, "roundings in SMMLAR"),
    _dsp("PRELU", dsp_prelu.applies, dsp_prelu.build, "one linear function a sign, proven on all values and slopes"),
    _dsp("BATCH_MATMUL", dsp_matmul.batch_matmul_applies, dsp_matmul.build_batch_matmul, "SMLAD, 4 rows by 2 columns"),
    _dsp("LAYER_NORM", dsp_layer_norm.applies, dsp_layer_norm.build, "roundings in SMMLAR"),
    _dsp("WHOLE_NORM", dsp_whole_norm.applies, dsp_whole_norm.build, "roundings in SMMLAR"),
    _dsp("ATTENTION", dsp_matmul.attention_applies, dsp_matmul.build_attention, "SMLAD, 4 queries by 2 columns"),
    _mve("ADD", mve_binary.linear_applies, mve_binary.build_linear, "one linear function, proven on all 65,536 pairs"),
    _mve("SUB", mve_binary.linear_applies, mve_binary.build_linear, "one linear function, proven on all 65,536 pairs"),
    _mve("ADD", mve_binary.sum_applies, mve_binary.build_sum, "eight elements at a time, three roundings"),
    _mve("SUB", mve_binary.sum_applies, mve_binary.build_sum, "eight elements at a time, three roundings"),
    _mve("MUL", mve_binary.mul_applies, mve_binary.build_mul, "eight elements at a time"),
    _mve("ADD", mve_broadcast.applies, mve_broadcast.build_sum, "four elements at a time, three roundings"),
    _mve("SUB", mve_broadcast.applies, mve_broadcast.build_sum, "four elements at a time, three roundings"),
    _mve("MUL", mve_broadcast.applies, mve_broadcast.build_mul, "four elements at a time"),
    _dsp("UNIDIRECTIONAL_SEQUENCE_LSTM", always, dsp_lstm.build, "SMLAD on 2 cells"),
    _mve("UNIDIRECTIONAL_SEQUENCE_LSTM", always, mve_lstm.build, "VMLADAVA on 16 inputs"),
    _mve("LAYER_NORM", mve_layer_norm.applies, mve_layer_norm.build, "four elements at a time"),
    _mve("WHOLE_NORM", mve_whole_norm.applies, mve_whole_norm.build, "four elements at a time"),
    _mve("BATCH_MATMUL", mve_matmul.batch_matmul_applies, mve_matmul.build_batch_matmul, "VMLA or VMLADAV, row by row"),
    _mve("ATTENTION", mve_matmul.attention_applies, mve_matmul.build_attention, "VMLA or VMLADAV, query by query"),
    _mve("AVERAGE_POOL_2D", mve_pool_2d.average_applies, mve_pool_2d.build_average, "eight channels at a time"),
    _mve("MAX_POOL_2D", mve_pool_2d.max_applies, mve_pool_2d.build_max, "sixteen channels at a time"),
    *(_mve(kind, always, mve_elementwise.build, "sixteen values at a time") for kind in OF_ONE),
    *(_dsp(kind, always, dsp_elementwise.build, "eight values a turn") for kind in OF_ONE),
    _dsp("TRANSPOSE_CONV", dsp_transpose_conv.applies, dsp_transpose_conv.build, "SMLAD on 3 windows by 2 channels"),
    _no_simd(
        "TRANSPOSE_CONV", v6m_transpose_conv.applies, v6m_transpose_conv.build, "3 windows by 3 channels in 2 words"
    ),
    _mve("TRANSPOSE_CONV", mve_transpose_conv.applies, mve_transpose_conv.build, "VMLADAVA on 2 windows"),
    _mve("MEAN", mve_pool_2d.mean_applies, mve_pool_2d.build_mean, "eight channels at a time"),
    _no_simd("FULLY_CONNECTED", v6m_fully_connected.applies, v6m_fully_connected.build, "6 channels at a time"),
    _no_simd("ADD", v6m_binary.applies, v6m_binary.build, "one linear function, proven on all 65,536 pairs"),
    _no_simd("SUB", v6m_binary.applies, v6m_binary.build, "one linear function, proven on all 65,536 pairs"),
    _dsp("CONV_2D", dsp_wide.convolution_applies, dsp_wide.build_convolution, "3 pixels by 3 channels in 2 words"),
    _dsp("CONV_2D", dsp_wide.grouped_applies, dsp_wide.build_grouped, "3 pixels by 3 channels, group by group"),
    _dsp("FULLY_CONNECTED", dsp_wide.dense_applies, dsp_wide.build_dense, "6 channels at a time"),
    _bits("CONV_2D", Isa.MVE),
    _bits("FULLY_CONNECTED", Isa.MVE),
    _portable("CONV_2D", conv_2d.build),
    _portable("DEPTHWISE_CONV_2D", depthwise_conv_2d.build),
    _portable("FULLY_CONNECTED", fully_connected.build),
    _portable("ADD", binary.build_add),
    _portable("SUB", binary.build_sub),
    _portable("MUL", binary.build_mul),
    _portable("PAD", pad.build),
    _portable("PADV2", pad.build),
    _portable("AVERAGE_POOL_2D", pool_2d.build_average),
    _portable("MAX_POOL_2D", pool_2d.build_max),
    _portable("MEAN", reduce.build),
    _portable("SUM", reduce.build),
    _portable("CONCATENATION", concatenation.build),
    _portable("SOFTMAX", softmax.build),
    *(
        KernelRow(kind, frozenset({Isa.DSP}), NOT_SIZE, dsp_move.applies, dsp_move.build, "up to twelve bytes a turn")
        for kind in (*(spec.kind for spec in MOVES), "GATHER")
    ),
    *(_portable(kind, elementwise.build) for kind in OF_ONE),
    _portable("QUANTIZE", quantize.build_quantize),
    _portable("DEQUANTIZE", quantize.build_dequantize),
    _portable("BATCH_MATMUL", batch_matmul.build),
    _portable("TRANSPOSE_CONV", transpose_conv.build),
    _portable("RESIZE_BILINEAR", resize_bilinear.build),
    _portable("SQUARED_DIFFERENCE", arithmetic.build_squared_difference),
    _portable("PRELU", arithmetic.build_prelu),
    _portable("L2_NORMALIZATION", normalisation.build_l2),
    _portable("LOG_SOFTMAX", normalisation.build_log_softmax),
    _portable("ATTENTION", attention.build),
    _portable("LAYER_NORM", layer_norm.build),
    _portable("WHOLE_NORM", whole_norm.build),
    _portable("UNIDIRECTIONAL_SEQUENCE_LSTM", lstm.build),
    _portable("READ_VARIABLE", state.build_read),
    _portable("ASSIGN_VARIABLE", state.build_assign),
    *(_portable(spec.kind, move.build) for spec in MOVES),
    _portable("GATHER", move.build_gather),
    _portable("PACK", concatenation.build),
    *(_dsp(kind, dsp_extremes.applies, dsp_extremes.build, "SEL on 4 values") for kind in ("MAXIMUM", "MINIMUM")),
    *(_portable(kind, logic.build_of_two) for kind in OF_TWO),
    _portable("LOGICAL_NOT", logic.build_not),
    _portable("SELECT", logic.build_select),
    _portable("SELECT_V2", logic.build_select),
    _portable("ARG_MAX", logic.build_arg),
    _portable("ARG_MIN", logic.build_arg),
    _portable("REDUCE_MAX", logic.build_extreme),
    _portable("REDUCE_MIN", logic.build_extreme),
    _portable("CAST", logic.build_cast),
    _portable("TOPK_V2", top_k.build),
)


def candidates(op: Op, target: Target) -> list[KernelRow]:
    """The rows of ``op``'s kind on ``target``, in the order in which they are tried."""
    return [
        row for row in KERNELS if row.kind == op.kind and target.isa in row.isas and target.optimize in row.optimize
    ]


@dataclass(frozen=True, slots=True)
class Selection:
    """The row that runs an op, and what the faster rows before it said."""

    row: KernelRow
    passed_over: tuple[tuple[KernelRow, Verdict], ...] = ()


def select(graph: Graph, op: Op, target: Target) -> Selection:
    """The first row of :data:`KERNELS` that fits ``op`` on ``target``.

    Raises :class:`UnsupportedError` where no row does.
    """
    passed_over: list[tuple[KernelRow, Verdict]] = []
    for row in candidates(op, target):
        verdict = row.applies(graph, op, target)
        if verdict:
            return Selection(row, tuple(passed_over))
        if not row.note.startswith(PORTABLE):
            passed_over.append((row, verdict))
    raise UnsupportedError(
        f"{op.kind} ({op.name}) has no kernel for {target.isa.value}",
        hint="docs/supported-ops.md lists the ops and what each may hold",
    )


def build_step(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``op`` by the chosen row.

    Its reason is the row's note, what the builder says of the layer, and which faster kernels could not be proven to be
    exact; where portable C runs, at least why the last of them does not.
    """
    selection = select(graph, op, target)
    step = selection.row.build(graph, op, target)
    passed_over = tuple(PassedOver(row.note, verdict.cause) for row, verdict in selection.passed_over)
    said = {verdict.cause: row for row, verdict in selection.passed_over if verdict.unproven}
    if selection.row.note.startswith(PORTABLE) and not said:
        said = {verdict.cause: row for row, verdict in selection.passed_over[-1:]}
    parts = (selection.row.note, step.reason, *(f"not {row.note!r}: {cause}" for cause, row in said.items()))
    return replace(step, reason="; ".join(part for part in parts if part), passed_over=passed_over)
