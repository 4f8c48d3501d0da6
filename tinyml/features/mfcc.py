"""MLPerf Tiny's MFCC in floating point, for models that were trained on it.

The definition is the keyword benchmark's (Banbury et al. 2021, reference implementation, ``get_dataset.py``) in
TensorFlow's terms: ``stft`` with a periodic Hann window, magnitudes, ``linear_to_mel_weight_matrix``,
``log(mel + 1e-6)``, ``mfccs_from_log_mel_spectrograms``. One thing differs: the benchmark divides every clip by its own
peak, which a stream does not have; here samples are divided by ``full_scale``, the same for all.

NumPy's float64 is the reference. The C computes in float32 (``firmware_templates/frontend/tml_frontend_float.h``): its
int8 features are within one step of these, and differ at all in fewer than one of a hundred. Only where a band lies
more than 120 dB below the loudest bin, as beside a pure full-scale tone, does single precision leave mere rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError

KIND = "mlperf_mfcc"
LOG_FLOOR = 1e-6
_FRAMES_AT_ONCE = 512
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MfccConfig:
    """A floating-point MFCC front-end; the int8 features are ``round(value / input_scale) + input_zero_point``."""

    sample_rate_hz: int = 16_000
    window_samples: int = 480
    hop_samples: int = 320
    fft_size: int = 512
    bands: int = 40
    low_hz: int = 20
    high_hz: int = 4_000
    coefficients: int = 10
    full_scale: float = 32_768.0
    input_scale: float = 1.0
    input_zero_point: int = 0

    def __post_init__(self) -> None:
        rules = (
            (self.fft_size in (128, 256, 512, 1024, 2048), f"fft_size is {self.fft_size}, not 128 to 2048 in octaves"),
            (
                self.fft_size // 4 <= self.window_samples <= self.fft_size,
                f"window_samples is {self.window_samples}, not {self.fft_size // 4} to {self.fft_size}",
            ),
            (
                1 <= self.hop_samples <= self.window_samples,
                f"hop_samples is {self.hop_samples}, not 1 to {self.window_samples}",
            ),
            (1 <= self.coefficients <= self.bands, f"coefficients is {self.coefficients}, not 1 to {self.bands}"),
            (
                0 <= self.low_hz < self.high_hz <= self.sample_rate_hz // 2,
                f"band edges {self.low_hz} to {self.high_hz} Hz do not rise from 0 to half the sample rate",
            ),
            (self.full_scale > 0 and self.input_scale > 0, "full_scale and input_scale have to be positive"),
            (-128 <= self.input_zero_point <= 127, f"input_zero_point is {self.input_zero_point}, not int8"),
        )
        for holds, text in rules:
            if not holds:
                raise UsageError(f"front-end definition: {text}")

    @property
    def features(self) -> int:
        """Features a frame."""
        return self.coefficients

    def frames(self, samples: int) -> int:
        """Whole frames in a clip of so many samples."""
        return 0 if samples < self.window_samples else 1 + (samples - self.window_samples) // self.hop_samples

    def to_json(self) -> dict[str, Any]:
        """The definition as a manifest has it."""
        return {"kind": KIND, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MfccConfig:
        """The definition from a manifest's object; UsageError names a wrong or unknown key."""
        known = {item.name for item in fields(cls)}
        values = {key: value for key, value in data.items() if key not in ("kind", "clip_samples")}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UsageError(
                f"front-end definition: unknown key {unknown[0]!r}", hint="keys are " + ", ".join(sorted(known))
            )
        for key, value in values.items():
            whole = key not in ("full_scale", "input_scale")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise UsageError(f"front-end definition: {key} must be a number, got {value!r}")
        return cls(**values)


@dataclass(frozen=True, eq=False)
class MfccTables:
    """Window [samples], mel weights [bands, bins] and the cosine transform [coefficients, bands], float64."""

    window: Floats
    mel: Floats
    dct: Floats


@lru_cache(maxsize=8)
def mfcc_tables(config: MfccConfig) -> MfccTables:
    """The tables of a definition."""
    place = np.arange(config.window_samples)
    corners = np.linspace(_mel(float(config.low_hz)), _mel(float(config.high_hz)), config.bands + 2)
    bins = _mel(np.arange(config.fft_size // 2 + 1) * config.sample_rate_hz / config.fft_size)
    rising = (bins - corners[:-2, np.newaxis]) / np.diff(corners)[:-1, np.newaxis]
    falling = (corners[2:, np.newaxis] - bins) / np.diff(corners)[1:, np.newaxis]
    mel = np.maximum(0.0, np.minimum(rising, falling))
    mel[:, 0] = 0.0
    k, j = np.arange(config.coefficients)[:, np.newaxis], np.arange(config.bands)
    return MfccTables(
        window=0.5 - 0.5 * np.cos(2 * np.pi * place / config.window_samples),
        mel=mel,
        dct=math.sqrt(2.0 / config.bands) * np.cos(np.pi * k * (j + 0.5) / config.bands),
    )


def mfcc_values(sound: NDArray[np.int16], config: MfccConfig, full_scale: float | None = None) -> Floats:
    """The coefficients of ``sound`` (int16 samples) before quantisation, ``[frames, coefficients]``.

    ``full_scale`` replaces the definition's; the benchmark's own data has the peak of each clip there.
    """
    made = mfcc_tables(config)
    if config.frames(len(sound)) == 0:
        return np.empty((0, config.coefficients))
    windows = np.lib.stride_tricks.sliding_window_view(sound, config.window_samples)[:: config.hop_samples]
    out = np.empty((len(windows), config.coefficients))
    for start in range(0, len(windows), _FRAMES_AT_ONCE):
        block = windows[start : start + _FRAMES_AT_ONCE] / (full_scale or config.full_scale)
        magnitudes = np.abs(np.fft.rfft(block * made.window, config.fft_size))
        out[start : start + len(block)] = np.log(magnitudes @ made.mel.T + LOG_FLOOR) @ made.dct.T
    return out


def mfcc_process(sound: NDArray[np.int16], config: MfccConfig) -> NDArray[np.int8]:
    """The int8 features ``[frames, coefficients]`` of ``sound``."""
    steps = np.floor(mfcc_values(sound, config) / config.input_scale + 0.5) + config.input_zero_point
    codes: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
    return codes


def _mel(hz: Any) -> Any:
    return 1127.0 * np.log(1.0 + np.asarray(hz) / 700.0)
