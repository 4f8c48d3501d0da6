"""The estimates made before compiling are within a tenth of what the built firmware shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shared import require_shared, require_tool
from tinyml.pipeline import Options, build, check

CASES = [
    ("kws_ds_cnn_s", "nano33ble", "balanced"),
    ("kws_ds_cnn_s", "nano33ble", "size"),
    ("models/kws_ref_model.tflite", "nucleo_l4r5zi", "balanced"),
    ("models/pretrainedResnet_quant.tflite", "disco_f746ng", "balanced"),
    ("models/vww_96_int8.tflite", "nano33ble", "balanced"),
    ("models/kws_ref_model.tflite", "pico", "balanced"),
    ("cifar10_resnet8", "nano33ble", "size"),
    ("models/pretrainedResnet_quant.tflite", "mps3-an547", "balanced"),
]


@pytest.mark.shared
@pytest.mark.parametrize(("model", "board", "optimize"), CASES)
def test_code_and_stack_are_within_a_tenth(model: str, board: str, optimize: str) -> None:
    require_tool("arm-none-eabi-gcc")
    source = str(require_shared(model)) if "/" in model else model
    options = Options(toolchain="gcc", optimize=optimize)
    estimated = check(source, board, options)
    measured = check(source, board, options, compile_firmware=True)
    guess, truth = estimated.budget.sizes, measured.budget.sizes
    assert estimated.budget.arena_bytes == measured.budget.arena_bytes
    assert guess.code_bytes == pytest.approx(truth.code_bytes, rel=0.10)
    assert guess.stack_bytes == pytest.approx(truth.stack_bytes, rel=0.10)


@pytest.mark.parametrize(("optimize", "flag"), [("balanced", "-O2"), ("size", "-Os")])
def test_the_network_is_compiled_for_what_it_is_optimised_for(optimize: str, flag: str, tmp_path: Path) -> None:
    options = Options(optimize=optimize, inputs=1)
    built = build("kws_ds_cnn_xs", "nano33ble", tmp_path / "project", options)
    assert f"custom_network_flags = {flag}\n" in (Path(built.project) / "platformio.ini").read_text("utf-8")
