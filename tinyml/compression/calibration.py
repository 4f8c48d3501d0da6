"""Ranges of activations after training, from examples: extremes, percentiles or the least squared error; biases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.fake_quant import quantised_layers
from tinyml.compression.qat import FIXED, calibrate, ranges_of
from tinyml.compression.rebuild import calls_of
from tinyml.tflite.quiet import import_keras

MINMAX, PERCENTILE, MSE = "minmax", "percentile", "mse"
METHODS = (MINMAX, PERCENTILE, MSE)
OUTLIERS = 1e-4
"""Share of the values that a percentile's range leaves out, half of it at either end."""
BINS = 4096
SHRINKAGES = np.linspace(1.0, 0.2, 41)

Histogram = npt.NDArray[np.int64]


def set_ranges(model: Any, batches: Sequence[Any], method: str) -> None:
    """Set the free ranges of a prepared model from ``batches`` of inputs, in float, by one of ``METHODS``.

    ``percentile`` leaves the outermost ``OUTLIERS`` of the values out; ``mse`` shrinks the range as long as rounding
    gains more than clipping costs (both as in Nagel et al. 2021, arXiv:2106.08295, section 3.1.1).
    """
    calibrate(model, batches)
    if method == MINMAX:
        return
    choose = _percentile if method == PERCENTILE else _least_error
    for layer, counts, edges in _histograms(model, batches):
        low, high = choose(counts, edges)
        layer.low.assign(min(low, 0.0))
        layer.high.assign(max(high, 0.0))


def correct_biases(model: Any, batches: Iterable[Any]) -> None:
    """Take the mean error that a rounded kernel makes on the examples out of each channel's bias.

    The error is measured on the quantised network's own inputs of each layer (Nagel et al. 2019, arXiv:1906.04721,
    section 4.2, from data instead of batch norms). Layers without a bias stay as they are.
    """
    keras = import_keras()
    plain = {form: base for base, form in quantised_layers().by_layer.items()}
    calls = [call for call in calls_of(model).calls if type(call.operation) in plain and call.operation.use_bias]
    if not calls:
        return
    watch = keras.Model(model.input, [call.inputs[0] for call in calls])
    exact: dict[str, Any] = {}
    for call in calls:
        config = call.operation.get_config()
        config.pop("per_channel")
        layer = plain[type(call.operation)].from_config(config)  # type: ignore[attr-defined]
        layer.build(call.inputs[0].shape)
        layer.set_weights(call.operation.get_weights())
        exact[call.operation.name] = layer
    errors: dict[str, list[npt.NDArray[np.float64]]] = {call.operation.name: [] for call in calls}
    for batch in batches:
        for call, inputs in zip(calls, keras.tree.flatten(watch(batch, training=False)), strict=True):
            layer = call.operation
            error = np.asarray(layer(inputs)) - np.asarray(exact[layer.name](inputs))
            errors[layer.name].append(error.mean(axis=tuple(range(error.ndim - 1)), dtype=np.float64))
    for call in calls:
        # a shared layer is met once for each of its calls, and corrected once
        found = errors.pop(call.operation.name, [])
        if found:
            call.operation.bias.assign(np.asarray(call.operation.bias) - np.mean(found, axis=0))


def _histograms(model: Any, batches: Sequence[Any]) -> list[tuple[Any, Histogram, npt.NDArray[np.float64]]]:
    """Each free range with the histogram of all values that it rounds, in float."""
    keras = import_keras()
    layers = ranges_of(model)
    free = {layer.name: layer for layer in layers if layer.mode != FIXED}
    calls = [call for call in calls_of(model).calls if call.operation.name in free]
    counts = {name: np.zeros(BINS, np.int64) for name in free}
    limits = {name: (float(layer.limits()[0]), float(layer.limits()[1])) for name, layer in free.items()}
    watch = keras.Model(model.input, [call.outputs[0] for call in calls])
    for layer in layers:
        layer.passing = True
    try:
        for batch in batches:
            for call, values in zip(calls, keras.tree.flatten(watch(batch, training=False)), strict=True):
                name = call.operation.name
                counts[name] += np.histogram(np.asarray(values), BINS, limits[name])[0]
    finally:
        for layer in layers:
            layer.passing = False
    return [(free[name], counts[name], np.linspace(limits[name][0], limits[name][1], BINS + 1)) for name in free]


def _percentile(counts: Histogram, edges: npt.NDArray[np.float64]) -> tuple[float, float]:
    share = np.cumsum(counts) / max(1, counts.sum())
    low = int(np.searchsorted(share, OUTLIERS / 2, side="right"))
    high = int(np.searchsorted(share, 1 - OUTLIERS / 2, side="left")) + 1
    return float(edges[min(low, BINS - 1)]), float(edges[min(high, BINS)])


def _least_error(counts: Histogram, edges: npt.NDArray[np.float64]) -> tuple[float, float]:
    centres = (edges[1:] + edges[:-1]) / 2
    best, least = (float(edges[0]), float(edges[-1])), np.inf
    for low in np.unique(edges[0] * SHRINKAGES):
        for high in np.unique(edges[-1] * SHRINKAGES):
            step = (high - low) / 255
            if step <= 0:
                continue
            clipped = np.clip(centres, low, high) - centres
            inside = clipped == 0
            error = float(counts @ (clipped**2)) + float(counts[inside].sum()) * step**2 / 12
            if error < least:
                best, least = (float(low), float(high)), error
    return best
