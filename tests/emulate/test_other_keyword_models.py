"""The keyword firmware with other models than the shipped one: log-mel, normalised bands, the input row by row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import require_tool
from tests.support.tflite_builder import Builder
from tests.unit.features.sounds import extremes, speech_like
from tinyml.features import FrontendConfig
from tinyml.features.calibrate import calibrate
from tinyml.pipeline import Options
from tinyml.pipeline.sound import ears
from tinyml.plan.choose import Goal

FRAMES, BANDS, LABELS = 30, 40, ("left", "right", "_silence_", "_unknown_")
FRONT_ENDS = {
    "log_mel": FrontendConfig(coefficients=0, bands=BANDS),
    "normalised": FrontendConfig(coefficients=0, bands=BANDS, gain_strength=220, noise_smoothing=600),
}


def keyword_model(config: FrontendConfig, folder: Path) -> Path:
    """A small network of random weights over log-mel frames, with its manifest; it announces what it likes."""
    random = np.random.default_rng(5)
    model = Builder()
    x = model.input((1, FRAMES, BANDS, 1), scale=1 / 32, zero_point=0)
    kernel = random.integers(-127, 128, (8, 3, 3, 1))
    x = model.conv_2d(x, kernel, 0.02, random.integers(-90, 90, 8), stride=(1, 2), activation="RELU6")
    x = model.depthwise_conv_2d(x, random.integers(-127, 128, (1, 3, 3, 8)), 0.01, random.integers(-90, 90, 8))
    x = model.conv_2d(x, random.integers(-127, 128, (8, 1, 1, 8)), 0.01, random.integers(-90, 90, 8))
    x = model.reduce("MEAN", x, [1, 2], scale=0.05)
    x = model.fully_connected(x, random.integers(-127, 128, (4, 8)), 0.02, random.integers(-90, 90, 4))
    path = folder / "words.tflite"
    path.write_bytes(model.build([model.softmax(x)]))
    calibrated = calibrate(config, np.stack([speech_like(seed) for seed in range(6)]))
    manifest = {
        "labels": LABELS,
        "frontend": {"kind": "audio", **calibrated.to_json()},
        "detector": {"stride_ms": 60, "average_ms": 120, "thresholds": {"left": 0.3, "right": 0.3}},
    }
    path.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")
    return path


@pytest.mark.parametrize("fed_by_rows", [False, True], ids=["whole", "rows"])
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_firmware_hears_what_python_hears(tmp_path: Path, name: str, fed_by_rows: bool) -> None:
    require_tool("qemu-system-arm")
    model = keyword_model(FRONT_ENDS[name], tmp_path)
    sound = np.concatenate([*(speech_like(seed) for seed in range(6)), *extremes(3_000).values()])
    options = Options(emulator="qemu", memory=Goal(fed_by_rows=fed_by_rows))
    with ears(str(model), "netduinoplus2", options) as firmware:
        header = next(Path(firmware.firmware.build_dir).parents[2].glob("include/network.h")).read_text(
            encoding="utf-8"
        )
        assert ("NETWORK_FED_BY_ROWS" in header) == fed_by_rows
        listened = firmware.hear(sound, "speech and extremes")
    assert listened.done["dropped_frames"] == 0
    assert len(listened.heard.frames) == listened.done["inferences"] > 30
    assert len(np.unique(listened.heard.scores, axis=0)) > 5
