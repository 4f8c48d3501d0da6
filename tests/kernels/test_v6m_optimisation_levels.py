"""Networks for cores without SIMD compile without a warning at every optimisation level of both compilers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.support.core_build import compile_core
from tests.support.host_build import Network, compile_network
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa, Optimize

_LEVELS = {"gcc": ("-Og", "-O1", "-O2", "-O3", "-Os"), "zig": ("-O1", "-O2", "-O3", "-Os")}


def layers(b: Builder) -> int:
    """One layer of each kind, their pixels a multiple of three: nothing of a last block lies behind the scratch."""
    rng = Rng(3)
    x = b.input((1, 12, 12, 3), zero_point=-5)
    for weights in (rng.weights(16, 3, 3, 3), rng.weights(16, 1, 1, 16)):
        x = b.conv_2d(x, weights, rng.scales(16), rng.bias(16), scale=0.5)
    x = b.depthwise_conv_2d(x, rng.weights(1, 3, 3, 16), rng.scales(16), rng.bias(16), scale=0.5)
    y = b.conv_2d(x, rng.weights(16, 1, 1, 16), rng.scales(16), rng.bias(16), scale=0.5, zero_point=3)
    x = b.binary("ADD", x, y, scale=1.0)
    return b.fully_connected(x, rng.weights(5, 12 * 12 * 16), 0.002, np.zeros(5, np.int32), scale=2.0)


def network(isa: Isa) -> Network:
    """The network of :func:`layers` for the least flash, which takes every helper."""
    return compile_network(model(layers), isa=isa, optimize=Optimize.SIZE)


@pytest.mark.parametrize("compiler", list(_LEVELS))
@pytest.mark.parametrize(("core", "isa"), [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)])
def test_every_level_without_a_warning(core: str, isa: Isa, compiler: str, tmp_path: Path) -> None:
    sources = network(isa).sources
    for level in _LEVELS[compiler]:
        compile_core(
            sources["network.c"], core, tmp_path, entries=("network_run",), compiler=compiler, optimise=level,
            headers=sources,
        )  # fmt: skip
