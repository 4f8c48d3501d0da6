"""Which stages of a network learn in which epoch, and how fast: frozen ones do not change, taken ones learn slower.

A stage is what stands before the first underscore of its layers' names: ``block3_depthwise`` and
``block3_pointwise_bn`` are of the stage ``block3``. Batch norms of a frozen stage use and keep their moving statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras


def stage_of(layer_name: str) -> str:
    """The stage that a layer belongs to."""
    return layer_name.partition("_")[0]


@dataclass(frozen=True)
class Schedule:
    """``taken`` layers by name, of which those of the stages ``frozen`` never learn.

    ``groups`` pairs a number of epochs with the stages that are frozen until so many are done. What learns of the taken
    layers does so at ``rate_share`` of the learning rate.
    """

    taken: tuple[str, ...]
    frozen: tuple[str, ...]
    groups: tuple[tuple[int, tuple[str, ...]], ...]
    rate_share: float

    def frozen_in(self, epoch: int) -> frozenset[str]:
        """Names of the layers that do not learn in an epoch, counted from 0."""
        stages = set(self.frozen)
        for released, names in self.groups:
            if epoch < released:
                stages.update(names)
        return frozenset(name for name in self.taken if stage_of(name) in stages)

    def apply(self, model: Any, epoch: int | None) -> frozenset[str]:
        """Set what of ``model`` is trainable in an epoch, for None all that ever is; gives the frozen layers' names."""
        last = max((released for released, _ in self.groups), default=0)
        frozen = self.frozen_in(last if epoch is None else epoch)
        for layer in model.layers:
            if layer.weights:
                layer.trainable = layer.name not in frozen
        return frozen


def make_schedule(taken: Sequence[str], freeze: Sequence[str], release: Sequence[int], rate_share: float) -> Schedule:
    """The schedule of ``--freeze`` and ``--release``.

    With epochs to release at, the taken stages that are not in ``freeze`` are cut into as many parts, nearly alike; the
    part next to the head is released first.

    Raises:
        UsageError: a stage that was not taken, or more epochs to release at than stages.
    """
    stages = list(dict.fromkeys(stage_of(name) for name in taken))
    if "all" in freeze:
        return Schedule(tuple(taken), tuple(stages), (), rate_share)
    for name in freeze:
        if name not in stages:
            raise UsageError(f"no stage {name!r} was taken over", hint=f"freeze some of {', '.join(stages)}, or all")
    free = [stage for stage in reversed(stages) if stage not in freeze]
    if len(release) > len(free):
        raise UsageError(f"{len(release)} epochs to release {len(free)} stages at", hint="give fewer")
    count = len(release)
    groups = tuple(
        (epoch, tuple(free[len(free) * i // count : len(free) * (i + 1) // count])) for i, epoch in enumerate(release)
    )
    return Schedule(tuple(taken), tuple(freeze), groups, rate_share)


def make_optimizer(model: Any, schedule: Schedule, learning_rate: float, weight_decay: float) -> Any:
    """AdamW whose learning rate, and with it the weight decay, is lower for the layers that were taken over."""
    keras = import_keras()
    slow = [v for layer in model.layers if layer.name in schedule.taken for v in layer.trainable_variables]

    class SlowerForSome(keras.optimizers.AdamW):  # type: ignore[misc, name-defined]
        """Hands each variable its share of the step."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """One variable's step at its own rate."""
            key = self._var_key(variable)
            share = schedule.rate_share if key in self.slow_keys else 1.0
            super().update_step(gradient, variable, learning_rate * share)

        def _apply_weight_decay(self, variables: Any) -> None:
            """Decay at the same shares; what decays slower keeps more of its weight."""
            usual = [v for v in variables if self._var_key(v) not in self.slow_keys]
            slower = [v for v in variables if self._var_key(v) in self.slow_keys]
            super()._apply_weight_decay(usual)
            self.weight_decay = weight_decay * schedule.rate_share
            super()._apply_weight_decay(slower)
            self.weight_decay = weight_decay

    optimizer = SlowerForSome(learning_rate, weight_decay=weight_decay)
    optimizer.slow_keys = frozenset(optimizer._var_key(variable) for variable in slow)
    return optimizer
