"""The fully connected autoencoder for anomaly detection: the reconstruction error is the anomaly score.

DCASE 2020 challenge task 2's baseline (Koizumi et al., 2020, arXiv:2006.05822, section 4), which is MLPerf Tiny's
anomaly detection reference (mlcommons/tiny, anomaly_detection/keras_model.py).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, activate, finish, image_input
from tinyml.models.entry import Entry, Published


def build(
    *,
    input_shape: tuple[int, ...] = (640,),
    width: int = 128,
    depth: int = 4,
    bottleneck: int = 8,
    batch_size: int | None = None,
    name: str = "autoencoder",
) -> Any:
    """``depth`` dense layers of ``width`` units, ``bottleneck`` units, ``depth`` layers again, the input's size.

    The input is a vector (five frames of 128 log-mel bands, one after the other), float32; so is the output.
    """
    import keras

    inputs = image_input(input_shape, batch_size)
    x = inputs
    encoder = [(f"encoder{i}", width) for i in range(1, depth + 1)]
    decoder = [(f"decoder{i}", width) for i in range(1, depth + 1)]
    for layer, units in [*encoder, ("bottleneck", bottleneck), *decoder]:
        x = keras.layers.Dense(units, use_bias=False, kernel_initializer="he_normal", name=layer)(x)
        x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{layer}_bn")(x)
        x = activate(x, RELU, layer)
    x = keras.layers.Dense(input_shape[0], name="reconstruction")(x)
    return finish(inputs, x, name)


_AUTOENCODER = "Koizumi et al. 2020, DCASE 2020 challenge task 2, arXiv:2006.05822, section 4"

ROWS = (
    Entry(
        "autoencoder",
        "autoencoder",
        "anomaly_detection",
        f"{_AUTOENCODER}; MLPerf Tiny anomaly detection (ad01)",
        build,
        (("input_shape", (640,)),),
        Published("MLPerf Tiny, ad01_int8.tflite", macs=264_192),
        board="nano33ble",
    ),
)
