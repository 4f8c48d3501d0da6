"""Where networks as published halve their images: what their parameters do not tell and their tables or code do."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.train

MAPS = {
    "squeezenet_100_224": {"stem": 111, "stem_pool": 55, "fire4_pool": 27, "fire8_pool": 13},
    "senet_resnet50_224": {"stage1_1_reduce": 56, "stage2_1_reduce": 28, "stage2_1_middle": 28, "stage4_1_reduce": 7},
    "senet_resnext50_224": {"stage2_1_reduce": 56, "stage2_1_middle": 28, "stage4_1_reduce": 14, "stage4_1_middle": 7},
    "posenet_257": {"block11_pointwise": 17, "block12_depthwise": 17, "block13_depthwise": 17, "offsets": 17},
}
"""SqueezeNet: table 1. SE-ResNet-50, SE-ResNeXt-50: hujie-frank/SENet, models/. PoseNet: tensorflow/tfjs-models,
posenet/src/mobilenet.ts with an output stride of 16."""


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_as_large_as_published(name: str) -> None:
    from tinyml.models.catalog import build_model

    model = build_model(name)
    sides = {layer: model.get_layer(layer).output.shape[1:3] for layer in MAPS[name]}
    assert sides == {layer: (side, side) for layer, side in MAPS[name].items()}


def test_posenets_last_layer_is_dilated_where_its_image_was_not_halved() -> None:
    from tinyml.models.catalog import build_model

    model = build_model("posenet_257")
    assert model.get_layer("block12_depthwise").dilation_rate == (1, 1)
    assert model.get_layer("block13_depthwise").dilation_rate == (2, 2)
