"""The other engine: the same applications over TensorFlow Lite Micro's interpreter with CMSIS-NN's kernels.

``network.h`` is as for tinyml's own code, so that applications do not know the engine. The library is TensorFlow's own
packaging of Lite Micro for Arduino, at one commit, or a local copy in the folder that ``TINYML_TFLM_DIR`` names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from tinyml import __version__
from tinyml.codegen.literals import C_TYPES, c_float
from tinyml.errors import UnsupportedError, UsageError
from tinyml.graph.ir import DType, Graph, Op, Tensor
from tinyml.graph.ops import SPECS

LIBRARY = "https://github.com/tensorflow/tflite-micro-arduino-examples.git#2be8092d9f167b1473f072ff5794364819df8b52"
"""A commit that public PlatformIO projects pin in their ``lib_deps``; its kernels for Cortex-M are CMSIS-NN's."""
LOCAL_LIBRARY = "TINYML_TFLM_DIR"
LOCAL_NAME = "tensorflow-lite-micro"
"""What ``lib_deps`` calls a local copy; PlatformIO fetches nothing for a name alone."""
BUILD_FLAGS = ("-DTF_LITE_STATIC_MEMORY", "-DNDEBUG", "-DARDUINO", "-DCMSIS_NN")
"""Tensors without the fields that only a heap needs, as the library's own builds for microcontrollers have it.

The packaging has ``ARDUINO`` where TensorFlow's sources ask for ``CMSIS_NN``: without it ``kernels/conv.h`` defines the
variants for int8 that ``cmsis_nn/conv.cpp`` defines, too. Local copies may have either; tinyml's own sources ask for
none.
"""
RESOLVER = "src/tensorflow/lite/micro/micro_mutable_op_resolver.h"

_ALIGNMENT = 16
_ROW_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Registration:
    """How an op is registered: the resolver's method and, where there is one, the variant for int8 alone.

    ``later`` is the method of an op that the pinned commit is not known to have.
    """

    method: str
    int8: str = ""
    later: bool = False


_REGISTRATIONS = {
    "ABS": _Registration("AddAbs"),
    "ADD": _Registration("AddAdd"),
    "ARG_MAX": _Registration("AddArgMax"),
    "ARG_MIN": _Registration("AddArgMin"),
    "AVERAGE_POOL_2D": _Registration("AddAveragePool2D", "AVERAGE_POOL_2D_INT8"),
    "BATCH_MATMUL": _Registration("AddBatchMatMul", later=True),
    "BATCH_TO_SPACE_ND": _Registration("AddBatchToSpaceNd"),
    "BROADCAST_TO": _Registration("AddBroadcastTo"),
    "CAST": _Registration("AddCast"),
    "CONCATENATION": _Registration("AddConcatenation"),
    "CONV_2D": _Registration("AddConv2D", "CONV_2D_INT8"),
    "DEPTHWISE_CONV_2D": _Registration("AddDepthwiseConv2D", "DEPTHWISE_CONV_2D_INT8"),
    "DEPTH_TO_SPACE": _Registration("AddDepthToSpace"),
    "DEQUANTIZE": _Registration("AddDequantize"),
    "DIV": _Registration("AddDiv"),
    "EQUAL": _Registration("AddEqual"),
    "EXP": _Registration("AddExp"),
    "EXPAND_DIMS": _Registration("AddExpandDims"),
    "FULLY_CONNECTED": _Registration("AddFullyConnected", "FULLY_CONNECTED_INT8"),
    "GATHER": _Registration("AddGather"),
    "GREATER": _Registration("AddGreater"),
    "GREATER_EQUAL": _Registration("AddGreaterEqual"),
    "HARD_SWISH": _Registration("AddHardSwish"),
    "L2_NORMALIZATION": _Registration("AddL2Normalization"),
    "LEAKY_RELU": _Registration("AddLeakyRelu"),
    "LESS": _Registration("AddLess"),
    "LESS_EQUAL": _Registration("AddLessEqual"),
    "LOG": _Registration("AddLog"),
    "LOGICAL_AND": _Registration("AddLogicalAnd"),
    "LOGICAL_NOT": _Registration("AddLogicalNot"),
    "LOGICAL_OR": _Registration("AddLogicalOr"),
    "LOGISTIC": _Registration("AddLogistic"),
    "LOG_SOFTMAX": _Registration("AddLogSoftmax"),
    "MAXIMUM": _Registration("AddMaximum"),
    "MAX_POOL_2D": _Registration("AddMaxPool2D", "MAX_POOL_2D_INT8"),
    "MEAN": _Registration("AddMean"),
    "MINIMUM": _Registration("AddMinimum"),
    "MIRROR_PAD": _Registration("AddMirrorPad"),
    "MUL": _Registration("AddMul", "MUL_INT8"),
    "NOT_EQUAL": _Registration("AddNotEqual"),
    "PACK": _Registration("AddPack"),
    "PAD": _Registration("AddPad"),
    "PADV2": _Registration("AddPadV2"),
    "PRELU": _Registration("AddPrelu"),
    "QUANTIZE": _Registration("AddQuantize"),
    "REDUCE_MAX": _Registration("AddReduceMax"),
    "REDUCE_MIN": _Registration("AddReduceMin", later=True),
    "RELU": _Registration("AddRelu"),
    "RELU6": _Registration("AddRelu6"),
    "RESHAPE": _Registration("AddReshape"),
    "RESIZE_BILINEAR": _Registration("AddResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _Registration("AddResizeNearestNeighbor"),
    "REVERSE_V2": _Registration("AddReverseV2", later=True),
    "RSQRT": _Registration("AddRsqrt"),
    "SELECT_V2": _Registration("AddSelectV2"),
    "SLICE": _Registration("AddSlice"),
    "SOFTMAX": _Registration("AddSoftmax", "SOFTMAX_INT8"),
    "SPACE_TO_BATCH_ND": _Registration("AddSpaceToBatchNd"),
    "SPACE_TO_DEPTH": _Registration("AddSpaceToDepth"),
    "SPLIT": _Registration("AddSplit"),
    "SPLIT_V": _Registration("AddSplitV"),
    "SQRT": _Registration("AddSqrt"),
    "SQUARED_DIFFERENCE": _Registration("AddSquaredDifference"),
    "SQUEEZE": _Registration("AddSqueeze"),
    "STRIDED_SLICE": _Registration("AddStridedSlice"),
    "SUB": _Registration("AddSub"),
    "SUM": _Registration("AddSum"),
    "TANH": _Registration("AddTanh"),
    "TRANSPOSE": _Registration("AddTranspose"),
    "TRANSPOSE_CONV": _Registration("AddTransposeConv"),
    "UNPACK": _Registration("AddUnpack"),
}
"""``tensorflow/lite/micro/micro_mutable_op_resolver.h`` and the headers in ``micro/kernels/``."""


@dataclass(frozen=True, slots=True)
class Arena:
    """An estimate of the interpreter's arena and what it rests on; each part in bytes."""

    tensors_bytes: int
    scratch_bytes: int
    persistent_bytes: int
    basis: str

    @property
    def size_bytes(self) -> int:
        """The sum with an eighth more, in whole KiB: the kernels' scratch differs between versions of CMSIS-NN."""
        total = self.tensors_bytes + self.scratch_bytes + self.persistent_bytes
        return -(-(total + total // 8) // 1024) * 1024


@dataclass(frozen=True, slots=True)
class _OpCall:
    call: str


@dataclass(frozen=True, slots=True)
class _Border:
    index: int
    name: str
    c_type: str
    shape: str
    elements: int
    size_bytes: int
    scale: str
    zero_point: str


def library() -> str:
    """The library that is built: the pinned commit's address, or the folder that the environment names.

    Raises UsageError where that folder does not hold the library.
    """
    local = local_library()
    return LIBRARY if local is None else str(local)


def local_library() -> Path | None:
    """The local copy that the environment names. Raises UsageError where that folder does not hold the library."""
    local = os.environ.get(LOCAL_LIBRARY)
    if not local:
        return None
    folder = Path(local).expanduser().absolute()
    if not (folder / RESOLVER).is_file():
        raise UsageError(
            f"{LOCAL_LIBRARY} names {folder}, which holds no {RESOLVER}",
            hint=f"clone {LIBRARY.split('#')[0]} there, or unset {LOCAL_LIBRARY}",
        )
    return folder


def local_methods() -> frozenset[str] | None:
    """The methods of the local copy's resolver (``AddConv2D``, ...), None where the pinned commit is taken.

    Raises UsageError where the folder does not hold the library.
    """
    folder = local_library()
    if folder is None:
        return None
    text = (folder / RESOLVER).read_text(encoding="utf-8", errors="replace")
    return frozenset(re.findall(r"\bTfLiteStatus\s+(Add\w+)\s*\(", text))


def local_manifest(folder: Path) -> str:
    """``library.json`` of a project's own library whose files are those of the copy in ``folder``.

    In place of the copy's own manifest, whose dependencies PlatformIO would fetch from its registry, though only the
    examples need them.
    """
    sources = str(folder / "src")
    content = {"name": LOCAL_NAME, "version": "0.0.0", "build": {"srcDir": sources, "includeDir": sources}}
    return json.dumps(content, indent=2) + "\n"


def registrations(graph: Graph) -> tuple[str, ...]:
    """The resolver's calls for the ops of ``graph``, in the order of the file, each once.

    An op has its variant for int8 where all its uses have int8 activations. Raises UnsupportedError for an op that
    TensorFlow Lite Micro does not have, or not the local copy that the environment names; UsageError where that
    folder does not hold the library.
    """
    methods = local_methods()
    kinds = dict.fromkeys(op.kind for op in graph.ops)
    return tuple(_call(kind, [op for op in graph.ops if op.kind == kind], graph, methods) for kind in kinds)


def estimate_arena(graph: Graph, *, mve: bool = False) -> Arena:
    """How large an arena the interpreter needs for ``graph``, which is the file's, with no pass run over it.

    Tensors are packed as its greedy planner packs them (largest first, at the first offset free over their lifetime,
    16-byte aligned: ``greedy_memory_planner.cc``). Scratch is the largest of CMSIS-NN's buffers (``arm_nnfunctions.h``:
    4 bytes for each value under a kernel of CONV_2D, 2 for DEPTHWISE_CONV_2D, with ``mve`` 4 an output channel of
    FULLY_CONNECTED). The interpreter keeps about 64 bytes an op, 16 a tensor, 8 an output channel of a convolution and
    1,536 of its own.
    """
    tensors = _greedy_bytes(graph)
    scratch = max((_scratch_bytes(op, graph, mve) for op in graph.ops), default=0)
    channels = sum(
        graph.tensors[op.outputs[0]].shape[-1] for op in graph.ops if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    )
    persistent = 1536 + 64 * len(graph.ops) + 16 * len(graph.tensors) + 8 * channels
    basis = f"{len(graph.ops)} ops, {len(graph.tensors)} tensors, {channels} channels with a scale of their own"
    return Arena(tensors, scratch, persistent, basis)


def estimate_instructions(graph: Graph, isa: str) -> int:
    """About how many instructions an inference takes: within a quarter of what was counted for MLPerf Tiny's models.

    A MAC of a depthwise convolution takes more than any other's, the first layer's more than the others'. A core
    without SIMD (``v6m``, ``v7m``) is taken for the slower of the two.
    """
    depthwise, dense, other = _INSTRUCTIONS_A_MAC[isa]
    total, weighted = 0.0, False
    for op in graph.ops:
        macs = SPECS[op.kind].macs(graph, op)
        if op.kind == "DEPTHWISE_CONV_2D":
            total += depthwise * macs
        elif macs:
            total += (dense if weighted or op.kind == "FULLY_CONNECTED" else 2 * dense) * macs
        else:
            total += other * sum(graph.tensors[t].elements for t in (*op.inputs[:1], *op.outputs))
        weighted = weighted or macs > 0
    return round(total)


_INSTRUCTIONS_A_MAC = {
    "v6m": (19.0, 8.0, 8.0),
    "v7m": (19.0, 8.0, 8.0),
    "dsp": (8.5, 2.2, 6.0),
    "mve": (2.6, 0.43, 3.0),
}
"""Of depthwise convolutions, of other weights; of an element of the rest."""


def tflm_sources(graph: Graph, model: bytes, name: str, model_literal: str, *, mve: bool = False) -> dict[str, str]:
    """``network.h``, ``network.cc`` and ``network_model.c`` for the file ``model``, whose graph is ``graph``.

    ``model_literal`` is the model's name as a C string. Raises UnsupportedError as :func:`registrations` does.
    """
    values = {
        "model": name.replace("*/", "* /"),
        "model_literal": model_literal,
        "model_hash": hashlib.sha256(model).hexdigest(),
        "model_bytes": len(model),
        "version": __version__,
        "arena": estimate_arena(graph, mve=mve),
        "ops": [_OpCall(call) for call in registrations(graph)],
        "inputs": [_border(i, graph.tensors[index]) for i, index in enumerate(graph.inputs)],
        "outputs": [_border(i, graph.tensors[index]) for i, index in enumerate(graph.outputs)],
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return {
        "network.h": environment.get_template("tflm_network.h.j2").render(values),
        "network.cc": environment.get_template("tflm_network.cc.j2").render(values),
        "network_model.c": _model_array(model),
    }


def _call(kind: str, ops: Sequence[Op], graph: Graph, methods: frozenset[str] | None) -> str:
    found = _REGISTRATIONS.get(kind)
    own = "build it with tinyml's own engine: leave --engine out"
    uses = f"op {kind}, which the model uses {len(ops)} times"
    if found is None:
        raise UnsupportedError(f"TensorFlow Lite Micro has no {uses}", hint=own)
    if methods is None and found.later:
        raise UnsupportedError(
            f"the pinned commit of TensorFlow Lite Micro is not known to have {uses}",
            hint=f"{own}, or name a newer copy of the library in {LOCAL_LIBRARY}",
        )
    if methods is not None and found.method not in methods:
        raise UnsupportedError(f"the library that {LOCAL_LIBRARY} names has no {found.method} for {uses}", hint=own)
    int8 = all(graph.tensors[index].dtype is DType.INT8 for op in ops for index in (op.inputs[0], *op.outputs))
    return f"{found.method}(tflite::Register_{found.int8}())" if found.int8 and int8 else f"{found.method}()"


def _greedy_bytes(graph: Graph) -> int:
    lives: dict[int, tuple[int, int]] = dict.fromkeys(graph.inputs, (-1, -1))
    for step, op in enumerate(graph.ops):
        for index in (*op.inputs, *op.outputs):
            if index >= 0 and graph.tensors[index].data is None:
                lives[index] = (lives.get(index, (step, step))[0], step)
    lives |= {index: (lives.get(index, (-1, 0))[0], len(graph.ops)) for index in graph.outputs}
    placed: list[tuple[int, int, tuple[int, int]]] = []
    for index, life in sorted(lives.items(), key=lambda item: -graph.tensors[item[0]].size_bytes):
        size = -(-graph.tensors[index].size_bytes // _ALIGNMENT) * _ALIGNMENT
        start = 0
        for low, high, other in sorted(placed):
            if other[0] <= life[1] and life[0] <= other[1] and start + size > low:
                start = max(start, high)
        placed.append((start, start + size, life))
    return max((high for _, high, _ in placed), default=0)


def _scratch_bytes(op: Op, graph: Graph, mve: bool) -> int:
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    shape = graph.tensors[op.inputs[1]].shape
    if op.kind == "FULLY_CONNECTED":
        return 4 * shape[0] if mve else 0
    under_kernel = shape[1] * shape[2] * shape[3]
    return (4 if op.kind == "CONV_2D" else 2) * under_kernel


def _border(index: int, tensor: Tensor) -> _Border:
    zero_point = str(tensor.zero_point) if tensor.quant else "0"
    return _Border(
        index=index,
        name=tensor.name.encode("ascii", "replace").decode().replace("*/", "* /").replace("\n", " "),
        c_type=C_TYPES[tensor.dtype.value],
        shape=", ".join(map(str, tensor.shape)),
        elements=tensor.elements,
        size_bytes=tensor.size_bytes,
        scale=c_float(tensor.scale) if tensor.quant else "",
        zero_point=f"({zero_point})" if zero_point.startswith("-") else zero_point,
    )


def _model_array(model: bytes) -> str:
    rows = [
        "    " + ", ".join(f"0x{byte:02x}" for byte in model[at : at + _ROW_BYTES]) + ","
        for at in range(0, len(model), _ROW_BYTES)
    ]
    head = (
        "/* The model's file, aligned as its readers need it. Written by tinyml: changes here get lost. */\n"
        f"extern const unsigned char network_model[{len(model)}];\n\n"
        f"const unsigned char network_model[{len(model)}] __attribute__((aligned(16))) = {{\n"
    )
    return head + "\n".join(rows) + "\n};\n"
