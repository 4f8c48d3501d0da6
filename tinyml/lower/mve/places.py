"""Tables of places in the output, for pixels that lie further apart than the kernel's step was built for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.lower.program import Const

_PLACES: dict[str, tuple[Any, ...]] = {
    "places": (slice(None),),
    "lanes": (slice(-8, None),),
    "blocks": (slice(None, -1), 1),
}
"""What of a table, by its suffix, are places: all, the results behind the gathers, the second column but the end."""


def moved(const: Const, pitch: int, new_pitch: int) -> Const | None:
    """``const`` for pixels of ``new_pitch`` bytes instead of ``pitch``; None where its words do not hold the places."""
    if const.suffix not in _PLACES:
        return const
    data: npt.NDArray[Any] = const.data.astype(np.int64)
    at = _PLACES[const.suffix]
    data[at] = data[at] // pitch * new_pitch + data[at] % pitch
    return None if data.max() > np.iinfo(const.data.dtype).max else replace(const, data=data.astype(const.data.dtype))
