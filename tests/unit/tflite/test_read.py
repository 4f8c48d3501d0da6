"""Reading models: the real ones, and every kind of file that is to be refused."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import require_shared
from tests.support.tflite_builder import Builder
from tinyml.errors import UnsupportedError, UsageError
from tinyml.graph.ir import ABSENT, Activation, Graph, Rounding
from tinyml.graph.ops import SPECS, Conv2DAttrs, DepthwiseConv2DAttrs, FullyConnectedAttrs, PadAttrs, ReduceAttrs
from tinyml.tflite.read import read_graph


def _attrs(graph: Graph, kind: str) -> object:
    return next(op.attrs for op in graph.ops if op.kind == kind)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "macs", "ops"),
    [
        ("kws_ref_model", 2_656_768, 13),
        ("vww_96_int8", 7_489_664, 31),
        ("pretrainedResnet_quant", 12_501_632, 16),
        ("ad01_int8", 264_192, 10),
    ],
)
def test_the_benchmark_models(name: str, macs: int, ops: int) -> None:
    graph = read_graph(require_shared(f"models/{name}.tflite"))
    assert graph.name == name
    assert len(graph.ops) == ops
    assert sum(SPECS[op.kind].macs(graph, op) for op in graph.ops) == macs
    assert graph.ops[0].name in ("conv2d", "dense")


def test_every_supported_op_is_read() -> None:
    graph = read_graph(sample_of_every_op())
    assert {op.kind for op in graph.ops} == set(SPECS) - {
        "READ_VARIABLE",
        "ASSIGN_VARIABLE",
        "LOOKUP",
        "ATTENTION",
        "LAYER_NORM",
        "WHOLE_NORM",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    }
    assert _attrs(graph, "PADV2") == PadAttrs(((0, 0), (1, 1), (0, 2), (0, 0)), 5)
    assert _attrs(graph, "PAD") == PadAttrs(((0, 0), (1, 0), (0, 1), (0, 0)), -3)
    assert _attrs(graph, "MEAN") == ReduceAttrs((1, 2), keep_dims=True)
    assert _attrs(graph, "CONV_2D") == Conv2DAttrs(groups=2, activation=Activation.RELU)
    padded = DepthwiseConv2DAttrs(
        dilation_h=2, dilation_w=2, pad_top=2, pad_bottom=2, pad_left=2, pad_right=2, multiplier=2
    )
    assert _attrs(graph, "DEPTHWISE_CONV_2D") == padded
    assert all(len(op.inputs) == 1 for op in graph.ops if op.kind in ("PAD", "PADV2", "MEAN", "RESHAPE", "EXPAND_DIMS"))
    assert next(op for op in graph.ops if op.kind == "CONV_2D").inputs[2] == ABSENT


def test_tensors_keep_their_index_in_the_file() -> None:
    graph = read_graph(sample_conv_model())
    assert len(graph.source_tensors) == len(graph.tensors)
    assert graph.source_tensors[graph.inputs[0]] == 0
    assert [op.source_index for op in graph.ops] == list(range(len(graph.ops)))


def test_same_padding_is_resolved_as_tflite_does() -> None:
    attrs = _attrs(read_graph(sample_conv_model()), "CONV_2D")
    assert isinstance(attrs, Conv2DAttrs)
    assert (attrs.pad_top, attrs.pad_bottom, attrs.pad_left, attrs.pad_right) == (1, 1, 1, 1)


def test_the_runtime_to_match_sets_the_rounding() -> None:
    for match, rounding in (("litert", Rounding.SINGLE), ("tflm", Rounding.DOUBLE)):
        attrs = _attrs(read_graph(sample_conv_model(), match=match), "FULLY_CONNECTED")
        assert isinstance(attrs, FullyConnectedAttrs)
        assert attrs.rounding is rounding
    with pytest.raises(UsageError, match="onnx"):
        read_graph(sample_conv_model(), match="onnx")


def test_a_bias_quantised_along_dimension_3_is_read() -> None:
    model = Builder()
    x = model.input((1, 4, 4, 2))
    model.conv_2d(x, np.ones((3, 1, 1, 2)), [0.1, 0.2, 0.3], np.arange(3))
    model.model.subgraphs[0].tensors[-1].quantization.quantizedDimension = 3
    graph = read_graph(model.build([1]))
    bias = graph.tensor(graph.ops[0].inputs[2])
    assert bias.quant is not None and bias.quant.axis == 0 and bias.quant.per_channel


def test_labels_come_from_the_appended_archive() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("notes.txt", "1\n2\n3\n4\n5\n")
        files.writestr("labels.txt", "yes\nno\nup\ndown\nümläut\n")
    assert read_graph(sample_conv_model() + archive.getvalue()).labels == ("yes", "no", "up", "down", "ümläut")
    assert read_graph(sample_conv_model()).labels == ()
    broken = bytearray(archive.getvalue())
    broken[:60] = bytes(60)
    assert read_graph(sample_conv_model() + bytes(broken)).labels == ()


def test_a_batch_of_minus_one_in_the_signature_is_one() -> None:
    model = Builder()
    x = model.input((1, 4))
    model.model.subgraphs[0].tensors[0].shapeSignature = [-1, 4]
    assert read_graph(model.build([model.elementwise("RELU", x)])).tensors[0].shape == (1, 4)


def _refused(message: str, data: bytes) -> None:
    with pytest.raises(UnsupportedError, match=message) as error:
        read_graph(data)
    assert error.value.hint
    assert not error.value.message.endswith(".")
    assert "\n" not in error.value.message


def _relu(spoil: Callable[[Builder], object]) -> bytes:
    model = Builder()
    output = model.elementwise("RELU", model.input((1, 4)))
    spoil(model)
    return model.build([output])


def _tensor_field(index: int, **fields: object) -> Callable[[Builder], object]:
    def spoil(model: Builder) -> None:
        for name, value in fields.items():
            setattr(model.model.subgraphs[0].tensors[index], name, value)

    return spoil


def _quant_field(index: int, **fields: object) -> Callable[[Builder], object]:
    def spoil(model: Builder) -> None:
        for name, value in fields.items():
            setattr(model.model.subgraphs[0].tensors[index].quantization, name, value)

    return spoil


def _operator_field(**fields: object) -> Callable[[Builder], object]:
    def spoil(model: Builder) -> None:
        for name, value in fields.items():
            setattr(model.model.subgraphs[0].operators[0], name, value)

    return spoil


def _state(model: Builder) -> None:
    model.model.subgraphs[0].tensors[0].isVariable = True


def _sparse(model: Builder) -> None:
    from ai_edge_litert import schema_py_generated as schema

    model.model.subgraphs[0].tensors[0].sparsity = schema.SparsityParametersT()


def _no_inputs(model: Builder) -> None:
    model.model.subgraphs[0].inputs = []


def _no_operators(model: Builder) -> None:
    model.model.subgraphs[0].operators = []


def _old_schema(model: Builder) -> None:
    model.model.version = 2


def _beyond_the_flatbuffer(model: Builder) -> None:
    tensor = model.constant(np.zeros(4, np.int8), scale=0.1)
    model.model.buffers[-1].offset, model.model.buffers[-1].size = 4096, 4
    model.model.subgraphs[0].operators[0].inputs = [tensor]


@pytest.mark.parametrize(
    ("message", "spoil"),
    [
        ("dynamic or empty shape", _tensor_field(0, shape=[1, -1])),
        ("dynamic or empty shape", _tensor_field(0, shapeSignature=[1, -1])),
        ("dynamic or empty shape", _tensor_field(0, shape=[2, 4], shapeSignature=[-1, 4])),
        ("dynamic or empty shape", _tensor_field(0, shape=[0, 4])),
        ("elements", _tensor_field(0, shape=[30000, 30000])),
        ("7 dimensions", _tensor_field(0, shape=[1] * 7)),
        ("element type INT4", _tensor_field(0, type=17)),
        ("element type 99", _tensor_field(0, type=99)),
        ("computes in float", _tensor_field(0, type=0, quantization=None)),
        ("computes in uint8", _tensor_field(0, type=3, quantization=None)),
        ("int16 activations", _tensor_field(0, type=7, quantization=None)),
        ("not quantised", _tensor_field(0, quantization=None)),
        ("not a positive number", _quant_field(0, scale=[float("nan")])),
        ("not a positive number", _quant_field(0, scale=[float("inf")])),
        ("not a positive number", _quant_field(0, scale=[0.0])),
        ("not a positive number", _quant_field(0, scale=[-0.5])),
        ("zero point outside -128 to 127", _quant_field(0, zeroPoint=[400])),
        ("2 scales along dimension 0", _quant_field(0, scale=[0.1, 0.2], zeroPoint=[0, 0])),
        ("2 scales along dimension 9", _quant_field(0, scale=[0.1, 0.2], zeroPoint=[0, 0], quantizedDimension=9)),
        ("2 scales and 3 zero points", _quant_field(0, scale=[0.1, 0.2], zeroPoint=[0, 0, 0])),
        ("quantisation scheme of its own", _quant_field(0, detailsType=1)),
        ("stored sparse", _sparse),
        ("is a variable", _state),
        ("lies outside the file", _tensor_field(0, externalBuffer=1)),
        ("names buffer 77", _tensor_field(0, buffer=77)),
        ("beyond the flatbuffer", _beyond_the_flatbuffer),
        ("names tensor 55", _operator_field(inputs=[55])),
        ("names tensor -7", _operator_field(outputs=[-7])),
        ("0 inputs and 1 outputs", _operator_field(inputs=[])),
        ("2 inputs, the op takes 1", _operator_field(inputs=[0, 0])),
        ("names a code beyond", _operator_field(opcodeIndex=9)),
        ("before it is written", _operator_field(inputs=[1])),
        ("has its values already", _operator_field(outputs=[0])),
        ("no inputs", _no_inputs),
        ("no operators", _no_operators),
        ("schema version 2", _old_schema),
    ],
)
def test_a_file_that_contradicts_itself_or_asks_too_much(message: str, spoil: Callable[[Builder], object]) -> None:
    _refused(message, _relu(spoil))


def test_a_float_model_is_told_to_be_quantised() -> None:
    model = Builder()
    x = model.input((1, 4), dtype="float32", scale=None)
    output = model.tensor((1, 4), dtype="float32", scale=None)
    model.op("RELU", [x], [output])
    with pytest.raises(UnsupportedError, match="computes in float") as error:
        read_graph(model.build([output]))
    assert "tinyml quantize" in (error.value.hint or "")


def test_a_dynamic_range_model_is_recognised() -> None:
    model = Builder()
    x = model.input((1, 4), dtype="float32", scale=None)
    output = model.tensor((1, 3), dtype="float32", scale=None)
    weights = model.constant(np.ones((3, 4), np.int8), scale=0.1)
    model.op("FULLY_CONNECTED", [x, weights], [output], "FullyConnectedOptions")
    _refused("dynamic range", model.build([output]))


def test_unsupported_ops_are_named_together() -> None:
    model = Builder()
    x = model.input((1, 4))
    y = model.op("ELU", [x], [model.tensor((1, 4))])
    y = model.op("CUSTOM:Magic", [y], [model.tensor((1, 4))])
    _refused("CUSTOM 'Magic', ELU", model.build([y]))


def test_shapes_that_are_computed_at_run_time_are_refused() -> None:
    model = Builder()
    x, shape = model.input((1, 4)), model.input((2,), dtype="int32", scale=None)
    y = model.op("RESHAPE", [x, shape], [model.tensor((2, 2))], "ReshapeOptions", newShape=[2, 2])
    _refused("computes its shape at run time", model.build([y]))


@pytest.mark.parametrize(
    ("message", "kind", "options", "fields"),
    [
        ("no Conv2DOptions", "CONV_2D", "", {}),
        ("no Conv2DOptions", "CONV_2D", "Pool2DOptions", {}),
        ("padding type 9", "CONV_2D", "Conv2DOptions", {"padding": 9, "strideH": 1, "strideW": 1}),
        ("stride 0", "CONV_2D", "Conv2DOptions", {"padding": "SAME"}),
        ("fused activation 4", "CONV_2D", "Conv2DOptions", {"fusedActivationFunction": 4}),
        ("shuffled weights", "FULLY_CONNECTED", "FullyConnectedOptions", {"weightsFormat": 1}),
    ],
)
def test_options_are_checked(message: str, kind: str, options: str, fields: dict[str, object]) -> None:
    model = Builder()
    x = model.input((1, 4, 4, 2))
    weights = model.constant(np.ones((3, 1, 1, 2), np.int8), scale=0.1)
    _refused(message, model.build([model.op(kind, [x, weights], [model.tensor((1, 4, 4, 3))], options, **fields)]))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 15, 16, 40, 200, 1000])
def test_truncated_files(size: int) -> None:
    _refused("damaged|not a .tflite", sample_conv_model()[:size])


def test_files_that_are_something_else() -> None:
    _refused("not a .tflite file", b"PK\x03\x04" + bytes(100))
    _refused("bytes, the limit is", bytes(65 << 20))


def test_a_vector_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    data = bytearray(_relu(lambda model: None))
    root = struct.unpack_from("<I", data)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    subgraphs = root + struct.unpack_from("<H", data, vtable + 8)[0]
    vector = subgraphs + struct.unpack_from("<I", data, subgraphs)[0]
    struct.pack_into("<I", data, vector, 0x7FFFFFFF)
    _refused("claims 2147483647 entries", bytes(data))


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_graph(tmp_path / "missing.tflite")
    with pytest.raises(UsageError, match="cannot read"):
        read_graph(tmp_path)
    path = tmp_path / "a model.tflite"
    path.write_bytes(sample_conv_model())
    assert read_graph(path).name == "a model"
    assert read_graph(path, name="other").name == "other"
