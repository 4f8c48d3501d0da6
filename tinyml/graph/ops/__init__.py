"""Every op that the compiler knows, by TFLite's builtin name."""

from __future__ import annotations

from tinyml.graph.ops.arithmetic import Div, Prelu, SquaredDifference
from tinyml.graph.ops.attention import Attention, AttentionAttrs
from tinyml.graph.ops.base import Attrs, OpSpec
from tinyml.graph.ops.batch_matmul import BatchMatMul, BatchMatMulAttrs
from tinyml.graph.ops.binary import Add, BinaryAttrs, Mul, Sub
from tinyml.graph.ops.concatenation import Concatenation, ConcatenationAttrs, Pack
from tinyml.graph.ops.conv_2d import Conv2D, Conv2DAttrs
from tinyml.graph.ops.curves import Abs, Exp, Gelu, GeluAttrs, Log, Rsqrt, Sqrt
from tinyml.graph.ops.depthwise_conv_2d import DepthwiseConv2D, DepthwiseConv2DAttrs
from tinyml.graph.ops.elementwise import HardSwish, LeakyRelu, LeakyReluAttrs, Logistic, Relu, Relu6, ReluN1To1, Tanh
from tinyml.graph.ops.fully_connected import FullyConnected, FullyConnectedAttrs
from tinyml.graph.ops.gather import Gather, GatherAttrs
from tinyml.graph.ops.layer_norm import LayerNorm, LayerNormAttrs
from tinyml.graph.ops.logic import LOGIC, ArgAttrs
from tinyml.graph.ops.lookup import Lookup, LookupAttrs
from tinyml.graph.ops.lstm import LstmAttrs, UnidirectionalSequenceLstm
from tinyml.graph.ops.move import MOVES, TablesAttrs, ViewAttrs
from tinyml.graph.ops.normalisation import L2Normalization, LogSoftmax
from tinyml.graph.ops.pad import Pad, PadAttrs, PadV2
from tinyml.graph.ops.pool_2d import AveragePool2D, MaxPool2D, PoolAttrs
from tinyml.graph.ops.quantize import Dequantize, Quantize
from tinyml.graph.ops.reduce import Mean, ReduceAttrs, Sum
from tinyml.graph.ops.reshape import ExpandDims, Reshape, Squeeze
from tinyml.graph.ops.resize_bilinear import ResizeBilinear, ResizeBilinearAttrs
from tinyml.graph.ops.softmax import Softmax, SoftmaxAttrs
from tinyml.graph.ops.state import AssignVariable, ReadVariable, VariableAttrs
from tinyml.graph.ops.top_k import TopK, TopKAttrs
from tinyml.graph.ops.transpose_conv import TransposeConv, TransposeConvAttrs
from tinyml.graph.ops.whole_norm import WholeNorm, WholeNormAttrs

__all__ = [
    "SPECS",
    "ArgAttrs",
    "AttentionAttrs",
    "Attrs",
    "BatchMatMulAttrs",
    "BinaryAttrs",
    "ConcatenationAttrs",
    "Conv2DAttrs",
    "DepthwiseConv2DAttrs",
    "FullyConnectedAttrs",
    "GatherAttrs",
    "GeluAttrs",
    "LayerNormAttrs",
    "LeakyReluAttrs",
    "LookupAttrs",
    "LstmAttrs",
    "OpSpec",
    "PadAttrs",
    "PoolAttrs",
    "ReduceAttrs",
    "ResizeBilinearAttrs",
    "SoftmaxAttrs",
    "TablesAttrs",
    "TopKAttrs",
    "TransposeConvAttrs",
    "VariableAttrs",
    "ViewAttrs",
    "WholeNormAttrs",
]

_ALL: tuple[OpSpec, ...] = (
    Conv2D(),
    DepthwiseConv2D(),
    FullyConnected(),
    Add(),
    Sub(),
    Mul(),
    Pad(),
    PadV2(),
    AveragePool2D(),
    MaxPool2D(),
    Mean(),
    Sum(),
    Reshape(),
    Squeeze(),
    ExpandDims(),
    Concatenation(),
    Softmax(),
    Logistic(),
    Tanh(),
    HardSwish(),
    LeakyRelu(),
    Relu(),
    Relu6(),
    ReluN1To1(),
    Quantize(),
    Dequantize(),
    BatchMatMul(),
    TransposeConv(),
    ResizeBilinear(),
    SquaredDifference(),
    Prelu(),
    Div(),
    Gelu(),
    Exp(),
    Log(),
    Rsqrt(),
    Sqrt(),
    Abs(),
    L2Normalization(),
    LogSoftmax(),
    Lookup(),
    Attention(),
    LayerNorm(),
    WholeNorm(),
    UnidirectionalSequenceLstm(),
    ReadVariable(),
    AssignVariable(),
    *MOVES,
    Gather(),
    Pack(),
    *LOGIC,
    TopK(),
)

SPECS: dict[str, OpSpec] = {spec.kind: spec for spec in _ALL}
