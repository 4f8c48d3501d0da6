"""Tiny YOLO: a plain stack of convolutions and max pools that gives boxes for each cell of a grid.

Redmon, Farhadi, "YOLO9000: Better, Faster, Stronger" (YOLOv2), 2017, arXiv:1612.08242, section 2; layers, widths and
anchors of the small network from its code (pjreddie/darknet, cfg/yolov2-tiny-voc.cfg). :mod:`tinyml.detection` makes
boxes of its outputs.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import finish, image_input
from tinyml.models.entry import Entry, Published

SLOPE = 0.1
ANCHORS = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
"""Width and height of the boxes that an output of 0 stands for, in cells (VOC)."""
BOX_VALUES = 5
"""x, y, width, height and objectness of a box, before its classes."""
PERSON_ANCHORS = ((1.0, 2.0), (2.0, 4.0), (4.0, 5.5))
"""For people in a grid of 6 by 6 cells: upright, of three sizes."""


def leaky_conv(x: Any, filters: int, *, name: str) -> Any:
    """3x3 convolution, batch norm, leaky ReLU with darknet's slope."""
    import keras

    x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return keras.layers.LeakyReLU(negative_slope=SLOPE, name=f"{name}_leaky")(x)


def build(
    *,
    input_shape: tuple[int, ...] = (416, 416, 3),
    classes: int = 20,
    width: float = 1.0,
    pools: int = 5,
    anchors: int = len(ANCHORS),
    batch_size: int | None = None,
    name: str = "tinyyolo",
) -> Any:
    """Raw boxes, shape (height / 2^pools, width / 2^pools, anchors * (5 + classes)), float32.

    Of each anchor: x, y, width, height, objectness, then one score a class, all before their sigmoids, exponentials and
    softmax. ``pools`` are the halvings of the resolution: a cell is ``2^pools`` pixels wide.
    """
    import keras

    inputs = x = image_input(input_shape, batch_size)
    for index in range(6):
        x = leaky_conv(x, max(4, round(16 * 2**index * width)), name=f"conv{index + 1}")
        if index < pools:
            x = keras.layers.MaxPooling2D(2, name=f"pool{index + 1}")(x)
    if pools == 5:
        x = keras.layers.MaxPooling2D(2, strides=1, padding="same", name="pool6")(x)
    for index in (7, 8):
        x = leaky_conv(x, max(4, round(1024 * width)), name=f"conv{index}")
    return finish(inputs, keras.layers.Conv2D(anchors * (BOX_VALUES + classes), 1, name="boxes")(x), name)


_PAPER = "Redmon and Farhadi 2017, YOLO9000, arXiv:1612.08242, section 2"

ROWS = (
    Entry(
        "tinyyolo_0125_96",
        "tinyyolo",
        "object_detection",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 1), ("width", 0.125), ("pools", 4), ("anchors", 3)),
        board="nano33ble",
        manifest=(("labels", ("person",)), ("detection", {"kind": "boxes", "anchors": PERSON_ANCHORS})),
    ),
    Entry(
        "tinyyolo_416",
        "tinyyolo",
        "object_detection",
        _PAPER,
        build,
        (),
        manifest=(("detection", {"kind": "boxes", "anchors": ANCHORS}),),
        published=Published(
            "OpenVINO's Open Model Zoo, yolo-v2-tiny-ava-0001 (the network for VOC): 15.8587 M parameters",
            15_858_700,
            100,
            within=0.001,
            note="there batch norms are folded into biases",
        ),
    ),
)
