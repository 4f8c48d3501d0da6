"""The engine over TensorFlow Lite Micro: its sources as text, the arena's estimate, where the library is from."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.bench.anchors import MODEL_FILES, TFLM_INSTRUCTIONS
from tests.support.shared import require_shared
from tests.support.tflite_builder import Builder
from tests.support.tflm_stub import METHODS, VARIANTS, write_library
from tinyml.errors import DoesNotFitError, UnsupportedError, UsageError
from tinyml.firmware import tflm
from tinyml.firmware.kws import plan_keywords
from tinyml.firmware.tflm import LIBRARY, estimate_arena, estimate_instructions, registrations, tflm_sources
from tinyml.graph.ir import Graph
from tinyml.graph.ops import SPECS
from tinyml.pipeline.compiled import Options, compile_model
from tinyml.pipeline.tflm import render_over_tflm
from tinyml.tflite.read import read_graph

KWS = "models/kws_ref_model.tflite"


@pytest.fixture(autouse=True)
def no_local_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYML_TFLM_DIR", raising=False)


def graph(name: str) -> Graph:
    return read_graph(require_shared(f"models/{name}.tflite"))


def test_just_the_models_ops_in_their_int8_variants() -> None:
    assert registrations(graph("kws_ref_model")) == (
        "AddConv2D(tflite::Register_CONV_2D_INT8())",
        "AddDepthwiseConv2D(tflite::Register_DEPTHWISE_CONV_2D_INT8())",
        "AddAveragePool2D(tflite::Register_AVERAGE_POOL_2D_INT8())",
        "AddReshape()",
        "AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())",
        "AddSoftmax(tflite::Register_SOFTMAX_INT8())",
    )
    assert registrations(graph("ad01_int8")) == ("AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())",)


def test_nearly_every_op_of_tinyml_is_known_there() -> None:
    unknown = {"RELU_N1_TO_1", "GELU", "SELECT", "TILE", "TOPK_V2"}
    made = {"LOOKUP", "ATTENTION", "LAYER_NORM", "WHOLE_NORM"}
    others = {"READ_VARIABLE", "ASSIGN_VARIABLE", "UNIDIRECTIONAL_SEQUENCE_LSTM"} | made
    assert set(SPECS) - set(tflm._REGISTRATIONS) - others == unknown


def test_an_op_that_it_does_not_have() -> None:
    builder = Builder()
    given = builder.input((1, 4, 4, 2))
    model = builder.build([builder.elementwise("RELU_N1_TO_1", given)])
    with pytest.raises(UnsupportedError, match="no op RELU_N1_TO_1"):
        registrations(read_graph(model))


def test_the_sources_hold_the_model_and_its_formats() -> None:
    model = require_shared(KWS).read_bytes()
    sources = tflm_sources(read_graph(model), model, "kws", '"kws"')
    assert set(sources) == {"network.h", "network.cc", "network_model.c"}
    numbers = re.findall(r"0x([0-9a-f]{2})", sources["network_model.c"])
    assert bytes.fromhex("".join(numbers)) == model
    assert "aligned(16)" in sources["network_model.c"]
    header = sources["network.h"]
    for line in (
        "NETWORK_INPUT_0_SHAPE {1, 49, 10, 1}",
        "NETWORK_INPUT_0_SCALE 0.584702909f",
        "NETWORK_INPUT_0_ZERO_POINT 83",
        "NETWORK_OUTPUT_0_ZERO_POINT (-128)",
        "NETWORK_INPUT_BYTES 490",
    ):
        assert f"#define {line}\n" in header
    assert "MicroMutableOpResolver<6>" in sources["network.cc"]
    assert all(max(map(len, text.splitlines())) <= 140 for text in sources.values())


@pytest.mark.parametrize(
    ("name", "smallest_bytes"),
    [("kws_ref_model", 22_832), ("vww_96_int8", 100_720), ("pretrainedResnet_quant", 55_008), ("ad01_int8", 3_024)],
)
def test_the_arena_is_large_enough_and_no_third_too_large(name: str, smallest_bytes: int) -> None:
    """The smallest arenas with which TensorFlow Lite Micro was seen to run these models on Cortex-M4F."""
    arena = estimate_arena(graph(name))
    assert smallest_bytes <= arena.size_bytes <= 1.36 * smallest_bytes
    assert arena.size_bytes % 1024 == 0 and f"{len(graph(name).ops)} ops" in arena.basis


def test_the_parts_of_the_arena() -> None:
    arena = estimate_arena(graph("ad01_int8"), mve=True)
    assert (arena.tensors_bytes, arena.scratch_bytes) == (640 + 128, 4 * 640)
    assert estimate_arena(graph("ad01_int8")).scratch_bytes == 0
    resnet = estimate_arena(graph("pretrainedResnet_quant"))
    assert (resnet.tensors_bytes, resnet.scratch_bytes) == (3 * 32 * 32 * 16, 4 * 9 * 64)


def small_model(path: Path) -> Path:
    builder = Builder()
    weights = (np.arange(16 * 3 * 3 * 8) % 3 - 1).astype(np.int8).reshape(16, 3, 3, 8)
    path.write_bytes(builder.build([builder.conv_2d(builder.input((1, 6, 6, 8)), weights)]))
    return path


def test_the_project_pins_the_library(tmp_path: Path) -> None:
    model = small_model(tmp_path / "small.tflite")
    render_over_tflm(model, "nano33ble", tmp_path / "p", Options())
    ini = configparser.ConfigParser()
    ini.read(tmp_path / "p/platformio.ini")
    assert ini["env"]["lib_deps"].split() == [LIBRARY]
    assert ini["env"]["lib_ignore"].split(", ") == ["ArduinoBLE", "Arduino_LSM9DS1"]
    assert "-DARDUINO" in ini["env"]["build_flags"].split() and not (tmp_path / "p/lib/tensorflow-lite-micro").exists()
    assert re.fullmatch(r"https://github\.com/[\w/-]+\.git#[0-9a-f]{40}", LIBRARY)
    assert "-DTF_LITE_STATIC_MEMORY" in ini["env"]["build_flags"]
    trace = ini["env:nano33ble-trace"]["build_flags"]
    assert "-DTF_LITE_STATIC_MEMORY" in trace and "-DTML_TRACE=1" in trace
    assert (tmp_path / "p/src/network.cc").is_file() and not (tmp_path / "p/src/network.c").exists()


def test_the_own_engine_has_no_library(tmp_path: Path) -> None:
    from tests.support.trivial_network import render

    render(tmp_path / "p")
    assert "lib_deps" not in (tmp_path / "p/platformio.ini").read_text("utf-8")


def test_a_local_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYML_TFLM_DIR", str(tmp_path))
    with pytest.raises(UsageError, match=r"holds no src/tensorflow/lite/micro/micro_mutable_op_resolver\.h"):
        tflm.library()
    network = read_graph(small_model(tmp_path / "small.tflite"))
    write_library(tmp_path / "library", network)
    monkeypatch.setenv("TINYML_TFLM_DIR", str(tmp_path / "library"))
    assert tflm.library() == str(tmp_path / "library")
    render_over_tflm(tmp_path / "small.tflite", "nano33ble", tmp_path / "p", Options())
    assert "lib_deps =\n    tensorflow-lite-micro\n" in (tmp_path / "p/platformio.ini").read_text("utf-8")
    manifest = json.loads((tmp_path / "p/lib/tensorflow-lite-micro/library.json").read_text("utf-8"))
    assert manifest["build"]["srcDir"] == manifest["build"]["includeDir"] == str(tmp_path / "library/src")


def test_the_library_has_every_method_that_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in has the methods that TensorFlow's header has, and takes variants where that does."""
    called = {entry.method: entry for entry in tflm._REGISTRATIONS.values() if not entry.later}
    assert set(called) <= {f"Add{name}" for name in (*VARIANTS, *METHODS)}
    variants = {method: entry.int8 for method, entry in called.items() if entry.int8}
    assert variants.items() <= {f"Add{name}": f"{op}_INT8" for name, op in VARIANTS.items()}.items()
    monkeypatch.setenv("TINYML_TFLM_DIR", str(write_library(tmp_path, graph("kws_ref_model"))))
    methods = tflm.local_methods()
    assert methods is not None and set(called) <= methods


def test_a_local_copy_without_the_op(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = graph("kws_ref_model")
    library = write_library(tmp_path, network, without=("AddSoftmax",))
    monkeypatch.setenv("TINYML_TFLM_DIR", str(library))
    with pytest.raises(UnsupportedError, match=r"TINYML_TFLM_DIR names has no AddSoftmax for op SOFTMAX"):
        registrations(network)


def test_an_op_that_only_later_versions_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    given = builder.input((1, 4, 4, 2))
    network = read_graph(builder.build([builder.elementwise("RELU", given)]))
    monkeypatch.setitem(tflm._REGISTRATIONS, "RELU", tflm._Registration("AddRelu", later=True))
    with pytest.raises(UnsupportedError, match="pinned commit of TensorFlow Lite Micro is not known to have op RELU"):
        registrations(network)
    monkeypatch.setenv("TINYML_TFLM_DIR", str(write_library(tmp_path, network)))
    assert registrations(network) == ("AddRelu()",)


CORES = {"cortex-m4": "dsp", "cortex-m7": "dsp", "cortex-m55": "mve", "cortex-m0plus": "v6m"}


@pytest.mark.parametrize("name", TFLM_INSTRUCTIONS)
def test_instructions_are_estimated_within_a_quarter_of_those_counted(name: str) -> None:
    network = read_graph(require_shared(MODEL_FILES[name]))
    for core, counted in TFLM_INSTRUCTIONS[name].items():
        assert 0.75 * counted < estimate_instructions(network, CORES[core]) < 1.25 * counted


def test_listening_follows_the_interpreters_time(tmp_path: Path) -> None:
    render_over_tflm("kws_ds_cnn_s", "nucleo_h743zi", tmp_path / "tflm", Options(app="kws"))
    config = (tmp_path / "tflm/include/app_config.h").read_text("utf-8")
    found = {name: int(re.search(rf"{name} (\d+)u", config)[1]) for name in ("APP_INFERENCE_US", "APP_RING_SAMPLES")}  # type: ignore[index]
    own = compile_model("kws_ds_cnn_s", "nucleo_h743zi", Options(app="kws"))
    plan = plan_keywords(own.program, own.board, own.source.labels, own.source.manifest)
    assert found["APP_INFERENCE_US"] > 2000 * plan.load.network_ms
    assert found["APP_RING_SAMPLES"] >= plan.load.ring_samples
    assert (tmp_path / "tflm/src/detector.c").is_file() and (tmp_path / "tflm/src/network.cc").is_file()
    with pytest.raises(DoesNotFitError, match="mps2-an385 can't keep up with the sound"):
        render_over_tflm("kws_ds_cnn_s", "mps2-an385", tmp_path / "slow", Options(app="kws"))
    with pytest.raises(UsageError, match="takes whole inputs"):
        render_over_tflm(small_model(tmp_path / "m.tflite"), "nano33ble", tmp_path / "p", Options(hop_rows=2))
    with pytest.raises(UsageError, match="has no audio front-end"):
        render_over_tflm(small_model(tmp_path / "m.tflite"), "nano33ble", tmp_path / "p", Options(app="kws"))
    assert not (tmp_path / "p").exists() and not (tmp_path / "slow").exists()
