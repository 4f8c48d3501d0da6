"""Readable, unique layer names from the tensor names that converters leave in a file."""

from __future__ import annotations

from collections.abc import Iterable

MAX_LAYER_NAME = 64

_TAILS: dict[str, tuple[str, ...]] = {
    "CONV_2D": ("BiasAdd", "Conv2D", "conv2d", "convolution"),
    "DEPTHWISE_CONV_2D": ("BiasAdd", "depthwise", "convolution"),
    "FULLY_CONNECTED": ("BiasAdd", "MatMul", "Add"),
    "ADD": ("add", "Add", "AddV2"),
    "SUB": ("sub", "Sub"),
    "MUL": ("mul", "Mul"),
}

_ANONYMOUS = ("Identity", "PartitionedCall", "StatefulPartitionedCall", "tensor")


def layer_name(kind: str, tensor_name: str) -> str:
    """The layer that made an op, from its output tensor's name.

    Converters join the names of all that they fused with ``;`` (``m/act/Relu;m/bn/FusedBatchNorm;m/conv/BiasAdd``)
    and share constants between layers, so later parts can belong to other layers. The first part whose last component
    is what the op computes is preferred, with the ``1`` that the converter appends to a name that other layers' parts
    repeat; its other components without the outermost, the model's, are the name.
    """
    parts = [p.removesuffix(":0") for p in tensor_name.split(";") if p]
    if not parts:
        return kind.lower()
    tails = (tail + digit for tail in _TAILS.get(kind, ()) for digit in ("1", ""))
    chosen = next((p for tail in tails for p in parts if p.rsplit("/", 1)[-1] == tail), parts[0])
    components = [c for c in chosen.split("/") if c]
    if len(components) > 1:
        components = components[:-1]
    if len(components) > 1:
        components = components[1:]
    name = "".join(c if c.isprintable() else "?" for c in "/".join(components))[:MAX_LAYER_NAME]
    return kind.lower() if not name or name.startswith(_ANONYMOUS) else name


def unique_names(names: Iterable[str]) -> list[str]:
    """``names`` with ``_1``, ``_2`` … appended to those that came before."""
    taken: set[str] = set()
    counters: dict[str, int] = {}
    result = []
    for name in names:
        candidate = name
        while candidate in taken:
            counters[name] = counters.get(name, 0) + 1
            candidate = f"{name}_{counters[name]}"
        taken.add(candidate)
        result.append(candidate)
    return result
