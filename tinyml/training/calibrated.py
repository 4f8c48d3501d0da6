"""Quantising after training with ranges of one's choice, the choice made by the loss on the validation split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from tinyml.compression.calibration import METHODS, correct_biases, set_ranges
from tinyml.compression.equalise import equalise
from tinyml.compression.qat import prepare
from tinyml.errors import UsageError
from tinyml.training.evaluate import BATCH, evaluate_float
from tinyml.training.examples import TrainingData

CONVERTER, BEST = "converter", "best"
CHOICES = (CONVERTER, *METHODS, BEST)


@dataclass(frozen=True)
class Calibration:
    """How ranges were found, and the simulated int8 network's loss on the validation split."""

    method: str
    equalised: bool
    bias_corrected: bool
    validation_loss: float

    def to_json(self) -> dict[str, Any]:
        """An object under ``calibration`` in ``tinyml quantize --json``."""
        return {
            "method": self.method,
            "equalised": self.equalised,
            "bias_corrected": self.bias_corrected,
            "validation_loss": self.validation_loss,
        }


def batches_of(data: TrainingData, rows: Sequence[int]) -> list[Any]:
    """Training examples as batches of real values."""
    return [data.real(data.plain.codes[list(rows[at : at + BATCH])]) for at in range(0, len(rows), BATCH)]


def calibrate_best(
    model: Any, data: TrainingData, rows: Sequence[int], choice: str, per_channel_dense: bool = False
) -> tuple[Any, tuple[Calibration, ...]]:
    """A prepared network with its ranges set, and what was tried, the chosen one first.

    ``choice`` is one of ``METHODS``, with biases as they are, or ``best``: every method with and without equalised
    kernels and corrected biases, and of those the one with the least loss on the validation split.

    Raises:
        UsageError: an unknown choice, or nothing to choose by.
        UnsupportedError: the model has layers that cannot be simulated.
    """
    if choice not in (*METHODS, BEST):
        raise UsageError(f"there is no calibration {choice!r}", hint=f"choose one of {', '.join(CHOICES)}")
    batches = batches_of(data, rows)
    tried = []
    methods, either = (METHODS, (False, True)) if choice == BEST else ((choice,), (False,))
    for equalised in either:
        source = equalise(model) if equalised else model
        for method, corrected in itertools.product(methods, either):
            network = prepare(source, input_ranges=[data.input_range], per_channel_dense=per_channel_dense)
            set_ranges(network, batches, method)
            if corrected:
                correct_biases(network, batches)
            loss = evaluate_float(network, data, data.validation).loss
            tried.append((network, Calibration(method, equalised, corrected, loss)))
    if choice == BEST and not all(isfinite(found.validation_loss) for _, found in tried):
        raise UsageError("there are no validation examples to choose a calibration by", hint="choose --calibration mse")
    tried.sort(key=lambda pair: pair[1].validation_loss)
    return tried[0][0], tuple(found for _, found in tried)
