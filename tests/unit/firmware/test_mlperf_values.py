"""Which of the benchmark's tests a model is, and what its firmware is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.shared import require_shared
from tinyml.boards import load_board
from tinyml.errors import UsageError
from tinyml.firmware.app_values import app_parts
from tinyml.firmware.apps import require_app
from tinyml.firmware.mlperf import benchmark_of, mlperf_ram_bytes
from tinyml.graph.ir import DType, Graph, Quant, Tensor
from tinyml.pipeline import Options, check
from tinyml.tflite.read import read_graph

BOARD = load_board("nucleo_l4r5zi")


def tensor(shape: tuple[int, ...], scale: float, zero_point: int, dtype: DType = DType.INT8) -> Tensor:
    return Tensor("t", shape, dtype, Quant((scale,), (zero_point,)))


def graph_of(given: Tensor, result: Tensor, name: str = "my model [v1] 100%") -> Graph:
    return Graph(name, (given, result), (), (0,), (1,))


def macros(graph: Graph, app: str = "mlperf_tiny") -> dict[str, str]:
    return app_parts(app, BOARD, graph, (), {})[1]


@pytest.mark.parametrize(
    ("file", "name", "feed", "buffer_bytes"),
    [
        ("kws_ref_model", "kws01", "0", "490u"),
        ("vww_96_int8", "vww01", "2", "27648u"),
        ("pretrainedResnet_quant", "ic01", "2", "3072u"),
        ("ad01_int8", "ad01", "3", "2560u"),
    ],
)
def test_the_benchmarks_models(file: str, name: str, feed: str, buffer_bytes: str) -> None:
    values = macros(read_graph(require_shared(f"models/{file}.tflite")))
    assert values["APP_MLPERF_MODEL"] == f'"{name}"'
    assert (values["APP_MLPERF_FEED"], values["APP_MLPERF_BUFFER_BYTES"]) == (feed, buffer_bytes)
    assert values["APP_MLPERF_ERROR"] == str(int(name == "ad01"))


def test_the_applications_buffers_count_before_it_is_built() -> None:
    model = require_shared("models/vww_96_int8.tflite")
    alone, served = (
        next(
            region
            for region in check(model, "nano33ble", Options(app=app, console="board")).budget.regions
            if region.kind == "ram"
        )
        for app in ("benchmark", "mlperf_tiny")
    )
    assert served.used_bytes - alone.used_bytes == 27_648 + 256
    assert mlperf_ram_bytes(read_graph(require_shared("models/ad01_int8.tflite"))) == 2560 + 640 + 256


def test_any_other_model_gets_its_own_bytes_and_name() -> None:
    graph = graph_of(tensor((1, 7, 3), 0.5, 0), tensor((1, 4), 0.1, -1))
    assert benchmark_of(graph) is None
    values = macros(graph)
    assert values["APP_MLPERF_MODEL"] == '"my_model__v1__100_"'
    assert (values["APP_MLPERF_FEED"], values["APP_MLPERF_BUFFER_BYTES"]) == ("0", "21u")
    assert values["APP_MLPERF_OUTPUTS"] == "{{0, 4u, 0.100000001f, (-1)}}"


def test_the_shape_of_the_benchmark_in_floats_is_another_model() -> None:
    given = Tensor("t", (1, 49, 10, 1), DType.FLOAT32)
    assert benchmark_of(graph_of(given, tensor((1, 12), 1 / 256, -128))) is None
    assert macros(graph_of(given, tensor((1, 12), 1 / 256, -128)))["APP_MLPERF_BUFFER_BYTES"] == "1960u"


def test_keyword_features_in_another_quantisation_are_translated() -> None:
    graph = graph_of(tensor((1, 49, 10, 1), 0.584702909 * 2, -20), tensor((1, 12), 1 / 256, -128))
    values = macros(graph)
    assert values["APP_MLPERF_FEED"] == "1"
    codes = [int(code) for code in values["APP_MLPERF_CODES"].strip("{}").split(",")]
    for sent in (-128, -1, 0, 83, 127):
        real = (sent - 83) * 0.584702909
        assert abs((codes[sent & 255] + 20) * 0.584702909 * 2 - real) <= 0.585
    assert len(codes) == 256 and np.all(np.abs(codes) <= 128)


def test_an_output_that_is_no_number() -> None:
    graph = graph_of(tensor((1, 7), 0.5, 0), replace(tensor((1, 4), 0.1, 0), dtype=DType.BOOL))
    with pytest.raises(UsageError, match="is bool"):
        macros(graph)


def test_energy_is_measured_by_a_light_at_9600_baud() -> None:
    app = require_app("mlperf_tiny_energy", BOARD)
    assert app.baud == 9600 and app.parts == ("leds",)
    graph = graph_of(tensor((1, 7, 3), 0.5, 0), tensor((1, 4), 0.1, -1))
    assert macros(graph, app.name)["APP_MLPERF_ENERGY"] == "1"
    with pytest.raises(UsageError, match="mps2-an386 has no leds"):
        require_app("mlperf_tiny_energy", load_board("mps2-an386"))
