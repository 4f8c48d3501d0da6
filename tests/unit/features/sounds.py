"""Sounds that tests make: speech-like, and the extremes of 16 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000


def speech_like(seed: int, samples: int = RATE_HZ) -> NDArray[np.int16]:
    """Harmonics of a gliding pitch under a syllable's envelope, on soft noise."""
    random = np.random.default_rng(seed)
    time = np.arange(samples) / RATE_HZ
    pitch = random.uniform(90, 220) * (1 + 0.2 * np.sin(2 * np.pi * 2 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    voice = sum(random.uniform(0.2, 1.0) / k * np.sin(k * phase) for k in range(1, 25))
    envelope = np.exp(-(((time - random.uniform(0.3, 0.6)) / 0.15) ** 2))
    sound = random.uniform(500, 12_000) * voice * envelope + random.normal(0, random.uniform(1, 60), samples)
    return np.clip(np.floor(sound + 0.5), -32768, 32767).astype(np.int16)


def extremes(samples: int = RATE_HZ) -> dict[str, NDArray[np.int16]]:
    """Signals that drive every stage to its largest values."""
    time = np.arange(samples)
    square = np.where(time // 8 % 2 == 0, 32767, -32768)
    return {
        "silence": np.zeros(samples, np.int16),
        "lowest": np.full(samples, -32768, np.int16),
        "highest": np.full(samples, 32767, np.int16),
        "square": square.astype(np.int16),
        "alternating": np.where(time % 2 == 0, -32768, 32767).astype(np.int16),
        "pairs": np.where(time // 2 % 2 == 0, -32768, 32767).astype(np.int16),
        "sine": np.floor(32767 * np.sin(2 * np.pi * 1000 * time / RATE_HZ)).astype(np.int16),
        "impulse": np.where(time == samples // 2, -32768, 0).astype(np.int16),
        "random": np.random.default_rng(1).choice(np.array([-32768, 32767], np.int16), samples),
    }


def reproducible(samples: int = 4_000) -> NDArray[np.int16]:
    """A rising triangle wave that swells and fades, on noise of a linear congruential generator: integers only."""
    state, phase, values = 1, 0, []
    for index in range(samples):
        state = (state * 1_664_525 + 1_013_904_223) % (1 << 32)
        phase = (phase + 300 + index) % (1 << 16)
        triangle = abs(phase - (1 << 15)) - (1 << 14)
        swell = min(index, samples - index) * 2 // 3
        values.append((triangle * swell // 2_000) + (state >> 26) - 32)
    return np.asarray(values, dtype=np.int16)
