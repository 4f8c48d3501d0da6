"""Networks that split, shuffle, slice and choose, under the planner's goals: on the host and on emulated cores.

Their moves are merged, folded into weights, taken as pieces of other tensors, or run by rows with their neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.test_canaries import prove_on_core
from tests.support import logic_builder as lb
from tests.support import move_builder as mb
from tests.support.host_build import Network, compile_network, prove_networks
from tests.support.shared import require_module
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa
from tinyml.plan.choose import Goal

GOALS = (None, Goal(), Goal(math.inf))


class _Layers:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = Builder()

    def conv(self, x: int, channels: int, stride: int = 1, kernel: int = 3) -> int:
        weights = self.rng.integers(-127, 128, (channels, kernel, kernel, self.b.values[x].shape[3]))
        return self.b.conv_2d(x, weights, 0.004, stride=(stride, stride), activation="RELU")

    def depthwise(self, x: int) -> int:
        weights = self.rng.integers(-127, 128, (1, 3, 3, self.b.values[x].shape[3]))
        return self.b.depthwise_conv_2d(x, weights, 0.005)

    def shuffle(self, x: int, groups: int) -> int:
        _, h, w, c = self.b.values[x].shape
        turned = mb.transpose(self.b, self.b.reshape(x, (1, h, w, groups, c // groups)), (0, 1, 2, 4, 3))
        return self.b.reshape(turned, (1, h, w, c))


def split_and_shuffle() -> bytes:
    """Units of two halves, one of which is computed, then shuffled."""
    n = _Layers(0)
    x = n.conv(n.b.input((1, 20, 16, 4)), 16, 2)
    for _ in range(2):
        left, right = mb.split(n.b, x, 3, 2)
        right = n.conv(n.depthwise(n.conv(right, 8, kernel=1)), 8, kernel=1)
        x = n.shuffle(n.b.concatenation([left, right], 3), 2)
    return n.b.build([n.b.reduce("MEAN", x, [1, 2])])


def pieces_and_choices() -> bytes:
    """Slices along the height as pieces, the larger of two halves, channels by number, a mask."""
    n = _Layers(1)
    x = n.conv(n.b.input((1, 12, 12, 4)), 12)
    top, bottom = mb.split(n.b, x, 1, 2)
    x = lb.of_two(n.b, "MAXIMUM", top, bottom)
    y = mb.gather(n.b, n.depthwise(x), mb.numbers(n.b, (3, 3, 0, 11, 7, 6, 5, 4)), 3)
    z = mb.strided_slice(n.b, y, (0, 0, 0, 0), (1, 6, 12, 8), (1, 2, 2, 1), (1, 3, 6, 8))
    z = mb.resize_nearest(n.b, n.conv(z, 8), (6, 12))
    mask = lb.of_two(n.b, "GREATER", y, z)
    return n.b.build([lb.select(n.b, mask, y, z), lb.arg(n.b, "ARG_MAX", z, 3)])


def networks_of(isa: Isa) -> Iterator[Network]:
    for model in (split_and_shuffle(), pieces_and_choices()):
        for goal in GOALS:
            name = f"n{len(model)}_{GOALS.index(goal)}"
            yield compile_network(model, name, isa=isa, goal=goal, canaries=True)


def test_on_the_host(tmp_path: Path) -> None:
    networks = list(networks_of(Isa.PORTABLE))
    spans = [(network.program, *span) for network in networks for span in network.program.segments]
    inside = {step.kernel for program, first, last in spans for step in program.steps[first : last + 1]}
    assert "tml_move" in inside, "a shuffle runs by rows"
    assert any(network.program.alias_offsets for network in networks), "a half is a piece"
    assert "tml_maximum_int8" in {step.kernel for network in networks for step in network.program.steps}
    prove_networks(networks, tmp_path, 2, optimise="-O0")


@pytest.mark.parametrize(("core", "isa"), [("cortex-m4", Isa.DSP), ("cortex-m0plus", Isa.V6M)])
def test_on_a_core(core: str, isa: Isa, tmp_path: Path) -> None:
    require_module("unicorn")
    prove_on_core(list(networks_of(isa)), core, tmp_path)
