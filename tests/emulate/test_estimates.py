"""The estimates made before compiling are within a tenth of what the built firmware shows."""

from __future__ import annotations

import pytest

from tests.support.shared import require_shared, require_tool
from tinyml.pipeline import Options, check

CASES = [
    ("kws_ds_cnn_s", "nano33ble"),
    ("models/kws_ref_model.tflite", "nucleo_l4r5zi"),
    ("models/pretrainedResnet_quant.tflite", "disco_f746ng"),
    ("models/vww_96_int8.tflite", "nano33ble"),
    ("models/kws_ref_model.tflite", "pico"),
    ("models/pretrainedResnet_quant.tflite", "mps3-an547"),
]


@pytest.mark.shared
@pytest.mark.parametrize(("model", "board"), CASES)
def test_code_and_stack_are_within_a_tenth(model: str, board: str) -> None:
    require_tool("arm-none-eabi-gcc")
    source = str(require_shared(model)) if "/" in model else model
    options = Options(toolchain="gcc")
    estimated = check(source, board, options)
    measured = check(source, board, options, compile_firmware=True)
    guess, truth = estimated.budget.sizes, measured.budget.sizes
    assert estimated.budget.arena_bytes == measured.budget.arena_bytes
    assert guess.code_bytes == pytest.approx(truth.code_bytes, rel=0.10)
    assert guess.stack_bytes == pytest.approx(truth.stack_bytes, rel=0.10)
