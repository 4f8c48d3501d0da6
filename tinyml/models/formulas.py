"""Scaling formulas from the papers: how depth, width and resolution move together when a network grows or shrinks."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from tinyml.errors import UsageError

DEPTH_BASE, WIDTH_BASE, RESOLUTION_BASE = 1.2, 1.1, 1.15
"""EfficientNet's alpha, beta and gamma (Tan and Le 2019, arXiv:1905.11946, section 3.3): a step of the compound
coefficient multiplies the MACs by about alpha * beta^2 * gamma^2 = 1.92."""


@dataclass(frozen=True, slots=True)
class Multipliers:
    """What a network's depth, width and resolution are multiplied by."""

    depth: float
    width: float
    resolution: float


def compound(coefficient: float) -> Multipliers:
    """EfficientNet's compound scaling (arXiv:1905.11946, equation 3): 0 changes nothing, below 0 shrinks."""
    return Multipliers(DEPTH_BASE**coefficient, WIDTH_BASE**coefficient, RESOLUTION_BASE**coefficient)


TINYNETS = (
    (24 / 387, Multipliers(0.60, 0.51, 106 / 224)),
    (52 / 387, Multipliers(0.695, 0.54, 152 / 224)),
    (100 / 387, Multipliers(0.85, 0.54, 184 / 224)),
    (202 / 387, Multipliers(1.10, 0.75, 188 / 224)),
    (339 / 387, Multipliers(1.20, 1.0, 192 / 224)),
    (1.0, Multipliers(1.0, 1.0, 1.0)),
)
"""Share of EfficientNet-B0's MACs and multipliers of TinyNet-E, D, C, B and A, and the baseline itself (Han et al.
2020, Model Rubik's Cube, arXiv:2010.14819, table 3; the multipliers from the authors' released code)."""


def tinynet(share: float) -> Multipliers:
    """TinyNet's scaling for ``share`` of the baseline's MACs, above 0 and at most 1.

    The paper (section 3.3) predicts resolution and depth from the share by a regression over the best of many random
    networks, and takes the width that makes up the rest. The regression is not printed; the published TinyNets,
    which came out of it, are interpolated over the logarithm of the share instead. Below the smallest, depth stays
    and width and resolution shrink by one factor.

    Raises:
        UsageError: a share that is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise UsageError(f"TinyNet's formula shrinks: a share of {share:g} is not above 0 and at most 1")
    smallest_share, smallest = TINYNETS[0]
    if share < smallest_share:
        factor = (share / smallest_share) ** 0.25
        return Multipliers(smallest.depth, smallest.width * factor, smallest.resolution * factor)
    above = next(index for index, (known, _) in enumerate(TINYNETS) if known >= share)
    if above == 0:
        return smallest
    (low, below), (high, beyond) = TINYNETS[above - 1], TINYNETS[above]
    part = (log(share) - log(low)) / (log(high) - log(low))
    return Multipliers(
        below.depth + part * (beyond.depth - below.depth),
        below.width + part * (beyond.width - below.width),
        below.resolution + part * (beyond.resolution - below.resolution),
    )
