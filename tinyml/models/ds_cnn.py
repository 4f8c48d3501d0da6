"""DS-CNN: depthwise separable convolutions over a spectrogram, for keyword spotting.

Zhang, Suda, Lai, Chandra, "Hello Edge: Keyword Spotting on Microcontrollers", 2017, arXiv:1711.07128, table 1 and
section 4; strides and widths from its code (ARM-software/ML-KWS-for-MCU, train_commands.txt). MLPerf Tiny's keyword
spotting reference (mlcommons/tiny, keyword_spotting/keras_model.py, ``ds_cnn``) is the size S with dropout.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, classify, conv, depthwise, finish, image_input
from tinyml.models.entry import Entry, Published


def build(
    *,
    input_shape: tuple[int, ...] = (49, 10, 1),
    classes: int = 12,
    filters: int = 64,
    blocks: int = 4,
    stem_strides: tuple[int, int] = (2, 2),
    first_block_strides: tuple[int, int] = (1, 1),
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "ds_cnn",
) -> Any:
    """A 10x4 convolution, then ``blocks`` pairs of 3x3 depthwise and 1x1 convolutions, all of ``filters`` channels.

    The input is (frames, coefficients, 1), float32.
    """
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, filters, (10, 4), strides=stem_strides, activation=RELU, name="stem")
    for index in range(1, blocks + 1):
        strides = first_block_strides if index == 1 else (1, 1)
        x = depthwise(x, 3, strides=strides, activation=RELU, name=f"block{index}_depthwise")
        x = conv(x, filters, 1, activation=RELU, name=f"block{index}_pointwise")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_HELLO_EDGE = "Zhang et al. 2017, Hello Edge, arXiv:1711.07128, table 1"

ROWS = (
    Entry(
        "ds_cnn",
        "ds_cnn",
        "keyword_spotting",
        f"{_HELLO_EDGE}; MLPerf Tiny keyword spotting (kws01)",
        build,
        (("input_shape", (49, 10, 1)), ("classes", 12)),
        Published("MLPerf Tiny, kws_ref_model.tflite", macs=2_656_768),
        board="nano33ble",
    ),
    Entry(
        "ds_cnn_s",
        "ds_cnn",
        "keyword_spotting",
        _HELLO_EDGE,
        build,
        (("filters", 64), ("blocks", 4), ("dropout", 0.0)),
        Published("Hello Edge, table 5: 5.4 M operations, two a MAC", macs=2_700_000, macs_unit=100_000),
        board="nano33ble",
    ),
    Entry(
        "ds_cnn_m",
        "ds_cnn",
        "keyword_spotting",
        _HELLO_EDGE,
        build,
        (("filters", 172), ("blocks", 4), ("stem_strides", (2, 1)), ("first_block_strides", (2, 2)), ("dropout", 0.0)),
        board="nano33ble",
    ),
    Entry(
        "ds_cnn_l",
        "ds_cnn",
        "keyword_spotting",
        _HELLO_EDGE,
        build,
        (("filters", 276), ("blocks", 5), ("stem_strides", (2, 1)), ("first_block_strides", (2, 2)), ("dropout", 0.0)),
        board="nano33ble",
    ),
    Entry(
        "ds_cnn_xs",
        "ds_cnn",
        "keyword_spotting",
        f"narrower and deeper than those of {_HELLO_EDGE}, for 8 KB of SRAM and 30 KB of flash",
        build,
        (("filters", 40), ("blocks", 5), ("dropout", 0.1)),
        board="nano33ble",
    ),
)
