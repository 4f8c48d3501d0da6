"""The input pipeline: the next epoch is made in one thread and batches in another, while the training step runs.

An epoch's examples follow from the seed and its number alone, and each batch from its place in the epoch, so what the
threads do at the same time makes no difference to the result. Batches reach the step as a ``tf.data.Dataset``.
TensorFlow's own prefetching of Python functions is not used: with repeatable kernels asked for, it does nothing ahead
(``tf.config.experimental.enable_op_determinism``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.distill import Distiller
from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_tensorflow
from tinyml.training.distribute import Place
from tinyml.training.examples import CLASSIFY, Codes, Examples, Reals, TrainingData

SMALLEST_BATCH = 8
STEPS_AN_EPOCH = 16
BATCHES_AHEAD = 4


@dataclass(frozen=True, eq=False)
class Epoch:
    """An epoch's examples, the codes that the teacher sees of them, and the order in which they are trained on."""

    examples: Examples
    seen: Codes
    order: npt.NDArray[np.int64]


class Batches:
    """The batches of every epoch; a context that ends its threads.

    ``seed`` is the run's, ``batch_size`` the largest, ``epochs`` the number after which nothing is made ahead,
    ``target_shape`` the shape of one target that is no class.
    """

    def __init__(
        self,
        data: TrainingData,
        place: Place,
        *,
        seed: int,
        batch_size: int,
        epochs: int,
        target_shape: tuple[int, ...],
        distiller: Distiller | None = None,
    ) -> None:
        self._data, self._place, self._distiller = data, place, distiller
        self._seed, self._batch_size, self._epochs, self._target_shape = seed, batch_size, epochs, target_shape
        self._epoch_maker = ThreadPoolExecutor(1, "tinyml-epoch")
        self._batch_maker = ThreadPoolExecutor(1, "tinyml-batch")
        self._ahead: dict[int, Future[Epoch]] = {}

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *exception: object) -> None:
        for maker in (self._batch_maker, self._epoch_maker):
            maker.shutdown(wait=True, cancel_futures=True)

    def epoch(self, number: int) -> tuple[int, Iterator[Any]]:
        """How many batches an epoch (from 0) has, and an iterator over them, split over the strategy's replicas.

        Raises:
            UsageError: there are fewer examples than replicas.
        """
        tf = import_tensorflow()
        made = self._request(number).result()
        del self._ahead[number]
        if number + 1 < self._epochs:
            self._request(number + 1)
        place, own = self._place, self._data.own_part
        least = place.least(len(made.order)) * (place.workers if own else 1)
        size = batch_size(self._batch_size, least, place.replicas)
        first, local = place.index * place.local_replicas, place.local_replicas
        step, width = (size // place.workers, local) if own else (size, place.replicas)
        offsets = range(local) if own else range(first, first + local)
        count = max(1, least // size)  # a short last batch would disturb the batch norms
        rows = [made.order[at * step : (at + 1) * step][offset::width] for at in range(count) for offset in offsets]
        shapes = (
            (size // place.replicas, *made.examples.codes.shape[1:]),
            (size // place.replicas, *self._target_shape),
        )
        signature = tuple(tf.TensorSpec(shape, tf.float32) for shape in shapes)

        once = [made]

        def dataset(context: Any) -> Any:
            return tf.data.Dataset.from_generator(lambda: self._stream(once, rows), output_signature=signature)

        return count, iter(place.strategy.distribute_datasets_from_function(dataset))

    def _request(self, number: int) -> Future[Epoch]:
        if number not in self._ahead:
            self._ahead[number] = self._epoch_maker.submit(self._make, number)
        return self._ahead[number]

    def _make(self, number: int) -> Epoch:
        seed = [self._seed, number, self._place.index] if self._data.own_part else [self._seed, number]
        rng = np.random.default_rng(seed)
        examples = self._data.epoch(rng)
        return Epoch(examples, self._teachers_view(examples, seed), rng.permutation(len(examples)))

    def _teachers_view(self, examples: Examples, seed: list[int]) -> Codes:
        """The epoch's examples in the size that the teacher takes; ``seed`` is that of the examples."""
        if self._distiller is None or self._data.resized is None:
            return examples.codes
        shape = self._distiller.teacher.input_shape
        if int(np.prod(shape)) == int(np.prod(self._data.input_shape)):
            return examples.codes
        return self._data.resized(np.random.default_rng(seed), shape)

    def _stream(self, once: list[Epoch], rows: list[npt.NDArray[np.int64]]) -> Iterator[tuple[Reals, Reals]]:
        """The batches of some rows in order, a few made ahead, of the epoch in ``once``, which is taken out of it.

        TensorFlow keeps the function that makes a data set for as long as the process lives. The examples of every
        epoch would stay with it.
        """
        made = once.pop()
        waiting: deque[Future[tuple[Reals, Reals]]] = deque()
        for chosen in rows:
            waiting.append(self._batch_maker.submit(self._batch, made, chosen))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.popleft().result()
        del made
        while waiting:
            yield waiting.popleft().result()

    def _batch(self, made: Epoch, chosen: npt.NDArray[np.int64]) -> tuple[Reals, Reals]:
        examples, data = made.examples, self._data
        inputs = data.real(examples.codes[chosen])
        if data.objective != CLASSIFY:
            return inputs, inputs.reshape(len(inputs), *self._target_shape)
        targets = examples.targets(chosen, len(data.labels))
        if self._distiller is not None:
            answers = None if examples.answers is None else examples.answers[chosen]
            view = inputs if made.seen is examples.codes else data.real(made.seen[chosen])
            targets = self._distiller.targets(view, targets, answers)
        return inputs, targets


def batch_size(largest: int, examples: int, replicas: int) -> int:
    """The option's, or less on a small data set: batch norms need some steps an epoch for their moving averages.

    A multiple of the ``replicas``, over which a batch is split.

    Raises:
        UsageError: there are fewer examples than replicas.
    """
    size = min(largest, max(SMALLEST_BATCH, examples // STEPS_AN_EPOCH), examples)
    if examples < replicas:
        raise UsageError(f"{examples} training examples cannot be split over {replicas} replicas")
    return max(size // replicas, 1) * replicas
