"""The keyword firmware of a network that streams along time: it computes what each hop adds and hears the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.keyword_models import temporal_model
from tests.support.shared import require_module, require_tool
from tests.unit.features.sounds import extremes, speech_like
from tinyml.cli import main
from tinyml.errors import UnsupportedError, UsageError
from tinyml.firmware.kws import plan_keywords
from tinyml.pipeline import Options, check, compile_model, emulate, profile
from tinyml.pipeline.sound import ears
from tinyml.plan.choose import Goal

SPEECH = [speech_like(seed) for seed in range(6)]


@pytest.mark.parametrize(("board", "emulator", "padded"), [
    ("microbit", "qemu", False), ("mps2-an386", "unicorn", True),
])  # fmt: skip
def test_the_firmware_hears_what_python_hears(tmp_path: Path, board: str, emulator: str, padded: bool) -> None:
    require_tool("qemu-system-arm") if emulator == "qemu" else require_module("unicorn")
    model = temporal_model(tmp_path, padded=padded)
    with ears(str(model), board, Options(emulator=emulator)) as firmware:
        hop = firmware.compiled.program.hop
        assert hop is not None and (hop.rows, hop.window_rows, hop.layers) == (4, 49, 5 if padded else 6)
        listened = firmware.hear(np.concatenate([*SPEECH, *extremes(3_000).values()]), "speech and extremes")
    assert listened.done["dropped_frames"] == 0
    assert len(listened.heard.frames) == listened.done["inferences"] > 30
    assert listened.heard.frames[0] == 48 and set(np.diff(listened.heard.frames)) == {4}
    assert len(np.unique(listened.heard.scores, axis=0)) > 5


def test_a_build_shows_what_streaming_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("unicorn")
    arguments = ["build", str(temporal_model(tmp_path)), "--board", "nano33ble", "--app", "kws", "--inputs", "2"]
    assert main([*arguments, "--hop-rows", "4", "--output", str(tmp_path / "project"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    found = result["along_time"]
    assert found["exact"] and found["hop_rows"] == 4 and found["ends"][0]["layer"].startswith("MEAN")
    assert found["instructions"] == result["emulation"]["instructions"] < found["whole_instructions"] / 4
    assert found["macs"] < found["whole_macs"] / 6
    assert found["arena_bytes"] == result["arena_bytes"]
    assert result["emulation"]["equal"] and result["emulation"]["inputs"] > 20
    assert result["audio"]["stride_ms"] == 80


def test_without_hops_each_inference_takes_its_window(tmp_path: Path) -> None:
    model = str(temporal_model(tmp_path))
    hops, whole = (check(model, "nano33ble", Options(app="kws", hop_rows=rows)) for rows in (None, 0))
    assert hops.along_time is not None and whole.along_time is not None
    assert hops.along_time.whole_arena_bytes == whole.budget.arena_bytes and hops.macs < whole.macs
    assert (whole.along_time.hop_rows, whole.along_time.cause) == (None, "it was left out")


def test_by_hops_a_slow_core_listens_as_often_as_the_detector_wants(tmp_path: Path) -> None:
    model = str(temporal_model(tmp_path))

    def stride_ms(hop_rows: int | None) -> float:
        one = compile_model(model, "microbit", Options(app="kws", hop_rows=hop_rows))
        return plan_keywords(one.program, one.board, one.source.labels, one.source.manifest).load.stride_ms

    assert stride_ms(None) == 80.0, "60 ms, rounded up to the strides in time"
    assert stride_ms(0) >= 160.0


def test_a_network_that_pads_time_from_the_start_says_so() -> None:
    found = check("kws_ds_cnn_s", "nano33ble", Options(app="kws")).along_time
    assert found is not None and found.hop_rows is None and found.cause is not None
    assert "CONV_2D" in found.cause and "pads time with" in found.cause
    assert "each inference computes its whole window: " in str(found)


def test_any_network_along_time_can_be_proven_and_profiled_hop_by_hop(tmp_path: Path) -> None:
    require_module("unicorn")
    model = temporal_model(tmp_path, 50)
    window = tmp_path / "window.npy"
    np.save(window, np.random.default_rng(1).integers(-128, 128, (1, 50, 40, 1)).astype(np.int8))
    options = Options(hop_rows=4, inputs=1, trace=True, input_files=(window,))
    proof = emulate(str(model), "mps2-an386", None, options)
    assert proof.equal and proof.traced_tensors > 3 and len(proof.outputs) == 1
    whole = emulate(str(model), "mps2-an386", None, Options(hop_rows=0, inputs=0, input_files=(window,)))
    assert proof.outputs[0]["values"] == whole.outputs[0]["values"]
    steps = profile(str(model), "mps2-an386", None, Options(hop_rows=4)).layers
    assert [step.op for step in steps].count("KEEP_ROWS") == 5


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    model = str(temporal_model(tmp_path))
    with pytest.raises(UnsupportedError, match="a hop of 49 rows does not stream through an input of 49"):
        check(model, "nano33ble", Options(hop_rows=49))
    with pytest.raises(UsageError, match="--rows and --hop-rows"):
        check(model, "nano33ble", Options(hop_rows=4, memory=Goal(fed_by_rows=True)))
    with pytest.raises(UsageError, match="mlperf_tiny takes whole inputs"):
        check(model, "nano33ble", Options(app="mlperf_tiny", hop_rows=4))
    with pytest.raises(UnsupportedError, match="nothing of the network streams along time: CONV_2D"):
        check("kws_ds_cnn_s", "nano33ble", Options(hop_rows=4))
