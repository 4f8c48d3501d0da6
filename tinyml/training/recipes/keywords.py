"""Keyword spotting: clips of words, silence and unknown words through the integer front-end.

Silence is drawn anew every epoch out of the background noise. Unknown words are drawn as often as one and a half
keywords: half of them the data set's own, since those are what a test holds, a quarter out of further folders, and
a quarter made out of keywords (:func:`make_foreign`), because data sets hold few real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyml.data import Dataset
from tinyml.data.audio import fit_length
from tinyml.data.base import SPLITS, TEST, TRAIN, VALIDATION, Sample, decode_samples
from tinyml.data.speech_commands import SILENCE, UNKNOWN
from tinyml.data.stores import ClipStore, open_clips
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig, default_config, frontend
from tinyml.features.calibrate import calibrate
from tinyml.training.augment_audio import AudioAugmentation, augment_clips, make_foreign, make_silence
from tinyml.training.examples import CLASSIFY, Examples, TrainingData
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.base import DataOptions, Recipe, count_labels, notes

UNKNOWN_SHARE = 1.5
SILENCE_SHARE = 1.0
OWN_PART, EXTRA_PART, FOREIGN_PART = 0.5, 0.25, 0.25
AUGMENTATION = AudioAugmentation()

Clips = npt.NDArray[np.int16]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Material:
    """The training clips by what they are good for: keywords with their labels, own and extra unknown words, noise."""

    words: Clips
    labels: Labels
    own: Clips
    extra: Clips
    noise: tuple[Clips, ...]
    silence_label: int
    unknown_label: int
    sample_rate_hz: int

    def draw(self, rng: np.random.Generator) -> tuple[Clips, Labels]:
        """One epoch's clips: every keyword once, unknown words and silence in proportion, all but silence augmented."""
        mean = len(self.words) / max(1, len(np.unique(self.labels)))
        unknown = self._unknown(round(mean * UNKNOWN_SHARE), rng)
        clips = augment_clips(np.concatenate([self.words, unknown]), self.noise, rng, AUGMENTATION, self.sample_rate_hz)
        silence = make_silence(self.noise, round(mean * SILENCE_SHARE), self.words.shape[1], rng)
        others = np.repeat([self.unknown_label, self.silence_label], [len(unknown), len(silence)])
        return np.concatenate([clips, silence]), np.concatenate([self.labels, others])

    def _unknown(self, count: int, rng: np.random.Generator) -> Clips:
        own = round(count * OWN_PART) if len(self.own) else 0
        extra = round(count * EXTRA_PART) if len(self.extra) else 0
        parts = [pool[rng.integers(len(pool), size=n)] for pool, n in ((self.own, own), (self.extra, extra)) if n]
        return np.concatenate([*parts, make_foreign(self.words, count - own - extra, rng)])


def prepare(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
    """Clips → int8 features of ``input_shape`` (frames, features, 1), augmented on the waveform every epoch.

    Raises:
        UsageError: the front-end cannot give features of that shape.
    """
    decoded = {split: dataset.decode(split) for split in SPLITS}
    train = decoded[TRAIN]
    config = choose_frontend(dataset, train.values, input_shape)
    made = frontend(config)
    silence, unknown = dataset.classes.index(SILENCE), dataset.classes.index(UNKNOWN)
    words = (train.labels != silence) & (train.labels != unknown)
    material = Material(
        words=train.values[words],
        labels=train.labels[words],
        own=train.values[train.labels == unknown],
        extra=read_extra(options.unknown, dataset),
        noise=dataset.noise,
        silence_label=silence,
        unknown_label=unknown,
        sample_rate_hz=dataset.sample_rate_hz,
    )

    def features(clips: Clips) -> npt.NDArray[np.int8]:
        return made.process(clips).reshape(len(clips), *input_shape)

    def epoch(rng: np.random.Generator) -> Examples:
        clips, labels = material.draw(rng)
        return Examples(features(clips), labels)

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


def read_extra(folders: Sequence[Path], dataset: Dataset) -> Clips:
    """The clips of further folders that are in no folder named like a keyword, as long as the data set's clips.

    Damaged clips are left out.

    Raises:
        UsageError: a folder is missing or holds no clips.
    """
    rate_hz, length = dataset.sample_rate_hz, dataset.clip_samples

    def decoder(store: ClipStore, name: str) -> Callable[[], Clips]:
        return lambda: fit_length(store.clip(name, rate_hz), length)

    parts = [np.empty((0, length), np.int16)]
    for folder in folders:
        store = open_clips(folder)
        names = [name for name in store.names if Path(name).parent.name not in dataset.classes]
        samples = tuple(Sample(name, 0, decoder(store, name)) for name in names)
        parts.append(decode_samples(samples, f"{folder} unknown").values)
    return np.concatenate(parts)


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
    layouts=("speech_commands", "edge_impulse_audio"),
    prepare=prepare,
    fit=FitOptions(epochs=40, batch_size=64, learning_rate=3e-3, weight_decay=2e-4, label_smoothing=0.1, patience=20),
)
