"""Minutes of sound with words at known places: the emulated firmware misses and accepts what the evaluator says."""

from __future__ import annotations

import pytest

from tests.support.shared import require_module, require_shared, require_tool
from tinyml.errors import UsageError
from tinyml.pipeline import Options
from tinyml.pipeline.sound import ears
from tinyml.pipeline.stream import open_scene, stream
from tinyml.streaming.listen import detect
from tinyml.streaming.score import score

MODEL = "kws_ds_cnn_s"
DATA = "data/speech_commands"


@pytest.mark.parametrize(
    ("board", "emulator", "minutes"),
    [
        ("netduinoplus2", "qemu", 1.0),
        pytest.param("netduinoplus2", "qemu", 10.0, marks=pytest.mark.sweep),
        pytest.param("mps2-an386", "unicorn", 10.0, marks=pytest.mark.sweep),
    ],
)
def test_the_firmware_misses_and_accepts_what_the_evaluator_says(board: str, emulator: str, minutes: float) -> None:
    require_module("unicorn") if emulator == "unicorn" else require_tool("qemu-system-arm")
    folder = require_shared(DATA)
    with ears(MODEL, board, Options(emulator=emulator)) as firmware:
        model, plan = firmware.plan.model, firmware.plan
        scene = open_scene(folder, "test", minutes, 7, model)
        listened = firmware.hear(scene.sound, "the scene")
        heard = listened.heard
        expected = list(detect(heard.frames, heard.scores, plan.table, model.config))
        words = tuple(model.settings.thresholds)
        by_firmware = score(heard.detections, scene.spoken, words, scene.sample_rate_hz, scene.hours)
        by_evaluator = score(expected, scene.spoken, words, scene.sample_rate_hz, scene.hours)
    assert listened.done["dropped_frames"] == 0 and listened.done["overruns"] == 0
    assert by_firmware == by_evaluator
    assert by_firmware.spoken > 6 * minutes and by_firmware.miss_rate < 0.4


def test_the_evaluator_hears_most_words() -> None:
    result = stream(MODEL, require_shared(DATA), minutes=3.0, seed=1)
    assert result.listener == "python" and result.stride_ms == 80.0
    assert result.score.spoken > 20 and result.score.miss_rate < 0.45
    assert result.score.latency_ms is not None and 100 < result.score.latency_ms < 900


def test_the_firmware_in_place_of_python() -> None:
    require_tool("qemu-system-arm")
    options = Options(emulator="qemu")
    result = stream(MODEL, require_shared(DATA), minutes=0.3, seed=2, board="netduinoplus2", options=options)
    assert result.listener == "netduinoplus2" and result.dropped_frames == 0
    assert result.to_json()["score"]["spoken"] == result.score.spoken > 1
    with pytest.raises(UsageError, match="tuning listens without a board"):
        stream(MODEL, require_shared(DATA), minutes=0.3, board="netduinoplus2", target=5.0)
