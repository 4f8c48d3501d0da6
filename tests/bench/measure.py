"""Measures one model on one board with both compilers, as one row of the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tests.bench.anchors import TFLM_ARENA_BYTES, TFLM_INSTRUCTIONS, TINYENGINE_ARENA_BYTES, TINYENGINE_INSTRUCTIONS
from tests.support.instruction_bars import bar_name
from tinyml import pipeline
from tinyml.errors import TinymlError
from tinyml.graph.ir import Graph
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyml.lower.program import Program, Step
from tinyml.pipeline import Options
from tinyml.report.results import LayerProfile

TOOLCHAINS = ("gcc", "zig")
OTHERS = {
    "FULLY_CONNECTED": "fully connected",
    "ADD": "add",
    "AVERAGE_POOL_2D": "pooling",
    "MAX_POOL_2D": "pooling",
    "MEAN": "pooling",
    "SOFTMAX": "softmax",
}


def measure(model: str, source: str | Path, board: str, optimize: str = "balanced") -> dict[str, Any]:
    """One row: exact counts of one inference by both compilers, the estimate, and the ELF's sizes, or why not."""
    row: dict[str, Any] = {"model": bar_name(model, optimize), "board": board}
    try:
        for toolchain in TOOLCHAINS:
            profile = pipeline.profile(source, board, None, Options(toolchain=toolchain, optimize=optimize))
            row[f"instructions_{toolchain}"] = profile.instructions
            if toolchain == TOOLCHAINS[0]:
                row |= {key: profile.to_json()[key] for key in ("core", "macs", "cycles", "latency_ms", "energy_uj")}
                program = pipeline.compile_model(source, board, Options(optimize=optimize)).program
                row["isa"], row["kinds"] = program.target.isa.value, by_kind(program, profile.layers)
        options = Options(toolchain=TOOLCHAINS[0], optimize=optimize)
        fit = pipeline.check(source, board, options, compile_firmware=True).to_json()
    except TinymlError as error:
        return row | {"error": error.message}
    row |= {key: fit[key] for key in ("arena_bytes", "weights_bytes", "code_bytes")}
    row["zig_to_gcc"] = round(row["instructions_zig"] / row["instructions_gcc"], 3)
    row["instructions_per_mac"] = round(row["instructions_gcc"] / row["macs"], 3)
    row["anchor_instructions"] = TFLM_INSTRUCTIONS.get(model, {}).get(row["core"]) or TINYENGINE_INSTRUCTIONS.get(model)
    row["anchor_arena_bytes"] = TFLM_ARENA_BYTES.get(model) or TINYENGINE_ARENA_BYTES.get(model)
    return row


def by_kind(program: Program, layers: tuple[LayerProfile, ...]) -> dict[str, dict[str, int]]:
    """Instructions, multiply-accumulates and output elements of each kind of layer."""
    found: dict[str, dict[str, int]] = {}
    for step, layer in zip(program.steps, layers, strict=True):
        sums = found.setdefault(kind_of(program.graph, step), {"instructions": 0, "macs": 0, "elements": 0})
        sums["instructions"] += layer.instructions
        sums["macs"] += layer.macs
        sums["elements"] += sum(program.graph.tensors[index].elements for index in step.outputs)
    return found


def kind_of(graph: Graph, step: Step) -> str:
    """The kind of a layer as the table has it: kernel size and stride tell convolutions apart."""
    if not step.op_indices or step.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return OTHERS.get(step.kind, step.kind.lower())
    op = graph.ops[step.op_indices[0]]
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    if step.kind == "DEPTHWISE_CONV_2D":
        return f"depthwise {height}x{width} stride {cast(DepthwiseConv2DAttrs, op.attrs).stride_w}"
    if op.inputs[0] in graph.inputs:
        return "first layer"
    stride = cast(Conv2DAttrs, op.attrs).stride_w
    return "1x1" if height == width == 1 and stride == 1 else "kxk"
