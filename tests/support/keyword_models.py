"""Small keyword models of random weights over log-mel frames, with their manifests; they announce what they like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.support.tflite_builder import Builder
from tests.unit.features.sounds import speech_like
from tinyml.features import FrontendConfig
from tinyml.features.calibrate import calibrate

BANDS, LABELS = 40, ("left", "right", "_silence_", "_unknown_")
LOG_MEL = FrontendConfig(coefficients=0, bands=BANDS)


def written(content: bytes, config: FrontendConfig, folder: Path, stride_ms: int) -> Path:
    """The model as a file in ``folder``, with a manifest whose front-end is fitted to some speech."""
    path = folder / "words.tflite"
    path.write_bytes(content)
    calibrated = calibrate(config, np.stack([speech_like(seed) for seed in range(6)]))
    manifest = {
        "labels": LABELS,
        "frontend": {"kind": "audio", **calibrated.to_json()},
        "detector": {"stride_ms": stride_ms, "average_ms": 120, "thresholds": {"left": 0.3, "right": 0.3}},
    }
    path.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")
    return path


def temporal_model(folder: Path, frames: int = 49, *, padded: bool = False, stride_ms: int = 60) -> Path:
    """Convolutions along time, bands as channels, without padding in time but in the last one where ``padded``."""
    random = np.random.default_rng(8)

    def weights(*shape: int) -> np.ndarray:
        return random.integers(-127, 128, shape)

    model = Builder()
    x = model.input((1, frames, BANDS, 1), scale=1 / 32, zero_point=0)
    x = model.reshape(x, (1, frames, 1, BANDS))
    x = model.conv_2d(x, weights(16, 3, 1, BANDS), 0.004, weights(16), padding="VALID", activation="RELU")
    x = model.conv_2d(x, weights(24, 9, 1, 16), 0.004, weights(24), stride=(2, 1), padding="VALID", activation="RELU")
    x = model.depthwise_conv_2d(x, weights(1, 3, 1, 24), 0.02, weights(24), padding="VALID")
    y = model.conv_2d(x, weights(24, 1, 1, 24), 0.01, weights(24), activation="RELU")
    x = model.binary("ADD", x, y)
    x = model.conv_2d(x, weights(24, 5, 1, 24), 0.005, weights(24), padding="SAME" if padded else "VALID")
    x = model.reduce("MEAN", x, [1, 2], scale=0.05)
    x = model.fully_connected(x, weights(4, 24), 0.02, weights(4))
    return written(model.build([model.softmax(x)]), LOG_MEL, folder, stride_ms)
