"""Parameters and multiply-accumulates of a Keras model, counted from its layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any


@dataclass(frozen=True, slots=True)
class Counts:
    """Trainable parameters, other weights (moving averages, indices, masks) and MACs of a network."""

    parameters: int
    averages: int
    macs: int


def count(name: str) -> Counts:
    """Count the catalogue's network ``name`` with its default options.

    Its weights get no values, so that even a network of twenty million of them is counted in a second or two.
    """
    import keras

    from tinyml.models.catalog import build_model

    with keras.StatelessScope():
        model = build_model(name)
    averages = sum(prod(weight.shape) for weight in model.non_trainable_weights)
    counts = Counts(count_parameters(model), averages, count_macs(model))
    keras.backend.clear_session()
    return counts


def count_parameters(model: Any) -> int:
    """Trainable parameters: what papers count; the moving averages of batch norm are left out."""
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def count_macs(model: Any) -> int:
    """Multiply-accumulates of one inference, as MLPerf Tiny counts: convolutions, depthwise and dense layers only.

    A layer of ours that computes such inside counts them itself. Nested models are followed. The model needs fixed
    input sizes (the batch may be open); raises ValueError where a layer's size is open, and where a layer is called
    more than once, since its calls may differ in size.
    """
    return sum(_layer_macs(layer) for layer in model.layers)


def macs_by_position(model: Any) -> tuple[int, int]:
    """:func:`count_macs` in two parts: what grows with the input's area, and what does not (dense layers, gates)."""
    import keras

    growing = fixed = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            inner = macs_by_position(layer)
            growing, fixed = growing + inner[0], fixed + inner[1]
        elif (macs := _layer_macs(layer)) and _positions(layer) > 1:
            growing += macs
        else:
            fixed += macs
    return growing, fixed


def _layer_macs(layer: Any) -> int:
    import keras

    if isinstance(layer, keras.Model):
        return count_macs(layer)
    if hasattr(layer, "count_macs"):
        return int(layer.count_macs())
    counted = (
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv1D,
        keras.layers.DepthwiseConv2D,
        keras.layers.Dense,
    )
    return _positions(layer) * prod(layer.kernel.shape) if isinstance(layer, counted) else 0


def _positions(layer: Any) -> int:
    """Positions of the output without its channels: how often the whole kernel is applied."""
    if len(layer._inbound_nodes) > 1:
        raise ValueError(f"layer {layer.name!r} is called more than once")
    shape = layer.output.shape
    if any(size is None for size in shape[1:]):
        raise ValueError(f"layer {layer.name!r} has an open output shape {shape}")
    return prod(shape[1:-1])
