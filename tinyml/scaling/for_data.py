"""The network for a data set and a board: as many classes as the data has, pictures no larger than it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tinyml.errors import UsageError
from tinyml.models.catalog import find_entry
from tinyml.scaling.probe import Need
from tinyml.scaling.scale import Scaled, ScaleRequest, scale
from tinyml.training.recipes import DataOptions, open_data

PICTURE_SIDES = {"cifar10": 32, "mnist": 28}
"""Sides of data sets whose pictures all are of one small size, which nothing is gained by enlarging."""


def scale_for(
    request: ScaleRequest, folder: Path, data_options: DataOptions, watch: Callable[[Need], None] | None = None
) -> Scaled:
    """:func:`tinyml.scaling.scale.scale` with the classes of the data set in ``folder``.

    Raises:
        UsageError: no such data set, or a Python file in place of a catalogue name.
        DoesNotFitError: as :func:`scale` does.
    """
    if request.model.endswith(".py"):
        raise UsageError(
            "--board chooses a size of the catalogue's families, not of a Python file",
            hint="`tinyml check model.py --board …` says whether it fits",
        )
    dataset, _ = open_data(folder, data_options)
    pinned = dict(request.pinned)
    if "classes" in find_entry(request.model).defaults:
        pinned.setdefault("classes", len(dataset.classes))
    resolution = request.resolution or PICTURE_SIDES.get(dataset.layout)
    return scale(replace(request, pinned=pinned, resolution=resolution), watch)
