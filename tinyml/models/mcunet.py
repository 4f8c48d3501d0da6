"""MCUNet: networks found by search for a microcontroller's SRAM and flash.

Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020, arXiv:2007.10319. The paper does
not print the networks; the tables are facts read from the published configurations and models of the mcunet and
tinyengine repositories (MIT licence).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.entry import Entry, Published, Task
from tinyml.models.searched import Network, build_network

IN0 = Network(
    stem=24,
    blocks=(
        (3, 0, 16, 1),
        (5, 64, 16, 2),
        (3, 48, 16, 1),
        (3, 64, 16, 1),
        (7, 80, 24, 2),
        (5, 96, 24, 1),
        (5, 120, 24, 1),
        (7, 120, 48, 2),
        (5, 192, 48, 1),
        (3, 240, 56, 1),
        (5, 224, 56, 1),
        (3, 280, 56, 1),
        (3, 336, 112, 2),
        (5, 448, 112, 1),
        (3, 672, 192, 1),
    ),
)
"""``mcunet-10fps_imagenet``: 48x48."""

IN1 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (3, 32, 16, 2),
        (3, 48, 16, 1),
        (7, 48, 24, 2),
        (3, 120, 24, 1),
        (3, 120, 40, 2),
        (7, 160, 40, 1),
        (5, 160, 48, 1),
        (3, 144, 48, 1),
        (3, 192, 48, 1),
        (7, 240, 96, 2),
        (5, 384, 96, 1),
        (5, 384, 96, 1),
        (3, 576, 160, 1),
    ),
)
"""``mcunet-5fps_imagenet``: 96x96."""

IN2 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (5, 24, 16, 2),
        (7, 96, 16, 1),
        (3, 80, 16, 1),
        (5, 80, 16, 1),
        (3, 80, 24, 2),
        (7, 144, 24, 1),
        (5, 144, 24, 1),
        (7, 96, 40, 2),
        (5, 200, 40, 1),
        (3, 200, 48, 1),
        (5, 240, 48, 1),
        (3, 192, 48, 1),
        (5, 288, 96, 2),
        (5, 384, 96, 1),
        (5, 288, 96, 1),
        (3, 384, 96, 1),
        (5, 480, 160, 1),
    ),
)
"""``mcunet-256kb-1mb_imagenet``: 160x160."""

IN3 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (7, 24, 16, 2),
        (3, 80, 16, 1),
        (7, 80, 16, 1),
        (5, 64, 16, 1),
        (5, 80, 24, 2),
        (5, 120, 24, 1),
        (5, 120, 24, 1),
        (3, 120, 40, 2),
        (7, 240, 40, 1),
        (5, 160, 40, 1),
        (5, 200, 48, 1),
        (7, 240, 48, 1),
        (3, 240, 48, 1),
        (3, 288, 96, 2),
        (7, 480, 96, 1),
        (3, 384, 96, 1),
        (7, 480, 160, 1),
    ),
)
"""``mcunet-320kb-1mb_imagenet``: 176x176."""

IN4 = Network(
    stem=32,
    blocks=(
        (3, 0, 16, 1),
        (7, 48, 24, 2),
        (3, 120, 24, 1),
        (5, 96, 24, 1),
        (7, 120, 40, 2),
        (3, 160, 40, 1),
        (7, 160, 40, 1),
        (7, 120, 80, 2),
        (3, 240, 80, 1),
        (7, 240, 80, 1),
        (3, 320, 96, 1),
        (5, 288, 96, 1),
        (5, 288, 96, 1),
        (7, 384, 192, 2),
        (7, 576, 192, 1),
        (5, 576, 192, 1),
        (5, 768, 320, 1),
    ),
)
"""``mcunet-512kb-2mb_imagenet``: 160x160."""

VWW1 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (3, 48, 16, 2),
        (3, 48, 16, 1),
        (3, 48, 16, 1),
        (7, 48, 24, 2),
        (3, 144, 24, 1),
        (5, 120, 24, 1),
        (7, 144, 40, 2),
        (7, 240, 40, 1),
        (3, 240, 48, 1),
        (3, 192, 48, 1),
        (5, 240, 96, 2),
        (3, 480, 96, 1),
        (3, 384, 96, 1),
        (7, 288, 160, 1),
    ),
)
"""``mcunet-5fps_vww``: 80x80, two classes."""

VWW2 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (3, 24, 16, 2),
        (3, 80, 16, 1),
        (5, 96, 16, 1),
        (3, 48, 16, 1),
        (7, 80, 24, 2),
        (5, 96, 24, 1),
        (3, 96, 24, 1),
        (7, 144, 24, 1),
        (3, 144, 40, 2),
        (7, 240, 40, 1),
        (5, 160, 40, 1),
        (3, 200, 40, 1),
        (5, 200, 48, 1),
        (5, 144, 48, 1),
        (3, 192, 48, 1),
        (5, 144, 48, 1),
        (3, 192, 96, 2),
        (5, 480, 96, 1),
        (5, 384, 96, 1),
        (3, 384, 96, 1),
        (3, 480, 160, 1),
    ),
)
"""``mcunet-320kb-1mb_vww``: 144x144, two classes."""

NETWORKS = {"in0": IN0, "in1": IN1, "in2": IN2, "in3": IN3, "in4": IN4, "vww1": VWW1, "vww2": VWW2}


def build(
    *,
    network: str = "in3",
    input_shape: tuple[int, ...] = (176, 176, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "mcunet",
) -> Any:
    """One of :data:`NETWORKS`; raises KeyError for another name."""
    return build_network(
        NETWORKS[network],
        input_shape=input_shape,
        classes=classes,
        dropout=dropout,
        batch_size=batch_size,
        name=name,
    )


_MCUNET = "Lin et al. 2020, MCUNet, arXiv:2007.10319, section 4"
_MCUNET_README = "mcunet repository, README, model list"


def _row(
    network: str,
    resolution: int,
    classes: int,
    task: Task,
    kiloparameters: int,
    kilomacs: int,
    board: str = "nano33ble",
) -> Entry:
    options = (("network", network), ("input_shape", (resolution, resolution, 3)), ("classes", classes))
    published = Published(_MCUNET_README, kiloparameters * 1_000, 10_000, kilomacs * 1_000, 100_000)
    return Entry(f"mcunet_{network}", "mcunet", task, _MCUNET, build, options, published, board)


ROWS = (
    _row("vww1", 80, 2, "visual_wake_words", 430, 11_600),
    _row("vww2", 144, 2, "visual_wake_words", 640, 55_800),
    _row("in0", 48, 1000, "image_classification", 750, 6_400, "disco_f746ng"),
    _row("in1", 96, 1000, "image_classification", 640, 12_800),
    _row("in2", 160, 1000, "image_classification", 730, 67_300),
    _row("in3", 176, 1000, "image_classification", 740, 81_800, "disco_f746ng"),
    _row("in4", 160, 1000, "image_classification", 1_730, 125_900, "nucleo_h743zi"),
)
