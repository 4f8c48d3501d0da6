"""The oracle gives what TFLite defines, for outputs and for every tensor between."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.move_builder import depth_to_space
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import TFLM_REFERENCES, require_shared, require_tflm_reference
from tests.support.tflite_builder import Builder
from tinyml.errors import BuildError, UnsupportedError, UsageError
from tinyml.tflite.reference import Reference
from tinyml.tflite.reference_tflm import PYTHON_VARIABLE, TfliteRuntime


def _ramp(shape: tuple[int, ...]) -> np.ndarray:
    return ((np.arange(np.prod(shape)) * 31) % 256 - 128).astype(np.int8).reshape(shape)


def test_add_with_equal_scales_is_a_clamped_sum() -> None:
    model = Builder()
    a, b = model.input((1, 256), scale=0.5), model.input((1, 256), scale=0.5)
    reference = Reference(model.build([model.binary("ADD", a, b, scale=0.5)]))
    x, y = np.arange(-128, 128, dtype=np.int8)[None], np.full((1, 256), 3, np.int8)
    assert np.array_equal(reference.run([x, y])[0], np.minimum(x.astype(int) + 3, 127))


def test_a_unit_convolution_gives_its_input_back() -> None:
    model = Builder()
    x = model.input((1, 4, 4, 1), scale=0.5, zero_point=7)
    y = model.conv_2d(x, np.array([[[[64]]]]), 1 / 64, scale=0.5, zero_point=7)
    values = _ramp((1, 4, 4, 1))
    assert np.array_equal(Reference(model.build([y])).run([values])[0], values)


def test_depth_to_space_in_the_version_that_the_converter_writes_runs() -> None:
    """The reference kernels register the first version alone, though they compute int8."""
    model = Builder()
    x = model.input((1, 1, 1, 4), scale=0.5)
    y = depth_to_space(model, x, 2)
    model.model.operatorCodes[-1].version = 2
    values = np.array([[[[1, -2, 3, -4]]]], np.int8)
    assert np.array_equal(Reference(model.build([y])).run([values])[0], values.reshape(1, 2, 2, 1))


def test_the_trace_has_every_tensor_by_its_index_in_the_file() -> None:
    reference = Reference(sample_of_every_op())
    x = np.linspace(-4, 4, 288, dtype=np.float32).reshape(1, 9, 8, 4)
    trace, outputs = reference.trace([x]), reference.run([x])
    graph = reference.graph
    assert set(trace) == {graph.source_tensors[t] for t in graph.activations()}
    for position, tensor in enumerate(graph.outputs):
        assert np.array_equal(trace[graph.source_tensors[tensor]], outputs[position])
    for tensor in graph.activations():
        assert trace[graph.source_tensors[tensor]].shape == graph.tensors[tensor].shape
    assert np.array_equal(trace[0], x)


def test_runs_repeat_and_results_are_copies() -> None:
    reference = Reference(sample_conv_model())
    x = _ramp((1, 9, 8, 4))
    first = reference.run([x])[0]
    kept = first.copy()
    reference.run([np.zeros_like(x)])
    assert np.array_equal(first, kept)
    assert np.array_equal(reference.run([x.reshape(-1)])[0], kept)


def test_inputs_are_checked() -> None:
    reference = Reference(sample_conv_model())
    with pytest.raises(UsageError, match="got 0 inputs"):
        reference.run([])
    with pytest.raises(UsageError, match="float32"):
        reference.run([np.zeros((1, 9, 8, 4), np.float32)])
    with pytest.raises(UsageError, match="int8"):
        reference.run([np.zeros((1, 9, 8, 5), np.int8)])


def test_a_bias_quantised_along_dimension_3_runs() -> None:
    def build(dimension: int) -> bytes:
        model = Builder()
        x = model.input((1, 4, 4, 2))
        y = model.conv_2d(x, np.arange(6).reshape(3, 1, 1, 2), [0.1, 0.2, 0.3], np.arange(3) * 50)
        model.model.subgraphs[0].tensors[-1].quantization.quantizedDimension = dimension
        return model.build([y])

    x = _ramp((1, 4, 4, 2))
    assert np.array_equal(Reference(build(3)).run([x])[0], Reference(build(0)).run([x])[0])


def test_what_the_reader_refuses_never_reaches_native_code() -> None:
    with pytest.raises(UnsupportedError):
        Reference(sample_conv_model()[:500])


@pytest.mark.shared
def test_a_real_model_gives_its_known_class() -> None:
    reference = Reference(require_shared("models/vww_96_int8.tflite"))
    assert reference.run([_ramp((1, 96, 96, 3))])[0].reshape(-1).tolist() == [121, -121]


def test_a_missing_tflite_runtime_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "/nonexistent/python")
    with pytest.raises(BuildError, match="cannot start") as error:
        Reference(sample_conv_model(), match="tflm")
    assert "tflite-runtime==2.14.0" in (error.value.hint or "")


def test_per_channel_dense_layers_cannot_be_proven_with_tflite_runtime() -> None:
    model = Builder()
    x = model.input((1, 4))
    y = model.fully_connected(x, np.ones((2, 4)), [0.1, 0.2])
    with pytest.raises(UnsupportedError, match="ignores"):
        Reference(model.build([y]), match="tflm")


_STAND_IN = "from ai_edge_litert.interpreter import Interpreter, OpResolverType\n"

_REFUSING = """
class OpResolverType:
    BUILTIN_REF = 0

def Interpreter(**options):
    raise ValueError("too new")
"""


@pytest.fixture
def stand_in_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python whose tflite_runtime is LiteRT, to test all that lies between it and us; gives that module's path."""
    package = tmp_path / "modules" / "tflite_runtime"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(_STAND_IN)
    python = tmp_path / "python"
    log = tmp_path / "arguments.log"
    python.write_text(
        f'#!/bin/sh\necho "$@" >> "{log}"\nshift\nPYTHONPATH="{package.parent}" exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(python))
    return package / "interpreter.py"


def test_the_other_process_answers_as_this_one(stand_in_runtime: Path) -> None:
    theirs, ours = Reference(sample_of_every_op(), match="tflm"), Reference(sample_of_every_op())
    x = np.linspace(-4, 4, 288, dtype=np.float32).reshape(1, 9, 8, 4)
    for _ in range(2):
        assert all(np.array_equal(a, b) for a, b in zip(theirs.run([x]), ours.run([x]), strict=True))
    mine, other = ours.trace([x]), theirs.trace([x])
    assert mine.keys() == other.keys()
    assert all(np.array_equal(mine[t], other[t]) for t in mine)
    model = Path((stand_in_runtime.parents[2] / "arguments.log").read_text().split()[-1])
    assert model.exists()
    del theirs
    gc.collect()
    assert not model.parent.exists()


def test_a_runtime_that_refuses_dies_or_is_missing_is_reported(stand_in_runtime: Path) -> None:
    reference = Reference(sample_conv_model(), match="tflm")
    engine = reference._engine
    assert isinstance(engine, TfliteRuntime)
    engine._process.kill()
    engine._process.wait()
    with pytest.raises(UnsupportedError, match="tflite-runtime"):
        reference.run([_ramp((1, 9, 8, 4))])
    stand_in_runtime.write_text(_REFUSING)
    with pytest.raises(UnsupportedError, match="too new"):
        Reference(sample_conv_model(), match="tflm")
    stand_in_runtime.write_text("raise ImportError('numpy 2')")
    with pytest.raises(BuildError, match="numpy 2"):
        Reference(sample_conv_model(), match="tflm")


_MICRO_STAND_IN = """
import enum
from ai_edge_litert.interpreter import Interpreter as LiteRt, OpResolverType

class InterpreterConfig(enum.Enum):
    kPreserveAllTensors = 1

class Interpreter:
    @classmethod
    def from_file(cls, model_path, arena_size, intrepreter_config):
        assert arena_size > 1 << 20 and intrepreter_config is InterpreterConfig.kPreserveAllTensors
        made = cls()
        made.inner = LiteRt(
            model_path=model_path,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        made.inner.allocate_tensors()
        return made

    def set_input(self, array, position):
        self.inner.set_tensor(self.inner.get_input_details()[position]["index"], array)

    def invoke(self):
        self.inner.invoke()

    def GetTensor(self, index, subgraph):
        assert subgraph == 0
        return {"tensor_data": self.inner.get_tensor(index)}
"""


def test_tensorflow_lite_micros_own_interpreter_serves_where_the_other_is_missing(stand_in_runtime: Path) -> None:
    stand_in_runtime.write_text("raise ImportError('no wheel')")
    with pytest.raises(
        BuildError, match=r"neither tflite-runtime nor tflite-micro is installed \(ImportError: no wheel"
    ):
        Reference(sample_conv_model(), match="tflm")
    package = stand_in_runtime.parents[1] / "tflite_micro"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "runtime.py").write_text(_MICRO_STAND_IN)
    theirs, ours = Reference(sample_of_every_op(), match="tflm"), Reference(sample_of_every_op())
    x = np.linspace(-4, 4, 288, dtype=np.float32).reshape(1, 9, 8, 4)
    mine, other = ours.trace([x]), theirs.trace([x])
    assert mine.keys() == other.keys()
    assert all(np.array_equal(mine[t], other[t]) for t in mine)


@pytest.mark.shared
@pytest.mark.parametrize("package", TFLM_REFERENCES)
def test_it_differs_in_dense_layers_only(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, require_tflm_reference(package))
    residual = require_shared("models/pretrainedResnet_quant.tflite")
    x = _ramp((1, 32, 32, 3))
    ours, theirs = Reference(residual).trace([x]), Reference(residual, match="tflm").trace([x])
    assert all(np.array_equal(ours[t], theirs[t]) for t in ours)
    dense = require_shared("models/ad01_int8.tflite")
    x = _ramp((1, 640))
    different = Reference(dense).run([x])[0] != Reference(dense, match="tflm").run([x])[0]
    assert int(different.sum()) == 211
