"""What vision and speech transformers share: attention over tokens, feed-forward parts, pixels as tokens and back.

Tokens are Keras tensors of shape (batch, groups, tokens, channels), float32: attention runs within a group.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.norms import layer_norm

Layer = Any


def to_patches(x: Layer, patch: int, *, name: str) -> Layer:
    """Pixels (height, width, channels) as ``patch * patch`` groups: those of one place in their patch are together.

    MobileViT's unfolding (Mehta, Rastegari 2022, arXiv:2110.02178, section 3.1): (P, N, channels) with P pixels a patch
    and N patches. Height and width are multiples of ``patch``.
    """
    import keras

    height, width, channels = x.shape[1:]
    down, across = height // patch, width // patch
    x = keras.layers.Reshape((down, patch, across, patch, channels), name=f"{name}_cut")(x)
    x = keras.layers.Permute((2, 4, 1, 3, 5), name=f"{name}_turn")(x)
    return keras.layers.Reshape((patch * patch, down * across, channels), name=f"{name}_tokens")(x)


def from_patches(x: Layer, size: tuple[int, int], patch: int, *, name: str) -> Layer:
    """The reverse of :func:`to_patches`: pixels of ``size`` (height, width)."""
    import keras

    down, across, channels = size[0] // patch, size[1] // patch, x.shape[-1]
    x = keras.layers.Reshape((patch, patch, down, across, channels), name=f"{name}_cut")(x)
    x = keras.layers.Permute((3, 1, 4, 2, 5), name=f"{name}_turn")(x)
    return keras.layers.Reshape((*size, channels), name=f"{name}_pixels")(x)


def self_attention(x: Layer, heads: int, *, name: str, output: bool = True) -> Layer:
    """Multi-head attention, softmax(q k^T / sqrt(d)) v, of every group's tokens (arXiv:1706.03762, section 3.2).

    A token that is alone in its group attends to itself, whatever it asks: there the values are all there is.
    ``output=False`` leaves the dense layer behind it to the caller.
    """
    import keras

    groups, tokens, channels = x.shape[1:]
    size = channels // heads
    if tokens == 1:
        y = keras.layers.Dense(channels, name=f"{name}_value")(x)
        return keras.layers.Dense(channels, name=f"{name}_output")(y) if output else y

    def projected(part: str, order: tuple[int, ...]) -> Layer:
        y = keras.layers.Dense(channels, name=f"{name}_{part}")(x)
        y = keras.layers.Reshape((groups, tokens, heads, size), name=f"{name}_{part}_heads")(y)
        return keras.layers.Permute(order, name=f"{name}_{part}_turn")(y)

    query, value = projected("query", (1, 3, 2, 4)), projected("value", (1, 3, 2, 4))
    key = projected("key", (1, 3, 4, 2))
    query = keras.layers.Rescaling(size**-0.5, name=f"{name}_scale")(query)
    weights = keras.layers.Softmax(name=f"{name}_softmax")(keras.ops.matmul(query, key))
    y = keras.layers.Permute((1, 3, 2, 4), name=f"{name}_back")(keras.ops.matmul(weights, value))
    y = keras.layers.Reshape((groups, tokens, channels), name=f"{name}_joined")(y)
    return keras.layers.Dense(channels, name=f"{name}_output")(y) if output else y


def feed_forward(x: Layer, hidden: int, activation: str, *, name: str) -> Layer:
    """Two dense layers over the channels, ``activation`` between them."""
    import keras

    y = keras.layers.Dense(hidden, name=f"{name}_up")(x)
    y = keras.layers.Activation(activation, name=f"{name}_{activation}")(y)
    return keras.layers.Dense(x.shape[-1], name=f"{name}_down")(y)


def encoder(x: Layer, heads: int, hidden: int, activation: str, *, name: str) -> Layer:
    """A transformer's encoder layer with the norms before its parts (Dosovitskiy et al. 2021, arXiv:2010.11929)."""
    import keras

    y = self_attention(layer_norm(x, name=f"{name}_norm1"), heads, name=f"{name}_attention")
    x = keras.layers.Add(name=f"{name}_add1")([x, y])
    y = feed_forward(layer_norm(x, name=f"{name}_norm2"), hidden, activation, name=f"{name}_mlp")
    return keras.layers.Add(name=f"{name}_add2")([x, y])
