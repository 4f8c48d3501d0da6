"""MixNet-S: depthwise convolutions whose channels have kernels of several sizes.

Tan and Le, "MixConv: Mixed Depthwise Convolutional Kernels", 2019, arXiv:1907.09595, figure 4; groups of the pointwise
convolutions, squeeze and excite and activations from the authors' code (tensorflow/tpu, mnasnet/mixnet).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.models.blocks import (
    RELU,
    SIGMOID,
    SWISH,
    classify,
    conv,
    depthwise,
    divisible,
    finish,
    image_input,
    squeeze_excite,
)
from tinyml.models.channels import even_sizes, split
from tinyml.models.entry import Entry, Published


@dataclass(frozen=True, slots=True)
class Row:
    """A block: repeats, depthwise kernels, stride, expansion, output channels, squeeze and excite's share of the input,
    and how many groups the expanding and the projecting 1x1 convolution have."""

    repeats: int
    kernels: tuple[int, ...]
    strides: int
    expansion: int
    filters: int
    excite: float = 0.0
    expand_groups: int = 1
    project_groups: int = 1
    activation: str = SWISH


SMALL = (
    Row(1, (3,), 1, 1, 16, activation=RELU),
    Row(1, (3,), 2, 6, 24, 0, 2, 2, RELU),
    Row(1, (3,), 1, 3, 24, 0, 2, 2, RELU),
    Row(1, (3, 5, 7), 2, 6, 40, 0.5),
    Row(3, (3, 5), 1, 6, 40, 0.5, 2, 2),
    Row(1, (3, 5, 7), 2, 6, 80, 0.25, 1, 2),
    Row(2, (3, 5), 1, 6, 80, 0.25, 1, 2),
    Row(1, (3, 5, 7), 1, 6, 120, 0.5, 2, 2),
    Row(2, (3, 5, 7, 9), 1, 3, 120, 0.5, 2, 2),
    Row(1, (3, 5, 7, 9, 11), 2, 6, 200, 0.5),
    Row(2, (3, 5, 7, 9), 1, 6, 200, 0.5, 1, 2),
)
"""Figure 4a."""


def mixed_depthwise(
    x: Any, kernels: tuple[int, ...], *, name: str, strides: int = 1, activation: str | None = RELU
) -> Any:
    """Depthwise convolution with ``kernels[i]`` for the i-th part of the channels, batch norm, activation (figure 2).

    The parts are equal, but for the first, which takes what is left over.
    """
    import keras

    if len(kernels) == 1:
        return depthwise(x, kernels[0], strides=strides, activation=activation, name=name)
    parts = split(x, even_sizes(x.shape[-1], len(kernels)))
    made = [
        depthwise(part, kernel, strides=strides, activation=activation, name=f"{name}_{kernel}x{kernel}")
        for part, kernel in zip(parts, kernels, strict=True)
    ]
    return keras.layers.Concatenate(name=f"{name}_concat")(made)


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "mixnet",
) -> Any:
    """MixNet-S with channels times ``width``."""
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(16 * width), 3, strides=2, activation=RELU, name="stem")
    for number, row in enumerate(SMALL, start=1):
        for repeat in range(row.repeats):
            x = _block(
                x, row, divisible(row.filters * width), row.strides if repeat == 0 else 1, f"block{number}_{repeat}"
            )
    x = conv(x, divisible(1536 * width), 1, activation=RELU, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _block(x: Any, row: Row, filters: int, strides: int, name: str) -> Any:
    import keras

    shortcut, before = x, x.shape[-1]
    if row.expansion != 1:
        groups = row.expand_groups if before % row.expand_groups == 0 else 1
        x = conv(x, before * row.expansion, 1, groups=groups, activation=row.activation, name=f"{name}_expand")
    x = mixed_depthwise(x, row.kernels, strides=strides, activation=row.activation, name=f"{name}_depthwise")
    if row.excite:
        squeezed = max(1, int(before * row.excite))
        x = squeeze_excite(x, squeezed, gate_function=SIGMOID, activation=row.activation, name=f"{name}_se")
    x = conv(x, filters, 1, groups=row.project_groups, activation=None, name=f"{name}_project")
    return keras.layers.Add(name=f"{name}_add")([shortcut, x]) if strides == 1 and before == filters else x


_PAPER = "Tan and Le 2019, MixConv, arXiv:1907.09595, figure 4"

ROWS = (
    Entry(
        "mixnet_025_96",
        "mixnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        board="nano33ble",
    ),
    Entry(
        "mixnet_s_224",
        "mixnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("huggingface/pytorch-image-models, mixnet_s: 4.13 M; table 2 of the paper: 4.1 M", 4_130_000, 10_000),
    ),
)
