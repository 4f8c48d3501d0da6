"""A small convolutional network for handwritten digits, after LeNet-5's plan: a few convolutions, each over less area.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998, section II.B, with
strides in place of subsampling layers, small kernels on top of each other (Simonyan and Zisserman 2014,
arXiv:1409.1556, section 2.3), batch norms (Ioffe and Szegedy 2015, arXiv:1502.03167) and a mean over the picture in
place of the dense layers.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, classify, conv, finish, image_input
from tinyml.models.entry import Entry


def build(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    filters: tuple[int, ...] = (8, 8, 12, 12, 14),
    kernels: tuple[int, ...] = (3,),
    strides: tuple[int, ...] = (1, 2),
    batch_size: int | None = None,
    name: str = "digits_cnn",
) -> Any:
    """As many convolutions as there are ``filters``; means; a dense layer.

    The kernels' sides and the strides are taken in turn: fewer than ``filters`` begin again, more are left over.
    """
    inputs = image_input(input_shape, batch_size)
    x = inputs
    for index, channels in enumerate(filters):
        side, step = kernels[index % len(kernels)], strides[index % len(strides)]
        x = conv(x, channels, side, strides=step, activation=RELU, name=f"conv{index + 1}")
    return finish(inputs, classify(x, classes, dropout=0.0), name)


ROWS = (
    Entry(
        "digits_cnn",
        "digits",
        "image_classification",
        "LeCun et al. 1998, Gradient-Based Learning, section II.B (LeNet-5's plan)",
        build,
        (),
        board="microbit",
    ),
)
