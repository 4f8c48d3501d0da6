"""Convolutions computed row by row: one call of a row kernel for each row of output, heights known at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from tests.support.core_build import Machine, compile_core
from tests.support.step_build import GUARD, GUARD_BYTES, Array, c_type
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyml.lower.kernels import build_step
from tinyml.lower.program import Arg, ConstRef, In, Int, Out, Scratch, Step, Target
from tinyml.tflite.reference import Reference


@dataclass(frozen=True, slots=True, eq=False)
class RowLayer:
    """A layer of one op, and the step that computes a row of it from a window as tall as its kernel."""

    reference: Reference
    attrs: Conv2DAttrs | DepthwiseConv2DAttrs
    kernel_h: int
    step: Step

    @property
    def graph(self) -> Graph:
        """The whole layer."""
        return self.reference.graph

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The layer's input and output."""
        (op,) = self.graph.ops
        return self.graph.tensors[op.inputs[0]].shape, self.graph.tensors[op.outputs[0]].shape


def row_layer(model: bytes, target: Target) -> RowLayer:
    """Lower the window of one row: kernel_h rows in, one row out, nothing above."""
    reference = Reference(model)
    (op,) = reference.graph.ops
    attrs = cast(Conv2DAttrs | DepthwiseConv2DAttrs, op.attrs)
    kernel_h = reference.graph.tensors[op.inputs[1]].shape[1]
    tensors = list(reference.graph.tensors)
    for index, rows in ((op.inputs[0], kernel_h), (op.outputs[0], 1)):
        shape = tensors[index].shape
        tensors[index] = replace(tensors[index], shape=(shape[0], rows, *shape[2:]))
    window: Op = replace(op, attrs=replace(attrs, pad_top=0))
    graph = replace(reference.graph, tensors=tuple(tensors), ops=(window,))
    return RowLayer(reference, attrs, kernel_h, build_step(graph, window, target))


def _row_source(layer: RowLayer, prefix: str) -> str:
    (_, height, width, channels), (_, out_h, out_w, out_c) = layer.shapes
    attrs, step = layer.attrs, layer.step
    names = {"height": "height", "pad_top": "pad_top"}

    def argument(arg: Arg) -> str:
        match arg:
            case In():
                return "x"
            case Out():
                return "y"
            case Scratch():
                return f"{prefix}scratch + {GUARD_BYTES}"
            case ConstRef(i):
                return f"{prefix}const_{i}"
            case Int(name, value):
                return names.get(name, str(value))
            case _:
                raise NotImplementedError(type(arg).__name__)

    consts = "".join(
        f"static const {c_type(c.data)} {prefix}const_{i}[] __attribute__((aligned(4))) ="
        f" {{{','.join(str(v) if v > -(2**31) else '(-2147483647 - 1)' for v in c.data.ravel().tolist())}}};\n"
        for i, c in enumerate(step.consts)
    )
    sizes = {"in": height * width * channels, "out": out_h * out_w * out_c, "scratch": step.scratch_bytes}
    buffers = "".join(
        f"int8_t {prefix}{name}[{size + 2 * GUARD_BYTES}] __attribute__((aligned(16)));\n"
        for name, size in sizes.items()
    )
    return f"""{consts}{buffers}
void {prefix}row(const int8_t *x, int8_t *y, int height, int pad_top);
__attribute__((noinline)) void {prefix}row(const int8_t *x, int8_t *y, int height, int pad_top) {{
    {step.kernel}({", ".join(argument(arg) for arg in step.args)});
}}
void {prefix}run(void);
void {prefix}run(void) {{
    for (int i = 0; i < {out_h}; ++i) {{
        const int top = i * {attrs.stride_h} - {attrs.pad_top}, from = top > 0 ? top : 0;
        const int end = top + {layer.kernel_h} < {height} ? top + {layer.kernel_h} : {height};
        {prefix}row({prefix}in + {GUARD_BYTES} + from * {width * channels},
                    {prefix}out + {GUARD_BYTES} + i * {out_w * out_c}, end - from, from - top);
    }}
}}
"""


class RowProgram:
    """Layers computed row by row, compiled into one ELF."""

    def __init__(
        self, layers: Sequence[RowLayer], core: str, directory: Path, *, compiler: str = "gcc", optimise: str = "-O3"
    ) -> None:
        self._layers = list(layers)
        source = "".join(f'#include "{header}"\n' for header in sorted({layer.step.header for layer in layers}))
        source += "".join(_row_source(layer, f"l{i}_") for i, layer in enumerate(layers))
        names = [f"l{i}_{name}" for i in range(len(layers)) for name in ("run", "row", "in", "out", "scratch")]
        elf = compile_core(source, core, directory, entries=tuple(names), compiler=compiler, optimise=optimise)
        self._machine = Machine(elf, core)

    def code_bytes(self, index: int) -> int:
        """Bytes of the code of one row of layer ``index``."""
        return self._machine.size(f"l{index}_row")

    def run(self, index: int, x: Array, *, watch_reads: bool = False) -> Array:
        """The layer's output; fails where a byte outside of its buffers was written or, where watched, read."""
        sizes = self._fill(index, x)
        inside = {f"l{index}_{n}": (GUARD_BYTES, GUARD_BYTES + sizes[n]) for n in ("in", "scratch")}
        if watch_reads:
            self._machine.call_reading_only(f"l{index}_run", inside)
        else:
            self._machine.call(f"l{index}_run")
        guard = bytes([GUARD]) * GUARD_BYTES
        for name, size in sizes.items():
            ends = (self._machine.read(f"l{index}_{name}", GUARD_BYTES, at) for at in (0, size + GUARD_BYTES))
            assert all(end == guard for end in ends), f"wrote outside of {name}"
        shape = self._layers[index].shapes[1]
        return np.frombuffer(self._machine.read(f"l{index}_out", sizes["out"], GUARD_BYTES), np.int8).reshape(shape)

    def count(self, index: int, x: Array) -> int:
        """Instructions of the whole layer, the loop over rows included."""
        self._fill(index, x)
        return self._machine.count(f"l{index}_run")

    def _fill(self, index: int, x: Array) -> dict[str, int]:
        layer = self._layers[index]
        sizes = {"in": x.size, "out": int(np.prod(layer.shapes[1])), "scratch": layer.step.scratch_bytes}
        for name, size in sizes.items():
            self._machine.write(f"l{index}_{name}", bytes([GUARD]) * (size + 2 * GUARD_BYTES))
        self._machine.write(f"l{index}_in", x.tobytes(), GUARD_BYTES)
        return sizes
