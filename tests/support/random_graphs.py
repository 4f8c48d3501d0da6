"""Random Keras networks from a seed: small, over every op, stride, padding, dilation, group and branch that Keras has.

    drawn = random_tflite(seed)     # drawn.model: the int8 file; drawn.attempts: how many draws it took

The same seed gives the same network. A draw that TFLite's own kernels refuse (a softmax over a scale of 1e-8 behind a
ReLU that never fires) is drawn again. Keras and TensorFlow are imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml.errors import UnsupportedError
from tinyml.tflite.convert import convert
from tinyml.tflite.read import read_graph

CALIBRATION_SAMPLES = 4
MAX_ATTEMPTS = 5
MAX_CLASSES = 500
"""TFLite's reference SOFTMAX stops the process where more than 511 logits are nearly equal."""
MAX_ELEMENTS = 2000
"""The generator keeps every activation at most this large, so that a network runs in an instant."""

ACTIVATIONS = (None, None, "relu", "relu", "relu6", "hard_swish", "sigmoid", "tanh", "leaky_relu", "swish")


class _Generator:
    def __init__(self, seed: tuple[int, int]) -> None:
        import keras

        self.keras: Any = keras
        self.layers: Any = keras.layers
        self.rng = np.random.default_rng(seed)
        self.blocks: tuple[Callable[[Any], Any], ...] = (
            self.convolution,
            self.convolution,
            self.depthwise,
            self.separable,
            self.pool,
            self.activation,
            self.residual,
            self.branches,
            self.squeeze_excite,
            self.zero_padding,
            self.arithmetic,
            self.inverted_residual,
        )

    def pick(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def weights(self) -> dict[str, Any]:
        """Initialisers that make biases and depthwise kernels random, too."""
        return {"bias_initializer": self.keras.initializers.RandomNormal(0, 0.3, seed=int(self.rng.integers(1 << 30)))}

    def kernel(self, name: str = "kernel_initializer") -> dict[str, Any]:
        scale = float(self.rng.uniform(0.1, 0.6))
        return {name: self.keras.initializers.RandomNormal(0, scale, seed=int(self.rng.integers(1 << 30)))}

    def activate(self, x: Any) -> Any:
        """A fused or free-standing activation, or none."""
        name = self.pick(*ACTIVATIONS)
        if name is None:
            return x
        if name == "leaky_relu":
            return self.layers.LeakyReLU(float(self.rng.uniform(0.01, 0.5)))(x)
        if name == "relu6":
            return self.layers.ReLU(max_value=6.0)(x)
        return self.layers.Activation(name)(x)

    def normalise(self, x: Any) -> Any:
        return self.layers.BatchNormalization()(x) if self.chance(0.3) else x

    def window(self, x: Any, largest: int = 4) -> dict[str, Any]:
        """Kernel size, strides, padding and dilation that fit ``x``; Keras allows no stride with a dilation."""
        height, width = x.shape[1:3]
        size = (int(self.rng.integers(1, largest + 1)), int(self.rng.integers(1, largest + 1)))
        dilation = (1, 1)
        if self.chance(0.2):
            dilation = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
        strides = (1, 1) if dilation != (1, 1) or self.chance(0.5) else self.pick((2, 2), (2, 1), (1, 2), (3, 2))
        spans = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
        fits = spans[0] <= height and spans[1] <= width
        padding = "valid" if fits and self.chance(0.4) else "same"
        return {"kernel_size": size, "strides": strides, "padding": padding, "dilation_rate": dilation}

    def filters(self, x: Any) -> int:
        limit = max(1, MAX_ELEMENTS // (x.shape[1] * x.shape[2]))
        return min(int(self.rng.integers(1, 17)), limit)

    def convolution(self, x: Any) -> Any:
        channels, groups = x.shape[3], 1
        if channels > 1 and self.chance(0.25):
            groups = int(self.pick(*(g for g in range(2, channels + 1) if channels % g == 0)))
        filters = max(1, self.filters(x) // groups) * groups
        if x.shape[1] * x.shape[2] * filters > 2 * MAX_ELEMENTS:
            groups, filters = 1, self.filters(x)
        layer = self.layers.Conv2D(
            filters, groups=groups, use_bias=self.chance(0.8), **self.window(x), **self.kernel(), **self.weights()
        )
        return self.activate(self.normalise(layer(x)))

    def depthwise(self, x: Any) -> Any:
        multiplier = int(self.rng.integers(1, 4)) if x.shape[3] <= 6 else 1
        window = self.window(x, largest=5)
        if window["strides"][0] != window["strides"][1]:
            window["strides"] = (2, 2)
        layer = self.layers.DepthwiseConv2D(
            depth_multiplier=multiplier, **window, **self.kernel("depthwise_initializer"), **self.weights()
        )
        return self.activate(self.normalise(layer(x)))

    def separable(self, x: Any) -> Any:
        layer = self.layers.SeparableConv2D(
            self.filters(x),
            3,
            padding="same",
            **self.kernel("depthwise_initializer"),
            **self.kernel("pointwise_initializer"),
            **self.weights(),
        )
        return self.activate(layer(x))

    def pool(self, x: Any) -> Any:
        height, width = x.shape[1:3]
        size = (int(self.rng.integers(1, min(height, 3) + 1)), int(self.rng.integers(1, min(width, 3) + 1)))
        cls = self.pick(self.layers.AveragePooling2D, self.layers.MaxPooling2D)
        strides = self.pick(None, (1, 1), (2, 2))
        return cls(size, strides=strides, padding=self.pick("same", "valid"))(x)

    def activation(self, x: Any) -> Any:
        return self.activate(x)

    def same_shape(self, x: Any) -> Any:
        """A convolution that keeps the shape."""
        layer = self.layers.Conv2D(
            x.shape[3], self.pick(1, 3, (1, 3), (5, 1)), padding="same", **self.kernel(), **self.weights()
        )
        return self.activate(layer(x))

    def residual(self, x: Any) -> Any:
        merge = self.pick(self.layers.Add, self.layers.Add, self.layers.Subtract, self.layers.Multiply)
        return self.activate(merge()([x, self.same_shape(x)]))

    def branches(self, x: Any) -> Any:
        parts = [self.same_shape(x) for _ in range(int(self.rng.integers(1, 4)))]
        if self.chance(0.5):
            parts.append(self.layers.MaxPooling2D(3, strides=1, padding="same")(x))
        joined = self.layers.Concatenate(axis=self.pick(1, 2, 3))([x, *parts])
        return joined if joined.shape[1] * joined.shape[2] * joined.shape[3] <= 2 * MAX_ELEMENTS else x

    def squeeze_excite(self, x: Any) -> Any:
        channels = x.shape[3]
        gate = self.layers.GlobalAveragePooling2D(keepdims=self.chance(0.5))(x)
        if len(gate.shape) == 2:
            gate = self.layers.Dense(max(1, channels // 2), activation="relu", **self.kernel(), **self.weights())(gate)
            gate = self.layers.Dense(channels, activation="sigmoid", **self.kernel(), **self.weights())(gate)
            gate = self.layers.Reshape((1, 1, channels))(gate)
        else:
            gate = self.layers.Conv2D(channels, 1, activation="sigmoid", **self.kernel(), **self.weights())(gate)
        return self.layers.Multiply()([x, gate])

    def zero_padding(self, x: Any) -> Any:
        amounts = self.rng.integers(0, 3, 4)
        return self.layers.ZeroPadding2D(((int(amounts[0]), int(amounts[1])), (int(amounts[2]), int(amounts[3]))))(x)

    def arithmetic(self, x: Any) -> Any:
        """ADD, SUB or MUL with a constant that is broadcast."""
        shape = self.pick((1,), (x.shape[3],), (1, x.shape[2], 1), (x.shape[1], 1, x.shape[3]))
        constant = self.rng.normal(0.5, 0.5, shape).astype(np.float32)
        which = self.pick("add", "subtract", "multiply")
        return getattr(self.keras.ops, which)(x, constant)

    def inverted_residual(self, x: Any) -> Any:
        channels = x.shape[3]
        y = self.layers.Conv2D(2 * channels, 1, **self.kernel(), **self.weights())(x)
        y = self.layers.ReLU(max_value=6.0)(y)
        y = self.layers.DepthwiseConv2D(3, padding="same", **self.kernel("depthwise_initializer"), **self.weights())(y)
        y = self.activate(y)
        y = self.layers.Conv2D(channels, 1, **self.kernel(), **self.weights())(y)
        return self.layers.Add()([x, y])

    def head(self, x: Any) -> Any:
        how = self.pick("mean", "flatten", "sum", "max", "none")
        if how == "mean":
            x = self.layers.GlobalAveragePooling2D()(x)
        elif how == "flatten":
            x = self.layers.Flatten()(x)
        elif how == "sum":
            x = self.keras.ops.sum(x, axis=self.pick((1, 2), (1,), (3,), (1, 3)))
            x = self.layers.Flatten()(x)
        elif how == "max":
            x = self.layers.Flatten()(self.layers.MaxPooling2D((x.shape[1], x.shape[2]))(x))
        else:
            return x
        for _ in range(int(self.rng.integers(0, 3))):
            x = self.activate(self.layers.Dense(int(self.rng.integers(1, 20)), **self.kernel(), **self.weights())(x))
        softmax = self.chance(0.5) and x.shape[-1] <= MAX_CLASSES
        return self.layers.Softmax()(x) if softmax else x

    def model(self) -> Any:
        shape = (int(self.rng.integers(1, 13)), int(self.rng.integers(1, 13)), int(self.rng.integers(1, 7)))
        inputs = self.keras.Input(batch_shape=(1, *shape))
        x = inputs
        taps = []
        for _ in range(int(self.rng.integers(2, 7))):
            x = self.blocks[int(self.rng.integers(len(self.blocks)))](x)
            if self.chance(0.1):
                taps.append(x)
        outputs = [self.head(x), *(tap for tap in taps if tap is not x and tap is not inputs)]
        return self.keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])


@dataclass(frozen=True, slots=True)
class Drawn:
    """A random network as an int8 ``.tflite`` file, and at which attempt it was one that TFLite runs."""

    model: bytes
    attempts: int


def random_keras(seed: int, attempt: int = 0) -> Any:
    """The Keras network of ``seed``."""
    return _Generator((seed, attempt)).model()


def random_tflite(seed: int) -> Drawn:
    """The network of ``seed`` converted to full-integer int8 with random calibration data."""
    import keras

    for attempt in range(MAX_ATTEMPTS):
        keras.utils.clear_session(free_memory=False)
        model = random_keras(seed, attempt)
        rng = np.random.default_rng((seed, attempt, 1))
        scale = float(rng.uniform(0.3, 3.0))
        samples = [rng.normal(0, scale, model.inputs[0].shape).astype(np.float32) for _ in range(CALIBRATION_SAMPLES)]
        try:
            data = convert(model, samples, per_channel_dense=bool(rng.integers(2)))
            read_graph(data)
            return Drawn(data, attempt + 1)
        except UnsupportedError as error:
            print(f"seed {seed}, attempt {attempt}: {error.message}")
    raise AssertionError(f"seed {seed}: {MAX_ATTEMPTS} networks in a row were refused")
