"""MnasNet-A1: inverted residuals found by a search that measured latency on a telephone.

Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", 2019, arXiv:1807.11626, figure 7.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU
from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import Body, Stage, build_body

STAGES = (
    Stage(1, 3, 1, 1, 16, skip=False),
    Stage(2, 3, 2, 6, 24),
    Stage(3, 5, 2, 3, 40, 0.25),
    Stage(4, 3, 2, 6, 80),
    Stage(2, 3, 1, 6, 112, 0.25),
    Stage(3, 5, 2, 6, 160, 0.25),
    Stage(1, 3, 1, 6, 320),
)
"""Figure 7."""

BODY = Body(32, STAGES, 1280, activation=RELU)


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.2,
    drop_rate: float = 0.0,
    batch_size: int | None = None,
    name: str = "mnasnet",
) -> Any:
    """MnasNet-A1 with channels times ``width``."""
    return build_body(
        BODY,
        input_shape=input_shape,
        classes=classes,
        width=width,
        depth=1.0,
        dropout=dropout,
        drop_rate=drop_rate,
        batch_size=batch_size,
        name=name,
    )


_PAPER = "Tan et al. 2019, MnasNet, arXiv:1807.11626, figure 7"

ROWS = (
    Entry(
        "mnasnet_025_96",
        "mnasnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        board="nano33ble",
    ),
    Entry(
        "mnasnet_a1_224",
        "mnasnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("table 1 of the paper: 3.9 M, 312 M multiply-adds", 3_900_000, 100_000, 312_000_000, 1_000_000),
    ),
)
