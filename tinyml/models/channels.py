"""Moving channels about: shuffles between groups, splits and gathers, as layers that the int8 converter takes."""

from __future__ import annotations

from typing import Any

Layer = Any
"""A Keras tensor of (batch, height, width, channels)."""


def shuffle(x: Layer, groups: int, *, name: str) -> Layer:
    """Give each of ``groups`` successive channels to another group: channel ``g * n + i`` becomes ``i * groups + g``.

    Zhang et al. 2018, ShuffleNet, arXiv:1707.01083, figure 1c. ``groups`` divides the channels.
    """
    import keras

    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((height, width, groups, channels // groups), name=f"{name}_grouped")(x)
    x = keras.layers.Permute((1, 2, 4, 3), name=f"{name}_shuffle")(x)
    return keras.layers.Reshape((height, width, channels), name=f"{name}_flat")(x)


def split(x: Layer, sizes: tuple[int, ...]) -> list[Layer]:
    """Cut the channels into parts of ``sizes``, in order; equal parts become SPLIT, others SPLIT_V."""
    import keras

    if len(set(sizes)) == 1:
        return list(keras.ops.split(x, len(sizes), axis=-1))
    ends = [sum(sizes[: index + 1]) for index in range(len(sizes) - 1)]
    return list(keras.ops.split(x, ends, axis=-1))


def even_sizes(channels: int, parts: int) -> tuple[int, ...]:
    """``parts`` sizes that sum to ``channels``, all equal but the first, which takes what is left over.

    The rule of MixNet's code (``_split_channels``).
    """
    rest = channels // parts
    return (channels - rest * (parts - 1), *(rest for _ in range(parts - 1)))
