"""Layer names."""

from __future__ import annotations

import pytest

from tinyml.tflite.names import MAX_LAYER_NAME, layer_name, unique_names


@pytest.mark.parametrize(
    ("kind", "tensor", "name"),
    [
        ("CONV_2D", "m/activation/Relu;m/bn/FusedBatchNormV3;m/conv/BiasAdd;m/conv_4/Conv2D;m/conv/Conv2D1", "conv"),
        ("DEPTHWISE_CONV_2D", "m/act/Relu;m/dw/depthwise;m/other/Conv2D", "dw"),
        ("CONV_2D", "m/bn/batchnorm/add_1;m/other/convolution;m/conv/convolution1", "conv"),
        ("CONV_2D", "stem_relu/Relu6;stem_conv/convolution", "stem_conv"),
        ("FULLY_CONNECTED", "fc2/MatMul1", "fc2"),
        ("ADD", "m/activation_2/Relu;m/add/add", "add"),
        ("MEAN", "m/global_average_pooling2d/Mean", "global_average_pooling2d"),
        ("SOFTMAX", "Identity_int8", "softmax"),
        ("SOFTMAX", "StatefulPartitionedCall:0", "softmax"),
        ("SOFTMAX", "", "softmax"),
        ("RELU", ";;", "relu"),
        ("RELU", "plain", "plain"),
        ("CONV_2D", "net/block/conv/BiasAdd", "block/conv"),
        ("RELU", "m/evil\n\x1b[31m/Relu", "evil??[31m"),
        ("RELU", "m/" + "x" * 300 + "/Relu", "x" * MAX_LAYER_NAME),
    ],
)
def test_the_informative_part_is_kept(kind: str, tensor: str, name: str) -> None:
    assert layer_name(kind, tensor) == name


def test_names_become_unique() -> None:
    assert unique_names(["a", "a", "a_1", "a", "b"]) == ["a", "a_1", "a_1_1", "a_2", "b"]
