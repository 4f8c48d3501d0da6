"""The kinds of audio front-end behind one face: the integer one, and MLPerf Tiny's MFCC in floating point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError
from tinyml.features.c_mfcc import mfcc_source
from tinyml.features.c_source import FrontendSource, frontend_source
from tinyml.features.config import FrontendConfig
from tinyml.features.frontend import frontend
from tinyml.features.mfcc import KIND as MFCC
from tinyml.features.mfcc import MfccConfig, mfcc_process
from tinyml.features.tables import tables

AudioConfig = FrontendConfig | MfccConfig
INTEGER = "audio"
IMAGE = "image"
"""The kind of preprocessing that models of pictures have in their manifest."""


def audio_config(definition: Mapping[str, Any]) -> AudioConfig:
    """The front-end of a manifest, by its ``kind``. UsageError for a model of pictures, and for an unknown kind."""
    kind = definition.get("kind", INTEGER)
    if kind == MFCC:
        return MfccConfig.from_json(definition)
    if kind == IMAGE:
        raise UsageError("the model takes pictures, not sound", hint="show it pictures: --app vww, --image FILE")
    if kind != INTEGER:
        raise UsageError(f"front-end definition: unknown kind {kind!r}", hint=f"one of {INTEGER}, {MFCC}")
    return FrontendConfig.from_json(definition)


def audio_features(sound: NDArray[np.int16], config: AudioConfig) -> NDArray[np.int8]:
    """The int8 features ``[frames, features]`` of ``sound``, none where it is shorter than a frame."""
    if len(sound) < config.window_samples:
        return np.empty((0, config.features), np.int8)
    return mfcc_process(sound, config) if isinstance(config, MfccConfig) else frontend(config).process(sound)


def audio_source(config: AudioConfig) -> FrontendSource:
    """The front-end's C."""
    return mfcc_source(config) if isinstance(config, MfccConfig) else frontend_source(config)


def feature_tolerance(config: AudioConfig) -> int:
    """By how many steps a feature of the C may differ: 0 in integers, 1 in single precision."""
    return 1 if isinstance(config, MfccConfig) else 0


def spectral_bins(config: AudioConfig) -> int:
    """Bins of the spectrum that the front-end computes."""
    if isinstance(config, MfccConfig):
        return config.fft_size // 2
    made = tables(config)
    return made.end_bin - made.first_bin
