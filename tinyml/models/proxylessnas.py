"""ProxylessNAS at width 0.3, MCUNet's comparison at the same SRAM.

Cai, Zhu, Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware", 2019, arXiv:1812.00332;
the block table of the width 0.3 network is a fact read from the mcunet repository's configurations (MIT licence).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.entry import Entry, Published
from tinyml.models.searched import Network, build_network

W03 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (5, 24, 16, 2),
        (3, 48, 16, 1),
        (7, 48, 16, 2),
        (3, 48, 16, 1),
        (5, 48, 16, 1),
        (5, 48, 16, 1),
        (7, 96, 24, 2),
        (5, 72, 24, 1),
        (5, 72, 24, 1),
        (5, 72, 24, 1),
        (5, 144, 32, 1),
        (5, 96, 32, 1),
        (5, 96, 32, 1),
        (5, 96, 32, 1),
        (7, 192, 64, 2),
        (7, 384, 64, 1),
        (7, 192, 64, 1),
        (7, 192, 64, 1),
        (7, 384, 96, 1),
    ),
    head=384,
)
"""``proxyless-w0.3_imagenet``: 176x176."""


def build(
    *,
    input_shape: tuple[int, ...] = (176, 176, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "proxylessnas",
) -> Any:
    """The network of :data:`W03`."""
    return build_network(
        W03, input_shape=input_shape, classes=classes, dropout=dropout, batch_size=batch_size, name=name
    )


_MCUNET = "Lin et al. 2020, MCUNet, arXiv:2007.10319, section 4"
_PROXYLESS = "Cai et al. 2019, ProxylessNAS, arXiv:1812.00332, section 4.2"
_MCUNET_README = "mcunet repository, README, model list"

ROWS = (
    Entry(
        "proxylessnas_w03",
        "proxylessnas",
        "image_classification",
        f"{_PROXYLESS}; {_MCUNET}",
        build,
        (("input_shape", (176, 176, 3)), ("classes", 1000)),
        Published(_MCUNET_README, 750_000, 10_000, 38_300_000, 100_000),
        board="disco_f746ng",
    ),
)
