"""AmoebaNet-A Mobile: cells found by evolution.

Real et al., "Regularized Evolution for Image Classifier Architecture Search", 2019, arXiv:1802.01548, figure 5 and
table 2 (N = 4, F = 50); the cells as in the authors' code (tensorflow/tpu,
models/official/amoeba_net, ``amoeba_net_a``).
"""

from __future__ import annotations

from functools import partial

from tinyml.models.cells import Body, Cell, build_cells
from tinyml.models.entry import Entry, Published

NORMAL = Cell(
    (
        (("average_3", 0), ("max_3", 0)),
        (("separable_3", 1), ("none", 1)),
        (("none", 0), ("average_3", 1)),
        (("separable_3", 0), ("separable_5", 2)),
        (("average_3", 5), ("separable_3", 0)),
    ),
    (1, 3, 4, 6),
)
REDUCTION = Cell(
    (
        (("separable_3", 1), ("average_3", 0)),
        (("max_3", 0), ("separable_7", 2)),
        (("max_3", 1), ("max_3", 0)),
        (("separable_3", 4), ("rowcolumn_7", 0)),
        (("average_3", 1), ("separable_7", 0)),
    ),
    (2, 3, 4, 5, 6),
)
"""Figure 5 of the paper, as the code has it."""

BODY = Body(NORMAL, REDUCTION, filters=50, divisor=2)

build = partial(build_cells, BODY, cells=12, name="amoebanet")
"""AmoebaNet-A with 50 channels times ``width`` and ``cells`` normal cells, a multiple of three."""

_PAPER = "Real et al. 2019, AmoebaNet, arXiv:1802.01548, figure 5"

ROWS = (
    Entry(
        "amoebanet_020_96",
        "amoebanet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.2), ("cells", 3), ("dropout", 0.0)),
        board="nano33ble",
    ),
    Entry(
        "amoebanet_a_224",
        "amoebanet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("table 2 of the paper, N = 4, F = 50: 5.1 M, 555 M", 5_100_000, 100_000, 555_000_000, 1_000_000),
    ),
)
