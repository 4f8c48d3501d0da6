"""The network of this project: change it, then `tinyml check` says at once whether it still fits the board."""

from __future__ import annotations

import keras
from keras import layers


def build_model(classes: int = 10, input_shape: tuple[int, ...] = (32, 32, 3)) -> keras.Model:
    """A small image classifier of depthwise separable convolutions, ending in one probability a class.

    `tinyml train` passes the number of classes and the shape of one example of the data set.
    """
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    for filters, strides in ((32, 1), (48, 2), (48, 1), (64, 2)):
        x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)
