"""Whole models, as firmware on an emulated core, against LiteRT's reference kernels: every output and every tensor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.instruction_bars import hold_to_bar
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import TFLM_REFERENCES, require_module, require_shared, require_tflm_reference, require_tool
from tests.support.trivial_network import require_toolchain
from tinyml.boards import load_board
from tinyml.emulate.run import choose_emulator
from tinyml.errors import DoesNotFitError
from tinyml.pipeline import Options, build
from tinyml.tflite.reference_tflm import PYTHON_VARIABLE

pytestmark = pytest.mark.slow
MLPERF_TINY = ["kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8"]


def require_emulator(board: str) -> str:
    if load_board(board).emulator("unicorn"):
        require_module("unicorn")
        return "unicorn"
    require_tool("qemu-system-arm")
    return "qemu"


def prove(
    model: Path, board: str, output: Path, inputs: int, toolchain: str = "auto", optimize: str = "balanced"
) -> int:
    """Builds and runs; returns the instructions of one inference. The three extremes come before the random inputs."""
    emulator = require_emulator(board)
    options = Options(inputs=inputs, trace=True, emulator=emulator, toolchain=toolchain, optimize=optimize)
    result = build(model, board, output, options)
    proof = result.emulation
    assert proof is not None
    assert (proof.equal, proof.mismatches, proof.inputs) == (True, 0, inputs + 3)
    assert proof.traced_tensors > 0
    assert proof.emulator == choose_emulator(load_board(board), emulator).kind
    stack = next(part for region in result.check.budget.regions for part in region.parts if part.label == "stack")
    assert proof.stack_used_bytes is not None and proof.stack_used_bytes <= stack.size_bytes
    return proof.instructions or 0


@pytest.mark.shared
@pytest.mark.parametrize("board", ["nucleo_l4r5zi", "mps3-an547"])
@pytest.mark.parametrize("model", MLPERF_TINY)
def test_mlperf_tiny(tmp_path: Path, model: str, board: str) -> None:
    path = require_shared(f"models/{model}.tflite")
    hold_to_bar(board, path.name, prove(path, board, tmp_path / "p", inputs=100, toolchain=require_toolchain("gcc")))


@pytest.mark.shared
@pytest.mark.parametrize("package", TFLM_REFERENCES)
def test_tensorflow_lite_micro(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dense layers as its own interpreter rounds them, tensor by tensor."""
    monkeypatch.setenv(PYTHON_VARIABLE, require_tflm_reference(package))
    path, emulator = require_shared("models/ad01_int8.tflite"), require_emulator("nucleo_l4r5zi")
    options = Options(inputs=20, trace=True, emulator=emulator, match="tflm")
    proof = build(path, "nucleo_l4r5zi", tmp_path / "p", options).emulation
    assert proof is not None and proof.equal and proof.traced_tensors > 10


@pytest.mark.shared
def test_winograd_on_a_whole_model(tmp_path: Path) -> None:
    """For speed, and the count held to a bar of its own."""
    path = require_shared("models/pretrainedResnet_quant.tflite")
    gcc = require_toolchain("gcc")
    count = prove(path, "nucleo_l4r5zi", tmp_path / "p", inputs=20, toolchain=gcc, optimize="speed")
    hold_to_bar("nucleo_l4r5zi", path.name, count, "speed")


@pytest.mark.shared
@pytest.mark.parametrize("board", ["disco_f746ng", "mps2-an385", "mps2-an505", "pico"])
@pytest.mark.parametrize("model", MLPERF_TINY)
def test_instructions_on_the_other_cores(tmp_path: Path, model: str, board: str) -> None:
    """Four inputs are compared and the counts held, so that every core's kernels are seen on whole models."""
    path = require_shared(f"models/{model}.tflite")
    hold_to_bar(board, path.name, prove(path, board, tmp_path / "p", inputs=1, toolchain=require_toolchain("gcc")))


@pytest.mark.shared
@pytest.mark.parametrize("model", MLPERF_TINY)
def test_mlperf_tiny_on_the_smallest_board(tmp_path: Path, model: str) -> None:
    """16 KB of RAM and 256 KB of flash: what does not fit is refused with its reason before anything is written."""
    path = require_shared(f"models/{model}.tflite")
    try:
        prove(path, "microbit", tmp_path / "p", inputs=3)
    except DoesNotFitError as error:
        assert error.exit_code == 3 and error.hint
        assert "microbit" in error.message
        assert model != "ad01_int8" or "FLASH" in error.message
    else:
        assert model == "kws_ref_model"


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", ["nano33ble", "mps2-an385", "pico", "mps3-an547"])
@pytest.mark.parametrize("name", ["conv", "every op"])
def test_small_models_on_every_instruction_set(tmp_path: Path, name: str, board: str, toolchain: str) -> None:
    content = sample_conv_model() if name == "conv" else sample_of_every_op()
    (tmp_path / "model.tflite").write_bytes(content)
    prove(tmp_path / "model.tflite", board, tmp_path / "p", inputs=5, toolchain=require_toolchain(toolchain))
