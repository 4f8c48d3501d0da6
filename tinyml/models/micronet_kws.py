"""MicroNet-KWS: DS-CNN with channels that a search chose layer by layer for a microcontroller's memory and operations.

Banbury et al., "MicroNets: Neural Network Architectures for Deploying TinyML Applications on Commodity
Microcontrollers", 2021, arXiv:2010.11267, section 4.2: the search space is DS-CNN with any width of each layer, layers
that may be skipped, and strides where DS-CNN has them. The widths here are ours, within that space: the paper's own
networks are released as TFLite files, and their widths are not printed.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, classify, conv, depthwise, finish, image_input
from tinyml.models.entry import Entry

SMALL = (84, 112, 84, 84, 84, 196)
MEDIUM = (140, 140, 140, 140, 112, 196)
"""Channels of the stem and of each separable block; the first block has stride 2."""


def build(
    *,
    input_shape: tuple[int, ...] = (49, 10, 1),
    classes: int = 12,
    channels: tuple[int, ...] = SMALL,
    stem_kernel: tuple[int, int] = (10, 4),
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "micronet_kws",
) -> Any:
    """A ``stem_kernel`` convolution, then a separable block for each further number of ``channels``."""
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, channels[0], stem_kernel, activation=RELU, name="stem")
    for index, filters in enumerate(channels[1:], start=1):
        x = depthwise(x, 3, strides=2 if index == 1 else 1, activation=RELU, name=f"block{index}_depthwise")
        x = conv(x, filters, 1, activation=RELU, name=f"block{index}_pointwise")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_PAPER = "Banbury et al. 2021, MicroNets, arXiv:2010.11267, section 4.2"

ROWS = (
    Entry(
        "micronet_kws_s",
        "micronet_kws",
        "keyword_spotting",
        _PAPER,
        build,
        (),
        board="nano33ble",
    ),
    Entry(
        "micronet_kws_m",
        "micronet_kws",
        "keyword_spotting",
        _PAPER,
        build,
        (("channels", MEDIUM),),
        board="nano33ble",
    ),
)
