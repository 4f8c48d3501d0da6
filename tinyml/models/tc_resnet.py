"""TC-ResNet: convolutions over time alone, with the features of a frame as channels.

Choi et al., "Temporal Convolution for Real-time Keyword Spotting on Mobile Devices", 2019, arXiv:1904.03814, figure 2
and table 1; sizes from the authors' code (hyperconnect/TC-ResNet, audio_nets/tc_resnet.py).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, activate, classify, conv, divisible, finish, image_input
from tinyml.models.entry import Entry, Published

EIGHT = (24, 32, 48)
FOURTEEN = (24, 24, 32, 32, 48, 48)
"""Channels of each block; a block whose channels differ from its input's has stride 2."""


def build(
    *,
    input_shape: tuple[int, ...] = (98, 40, 1),
    classes: int = 12,
    width: float = 1.0,
    blocks: tuple[int, ...] = EIGHT,
    kernel: int = 9,
    dropout: float = 0.5,
    batch_size: int | None = None,
    name: str = "tc_resnet",
) -> Any:
    """``blocks`` of two convolutions of ``kernel`` frames each, with channels times ``width``.

    The input is (frames, features, 1), float32; it is read as (frames, 1, features).
    """
    import keras

    frames, features = input_shape[:2]
    inputs = image_input(input_shape, batch_size)
    x = keras.layers.Reshape((frames, 1, features), name="frames")(inputs)
    x = conv(x, divisible(16 * width), (3, 1), activation=RELU, name="stem")
    for index, channels in enumerate(blocks, start=1):
        filters, name_ = divisible(channels * width), f"block{index}"
        shortcut, strides = x, 1
        if filters != x.shape[-1]:
            strides = 2
            shortcut = conv(x, filters, 1, strides=(2, 1), activation=RELU, name=f"{name_}_shortcut")
        x = conv(x, filters, (kernel, 1), strides=(strides, 1), activation=RELU, name=f"{name_}_conv1")
        x = conv(x, filters, (kernel, 1), activation=None, name=f"{name_}_conv2")
        x = activate(keras.layers.Add(name=f"{name_}_add")([x, shortcut]), RELU, name_)
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_PAPER = "Choi et al. 2019, TC-ResNet, arXiv:1904.03814, figure 2"

ROWS = (
    Entry(
        "tc_resnet8_49x10",
        "tc_resnet",
        "keyword_spotting",
        _PAPER,
        build,
        (("input_shape", (49, 10, 1)),),
        board="nano33ble",
    ),
    Entry(
        "tc_resnet8",
        "tc_resnet",
        "keyword_spotting",
        _PAPER,
        build,
        (),
        Published("table 1 of the paper: 66 K", 66_000, 1_000, averages=True),
        board="nano33ble",
    ),
    Entry(
        "tc_resnet14",
        "tc_resnet",
        "keyword_spotting",
        _PAPER,
        build,
        (("blocks", FOURTEEN),),
        Published("table 1 of the paper: 137 K", 137_000, 1_000, averages=True),
        board="nano33ble",
    ),
)
