"""Firmware over TensorFlow Lite Micro's interface, built against a stand-in for the library and run in emulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.keyword_models import temporal_model
from tests.support.shared import require_module
from tests.support.tflite_builder import Builder
from tests.support.tflm_stub import write_library
from tests.support.tiny_vww import tiny_vww
from tests.support.trivial_network import any_toolchain, require_toolchain
from tests.unit.features.sounds import speech_like
from tinyml.boards import load_board
from tinyml.emulate.run import run_firmware
from tinyml.emulate.sound import listen_in_emulation
from tinyml.errors import BuildError
from tinyml.pipeline.compiled import Options
from tinyml.pipeline.tflm import build_over_tflm
from tinyml.tflite.read import read_graph


def small_model(path: Path) -> Path:
    builder = Builder()
    weights = (np.arange(16 * 3 * 3 * 8) % 3 - 1).astype(np.int8).reshape(16, 3, 3, 8)
    path.write_bytes(builder.build([builder.conv_2d(builder.input((1, 6, 6, 8)), weights)]))
    return path


def model_for(app: str, folder: Path) -> Path:
    if app == "kws":
        return temporal_model(folder)
    return tiny_vww(folder) if app == "vww" else small_model(folder / "small.tflite")


@pytest.mark.parametrize(
    ("app", "board", "toolchain"),
    [
        ("benchmark", "nano33ble", "gcc"),
        ("mlperf_tiny", "mps2-an386", "gcc"),
        ("mlperf_tiny", "pico", "zig"),
        ("kws", "nano33ble", "gcc"),
        ("vww", "disco_f746ng", "gcc"),
        ("vww", "pico2", "zig"),
    ],
)
def test_the_same_applications_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: str, board: str, toolchain: str
) -> None:
    require_module("unicorn")
    model = model_for(app, tmp_path)
    graph = read_graph(model)
    monkeypatch.setenv("TINYML_TFLM_DIR", str(write_library(tmp_path / "library", graph)))
    options = Options(app=app, toolchain=require_toolchain(toolchain))
    result = build_over_tflm(model, board, tmp_path / "p", options)
    assert result.library == str(tmp_path / "library") and len(result.ops) > 0
    ram = next(region for region in result.regions if region.kind == "ram")
    assert ram.used_bytes > result.arena.size_bytes
    size, out_size = (graph.tensors[index].size_bytes for index in (graph.inputs[0], graph.outputs[0]))
    inputs = [bytes((7 * i + n) % 256 for i in range(size)) for n in range(3)]
    run = run_firmware(Path(result.elf), load_board(board), inputs, emulator="unicorn", count=False)
    ops = len(result.ops)
    assert run.outputs == [bytes((one[k % size] + ops) % 256 for k in range(out_size)) for one in inputs]


def test_the_keyword_application_listens_over_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in's scores are the window's first bytes and the number of ops: the window is the one to run on."""
    require_module("unicorn")
    model = temporal_model(tmp_path)
    monkeypatch.setenv("TINYML_TFLM_DIR", str(write_library(tmp_path / "library", read_graph(model))))
    options = Options(app="kws", toolchain=require_toolchain("zig"))
    result = build_over_tflm(model, "mps2-an386", tmp_path / "p", options)
    sound, board = np.concatenate([speech_like(seed) for seed in range(3)]), load_board("mps2-an386")
    listened = listen_in_emulation(Path(result.elf), board, sound, features=40, labels=4, emulator="unicorn")
    heard = listened.heard
    assert len(heard.frames) == listened.done["inferences"] > 2 and listened.done["dropped_frames"] == 0
    windows = [heard.features[frame - 48, :4].view(np.uint8) for frame in heard.frames]
    wanted = np.stack(windows) + np.uint8(len(result.ops))
    np.testing.assert_array_equal(heard.scores.view(np.uint8), wanted)


def test_a_version_that_leaves_formatting_to_the_platform_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model(tmp_path / "small.tflite")
    monkeypatch.setenv("TINYML_TFLM_DIR", str(write_library(tmp_path / "library", read_graph(model), newer=True)))
    assert Path(build_over_tflm(model, "nano33ble", tmp_path / "p", Options(toolchain=any_toolchain())).elf).is_file()


def test_without_its_define_the_library_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is the real one: its header and its kernel both define the variants for int8."""
    model = small_model(tmp_path / "small.tflite")
    monkeypatch.setenv("TINYML_TFLM_DIR", str(write_library(tmp_path / "library", read_graph(model))))
    monkeypatch.setattr("tinyml.pipeline.tflm.BUILD_FLAGS", ("-DTF_LITE_STATIC_MEMORY", "-DNDEBUG"))
    with pytest.raises(BuildError, match="Register_ADD_INT8"):
        build_over_tflm(model, "nano33ble", tmp_path / "p", Options(toolchain=any_toolchain()))


def test_a_model_of_another_schema_ends_with_a_line_on_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_module("unicorn")
    model = small_model(tmp_path / "small.tflite")
    library = write_library(tmp_path / "library", read_graph(model), schema_version=4)
    monkeypatch.setenv("TINYML_TFLM_DIR", str(library))
    result = build_over_tflm(model, "mps2-an386", tmp_path / "p", Options(toolchain=any_toolchain()))
    with pytest.raises(BuildError, match="exit code 113"):
        run_firmware(Path(result.elf), load_board("mps2-an386"), [bytes(288)], emulator="unicorn", count=False)
