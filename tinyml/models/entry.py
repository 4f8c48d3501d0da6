"""What a row of the catalogue holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Task = Literal[
    "keyword_spotting",
    "visual_wake_words",
    "image_classification",
    "anomaly_detection",
    "super_resolution",
    "sensor_fusion",
    "object_detection",
    "segmentation",
    "pose_estimation",
    "speech_synthesis",
]


@dataclass(frozen=True, slots=True)
class Published:
    """Figures that somebody else printed; ``*_unit`` is what the last printed digit is worth.

    ``within`` is the part by which our count may differ all the same, at most 1 %, where the source counts something
    else along, such as biases beside a batch norm. ``averages``: the source counts batch norm's moving averages as
    parameters, too. ``note`` says what else there is to know.
    """

    source: str
    parameters: int | None = None
    parameters_unit: int = 1
    macs: int | None = None
    macs_unit: int = 1
    within: float = 0.0
    averages: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the catalogue: ``builder(**options)`` builds it; the options can be overridden.

    ``board`` names the board that a size for microcontrollers was chosen to fit. ``manifest`` is what the application
    has to know of its outputs, as training writes it beside a model. ``finish(learned, **options)`` makes the network
    of the form that was trained, where ``builder(learning=True)`` builds another for that. The sides of its pictures
    are multiples of ``side_step``.
    """

    name: str
    family: str
    task: Task
    paper: str
    builder: Callable[..., Any]
    options: tuple[tuple[str, Any], ...]
    published: Published | None = None
    board: str | None = None
    manifest: tuple[tuple[str, Any], ...] = ()
    finish: Callable[..., Any] | None = None
    side_step: int = 1

    @property
    def defaults(self) -> dict[str, Any]:
        """Every option of the builder with this entry's value, e.g. ``input_shape``, ``classes``, ``width``."""
        signature = inspect.signature(self.builder)
        values = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if name not in ("batch_size", "name")
        }
        return values | dict(self.options)

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the inputs without the batch."""
        several = self.defaults.get("input_shapes")
        return tuple(map(tuple, several)) if several is not None else (tuple(self.defaults["input_shape"]),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input without the batch."""
        return self.input_shapes[0]

    @property
    def classes(self) -> int | None:
        """Number of classes, None for a network that does not classify."""
        value = self.defaults.get("classes")
        return None if value is None else int(value)
