"""A data set that is made in a moment and learnt in seconds, and a network for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinyml.training.examples import CLASSIFY, Examples, TrainingData

LABELS = ("left", "right", "middle")
SIDE = 8


def bars(count: int, seed: int) -> Examples:
    """Noisy pictures with a bright bar at the left, at the right or in the middle."""
    source = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pictures = source.normal(-40, 30, (count, SIDE, SIDE, 1))
    for row, label in enumerate(labels):
        start = {0: 0, 1: SIDE - 2, 2: SIDE // 2 - 1}[int(label)]
        pictures[row, :, start : start + 2] += 80
    return Examples(np.clip(np.round(pictures), -128, 127).astype(np.int8), labels.astype(np.int64))


def noisy(examples: Examples, rng: np.random.Generator) -> Examples:
    """The examples with other noise, in place of an augmentation."""
    changed = examples.codes + rng.normal(0, 10, examples.codes.shape)
    return Examples(np.clip(np.round(changed), -128, 127).astype(np.int8), examples.labels)


@pytest.fixture
def data() -> TrainingData:
    """Three classes, 96 training pictures."""
    plain = bars(96, 1)
    return TrainingData(
        task="bars",
        objective=CLASSIFY,
        labels=LABELS,
        scale=1 / 32,
        zero_point=0,
        epoch=lambda rng: noisy(plain, rng),
        plain=plain,
        validation=bars(30, 2),
        test=bars(60, 3),
        frontend={"kind": "none"},
    )


def build_network(classes: int = 3, dropout: float = 0.2) -> Any:
    """A small convolutional network with batch norm and dropout."""
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    inputs = keras.Input((SIDE, SIDE, 1), name="picture")
    x = keras.layers.Conv2D(6, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.8, name="stem_bn")(x)
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(keras.layers.Flatten(name="flat")(x))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="classes")(x), name="bars")
