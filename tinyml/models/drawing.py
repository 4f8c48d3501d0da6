"""A network's picture: a box for every layer that computes, arrows for tensors, from top to bottom.

Batch norms, activations and other layers that only finish what one layer began share that layer's box.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from tinyml.errors import UsageError

ROWS = 32
"""Boxes below each other before the picture goes on to the right."""
FINISHING = ("BatchNormalization", "ReLU", "Activation", "LeakyReLU", "PReLU", "Dropout", "Rescaling", "DropPath")
FORMATS = ("svg", "png", "pdf")
_BOX_INCHES, _ROW_INCHES = 1.9, 0.42
_COLOURS = {"Conv2D": "#cfe2f3", "DepthwiseConv2D": "#d9ead3", "Dense": "#fce5cd", "Add": "#ead1dc"}


@dataclass
class Box:
    """Layers drawn as one: what it says, the numbers of the boxes it reads, and its place from the top."""

    kind: str
    text: str
    shape: str
    sources: list[int]
    depth: int = 0
    also: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Both lines of the box."""
        return f"{' + '.join([self.text, *self.also])}\n{self.shape}"


def boxes_of(model: Any) -> list[Box]:
    """The boxes of a functional Keras model, each behind those that it reads."""
    users: dict[str, int] = {}
    for operation in model.operations:
        for name in _sources(operation):
            users[name] = users.get(name, 0) + 1
    found: list[Box] = []
    place: dict[str, int] = {}
    for operation in model.operations:
        names = [name for name in _sources(operation) if name in place]
        kind = type(operation).__name__
        if kind in FINISHING and len(names) == 1 and users.get(names[0], 0) == 1:
            box = found[place[names[0]]]
            place[operation.name] = place[names[0]]
            if kind != "BatchNormalization":
                box.also.append(_activation(operation))
            box.shape = _shape(operation)
            continue
        sources = list(dict.fromkeys(place[name] for name in names))
        depth = 1 + max((found[source].depth for source in sources), default=-1)
        place[operation.name] = len(found)
        found.append(Box(kind, _text(operation), _shape(operation), sources, depth))
    return found


def draw_network(model: Any, title: str, kind: str) -> bytes:
    """The picture as the bytes of an SVG, PNG or PDF file (``kind``); the same network gives the same bytes.

    Raises:
        UsageError: matplotlib is missing, or there is no such kind.
    """
    if kind not in FORMATS:
        raise UsageError(f"no pictures as {kind or 'files without a suffix'}", hint=f"one of {', '.join(FORMATS)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("drawing needs matplotlib", hint="pip install 'tinyml[train]'") from None
    boxes = boxes_of(model)
    beside: dict[int, list[int]] = {}
    for index, box in enumerate(boxes):
        beside.setdefault(box.depth, []).append(index)
    strips = -(-len(beside) // ROWS)
    widths = [
        max(len(row) for depth, row in beside.items() if depth // ROWS == strip) * (1 + 0.15) for strip in range(strips)
    ]
    rows = min(ROWS, len(beside))
    with matplotlib.rc_context({"svg.hashsalt": "tinyml", "svg.fonttype": "path"}):
        figure = Figure(figsize=(_BOX_INCHES * sum(widths) + 0.6, _ROW_INCHES * rows * 1.6 + 0.8))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(-0.2, sum(widths) + 0.2)
        axes.set_ylim(-rows - 0.2, 0.9)
        axes.text(0, 0.4, title, fontsize=9, fontweight="bold")
        places = {}
        for depth, row in beside.items():
            strip = depth // ROWS
            middle = sum(widths[:strip]) + widths[strip] / 2
            for position, index in enumerate(row):
                places[index] = middle + (position - (len(row) - 1) / 2) * 1.15, -(depth % ROWS) - 0.5
        for index, box in enumerate(boxes):
            for source in box.sources:
                arrow = {"arrowstyle": "-|>", "linewidth": 0.6, "color": "#777777", "shrinkA": 9, "shrinkB": 9}
                axes.annotate("", xy=places[index], xytext=places[source], arrowprops=arrow, zorder=1)
            colour = _COLOURS.get(box.kind, "#eeeeee")
            style = {"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "#555555", "linewidth": 0.6}
            x, y = places[index]
            axes.text(x, y, box.label, ha="center", va="center", fontsize=5.2, bbox=style, zorder=2)
        content = io.BytesIO()
        metadata = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}[kind]
        figure.savefig(content, format=kind, dpi=130, metadata=metadata)
    return content.getvalue()


def _sources(operation: Any) -> list[str]:
    return [parent.operation.name for node in operation._inbound_nodes[:1] for parent in node.parent_nodes]


def _shape(operation: Any) -> str:
    shapes = []
    outputs = operation.output if isinstance(operation.output, list | tuple) else [operation.output]
    for tensor in outputs:
        shapes.append("×".join(str(side) for side in tensor.shape[1:]) or "1")
    return ", ".join(shapes)


def _activation(operation: Any) -> str:
    found = getattr(operation, "activation", None)
    if found is not None:
        return str(getattr(found, "__name__", type(found).__name__))
    limit = getattr(operation, "max_value", None)
    return "relu6" if limit == 6 else type(operation).__name__.lower()


def _text(operation: Any) -> str:
    parts = [operation.name if type(operation).__name__ == "InputLayer" else type(operation).__name__]
    kernel, strides = getattr(operation, "kernel_size", None), getattr(operation, "strides", None)
    size = kernel or getattr(operation, "pool_size", None)
    if size is not None:
        parts.append("×".join(map(str, size)) if isinstance(size, list | tuple) else str(size))
    if strides is not None and set(strides if isinstance(strides, list | tuple) else (strides,)) != {1}:
        parts.append(f"/{max(strides) if isinstance(strides, list | tuple) else strides}")
    if getattr(operation, "groups", 1) > 1:
        parts.append(f"groups {operation.groups}")
    activation = getattr(operation, "activation", None)
    if activation is not None and getattr(activation, "__name__", "linear") != "linear":
        parts.append(f"+ {_activation(operation)}")
    return " ".join(parts)
