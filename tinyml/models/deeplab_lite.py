"""DeepLab-Lite: MobileNetV2 at a sixteenth of the resolution, and an atrous spatial pyramid over it.

Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (DeepLabv3), 2017, arXiv:1706.05587,
section 3.3; with MobileNetV2 as Sandler et al. 2018, arXiv:1801.04381, section 6.3 and table 7.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, conv, finish, image_input
from tinyml.models.entry import Entry, Published
from tinyml.models.mobilenet_v2 import body

LARGEST_STRIDE = 16


def pyramid(x: Any, filters: int, rates: tuple[int, ...]) -> Any:
    """A 1x1, dilated 3x3 convolutions and the whole image's mean side by side, then a 1x1 convolution (figure 5)."""
    import keras

    height, width = x.shape[1:3]
    parts = [conv(x, filters, 1, activation=RELU, name="pyramid_1x1")]
    parts += [conv(x, filters, 3, activation=RELU, dilation=rate, name=f"pyramid_rate{rate}") for rate in rates]
    whole = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pyramid_mean")(x)
    whole = conv(whole, filters, 1, activation=RELU, name="pyramid_image")
    parts.append(keras.layers.UpSampling2D((height, width), interpolation="bilinear", name="pyramid_spread")(whole))
    return conv(keras.layers.Concatenate(name="pyramid_concat")(parts), filters, 1, activation=RELU, name="pyramid")


def build(
    *,
    input_shape: tuple[int, ...] = (512, 512, 3),
    classes: int = 21,
    width: float = 1.0,
    pyramid_channels: int = 256,
    rates: tuple[int, ...] = (6, 12, 18),
    upsample: int = 16,
    batch_size: int | None = None,
    name: str = "deeplab_lite",
) -> Any:
    """Scores of every pixel, shape (height / 16 * ``upsample``, width / 16 * ``upsample``, classes), no softmax."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = pyramid(body(inputs, width, largest_stride=LARGEST_STRIDE), pyramid_channels, rates)
    x = keras.layers.Conv2D(classes, 1, name="scores")(x)
    if upsample > 1:
        x = keras.layers.UpSampling2D(upsample, interpolation="bilinear", name="upsample")(x)
    return finish(inputs, x, name)


_PAPER = "Chen et al. 2017, DeepLabv3, arXiv:1706.05587; Sandler et al. 2018, MobileNetV2, arXiv:1801.04381, table 7"

ROWS = (
    Entry(
        "deeplab_lite_025_96",
        "deeplab_lite",
        "segmentation",
        _PAPER,
        build,
        (
            ("input_shape", (96, 96, 3)),
            ("classes", 2),
            ("width", 0.25),
            ("pyramid_channels", 32),
            ("rates", (1, 2, 3)),
            ("upsample", 8),
        ),
        board="nano33ble",
    ),
    Entry(
        "deeplab_lite_512",
        "deeplab_lite",
        "segmentation",
        _PAPER,
        build,
        (),
        Published(
            "Sandler et al. 2018, arXiv:1801.04381, table 7: MobileNetV2 with ASPP, 4.52 M parameters",
            4_520_000,
            10_000,
            within=0.01,
            note="whether the paper counts batch norms' gains and offsets is not said",
        ),
    ),
)
