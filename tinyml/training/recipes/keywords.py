"""Keyword spotting: clips of words, silence and unknown words through the integer front-end.

Silence is drawn anew every epoch out of the background noise. Unknown words are drawn as often as one and a half
keywords, a quarter of them made out of keywords (:func:`make_foreign`), because data sets hold few real ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml.data import Dataset
from tinyml.data.base import SPLITS, TEST, TRAIN, VALIDATION
from tinyml.data.speech_commands import SILENCE, UNKNOWN
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig, default_config, frontend
from tinyml.features.calibrate import calibrate
from tinyml.training.augment_audio import AudioAugmentation, augment_clips, make_foreign, make_silence
from tinyml.training.examples import CLASSIFY, Examples, TrainingData
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.base import DataOptions, Recipe, count_labels, notes

UNKNOWN_SHARE = 1.5
SILENCE_SHARE = 1.0
FOREIGN_SHARE = 0.25
AUGMENTATION = AudioAugmentation()


def prepare(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
    """Clips → int8 features of ``input_shape`` (frames, features, 1), augmented on the waveform every epoch.

    Raises:
        UsageError: the front-end cannot give features of that shape.
    """
    decoded = {split: dataset.decode(split) for split in SPLITS}
    train = decoded[TRAIN]
    config = choose_frontend(dataset, train.values, input_shape)
    made = frontend(config)
    silence = dataset.classes.index(SILENCE) if SILENCE in dataset.classes else -1
    unknown = dataset.classes.index(UNKNOWN) if UNKNOWN in dataset.classes else -1

    def features(clips: npt.NDArray[np.int16]) -> npt.NDArray[np.int8]:
        return made.process(clips).reshape(len(clips), *input_shape)

    def epoch(rng: np.random.Generator) -> Examples:
        words = np.flatnonzero((train.labels != silence) & (train.labels != unknown))
        mean = len(words) / max(1, len(dataset.classes) - (silence >= 0) - (unknown >= 0))
        parts, labels = [train.values[words]], [train.labels[words]]
        if unknown >= 0:
            count = round(mean * UNKNOWN_SHARE)
            real = np.flatnonzero(train.labels == unknown)
            foreign = round(count * FOREIGN_SHARE) if len(real) else count
            parts.append(make_foreign(train.values[words], foreign, rng))
            if len(real):
                parts.append(train.values[rng.choice(real, count - foreign, replace=len(real) < count)])
            labels.append(np.full(count, unknown))
        clips = augment_clips(np.concatenate(parts), dataset.noise, rng, AUGMENTATION, dataset.sample_rate_hz)
        if silence >= 0:
            count = round(mean * SILENCE_SHARE)
            clips = np.concatenate([clips, make_silence(dataset.noise, count, dataset.clip_samples, rng)])
            labels.append(np.full(count, silence))
        return Examples(features(clips), np.concatenate(labels).astype(np.int64))

    return TrainingData(
        task=RECIPE.name,
        objective=CLASSIFY,
        labels=dataset.classes,
        scale=config.input_scale,
        zero_point=config.input_zero_point,
        epoch=epoch,
        plain=Examples(features(train.values), train.labels),
        validation=Examples(features(decoded[VALIDATION].values), decoded[VALIDATION].labels),
        test=Examples(features(decoded[TEST].values), decoded[TEST].labels),
        frontend={"kind": "audio", "clip_samples": dataset.clip_samples, **config.to_json()},
        counts=count_labels(decoded, dataset.classes),
        notes=notes(dataset, decoded),
    )


def choose_frontend(dataset: Dataset, clips: npt.NDArray[np.int16], input_shape: tuple[int, ...]) -> FrontendConfig:
    """The default front-end, with as many features a frame as the model takes, calibrated where it is not the default.

    Raises:
        UsageError: the shape is not (frames, features, 1), or the clips give another number of frames.
    """
    config = default_config()
    if len(input_shape) not in (2, 3) or (len(input_shape) == 3 and input_shape[2] != 1):
        raise UsageError(
            f"the model takes inputs of {input_shape}, speech features are (frames, features, 1)",
            hint="ds_cnn is a model for keywords",
        )
    features = input_shape[1]
    if features > config.bands:
        raise UsageError(f"the model takes {features} features a frame, the front-end has {config.bands} bands")
    if features != config.features or dataset.sample_rate_hz != config.sample_rate_hz:
        coefficients = 0 if features == config.bands else features
        bare = replace(config, coefficients=coefficients, sample_rate_hz=dataset.sample_rate_hz, offsets=(), gains=())
        config = calibrate(bare, clips)
    if config.shape(dataset.clip_samples) != tuple(input_shape[:2]):
        raise UsageError(
            f"clips of {dataset.clip_samples} samples give features of {config.shape(dataset.clip_samples)},"
            f" the model takes {input_shape}",
            hint="build the model for that input_shape",
        )
    return config


RECIPE = Recipe(
    name="keywords",
    layouts=("speech_commands",),
    prepare=prepare,
    fit=FitOptions(epochs=40, batch_size=64, learning_rate=3e-3, weight_decay=2e-4, label_smoothing=0.1, patience=20),
)
