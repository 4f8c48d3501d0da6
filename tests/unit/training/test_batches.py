"""The input pipeline: deterministic whatever the threads do, ahead of the step, split over workers without a gap."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pytest

from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_tensorflow
from tinyml.training.batches import Batches, batch_size
from tinyml.training.distribute import Place, current_place
from tinyml.training.examples import Examples, TrainingData

pytestmark = pytest.mark.train


@dataclass(frozen=True, eq=False)
class Seat(Place):
    """One of several workers, in this process."""

    def least(self, number: int) -> int:
        """All have as many."""
        return number


def batches_of(data: TrainingData, place: Place, epochs: int = 2, size: int = 16) -> list[list[tuple[np.ndarray, ...]]]:
    found = []
    with Batches(data, place, seed=3, batch_size=size, epochs=epochs, target_shape=(3,)) as batches:
        for number in range(epochs):
            count, stream = batches.epoch(number)
            found.append(
                [tuple(np.asarray(part) for part in next(stream)) for _ in range(count * place.local_replicas)]
            )
    return found


def test_the_same_batches_every_time_and_others_every_epoch(data: TrainingData) -> None:
    import_tensorflow()
    one, two = batches_of(data, current_place()), batches_of(data, current_place())
    assert [len(epoch) for epoch in one] == [96 // 8, 96 // 8]
    for left, right in zip(chain(*one), chain(*two), strict=True):
        np.testing.assert_array_equal(left[0], right[0])
        np.testing.assert_array_equal(left[1], right[1])
    assert not np.array_equal(one[0][0][0], one[1][0][0])
    assert one[0][0][0].shape == (8, 8, 8, 1) and one[0][0][1].shape == (8, 3)


def test_the_next_epoch_is_made_while_this_one_trains(data: TrainingData) -> None:
    made, main = [], threading.get_ident()

    def epoch(rng: np.random.Generator) -> Examples:
        made.append(threading.get_ident())
        return data.epoch(rng)

    import_tensorflow()
    with Batches(
        replace(data, epoch=epoch), current_place(), seed=3, batch_size=16, epochs=2, target_shape=(3,)
    ) as batches:
        batches.epoch(0)
        batches._ahead[1].result()
        assert len(made) == 2 and main not in made
        batches.epoch(1)
        assert not batches._ahead


def test_an_epoch_that_was_trained_on_is_forgotten(data: TrainingData) -> None:
    """TensorFlow keeps what a data set was made from, so that days of training would fill the memory."""
    made: list[weakref.ref[np.ndarray]] = []

    def epoch(rng: np.random.Generator) -> Examples:
        examples = data.epoch(rng)
        copied = replace(examples, codes=examples.codes.copy())
        made.append(weakref.ref(copied.codes))
        return copied

    import_tensorflow()
    batches_of(replace(data, epoch=epoch), current_place(), epochs=3)
    gc.collect()
    assert [reference() is None for reference in made] == [True] * 3


def test_what_goes_wrong_in_a_thread_is_raised(data: TrainingData) -> None:
    def epoch(rng: np.random.Generator) -> Examples:
        raise UsageError("no clips left")

    import_tensorflow()
    options = {"seed": 3, "batch_size": 16, "epochs": 2, "target_shape": (3,)}
    broken = replace(data, epoch=epoch)
    with Batches(broken, current_place(), **options) as batches, pytest.raises(UsageError, match="no clips left"):
        batches.epoch(0)


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_have_the_parts_of_what_one_would_train_on(workers: int, data: TrainingData) -> None:
    strategy = import_tensorflow().distribute.get_strategy()
    whole = batches_of(data, Place(strategy))
    parts = [batches_of(data, Seat(strategy, workers, workers, index)) for index in range(workers)]
    for number, epoch in enumerate(whole):
        for step, (inputs, targets) in enumerate(epoch):
            for index in range(workers):
                part = parts[index][number][step]
                np.testing.assert_array_equal(part[0], inputs[index::workers])
                np.testing.assert_array_equal(part[1], targets[index::workers])


def test_workers_with_shards_of_their_own_draw_apart(data: TrainingData) -> None:
    strategy = import_tensorflow().distribute.get_strategy()
    own = replace(data, own_part=True)
    parts = [batches_of(own, Seat(strategy, 2, 2, index), epochs=1)[0] for index in range(2)]
    assert [len(part) for part in parts] == [2 * 96 // 12, 2 * 96 // 12]
    assert parts[0][0][0].shape == (6, 8, 8, 1)
    assert not np.array_equal(parts[0][0][0], parts[1][0][0])


def test_batches_are_whole_multiples_of_the_replicas() -> None:
    assert [batch_size(64, 10_000, replicas) for replicas in (1, 3, 8)] == [64, 63, 64]
    assert (batch_size(64, 100, 1), batch_size(64, 5, 1), batch_size(4, 100, 8)) == (8, 5, 8)
    with pytest.raises(UsageError, match="3 training examples cannot be split over 4 replicas"):
        batch_size(64, 3, 4)
