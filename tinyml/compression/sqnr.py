"""Where int8 hurts: the ratio of signal to quantisation noise of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml.compression.fake_quant import quantised_layers
from tinyml.compression.qat import ranges_of
from tinyml.compression.rebuild import calls_of
from tinyml.tflite.quiet import import_keras

MOST_DB = 200.0
"""What is printed for no error at all."""


@dataclass(frozen=True)
class LayerError:
    """One layer's errors in decibels; more is better, 6 dB are one bit.

    ``sqnr_db`` compares its output with the float network's, all quantised; ``alone_db`` compares the network's output
    where this layer alone is quantised: its kernel, or the range behind it. The lowest of these hurt.
    """

    layer: str
    kind: str
    sqnr_db: float
    alone_db: float

    def to_json(self) -> dict[str, Any]:
        """The object in ``report`` of ``tinyml quantize --report --json``."""
        return {"layer": self.layer, "kind": self.kind, "sqnr_db": self.sqnr_db, "alone_db": self.alone_db}


def layer_errors(model: Any, inputs: Any) -> tuple[LayerError, ...]:
    """The errors of every kernel and range of a prepared model on a batch of inputs, in the network's order."""
    keras = import_keras()
    forms = set(quantised_layers().by_layer.values())
    ranges = {layer.name for layer in ranges_of(model)}
    calls = {
        call.operation.name: call
        for call in calls_of(model).calls
        if type(call.operation) in forms or call.operation.name in ranges
    }
    watch = keras.Model(model.input, [model.outputs[0], *(call.outputs[0] for call in calls.values())])
    layers = [call.operation for call in calls.values()]

    def run() -> list[Any]:
        return [np.asarray(values, np.float64) for values in watch(inputs, training=False)]

    quantised = run()
    try:
        _pass(layers, True)
        exact = run()
        found = []
        for index, layer in enumerate(layers):
            layer.passing = False
            alone = np.asarray(model(inputs, training=False), np.float64)
            layer.passing = True
            kind = "range" if layer.name in ranges else "kernel"
            sqnr = decibels(exact[index + 1], quantised[index + 1])
            found.append(LayerError(layer.name.removesuffix("_range"), kind, sqnr, decibels(exact[0], alone)))
    finally:
        _pass(layers, False)
    return tuple(found)


def decibels(exact: Any, rounded: Any) -> float:
    """Ten times the logarithm of signal power over error power, at most ``MOST_DB``."""
    signal, noise = float(np.mean(np.square(exact))), float(np.mean(np.square(exact - rounded)))
    if noise == 0.0:
        return MOST_DB
    return min(MOST_DB, 10 * float(np.log10(max(signal, 1e-30) / noise)))


def _pass(layers: Sequence[Any], passing: bool) -> None:
    for layer in layers:
        layer.passing = passing
