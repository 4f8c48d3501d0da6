"""Every entry of microcontroller size converts to int8 with ops that the compiler supports, and computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinyml.graph.check import check_supported
from tinyml.models.catalog import CATALOG, Entry, build_model
from tinyml.tflite.read import read_graph

pytestmark = pytest.mark.train

SMALL = [entry for entry in CATALOG if entry.board]


def third_now(entries: list[Entry]) -> list[Any]:
    """Every third entry for every run of the tests, the others for the sweep."""
    return [
        pytest.param(entry, id=entry.name, marks=[pytest.mark.sweep] if index % 3 else [])
        for index, entry in enumerate(entries)
    ]


@pytest.mark.parametrize("entry", third_now(SMALL))
def test_entry_converts_to_supported_int8(entry: Entry) -> None:
    import keras

    from tinyml.models.counting import count_macs
    from tinyml.tflite.convert import convert

    keras.utils.set_random_seed(3)
    model = build_model(entry.name, batch_size=1)
    source = np.random.default_rng(3)
    samples = [tuple(source.uniform(-1, 1, shape).astype(np.float32) for shape in entry.input_shapes) for _ in range(3)]
    graph = read_graph(convert(model, samples), name=entry.name)
    check_supported(graph)
    keras.backend.clear_session()
    assert [graph.tensors[i].shape for i in graph.inputs] == [(1, *shape) for shape in entry.input_shapes]
    shapes = model.output_shape if isinstance(model.output_shape, list) else [model.output_shape]
    assert [graph.tensors[i].shape for i in graph.outputs] == shapes
    assert _graph_macs(graph) == count_macs(model)


@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v3", "mcunet", "resnet", "autoencoder"])
def test_int8_follows_float(name: str) -> None:
    """Up to the last hidden layer, since untrained classifiers give every class about the same probability."""
    import keras

    from tinyml.tflite.convert import convert
    from tinyml.tflite.reference import Reference

    keras.utils.set_random_seed(5)
    model = build_model(name)
    hidden = model if name == "autoencoder" else keras.Model(model.input, model.get_layer("pool").output)
    source = np.random.default_rng(5)
    samples = source.uniform(-1, 1, (12, *model.input_shape[1:])).astype(np.float32)
    content = convert(hidden, list(samples))
    graph = read_graph(content)
    taken, given = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    quantised = np.clip(np.round(samples[:4] / taken.scale) + taken.zero_point, -128, 127).astype(np.int8)
    reference = Reference(content)
    ours = np.concatenate([reference.run([q[None]])[0].reshape(1, -1) for q in quantised]).astype(np.float64)
    ours = (ours - given.zero_point) * given.scale
    theirs = np.asarray(hidden(samples[:4])).reshape(4, -1)
    keras.backend.clear_session()
    noise = np.mean((ours - theirs) ** 2) / np.mean((theirs - theirs.mean()) ** 2)
    assert noise < 0.02


@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "mcunet", "resnet"])
def test_gradients_reach_every_weight(name: str) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(7)
    model = build_model(name, **({} if name == "ds_cnn" else {"resolution": 32}))
    inputs = np.random.default_rng(7).uniform(-1, 1, (4, *model.input_shape[1:])).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy()(np.array([0, 1, 0, 1]), model(inputs, training=True))
    gradients: list[Any] = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    keras.backend.clear_session()
    silent = [
        weight.path
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
        if gradient is None or not np.any(np.asarray(gradient)) or not np.all(np.isfinite(np.asarray(gradient)))
    ]
    assert silent == []


def _graph_macs(graph: Any) -> int:
    """As MLPerf Tiny counts, without attention's products and transposed convolutions."""
    from tinyml.graph.ops import SPECS

    counted = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    return sum(SPECS[op.kind].macs(graph, op) for op in graph.ops if op.kind in counted)


def _growing(batch_size: int) -> Any:
    """A network whose values grow a millionfold where its batch normalisations know no statistics, then a ReLU6."""
    import keras

    steep = keras.initializers.RandomUniform(-4e3, 4e3, seed=1)
    inputs = keras.Input((8, 8, 4), batch_size=batch_size)
    x = inputs
    for _ in range(2):
        x = keras.layers.Conv2D(4, 3, kernel_initializer=steep, use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Add()([x, keras.layers.MaxPooling2D(1)(x)])
    return keras.Model(inputs, keras.layers.ReLU(6.0)(x))


def test_what_grows_too_far_untrained_is_converted_with_settled_batch_norms() -> None:
    import keras

    from tinyml.errors import UnsupportedError
    from tinyml.sources import convert_random, convert_untrained

    with pytest.raises(UnsupportedError, match="output scales"):
        read_graph(convert_random(_growing(1)))
    model = _growing(1)
    check_supported(read_graph(convert_untrained(model)))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(float(np.max(norm.moving_variance)) > 1e5 for norm in norms[:1])
    assert [norm.momentum for norm in norms] == [0.99, 0.99]
