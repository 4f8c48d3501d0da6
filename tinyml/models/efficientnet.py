"""EfficientNet: inverted residuals with squeeze and excite and swish, scaled in depth, width and resolution at once.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, arXiv:1905.11946, table 1
(B0); ``tinyml scale`` applies equation 3 (:func:`tinyml.models.formulas.compound`).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import Body, Stage, build_body

STAGES = (
    Stage(1, 3, 1, 1, 16, 0.25),
    Stage(2, 3, 2, 6, 24, 0.25),
    Stage(2, 5, 2, 6, 40, 0.25),
    Stage(3, 3, 2, 6, 80, 0.25),
    Stage(3, 5, 1, 6, 112, 0.25),
    Stage(4, 5, 2, 6, 192, 0.25),
    Stage(1, 3, 1, 6, 320, 0.25),
)
"""Table 1; the code's squeeze and excite has a quarter of the block's input channels."""

BODY = Body(32, STAGES, 1280)
RESOLUTION = 224


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float = 0.2,
    drop_rate: float = 0.2,
    batch_size: int | None = None,
    name: str = "efficientnet",
) -> Any:
    """B0 with channels times ``width``, repeats times ``depth``; images are scaled to about [-1, 1] by the caller."""
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


_PAPER = "Tan and Le 2019, EfficientNet, arXiv:1905.11946, table 1"

ROWS = (
    Entry(
        "efficientnet_025_96",
        "efficientnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25), ("depth", 0.5)),
        board="nano33ble",
    ),
    Entry(
        "efficientnet_b0_224",
        "efficientnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("keras.applications.EfficientNetB0; the paper's table 2", 5_288_548, 1, 390_000_000, 10_000_000),
    ),
)
