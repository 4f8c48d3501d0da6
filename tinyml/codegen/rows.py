"""The C of segments: one function each, in which the steps take turns, row by row.

The rule is that of :mod:`tinyml.plan.rowsim`: of all steps that have the rows they read the last one makes its next
rows. Counters say how many calls each step has made; from them follow which rows exist and which are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.codegen.names import c_comment
from tinyml.lower.program import Program, RowInt, Rows, Step
from tinyml.plan.planner import Plan
from tinyml.plan.rowsim import Node
from tinyml.plan.segments import Segment, row_bytes, segments_of


@dataclass(frozen=True, slots=True)
class Turn:
    """One step's turn: when it comes, what is done before, the call, what is traced and counted.

    ``then`` is the label of the turn that may come next, ``label`` this turn's where another one goes on to it.
    """

    label: str
    then: str
    comment: str
    condition: str
    before: tuple[str, ...]
    call: str
    traced: str
    counted: str


@dataclass(frozen=True, slots=True)
class FedInput:
    """A network's input that comes row by row: its window and counters."""

    row_bytes: int
    rows: int
    room: tuple[str, ...]
    place: str
    made: str
    traced: str


@dataclass(frozen=True, slots=True)
class SegmentView:
    """The function of a segment; ``counters`` are variables that begin at 0."""

    symbol: str
    first: int
    last: int
    comment: str
    counters: tuple[str, ...]
    turns: tuple[Turn, ...]
    fed: FedInput | None


def parameters(program: Program, step: Step, c_types: dict[str, str]) -> str:
    """The parameters of the function of a step that runs by rows."""
    assert step.rows is not None
    types = [c_types[program.graph.tensors[step.inputs[p]].dtype.value] for p in step.rows.positions]
    found = [f"const {t} *x{p}" for p, t in zip(step.rows.positions, types, strict=True)]
    found.append(f"{c_types[program.graph.tensors[step.outputs[0]].dtype.value]} *y")
    return ", ".join([*found, *(f"int32_t {name}" for name in row_ints(step))])


def row_ints(step: Step) -> tuple[str, ...]:
    """The names of the numbers that differ from call to call, in the order of the parameters."""
    return tuple(dict.fromkeys(arg.name for arg in step.args if isinstance(arg, RowInt)))


class _Writer:
    """Expressions for one segment."""

    def __init__(self, segment: Segment, plan: Plan, prefix: str, c_types: dict[str, str]) -> None:
        self.segment = segment
        self.program = segment.program
        self.plan = plan
        self.prefix = prefix
        self.c_types = c_types
        self.maker = {node.output: i for i, node in enumerate(segment.nodes)}

    def done(self, i: int) -> str:
        return f"done_{self.segment.first + i:03d}"

    def base(self, tensor: int) -> str:
        return f"base_{tensor}"

    def made(self, tensor: int) -> str:
        """Rows of a tensor inside that exist."""
        if tensor == self.segment.fed:
            return "fed"
        i = self.maker[tensor]
        rows = self.segment.nodes[i].rows
        if rows.reduces:
            return f"({self.done(i)} == {rows.calls})"
        if rows.count == 1:
            return self.done(i)
        made = f"{self.done(i)} * {rows.count}"
        return f"tml_least({made}, {rows.out_height})" if rows.left_over else made

    def readers(self, tensor: int) -> list[tuple[int, Node]]:
        return [(i, node) for i, node in enumerate(self.segment.nodes) if tensor in node.inputs]

    def made_at_once(self, tensor: int) -> int:
        return 1 if tensor == self.segment.fed else self.segment.nodes[self.maker[tensor]].rows.count

    def slides(self, tensor: int) -> bool:
        """Whether a tensor inside needs a base: not where each reader takes all of what was made at once."""
        if tensor not in self.segment.inside:
            return False
        room = self.segment.window_rows(tensor)
        return tensor == self.segment.fed or any(
            rows != room
            for _, node in self.readers(tensor)
            for rows in (node.rows.kernel, node.rows.stride, self.made_at_once(tensor))
        )

    def at(self, tensor: int, qualifier: str, row: str | None) -> str:
        """Address of row number ``row`` of ``tensor``; None: of its start."""
        if row is not None and tensor in self.segment.in_results:
            return self.at(self.segment.in_results[tensor], qualifier, row)
        c_type = self.c_types[self.program.graph.tensors[tensor].dtype.value]
        size = self.program.graph.tensors[tensor].dtype.size_bytes
        start = f"{self.prefix.upper()}_AT({qualifier}{c_type}, {self.plan.offsets[tensor]})"
        if row is not None and tensor in self.segment.in_windows:
            return f"{start} + {self._hosted_row(tensor, row)}"
        if row is None or (tensor in self.segment.inside and not self.slides(tensor)):
            return start
        index = f"({row} - {self.base(tensor)})" if self.slides(tensor) else f"({row})" if " " in row else row
        return f"{start} + {index} * {row_bytes(self.program, tensor) // size}"

    def _hosted_row(self, tensor: int, row: str) -> str:
        """Where the rows from ``row`` on of a tensor in its maker's window begin: over the first row of their call."""
        window = self.segment.in_windows[tensor]
        rows = self.segment.nodes[self.maker[tensor]].rows
        made = f"({row})" if " " in row else row
        per_row = rows.stride // rows.count
        start = made if per_row == 1 else f"{made} * {per_row}"
        start = start if rows.pad_top == 0 else f"{start} - {rows.pad_top}"
        base = self.base(window) if self.slides(window) else "0"
        size = self.program.graph.tensors[window].dtype.size_bytes
        return f"tml_place({start}, {base}, {rows.kernel}) * {row_bytes(self.program, window) // size}"

    def first_row(self, i: int) -> str:
        """The first row that the next call of node ``i`` reads."""
        rows = self.segment.nodes[i].rows
        start = self.done(i) if rows.stride == 1 else f"{self.done(i)} * {rows.stride}"
        return start if rows.pad_top == 0 else f"tml_most({start} - {rows.pad_top}, 0)"

    def condition(self, i: int) -> str:
        node = self.segment.nodes[i]
        parts = [f"{self.done(i)} < {node.rows.calls}"]
        for tensor in dict.fromkeys(node.inputs):
            if tensor in self.segment.sources:
                continue
            parts.append(f"{self.made(tensor)} >= {self._rows_for(i, node.rows)}")
        if node.after is not None:
            wanted = f"{self.made(node.output)} + {node.rows.count}"
            wanted = f"tml_least({wanted}, {node.rows.out_height})" if node.rows.left_over else wanted
            parts.append(f"{self.made(node.after)} >= {wanted}")
        return " && ".join(parts)

    def _rows_for(self, i: int, rows: Rows) -> str:
        reach = rows.kernel - rows.pad_top
        start = self.done(i) if rows.stride == 1 else f"{self.done(i)} * {rows.stride}"
        needed = start if reach == 0 else f"{start} {'+' if reach > 0 else '-'} {abs(reach)}"
        if (rows.calls - 1) * rows.stride + reach <= rows.in_height:
            return needed
        return f"tml_least({needed}, {rows.in_height})"

    def room(self, tensor: int) -> tuple[str, ...]:
        """What makes room for the next rows of a tensor inside."""
        if not self.slides(tensor):
            return ()
        least = ""
        for i, node in self.readers(tensor):
            rows = node.rows
            next_row = f"tml_next_row({self.done(i)}, {rows.calls}, {rows.stride}, {rows.pad_top}, {rows.in_height})"
            least = f"tml_least({least}, {next_row})" if least else next_row
        made, base = self.made(tensor), self.base(tensor)
        room = self.segment.window_rows(tensor) - self.made_at_once(tensor)
        return (
            f"if ({made} - {base} > {room})",
            f"    {base} = tml_rows_keep({self.at(tensor, '', None)}, {base}, {least}, {made},"
            f" {row_bytes(self.program, tensor)});",
        )

    def call(self, i: int) -> str:
        step, rows = self.segment.steps[i], self.segment.nodes[i].rows
        arguments = [self.at(step.inputs[p], "const ", self.first_row(i)) for p in rows.positions]
        arguments.append(self.at(step.outputs[0], "", None if rows.reduces else self.made(step.outputs[0])))
        start = self.done(i) if rows.stride == 1 else f"{self.done(i)} * {rows.stride}"
        above = f"tml_most({rows.pad_top} - {start}, 0)" if rows.pad_top else "0"
        for name in row_ints(step):
            if name == "pad_top":
                arguments.append(above)
            elif name == "height":
                whole = str(rows.kernel) if above == "0" else f"{rows.kernel} - {above}"
                arguments.append(f"tml_least({whole}, {rows.in_height} - {self.first_row(i)})")
            else:
                arguments.append(start)
        listed = ", ".join(arguments)
        symbol = f"{self.prefix}_step_{self.segment.first + i:03d}"
        if step.last is None:
            return f"{symbol}({listed});"
        is_last = f"{self.done(i)} == {rows.calls - 1}"
        return f"if ({is_last}) {symbol}_last({listed}); else {symbol}({listed});"

    def traced(self, i: int) -> str:
        step, rows = self.segment.steps[i], self.segment.nodes[i].rows
        tensor = step.outputs[0]
        source = self.program.graph.source_tensors[tensor] if self.program.graph.source_tensors else -1
        if source < 0:
            return ""
        if rows.reduces:
            whole = self.program.graph.tensors[tensor].size_bytes
            address = self.at(tensor, "const ", None)
            return f"if ({self.done(i)} + 1 == {rows.calls}) {self._trace(source, address, whole)}"
        each = row_bytes(self.program, tensor)
        size = f"{rows.count * each}"
        if rows.left_over:
            size = f"({self.done(i)} == {rows.calls - 1} ? {rows.left_over * each} : {size})"
        return self._trace(source, self.at(tensor, "const ", self.made(tensor)), size)

    def _trace(self, source: int, address: str, size: int | str) -> str:
        return f"{self.prefix.upper()}_TRACE_ROWS({source}u, {address}, (uint32_t){size});"

    def fed(self) -> FedInput | None:
        tensor = self.segment.fed
        if tensor is None:
            return None
        source = self.program.graph.source_tensors[tensor] if self.program.graph.source_tensors else -1
        size = row_bytes(self.program, tensor)
        place = self.at(tensor, "", "fed")
        traced = self._trace(source, self.at(tensor, "const ", "fed"), size) if source >= 0 else ""
        return FedInput(size, self.segment.heights[tensor], self.room(tensor), place, "fed", traced)

    def label(self, i: int) -> str:
        return f"turn_{self.segment.first + i:03d}"

    def following(self, i: int) -> int:
        """The last step that may be ready when step ``i`` has had its turn: all behind it were not before."""
        output = self.segment.nodes[i].output
        waiting = [j for j, node in enumerate(self.segment.nodes) if output in node.inputs or node.after == output]
        return max([i, *waiting])

    def view(self) -> SegmentView:
        segment = self.segment
        turns = []
        following = [self.following(i) for i in range(len(segment.nodes))]
        for i in range(len(segment.nodes) - 1, -1, -1):
            step, output = segment.steps[i], segment.nodes[i].output
            comment = c_comment(f"{segment.first + i:03d} {step.name}")
            label = self.label(i) if i in following else ""
            room = self.room(output) if output in segment.inside else ()
            turns.append(
                Turn(
                    label, self.label(following[i]), comment, self.condition(i), room, self.call(i), self.traced(i),
                    f"++{self.done(i)};",
                )
            )  # fmt: skip
        counters = [self.done(i) for i in range(len(segment.nodes))]
        counters += [self.base(t) for t in sorted(segment.inside) if self.slides(t)]
        if segment.fed is not None:
            counters.append("fed")
        windows = ", ".join(
            f"{segment.window_rows(t)} of {segment.heights[t]} rows of {self.program.graph.tensors[t].name}"
            for t in sorted(segment.inside)
        )
        comment = c_comment(f"Steps {segment.first:03d} to {segment.last:03d} row by row; held: {windows or 'nothing'}")
        return SegmentView(
            f"{self.prefix}_segment_{segment.first:03d}", segment.first, segment.last, comment, tuple(counters),
            tuple(turns), self.fed(),
        )  # fmt: skip


def segment_views(program: Program, plan: Plan, prefix: str, c_types: dict[str, str]) -> dict[int, SegmentView]:
    """The functions of all segments, by the first step of each."""
    return {s.first: _Writer(s, plan, prefix, c_types).view() for s in segments_of(program)}
