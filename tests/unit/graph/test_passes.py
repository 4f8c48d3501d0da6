"""Each pass where it applies and where it must not; the oracle computes the same bytes from what they rewrote."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.kernels.cases import Rng
from tests.support.exactness import assert_exact
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import require_shared
from tests.support.tflite_builder import Builder
from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops import SPECS, Conv2DAttrs, DepthwiseConv2DAttrs
from tinyml.graph.passes import PASSES, Pass, View, run_pass, run_passes
from tinyml.graph.passes.edit import with_tensor
from tinyml.tflite.read import read_graph


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def one_pass(name: str) -> Pass:
    found = next(one for one in PASSES if one.name == name)
    assert isinstance(found, Pass)
    return found


@pytest.mark.parametrize("sample", [sample_conv_model, sample_of_every_op])
def test_all_passes_keep_every_byte(sample: Callable[[], bytes]) -> None:
    data = sample()
    assert_exact(data, run_passes(read_graph(data)))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8"])
def test_all_passes_keep_every_byte_of_real_models(name: str) -> None:
    data = require_shared(f"models/{name}.tflite").read_bytes()
    assert_exact(data, run_passes(read_graph(data)), runs=2)


def test_running_the_passes_again_changes_nothing() -> None:
    once = run_passes(read_graph(sample_of_every_op()))
    assert kinds(run_passes(once)) == kinds(once)


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize(("padding", "stride", "dilation"), [("SAME", 1, 3), ("SAME", 2, 1), ("VALID", 1, 2)])
@pytest.mark.parametrize("shape", [(1, 9, 12, 6), (1, 16, 7, 6)])
def test_a_pool_that_samples_becomes_strides(
    kind: str, padding: str, stride: int, dilation: int, shape: tuple[int, ...]
) -> None:
    rng, model = Rng(3), Builder()
    x = model.input(shape, scale=0.05, zero_point=-7)
    options = {"padding": padding, "stride": (stride, stride), "dilation": (dilation, dilation)}
    y = model.depthwise_conv_2d(x, rng.weights(1, 3, 3, 6), 0.01, rng.bias(6), scale=0.3, **options)
    z = model.conv_2d(x, rng.weights(5, 3, 2, 6), 0.01, rng.bias(5), scale=0.4, **options)
    data = model.build([model.pool_2d(kind, t, size=(1, 1), stride=(2, 3)) for t in (y, z)])
    graph = run_pass(read_graph(data), one_pass("fold-sampling"))
    assert kinds(graph) == ["DEPTHWISE_CONV_2D", "CONV_2D"]
    attrs = graph.ops[0].attrs
    assert isinstance(attrs, DepthwiseConv2DAttrs)
    assert (attrs.stride_h, attrs.stride_w) == (2 * stride, 3 * stride)
    assert_exact(data, run_passes(read_graph(data)))


def test_what_more_than_a_pool_reads_is_not_sampled() -> None:
    rng, model = Rng(3), Builder()
    x = model.conv_2d(model.input((1, 8, 8, 4)), rng.weights(4, 3, 3, 4), 0.01, scale=0.3)
    pools = [model.pool_2d("AVERAGE_POOL_2D", x, size=(1, 1)), model.pool_2d("MAX_POOL_2D", x, size=(2, 2))]
    assert len(run_pass(read_graph(model.build(pools)), one_pass("fold-sampling")).ops) == 3
    assert len(run_pass(read_graph(model.build([x, pools[0]])), one_pass("fold-sampling")).ops) == 3


@pytest.mark.parametrize(("groups", "channels", "becomes"), [(6, 6, True), (6, 18, True), (3, 6, False), (1, 6, False)])
def test_groups_of_one_channel_are_depthwise(groups: int, channels: int, becomes: bool) -> None:
    rng, model = Rng(1), Builder()
    x = model.input((1, 5, 6, 6), scale=0.05, zero_point=-7)
    weights, bias = rng.weights(channels, 3, 2, 6 // groups), rng.bias(channels)
    data = model.build([
        model.conv_2d(x, weights, rng.scales(channels), bias, scale=0.4, stride=(2, 1), dilation=(1, 2)),
        model.conv_2d(x, weights, 0.01, scale=0.4, padding="VALID", activation="RELU"),
    ])  # fmt: skip
    graph = run_pass(read_graph(data), one_pass("groups-to-depthwise"))
    assert kinds(graph) == ["DEPTHWISE_CONV_2D" if becomes else "CONV_2D"] * 2
    assert_exact(data, graph)


def test_dead_ops_go_with_what_only_they_read() -> None:
    model = Builder()
    x = model.input((1, 8))
    model.elementwise("RELU", model.elementwise("HARD_SWISH", x))
    data = model.build([model.elementwise("RELU6", x)])
    graph = run_passes(read_graph(data))
    assert kinds(graph) == ["RELU6"]
    assert len(graph.tensors) == 2
    assert_exact(data, graph)


def test_identities_are_dropped() -> None:
    model = Builder()
    x = model.elementwise("HARD_SWISH", model.input((1, 4, 4, 2)))
    x = model.quantize(model.reshape(x, (1, 4, 4, 2)), scale=0.1)
    x = model.concatenation([model.pad(x, [(0, 0)] * 4)], 3)
    data = model.build([model.reduce("MEAN", x, [1, 2])])
    graph = run_passes(read_graph(data))
    assert kinds(graph) == ["HARD_SWISH", "MEAN"]
    assert_exact(data, graph)


def test_what_changes_bytes_or_is_an_output_is_no_identity() -> None:
    model = Builder()
    x = model.elementwise("HARD_SWISH", model.input((1, 4, 4, 2)))
    y = model.quantize(x, scale=0.2)
    z = model.quantize(x, scale=0.1)
    graph = run_passes(read_graph(model.build([model.elementwise("RELU", y), z])))
    assert sorted(kinds(graph)) == ["HARD_SWISH", "QUANTIZE", "QUANTIZE", "RELU"]


def test_reshaped_constants_become_constants() -> None:
    model = Builder()
    x = model.input((1, 2, 3))
    constant = model.constant(np.arange(6, dtype=np.int8), scale=0.05)
    data = model.build([model.binary("ADD", x, model.expand_dims(model.reshape(constant, (2, 3)), 0))])
    graph = run_passes(read_graph(data))
    assert kinds(graph) == ["ADD"]
    assert graph.tensors[graph.ops[0].inputs[1]].shape == (1, 2, 3)
    assert_exact(data, graph)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("depthwise", [False, True])
def test_padding_moves_into_the_convolution(padding: str, depthwise: bool) -> None:
    generator = np.random.default_rng(3)
    model = Builder()
    x = model.pad(model.input((1, 6, 7, 2), zero_point=11), [(0, 0), (1, 0), (2, 1), (0, 0)])
    if depthwise:
        y = model.depthwise_conv_2d(x, generator.integers(-127, 128, (1, 5, 5, 2)), padding=padding)
    else:
        y = model.conv_2d(x, generator.integers(-127, 128, (3, 5, 5, 2)), padding=padding, stride=(2, 1))
    data = model.build([y])
    graph = run_pass(read_graph(data), one_pass("fold-pad"))
    assert len(graph.ops) == 1
    assert graph.ops[0].inputs[0] in graph.inputs
    assert_exact(data, graph)


@pytest.mark.parametrize(
    ("paddings", "value"),
    [
        ([(0, 0), (1, 1), (1, 1), (0, 0)], 4),
        ([(0, 0), (1, 1), (1, 1), (0, 1)], None),
        ([(0, 0), (5, 5), (1, 1), (0, 0)], None),
    ],
)
def test_other_padding_stays(paddings: list[tuple[int, int]], value: int | None) -> None:
    model = Builder()
    x = model.pad(model.input((1, 6, 7, 2), zero_point=11), paddings, value)
    channels = 2 + paddings[3][1]
    graph = run_passes(read_graph(model.build([model.conv_2d(x, np.ones((3, 3, 3, channels)), padding="VALID")])))
    assert len(graph.ops) == 2


def test_padding_that_another_op_reads_stays() -> None:
    model = Builder()
    x = model.pad(model.input((1, 6, 7, 2)), [(0, 0), (1, 1), (1, 1), (0, 0)])
    y = model.conv_2d(x, np.ones((3, 3, 3, 2)), padding="VALID")
    graph = run_passes(read_graph(model.build([y, model.pool_2d("MAX_POOL_2D", x)])))
    assert kinds(graph) == ["PAD", "CONV_2D", "MAX_POOL_2D"]


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_activations_are_fused(kind: str) -> None:
    model = Builder()
    x = model.conv_2d(model.input((1, 4, 4, 2)), np.ones((3, 3, 3, 2)), scale=0.03, zero_point=-20)
    data = model.build([model.elementwise(kind, x, scale=0.03, zero_point=-20)])
    graph = run_passes(read_graph(data))
    assert kinds(graph) == ["CONV_2D"]
    attrs = graph.ops[0].attrs
    assert isinstance(attrs, Conv2DAttrs)
    assert attrs.activation is Activation[kind]
    assert_exact(data, graph)


def test_activations_that_rescale_or_are_shared_stay() -> None:
    model = Builder()
    x = model.conv_2d(model.input((1, 4, 4, 2)), np.ones((3, 1, 1, 2)), scale=0.03)
    y = model.conv_2d(x, np.ones((3, 1, 1, 3)), scale=0.03, activation="RELU6")
    outputs = [model.elementwise("RELU", x, scale=0.02), model.elementwise("RELU", x, scale=0.03)]
    outputs.append(model.elementwise("RELU", y, scale=0.03))
    graph = run_passes(read_graph(model.build(outputs)))
    assert kinds(graph).count("RELU") == 3


class Breaks(Pass):
    """A pass with a bug: it forgets the shape."""

    name = "breaks"

    def match(self, view: View, op: Op) -> bool:
        return view.tensor(op.outputs[0]).shape != (1,)

    def transform(self, view: View, op: Op) -> Graph:
        tensor = view.tensor(op.outputs[0])
        broken = type(tensor)(tensor.name, (1,), tensor.dtype, tensor.quant)
        return with_tensor(view.graph, op.outputs[0], broken, traceable=False)


def test_a_pass_that_leaves_an_unsound_graph_is_caught() -> None:
    with pytest.raises(RuntimeError, match="breaks"):
        run_pass(read_graph(sample_conv_model()), Breaks())


def test_work_never_grows() -> None:
    graph = read_graph(sample_of_every_op())
    rewritten = run_passes(graph)
    work = [sum(SPECS[op.kind].macs(g, op) for op in g.ops) for g in (graph, rewritten)]
    assert work[1] <= work[0]
