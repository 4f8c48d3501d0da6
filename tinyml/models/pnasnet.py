"""PNASNet-5 Mobile: one cell for everything, found by a search from simple cells to complex ones.

Liu et al., "Progressive Neural Architecture Search", 2018, arXiv:1712.00559, figure 1 and table 4; joints and the
mobile size from the authors' code (tensorflow/models, slim/nets/nasnet/pnasnet.py).
"""

from __future__ import annotations

from functools import partial

from tinyml.models.cells import Body, Cell, build_cells
from tinyml.models.entry import Entry, Published

CELL = Cell(
    (
        (("separable_5", 1), ("max_3", 1)),
        (("separable_7", 0), ("max_3", 0)),
        (("separable_5", 0), ("separable_3", 0)),
        (("separable_3", 4), ("max_3", 0)),
        (("separable_3", 1), ("none", 0)),
    ),
    (2, 3, 4, 5, 6),
)
"""Figure 1 of the paper."""

BODY = Body(CELL, CELL, filters=54, divisor=2, separate_reductions=False)

build = partial(build_cells, BODY, cells=9, name="pnasnet")
"""PNASNet-5 with 54 channels times ``width`` and ``cells`` cells, a multiple of three."""

_PAPER = "Liu et al. 2018, PNASNet, arXiv:1712.00559, figure 1"

ROWS = (
    Entry(
        "pnasnet_020_96",
        "pnasnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.2), ("cells", 3), ("dropout", 0.0)),
        board="nano33ble",
    ),
    Entry(
        "pnasnet_mobile_224",
        "pnasnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(
            "table 4 of the paper, N = 3, F = 54: 5.1 M, 588 M", 5_100_000, 100_000, 588_000_000, 1_000_000, 0.01
        ),
    ),
)
