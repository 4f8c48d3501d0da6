"""A network of two inputs: a spectrogram and an image, each through convolutions of its own, joined before the classes.

Late fusion as in Ngiam et al., "Multimodal Deep Learning", 2011 (ICML), section 3: a shared representation over
features of each kind. The branches are depthwise separable convolutions (Howard et al. 2017, arXiv:1704.04861).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, conv, depthwise, divisible, finish, scores
from tinyml.models.entry import Entry

AUDIO = ((64, 1), (64, 1), (64, 1))
IMAGE = ((32, 2), (64, 2), (128, 2), (128, 1))
"""Channels and stride of each separable convolution after a branch's stem."""


def build(
    *,
    input_shapes: tuple[tuple[int, ...], ...] = ((49, 10, 1), (96, 96, 3)),
    classes: int = 4,
    width: float = 1.0,
    hidden: int = 64,
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "fusion",
) -> Any:
    """Audio (frames, features, 1) and image (height, width, 3), in this order, to probabilities of ``classes``."""
    import keras

    audio = keras.Input(batch_shape=(batch_size, *input_shapes[0]), name="audio")
    image = keras.Input(batch_shape=(batch_size, *input_shapes[1]), name="image")
    x = conv(audio, divisible(64 * width), (10, 4), strides=2, activation=RELU, name="audio_stem")
    heard = _branch(x, AUDIO, width, "audio")
    x = conv(image, divisible(16 * width), 3, strides=2, activation=RELU, name="image_stem")
    seen = _branch(x, IMAGE, width, "image")
    x = keras.layers.Concatenate(name="joined")([heard, seen])
    x = keras.layers.Dense(hidden, activation="relu", kernel_initializer="he_normal", name="shared")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return finish([audio, image], scores(x, classes), name)


def _branch(x: Any, blocks: tuple[tuple[int, int], ...], width: float, name: str) -> Any:
    import keras

    for index, (filters, strides) in enumerate(blocks, start=1):
        x = depthwise(x, 3, strides=strides, activation=RELU, name=f"{name}{index}_depthwise")
        x = conv(x, divisible(filters * width), 1, activation=RELU, name=f"{name}{index}_pointwise")
    return keras.layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)


ROWS = (
    Entry(
        "fusion_audio_image",
        "fusion",
        "sensor_fusion",
        "Ngiam et al. 2011, Multimodal Deep Learning, ICML, section 3",
        build,
        (),
        board="nano33ble",
    ),
)
