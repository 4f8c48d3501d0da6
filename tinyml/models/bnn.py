"""A binarised network: VGG-like, with weights and activations of one bit.

Courbariaux, Hubara et al., "Binarized Neural Networks: Training Deep Neural Networks with Weights and Activations
Constrained to +1 or -1", 2016, arXiv:1602.02830, section 2 (the CIFAR-10 network).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.binary import baked, binary_layers, random_signs
from tinyml.models.blocks import finish, image_input, scores
from tinyml.models.entry import Entry, Published


def build(
    *,
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    filters: tuple[int, ...] = (128, 128, 256, 256, 512, 512),
    hidden: tuple[int, ...] = (1024, 1024),
    learning: bool = False,
    batch_size: int | None = None,
    name: str = "bnn",
) -> Any:
    """``filters`` 3x3 convolutions, a max pool after every second, ``hidden`` dense layers, then the classes.

    ``learning`` gives the form to train, whose kernels are binarised in every step; :func:`bake` then gives this one,
    with kernels of -1 and 1 in ordinary layers. The image and the classes' kernel are not binary. While it learns,
    sums are pooled before they are normalised, as in the paper. Here it is the other way round, so that conversion
    makes the normalisation part of the convolution: with gains that are not negative the result is the same.
    """
    import keras

    made = binary_layers()
    conv = made.Conv2D if learning else keras.layers.Conv2D
    dense = made.Dense if learning else keras.layers.Dense
    signs: dict[str, Any] = {} if learning else {"kernel_initializer": random_signs()()}
    x = inputs = image_input(input_shape, batch_size)
    for index, count in enumerate(filters, start=1):
        x = conv(count, 3, padding="same", use_bias=False, name=f"conv{index}", **signs)(x)
        if index % 2 == 0 and learning:
            x = keras.layers.MaxPooling2D(2, name=f"pool{index}")(x)
        x = keras.layers.BatchNormalization(epsilon=1e-4, gamma_constraint="non_neg", name=f"conv{index}_bn")(x)
        if index % 2 == 0 and not learning:
            x = keras.layers.MaxPooling2D(2, name=f"pool{index}")(x)
        x = made.Sign(name=f"conv{index}_sign")(x)
    x = keras.layers.Flatten(name="flat")(x)
    for index, units in enumerate(hidden, start=1):
        x = dense(units, use_bias=False, name=f"dense{index}", **signs)(x)
        x = keras.layers.BatchNormalization(epsilon=1e-4, name=f"dense{index}_bn")(x)
        x = made.Sign(name=f"dense{index}_sign")(x)
    return finish(inputs, scores(x, classes), name)


def bake(learned: Any, **options: Any) -> Any:
    """The network to convert, with the signs of the kernels of ``learned``, which ``build(learning=True)`` made."""
    model = build(**{**options, "learning": False})
    for layer in model.layers:
        weights = learned.get_layer(layer.name).get_weights()
        if layer.name.startswith(("conv", "dense")) and not layer.name.endswith(("_bn", "_sign")):
            weights = [baked(weights[0])]
        layer.set_weights(weights)
    return model


_PAPER = "Courbariaux et al. 2016, Binarized Neural Networks, arXiv:1602.02830, section 2"

ROWS = (
    Entry(
        "bnn_32",
        "bnn",
        "image_classification",
        _PAPER,
        build,
        (("filters", (32, 32, 64, 64, 128, 128)), ("hidden", (128,))),
        board="nano33ble",
        finish=bake,
    ),
    Entry(
        "bnn_cifar10",
        "bnn",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(
            "section 2 of the paper, its layers' weights, gains and offsets: 14,022,016 + 7,690",
            14_029_706,
            1,
            within=0.001,
        ),
        finish=bake,
    ),
)
