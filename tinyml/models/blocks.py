"""The blocks that several families share: convolution with batch norm, inverted residual, squeeze and excite, heads.

Every function takes and returns Keras tensors of shape (batch, height, width, channels), float32. Convolutions that
a batch norm follows have no bias of their own: the batch norm's offset is one, and the converter folds both.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.drop_path import drop_path

Layer = Any
"""A Keras tensor; Keras is imported only where a network is built."""

Pair = tuple[int, int]

RELU6 = "relu6"
RELU = "relu"
HARD_SWISH = "hard_swish"
SWISH = "silu"
HARD_SIGMOID = "hard_sigmoid"
SIGMOID = "sigmoid"

MOST_PROBABILITIES = 511
"""TFLite's int8 SOFTMAX gives multiples of 1/256, and its reference kernel is undefined for longer rows that are nearly
flat (:mod:`tinyml.tflite.wide_softmax`): with so many classes logits are of more use."""


def divisible(value: float, divisor: int = 8) -> int:
    """Round ``value`` to a multiple of ``divisor``, never below 90 % of it nor below ``divisor``.

    The rule of the MobileNet papers' code (``make_divisible`` in tensorflow/models, slim/nets/mobilenet).
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def image_input(input_shape: tuple[int, ...], batch_size: int | None) -> Layer:
    """The network's input: float32 of ``(batch_size, *input_shape)``; a batch of None stays open."""
    import keras

    return keras.Input(batch_shape=(batch_size, *input_shape), name="input")


def activate(x: Layer, activation: str | None, name: str) -> Layer:
    """Apply ``relu``, ``relu6``, ``hard_swish``, ``silu`` (swish), another of Keras' activations, or nothing."""
    import keras

    if activation is None:
        return x
    if activation == RELU6:
        return keras.layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x)
    if activation == RELU:
        return keras.layers.ReLU(name=f"{name}_relu")(x)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


def conv(
    x: Layer,
    filters: int,
    kernel: int | Pair,
    *,
    name: str,
    strides: int | Pair = 1,
    dilation: int = 1,
    activation: str | None = RELU6,
    momentum: float = 0.99,
    groups: int = 1,
    padding: str = "same",
) -> Layer:
    """Convolution (SAME padding, no bias), batch norm, activation."""
    import keras

    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        dilation_rate=dilation,
        padding=padding,
        groups=groups,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=momentum, name=f"{name}_bn")(x)
    return activate(x, activation, name)


def depthwise(
    x: Layer,
    kernel: int | Pair,
    *,
    name: str,
    strides: int | Pair = 1,
    dilation: int = 1,
    activation: str | None = RELU6,
    momentum: float = 0.99,
    padding: str = "same",
) -> Layer:
    """Depthwise convolution (SAME padding, no bias), batch norm, activation.

    A depthwise kernel is (height, width, channels, 1) and each output sums height*width products, which Keras counts
    as *fan-out*; He's rule with the fan-in would make the weights smaller by the root of the number of channels.
    """
    import keras

    x = keras.layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        dilation_rate=dilation,
        padding=padding,
        use_bias=False,
        depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
        name=name,
    )(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=momentum, name=f"{name}_bn")(x)
    return activate(x, activation, name)


def squeeze_excite(
    x: Layer, squeezed: int, *, name: str, gate_function: str = HARD_SIGMOID, activation: str = RELU
) -> Layer:
    """Scale each channel by a gate in [0, 1] computed from all channels' means (Hu et al. 2018, figure 2).

    The gate is MobileNetV3's hard sigmoid, ``relu6(x + 3) / 6`` (Howard et al. 2019, section 5.2), or another
    function, as in the original's ``sigmoid``; ``activation`` is that of the squeezed layer.
    """
    import keras

    channels = x.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gate = keras.layers.Conv2D(squeezed, 1, activation=activation, name=f"{name}_reduce")(gate)
    gate = keras.layers.Conv2D(channels, 1, name=f"{name}_expand")(gate)
    gate = keras.layers.Activation(gate_function, name=f"{name}_gate")(gate)
    return keras.layers.Multiply(name=f"{name}_scale")([x, gate])


def inverted_residual(
    x: Layer,
    *,
    expanded: int,
    filters: int,
    kernel: int,
    strides: int,
    name: str,
    expand: bool = True,
    residual: bool = False,
    activation: str = RELU6,
    squeezed: int | None = None,
    squeeze_activation: str = RELU,
    gate_function: str = HARD_SIGMOID,
    drop_rate: float = 0.0,
    momentum: float = 0.99,
    dilation: int = 1,
) -> Layer:
    """MobileNetV2's block: 1x1 expansion, depthwise, linear 1x1 projection, with a shortcut where ``residual``.

    Sandler et al. 2018, table 1 and figure 3. ``squeezed`` adds squeeze and excite after the depthwise convolution,
    where MobileNetV3 has it; ``expand=False`` leaves the expansion out. ``drop_rate`` is that of drop path,
    ``dilation`` that of the depthwise convolution.
    """
    shortcut = x
    if expand:
        x = conv(x, expanded, 1, activation=activation, momentum=momentum, name=f"{name}_expand")
    x = depthwise(
        x,
        kernel,
        strides=strides,
        dilation=dilation,
        activation=activation,
        momentum=momentum,
        name=f"{name}_depthwise",
    )
    if squeezed is not None:
        x = squeeze_excite(x, squeezed, gate_function=gate_function, activation=squeeze_activation, name=f"{name}_se")
    x = conv(x, filters, 1, activation=None, momentum=momentum, name=f"{name}_project")
    return _shortcut(shortcut, x, drop_rate, name) if residual else x


def fused_inverted_residual(
    x: Layer,
    *,
    expanded: int,
    filters: int,
    kernel: int,
    strides: int,
    name: str,
    expand: bool = True,
    residual: bool = False,
    activation: str = RELU,
    squeezed: int | None = None,
    drop_rate: float = 0.0,
) -> Layer:
    """The inverted residual whose expansion and depthwise convolution are one ordinary convolution.

    Gupta and Akin 2020, EfficientNet-EdgeTPU, arXiv:2003.02838, section 3.1; Fused-MBConv in Tan and Le 2021,
    EfficientNetV2, arXiv:2104.00298, figure 2. Without an expansion (``expand=False``) one convolution is all.
    """
    shortcut = x
    if expand:
        x = conv(x, expanded, kernel, strides=strides, activation=activation, name=f"{name}_expand")
    if squeezed is not None:
        x = squeeze_excite(x, squeezed, gate_function=SIGMOID, activation=activation, name=f"{name}_se")
    if expand:
        x = conv(x, filters, 1, activation=None, name=f"{name}_project")
    else:
        x = conv(x, filters, kernel, strides=strides, activation=activation, name=f"{name}_project")
    return _shortcut(shortcut, x, drop_rate, name) if residual else x


def _shortcut(shortcut: Layer, x: Layer, drop_rate: float, name: str) -> Layer:
    import keras

    return keras.layers.Add(name=f"{name}_add")([shortcut, drop_path(x, drop_rate, name=f"{name}_drop")])


def classify(x: Layer, classes: int, *, dropout: float = 0.0) -> Layer:
    """Global average pool, dropout where asked, dense layer, softmax: probabilities of ``classes`` classes.

    Above :data:`MOST_PROBABILITIES` classes the outputs are logits.
    """
    import keras

    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return scores(x, classes)


def scores(x: Layer, classes: int) -> Layer:
    """The last dense layer: probabilities, or logits above :data:`MOST_PROBABILITIES` classes."""
    import keras

    activation = "softmax" if classes <= MOST_PROBABILITIES else None
    return keras.layers.Dense(classes, activation=activation, name="classifier")(x)


def finish(inputs: Layer, outputs: Layer, name: str) -> Any:
    """The functional ``keras.Model`` between the two."""
    import keras

    return keras.Model(inputs, outputs, name=name)
