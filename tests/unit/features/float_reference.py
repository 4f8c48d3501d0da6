"""The front-end's definition in float64, by NumPy's transform: what the integers have to come close to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyml.features import FrontendConfig


def _mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 2595.0 * np.log10(1.0 + np.asarray(hz, dtype=np.float64) / 700.0)


def float_features(clips: NDArray[np.int16], config: FrontendConfig) -> NDArray[np.float64]:
    """Features before the int8 affine, in log2 units, ``[clips, frames, features]``."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.window_samples) / config.window_samples)
    frames = np.lib.stride_tricks.sliding_window_view(clips, config.window_samples, axis=1)[:, :: config.hop_samples]
    spectrum = np.fft.rfft(frames.astype(np.float64) * window, config.fft_size) * (32768.0 / (config.fft_size / 2))
    powers = np.abs(spectrum) ** 2 + config.floor_power
    corners = np.linspace(_mel(config.low_hz), _mel(config.high_hz), config.bands + 2)
    bins = _mel(np.arange(config.fft_size // 2 + 1) * config.sample_rate_hz / config.fft_size)
    rising = (bins - corners[:-2, np.newaxis]) / np.diff(corners)[:-1, np.newaxis]
    falling = (corners[2:, np.newaxis] - bins) / np.diff(corners)[1:, np.newaxis]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    logs = np.log2(powers @ weights.T) - (config.floor_power.bit_length() - 1)
    if not config.coefficients:
        return logs
    k, j = np.arange(config.coefficients)[:, np.newaxis], np.arange(config.bands)
    rows = np.sqrt(2.0 / config.bands) * np.cos(np.pi * k * (j + 0.5) / config.bands)
    rows[0] /= np.sqrt(2.0)
    return logs @ rows.T
