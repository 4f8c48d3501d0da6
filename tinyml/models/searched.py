"""Networks that a search found: a stem, a table of inverted residuals, an optional last convolution, a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.models.blocks import classify, conv, finish, image_input, inverted_residual

BlockRow = tuple[int, int, int, int]
"""Kernel, expanded channels (0: no expansion), output channels, stride."""


@dataclass(frozen=True, slots=True)
class Network:
    """Channels of the 3x3 stride-2 stem, the blocks, and the channels of the 1x1 convolution before the pool."""

    stem: int
    blocks: tuple[BlockRow, ...]
    head: int | None = None


def build_network(
    network: Network,
    *,
    input_shape: tuple[int, ...],
    classes: int,
    dropout: float,
    batch_size: int | None,
    name: str,
) -> Any:
    """Build ``network`` with ReLU6; a block has a shortcut where its stride is 1 and its channels do not change."""
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, network.stem, 3, strides=2, name="stem")
    for index, (kernel, expanded, filters, strides) in enumerate(network.blocks):
        x = inverted_residual(
            x,
            expanded=expanded,
            filters=filters,
            kernel=kernel,
            strides=strides,
            expand=expanded != 0,
            residual=strides == 1 and x.shape[-1] == filters,
            name=f"block{index}",
        )
    if network.head is not None:
        x = conv(x, network.head, 1, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)
