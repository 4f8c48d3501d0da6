"""Networks written as stages of inverted residuals: the EfficientNets and the searched networks of their kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from tinyml.models.blocks import (
    SIGMOID,
    SWISH,
    classify,
    conv,
    divisible,
    finish,
    fused_inverted_residual,
    image_input,
    inverted_residual,
)


@dataclass(frozen=True, slots=True)
class Stage:
    """``repeats`` inverted residuals, the first with ``strides``.

    ``expansion`` multiplies the block's input channels, unless ``expanded`` names the channels itself. ``excite`` is
    squeeze and excite's share of the block's *input* channels, 0 for none. A ``fused`` stage expands with the spatial
    kernel itself. ``skip=False`` leaves the shortcuts out.
    """

    repeats: int
    kernel: int
    strides: int
    expansion: int
    filters: int
    excite: float = 0.0
    fused: bool = False
    expanded: int | None = None
    skip: bool = True


@dataclass(frozen=True, slots=True)
class Body:
    """Stem channels, stages, channels of the last 1x1 convolution, and what all of its layers share."""

    stem: int
    stages: tuple[Stage, ...]
    head: int
    activation: str = SWISH
    gate: str = SIGMOID
    fixed_stem: bool = False
    fixed_head: bool = False


def repeats_up(repeats: int, depth: float) -> int:
    """EfficientNet's rule: ``repeats`` times ``depth``, rounded up."""
    return ceil(repeats * depth)


def build_body(
    body: Body,
    *,
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    depth: float,
    dropout: float,
    drop_rate: float,
    batch_size: int | None,
    name: str,
    repeats: Callable[[int, float], int] = repeats_up,
) -> Any:
    """Build ``body`` with channels times ``width`` and repeats times ``depth``.

    ``drop_rate`` is the last block's rate of drop path; the blocks before it have it in proportion to their place.
    """
    inputs = image_input(input_shape, batch_size)
    stem = body.stem if body.fixed_stem else divisible(body.stem * width)
    x = conv(inputs, stem, 3, strides=2, activation=body.activation, name="stem")
    counts = [repeats(stage.repeats, depth) for stage in body.stages]
    done = 0
    for number, (stage, count) in enumerate(zip(body.stages, counts, strict=True), start=1):
        for index in range(count):
            x = _block(x, stage, body, width, index == 0, drop_rate * done / sum(counts), f"stage{number}_{index + 1}")
            done += 1
    head = max(body.head, divisible(body.head * width)) if body.fixed_head else divisible(body.head * width)
    x = conv(x, head, 1, activation=body.activation, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _block(x: Any, stage: Stage, body: Body, width: float, first: bool, drop_rate: float, name: str) -> Any:
    before = x.shape[-1]
    filters = divisible(stage.filters * width)
    strides = stage.strides if first else 1
    expanded = divisible(stage.expanded * width) if stage.expanded is not None and first else before * stage.expansion
    squeezed = max(1, round(before * stage.excite)) if stage.excite else None
    residual = stage.skip and strides == 1 and before == filters
    expand = stage.expansion != 1 or stage.expanded is not None
    if stage.fused:
        return fused_inverted_residual(
            x,
            expanded=expanded,
            filters=filters,
            kernel=stage.kernel,
            strides=strides,
            expand=expand,
            residual=residual,
            activation=body.activation,
            squeezed=squeezed,
            drop_rate=drop_rate,
            name=name,
        )
    return inverted_residual(
        x,
        expanded=expanded,
        filters=filters,
        kernel=stage.kernel,
        strides=strides,
        expand=expand,
        residual=residual,
        activation=body.activation,
        squeezed=squeezed,
        squeeze_activation=body.activation,
        gate_function=body.gate,
        drop_rate=drop_rate,
        name=name,
    )
