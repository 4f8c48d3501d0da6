"""What an application's C has to know of the model and the board: macros of ``app_config.h``, and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.features.codes import as_input, same_codes
from tinyml.features.image import ImageConfig
from tinyml.firmware.detect import APP as DETECTION
from tinyml.firmware.detect import CONFIG, detector
from tinyml.firmware.mlperf import mlperf_values
from tinyml.firmware.parts.camera import camera_ram_bytes, sensor_of
from tinyml.firmware.render import c_list, c_string, c_strings
from tinyml.firmware.scores import names_of, score_factor
from tinyml.graph.ir import DType, Graph, Tensor

VISION = "vww"


def app_parts(
    app: str, board: Board, graph: Graph, labels: Sequence[str], manifest: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """C files that ``app`` needs besides the network's, and macros besides those of every application, as C text.

    ``labels`` are the classes' names, ``manifest`` what training wrote beside the model. Raises UsageError where the
    model is not one the application can serve.
    """
    if app == DETECTION:
        values = _camera(app, board, graph)
        found = detector(graph, labels, manifest)
        return {CONFIG: found.config}, values | found.values
    own = _VALUES.get(app)
    return {}, {} if own is None else own(board, graph, labels, manifest)


def class_names(graph: Graph, labels: Sequence[str]) -> tuple[str, ...]:
    """The names of the first output's classes: ``labels`` where there is one for each, else their numbers."""
    return names_of(labels or graph.labels, graph.tensors[graph.outputs[0]].elements)


def output_defines(graph: Graph, labels: Sequence[str]) -> dict[str, str]:
    """The classes' names as JSON strings, and how an output byte becomes a score in 1/10,000.

    The score is ``((q - zero) * factor + 2^15) >> 16``. Raises UsageError where the model has another output than int8
    scores of at least two classes.
    """
    tensor = graph.tensors[graph.outputs[0]]
    if len(graph.outputs) != 1 or tensor.dtype is not DType.INT8 or tensor.quant is None or tensor.elements < 2:
        raise UsageError(
            f"the model's output is {tensor.dtype.value} {list(tensor.shape)}, not int8 scores of two or more classes",
            hint="build it with --app benchmark",
        )
    names = class_names(graph, labels)
    return {
        "APP_CLASS_COUNT": f"{len(names)}u",
        "APP_CLASS_NAMES": c_strings(names),
        "APP_SCORE_ZERO": f"({tensor.zero_point})",
        "APP_SCORE_FACTOR": f"{score_factor(tensor)}",
    }


def image_config(graph: Graph) -> ImageConfig:
    """The preprocessing for the model's image input. Raises UsageError where it has no square one of 1 or 3 planes."""
    tensor = graph.tensors[graph.inputs[0]]
    shape = tensor.shape
    square = len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] and shape[3] in (1, 3)
    if len(graph.inputs) != 1 or not square or tensor.dtype is not DType.INT8:
        raise UsageError(
            f"the model's input is {tensor.dtype.value} {list(shape)}, not an int8 picture [1, size, size, 1 or 3]",
            hint="build it with --app benchmark, or take a model for pictures such as those `tinyml models` lists",
        )
    return ImageConfig(size=shape[1], channels=shape[3])


def _vww(board: Board, graph: Graph, labels: Sequence[str], manifest: Mapping[str, Any]) -> dict[str, str]:
    values = _camera(VISION, board, graph) | output_defines(graph, labels)
    output = graph.tensors[graph.outputs[0]]
    names = class_names(graph, labels)
    lit = str(manifest.get("lit_class", "person"))
    values["APP_LIT_CLASS"] = f"{names.index(lit) if lit in names else len(names) - 1}u"
    threshold = float(manifest.get("lit_threshold", 0.5))
    values["APP_LIT_OUTPUT"] = f"({max(-128, min(127, math.ceil(threshold / output.scale + output.zero_point)))})"
    return values


def _camera(app: str, board: Board, graph: Graph) -> dict[str, str]:
    """What every application with a camera has to know. Raises UsageError where its pictures are too small."""
    config, sensor = image_config(graph), sensor_of(board)
    side = min(sensor.width, sensor.height)
    if side < config.size:
        raise UsageError(
            f"{board.name}'s camera gives {sensor.width} x {sensor.height} pixels, the model takes"
            f" {config.size} x {config.size}",
            hint=f"take a model of at most {side} x {side} pixels",
        )
    values = {
        "APP_NAME_JSON": c_string(app),
        "APP_IMAGE_SIZE": f"{config.size}u",
        "APP_IMAGE_CHANNELS": f"{config.channels}",
    }
    tensor = graph.tensors[graph.inputs[0]]
    if not same_codes(config.input_scale, config.input_zero_point, tensor):
        values["APP_IMAGE_CODES"] = c_list(brightness_codes(config, tensor))
    return values


def vision_ram_bytes(graph: Graph, board: Board, *, fed_by_rows: bool) -> int:
    """RAM of an application with a camera: its buffers, the sums of a row, and the rows that wait for a network.

    Raises as :func:`app_parts` does.
    """
    config, sensor = image_config(graph), sensor_of(board)
    colours = 1 if sensor.pixels == "grey" else 3
    waiting = config.size * config.size * config.channels if fed_by_rows and not sensor.holds_frame else 0
    return camera_ram_bytes(board) + 4 * config.size * colours + waiting


def brightness_codes(config: ImageConfig, tensor: Tensor) -> list[int]:
    """What the network takes for each of the 256 brightnesses, which :func:`as_input` makes of the resizing's codes."""
    brightnesses = (np.arange(256) - 128).astype(np.int8)
    flat = replace(tensor, shape=(256,))
    return [int(value) for value in as_input(brightnesses, config.input_scale, config.input_zero_point, flat)]


_VALUES: dict[str, Callable[[Board, Graph, Sequence[str], Mapping[str, Any]], dict[str, str]]] = {
    VISION: _vww,
    "mlperf_tiny": mlperf_values,
    "mlperf_tiny_energy": partial(mlperf_values, energy=True),
}
