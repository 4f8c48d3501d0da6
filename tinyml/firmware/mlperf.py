"""What the MLPerf Tiny application has to know of its model: which of the tests it is and what the host sends.

The forms of inputs and results are those of the reference implementations in ``mlcommons/tiny``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml.boards import Board
from tinyml.codegen.literals import c_float
from tinyml.errors import UsageError
from tinyml.features.codes import as_input, same_codes
from tinyml.firmware.render import c_list
from tinyml.graph.ir import DType, Graph, Tensor

VENDOR = "tinyml"
FIRMWARE = "ULPMark for tinyML Firmware V0.0.1"
"""What the benchmark's runner expects as the profile of every device."""
RAW, CODES, IMAGE, FLOAT = 0, 1, 2, 3
_OUTPUT_TYPES = {DType.INT8: 0, DType.UINT8: 1, DType.INT16: 2, DType.INT32: 3, DType.FLOAT32: 4}
_CUSTOM_NAME_CHARACTERS = 32
_COMMAND_AND_CONSOLE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One of the benchmark's tests: its name in the protocol, the model's shapes, the form of what the host sends.

    ``quantisation`` is the scale and zero point in which ``CODES`` come. With ``error`` the result is the mean square
    of the differences between input and output.
    """

    name: str
    input_shape: tuple[int, ...]
    outputs: int
    feed: int
    quantisation: tuple[float, int] | None = None
    error: bool = False


BENCHMARKS = (
    Benchmark("kws01", (49, 10, 1), 12, CODES, quantisation=(0.584702909, 83)),
    Benchmark("vww01", (96, 96, 3), 2, IMAGE),
    Benchmark("ic01", (32, 32, 3), 10, IMAGE),
    Benchmark("ad01", (640,), 640, FLOAT, error=True),
)


def benchmark_of(graph: Graph) -> Benchmark | None:
    """The benchmark's test that a model of these shapes is entered for; None for any other model."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    given, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if given.dtype is not DType.INT8 or result.dtype is not DType.INT8:
        return None
    shape = given.shape[1:] if given.shape[:1] == (1,) else given.shape
    return next((b for b in BENCHMARKS if (b.input_shape, b.outputs) == (shape, result.elements)), None)


def buffer_bytes(graph: Graph) -> int:
    """Bytes of one input in the form that the host sends."""
    test = benchmark_of(graph)
    sent_bytes = np.dtype(np.float32).itemsize if test is not None and test.feed == FLOAT else 1
    return sent_bytes * sum(graph.tensors[index].size_bytes for index in graph.inputs)


def mlperf_ram_bytes(graph: Graph) -> int:
    """RAM of the application besides the network's: the input as it is sent and quantised, a command, the console's."""
    test = benchmark_of(graph)
    quantised_bytes = graph.tensors[graph.inputs[0]].size_bytes if test is not None and test.feed == FLOAT else 0
    return buffer_bytes(graph) + quantised_bytes + _COMMAND_AND_CONSOLE_BYTES


def mlperf_values(
    board: Board, graph: Graph, labels: Sequence[str], manifest: Mapping[str, Any], *, energy: bool = False
) -> dict[str, str]:
    """The macros of the MLPerf Tiny application. A model of none of the benchmark's shapes gets its tensors' own bytes.

    Raises UsageError where an output has a type with no real value.
    """
    test = benchmark_of(graph)
    inputs = [graph.tensors[index] for index in graph.inputs]
    feed = RAW if test is None else test.feed
    values = {}
    if test is not None and test.quantisation is not None:
        if same_codes(*test.quantisation, inputs[0]):
            feed = RAW
        else:
            values["APP_MLPERF_CODES"] = c_list(_codes(*test.quantisation, inputs[0]))
    return {
        "APP_MLPERF_VENDOR": f'"{VENDOR}"',
        "APP_MLPERF_FIRMWARE": f'"{FIRMWARE}"',
        "APP_MLPERF_MODEL": f'"{_custom_name(graph.name) if test is None else test.name}"',
        "APP_MLPERF_FEED": str(feed),
        "APP_MLPERF_ERROR": str(int(test is not None and test.error)),
        "APP_MLPERF_BUFFER_BYTES": f"{buffer_bytes(graph)}u",
        "APP_MLPERF_OUTPUTS": c_list(_format(graph.tensors[index]) for index in graph.outputs),
        "APP_MLPERF_ENERGY": str(int(energy)),
    } | values


def _codes(scale: float, zero_point: int, tensor: Tensor) -> list[int]:
    """The tensor's code for each byte, by its value as unsigned, that means a code of the benchmark's quantisation."""
    sent = np.arange(256).astype(np.uint8).astype(np.int8)
    flat = Tensor(tensor.name, (256,), tensor.dtype, tensor.quant)
    return [int(code) for code in as_input(sent, scale, zero_point, flat)]


def _custom_name(name: str) -> str:
    """A name the runner's pattern takes: no bracket, no percent sign, no space."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:_CUSTOM_NAME_CHARACTERS] or "network"


def _format(tensor: Tensor) -> str:
    kind = _OUTPUT_TYPES.get(tensor.dtype)
    if kind is None:
        raise UsageError(
            f"the model's output {tensor.name!r} is {tensor.dtype.value}, which the benchmark's runner can't read",
            hint="build it with --app benchmark",
        )
    scale, zero_point = (tensor.scale, tensor.zero_point) if tensor.quant else (1.0, 0)
    return f"{{{kind}, {tensor.elements}u, {c_float(scale)}, ({zero_point})}}"
