"""Small convolutional networks whose weights carry little: ternary, binary, or mostly zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tests.support.tflite_builder import Builder

Weights = npt.NDArray[np.int8]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Weights]


def _ternary(rng: np.random.Generator, shape: tuple[int, ...]) -> Weights:
    return rng.choice(np.array([-127, 0, 127], np.int8), shape)


def _binary(rng: np.random.Generator, shape: tuple[int, ...]) -> Weights:
    return rng.choice(np.array([-127, 127], np.int8), shape)


def _sparse(rng: np.random.Generator, shape: tuple[int, ...]) -> Weights:
    dense = rng.integers(-127, 128, shape)
    return np.where(rng.random(shape) < 0.9, 0, dense).astype(np.int8)


def _clustered(rng: np.random.Generator, shape: tuple[int, ...]) -> Weights:
    return rng.choice(np.linspace(-127, 127, 16).astype(np.int8), shape)


DRAWS: dict[str, Draw] = {"ternary": _ternary, "binary": _binary, "sparse": _sparse, "clustered": _clustered}


def packed_model(kind: str, size: int = 24) -> bytes:
    """A first layer, a depthwise and two pointwise ones with a sum, and a dense layer, on images of ``size``."""
    rng, draw = np.random.default_rng(7), DRAWS[kind]
    b = Builder()

    def bias(channels: int) -> npt.NDArray[np.int32]:
        return rng.integers(-3000, 3000, channels).astype(np.int32)

    def scales(channels: int) -> list[float]:
        return np.exp(rng.uniform(np.log(0.001), np.log(0.003), channels)).astype(np.float32).tolist()

    x = b.input((1, size, size, 3), zero_point=-4)
    x = b.conv_2d(x, draw(rng, (32, 3, 3, 3)), scales(32), bias(32), scale=0.05, zero_point=-128, activation="RELU")
    x = b.depthwise_conv_2d(x, draw(rng, (1, 3, 3, 32)), scales(32), bias(32), scale=0.05, zero_point=2)
    x = b.conv_2d(x, draw(rng, (64, 1, 1, 32)), scales(64), bias(64), scale=0.05, zero_point=-128, activation="RELU")
    y = b.conv_2d(x, draw(rng, (64, 3, 3, 64)), scales(64), bias(64), scale=0.06, zero_point=5)
    x = b.binary("ADD", x, y, scale=0.1, zero_point=-3)
    x = b.pool_2d("AVERAGE_POOL_2D", x, size=(size // 4, size // 4), stride=(size // 4, size // 4))
    return b.build([b.fully_connected(x, draw(rng, (10, 16 * 64)), 0.002, bias(10), scale=0.2)])
