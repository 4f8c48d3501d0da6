"""Where a training runs: one device, several of one machine, or several machines, by ``tf.distribute``.

The strategy is TensorFlow's ambient one: within ``Place.scope()`` networks and optimisers are mirrored, and
:func:`current_place` says where that is. Workers find each other by ``TF_CONFIG``
(https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config_environment_variable).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml.data import records
from tinyml.data.base import TRAIN
from tinyml.data.records import Worker
from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras, import_tensorflow

NONE, MIRRORED, WORKERS = KINDS = ("none", "mirrored", "workers")


@dataclass(frozen=True, eq=False)
class Place:
    """A strategy, the replicas in all, and this worker's number of so many; the chief is number 0."""

    strategy: Any
    replicas: int = 1
    workers: int = 1
    index: int = 0

    @property
    def chief(self) -> bool:
        """Whether this worker writes the run."""
        return self.index == 0

    @property
    def local_replicas(self) -> int:
        """The replicas of each worker."""
        return self.replicas // self.workers

    def least(self, number: int) -> int:
        """The least of what the workers give."""
        if self.workers == 1:
            return number
        tf = import_tensorflow()
        given = self.strategy.run(lambda: tf.constant([number]))
        return int(min(self.strategy.gather(given, axis=0).numpy()))

    def own_shards(self, folder: Path) -> Worker | None:
        """The part of a data folder that this worker reads, where there are several and it holds enough shards."""
        if self.workers == 1 or not records.recognise(folder):
            return None
        shards = records.load_manifest(folder)["shards"].get(TRAIN, [])
        return Worker(self.index, self.workers) if len(shards) >= self.workers else None

    def describe(self) -> dict[str, Any]:
        """What a manifest tells: how it is distributed, how many workers and replicas, and this worker's devices."""
        kind = WORKERS if self.workers > 1 else MIRRORED if self.replicas > 1 else NONE
        return {"distribute": kind, "workers": self.workers, "replicas": self.replicas, "devices": devices()}


def devices() -> list[str]:
    """The GPUs that are there, by name, or ``CPU``."""
    tf = import_tensorflow()
    found = tf.config.list_physical_devices("GPU")
    return [str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)) for gpu in found] or [
        "CPU"
    ]


def current_place() -> Place:
    """The place of the ambient strategy."""
    strategy = import_tensorflow().distribute.get_strategy()
    index, workers = _seat(strategy)
    return Place(strategy, int(strategy.num_replicas_in_sync), workers, index)


@contextlib.contextmanager
def distributed(kind: str | None) -> Iterator[tuple[str, Place]]:
    """Within it, what is built is mirrored as ``kind`` says; ``workers`` where None and TF_CONFIG names several.

    ``mirrored`` takes all GPUs of this machine, or its logical CPUs where there is none. Waits for all workers.

    Raises:
        UsageError: TF_CONFIG is missing or damaged, or there is one device alone to mirror on.
    """
    tf = import_tensorflow()
    cluster = read_cluster()
    chosen = kind or (WORKERS if cluster is not None and cluster[1] > 1 else NONE)
    if chosen == WORKERS and cluster is None:
        raise UsageError(
            "there is no TF_CONFIG that names the workers",
            hint="""TF_CONFIG='{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'""",
        )
    if chosen == NONE:
        yield chosen, Place(tf.distribute.get_strategy())
        return
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if chosen == WORKERS else _mirrored()
    with strategy.scope():
        yield chosen, current_place()


def read_cluster() -> tuple[int, int] | None:
    """This worker's number, the chief's being 0, and how many there are, as TF_CONFIG says; None without it.

    Raises:
        UsageError: it is no JSON of that form, or the task is none of the cluster's.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        told = json.loads(text)
        cluster, task = told["cluster"], told["task"]
        chiefs, workers = len(cluster.get("chief", [])), len(cluster.get("worker", []))
        kind, index = str(task["type"]), int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"TF_CONFIG has not the form of a cluster with a task: {error}") from None
    if kind not in ("chief", "worker") or not 0 <= index < (chiefs if kind == "chief" else workers):
        raise UsageError(f"TF_CONFIG's task {kind} {index} is none of its {chiefs} chiefs and {workers} workers")
    return (index if kind == "chief" else chiefs + index), chiefs + workers


def synchronise_batch_norms(model: Any) -> None:
    """Let batch norms take their statistics from the whole batch, so that replicas train as one device would."""
    for layer in model.layers:
        if isinstance(layer, import_keras().layers.BatchNormalization):
            layer.synchronized = True


def _mirrored() -> Any:
    tf = import_tensorflow()
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) < 2:
        raise UsageError(
            f"there is only {found[0].name} to mirror on", hint="leave --distribute out: a GPU is used anyway"
        )
    return tf.distribute.MirroredStrategy([device.name for device in found])


def _seat(strategy: Any) -> tuple[int, int]:
    """This worker's number and how many there are."""
    if not isinstance(strategy, import_tensorflow().distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    return read_cluster() or (0, 1)
