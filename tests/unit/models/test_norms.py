"""Our norms: the textbook's numbers in float32, and int8 through and through once converted, close to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinyml.graph.ir import DType
from tinyml.tflite.reference import Reference

pytestmark = pytest.mark.train

SHAPE = (16, 48)


def _model(kind: str) -> Any:
    import keras

    from tinyml.models.norms import norm_layers

    source = keras.Input(batch_shape=(1, *SHAPE))
    layer = norm_layers()[kind]()
    model = keras.Model(source, layer(source))
    rng = np.random.default_rng(1)
    layer.gamma.assign(rng.uniform(0.5, 1.5, 48))
    if hasattr(layer, "beta"):
        layer.beta.assign(rng.uniform(-0.5, 0.5, 48))
    return model


def _samples(count: int) -> np.ndarray:
    """Positions whose deviations lie up to 8:1 apart, off centre."""
    rng = np.random.default_rng(2)
    spread = np.exp(rng.uniform(0, np.log(8), (count, 16, 1)))
    values: np.ndarray = (rng.normal(0.2, 1, (count, *SHAPE)) * spread).astype(np.float32)
    return values


def _textbook(kind: str, x: np.ndarray, model: Any) -> np.ndarray:
    gamma, *beta = (np.array(weight) for weight in model.weights)
    axes = (1, 2) if kind == "WholeNorm" else (2,)
    deviation = x if kind == "RMSNorm" else x - x.mean(axes, keepdims=True)
    scaled: np.ndarray = deviation / np.sqrt((deviation**2).mean(axes, keepdims=True) + 1e-5) * gamma
    return scaled + beta[0] if beta else scaled


@pytest.mark.parametrize(("kind", "least_db"), [("LayerNorm", 26.0), ("RMSNorm", 26.0), ("WholeNorm", 26.0)])
def test_norms_are_the_textbooks_and_convert_to_int8(kind: str, least_db: float) -> None:
    from tinyml.tflite.convert import convert

    model, samples = _model(kind), _samples(40)
    expected = np.concatenate([_textbook(kind, x[None], model) for x in samples])
    for x, wanted in zip(samples[:4], expected, strict=False):
        np.testing.assert_allclose(np.array(model(x[None]))[0], wanted, atol=2e-3)
    reference = Reference(convert(model, list(samples[:32])))
    graph = reference.graph
    assert {graph.tensors[t].dtype for t in graph.activations()} == {DType.INT8}
    assert ("L2_NORMALIZATION" in {op.kind for op in graph.ops}) == (kind != "WholeNorm")
    x, y = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    errors = power = 0.0
    for sample, wanted in zip(samples[32:], expected[32:], strict=True):
        quantised = np.clip(np.round(sample[None] / x.scale) + x.zero_point, -128, 127).astype(np.int8)
        (got,) = reference.run([quantised])
        errors += float((((got.astype(np.float64) - y.zero_point) * y.scale - wanted) ** 2).sum())
        power += float((wanted**2).sum())
    assert 10 * np.log10(power / errors) > least_db
