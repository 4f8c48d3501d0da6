"""NASNet-A Mobile: cells found by reinforcement learning, trained with ScheduledDropPath.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2018, arXiv:1707.07012, figure 4 and
table 3: 4 @ 1056, that is twelve normal cells and 44 channels. For ScheduledDropPath (section 4) give ``drop_rate`` and
fit with :func:`tinyml.models.drop_path.scheduled_drop_path`.
"""

from __future__ import annotations

from functools import partial

from tinyml.models.cells import Body, Cell, build_cells
from tinyml.models.entry import Entry, Published

NORMAL = Cell(
    (
        (("separable_5", 0), ("separable_3", 1)),
        (("separable_5", 1), ("separable_3", 1)),
        (("average_3", 0), ("none", 1)),
        (("average_3", 1), ("average_3", 1)),
        (("separable_3", 0), ("none", 0)),
    ),
    (1, 2, 3, 4, 5, 6),
)
REDUCTION = Cell(
    (
        (("separable_5", 0), ("separable_7", 1)),
        (("max_3", 0), ("separable_7", 1)),
        (("average_3", 0), ("separable_5", 1)),
        (("none", 3), ("average_3", 2)),
        (("separable_3", 2), ("max_3", 0)),
    ),
    (3, 4, 5, 6),
)
"""Figure 4 of the paper."""

BODY = Body(NORMAL, REDUCTION, filters=44, divisor=4)

build = partial(build_cells, BODY, cells=12, name="nasnet")
"""NASNet-A with 44 channels times ``width`` and ``cells`` normal cells, a multiple of three."""

_PAPER = "Zoph et al. 2018, NASNet, arXiv:1707.07012, figure 4"

ROWS = (
    Entry(
        "nasnet_020_96",
        "nasnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.2), ("cells", 3), ("dropout", 0.0)),
        board="nano33ble",
    ),
    Entry(
        "nasnet_mobile_224",
        "nasnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("keras.applications.NASNetMobile; table 2 of the paper: 5.3 M", 5_289_978),
    ),
)
