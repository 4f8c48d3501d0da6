"""ChamNet-C: MobileNetV2's blocks with repeats, channels and expansions found by search with predictors.

Dai et al., "ChamNet: Towards Efficient Network Design through Platform-Aware Model Adaptation", 2019, arXiv:1812.08934.
The paper does not print the networks; the stages are those of the authors' released one
(facebookresearch/mobile-vision, ChamNet/models/ChamNet-C/fp32/model.pbtxt), whose graph gives every depthwise
convolution's channels, strides and shortcuts.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU
from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import Body, Stage, build_body

STAGES = (
    Stage(1, 3, 1, 1, 16, expanded=16),
    Stage(1, 3, 2, 4, 16),
    Stage(1, 3, 2, 6, 32),
    Stage(2, 3, 1, 4, 32),
    Stage(1, 3, 2, 5, 64),
    Stage(1, 3, 1, 5, 64),
    Stage(1, 3, 1, 6, 96),
    Stage(2, 3, 1, 6, 96),
    Stage(1, 3, 2, 6, 160),
    Stage(2, 3, 1, 6, 160),
    Stage(1, 3, 1, 4, 304),
)
"""The graph names the channels of the depthwise convolutions only. Where those leave a choice, in the second stage, the
last one and the convolution before the pool, it is the one that gives the published parameters and MACs."""

BODY = Body(16, STAGES, 1456, activation=RELU)


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "chamnet",
) -> Any:
    """ChamNet-C with channels times ``width``."""
    return build_body(
        BODY,
        input_shape=input_shape,
        classes=classes,
        width=width,
        depth=1.0,
        dropout=dropout,
        drop_rate=0.0,
        batch_size=batch_size,
        name=name,
    )


_PAPER = "Dai et al. 2019, ChamNet, arXiv:1812.08934, table 2"

ROWS = (
    Entry(
        "chamnet_025_96",
        "chamnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        board="nano33ble",
    ),
    Entry(
        "chamnet_c_224",
        "chamnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(
            "README of facebookresearch/mobile-vision: 3.4 M, 211.6 M", 3_400_000, 100_000, 211_600_000, 100_000, 0.01
        ),
    ),
)
