"""SENet: residual networks whose blocks weigh their channels by squeeze and excite.

Hu et al., "Squeeze-and-Excitation Networks", 2018, arXiv:1709.01507, table 1: SE-ResNet-50 and, with grouped
convolutions, SE-ResNeXt-50 (32x4d); strides as in the authors' code (hujie-frank/SENet, models/SE-ResNet-50.prototxt).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import (
    RELU,
    SIGMOID,
    activate,
    classify,
    conv,
    divisible,
    finish,
    image_input,
    squeeze_excite,
)
from tinyml.models.entry import Entry, Published

FILTERS = (64, 128, 256, 512)
"""Channels of each stage's 3x3 convolutions; blocks end with four times as many."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    blocks: tuple[int, ...] = (3, 4, 6, 3),
    groups: int = 1,
    group_width: int = 64,
    reduction: int = 16,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "senet",
) -> Any:
    """Table 1 with channels times ``width`` and ``blocks`` bottlenecks a stage.

    The 3x3 convolutions have ``groups`` groups of ``group_width`` channels in the first stage (1 and 64: SE-ResNet; 32
    and 4: SE-ResNeXt). ``reduction`` is squeeze and excite's.
    """
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(64 * width), 7, strides=2, activation=RELU, name="stem")
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, count) in enumerate(zip(FILTERS, blocks, strict=True), start=1):
        middle = divisible(filters * group_width / 64 * groups * width)
        for block in range(1, count + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            x = _block(x, middle, divisible(4 * filters * width), strides, groups, reduction, f"stage{stage}_{block}")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _block(x: Any, middle: int, filters: int, strides: int, groups: int, reduction: int, name: str) -> Any:
    """A bottleneck; SE-ResNet halves the image with its first convolution, SE-ResNeXt with the grouped one."""
    import keras

    first, second = (strides, 1) if groups == 1 else (1, strides)
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = conv(x, filters, 1, strides=strides, activation=None, name=f"{name}_shortcut")
    x = conv(x, middle, 1, strides=first, activation=RELU, name=f"{name}_reduce")
    x = conv(x, middle, 3, strides=second, groups=groups, activation=RELU, name=f"{name}_middle")
    x = conv(x, filters, 1, activation=None, name=f"{name}_expand")
    x = squeeze_excite(x, max(1, filters // reduction), gate_function=SIGMOID, name=f"{name}_se")
    return activate(keras.layers.Add(name=f"{name}_add")([shortcut, x]), RELU, name)


_PAPER = "Hu et al. 2018, Squeeze-and-Excitation Networks, arXiv:1709.01507, table 1"

ROWS = (
    Entry(
        "senet_0125_96",
        "senet",
        "visual_wake_words",
        _PAPER,
        build,
        (
            ("input_shape", (96, 96, 3)),
            ("classes", 2),
            ("width", 0.125),
            ("blocks", (2, 2, 2, 2)),
            ("groups", 8),
            ("group_width", 8),
            ("reduction", 4),
        ),
        board="nano33ble",
    ),
    Entry(
        "senet_resnet50_224",
        "senet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(
            "huggingface/pytorch-image-models, seresnet50: 28.09 M; the paper's table 2: 3.87 billion MACs",
            28_090_000,
            10_000,
            3_870_000_000,
            10_000_000,
            within=0.01,
        ),
    ),
    Entry(
        "senet_resnext50_224",
        "senet",
        "image_classification",
        _PAPER,
        build,
        (("groups", 32), ("group_width", 4)),
        Published(
            "huggingface/pytorch-image-models, seresnext50_32x4d: 27.56 M; the paper's table 2: 4.24 billion MACs",
            27_560_000,
            10_000,
            4_240_000_000,
            10_000_000,
            within=0.01,
        ),
    ),
)
