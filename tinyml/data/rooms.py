"""Rooms and noises that are made rather than recorded: impulse responses, reverberation, coloured noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Waves = NDArray[np.float32]

DECAY = 6.907755278982137
"""ln(1000): after the reverberation time the level has fallen by 60 dB, a thousandth of the amplitude."""

COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}
"""By how much the power falls with frequency, as its exponent."""


def room_response(
    reverberation_s: float, direct_to_reverberant_db: float, sample_rate_hz: int, rng: np.random.Generator
) -> Waves:
    """An impulse response, float32 ``[samples]`` that begins with the direct sound, of energy 1.

    Polack's model of a diffuse room: Gaussian noise under an exponential that falls by 60 dB in ``reverberation_s``
    (Polack 1988; Kuttruff, Room Acoustics, chapter 4). ``direct_to_reverberant_db`` is how much energy comes directly.
    """
    length = max(2, round(reverberation_s * sample_rate_hz))
    time = np.arange(1, length) / (reverberation_s * sample_rate_hz)
    tail = rng.normal(size=length - 1) * np.exp(-DECAY * time)
    energy = float(np.sum(tail**2))
    tail *= np.sqrt(10.0 ** (-direct_to_reverberant_db / 10) / energy) if energy > 0 else 0.0
    response = np.concatenate(([1.0], tail))
    return np.asarray(response / np.sqrt(np.sum(response**2)), np.float32)


def reverberate(wave: Waves, response: Waves) -> Waves:
    """``wave`` in the room of ``response``: their convolution, cut to the wave's length."""
    size = 1 << (len(wave) + len(response) - 2).bit_length()
    spectrum = np.fft.rfft(wave, size) * np.fft.rfft(response, size)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(wave)], np.float32)


def coloured_noise(samples: int, colour: str, rng: np.random.Generator) -> Waves:
    """Noise of root mean square 1 whose power falls as 1 / f to the colour's exponent (:data:`COLOURS`)."""
    spectrum = np.fft.rfft(rng.normal(size=samples))
    frequency = np.maximum(np.arange(len(spectrum)), 1).astype(np.float64)
    shaped = spectrum / frequency ** (COLOURS[colour] / 2)
    shaped[0] = 0.0
    wave = np.fft.irfft(shaped, samples)
    level = float(np.sqrt(np.mean(wave**2)))
    return np.asarray(wave / level if level > 0 else wave, np.float32)


def mix_at_snr(wave: Waves, noise: Waves, snr_db: float, present: Waves | None = None) -> Waves:
    """``wave`` plus ``noise`` so loud that the wave's power is ``snr_db`` above the noise's.

    The wave's power is that of ``present``, the part where something is said, where that is given. Where either is
    silent nothing is added.
    """
    power = float(np.mean(np.square(wave if present is None else present, dtype=np.float64)))
    disturbance = float(np.mean(np.square(noise, dtype=np.float64)))
    if power <= 0 or disturbance <= 0:
        return wave
    return np.asarray(wave + noise * np.sqrt(power / disturbance / 10.0 ** (snr_db / 10)), np.float32)
