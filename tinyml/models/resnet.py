"""ResNet-8 for 32x32 images, as MLPerf Tiny's image classification reference has it.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, section 4.2 (its CIFAR-10
networks) with three stages of one block (mlcommons/tiny, image_classification/keras_model.py, ``resnet_v1_eembc``).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, activate, classify, conv, finish, image_input
from tinyml.models.entry import Entry, Published


def build(
    *,
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    filters: tuple[int, ...] = (16, 32, 64),
    blocks_per_stage: int = 1,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "resnet8",
) -> Any:
    """A 3x3 convolution, then stages of residual blocks; every stage after the first halves height and width.

    The depth is ``2 + 2 * len(filters) * blocks_per_stage``: 8 here, 20 with three blocks a stage.
    """
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, filters[0], 3, activation=RELU, name="stem")
    for stage, channels in enumerate(filters, start=1):
        for block in range(1, blocks_per_stage + 1):
            prefix = f"stage{stage}" if blocks_per_stage == 1 else f"stage{stage}_block{block}"
            strides = 2 if stage > 1 and block == 1 else 1
            y = conv(x, channels, 3, strides=strides, activation=RELU, name=f"{prefix}_conv1")
            y = conv(y, channels, 3, activation=None, name=f"{prefix}_conv2")
            if strides != 1 or x.shape[-1] != channels:
                shortcut = keras.layers.Conv2D(
                    channels,
                    1,
                    strides=strides,
                    padding="same",
                    kernel_initializer="he_normal",
                    name=f"{prefix}_shortcut",
                )
                x = shortcut(x)
            x = keras.layers.Add(name=f"{prefix}_add")([x, y])
            x = activate(x, RELU, f"{prefix}_add")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_RESNET = "He et al. 2015, Deep Residual Learning, arXiv:1512.03385, section 4.2"

ROWS = (
    Entry(
        "resnet8",
        "resnet",
        "image_classification",
        f"{_RESNET}; MLPerf Tiny image classification (ic01)",
        build,
        (("input_shape", (32, 32, 3)), ("classes", 10)),
        Published("MLPerf Tiny, pretrainedResnet_quant.tflite", macs=12_501_632),
        board="nano33ble",
    ),
)
