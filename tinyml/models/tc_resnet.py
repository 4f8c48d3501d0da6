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
STREAMING = (32, 40, 56)
"""Channels of each block; a block whose channels differ from its input's has a stride, 2 as published."""


def build(
    *,
    input_shape: tuple[int, ...] = (98, 40, 1),
    classes: int = 12,
    width: float = 1.0,
    blocks: tuple[int, ...] = EIGHT,
    kernel: int = 9,
    strides: tuple[int, ...] = (),
    padding: str = "same",
    dropout: float = 0.5,
    batch_size: int | None = None,
    name: str = "tc_resnet",
) -> Any:
    """``blocks`` of two convolutions of ``kernel`` frames each, with channels times ``width``.

    The input is (frames, features, 1), float32; it is read as (frames, 1, features). ``strides`` are those of the
    blocks where they are not as published. With ``padding`` "valid" no layer pads time, so that a device computes only
    what each hop adds; shortcuts are cut to the rows that are left.
    """
    import keras

    frames, features = input_shape[:2]
    inputs = image_input(input_shape, batch_size)
    x = keras.layers.Reshape((frames, 1, features), name="frames")(inputs)
    x = conv(x, divisible(16 * width), (3, 1), activation=RELU, padding=padding, name="stem")
    for index, channels in enumerate(blocks, start=1):
        filters, name_ = divisible(channels * width), f"block{index}"
        stride = strides[index - 1] if strides else 1 + (filters != x.shape[-1])
        y = conv(x, filters, (kernel, 1), strides=(stride, 1), activation=RELU, padding=padding, name=f"{name_}_conv1")
        y = conv(y, filters, (kernel, 1), activation=None, padding=padding, name=f"{name_}_conv2")
        if padding == "valid":
            x = _middle(x, (stride + 1) * (kernel - 1) // 2, stride * (y.shape[1] - 1) + 1, name_)
        if filters != x.shape[-1]:
            x = conv(x, filters, 1, strides=(stride, 1), activation=RELU, name=f"{name_}_shortcut")
        x = activate(keras.layers.Add(name=f"{name_}_add")([y, x]), RELU, name_)
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _middle(x: Any, first: int, rows: int, name: str) -> Any:
    """``rows`` rows of ``x`` from ``first`` on: those in the middle of what the convolutions of a block read."""
    import keras

    behind = x.shape[1] - first - rows
    return keras.layers.Cropping2D(((first, behind), (0, 0)), name=f"{name}_crop")(x)


_NOT_PADDED = (("kernel", 3), ("padding", "valid"), ("dropout", 0.1))
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
        "tc_resnet8_streaming",
        "tc_resnet",
        "keyword_spotting",
        _PAPER,
        build,
        (("input_shape", (49, 10, 1)), ("blocks", STREAMING), ("strides", (2, 2, 1)), *_NOT_PADDED),
        board="microbit",
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
