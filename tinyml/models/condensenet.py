"""CondenseNet: dense connections with learned group convolutions, condensed to an index layer and grouped convolutions.

Huang et al., "CondenseNet: An Efficient DenseNet using Learned Group Convolutions", 2018, arXiv:1711.09224, table 1;
sizes from the authors' code (ShichenLiu/CondenseNet).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyml.models.blocks import finish, image_input, scores
from tinyml.models.channels import shuffle
from tinyml.models.entry import Entry, Published
from tinyml.models.learned_groups import channel_index_layer, learned_group_layer

BOTTLENECK = 4
"""Channels between a layer's two convolutions, in growth rates."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    stages: tuple[int, ...] = (4, 6, 8, 10, 8),
    growth: tuple[int, ...] = (8, 16, 32, 64, 128),
    groups: int = 4,
    stem_strides: int = 2,
    learning: bool = False,
    batch_size: int | None = None,
    name: str = "condensenet",
) -> Any:
    """CondenseNet-74 unless told otherwise: ``stages`` of layers, each of which adds ``growth`` channels.

    ``learning`` gives the form to train, with learned group convolutions; :func:`condense` then gives this one with
    what was learned. The condensation factor is the number of groups.
    """
    import keras

    inputs = image_input(input_shape, batch_size)
    x = keras.layers.Conv2D(
        2 * growth[0],
        3,
        strides=stem_strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name="stem",
    )(inputs)
    for stage, (layers, rate) in enumerate(zip(stages, growth, strict=True), start=1):
        for layer in range(1, layers + 1):
            x = _dense_layer(x, rate, groups, learning, f"stage{stage}_{layer}")
        if stage < len(stages):
            x = keras.layers.AveragePooling2D(2, name=f"stage{stage}_pool")(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name="last_bn")(x)
    x = keras.layers.ReLU(name="last_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if not learning:
        x = channel_index_layer()(x.shape[-1] // 2, name="classifier_index")(x)
    return finish(inputs, scores(x, classes), name)


def _dense_layer(x: Any, rate: int, groups: int, learning: bool, name: str) -> Any:
    """Figure 1: learned group convolution, shuffle, grouped 3x3 convolution; what it makes is joined to its input.

    The norm and the ReLU, which stand behind the shuffle in the paper, come before it, which is the same network: there
    the norm becomes a part of the convolution.
    """
    import keras

    before, made = x, BOTTLENECK * rate
    if not learning:
        x = channel_index_layer()(x.shape[-1], name=f"{name}_index")(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn1")(x)
    x = keras.layers.ReLU(name=f"{name}_relu1")(x)
    if learning:
        x = learned_group_layer()(made, groups, name=f"{name}_learned")(x)
    else:
        x = keras.layers.Conv2D(
            made, 1, groups=groups, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv1"
        )(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn2")(x)
    x = keras.layers.ReLU(name=f"{name}_relu2")(x)
    if not learning:
        x = shuffle(x, groups, name=name)
    x = keras.layers.Conv2D(
        rate, 3, groups=groups, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv2"
    )(x)
    return keras.layers.Concatenate(name=f"{name}_concat")([before, x])


def condense(learned: Any, **options: Any) -> Any:
    """The condensed network with the weights of ``learned``, made by :func:`build` with ``learning`` and ``options``.

    The convolutions compute the same. The classifier keeps the half of its features with the largest weights, as the
    authors' code does, and should be trained on a little.
    """
    model = build(**{**options, "learning": False})
    made = {layer.name: layer for layer in learned.layers}
    for layer in model.layers:
        name = layer.name
        if name == "classifier_index" or name.endswith("_index"):
            continue
        if name.endswith("_conv1"):
            indices, kernel = made[name.replace("_conv1", "_learned")].condensed()
            model.get_layer(name.replace("_conv1", "_index")).set_weights([indices])
            layer.set_weights([kernel])
            norm = name.replace("_conv1", "_bn1")
            model.get_layer(norm).set_weights([weight[indices] for weight in made[norm].get_weights()])
        elif name == "classifier":
            kernel, bias = made[name].get_weights()
            strongest = np.sort(np.argsort(-np.abs(kernel).sum(axis=1), kind="stable")[: kernel.shape[0] // 2])
            model.get_layer("classifier_index").set_weights([strongest.astype(np.int32)])
            layer.set_weights([kernel[strongest], bias])
        elif name.endswith("_bn2"):
            groups = model.get_layer(name.replace("_bn2", "_conv1")).groups
            layer.set_weights([weight.reshape(-1, groups).T.reshape(-1) for weight in made[name].get_weights()])
        elif not name.endswith("_bn1") and layer.get_weights():
            layer.set_weights(made[name].get_weights())
    return model


_PAPER = "Huang et al. 2018, CondenseNet, arXiv:1711.09224, table 1"

ROWS = (
    Entry(
        "condensenet_96",
        "condensenet",
        "visual_wake_words",
        _PAPER,
        build,
        (
            ("input_shape", (96, 96, 3)),
            ("classes", 2),
            ("stages", (2, 3, 4, 4)),
            ("growth", (4, 8, 8, 16)),
        ),
        board="nano33ble",
        finish=condense,
    ),
    Entry(
        "condensenet_74_224",
        "condensenet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("ShichenLiu/CondenseNet, README, CondenseNet-74 (C=G=4): 4.8 M", 4_800_000, 100_000),
        finish=condense,
    ),
)
