"""The data of both tasks, and the one short training that every row gets, down to int8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import cos, pi
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.zoo_rows import KEYWORDS, PICTURES, Settings, contest_of, options_of
from tests.support.shared import shared_dir
from tinyml.data import Dataset, open_dataset
from tinyml.data.base import TEST, TRAIN, Decoded
from tinyml.data.speech_commands import words_alone
from tinyml.features import ImageConfig, frontend
from tinyml.models import bnn
from tinyml.models.catalog import Entry
from tinyml.tflite.quiet import import_keras, import_tensorflow
from tinyml.training.examples import CLASSIFY, Examples, TrainingData
from tinyml.training.quantize import Quantised, quantise
from tinyml.training.recipes.keywords import choose_frontend

FOLDERS = {PICTURES: "cifar10", KEYWORDS: "speech_commands"}
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def data_is_there(contest: str) -> bool:
    """Whether the task's data set lies beside the checkout."""
    return (shared_dir() / "data" / FOLDERS[contest]).is_dir()


def load_data(entry: Entry, settings: Settings) -> TrainingData:
    """The task's examples in the shape that ``entry`` takes, the same ones in the same order for every row."""
    contest, shape = contest_of(entry), options_of(entry)["input_shape"]
    return _pictures(shape, settings) if contest == PICTURES else _keywords(shape, settings)


@cache
def _decoded(contest: str, settings: Settings) -> tuple[Dataset, Decoded, Decoded]:
    """The data set, and the drawn samples of its training and test splits."""
    dataset = open_dataset(shared_dir() / "data" / FOLDERS[contest])
    if contest == KEYWORDS:
        dataset = words_alone(dataset)
    drawn = {}
    for split, count in ((TRAIN, settings.examples), (TEST, settings.test_examples)):
        samples = dataset.samples(split)
        order = np.random.default_rng(settings.seed).permutation(len(samples))[:count]
        drawn[split] = tuple(samples[index] for index in order)
    chosen = Dataset(dataset.layout, dataset.kind, dataset.classes, drawn, sample_rate_hz=dataset.sample_rate_hz,
                     clip_samples=dataset.clip_samples)  # fmt: skip
    return chosen, chosen.decode(TRAIN), chosen.decode(TEST)


@cache
def _pictures(shape: tuple[int, ...], settings: Settings) -> TrainingData:
    dataset, train, test = _decoded(PICTURES, settings)
    config = ImageConfig(size=shape[0], channels=shape[2])

    def codes(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
        return np.stack([config.process(picture) for picture in pictures])

    return training_data(
        dataset.classes,
        Examples(codes(train.values), train.labels),
        Examples(codes(test.values), test.labels),
        config.input_scale,
        config.input_zero_point,
    )


@cache
def _keywords(shape: tuple[int, ...], settings: Settings) -> TrainingData:
    dataset, train, test = _decoded(KEYWORDS, settings)
    config = choose_frontend(dataset, train.values, shape)
    made = frontend(config)

    def examples(decoded: Decoded) -> Examples:
        return Examples(made.process(decoded.values).reshape(len(decoded.labels), *shape), decoded.labels)

    return training_data(
        dataset.classes, examples(train), examples(test), config.input_scale, config.input_zero_point
    )  # fmt: skip


def training_data(
    labels: tuple[str, ...], train: Examples, test: Examples, scale: float, zero_point: int
) -> TrainingData:
    """Data without augmentation; nothing is validated, as nothing is chosen."""
    return TrainingData(
        task="zoo",
        objective=CLASSIFY,
        labels=labels,
        scale=scale,
        zero_point=zero_point,
        epoch=lambda rng: train,
        plain=train,
        validation=Examples(train.codes[:0], train.labels[:0]),
        test=test,
    )


@dataclass(frozen=True, eq=False)
class Trained:
    """A row's network with its weights, and what conversion made of it."""

    model: Any
    quantised: Quantised


def train(entry: Entry, data: TrainingData, settings: Settings) -> Trained:
    """Train the row's network by the recipe and convert it, calibrated on training examples.

    Raises:
        UnsupportedError: the training diverged.
    """
    keras = import_keras()
    keras.utils.set_random_seed(settings.seed)
    options = options_of(entry)
    binary = entry.family == "bnn"
    model = entry.builder(**options | ({"learning": True} if binary else {}), name=entry.name)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = settings.norm_momentum
    _fit(model, data, settings)
    if binary:
        model = bnn.bake(model, **options, name=entry.name)
    return Trained(model, quantise(model, data))


def learning_rate(settings: Settings, step: int) -> float:
    """Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / (settings.warmup_steps + 1)
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + cos(pi * done))


def batches(count: int, settings: Settings) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of each step's batch: whole passes over ``count`` examples, shuffled anew, one after the other."""
    rng = np.random.default_rng(settings.seed)
    wanted = settings.steps * settings.batch_size
    passes = [rng.permutation(count) for _ in range(-(-wanted // count))]
    return iter(np.concatenate(passes)[:wanted].reshape(settings.steps, settings.batch_size))


def _fit(model: Any, data: TrainingData, settings: Settings) -> None:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) by TensorFlow's own kernel, one op a weight.

    Keras' optimisers are ten ops a weight: for a few hundred steps, tracing those takes longer than the training.
    """
    tf, keras = import_tensorflow(), import_keras()
    weights = [weight.value for weight in model.trainable_variables]
    moments = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]

    def step(codes: Any, labels: Any, rate: Any, power_1: Any, power_2: Any) -> Any:
        inputs = (tf.cast(codes, tf.float32) - float(data.zero_point)) * data.scale
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, outputs))
        gradients = tape.gradient(loss, weights)
        for weight, (first, second), gradient in zip(weights, moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle, m=first.handle, v=second.handle, beta1_power=power_1, beta2_power=power_2,
                lr=rate, beta1=BETA_1, beta2=BETA_2, epsilon=EPSILON, grad=gradient,
            )  # fmt: skip
        return loss

    train_examples = data.plain
    shape = (settings.batch_size, *train_examples.codes.shape[1:])
    scalar = tf.TensorSpec((), tf.float32)
    traced = tf.function(step).get_concrete_function(
        tf.TensorSpec(shape, tf.int8), tf.TensorSpec(shape[:1], tf.int64), scalar, scalar, scalar
    )
    for number, rows in enumerate(batches(len(train_examples), settings)):
        rates = (learning_rate(settings, number), BETA_1 ** (number + 1), BETA_2 ** (number + 1))
        scalars = [tf.constant(value, tf.float32) for value in rates]
        traced(tf.constant(train_examples.codes[rows]), tf.constant(train_examples.labels[rows]), *scalars)
