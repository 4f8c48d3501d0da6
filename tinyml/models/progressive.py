"""Progressive resizing: training begins with small images and weak regularisation, and both grow from stage to stage.

Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", 2021, arXiv:2104.00298, section 4 and algorithm 1.
Works with any network whose weights do not depend on the resolution: convolutions and a global pool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyml.errors import UsageError

STEP = 8
"""Resolutions are multiples of this."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of training: side of the images, rates of dropout and of drop path, epochs."""

    resolution: int
    dropout: float
    drop_rate: float
    epochs: int


def phases(
    resolution: int,
    epochs: int,
    *,
    count: int = 4,
    smallest: float = 0.5,
    dropout: tuple[float, float] = (0.1, 0.3),
    drop_rate: tuple[float, float] = (0.0, 0.2),
) -> tuple[Phase, ...]:
    """Algorithm 1: ``count`` stages up to ``resolution``, the first with ``smallest`` times that side.

    Sides and rates grow linearly; ``epochs`` are shared out evenly, the last stage takes what is left over.

    Raises:
        UsageError: fewer epochs than stages, or a side below 8.
    """
    if epochs < count:
        raise UsageError(f"{count} stages need as many epochs at least, there are {epochs}")
    made = []
    for index in range(count):
        part = index / (count - 1) if count > 1 else 1.0
        side = round(resolution * (smallest + part * (1 - smallest)) / STEP) * STEP if index < count - 1 else resolution
        if side < STEP:
            raise UsageError(f"the first stage's images would be {side} pixels wide", hint="start with larger images")
        share = epochs // count if index < count - 1 else epochs - (count - 1) * (epochs // count)
        rates = [low + part * (high - low) for low, high in (dropout, drop_rate)]
        made.append(Phase(side, rates[0], rates[1], share))
    return tuple(made)


def fit_progressively(build: Callable[[Phase], Any], plan: tuple[Phase, ...], fit: Callable[[Any, Phase], None]) -> Any:
    """Build a network for each phase, hand it the weights learned so far, and fit it; gives the last.

    ``build(phase)`` makes the network for the phase's resolution and rates, ``fit(model, phase)`` trains it in place.

    Raises:
        UsageError: a weight's shape depends on the resolution.
    """
    model = None
    for phase in plan:
        following = build(phase)
        if model is not None:
            carry_weights(model, following)
        model = following
        fit(model, phase)
    return model


def carry_weights(source: Any, target: Any) -> None:
    """Copy the weights of every layer of ``source`` to the layer of the same name in ``target``.

    Layers of one network only, such as drop path where the other's rate is 0, are passed over.

    Raises:
        UsageError: the layers' weights differ in shape.
    """
    known = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if not layer.weights or layer.name not in known:
            continue
        weights = known[layer.name].get_weights()
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [tuple(weight.shape) for weight in weights] != shapes:
            raise UsageError(
                f"layer {layer.name!r} has weights of {[w.shape for w in weights]} at one resolution and of {shapes} at"
                " another",
                hint="progressive resizing needs a network that ends in a global pool",
            )
        layer.set_weights(weights)
