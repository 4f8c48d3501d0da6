"""Only new rows: a network whose input is a window that slides along time, computing what each hop adds and no more.

A layer that does not pad time gives row r of its output from rows r·s … r·s + k - 1 of its input, wherever the window
stands. When the window moves on by ``hop`` rows, a multiple of the strides before a layer, all of the layer's rows but
the last hop / strides are those of the inference before, moved. So every layer keeps the last rows of its input that
its next rows read, and computes only these; exactly, for it is the same sum over the same bytes. The first layer that
reads all of time (a mean, a dense layer) or pads it gets all its rows, kept in the same way, and runs whole.

After ``window_rows`` rows the outputs are those of the whole network on the last window; before, they mean nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import ABSENT, Graph, Op, Tensor
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs, PoolAttrs, ViewAttrs
from tinyml.graph.ops.concatenation import ConcatenationAttrs
from tinyml.lower.fuse import fuse
from tinyml.lower.program import Hop, In, Int, Out, Step
from tinyml.lower.rows import BINARY, ELEMENTWISE, WINDOWED

KIND = "KEEP_ROWS"
HEADER = "tml_keep_rows.h"
_RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_OVER_FEATURES = frozenset({"L2_NORMALIZATION", "LOG_SOFTMAX"})
VARIABLES = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True, slots=True)
class Span:
    """A tensor along time: its ``rows`` in a whole inference, the last ``new`` of which a hop adds."""

    rows: int
    new: int


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of ``tensor`` that stay from hop to hop, in the tensor ``held``: the last ``kept`` and the ``new`` ones."""

    tensor: int
    held: int
    kept_bytes: int
    new_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """A network that computes new rows only: its graph, the windows filled before each op, what the program shall know.

    ``windows[i]`` are filled before op i of ``graph``, those at the number of its ops after the last.
    """

    graph: Graph
    windows: dict[int, tuple[Window, ...]]
    hop: Hop


@dataclass(frozen=True, slots=True)
class _Layer:
    """How an op goes along time: kernel and stride in rows; of a piece the row it begins with, and all its rows."""

    kernel: int
    stride: int
    first: int = 0
    piece: int = 0

    def rows(self, rows: int) -> int:
        """Rows that it makes of so many."""
        return self.piece or (rows - self.kernel) // self.stride + 1


def time_axis(shape: tuple[int, ...], rows: int) -> int | None:
    """The dimension of ``shape`` that is time, with ``rows`` rows one behind the other in memory; None without one."""
    for axis, size in enumerate(shape):
        if size == rows and math.prod(shape[:axis]) == 1 and rows > 1:
            return axis
    return None


def rows_of_input(graph: Graph) -> int:
    """Rows of the only input: its first dimension of more than one. Raises UnsupportedError where there is none."""
    if len(graph.inputs) != 1:
        raise UnsupportedError(f"the model has {len(graph.inputs)} inputs; only a single one can stream along time")
    shape = graph.tensors[graph.inputs[0]].shape
    rows = next((size for size in shape if size > 1), 0)
    if not rows or (rows == math.prod(shape) and len(shape) < 3):
        raise UnsupportedError(f"the model's input {list(shape)} has no rows that follow each other in time")
    return rows


def stream(graph: Graph, hop_rows: int, rows: int | None = None) -> Streamed:
    """``graph`` for the next ``hop_rows`` of the ``rows`` of its input (default: :func:`rows_of_input`).

    Raises UnsupportedError, naming the layer and the cause, where nothing but the input would be kept.
    """
    rows = rows or rows_of_input(graph)
    source = graph.tensors[graph.inputs[0]]
    if not 0 < hop_rows < rows or source.elements % rows:
        raise UnsupportedError(
            f"a hop of {hop_rows} rows does not stream through an input of {rows}",
            hint="a hop is at least one row and less than the whole input",
        )
    if any(op.kind in VARIABLES for op in graph.ops):
        raise UnsupportedError("the network keeps variables from run to run, so that no window gives its outputs")
    work = _Work(fuse(graph), rows, hop_rows)
    for op in work.graph.ops:
        work.add(op)
    return work.done()


@dataclass(slots=True)
class _Work:
    """A graph being rewritten, op by op."""

    graph: Graph
    rows: int
    hop_rows: int
    tensors: list[Tensor] = field(init=False)
    spans: dict[int, Span] = field(init=False)
    held: dict[tuple[int, int], int] = field(default_factory=dict)
    windows: dict[int, tuple[Window, ...]] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    sources: list[int] = field(init=False)
    layers: int = 0
    ends: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensors = list(self.graph.tensors)
        self.sources = list(self.graph.source_tensors)
        self.spans = {}
        self.begin(self.graph.inputs[0], Span(self.rows, self.hop_rows))

    def begin(self, tensor: int, span: Span) -> None:
        """From here on ``tensor`` holds only its new rows."""
        self.spans[tensor] = span
        self.tensors[tensor] = replace(self.tensors[tensor], shape=self.shape(tensor, span.new))
        if self.sources:
            self.sources[tensor] = -1

    def shape(self, tensor: int, rows: int) -> tuple[int, ...]:
        whole, span = self.graph.tensors[tensor].shape, self.spans[tensor]
        axis = time_axis(whole, span.rows)
        if axis is None:
            return (1, math.prod(whole) // span.rows * rows)
        return (*whole[:axis], rows, *whole[axis + 1 :])

    def add(self, op: Op) -> None:
        """The op behind the windows that it reads; it computes its new rows, or all of them."""
        reading = [t for t in op.inputs if t in self.spans]
        if not reading:
            self.ops.append(op)
            return
        found = self.along_time(op, self.spans[reading[0]])
        if isinstance(found, str):
            self.ends.append((f"{op.kind} ({op.name})", found))
            self.ops.append(self.reading(op, dict.fromkeys(reading, 0)))
            return
        layer, output = found, op.outputs[0]
        span = self.spans[reading[0]]
        out = Span(layer.rows(span.rows), span.new // layer.stride)
        self.layers += op.kind not in _RESHAPES and not layer.piece
        first = layer.first + (out.rows - out.new) * layer.stride
        part = self.reading(op, dict.fromkeys(reading, first))
        self.begin(output, out)
        if layer.piece:
            part = replace(part, attrs=ViewAttrs(0, (self.tensors[output].elements,), (1,)))
        self.ops.append(part)

    def reading(self, op: Op, first: dict[int, int]) -> Op:
        """``op`` with its tensors along time from row ``first`` on."""
        places = {t: self.window(t, row) for t, row in first.items()}
        return replace(op, inputs=tuple(places.get(t, t) for t in op.inputs))

    def window(self, tensor: int, first: int) -> int:
        """The tensor that holds the rows of ``tensor`` from ``first`` on."""
        span = self.spans[tensor]
        if first == span.rows - span.new:
            return tensor
        known = self.held.get((tensor, first))
        if known is not None:
            return known
        old, rows = self.graph.tensors[tensor], span.rows - first
        if rows < span.new:
            return self.last(tensor, first, rows)
        row_bytes = old.size_bytes // span.rows
        self.tensors.append(replace(old, name=f"{old.name} kept", shape=self.shape(tensor, rows)))
        if self.sources:
            self.sources.append(self.graph.source_tensors[tensor] if first == 0 else -1)
        held = len(self.tensors) - 1
        window = Window(tensor, held, (rows - span.new) * row_bytes, span.new * row_bytes)
        self.held[tensor, first] = held
        self.windows[len(self.ops)] = (*self.windows.get(len(self.ops), ()), window)
        return held

    def last(self, tensor: int, first: int, rows: int) -> int:
        """The last ``rows`` of the new rows of ``tensor``, for a kernel shorter than its stride: nothing stays."""
        old, span = self.graph.tensors[tensor], self.spans[tensor]
        row = old.elements // span.rows
        self.tensors.append(replace(old, name=f"{old.name} last", shape=self.shape(tensor, rows)))
        if self.sources:
            self.sources.append(-1)
        piece = ViewAttrs((span.new - rows) * row, (rows * row,), (1,))
        made = self.held[tensor, first] = len(self.tensors) - 1
        self.ops.append(Op("STRIDED_SLICE", self.tensors[made].name, (tensor,), (made,), piece))
        return made

    def along_time(self, op: Op, span: Span) -> _Layer | str:
        """How ``op`` goes along time, or why it needs all rows."""
        for tensor in op.inputs:
            if tensor in self.spans and self.spans[tensor] != span:
                return "it joins rows of other times"
            if tensor != ABSENT and tensor not in self.spans and not self.graph.tensors[tensor].is_constant:
                return "it also reads what is no row of this time"
        layer = _layer(self.graph, op, span.rows)
        if isinstance(layer, str):
            return layer
        if span.new % layer.stride:
            return f"its stride of {layer.stride} rows does not divide the {span.new} new ones of a hop"
        if layer.rows(span.rows) <= span.new // layer.stride:
            return "it makes no more rows than are new"
        return layer

    def done(self) -> Streamed:
        if not self.layers:
            op, cause = self.ends[0] if self.ends else ("the network", "it reads no row")
            raise UnsupportedError(
                f"nothing of the network streams along time: {op}: {cause}",
                hint="layers that stream do not pad time (Keras: padding='valid') and have strides that divide the hop",
            )
        outputs = tuple(self.window(t, 0) if t in self.spans else t for t in self.graph.outputs)
        channels = self.graph.source_channels
        added = len(self.tensors) - len(self.graph.tensors)
        held = {new: old for (old, _), new in self.held.items()}
        graph = replace(
            self.graph,
            tensors=tuple(self.tensors),
            ops=tuple(self.ops),
            outputs=outputs,
            source_tensors=tuple(self.sources),
            source_channels=(*channels, *(channels[held[len(channels) + i]] for i in range(added))) if channels else (),
        )
        hop = Hop(self.hop_rows, self.rows, self.layers, tuple(self.ends))
        return Streamed(graph, self.windows, hop)


def _layer(graph: Graph, op: Op, rows: int) -> _Layer | str:
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.kind in _RESHAPES:
        flat = len(y.shape) == 2 and y.shape[0] == 1
        return _Layer(1, 1) if time_axis(y.shape, rows) is not None or flat else "it takes rows apart"
    axis = time_axis(x.shape, rows)
    if axis is None:
        return "it reads all of time at once"
    if op.kind in WINDOWED:
        return _windowed(graph, op, axis)
    if isinstance(op.attrs, ViewAttrs):
        return _piece(op.attrs, x, y, rows)
    if op.kind in ELEMENTWISE and x.shape == y.shape and (axis < len(x.shape) - 1 or op.kind not in _OVER_FEATURES):
        return _Layer(1, 1)
    if op.kind in BINARY:
        return _Layer(1, 1) if _same_for_rows(graph, op, y, axis) else "its operands differ from row to row"
    if op.kind == "CONCATENATION":
        alike = all(not graph.tensors[i].is_constant for i in op.inputs)
        along = cast(ConcatenationAttrs, op.attrs).axis % len(y.shape)
        return _Layer(1, 1) if alike and along > axis else "it joins more than features"
    if op.kind == "FULLY_CONNECTED":
        features = graph.tensors[op.inputs[1]].shape[1]
        each = axis < len(x.shape) - 1 and x.elements // rows % features == 0 and time_axis(y.shape, rows) == axis
        return _Layer(1, 1) if each else "it reads all of time at once"
    return "it reads all of time at once"


def _piece(view: ViewAttrs, x: Tensor, y: Tensor, rows: int) -> _Layer | str:
    """Rows cut out of others, which a network does to what goes around its convolutions."""
    row = x.elements // rows
    kept, rest = divmod(y.elements, row)
    if not view.contiguous or rest or view.offset % row or time_axis(y.shape, kept) is None:
        return "it moves elements between rows"
    return _Layer(1, 1, view.offset // row, kept)


def _windowed(graph: Graph, op: Op, axis: int) -> _Layer | str:
    attrs: Any = op.attrs
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if axis not in (1, 2) or len(x.shape) != 4:
        return "its rows are not the height or width of an image"
    upright = axis == 1
    if isinstance(attrs, PoolAttrs):
        kernel, across = (attrs.filter_h, 1) if upright else (attrs.filter_w, attrs.filter_h)
    else:
        dilated = cast(Conv2DAttrs | DepthwiseConv2DAttrs, attrs)
        taps, dilation = graph.tensor(op.inputs[1]).shape[axis], dilated.dilation_h if upright else dilated.dilation_w
        kernel, across = (taps - 1) * dilation + 1, 1 if upright else graph.tensor(op.inputs[1]).shape[1]
    stride, before = (attrs.stride_h, attrs.pad_top) if upright else (attrs.stride_w, attrs.pad_left)
    after = (y.shape[axis] - 1) * stride - before + kernel - x.shape[axis]
    if before or after > 0:
        return f"it pads time with {before} rows before and {max(after, 0)} behind"
    return _Layer(kernel, stride) if upright or across == 1 else "it is higher than its only row"


def _same_for_rows(graph: Graph, op: Op, output: Tensor, axis: int) -> bool:
    """Whether the constants among the operands are the same for each row, and all others of the output's shape."""
    for index in op.inputs:
        tensor = graph.tensors[index]
        before = len(output.shape) - axis
        if tensor.is_constant and len(tensor.shape) >= before and tensor.shape[-before] != 1:
            return False
        if not tensor.is_constant and tensor.shape != output.shape:
            return False
    return True


def hop_unit(graph: Graph, rows: int) -> int:
    """The least hop through which every layer along time can stream: the products of strides in time divide it."""
    longest, found = {graph.inputs[0]: (rows, 1)}, 1
    for op in graph.ops:
        reading = [longest[t] for t in op.inputs if t in longest]
        layer = _layer(graph, op, reading[0][0]) if reading else ""
        if isinstance(layer, _Layer):
            length, strides = reading[0]
            made = layer.rows(length)
            if made > 1:
                longest[op.outputs[0]] = made, strides * layer.stride
                found = math.lcm(found, strides * layer.stride)
    return found


def keep_steps(graph: Graph, windows: Iterable[Window]) -> list[Step]:
    """A step for each window: its rows move down by what is new, and the new ones go behind them."""
    return [
        Step(
            name=graph.tensors[w.held].name,
            kind=KIND,
            kernel="tml_keep_rows",
            header=HEADER,
            inputs=(w.tensor,),
            outputs=(w.held,),
            args=(In(0), Out(0), Int("kept_bytes", w.kept_bytes), Int("new_bytes", w.new_bytes)),
            reason=f"{w.kept_bytes:,} bytes stay from hop to hop",
            keeps=True,
        )
        for w in windows
    ]
