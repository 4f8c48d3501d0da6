"""DiCENet: depthwise convolutions along all three dimensions of a volume: channels, height and width.

Mehta et al., "DiCENet: Dimension-wise Convolutions for Efficient Networks", 2020, arXiv:1906.03516, figures 2 and 4;
sizes from the authors' code (sacmehta/EdgeNets, model/classification/dicenet.py). Kernels along height and width depend
on the image's size, so a trained network keeps its resolution.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import SIGMOID, classify, divisible, finish, image_input
from tinyml.models.channels import shuffle, split
from tinyml.models.entry import Entry, Published

PRELU = "prelu"
STAGES = ((116, 3), (232, 7), (464, 3))
"""Output channels at scale 1 and blocks after each stage's halving one."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    hidden: int = 1024,
    activation: str = PRELU,
    dropout: float = 0.1,
    batch_size: int | None = None,
    name: str = "dicenet",
) -> Any:
    """DiCENet with the stages' channels times ``width``; ``activation`` is the paper's ``prelu``, or ``relu``."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = _conv(inputs, divisible(24 * min(1.0, width)), 3, activation, "stem", strides=2)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES, start=1):
        x = _halving(x, activation, f"stage{stage}_0")
        for block in range(1, blocks + 1):
            x = _block(x, divisible(filters * width, 4), activation, f"stage{stage}_{block}")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    x = keras.layers.Conv2D(hidden, 1, groups=4, use_bias=False, kernel_initializer="he_normal", name="hidden")(x)
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _act(x: Any, activation: str, name: str) -> Any:
    import keras

    if activation == PRELU:
        return keras.layers.PReLU(
            alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2], name=f"{name}_prelu"
        )(x)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


def _conv(x: Any, filters: int, kernel: int, activation: str, name: str, strides: int = 1, groups: int = 1) -> Any:
    """Convolution, batch norm, activation; as many groups as channels make it a depthwise one."""
    import keras

    if groups == x.shape[-1] == filters:
        layer = keras.layers.DepthwiseConv2D(
            kernel,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
            name=name,
        )
    else:
        layer = keras.layers.Conv2D(
            filters,
            kernel,
            strides=strides,
            padding="same",
            groups=groups,
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )
    x = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(layer(x))
    return _act(x, activation, name)


def dimension_wise(x: Any, filters: int, activation: str, name: str) -> Any:
    """DimConv and DimFuse (figures 2 and 3): three depthwise convolutions, mixed channel by channel, then globally."""
    import keras

    height, width, channels = x.shape[1:]

    def along(tensor: Any, axes: tuple[int, int, int], size: int, label: str) -> Any:
        if size != channels or axes != (1, 2, 3):
            tensor = keras.layers.Permute(axes, name=f"{name}_{label}_turn")(tensor)
        tensor = keras.layers.DepthwiseConv2D(
            3,
            padding="same",
            use_bias=False,
            depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
            name=f"{name}_{label}",
        )(tensor)
        return tensor if label == "channels" else keras.layers.Permute(axes, name=f"{name}_{label}_back")(tensor)

    parts = [
        along(x, (1, 2, 3), channels, "channels"),
        along(x, (3, 2, 1), height, "height"),
        along(x, (1, 3, 2), width, "width"),
    ]
    x = keras.layers.Concatenate(name=f"{name}_concat")(parts)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_concat_bn")(x)
    x = shuffle(_act(x, activation, f"{name}_concat"), 3, name=name)
    x = _conv(x, channels, 1, activation, f"{name}_mix", groups=channels)
    gates = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gates = keras.layers.Conv2D(max(4, channels // 4), 1, activation="relu", use_bias=False, name=f"{name}_reduce")(
        gates
    )
    gates = keras.layers.Conv2D(filters, 1, activation=SIGMOID, use_bias=False, name=f"{name}_gate")(gates)
    x = _conv(x, filters, 3, activation, f"{name}_project", groups=channels)
    return keras.layers.Multiply(name=f"{name}_scale")([x, gates])


def _halving(x: Any, activation: str, name: str) -> Any:
    import keras

    channels = x.shape[-1]
    left = _conv(x, channels, 3, activation, f"{name}_left", strides=2, groups=channels)
    left = _conv(left, channels, 1, activation, f"{name}_left_point")
    right = keras.layers.AveragePooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    right = dimension_wise(right, channels, activation, f"{name}_dice")
    right = _conv(right, channels, 1, activation, f"{name}_right_point")
    return shuffle(keras.layers.Concatenate(name=f"{name}_concat")([left, right]), 2, name=name)


def _block(x: Any, filters: int, activation: str, name: str) -> Any:
    """Half of the channels pass, the others go through a 1x1 convolution and a dimension-wise one."""
    import keras

    channels = x.shape[-1]
    kept = channels // 2
    left, right = split(x, (kept, channels - kept))
    right = _conv(right, filters - kept, 1, activation, f"{name}_point")
    right = dimension_wise(right, filters - kept, activation, f"{name}_dice")
    return shuffle(keras.layers.Concatenate(name=f"{name}_concat")([left, right]), 2, name=name)


_PAPER = "Mehta et al. 2020, DiCENet, arXiv:1906.03516, figure 4"

ROWS = (
    Entry(
        "dicenet_030_96",
        "dicenet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.3), ("hidden", 128), ("activation", "relu")),
        board="nano33ble",
    ),
    Entry(
        "dicenet_100_224",
        "dicenet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("sacmehta/EdgeNets, model/classification/dicenet_config.py, s = 1.00: 1.81 M", 1_810_000, 10_000),
    ),
)
