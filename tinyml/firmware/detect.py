"""The detection application: boxes or keypoints of what the camera sees, as the model's manifest says they are coded.

A manifest says it under ``detection``, with ``kind`` and what belongs to it::

    {"kind": "boxes", "anchors": [[1.0, 2.0], …], "least_score": 0.3, "most_overlap": 0.45, "limit": 16}
    {"kind": "keypoints", "cell_units": 1.0, "least_score": 0.5}

Both may have ``cell_pixels``, the width of a cell of the output in pixels of the network's picture; without it the
picture's width over the output's. ``labels`` name the boxes' classes or the keypoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyml.detection.boxes import BOX_VALUES, BoxDecoder, decode_boxes
from tinyml.detection.keypoints import decode_keypoints, render_shift
from tinyml.detection.tables import ONE
from tinyml.errors import UsageError
from tinyml.firmware.render import c_strings
from tinyml.firmware.scores import SCORE_UNITS, names_of, score, score_factor
from tinyml.graph.ir import DType, Graph, Tensor

APP = "detect"
CONFIG = "detection_config.h"
MOST_FOUND_BYTES = 24 * BoxDecoder.limit
"""What is found takes about so much: a ``tml_box`` has 24 bytes, and keypoints take less than the usual list."""

Codes = npt.NDArray[np.int8]
Found = Mapping[str, Any]
"""A box or a keypoint as the console's line has it: its name, score, and edges or place in pixels."""

_HINT = (
    'say beside the model, in a .json of its name, how its outputs are coded: "detection": {"kind": "boxes", "anchors":'
    ' …} or {"kind": "keypoints"} (docs/detection.md)'
)


class Detector(Protocol):
    """How outputs become what is seen: C and the same in Python. ``names`` are what there is to see."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the boxes' classes, or of the keypoints."""

    @property
    def values(self) -> dict[str, str]:
        """The macros of ``app_config.h``."""

    @property
    def config(self) -> str:
        """The header with the decoder's tables."""

    def found(self, outputs: Sequence[Codes]) -> tuple[Found, ...]:
        """What the firmware prints of the network's int8 ``outputs``, in their order."""


@dataclass(frozen=True)
class Boxes:
    """A YOLOv2 network's one output ``tensor``."""

    tensor: Tensor
    decoder: BoxDecoder
    names: tuple[str, ...]
    cell_pixels: int

    @property
    def values(self) -> dict[str, str]:
        """See :class:`Detector`."""
        return _values(self.names, self.cell_pixels) | {"APP_DETECTS_BOXES": "1"}

    @property
    def config(self) -> str:
        """See :class:`Detector`."""
        _, rows, columns, _ = self.tensor.shape
        return self.decoder.render(rows, columns)

    def found(self, outputs: Sequence[Codes]) -> tuple[Found, ...]:
        """See :class:`Detector`."""
        return tuple(
            {"name": self.names[box.class_index], "score": (box.score * SCORE_UNITS + ONE // 2 >> 15) / SCORE_UNITS}
            | {side: _pixels(getattr(box, side), self.cell_pixels) for side in ("left", "top", "right", "bottom")}
            for box in decode_boxes(outputs[0].reshape(self.tensor.shape[1:]), self.decoder)
        )


@dataclass(frozen=True)
class Keypoints:
    """A PoseNet's heatmap and offsets, the outputs number ``places``."""

    heatmap: Tensor
    offsets: Tensor
    places: tuple[int, int]
    names: tuple[str, ...]
    cell_units: float
    least_score: float
    cell_pixels: int

    @property
    def values(self) -> dict[str, str]:
        """See :class:`Detector`."""
        _, rows, columns, _ = self.heatmap.shape
        least = math.ceil(self.least_score / self.heatmap.scale + self.heatmap.zero_point)
        return _values(self.names, self.cell_pixels) | {
            "APP_DETECTS_BOXES": "0",
            "APP_HEATMAP_OUTPUT": str(self.places[0]),
            "APP_OFFSETS_OUTPUT": str(self.places[1]),
            "APP_ROWS": str(rows),
            "APP_COLUMNS": str(columns),
            "APP_SCORE_ZERO": f"({self.heatmap.zero_point})",
            "APP_SCORE_FACTOR": f"{score_factor(self.heatmap)}",
            "APP_LIT_OUTPUT": f"({max(-128, min(127, least))})",
        }

    @property
    def config(self) -> str:
        """See :class:`Detector`."""
        return render_shift(self.offsets.scale, self.offsets.zero_point, self.cell_units)

    def found(self, outputs: Sequence[Codes]) -> tuple[Found, ...]:
        """See :class:`Detector`."""
        heatmap, offsets = (
            outputs[place].reshape(tensor.shape[1:])
            for place, tensor in zip(self.places, (self.heatmap, self.offsets), strict=True)
        )
        quant = self.offsets.scale, self.offsets.zero_point, self.cell_units
        return tuple(
            {
                "name": name,
                "score": score(self.heatmap, point.score),
                "x": _pixels(point.x, self.cell_pixels),
                "y": _pixels(point.y, self.cell_pixels),
            }
            for name, point in zip(self.names, decode_keypoints(heatmap, offsets, *quant), strict=True)
        )


def detector(graph: Graph, labels: Sequence[str], manifest: Mapping[str, Any]) -> Detector:
    """How the outputs of a network for pictures are read, as its manifest says.

    Raises:
        UsageError: the manifest says nothing or something odd, or the outputs are not of that kind.
    """
    known = manifest.get("detection")
    if not isinstance(known, Mapping) or known.get("kind") not in _KINDS:
        said = "nothing" if not isinstance(known, Mapping) else f"the kind {known.get('kind')!r}"
        raise UsageError(f"the manifest of {graph.name} says {said} of boxes or keypoints", hint=_HINT)
    kind = str(known["kind"])
    outputs = [graph.tensors[index] for index in graph.outputs]
    if any(t.dtype is not DType.INT8 or t.quant is None or len(t.shape) != 4 or t.shape[0] != 1 for t in outputs):
        shapes = ", ".join(f"{t.dtype.value} {list(t.shape)}" for t in outputs)
        raise UsageError(f"the outputs are {shapes}, not int8 [1, rows, columns, values] of {kind}")
    try:
        width = graph.tensors[graph.inputs[0]].shape[2]
        cell_pixels = int(known.get("cell_pixels", round(width / outputs[0].shape[2])))
        return _KINDS[kind](outputs, tuple(labels), known, cell_pixels)
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"the manifest's detection {dict(known)} can't be read: {error}", hint=_HINT) from error


def _boxes(outputs: Sequence[Tensor], labels: tuple[str, ...], known: Mapping[str, Any], cell_pixels: int) -> Detector:
    if len(outputs) != 1:
        raise UsageError(f"boxes come from one output, the model has {len(outputs)}")
    tensor = outputs[0]
    anchors = tuple((float(width), float(height)) for width, height in known["anchors"])
    values, rest = divmod(tensor.shape[3], max(1, len(anchors)))
    classes = values - BOX_VALUES
    if rest or classes < 1:
        raise UsageError(
            f"the output has {tensor.shape[3]} values a cell, which {len(anchors)} anchors do not share",
            hint="each anchor has 5 values and one for each class",
        )
    given = {name: float(known[name]) for name in ("least_score", "most_overlap") if name in known}
    limit = int(known.get("limit", BoxDecoder.limit))
    decoder = BoxDecoder(tensor.scale, tensor.zero_point, anchors, classes, limit=limit, **given)
    return Boxes(tensor, decoder, names_of(labels, classes), cell_pixels)


def _keypoints(
    outputs: Sequence[Tensor], labels: tuple[str, ...], known: Mapping[str, Any], cell_pixels: int
) -> Detector:
    values = [tensor.shape[3] for tensor in outputs]
    if len(outputs) < 2 or 2 * min(values) not in values:
        raise UsageError(
            f"the outputs have {', '.join(map(str, values))} values a cell",
            hint="keypoints come from a heatmap for each, and offsets with twice as many values",
        )
    places = values.index(min(values)), values.index(2 * min(values))
    heatmap, offsets = (outputs[place] for place in places)
    names = names_of(labels, heatmap.shape[3])
    units, least = float(known.get("cell_units", 1.0)), float(known.get("least_score", 0.5))
    return Keypoints(heatmap, offsets, places, names, units, least, cell_pixels)


_KINDS = {"boxes": _boxes, "keypoints": _keypoints}


def _values(names: Sequence[str], cell_pixels: int) -> dict[str, str]:
    return {
        "APP_NAME_COUNT": f"{len(names)}u",
        "APP_NAMES": c_strings(names),
        "APP_CELL_PIXELS": str(cell_pixels),
    }


def _pixels(length: int, cell_pixels: int) -> float:
    """1/256 cells in pixels with two decimals, as the firmware rounds them."""
    return (length * cell_pixels * 100 + 128 >> 8) / 100
