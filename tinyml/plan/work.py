"""How many instructions a step is estimated to take: what running by rows adds is weighed with it, never promised.

A step's multiplications cost what ``lower/kernel_costs.json`` has measured for its kernel. What that table cannot say
is how a kernel fares on few rows: pixels left over from its blocks, rows that are gathered again for every call.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tinyml.lower.program import Int, Optimize, Program, Step
from tinyml.plan.rowsim import moved_rows
from tinyml.plan.segments import Segment, row_bytes

_COSTS = Path(__file__).parents[1] / "lower" / "kernel_costs.json"
_OF_BITS = "tml_bits_conv2d"
"""Says nothing of the kernels over bytes that were not measured."""
_OTHER_PER_MAC = 3.0
_OTHER_PER_ELEMENT = 8.0
_DEPTHWISE_CALL = {"mve": (30.0, 1.7), "v6m": (1050.0, 10.0), "v7m": (700.0, 8.0)}
"""Measured on kws and vww of MLPerf Tiny: planes and bands are laid out for every call and channel."""
_CONVOLUTION_ROWS = {"mve": 1.03}
"""Measured on MLPerf Tiny's image classifier: borders that are known at run time only."""
_PORTABLE_REDUCTIONS, _REDUCED_ELEMENT = frozenset({"tml_average_rows", "tml_mean_rows"}), 5.0
_CALL = {"dsp": 90.0, "mve": 190.0}
_OTHER_CALL = 140.0
_MOVED_WORD = 0.9
_DSP_TAIL_BLOCKS = {1: 0.56, 2: 0.78}
"""What one or two pixels left over cost, in blocks of three: 9 and 13 instructions where a block has 17."""


@cache
def _per_mac() -> dict[tuple[str, str], float]:
    """Instructions a MAC by (instruction set, kernel); where a kernel was not measured, by (instruction set, op)."""
    table = [row for row in json.loads(_COSTS.read_text(encoding="utf-8")) if row["macs"]]
    found: dict[tuple[str, str], float] = {}
    for row in sorted(table, key=lambda r: int(r["macs"])):
        found[row["isa"], row["kernel"]] = row["instructions"] / row["macs"]
        if row["kernel"] != _OF_BITS:
            found[row["isa"], row["op"]] = row["instructions"] / row["macs"]
    return found


def _of_kernel(isa: str, step: Step) -> float:
    known = _per_mac()
    return known.get((isa, step.kernel), known.get((isa, step.kind), _OTHER_PER_MAC))


def _macs_of_call(step: Step) -> float:
    return step.macs / step.rows.calls if step.rows is not None else step.macs


def _pixels(step: Step, values: dict[str, int]) -> int | None:
    if "pixels" in values:
        return values["pixels"]
    if "out_h" in values and "out_w" in values:
        return values["out_h"] * values["out_w"]
    return None


def step_work(program: Program, step: Step) -> float:
    """Instructions of one call of ``step``, estimated."""
    macs = _macs_of_call(step)
    if macs <= 0:
        elements = max((program.graph.tensors[t].elements for t in (*step.inputs, *step.outputs)), default=0)
        by_rows = _REDUCED_ELEMENT if step.kernel in _PORTABLE_REDUCTIONS else 0.0
        return (_OTHER_PER_ELEMENT + by_rows) * elements / (step.rows.calls if step.rows is not None else 1)
    values = {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}
    work = macs * _of_kernel(program.target.isa.value, step)
    if step.kind == "CONV_2D":
        work *= _block_factor(program, step, values)
        work *= _CONVOLUTION_ROWS.get(program.target.isa.value, 1.0) if step.rows is not None else 1.0
    elif step.kernel == "tml_depthwise_conv2d_dsp" and step.rows is not None:
        work += _gathered_again(values)
    elif step.kind == "DEPTHWISE_CONV_2D" and step.rows is not None:
        work += _begun_again(program, step)
    return work


def _begun_again(program: Program, step: Step) -> float:
    """What a call of a depthwise kernel for few rows costs besides, by channel and by output of the call."""
    channel, output = _DEPTHWISE_CALL.get(program.target.isa.value, (0.0, 0.0))
    _, _, width, channels = program.graph.tensors[step.outputs[0]].shape
    count = step.rows.count if step.rows is not None else 1
    return channels * (channel + output * count * width)


def _block_factor(program: Program, step: Step, values: dict[str, int]) -> float:
    """Work a pixel in parts of a block's: kernels run three at a time (MVE: two), what is left over costs more."""
    pixels = _pixels(step, values)
    isa = program.target.isa.value
    block = 2 if isa == "mve" else 3
    if pixels is None or pixels % block == 0:
        return 1.0
    blocks, rest = divmod(pixels, block)
    has_tails = isa == "dsp" and program.target.optimize is not Optimize.SIZE
    return (blocks + (_DSP_TAIL_BLOCKS[rest] if has_tails else 1.0)) * block / pixels


def _gathered_again(values: dict[str, int]) -> float:
    """The rows of a plane that the call before had as well, gathered anew at 2.2 instructions an element, and blocks of
    one row of output instead of two."""
    again = max(0, values["kernel_h"] - values["stride_h"])
    gathered = 2.2 * again * values["width"] * values["channels"]
    single = values["out_h"] == 1 and values["kernel_h"] == values["kernel_w"] == 3 and values["stride_h"] == 1
    outputs = values["out_h"] * values["out_w"] * values["channels"] * values["multiplier"]
    return gathered + 30.0 * values["channels"] + (4.0 * outputs if single else 0.0)


def call_overhead(program: Program) -> float:
    """Instructions around one call of a step that runs by rows."""
    return _CALL.get(program.target.isa.value, _OTHER_CALL)


def moved_work(segment: Segment, tensor: int) -> float:
    """Instructions to keep the rows of a window together."""
    if segment.is_passing(tensor):
        return 0.0
    moved = moved_rows(segment.nodes, segment.heights, tensor, segment.window_rows(tensor))
    return _MOVED_WORD * moved * row_bytes(segment.program, tensor) / 4
