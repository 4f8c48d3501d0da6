"""The definition of an audio front-end: everything that the tables and the arithmetic follow from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from tinyml.errors import UsageError

VERSION = 1
"""Raised whenever the same definition would give other bytes."""

MANIFEST_KEYS = frozenset({"kind", "clip_samples"})
"""What a model's manifest says of its front-end besides the definition."""

MAX_BANDS = 40
GAIN_SHIFT = 20
MAX_GAIN = 1 << 20
MAX_OFFSET = 1 << 26
FULL_STRENGTH, FULL_SMOOTHING = 1 << 8, 1 << 15
_NEW_FIELDS = ("gain_strength", "noise_smoothing")
"""Left out of the JSON where they are 0, so that definitions from before they were known keep their digests."""


@dataclass(frozen=True)
class FrontendConfig:
    """An integer log-mel or MFCC front-end for 16-bit mono audio.

    ``coefficients`` is the number of cosine-transform coefficients a frame (MFCC), or 0 for the logarithms of the
    ``bands`` mel bands themselves. ``floor_power`` is added to the power of every spectral bin: about ``3.0e6 * s**2``
    is the power of white noise of ``s`` units rms of the 16-bit samples (480-sample Hann window, 512-point transform).

    A feature ``v`` (log2 units, 15 fractional bits) at place ``k`` in its frame becomes the int8
    ``clamp((((v - offsets[k]) * gains[k] + 2**19) >> 20) + input_zero_point)``. The model sees
    ``input_scale * (q - input_zero_point)``: the quantisation of the model's input tensor has to be exactly this one,
    and then the front-end's bytes are the network's input bytes.

    ``gain_strength`` / 256 is the exponent of per-channel energy normalisation (PCEN, Wang et al. 2017,
    arXiv:1607.05666): each band is divided by its own smoothed energy to that power before the logarithm, 0 for none.
    The smoothed energy takes ``noise_smoothing`` / 32768 of every new frame; it begins with the first.
    """

    sample_rate_hz: int = 16_000
    window_samples: int = 480
    hop_samples: int = 320
    fft_size: int = 512
    bands: int = 40
    low_hz: int = 20
    high_hz: int = 4_000
    floor_power: int = 1 << 23
    coefficients: int = 10
    offsets: tuple[int, ...] = ()
    gains: tuple[int, ...] = ()
    input_scale: float = 1.0 / 32.0
    input_zero_point: int = 0
    gain_strength: int = 0
    noise_smoothing: int = 0
    version: int = VERSION

    def __post_init__(self) -> None:
        _validate(self)

    @property
    def features(self) -> int:
        """Features a frame: the coefficients, or the bands where there is no cosine transform."""
        return self.coefficients or self.bands

    @property
    def is_calibrated(self) -> bool:
        """Whether the offsets and gains of the int8 features are set."""
        return len(self.gains) == self.features

    def frames(self, samples: int) -> int:
        """Whole frames in a clip of so many samples: 49 in one second at the default window and hop."""
        return 0 if samples < self.window_samples else 1 + (samples - self.window_samples) // self.hop_samples

    def shape(self, samples: int) -> tuple[int, int]:
        """The shape ``(frames, features)`` of the features of a clip of so many samples."""
        return self.frames(samples), self.features

    def with_affine(self, offsets: tuple[int, ...], gains: tuple[int, ...]) -> FrontendConfig:
        """The same front-end with other offsets and gains of its int8 features."""
        return replace(self, offsets=offsets, gains=gains)

    def to_json(self) -> dict[str, Any]:
        """The definition as a plain JSON object, every field by its name."""
        values = {name: value for name, value in asdict(self).items() if value or name not in _NEW_FIELDS}
        return {**values, "offsets": list(self.offsets), "gains": list(self.gains)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FrontendConfig:
        """The definition from a JSON object as :meth:`to_json` gives it; UsageError names a wrong or unknown key.

        The keys that a model's manifest adds (``kind``, ``clip_samples``) are passed over.
        """
        data = {key: value for key, value in data.items() if key not in MANIFEST_KEYS}
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise UsageError(
                f"front-end definition: unknown key {unknown[0]!r}", hint="keys are " + ", ".join(sorted(known))
            )
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key in ("offsets", "gains"):
                if not isinstance(value, list | tuple) or not all(_is_int(item) for item in value):
                    raise UsageError(f"front-end definition: {key} must be a list of integers, got {value!r}")
                values[key] = tuple(value)
            elif key == "input_scale":
                if not isinstance(value, int | float) or isinstance(value, bool):
                    raise UsageError(f"front-end definition: {key} must be a number, got {value!r}")
                values[key] = float(value)
            else:
                if not _is_int(value):
                    raise UsageError(f"front-end definition: {key} must be an integer, got {value!r}")
                values[key] = value
        return cls(**values)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the canonical JSON: two front-ends with one digest give the same bytes."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _validate(config: FrontendConfig) -> None:
    """Refuse a definition whose arithmetic would leave its bit widths or whose tables would be empty."""
    size, window = config.fft_size, config.window_samples
    rules = (
        (config.version == VERSION, f"version is {config.version}, this tinyml has {VERSION}"),
        (8_000 <= config.sample_rate_hz <= 48_000, f"sample_rate_hz is {config.sample_rate_hz}, not 8000 to 48000"),
        (size in (128, 256, 512, 1024, 2048), f"fft_size is {size}, not 128, 256, 512, 1024 or 2048"),
        (size // 4 <= window <= size, f"window_samples is {window}, not {size // 4} to fft_size {size}"),
        (1 <= config.hop_samples <= window, f"hop_samples is {config.hop_samples}, not 1 to {window}"),
        (10 <= config.bands <= MAX_BANDS, f"bands is {config.bands}, not 10 to {MAX_BANDS}"),
        (
            0 <= config.low_hz < config.high_hz <= config.sample_rate_hz // 2,
            f"band edges {config.low_hz} to {config.high_hz} Hz do not rise from 0 to half the sample rate",
        ),
        (1 << 16 <= config.floor_power <= 1 << 40, f"floor_power is {config.floor_power}, not 2**16 to 2**40"),
        (
            0 <= config.coefficients <= config.bands,
            f"coefficients is {config.coefficients}, not 0 to the {config.bands} bands",
        ),
        (
            len(config.gains) == len(config.offsets) and len(config.gains) in (0, config.features),
            f"{len(config.offsets)} offsets and {len(config.gains)} gains for {config.features} features",
        ),
        (all(1 <= gain <= MAX_GAIN for gain in config.gains), f"a gain is not 1 to {MAX_GAIN}"),
        (all(abs(offset) <= MAX_OFFSET for offset in config.offsets), f"an offset is beyond {MAX_OFFSET}"),
        (0.0 < config.input_scale < 1e6, f"input_scale is {config.input_scale}, not a positive number"),
        (-128 <= config.input_zero_point <= 127, f"input_zero_point is {config.input_zero_point}, not int8"),
        (
            0 <= config.gain_strength <= FULL_STRENGTH,
            f"gain_strength is {config.gain_strength}, not 0 to {FULL_STRENGTH}",
        ),
        (
            0 <= config.noise_smoothing <= FULL_SMOOTHING,
            f"noise_smoothing is {config.noise_smoothing}, not 0 to {FULL_SMOOTHING}",
        ),
    )
    for holds, text in rules:
        if not holds:
            raise UsageError(f"front-end definition: {text}")


def default_config() -> FrontendConfig:
    """The keyword-spotting front-end: 40 mel bands from 20 to 4000 Hz, 10 coefficients, 49 frames a second.

    Window, hop, bands and band edges are those of the MLPerf Tiny keyword-spotting benchmark (Banbury et al. 2021).
    The offsets are the means and the gains set 32 steps to one standard deviation, measured over training clips of
    Speech Commands (Warden 2018) as :func:`tinyml.features.calibrate.calibrate` does.
    """
    return FrontendConfig(offsets=DEFAULT_OFFSETS, gains=DEFAULT_GAINS)


DEFAULT_OFFSETS = (2567586, 266686, 10989, -14427, -16787, -10251, -11464, -11473, -30480, -20457)
DEFAULT_GAINS = (27, 98, 141, 196, 218, 292, 308, 348, 350, 400)
