"""Numbers, arrays and lines of C."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

LINE_LENGTH = 118
_INT32_MIN = -(2**31)

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float32": "float",
    "float64": "double",
    "bool": "uint8_t",
}
"""C's names of NumPy's dtypes."""


def c_int(value: int) -> str:
    """An int32 literal; INT32_MIN has no literal of its own."""
    return "(-2147483647 - 1)" if value == _INT32_MIN else str(value)


def c_float(value: float) -> str:
    """A float32 literal with the nine digits that identify it."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(ch in text for ch in ".e") else f"{text}.0f"


def wrap(items: Iterable[str], indent: str) -> str:
    """Items joined by commas into lines of at most :data:`LINE_LENGTH` characters."""
    lines: list[str] = []
    line = ""
    for item in items:
        if line and len(indent) + len(line) + len(item) + 3 > LINE_LENGTH:
            lines.append(line)
            line = ""
        line = f"{line}, {item}" if line else item
    if line:
        lines.append(line)
    return ",\n".join(indent + text for text in lines)


def array_body(data: npt.NDArray[Any], indent: str = "    ") -> str:
    """An array's elements, in lines of as many as fit the widest."""
    texts = [c_int(v) if isinstance(v, int) else f"{v:.17g}" for v in data.ravel().tolist()]
    width = max(len(text) for text in texts)
    columns = max(1, (LINE_LENGTH - len(indent)) // (width + 2))
    rows = (texts[i : i + columns] for i in range(0, len(texts), columns))
    return ",\n".join(indent + ", ".join(row) for row in rows)
