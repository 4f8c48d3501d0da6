"""What a whole layer takes in instructions, from what its kernel does: so many a product, an output, a pixel, a call.

``kernel_work.json`` holds, for each instruction set and kernel, the instructions of each quantity, fitted to counts of
layers in emulation (``python -m tests.bench.kernel_work``). A kernel that it does not have is not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from math import prod
from pathlib import Path

from tinyml.lower.program import Int, Ints, Program, Step

TABLE = Path(__file__).with_name("kernel_work.json")
_ROWS = frozenset({"FULLY_CONNECTED", "LAYER_NORM", "WHOLE_NORM", "SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION", "MUL"})
"""Ops whose kernels say by ``rows`` how often they begin; elsewhere those are rows of an image."""

_FORMS = range(6)
"""How results are requantised, as the kernels of an instruction set number it."""


def quantities(program: Program, step: Step) -> dict[str, float]:
    """What the instructions of the whole layer may depend on, for a step by rows as if it ran at once.

    Of MVE's vectors of 16 products, those that are not full count like the others.
    """
    tensors = program.graph.tensors
    out, read = tensors[step.outputs[0]], [tensors[t] for t in step.inputs]
    values = {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}
    lists = {arg.name: arg.values for arg in step.args if isinstance(arg, Ints)}
    calls = step.rows.calls if step.rows is not None else 1
    outputs, channels = float(out.elements), out.shape[-1] if out.shape else 1
    pixels, height = outputs / max(channels, 1), values.get("kernel_h", 0)
    square = height == 3 and values.get("stride_h") == values.get("stride_w") == 1 and values.get("kernel_w", 3) == 3
    found = {
        "call": 1.0,
        "products": float(step.macs),
        "products of a square": float(step.macs * square),
        "outputs": outputs,
        "outputs below zero": outputs * (values.get("out_min", 0) < values.get("out_zero_point", 0)),
        "inputs": float(sum(t.elements for t in read)),
        "pixels": pixels,
        "channels": float(channels),
        "lines": float(out.shape[1] * channels) if len(out.shape) == 4 else 0.0,
        "patches": step.macs / max(values.get("channels", channels), 1),
        "strips": pixels * height,
        "strip vectors": pixels * height * -(-values.get("kernel_w", 0) * values.get("depth", 0) // 16),
        "vectors": outputs * values.get("vectors", 0),
        "windows": outputs * values.get("filter_h", 0) * values.get("filter_w", 0),
        "scores": float(values.get("batches", 0) * values.get("rows", 0) * values.get("count", 0)),
        "scattered": outputs * (lists.get("strides", (1,))[-1] != 1),
        "parts": float(calls * values.get("repeats", 0) * values.get("parts", 0)),
        "gains": outputs * values.get("has_gain", 0),
        "offsets": outputs * values.get("has_offset", 0),
        "runs": float(calls * _runs(step, values, lists)),
    }
    blocks = calls * channels * values.get("count", 0) * -(-values.get("out_h", 0) // values.get("tile", 1))
    found |= {"blocks": float(blocks), "block vectors": float(blocks * values.get("vectors", 0))}
    form = values.get("rounding", values.get("form"))
    return found | {f"outputs of form {one}": outputs * (form == one) for one in _FORMS}


def _runs(step: Step, values: Mapping[str, int], lists: Mapping[str, tuple[int, ...]]) -> int:
    """How often the innermost loop of an element-wise kernel begins."""
    if "out_run" in values and "elements" in values:
        return values["elements"] // max(values["out_run"], 1)
    if "sizes" in lists:
        return prod(lists["sizes"][:-1])
    return values.get("rows", 0) if step.kind in _ROWS else 0


@cache
def _table() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    loaded: dict[str, dict[str, dict[str, float]]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return loaded


def whole_work(program: Program, step: Step) -> float | None:
    """Instructions of the whole layer that ``step`` does, estimated; None where its kernel was not measured."""
    costs = _table().get(program.target.isa.value, {}).get(step.kernel)
    if costs is None:
        return None
    known = quantities(program, step)
    return sum(cost * known[name] for name, cost in costs.items())
