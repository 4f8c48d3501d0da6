"""Averages of weights over the steps of a training: what is scored and kept in place of the last step's weights.

An exponential moving average (Polyak and Juditsky 1992; with the decay that grows at the start as TensorFlow's
``ExponentialMovingAverage`` has it) is steadier than the weights themselves and often a better network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyml.tflite.quiet import import_keras, import_tensorflow


class WeightAverage:
    """The moving averages of a model's float weights, the batch norms' own averages included.

    After step ``t`` an average is ``d * average + (1 - d) * weight`` with ``d = min(decay, (1 + t) / (10 + t))``. A
    decay of 0 averages nothing and costs nothing. ``variables`` are the state to save, in a fixed order.
    """

    def __init__(self, model: Any, decay: float) -> None:
        keras = import_keras()
        self.decay = decay
        kept = [weight for weight in model.weights if "float" in weight.dtype] if decay else []
        self._weights: list[Any] = kept
        self._averages: list[Any] = [
            keras.Variable(weight.numpy(), trainable=False, name=f"average_{index}")
            for index, weight in enumerate(kept)
        ]
        self._steps: Any = keras.Variable(0, dtype="int64", trainable=False, name="averaged_steps")
        self._update = import_tensorflow().function(self._move)

    @property
    def variables(self) -> list[Any]:
        """The averages and the number of steps; nothing where nothing is averaged."""
        return [*self._averages, self._steps] if self._averages else []

    def update(self) -> None:
        """Take in the weights as they stand after a step."""
        if self._averages:
            self._update()

    def _move(self) -> None:
        ops = import_keras().ops
        self._steps.assign_add(1)
        steps = ops.cast(self._steps, "float32")
        share = 1 - ops.minimum(self.decay, (1 + steps) / (10 + steps))
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign_add(ops.cast(share, average.dtype) * (weight.value - average.value))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with its averages for weights; afterwards it has its own again."""
        own = [np.array(weight) for weight in self._weights]
        for weight, average in zip(self._weights, self._averages, strict=True):
            weight.assign(average.value)
        try:
            yield
        finally:
            for weight, values in zip(self._weights, own, strict=True):
                weight.assign(values)
