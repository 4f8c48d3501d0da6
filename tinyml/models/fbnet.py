"""FBNet-C: inverted residuals chosen layer by layer by a differentiable search.

Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search", 2019,
arXiv:1812.03443, table 1 and figure 4; the layers of FBNet-C as in the authors' released network
(facebookresearch/mobile-vision, FBNet/models/FBNet-C).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU
from tinyml.models.entry import Entry, Published
from tinyml.models.mbconv import Body, Stage, build_body

STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(1, 3, 2, 6, 24),
    Stage(2, 3, 1, 1, 24),
    Stage(1, 5, 2, 6, 32),
    Stage(1, 5, 1, 3, 32),
    Stage(1, 5, 1, 6, 32),
    Stage(1, 3, 1, 6, 32),
    Stage(1, 5, 2, 6, 64),
    Stage(1, 5, 1, 3, 64),
    Stage(2, 5, 1, 6, 64),
    Stage(3, 5, 1, 6, 112),
    Stage(1, 5, 1, 3, 112),
    Stage(4, 5, 2, 6, 184),
    Stage(1, 3, 1, 6, 352),
)
"""Figure 4, from the input on; the skipped layers are left out."""

BODY = Body(16, STAGES, 1984, activation=RELU)


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.2,
    drop_rate: float = 0.0,
    batch_size: int | None = None,
    name: str = "fbnet",
) -> Any:
    """FBNet-C with channels times ``width``."""
    return build_body(
        BODY,
        input_shape=input_shape,
        classes=classes,
        width=width,
        depth=1.0,
        dropout=dropout,
        drop_rate=drop_rate,
        batch_size=batch_size,
        name=name,
    )


_PAPER = "Wu et al. 2019, FBNet, arXiv:1812.03443, figure 4"

ROWS = (
    Entry(
        "fbnet_025_96",
        "fbnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        board="nano33ble",
    ),
    Entry(
        "fbnet_c_224",
        "fbnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("huggingface/pytorch-image-models, fbnetc_100: 5.57 M; the paper prints 5.5 M", 5_570_000, 10_000),
    ),
)
