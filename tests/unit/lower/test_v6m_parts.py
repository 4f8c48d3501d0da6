"""Three channels in two words: into how many parts a product is cut so that their sums come back."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.lower.v6m.gemm import MOST_PARTS, parts_of, unpacks, why_no_parts


@pytest.mark.parametrize("kind", ["any", "positive", "negative", "one channel"])
@pytest.mark.parametrize("seed", range(6))
def test_parts_are_the_fewest_that_unpack(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (1 if kind == "one channel" else 7, int(rng.integers(1, 1500))))
    weights = {"positive": np.abs(weights), "negative": -np.abs(weights)}.get(kind, weights)
    tried = range(1, min(MOST_PARTS, weights.shape[1]) + 1)
    assert parts_of(weights) == next((n for n in tried if unpacks(weights, n)), None)


def test_sums_that_no_number_of_parts_unpacks() -> None:
    weights = np.full((3, 20_000), 127)
    assert parts_of(weights) is None
    assert "unpack below 2^20 in at most 64 parts" in (why_no_parts(weights) or "")
