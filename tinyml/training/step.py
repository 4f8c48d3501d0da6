"""One training step on every replica: gradients of the mean loss, summed over the replicas, and one update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyml.tflite.quiet import import_tensorflow

Logs = dict[str, Any]
"""Means over the step's global batch, as scalars that need not be computed yet."""


@dataclass(frozen=True)
class Objective:
    """What is trained for: ``loss(targets, outputs)`` and, for classifiers, ``right(targets, outputs)``, by example."""

    loss: Callable[[Any, Any], Any]
    right: Callable[[Any, Any], Any] | None = None


def make_step(
    model: Any, optimizer: Any, objective: Objective, strategy: Any
) -> Callable[[tuple[Any, Any], Any], Logs]:
    """A compiled ``step(batch, stop)`` that updates ``model`` and gives ``loss``, ``stop``; ``accuracy`` of classes.

    ``stop`` is 1 where this worker was interrupted; the logs have the mean over all workers, so that all stop in the
    same step. Keras' own loop is not used: in Keras 3 ``train_on_batch`` hands whole batches to each replica, and
    ``fit`` cannot reduce what several workers report (``reduce_per_replica``).
    """
    tf = import_tensorflow()
    replicas = strategy.num_replicas_in_sync

    def on_replica(inputs: Any, targets: Any, stop: Any) -> Logs:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = tf.reduce_mean(objective.loss(targets, outputs))
            if model.losses:
                loss += tf.add_n(model.losses)
            share = loss / replicas
        gradients = tape.gradient(share, [variable.value for variable in model.trainable_variables])
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        logs = {"loss": loss, "stop": stop}
        if objective.right is not None:
            logs["accuracy"] = tf.reduce_mean(objective.right(targets, outputs))
        return logs

    def step(batch: tuple[Any, Any], stop: Any) -> Logs:
        logs = strategy.run(on_replica, args=(*batch, stop))
        return {name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None) for name, value in logs.items()}

    compiled: Callable[[tuple[Any, Any], Any], Logs] = tf.function(step, reduce_retracing=True)
    return compiled
