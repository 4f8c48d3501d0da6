"""EfficientNet-EdgeTPU: EfficientNet without swish and squeeze and excite, with fused blocks where images are large.

Gupta and Akin, "Accelerator-aware Neural Network Design using AutoML", 2020, arXiv:2003.02838; stages from the authors'
code (tensorflow/tpu, models/official/efficientnet/edgetpu/efficientnet_edgetpu_builder.py, ``efficientnet-edgetpu-S``).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU
from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import Body, Stage, build_body

STAGES = (
    Stage(1, 3, 1, 4, 24, fused=True, expanded=96, skip=False),
    Stage(2, 3, 2, 8, 32, fused=True),
    Stage(4, 3, 2, 8, 48, fused=True),
    Stage(5, 5, 2, 8, 96),
    Stage(4, 5, 1, 8, 144),
    Stage(2, 5, 2, 8, 192),
)
"""The first stage expands four times 24 channels, not the stem's."""

BODY = Body(32, STAGES, 1280, activation=RELU)


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float = 0.2,
    drop_rate: float = 0.2,
    batch_size: int | None = None,
    name: str = "efficientnet_edgetpu",
) -> Any:
    """EfficientNet-EdgeTPU-S with channels times ``width`` and repeats times ``depth``."""
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


_PAPER = "Gupta and Akin 2020, EfficientNet-EdgeTPU, arXiv:2003.02838, section 3"

ROWS = (
    Entry(
        "efficientnet_edgetpu_025_96",
        "efficientnet_edgetpu",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25), ("depth", 0.5)),
        board="nano33ble",
    ),
    Entry(
        "efficientnet_edgetpu_s_224",
        "efficientnet_edgetpu",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("huggingface/pytorch-image-models, efficientnet_es: 5.44 M", 5_440_000, 10_000),
    ),
)
