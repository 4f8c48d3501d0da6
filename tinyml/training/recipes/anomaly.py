"""Anomaly detection: an autoencoder learns normal machine sounds; what it cannot reconstruct is anomalous.

The input is a window of log-mel frames, one after the other; a clip's score is the mean error over its windows
(Koizumi et al. 2020, arXiv:2006.05822, section 4).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml.data import Dataset
from tinyml.data.base import SPLITS, TEST, TRAIN, VALIDATION, Decoded
from tinyml.errors import UsageError
from tinyml.features import Frontend, FrontendConfig, default_config, frontend
from tinyml.features.calibrate import calibrate
from tinyml.training.examples import RECONSTRUCT, Examples, TrainingData
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.base import DataOptions, Recipe, count_labels, notes

TEST_STRIDE = 4
EPOCH_WINDOWS = 20_000
CALIBRATION_CLIPS = 50


def prepare(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
    """Clips → windows of int8 log-mel frames; every epoch draws windows anew.

    Raises:
        UsageError: the model's input is no whole number of frames.
    """
    decoded = {split: dataset.decode(split) for split in SPLITS}
    counts = count_labels(decoded, dataset)
    config = choose_frontend(dataset, decoded[TRAIN].values, input_shape)
    frames = input_shape[0] // config.features
    made = frontend(config)
    train = made.process(decoded[TRAIN].values)
    stride = TEST_STRIDE

    def epoch(rng: np.random.Generator) -> Examples:
        clips = rng.integers(len(train), size=EPOCH_WINDOWS)
        starts = rng.integers(train.shape[1] - frames + 1, size=EPOCH_WINDOWS)
        rows = np.add.outer(starts, np.arange(frames))
        windows = train[clips[:, np.newaxis], rows].reshape(EPOCH_WINDOWS, -1)
        return Examples(windows, np.zeros(EPOCH_WINDOWS, np.int64))

    return TrainingData(
        task=RECIPE.name,
        objective=RECONSTRUCT,
        labels=dataset.classes,
        scale=config.input_scale,
        zero_point=config.input_zero_point,
        epoch=epoch,
        plain=windows_of(decoded[TRAIN], made, frames, 2 * frames),
        validation=windows_of(decoded[VALIDATION], made, frames, stride),
        test=windows_of(decoded[TEST], made, frames, stride),
        frontend={"kind": "audio", "clip_samples": dataset.clip_samples, **config.to_json()},
        counts=counts,
        notes=notes(dataset, decoded),
    )


def choose_frontend(dataset: Dataset, clips: npt.NDArray[np.int16], input_shape: tuple[int, ...]) -> FrontendConfig:
    """Log-mel bands over the whole spectrum, calibrated on training clips.

    Raises:
        UsageError: the input is no vector of whole frames, or longer than a clip.
    """
    bare = replace(
        default_config(),
        sample_rate_hz=dataset.sample_rate_hz,
        high_hz=dataset.sample_rate_hz // 2,
        coefficients=0,
        offsets=(),
        gains=(),
    )
    if (
        len(input_shape) != 1
        or input_shape[0] % bare.bands
        or input_shape[0] // bare.bands > bare.frames(clips.shape[1])
    ):
        raise UsageError(
            f"the model takes inputs of {input_shape}, sounds give vectors of whole frames of {bare.bands} bands",
            hint="autoencoder is a model for anomaly detection",
        )
    return calibrate(bare, clips[:CALIBRATION_CLIPS])


def windows_of(decoded: Decoded, made: Frontend, frames: int, stride: int) -> Examples:
    """Every ``stride``-th window of each clip, grouped by clip."""
    features = made.process(decoded.values)
    starts = np.arange(0, features.shape[1] - frames + 1, stride)
    windows = features[:, np.add.outer(starts, np.arange(frames))]
    groups = np.repeat(np.arange(len(features)), len(starts))
    return Examples(windows.reshape(len(groups), -1), decoded.labels[groups], groups)


RECIPE = Recipe(
    name="anomaly",
    layouts=("machine_sounds",),
    prepare=prepare,
    fit=FitOptions(epochs=60, batch_size=256, learning_rate=1e-3, weight_decay=0.0, patience=15),
)
