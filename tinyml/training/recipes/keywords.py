"""Keyword spotting: clips of words, silence and unknown words through the integer front-end.

Silence is drawn anew out of the background noise. Unknown words are drawn four times as often as a keyword, which is
put right after training: the data set's own, since those are what a test holds, further folders', words cut off at the
window's edge as a stream has them, and words made out of keywords (:func:`make_foreign`), because data sets hold few
real ones. A teacher of sound answers once for every clip that is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyml.data import Dataset
from tinyml.data.base import SPLITS, TEST, TRAIN, VALIDATION, decode_samples
from tinyml.data.other_words import other_samples
from tinyml.data.speech_commands import SILENCE, UNKNOWN
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig, default_config, frontend
from tinyml.features.calibrate import calibrate
from tinyml.training.augment_audio import AudioAugmentation, augment_clips, cut_off, make_foreign, make_silence
from tinyml.training.examples import CLASSIFY, Codes, Examples, TrainingData
from tinyml.training.fit import FitOptions
from tinyml.training.mixing import Masking, mask_features
from tinyml.training.recipes.base import DataOptions, Recipe, count_labels, notes
from tinyml.training.sound_teacher import sound_teacher

DRAWS = 12
"""Draws of clips that the epochs share: features and a teacher's answers take longer than training on them."""

SILENCE_SHARE = 1.0
OWN_SHARE, EXTRA_SHARE, FOREIGN_SHARE, CUT_SHARE = 1.0, 1.5, 1.0, 0.5
"""Clips of each kind in a draw, in the mean clips of a keyword; those that are lacking are made up for by foreign."""

CUT_OFF = (0.35, 0.7)
AUGMENTATION = AudioAugmentation(room_chance=0.2)
MASKING = Masking(time_masks=2, frames=6, feature_masks=0)

Clips = npt.NDArray[np.int16]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Material:
    """The training clips by what they are good for: keywords with their labels, own and extra unknown words, noise.

    A label of None stands for a class that the network has not.
    """

    words: Clips
    labels: Labels
    own: Clips
    extra: Clips
    noise: tuple[Clips, ...]
    silence_label: int | None
    unknown_label: int | None
    sample_rate_hz: int

    def draw(self, rng: np.random.Generator) -> tuple[Clips, Labels]:
        """Every keyword once, unknown words and silence in proportion, all but silence augmented."""
        mean = len(self.words) / max(1, len(np.unique(self.labels)))
        spoken, labels, silence = [self.words], [self.labels], np.empty((0, self.words.shape[1]), np.int16)
        if self.unknown_label is not None:
            unknown = self._unknown(mean, rng)
            spoken.append(unknown)
            labels.append(np.full(len(unknown), self.unknown_label))
        clips = augment_clips(np.concatenate(spoken), self.noise, rng, AUGMENTATION, self.sample_rate_hz)
        if self.silence_label is not None:
            silence = make_silence(self.noise, round(mean * SILENCE_SHARE), self.words.shape[1], rng)
            labels.append(np.full(len(silence), self.silence_label))
        return np.concatenate([clips, silence]), np.concatenate(labels)

    def _unknown(self, mean: float, rng: np.random.Generator) -> Clips:
        own = round(mean * OWN_SHARE) if len(self.own) else 0
        extra = round(mean * EXTRA_SHARE) if len(self.extra) else 0
        cut = round(mean * CUT_SHARE)
        foreign = round(mean * (OWN_SHARE + EXTRA_SHARE + FOREIGN_SHARE)) - own - extra
        parts = [pool[rng.integers(len(pool), size=n)] for pool, n in ((self.own, own), (self.extra, extra)) if n]
        pieces = cut_off(self.words[rng.integers(len(self.words), size=cut)], rng, *CUT_OFF)
        return np.concatenate([*parts, make_foreign(self.words, foreign, rng), pieces])


@dataclass(eq=False)
class Draws:
    """The draws of a training, each made when it is first wanted, always the same by its number."""

    make: Callable[[np.random.Generator], Examples]
    seed: int
    count: int = DRAWS

    def __post_init__(self) -> None:
        self._made: dict[int, Examples] = {}

    def epoch(self, rng: np.random.Generator) -> Examples:
        """One of the draws by ``rng``, with stretches of time masked anew."""
        number = int(rng.integers(self.count))
        if number not in self._made:
            self._made[number] = self.make(np.random.default_rng([self.seed, number]))
        drawn = self._made[number]
        return replace(drawn, codes=mask_features(drawn.codes, rng, MASKING))


def prepare(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
    """Clips → int8 features of ``input_shape`` (frames, features, 1), augmented on the waveform.

    Raises:
        UsageError: the front-end cannot give features of that shape, or the teacher does not go with the data.
    """
    decoded = {split: dataset.decode(split) for split in SPLITS}
    counts = count_labels(decoded, dataset)
    train = decoded[TRAIN]
    config = choose_frontend(dataset, train.values, input_shape)
    made = frontend(config)
    silence, unknown = (dataset.classes.index(name) if name in dataset.classes else None for name in (SILENCE, UNKNOWN))
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
    distill = options.distill
    teacher = None
    if distill is not None and distill.frontend is not None:
        teacher = sound_teacher(distill, dataset.classes, dataset.sample_rate_hz, dataset.clip_samples)

    shares = {SILENCE: SILENCE_SHARE, UNKNOWN: OWN_SHARE + EXTRA_SHARE + FOREIGN_SHARE + CUT_SHARE}

    def features(clips: Clips) -> Codes:
        return made.process(clips).reshape(len(clips), *input_shape)

    def make(rng: np.random.Generator) -> Examples:
        clips, labels = material.draw(rng)
        return Examples(features(clips), labels, answers=None if teacher is None else teacher.answers(clips))

    return TrainingData(
        task=RECIPE.name,
        objective=CLASSIFY,
        labels=dataset.classes,
        scale=config.input_scale,
        zero_point=config.input_zero_point,
        epoch=Draws(make, options.seed).epoch,
        plain=Examples(features(train.values), train.labels),
        validation=Examples(features(decoded[VALIDATION].values), decoded[VALIDATION].labels),
        test=Examples(features(decoded[TEST].values), decoded[TEST].labels),
        frontend={"kind": "audio", "clip_samples": dataset.clip_samples, **config.to_json()},
        counts=counts,
        notes=notes(dataset, decoded),
        drawn=tuple(shares.get(name, 1.0) for name in dataset.classes),
    )


def read_extra(folders: Sequence[Path], dataset: Dataset) -> Clips:
    """The clips of further folders that hold other words, as long as the data set's clips. Damaged ones are left out.

    Raises:
        UsageError: a folder is missing or holds no clips.
    """
    samples = other_samples(folders, dataset)
    if not samples:
        return np.empty((0, dataset.clip_samples), np.int16)
    return decode_samples(samples, "further unknown").values


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
    fit=FitOptions(
        epochs=60,
        batch_size=64,
        learning_rate=3e-3,
        weight_decay=2e-4,
        label_smoothing=0.1,
        patience=30,
        ema=0.998,
    ),
)
