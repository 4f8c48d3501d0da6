"""MACs and parameters against arithmetic by hand."""

from __future__ import annotations

import pytest

from tinyml.models.counting import count_macs, count_parameters

pytestmark = pytest.mark.train


def test_each_kind_of_layer_by_hand() -> None:
    import keras

    inputs = keras.Input((8, 6, 4))
    x = keras.layers.Conv2D(12, (3, 2), strides=2, padding="same", groups=2, use_bias=False)(inputs)
    assert x.shape == (None, 4, 3, 12)
    x = keras.layers.DepthwiseConv2D(3, padding="valid", depth_multiplier=2)(x)
    assert x.shape == (None, 2, 1, 24)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(5)(x)
    model = keras.Model(inputs, x)
    convolution = 4 * 3 * 12 * (3 * 2 * 2)
    depthwise = 2 * 1 * 24 * 9
    dense = 48 * 5
    assert count_macs(model) == convolution + depthwise + dense
    assert count_parameters(model) == 12 * 12 + (24 * 9 + 24) + 2 * 24 + (48 * 5 + 5)


def test_a_nested_model_is_followed() -> None:
    import keras

    inner = keras.Sequential([keras.Input((10,)), keras.layers.Dense(4)])
    outer = keras.Sequential([keras.Input((10,)), inner, keras.layers.Dense(3)])
    assert count_macs(outer) == 40 + 12


def test_an_open_size_is_refused() -> None:
    import keras

    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(ValueError, match="open output shape"):
        count_macs(model)


def test_a_layer_called_twice_is_refused() -> None:
    import keras

    layer = keras.layers.Conv2D(3, 3, padding="same")
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.MaxPooling2D()(layer(inputs))
    with pytest.raises(ValueError, match="more than once"):
        count_macs(keras.Model(inputs, layer(pooled)))
