"""Chooses the offsets and gains of the int8 features from training clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyml.features.config import GAIN_SHIFT, MAX_GAIN, FrontendConfig
from tinyml.features.frontend import frontend

STEPS_PER_DEVIATION = 32


def calibrate(config: FrontendConfig, clips: NDArray[np.int16]) -> FrontendConfig:
    """The definition with offsets at the mean of each feature and 32 int8 steps to its standard deviation.

    ``clips`` is int16 ``[clips, samples]`` of training data. With an input scale of 1/32 the model sees features of
    mean 0 and standard deviation 1, clamped at four deviations.
    """
    values = frontend(config).process_unscaled(clips).reshape(-1, config.features).astype(np.float64)
    deviations = np.maximum(values.std(axis=0), 1.0)
    gains = np.clip(np.floor(STEPS_PER_DEVIATION * 2.0**GAIN_SHIFT / deviations + 0.5), 1, MAX_GAIN)
    offsets = np.floor(values.mean(axis=0) + 0.5)
    return config.with_affine(tuple(int(value) for value in offsets), tuple(int(value) for value in gains))
