"""What two channels to a word do not hold, on cores with the DSP extension: by the kernels for ARMv7-M."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support.tflite_builder import Builder
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Target
from tinyml.tflite.read import read_graph


def large(rng: Rng, *shape: int) -> np.ndarray:
    """Weights near ±127, all of one sign in a channel."""
    signs = np.where(np.arange(shape[0]) % 3 == 0, -1, 1).reshape(-1, *[1] * (len(shape) - 1))
    return np.asarray(signs * (127 - np.abs(rng.weights(*shape)) // 16), np.int8)


def convolution(
    rng: Rng, size: tuple[int, int], shape: tuple[int, int, int, int], groups: int = 1, least: int = -127
) -> bytes:
    """``least`` is the first weight of the first channel, which is negative as its neighbours in the second are."""

    def build(b: Builder) -> int:
        x = b.input((1, *size, shape[3] * groups), zero_point=rng.zero_point())
        bias, scales = rng.bias(shape[0]), rng.scales(shape[0])
        weights = large(rng, *shape)
        if least < -127:
            weights[0, 0, 0, 0], weights[1, 0, 0, 0] = least, -1
        return b.conv_2d(x, weights, scales, bias, scale=30.0, zero_point=rng.zero_point() // 2)

    return model(build)


def unpackable(rng: Rng, size: tuple[int, int], shape: tuple[int, int, int, int]) -> bytes:
    """A convolution with a weight of -128 over a negative one."""
    return convolution(rng, size, shape, least=-128)


def dense(rng: Rng, depth: int, channels: int) -> bytes:
    def build(b: Builder) -> int:
        x = b.input((1, depth), zero_point=rng.zero_point())
        return b.fully_connected(x, large(rng, channels, depth), 0.01, rng.bias(channels), scale=30.0)

    return model(build)


def cases() -> list[Expected]:
    rng = Rng(1)
    return [
        Expected(unpackable(rng, (5, 6), (7, 3, 3, 72)), "tml_conv2d_v6m", "3x3"),
        Expected(unpackable(rng, (4, 5), (9, 1, 1, 640)), "tml_pointwise_v6m", "1x1"),
        Expected(unpackable(rng, (1, 1), (9, 1, 1, 640)), "tml_pointwise_v6m", "one pixel"),
        Expected(convolution(rng, (5, 5), (6, 3, 3, 76), groups=2), "tml_grouped_conv2d_v6m", "groups"),
        Expected(dense(rng, 700, 7), "tml_fully_connected_v6m", "dense"),
        Expected(convolution(rng, (5, 5), (4, 3, 3, 8)), "tml_conv2d_dsp", "what packs in twos beside them"),
    ]


def test_what_does_not_pack(tmp_path: Path) -> None:
    made = cases()
    prove_on_core(made, tmp_path, optimise="-O2", optimize=Optimize.SPEED)
    reason = lowered(made[0].model, Optimize.SPEED)[2].reason
    assert "a weight of -128 does not pack with its neighbour" in reason
    assert "sums in " in reason


def test_words_take_flash_only_for_speed() -> None:
    made = cases()[0].model
    for goal in (Optimize.BALANCED, Optimize.SIZE):
        step = lowered(made, goal)[2]
        assert step.kernel == "tml_conv2d"
        assert step.passed_over[-2].cause == "weights as words would take 13,000 bytes of flash instead of 4,536"


def test_bytes_are_expanded_where_other_layers_need_the_memory() -> None:
    """As much again as the words, which the layer before reads and writes."""

    def build(b: Builder) -> int:
        x = b.pool_2d("MAX_POOL_2D", b.input((1, 48, 48, 72)), size=(16, 16), stride=(16, 16))
        weights = large(Rng(2), 6, 3, 3, 72)
        weights[0, 0, 0, 0], weights[1, 0, 0, 0] = -128, -1
        return b.conv_2d(x, weights, 0.01, scale=30.0)

    step = lower(read_graph(model(build)), Target(Isa.DSP)).steps[-1]
    assert step.kernel == "tml_conv2d_v6m"
    assert 6 * 9 * 72 <= step.consts[0].size_bytes < 6 * 9 * 80
