"""A small network for pictures of 96 x 96 pixels: is there a person?"""

from __future__ import annotations

import keras
from keras import layers


def build_model(classes: int = 2, input_shape: tuple[int, ...] = (96, 96, 3)) -> keras.Model:
    """Depthwise separable convolutions, ending in one probability a class."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    for filters in (16, 24, 32, 48):
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))
