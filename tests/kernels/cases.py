"""Random tensors and weights for the kernel tests, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.host_build import prove_models
from tests.support.tflite_builder import Builder

Prove = Callable[..., None]


class Rng:
    """Values as a converter would make them, and the extremes that it could."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def weights(self, *shape: int) -> npt.NDArray[Any]:
        """int8 in ±127."""
        return self._rng.integers(-127, 128, shape).astype(np.int8)

    def bias(self, size: int, limit: int = 5000) -> npt.NDArray[Any]:
        """int32 in ±limit."""
        return self._rng.integers(-limit, limit + 1, size).astype(np.int32)

    def scales(self, size: int, low: float = 0.001, high: float = 0.02) -> list[float]:
        """Positive float32 scales, evenly spread over their logarithm."""
        return np.exp(self._rng.uniform(np.log(low), np.log(high), size)).astype(np.float32).tolist()

    def zero_point(self) -> int:
        """Any int8."""
        return int(self._rng.integers(-128, 128))


def model(build: Callable[[Builder], int | list[int]]) -> bytes:
    """The file of the network that ``build`` adds to an empty one; it returns the outputs."""
    builder = Builder()
    outputs = build(builder)
    return builder.build([outputs] if isinstance(outputs, int) else outputs)


def sweep(directory: Path, cases: int, together: int) -> Iterator[tuple[range, Path]]:
    """Seeds of so many cases that no other test takes, ``together`` at a time, each with a folder of its own."""
    for first in range(10_000, 10_000 + cases, together):
        folder = directory / str(first)
        folder.mkdir()
        yield range(first, first + together), folder


@pytest.fixture
def prove(tmp_path: Path) -> Prove:
    """Proves models, all in one program, against the reference with the sanitizers on."""

    def run(models: list[bytes], count: int = 3) -> None:
        prove_models(models, tmp_path, count)

    return run
