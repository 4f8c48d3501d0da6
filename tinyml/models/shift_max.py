"""Dynamic Shift-Max: each channel becomes the largest of sums of itself and a channel of another group.

Li et al., "MicroNet: Improving Image Recognition with Extremely Low FLOPs", 2021, arXiv:2108.05894, section 4;
constants from the authors' code (liyunsheng13/micronet, backbone/activation.py, ``DYShiftMax``). Works in any model.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import HARD_SIGMOID, divisible
from tinyml.models.channels import split
from tinyml.models.learned_groups import channel_index_layer

SPAN = 4.0
"""The gates' range: from -2 to 2 around where they begin."""


def shifted(channels: int, groups: int) -> list[int]:
    """For each channel the one that its sums take besides it: the next of the next group, in a circle."""
    size = channels // groups
    return [(group + 1) % groups * size + (place + 1) % size for group in range(groups) for place in range(size)]


def shift_max(
    x: Any,
    *,
    groups: int,
    name: str,
    sums: int = 2,
    reduction: int = 8,
    initial: tuple[float, float, float, float] = (1.0, 0.0, 1.0, 0.0),
) -> Any:
    """``max`` over one or two ``sums`` ``a * x + b * shifted(x)`` (equation 6, J = 2).

    ``x`` is (batch, height, width, channels). The gates a and b come from the channels' means, as squeeze and excite's
    do, and ``initial`` is where they begin: a and b of the first sum, then of the second.
    """
    import keras

    channels = x.shape[-1]
    gates = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    squeezed = max(4, divisible(channels // reduction, 4))
    # as the authors do: gates near their beginning, or a deep network's signal grows by each of them
    small = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.01)}
    gates = keras.layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}_reduce", **small)(gates)
    gates = keras.layers.Conv2D(2 * sums * channels, 1, name=f"{name}_expand", **small)(gates)
    gates = keras.layers.Activation(HARD_SIGMOID, name=f"{name}_gate")(gates)
    offsets = [value - SPAN / 2 for value in initial[: 2 * sums] for _ in range(channels)]
    parts = split(keras.layers.Rescaling(SPAN, offsets, name=f"{name}_gates")(gates), (channels,) * (2 * sums))
    other = channel_index_layer()(channels, indices=shifted(channels, groups), name=f"{name}_shift")(x)
    made = []
    for index in range(sums):
        own = keras.layers.Multiply(name=f"{name}_own{index + 1}")([x, parts[2 * index]])
        far = keras.layers.Multiply(name=f"{name}_far{index + 1}")([other, parts[2 * index + 1]])
        made.append(keras.layers.Add(name=f"{name}_sum{index + 1}")([own, far]))
    return made[0] if sums == 1 else keras.layers.Maximum(name=f"{name}_max")(made)
