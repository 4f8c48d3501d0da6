"""TinyNet: EfficientNet-B0 shrunk by a formula of its own, which keeps resolution and depth rather than width.

Han et al., "Model Rubik's Cube: Twisting Resolution, Depth and Width for TinyNets", 2020, arXiv:2010.14819, table 3;
multipliers and the fixed stem and head from the authors' code (huawei-noah/CV-Backbones, tinynet_pytorch). The formula
for any number of MACs is :func:`tinyml.models.formulas.tinynet`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyml.models.efficientnet import BODY
from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import build_body

TINY_BODY = replace(BODY, fixed_stem=True, fixed_head=True)


def build(
    *,
    input_shape: tuple[int, ...] = (106, 106, 3),
    classes: int = 1000,
    width: float = 0.51,
    depth: float = 0.6,
    fixed_ends: bool = True,
    dropout: float = 0.2,
    drop_rate: float = 0.2,
    batch_size: int | None = None,
    name: str = "tinynet",
) -> Any:
    """TinyNet-E unless told otherwise; ``fixed_ends=False`` lets stem and last convolution shrink as well."""
    return build_body(
        TINY_BODY if fixed_ends else BODY,
        input_shape=input_shape,
        classes=classes,
        width=width,
        depth=depth,
        dropout=dropout,
        drop_rate=drop_rate,
        batch_size=batch_size,
        name=name,
        repeats=lambda repeats, factor: max(1, round(repeats * factor)),
    )


_PAPER = "Han et al. 2020, Model Rubik's Cube, arXiv:2010.14819, table 3"
_CODE = "huggingface/pytorch-image-models, tinynet_{}: {} M"


def _row(letter: str, resolution: int, width: float, depth: float, millions: float) -> Entry:
    options = (("input_shape", (resolution, resolution, 3)), ("width", width), ("depth", depth))
    published = Published(_CODE.format(letter, millions), round(millions * 1_000_000), 10_000)
    return Entry(f"tinynet_{letter}", "tinynet", "image_classification", _PAPER, build, options, published)


ROWS = (
    Entry(
        "tinynet_035_96",
        "tinynet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.35), ("depth", 0.6), ("fixed_ends", False)),
        board="nano33ble",
    ),
    _row("a", 192, 1.0, 1.2, 6.19),
    _row("b", 188, 0.75, 1.1, 3.73),
    _row("c", 184, 0.54, 0.85, 2.46),
    _row("d", 152, 0.54, 0.695, 2.34),
    _row("e", 106, 0.51, 0.6, 2.04),
)
