"""The part of ``docs/kernels.md`` that says what every kind of layer costs, beside what the instruction set allows.

``python -m tinyml.kernels_page --layers MODEL …`` measures it on one board of each instruction set, beside the models
with a network of the catalogue that has large depthwise kernels, and keeps it in ``lower/layer_costs.json``.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyml.lower.layer_kinds import elements, layer_kinds
from tinyml.models.mcunet import VWW1
from tinyml.models.searched import build_network
from tinyml.pipeline import Options, profile
from tinyml.pipeline.compiled import compile_model
from tinyml.plan.choose import Goal

LAYER_COSTS = Path(__file__).parent / "lower" / "layer_costs.json"
LARGE = "mcunet_vww1"
LARGE_BLOCKS = {"dsp": 15, "mve": 14}
"""Of :data:`LARGE`, which has depthwise kernels of 5×5 and 7×7: the blocks for which the board has the flash."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The fewest instructions that an instruction set's multiply (a MAC) or loads and stores (an element) allow."""

    board: str
    a_mac: float
    an_added_element: float
    a_pooled_element: float
    reason: str


LIMITS = {
    "dsp": Limit("nucleo_l4r5zi", 1 / 2, 3 / 4, 1 / 4, "SMLAD multiplies and adds two pairs: two MACs an instruction"),
    "mve": Limit("mps3-an547", 1 / 16, 3 / 16, 1 / 16, "VMLADAVA.S8 multiplies and adds sixteen pairs"),
    "v6m": Limit(
        "pico",
        4 / 3,
        3 / 4,
        1 / 4,
        "the weights of three channels lie in two words, and as MULS does not add, three MACs are two MULS, two ADDS",
    ),
    "v7m": Limit(
        "mps2-an385",
        2 / 3,
        3 / 4,
        1 / 4,
        "the weights of three channels lie in two words, so that two MLA are three MACs",
    ),
}

HEADING = """
## Measured cost by kind of layer

Instructions of one inference, GCC, default kernels, every layer at once, summed over the layers of a kind that the
passes leave. Layers with weights are shown by MAC, the others by element of their (first) input. All is counted:
gathering, padding, expanding, requantisation, stores. The models are MLPerf Tiny's four and, for its larger depthwise
kernels, the catalogue's `mcunet_vww1`; for the Cortex-M55 without the last of its 15 blocks, since that board's 512 KB
of flash do not hold the whole.

`limit` is the fewest instructions that the multiplications take, with nothing around them, by the best packing that
the kernels know; of ADD two loads and a store, of pooling a load, four elements a word or sixteen a vector (LDM and STM
move several words and count once, so these can be passed). Softmax is bound by neither and has none.

"""

COLUMNS = """
| instruction set | layer | layers | MACs | elements | instructions | per MAC | per element | limit | × limit |
|---|---|---|---|---|---|---|---|---|---|
"""


def measure_layers(models: list[str]) -> dict[str, Any]:
    """Profile ``models`` on a board of each instruction set, and :data:`LARGE` where it is measured.

    Gives layers, instructions, MACs and elements by instruction set and kind of layer, and the names of the models.
    """
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    names: dict[str, list[str]] = defaultdict(list)
    options = Options(toolchain="gcc", memory=Goal(more_work=0.0))
    for isa, limit in LIMITS.items():
        for model in [*models, *_large_models(isa)]:
            program = compile_model(model, limit.board, options).program
            result = profile(model, limit.board, None, options)
            names[isa].append(result.model)
            for (step, kind), layer in zip(layer_kinds(program), result.layers, strict=True):
                sums = (1, layer.instructions, layer.macs, elements(program, step))
                found[isa, kind] = [a + b for a, b in zip(found[isa, kind], sums, strict=True)]
            sys.stderr.write(f"{limit.board} {result.model}\n")
    layers = [
        {"isa": isa, "layer": kind, "layers": n, "instructions": instructions, "macs": macs, "elements": sizes}
        for (isa, kind), (n, instructions, macs, sizes) in sorted(found.items())
    ]
    return {"models": dict(names), "layers": layers}


def _large_models(isa: str) -> list[Any]:
    """MCUNet's network for people in pictures: whole, or without the last blocks that have no room on the board."""
    if isa not in LARGE_BLOCKS:
        return []
    blocks = VWW1.blocks[: LARGE_BLOCKS[isa]]
    if blocks == VWW1.blocks:
        return [LARGE]
    network = replace(VWW1, blocks=blocks)
    name = f"{LARGE}_{len(blocks)}_blocks"
    return [build_network(network, input_shape=(80, 80, 3), classes=2, dropout=0.0, batch_size=None, name=name)]


def layers_section() -> str:
    """The section of the page, from the kept measurements."""
    kept = json.loads(LAYER_COSTS.read_text(encoding="utf-8"))
    facts = "".join(
        f"- **{isa}**: {LIMITS[isa].reason}. Measured on `{LIMITS[isa].board}` with"
        f" {', '.join(f'`{m}`' for m in models)}.\n"
        for isa, models in sorted(kept["models"].items())
    )
    return HEADING + facts + COLUMNS + "".join(_row(entry) for entry in kept["layers"])


def _row(entry: dict[str, Any]) -> str:
    macs, instructions = entry["macs"], entry["instructions"]
    unit_cost = instructions / (macs or entry["elements"])
    limit = _limit(LIMITS[entry["isa"]], entry["layer"], weighted=macs > 0)
    cells = (
        entry["isa"],
        entry["layer"],
        str(entry["layers"]),
        f"{macs:,}" if macs else "",
        "" if macs else f"{entry['elements']:,}",
        f"{instructions:,}",
        f"{unit_cost:.2f}" if macs else "",
        "" if macs else f"{unit_cost:.2f}",
        "" if limit is None else f"{limit:.3g}",
        "" if limit is None else f"{unit_cost / limit:.1f}",
    )
    return f"| {' | '.join(cells)} |\n"


def _limit(limit: Limit, layer: str, *, weighted: bool) -> float | None:
    if weighted:
        return limit.a_mac
    return {"add": limit.an_added_element, "pooling": limit.a_pooled_element}.get(layer)
