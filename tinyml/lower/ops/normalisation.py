"""L2_NORMALIZATION on ``tml_l2_normalise`` and LOG_SOFTMAX on ``tml_log_softmax``.

Sources: TFLite ``reference/integer_ops/l2normalization.h`` and ``log_softmax.h``, ``quantization_util.cc``
(PreprocessLogSoftmaxScalingExp).
"""

from __future__ import annotations

import numpy as np

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops.common import first_input, make_step
from tinyml.lower.ops.softmax import difference_multiplier, exponentials
from tinyml.lower.program import Const, ConstRef, In, Int, Out, Role, Step, Target


def build_l2(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of L2_NORMALIZATION; a row is summed before it is written."""
    x = first_input(graph, op)
    ints = {"rows": x.elements // x.shape[-1], "depth": x.shape[-1], "in_zero_point": x.zero_point}
    return make_step(
        graph, op, kernel="tml_l2_normalise", header="tml_normalise.h", inputs=op.inputs[:1], in_place=((0, 0),),
        args=(In(0), Out(0), *(Int(name, value) for name, value in ints.items())),
    )  # fmt: skip


def build_log_softmax(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of LOG_SOFTMAX; a row is read twice before it is written."""
    x = first_input(graph, op)
    table = exponentials(x.scale, 1.0)
    multiplier, left_shift = difference_multiplier(x.scale, 1.0)
    reverse_multiplier, reverse_shift = quantize_multiplier(2.0 ** (31 - left_shift) / multiplier)
    ints = {
        "entries": len(table), "rows": x.elements // x.shape[-1], "depth": x.shape[-1],
        "multiplier": multiplier, "left_shift": left_shift,
        "reverse_multiplier": reverse_multiplier, "reverse_shift": reverse_shift,
    }  # fmt: skip
    return make_step(
        graph, op, kernel="tml_log_softmax", header="tml_normalise.h", inputs=op.inputs[:1], in_place=((0, 0),),
        args=(In(0), Out(0), ConstRef(0), *(Int(name, value) for name, value in ints.items())),
        consts=(Const("exponentials", np.array(table, np.int32), Role.TABLE),),
    )  # fmt: skip
