"""ShuffleNet: grouped 1x1 convolutions with channels shuffled between the groups.

Zhang et al., "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices", 2018,
arXiv:1707.01083, table 1 and figure 2; channels for three groups from the authors' code
(megvii-model/ShuffleNet-Series, ShuffleNetV1).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import MOST_PROBABILITIES, RELU, activate, conv, depthwise, divisible, finish, image_input
from tinyml.models.channels import shuffle
from tinyml.models.entry import Entry, Published

STAGES = ((240, 4), (480, 8), (960, 4))
"""Output channels with three groups and blocks of each stage (table 1)."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    groups: int = 3,
    batch_size: int | None = None,
    name: str = "shufflenet_v1",
) -> Any:
    """Table 1 with channels times ``width``; the classifier has no bias, as in the authors' code."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(24 * width), 3, strides=2, activation=RELU, name="stem")
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            first = stage == 2 and block == 1
            x = _block(
                x,
                divisible(filters * width, 4 * groups),
                2 if block == 1 else 1,
                groups,
                first,
                f"stage{stage}_{block}",
            )
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    activation = "softmax" if classes <= MOST_PROBABILITIES else None
    x = keras.layers.Dense(classes, use_bias=False, activation=activation, name="classifier")(x)
    return finish(inputs, x, name)


def _block(x: Any, filters: int, strides: int, groups: int, first: bool, name: str) -> Any:
    """Figure 2: added to the shortcut, or joined to its average pool where the stride is 2."""
    import keras

    shortcut = x
    made = filters - x.shape[-1] if strides == 2 else filters
    middle = filters // 4
    # a joined part has filters - 24 * width channels at first, which the groups need not divide
    out_groups = groups if made % groups == 0 else 1
    x = conv(x, middle, 1, groups=1 if first else groups, activation=RELU, name=f"{name}_reduce")
    x = shuffle(x, groups, name=name)
    x = depthwise(x, 3, strides=strides, activation=None, name=f"{name}_depthwise")
    x = conv(x, made, 1, groups=out_groups, activation=None, name=f"{name}_expand")
    if strides == 1:
        return activate(keras.layers.Add(name=f"{name}_add")([shortcut, x]), RELU, name)
    pooled = keras.layers.AveragePooling2D(3, strides=2, padding="same", name=f"{name}_pool")(shortcut)
    return keras.layers.Concatenate(name=f"{name}_concat")([pooled, activate(x, RELU, name)])


_PAPER = "Zhang et al. 2018, ShuffleNet, arXiv:1707.01083, table 1"

ROWS = (
    Entry(
        "shufflenet_v1_030_96",
        "shufflenet_v1",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.3)),
        board="nano33ble",
    ),
    Entry(
        "shufflenet_v1_100_224",
        "shufflenet_v1",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(
            "megvii-model/ShuffleNet-Series, ShuffleNetV1/README.md, 1.0x (group=3): 1.9 M, 138 M",
            1_900_000,
            100_000,
            138_000_000,
            1_000_000,
            0.01,
        ),
    ),
)
