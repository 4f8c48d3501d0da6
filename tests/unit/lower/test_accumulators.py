"""Channels whose output never changes are found without asking each of them exactly."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.accumulators import constant_channels, constant_output

CHANNELS = 4000


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("clamps", [Range(-128, 127), Range(-3, 40)])
def test_it_finds_what_asking_every_channel_finds(rounding: Rounding, clamps: Range) -> None:
    source = np.random.default_rng(0)
    scales = np.stack([source.integers(1 << 30, 1 << 31, CHANNELS), source.integers(-24, 2, CHANNELS)], axis=1)
    middle = source.integers(-(2**30), 2**30, CHANNELS) >> source.integers(0, 30, CHANNELS)
    reach = np.int64(1) << source.integers(0, 28, CHANNELS)
    low, high = middle - reach, middle + reach
    wanted = {}
    for channel in range(CHANNELS):
        scale = int(scales[channel, 0]), int(scales[channel, 1])
        value = constant_output((int(low[channel]), int(high[channel])), scale, rounding, -5, clamps)
        if value is not None:
            wanted[channel] = value
    assert 100 < len(wanted) < CHANNELS - 100
    assert constant_channels(low, high, scales, rounding, -5, clamps) == wanted
