"""Networks trained quantised: folding changes nothing, and the int8 file is what was trained, scale by scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinyml.compression.fake_quant import round_kernel
from tinyml.compression.fold import fold
from tinyml.compression.qat import (
    AVERAGED,
    LEARNED,
    bake,
    calibrate,
    convert_prepared,
    load_prepared,
    prepare,
    ranges_of,
)
from tinyml.errors import UnsupportedError, UsageError

pytestmark = pytest.mark.train

INPUT_RANGE = (-1.0, 127 / 128)


def keras() -> Any:
    from tinyml.tflite.quiet import import_keras

    return import_keras()


def scramble_norms(model: Any) -> Any:
    """Batch norms as a training leaves them, not as they are made."""
    source = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras().layers.BatchNormalization):
            count = layer.moving_mean.shape[0]
            layers = [source.uniform(0.5, 1.5, count), source.normal(0, 0.3, count)]
            layer.set_weights([*layers, source.normal(0, 0.3, count), source.uniform(0.3, 2, count)])
    return model


def many_kinds() -> Any:
    """Convolution, depthwise, dense, addition, concatenation, pools, ReLU, ReLU6, a ReLU that a pool precedes."""
    layers = keras().layers
    keras().utils.set_random_seed(1)
    inputs = keras().Input((12, 12, 2), name="picture")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(name="stem_out")(layers.BatchNormalization(name="stem_bn")(x))
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depth")(x)
    y = layers.ReLU(max_value=6.0, name="depth_out")(layers.BatchNormalization(name="depth_bn")(y))
    y = layers.BatchNormalization(name="point_bn")(layers.Conv2D(8, 1, use_bias=False, name="point")(y))
    x = layers.MaxPooling2D(2, name="smaller")(layers.Add(name="sum")([x, y]))
    x = layers.ReLU(name="positive")(x)
    left = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(x)
    x = layers.Concatenate(name="both")([left, layers.Conv2D(4, 1, name="right")(x)])
    x = layers.GlobalAveragePooling2D(name="mean")(layers.AveragePooling2D(2, name="average")(x))
    x = layers.Dropout(0.1, name="drop")(layers.Dense(5, activation="relu", name="hidden")(x))
    return scramble_norms(keras().Model(inputs, layers.Dense(3, name="logits")(x), name="kinds"))


def pictures(count: int = 48) -> np.ndarray:
    codes = np.random.default_rng(0).integers(-128, 128, (count, 12, 12, 2))
    return (codes / 128).astype(np.float32)


def trained(ranges: str = AVERAGED, per_channel_dense: bool = False) -> Any:
    """The network of many kinds, prepared and trained a few steps towards given logits."""
    model = prepare(many_kinds(), ranges=ranges, input_ranges=[INPUT_RANGE], per_channel_dense=per_channel_dense)
    inputs = pictures()
    calibrate(model, [inputs[:24], inputs[24:]])
    model.compile(keras().optimizers.Adam(3e-3), "mse")
    model.fit(
        inputs, np.stack([inputs.mean((1, 2, 3)), inputs[:, 0, 0, 0], -inputs[:, 0, 0, 0]], 1), epochs=3, verbose=0
    )
    return model


def run_int8(content: bytes, inputs: np.ndarray) -> tuple[np.ndarray, float, list[dict[str, Any]], Any]:
    """Real outputs, the output's scale, details of all tensors, and the interpreter."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    (scale, zero), (out_scale, out_zero) = source["quantization"], target["quantization"]
    outputs = []
    for example in inputs:
        interpreter.set_tensor(source["index"], np.round(example / scale + zero).astype(np.int8)[np.newaxis])
        interpreter.invoke()
        outputs.append((interpreter.get_tensor(target["index"])[0].astype(np.float32) - out_zero) * out_scale)
    return np.array(outputs), out_scale, interpreter.get_tensor_details(), interpreter


def test_folding_keeps_the_function() -> None:
    model = many_kinds()
    before = [np.array(weight) for weight in model.get_weights()]
    folded = fold(model)
    names = {type(layer).__name__ for layer in folded.layers}
    assert "BatchNormalization" not in names
    assert all(layer.activation is keras().activations.linear for layer in folded.layers if hasattr(layer, "kernel"))
    np.testing.assert_allclose(folded(pictures()), model(pictures(), training=False), atol=1e-5)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_shared_layers_and_inner_models_fold() -> None:
    layers = keras().layers
    inner = scramble_norms(
        keras().Sequential(
            [keras().Input((6, 6, 3)), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()], name="inner"
        )
    )
    one, two = keras().Input((6, 6, 3), name="one"), keras().Input((6, 6, 3), name="two")
    shared = layers.Conv2D(3, 1, activation="relu", name="shared")
    outputs = layers.Add(name="sum")([inner(shared(one)), shared(two)])
    model = keras().Model([one, two], outputs, name="outer")
    folded = fold(model)
    assert sum(layer.name == "shared" for layer in folded.layers) == 1
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    inputs = [np.random.default_rng(seed).normal(size=(4, 6, 6, 3)).astype(np.float32) for seed in (1, 2)]
    np.testing.assert_allclose(folded(inputs), model(inputs), atol=1e-5)


@pytest.mark.parametrize(("ranges", "per_channel_dense"), [(AVERAGED, False), (LEARNED, True)])
def test_int8_file_is_what_was_trained(ranges: str, per_channel_dense: bool) -> None:
    model = trained(ranges, per_channel_dense)
    content = convert_prepared(model, list(pictures(8)), per_channel_dense=per_channel_dense)
    outputs, step, tensors, interpreter = run_int8(content, pictures())
    np.testing.assert_allclose(outputs, model(pictures(), training=False), atol=2.01 * step)
    assert np.mean(np.abs(outputs - model(pictures(), training=False)) > 0.6 * step) < 0.25

    scales = {tuple(np.float32(t["quantization"][0]).tobytes()) for t in tensors if t["dtype"] is np.int8}
    for layer in ranges_of(model):
        low, high = layer.limits()
        expected = np.float32((float(high) - float(low)) / 255)
        assert tuple(expected.tobytes()) in scales, layer.name

    stored = {}
    for tensor in tensors:
        if tensor["dtype"] is np.int8 and tensor["name"].split("/")[-1] in ("convolution", "depthwise", "MatMul"):
            quantisation = tensor["quantization_parameters"]
            stored[tensor["name"].split("/")[0]] = (interpreter.get_tensor(tensor["index"]), quantisation)
    assert set(stored) == {"stem", "depth", "point", "left", "right", "hidden", "logits"}
    baked = bake(model)
    for name, (codes, quantisation) in stored.items():
        kernel = np.asarray(baked.get_layer(name).kernel)
        dense, depthwise = kernel.ndim == 2, name == "depth"
        if depthwise:
            kernel = kernel.reshape(1, *kernel.shape[:2], -1)
        else:
            kernel = kernel.T if dense else kernel.transpose(3, 0, 1, 2)
        count = kernel.shape[-1 if depthwise else 0]
        assert len(quantisation["scales"]) == (1 if dense and not per_channel_dense else count), name
        shape = [1] * kernel.ndim
        shape[quantisation["quantized_dimension"]] = -1
        scale = quantisation["scales"].reshape(shape if len(quantisation["scales"]) > 1 else ())
        np.testing.assert_allclose(codes * scale, kernel, rtol=1e-6, atol=0, err_msg=name)
        np.testing.assert_array_equal(codes, np.round(kernel / scale), err_msg=name)


def test_baked_network_computes_the_same() -> None:
    model = trained()
    np.testing.assert_array_equal(bake(model)(pictures()), model(pictures(), training=False))


def test_training_moves_ranges_and_weights() -> None:
    model = prepare(many_kinds(), input_ranges=[INPUT_RANGE])
    calibrate(model, [pictures()])
    before = {layer.name: layer.limits() for layer in ranges_of(model)}
    after = {layer.name: layer.limits() for layer in ranges_of(trained())}
    moved = {name for name in before if before[name] != after[name]}
    assert moved == set(before) - {"picture_range"}
    low, high = after["picture_range"]
    assert (low, high) == INPUT_RANGE


def test_prepared_model_is_saved_and_read(tmp_path: Any) -> None:
    model = trained()
    model.save(tmp_path / "prepared.keras")
    again = load_prepared(tmp_path / "prepared.keras")
    np.testing.assert_array_equal(again(pictures()), model(pictures(), training=False))
    assert convert_prepared(again, [pictures(1)[0]]) == convert_prepared(model, [pictures(1)[0]])


def test_kernels_are_rounded_by_channel() -> None:
    kernel = np.random.default_rng(1).normal(size=(3, 3, 2, 4)).astype(np.float32)
    kernel[..., 1] = 0
    for depthwise, channels in ((False, (4,)), (True, (2, 4))):
        rounded = round_kernel(kernel, depthwise, True)
        step = np.abs(kernel).reshape(-1, *channels).max(axis=0) / 127
        assert np.all(np.abs(rounded - kernel) <= step * 0.5001)
        np.testing.assert_array_equal(round_kernel(rounded, depthwise, True), rounded)
    whole = round_kernel(kernel, False, False)
    assert len(np.unique(np.round(whole / (np.abs(kernel).max() / 127)))) <= 255


def test_layers_without_a_quantised_form_are_named() -> None:
    inputs = keras().Input((8, 8, 2))
    model = keras().Model(inputs, keras().layers.Conv2DTranspose(2, 3, name="grow")(inputs))
    with pytest.raises(UnsupportedError, match="'grow'"):
        prepare(model)


def test_prescribed_range_cannot_be_concatenated() -> None:
    inputs = keras().Input((8, 8, 2), name="picture")
    found = keras().layers.Conv2D(2, 1, name="look")(inputs)
    model = keras().Model(inputs, keras().layers.Concatenate(name="both")([inputs, found]))
    with pytest.raises(UnsupportedError, match="'picture'"):
        prepare(model, input_ranges=[INPUT_RANGE])
    assert {layer.name for layer in ranges_of(prepare(model))} == {"picture_range"}


def test_calibration_needs_data() -> None:
    with pytest.raises(UsageError, match="no batches"):
        calibrate(prepare(many_kinds()), [])
