"""The catalogue: every named network of ours, its family, task, paper, default sizes and published figures.

Each family's file ends with its rows. Reading them imports no Keras; :func:`build_model` does.
"""

from __future__ import annotations

import difflib
from typing import Any

from tinyml.errors import UsageError
from tinyml.models import (
    amoebanet,
    autoencoder,
    bnn,
    chamnet,
    condensenet,
    deeplab_lite,
    dicenet,
    digits,
    ds_cnn,
    edgevit,
    efficientnet,
    efficientnet_edgetpu,
    efficientnet_v2,
    espnet,
    fastspeech,
    fbnet,
    fusion,
    ghostnet,
    gru_kws,
    hardnet,
    mcunet,
    micronet,
    micronet_kws,
    mixnet,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    mobilevit,
    mobilevit_v2,
    mobilevit_v3,
    nasnet,
    pnasnet,
    posenet,
    proxylessnas,
    resnet,
    senet,
    shufflenet_v1,
    shufflenet_v2,
    squeezenet,
    squeezenext,
    streaming_kws,
    super_resolution,
    tc_resnet,
    tinynet,
    tinyyolo,
)
from tinyml.models.entry import Entry, Published

__all__ = ["CATALOG", "Entry", "Published", "build_model", "families", "find_entry", "is_catalog_name"]

CATALOG: tuple[Entry, ...] = (
    *mobilenet_v1.ROWS,
    *mobilenet_v2.ROWS,
    *mobilenet_v3.ROWS,
    *efficientnet.ROWS,
    *efficientnet_v2.ROWS,
    *efficientnet_edgetpu.ROWS,
    *tinynet.ROWS,
    *mnasnet.ROWS,
    *fbnet.ROWS,
    *nasnet.ROWS,
    *pnasnet.ROWS,
    *amoebanet.ROWS,
    *chamnet.ROWS,
    *squeezenet.ROWS,
    *squeezenext.ROWS,
    *senet.ROWS,
    *shufflenet_v1.ROWS,
    *shufflenet_v2.ROWS,
    *condensenet.ROWS,
    *mixnet.ROWS,
    *ghostnet.ROWS,
    *dicenet.ROWS,
    *micronet.ROWS,
    *hardnet.ROWS,
    *mobilevit.ROWS,
    *mobilevit_v2.ROWS,
    *mobilevit_v3.ROWS,
    *edgevit.ROWS,
    *espnet.ROWS,
    *deeplab_lite.ROWS,
    *tinyyolo.ROWS,
    *posenet.ROWS,
    *fastspeech.ROWS,
    *bnn.ROWS,
    *ds_cnn.ROWS,
    *tc_resnet.ROWS,
    *micronet_kws.ROWS,
    *streaming_kws.ROWS,
    *gru_kws.ROWS,
    *mcunet.ROWS,
    *proxylessnas.ROWS,
    *resnet.ROWS,
    *autoencoder.ROWS,
    *super_resolution.ROWS,
    *fusion.ROWS,
    *digits.ROWS,
)
"""Every network, families together; the first of a family is what the family's name means."""


def families() -> dict[str, Entry]:
    """Map each family to its default entry, in the catalogue's order."""
    first: dict[str, Entry] = {}
    for entry in CATALOG:
        first.setdefault(entry.family, entry)
    return first


def find_entry(name: str) -> Entry:
    """The entry of that name, or a family's default entry; dashes and capitals do not matter.

    Raises UsageError for an unknown name, with the nearest ones in the hint.
    """
    wanted = name.strip().lower().replace("-", "_")
    known = families() | {entry.name: entry for entry in CATALOG}
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`tinyml models` lists the catalogue"
    raise UsageError(f"there is no model named {name!r} in the catalogue", hint=hint)


def is_catalog_name(name: str) -> bool:
    """Whether :func:`find_entry` knows ``name``."""
    wanted = name.strip().lower().replace("-", "_")
    return wanted in families() or any(entry.name == wanted for entry in CATALOG)


def build_model(name: str, *, batch_size: int | None = None, resolution: int | None = None, **overrides: Any) -> Any:
    """Build the network ``name`` as an untrained ``keras.Model`` with float32 input and output.

    ``batch_size=None`` suits training; conversion needs 1. ``overrides`` replace the entry's defaults (``classes``,
    ``input_shape``, ``width``, …); ``resolution`` is short for a square ``input_shape`` with the same channels.
    Raises UsageError for an unknown name or an option that this network does not have.
    """
    entry = find_entry(name)
    options = entry.defaults
    unknown = [key for key in overrides if key not in options]
    if unknown:
        raise UsageError(
            f"model {entry.name!r} has no option {unknown[0]!r}", hint=f"its options are {', '.join(sorted(options))}"
        )
    options |= overrides
    if resolution is not None:
        if len(entry.input_shape) != 3 or entry.input_shape[-1] != 3:
            raise UsageError(
                f"model {entry.name!r} does not take images, so it has no resolution", hint="leave --resolution out"
            )
        options["input_shape"] = (resolution, resolution, options["input_shape"][-1])
    return entry.builder(**options, batch_size=batch_size, name=entry.name)
