"""EfficientNetV2: fused inverted residuals in the early stages, trained with growing images.

Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", 2021, arXiv:2104.00298, table 4 (S) and section 4
(progressive learning, :mod:`tinyml.models.progressive`).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import Body, Stage, build_body

STAGES = (
    Stage(2, 3, 1, 1, 24, fused=True),
    Stage(4, 3, 2, 4, 48, fused=True),
    Stage(4, 3, 2, 4, 64, fused=True),
    Stage(6, 3, 2, 4, 128, 0.25),
    Stage(9, 3, 1, 6, 160, 0.25),
    Stage(15, 3, 2, 6, 256, 0.25),
)
"""Table 4."""

BODY = Body(24, STAGES, 1280)


def build(
    *,
    input_shape: tuple[int, ...] = (384, 384, 3),
    classes: int = 1000,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float = 0.2,
    drop_rate: float = 0.2,
    batch_size: int | None = None,
    name: str = "efficientnet_v2",
) -> Any:
    """EfficientNetV2-S with channels times ``width`` and repeats times ``depth``."""
    return build_body(
        BODY,
        input_shape=input_shape,
        classes=classes,
        width=width,
        depth=depth,
        dropout=dropout,
        drop_rate=drop_rate,
        batch_size=batch_size,
        name=name,
    )


_PAPER = "Tan and Le 2021, EfficientNetV2, arXiv:2104.00298, table 4"

ROWS = (
    Entry(
        "efficientnet_v2_025_96",
        "efficientnet_v2",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25), ("depth", 0.25)),
        board="nano33ble",
    ),
    Entry(
        "efficientnet_v2_s_384",
        "efficientnet_v2",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("keras.applications.EfficientNetV2S; the paper's table 7", 21_458_488, 1, 8_400_000_000, 100_000_000),
    ),
)
