"""Conversion: batch 1, int8 throughout, inputs in order, names of layers; and what cannot be converted is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyml.errors import UnsupportedError, UsageError
from tinyml.tflite.convert import check_full_integer, convert, load_keras

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras, with its numbering of layers and its seeds at the beginning."""
    from tinyml.tflite.quiet import import_keras

    module = import_keras()
    module.utils.set_random_seed(7)
    return module


@pytest.fixture(scope="module")
def small(keras: Any) -> Any:
    """Convolution, batch norm, pooling, flatten and dense, with an open batch."""
    inputs = keras.Input((12, 8, 1), name="features")
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", name="spread")(x)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(4, activation="softmax", name="classes")(x), name="small")


def samples(*shapes: tuple[int, ...], count: int = 16) -> list[tuple[np.ndarray[Any, Any], ...]]:
    """Random representative inputs, a tuple an example."""
    source = np.random.default_rng(3)
    return [tuple(source.normal(size=shape).astype(np.float32) for shape in shapes) for _ in range(count)]


def contents(model: bytes) -> tuple[Any, list[str]]:
    """The first subgraph of a file and its operators' names."""
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(model, 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in file.operatorCodes]
    return file.subgraphs[0], [names[codes[op.opcodeIndex]] for op in file.subgraphs[0].operators]


def test_batch_is_one_and_nothing_computes_shapes(small: Any) -> None:
    graph, kinds = contents(convert(small, samples((12, 8, 1))))
    assert {"SHAPE", "STRIDED_SLICE", "PACK"}.isdisjoint(kinds)
    assert kinds[0] == "CONV_2D"
    assert [int(side) for side in graph.tensors[graph.inputs[0]].shape] == [1, 12, 8, 1]
    assert [int(side) for side in graph.tensors[graph.outputs[0]].shape] == [1, 4]


def test_every_activation_and_weight_is_int8(small: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = contents(convert(small, samples((12, 8, 1))))
    integer = {schema.TensorType.INT8, schema.TensorType.INT32}
    assert {tensor.type for tensor in graph.tensors} <= integer
    assert {"QUANTIZE", "DEQUANTIZE"}.isdisjoint(kinds)
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].type == schema.TensorType.INT8


@pytest.mark.parametrize(("per_channel", "scales"), [(False, 1), (True, 4)])
def test_dense_weights_have_one_scale_unless_asked(small: Any, per_channel: bool, scales: int) -> None:
    graph, kinds = contents(convert(small, samples((12, 8, 1)), per_channel_dense=per_channel))
    dense = graph.operators[kinds.index("FULLY_CONNECTED")]
    conv = graph.operators[kinds.index("CONV_2D")]
    assert len(graph.tensors[dense.inputs[1]].quantization.scale) == scales
    assert len(graph.tensors[conv.inputs[1]].quantization.scale) == 6


def test_tensor_names_are_the_layers(small: Any) -> None:
    graph, _ = contents(convert(small, samples((12, 8, 1))))
    names = [graph.tensors[op.outputs[0]].name.decode() for op in graph.operators]
    assert names[0].endswith("stem/convolution")
    assert any(name.startswith("spread/") for name in names)


def test_input_range_sets_the_inputs_quantisation_exactly(small: Any) -> None:
    limits = (-128 / 32, 127 / 32)
    graph, _ = contents(convert(small, samples((12, 8, 1)), input_ranges=[limits]))
    quant = graph.tensors[graph.inputs[0]].quantization
    assert quant.scale[0] == 1 / 32
    assert quant.zeroPoint[0] == 0


def test_several_inputs_keep_their_order_and_their_own_ranges(keras: Any) -> None:
    late = keras.Input((5,), name="z_first")
    early = keras.Input((3,), name="a_second")
    joined = keras.layers.Concatenate()([keras.layers.Dense(4)(late), keras.layers.Dense(4)(early)])
    model = keras.Model([late, early], keras.layers.Dense(2)(joined))
    examples = [(first * 10, second * 0.1) for first, second in samples((5,), (3,))]
    graph, _ = contents(convert(model, examples))
    inputs = [graph.tensors[index] for index in graph.inputs]
    assert [[int(side) for side in tensor.shape] for tensor in inputs] == [[1, 5], [1, 3]]
    assert inputs[0].quantization.scale[0] > 50 * inputs[1].quantization.scale[0]


def test_int8_output_follows_the_float_model(small: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    examples = samples((12, 8, 1), count=40)
    content = convert(small, examples)
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = source["quantization"]
    for (example,) in examples[:10]:
        codes = np.clip(np.round(example / scale) + zero_point, -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], codes[np.newaxis])
        interpreter.invoke()
        real = (interpreter.get_tensor(target["index"])[0].astype(np.float32) + 128) / 256
        np.testing.assert_allclose(real, np.asarray(small(example[np.newaxis]))[0], atol=0.05)


def test_layer_that_stays_in_float_is_named(keras: Any) -> None:
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.LayerNormalization(name="the_norm")(inputs)
    model = keras.Model(inputs, keras.layers.Flatten()(x))
    with pytest.raises(UnsupportedError, match="the_norm") as caught:
        convert(model, samples((6, 6, 2)))
    assert caught.value.hint


def test_layer_without_a_tflite_form_is_named(keras: Any) -> None:
    class Odd(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return keras.ops.erfinv(x)

    inputs = keras.Input((6,))
    model = keras.Model(inputs, Odd(name="the_odd_one")(inputs))
    with pytest.raises(UnsupportedError, match=r"the_odd_one.*Erfinv"):
        convert(model, samples((6,)))


def test_loop_is_refused_before_it_crashes_the_converter(keras: Any) -> None:
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, keras.layers.GRU(4, name="the_gru")(inputs))
    with pytest.raises(UnsupportedError, match="the_gru") as caught:
        convert(model, samples((5, 3)))
    assert "unroll" in (caught.value.hint or "")


def test_dynamic_side_is_refused(keras: Any) -> None:
    inputs = keras.Input((None, 8, 1), name="open_input")
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs)))
    with pytest.raises(UnsupportedError, match="open_input"):
        convert(model, samples((12, 8, 1)))


def test_diverged_weights_are_refused(keras: Any) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="wild")])
    model.layers[-1].kernel.assign(np.full((3, 2), np.nan))
    with pytest.raises(UnsupportedError, match="wild"):
        convert(model, samples((3,)))


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "no representative samples"),
        ([np.zeros((4, 4), np.float32)], r"shape \(4, 4\)"),
        ([np.full((12, 8, 1), np.inf, np.float32)], "not finite"),
        ([(np.zeros((12, 8, 1), np.float32),) * 2], "2 inputs"),
    ],
)
def test_bad_samples_are_usage_errors(small: Any, examples: list[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convert(small, examples)


def test_float_file_is_not_full_integer() -> None:
    from tests.support.tflite_builder import Builder

    builder = Builder()
    x = builder.input((1, 4), dtype="float32", scale=None)
    y = builder.tensor((1, 4), dtype="float32", scale=None, name="loose/Tanh")
    with pytest.raises(UnsupportedError, match="TANH of layer 'loose/Tanh'"):
        check_full_integer(builder.build([builder.op("TANH", [x], [y])]))


def test_outputs_may_be_places_but_inputs_may_not() -> None:
    from tests.support.logic_builder import arg, top_k
    from tests.support.tflite_builder import Builder

    builder = Builder()
    x = builder.input((1, 20))
    check_full_integer(builder.build([*top_k(builder, x, 3), arg(builder, "ARG_MAX", x, 1, "int64")]))
    builder = Builder()
    places = builder.input((1, 20), dtype="int32", scale=None)
    with pytest.raises(UnsupportedError, match="is int32, not int8"):
        check_full_integer(builder.build([arg(builder, "ARG_MAX", places, 1)]))


class TestLoadKeras:
    """Reading ``.keras`` files that may be missing, damaged or hold code."""

    def test_round_trip(self, small: Any, tmp_path: Path) -> None:
        small.save(tmp_path / "small.keras")
        assert load_keras(tmp_path / "small.keras").count_params() == small.count_params()

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no model file"):
            load_keras(tmp_path / "none.keras")

    def test_no_archive(self, tmp_path: Path) -> None:
        (tmp_path / "bad.keras").write_bytes(b"not a zip file")
        with pytest.raises(UnsupportedError, match="14 bytes"):
            load_keras(tmp_path / "bad.keras")

    @pytest.mark.parametrize("seed", range(8))
    def test_flipped_bytes_never_escape_as_other_errors(self, small: Any, tmp_path: Path, seed: int) -> None:
        path = tmp_path / "small.keras"
        small.save(path)
        content = bytearray(path.read_bytes())
        for place in np.random.default_rng(seed).integers(len(content), size=20):
            content[place] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(UnsupportedError):
            load_keras(path)

    def test_lambda_layer_is_not_run(self, keras: Any, tmp_path: Path) -> None:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
        model.save(tmp_path / "code.keras")
        with pytest.raises(UnsupportedError) as caught:
            load_keras(tmp_path / "code.keras")
        assert "Lambda" in (caught.value.hint or "")
