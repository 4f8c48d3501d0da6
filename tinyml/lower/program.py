"""The lowered program: for every op the C kernel that runs it, its constants, its scratch, and what may share memory.

Lowering is where a graph meets an instruction set. A :class:`Step` is a call of one ``always_inline`` kernel in
``firmware_templates/runtime/`` with everything that the call needs, as data; the planner reads sizes from it, the
code generator only prints it. Neither knows any op by name.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph


class Isa(enum.Enum):
    """Instruction sets that kernels are written for, weakest first; ``PORTABLE`` is plain C11 for any core."""

    PORTABLE = "portable"
    V6M = "v6m"
    V7M = "v7m"
    DSP = "dsp"
    MVE = "mve"


class Optimize(enum.Enum):
    """What the user wants most, of kernels that are all exact."""

    SPEED = "speed"
    BALANCED = "balanced"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Target:
    """What lowering needs to know of a board.

    ``code_cache_bytes`` is the cache through which code comes from flash, None where loops may be of any length.
    ``by_rows``: the step is called for a few rows of its output at a time, so what it prepares should be little.
    """

    isa: Isa
    optimize: Optimize = Optimize.BALANCED
    code_cache_bytes: int | None = None
    data_cache_bytes: int | None = None
    by_rows: bool = False


class Role(enum.Enum):
    """What a constant is, for the budget."""

    WEIGHTS = "weights"
    BIAS = "bias"
    REQUANT = "requant"
    TABLE = "table"


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """An array that goes to flash; its C type follows from the dtype: int8 to int64, uint8 to uint32, float64."""

    suffix: str
    data: npt.NDArray[Any]
    role: Role
    align_bytes: int = 4

    def __post_init__(self) -> None:
        self.data.setflags(write=False)

    @property
    def size_bytes(self) -> int:
        """Bytes in flash."""
        return int(self.data.nbytes)


@dataclass(frozen=True, slots=True)
class In:
    """Argument: ``const T *`` to the step's ``index``-th input tensor, T being the tensor's own C type."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class Out:
    """Argument: ``T *`` to the step's ``index``-th output tensor."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class Scratch:
    """Argument: ``void *`` to the step's scratch, aligned to 8 bytes (NULL where ``scratch_bytes`` is 0)."""


@dataclass(frozen=True, slots=True)
class ConstRef:
    """Argument: pointer to the step's ``index``-th constant."""

    index: int


@dataclass(frozen=True, slots=True)
class Int:
    """Argument: an integer literal, printed with its name as a comment."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Float:
    """Argument: a float32 literal, printed with its name as a comment."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Ints:
    """Argument: ``const int32_t *`` to a constant array of small integers (sizes, strides), printed with its name."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pointers:
    """Argument: ``const void *const *`` to an array of pointers to inputs and constants (a concatenation)."""

    name: str
    items: tuple[In | ConstRef, ...]


@dataclass(frozen=True, slots=True)
class RowInt:
    """Argument: a number that differs from call to call of a step that runs row by row.

    ``name`` is ``height`` (rows of the first input from its pointer on), ``pad_top`` (rows of padding above it) or
    ``done`` (rows of the output, of a reduction those of the input, that earlier calls did).
    """

    name: str


Arg = In | Out | Scratch | ConstRef | Int | Float | Ints | Pointers | RowInt


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a call goes along a row: it reads the input for ``pixels`` outputs, writes them, and goes on to the right."""

    pixels: int
    stride: int
    pad_left: int


@dataclass(frozen=True, slots=True)
class Rows:
    """How a step runs row by row: a call makes ``count`` rows of its output, the last one those that are left.

    They need ``kernel`` rows of every input in ``positions`` (of the step's inputs), the first of them ``stride`` below
    the first of the call before; ``pad_top`` rows of padding lie above the input. The other inputs are read whole. A
    reduction (``reduces``) reads ``kernel`` rows a call, keeps its scratch from call to call and gives its output with
    the last. ``blocks`` is known of some kernels.
    """

    count: int
    kernel: int
    stride: int
    pad_top: int
    in_height: int
    out_height: int
    positions: tuple[int, ...]
    reduces: bool = False
    blocks: Blocks | None = None

    @property
    def calls(self) -> int:
        """Calls for a whole output."""
        return -(-self.in_height // self.kernel) if self.reduces else -(-self.out_height // self.count)

    @property
    def left_over(self) -> int:
        """Rows that the last call makes (of a reduction: reads), 0 where it makes as many as the others."""
        return self.in_height % self.kernel if self.reduces else self.out_height % self.count


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A faster kernel that does not run a step, and why not."""

    kernel: str
    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One kernel call.

    ``inputs`` and ``outputs`` are indices of the graph's *activation* tensors (constants are in ``consts``).
    ``in_place`` lists (input position, output position) pairs for which the kernel is correct when both start at the
    same address. ``op_indices`` are the graph ops that the step does, most often one. ``rows`` is set where a call
    makes some rows of the output only, and ``last`` then is the step for rows that are left over at the end, with the
    same constants. A step that ``keeps`` reads what the inference before left in its output. ``reason`` says in a few
    words why this kernel was chosen, for ``tinyml profile``; ``passed_over`` are the faster ones that were tried
    before.
    """

    name: str
    kind: str
    kernel: str
    header: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    args: tuple[Arg, ...]
    consts: tuple[Const, ...] = ()
    scratch_bytes: int = 0
    in_place: tuple[tuple[int, int], ...] = ()
    op_indices: tuple[int, ...] = ()
    macs: int = 0
    reason: str = ""
    rows: Rows | None = None
    passed_over: tuple[PassedOver, ...] = ()
    last: Step | None = None
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """How a network streams along time: an inference takes the next ``rows`` of an input of ``window_rows``.

    ``layers`` of it compute new rows only. ``ends`` are the first layers that do not, each with the cause.
    """

    rows: int
    window_rows: int
    layers: int
    ends: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A lowered graph: steps in execution order.

    ``segments`` are ranges (first step, last step) whose steps have ``rows`` and run together, row by row; all other
    steps run one after the other, once. Where the network is ``fed_by_rows``, its only input comes row by row and is
    read by the first segment, which begins with the first step. With a ``hop`` the network streams along time, and its
    graph holds new rows and windows in place of whole tensors.

    ``alias_of`` maps a tensor to the tensor whose bytes it is (RESHAPE, SQUEEZE, EXPAND_DIMS and other ops that move
    nothing); it never maps to a tensor that is itself an alias. ``alias_offsets`` says, in bytes, where an alias begins
    in that tensor, if not at its start; aliases that are ``apart`` lie in it as runs with other bytes between them.
    """

    graph: Graph
    target: Target
    steps: tuple[Step, ...]
    alias_of: dict[int, int] = field(default_factory=dict)
    alias_offsets: dict[int, int] = field(default_factory=dict)
    segments: tuple[tuple[int, int], ...] = ()
    fed_by_rows: bool = False
    hop: Hop | None = None
    apart: frozenset[int] = frozenset()

    def storage(self, tensor: int) -> int:
        """The tensor that owns the bytes of ``tensor``."""
        return self.alias_of.get(tensor, tensor)

    def is_part(self, tensor: int) -> bool:
        """Whether ``tensor`` is a piece of the tensor that owns its bytes."""
        return self.graph.tensors[self.storage(tensor)].size_bytes != self.graph.tensors[tensor].size_bytes

    @property
    def weights_bytes(self) -> int:
        """Flash of all constants, each padded to its alignment, identical arrays counted once."""
        return sum(padded_bytes(c) for c in unique_consts(self))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(s.macs for s in self.steps)


def padded_bytes(const: Const) -> int:
    """Bytes of ``const`` rounded up to its alignment."""
    return -(-const.size_bytes // const.align_bytes) * const.align_bytes


def const_key(const: Const) -> tuple[str, tuple[int, ...], bytes]:
    """Equal for constants that can share one array."""
    data = np.ascontiguousarray(const.data)
    return data.dtype.str, data.shape, data.tobytes()


def unique_consts(program: Program) -> list[Const]:
    """The program's constants in order of first use, equal ones once."""
    seen: dict[tuple[str, tuple[int, ...], bytes], Const] = {}
    for step in program.steps:
        for const in step.consts:
            seen.setdefault(const_key(const), const)
    return list(seen.values())
