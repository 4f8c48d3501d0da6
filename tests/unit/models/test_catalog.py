"""The catalogue: names, families, published figures, and the same parameters as keras.applications."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tinyml.errors import UsageError
from tinyml.models.catalog import CATALOG, Entry, build_model, families, find_entry, is_catalog_name
from tinyml.models.counting import count, count_parameters

FAMILIES = [
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3",
    "efficientnet",
    "efficientnet_v2",
    "efficientnet_edgetpu",
    "tinynet",
    "mnasnet",
    "fbnet",
    "nasnet",
    "pnasnet",
    "amoebanet",
    "chamnet",
    "squeezenet",
    "squeezenext",
    "senet",
    "shufflenet_v1",
    "shufflenet_v2",
    "condensenet",
    "mixnet",
    "ghostnet",
    "dicenet",
    "micronet",
    "hardnet",
    "mobilevit",
    "mobilevit_v2",
    "mobilevit_v3",
    "edgevit",
    "espnet",
    "deeplab_lite",
    "tinyyolo",
    "posenet",
    "fastspeech",
    "bnn",
    "ds_cnn",
    "tc_resnet",
    "micronet_kws",
    "streaming_kws",
    "gru_kws",
    "mcunet",
    "proxylessnas",
    "resnet",
    "autoencoder",
    "super_resolution",
    "fusion",
    "digits",
]
"""In the catalogue's order, which is that of docs/models.md."""


@pytest.fixture(autouse=True)
def clear_keras_session(request: pytest.FixtureRequest) -> Any:
    yield
    if request.node.get_closest_marker("train"):
        import keras

        keras.backend.clear_session()


def test_names_are_unique_and_families_are_the_known_ones() -> None:
    assert max(Counter(entry.name for entry in CATALOG).values()) == 1
    assert list(families()) == FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_name_means_its_first_entry(family: str) -> None:
    assert find_entry(family) is next(entry for entry in CATALOG if entry.family == family)


@pytest.mark.parametrize("name", ["mcunet_in3", "mcunet-in3", "MCUNet_IN3"])
def test_dashes_and_capitals_do_not_matter(name: str) -> None:
    assert find_entry(name).name == "mcunet_in3"
    assert is_catalog_name(name)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        find_entry("mobilnet_v1")
    assert caught.value.exit_code == 2
    assert "mobilenet_v1" in str(caught.value.hint)
    assert not is_catalog_name("mobilnet_v1")


def test_a_name_like_none_points_to_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        find_entry("zzzzzz")
    assert "tinyml models" in str(caught.value.hint)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        build_model("resnet8", depth=20)
    assert "'depth'" in caught.value.message
    assert "filters" in str(caught.value.hint)


def test_audio_models_have_no_resolution() -> None:
    with pytest.raises(UsageError):
        build_model("ds_cnn", resolution=96)


def test_defaults_hold_the_builders_options_and_the_entrys() -> None:
    entry = find_entry("mobilenet_v1_025_96")
    assert entry.input_shape == (96, 96, 3)
    assert entry.classes == 2
    assert entry.defaults["width"] == 0.25
    assert entry.defaults["dropout"] == 0.0
    assert "batch_size" not in entry.defaults
    assert find_entry("autoencoder").classes is None


LONG_TO_BUILD = {"nasnet_mobile_224", "pnasnet_mobile_224", "amoebanet_a_224", "efficientnet_v2_s_384"}
"""Hundreds of layers each: counted in the sweep."""


def _published() -> list[Any]:
    return [
        pytest.param(entry, id=entry.name, marks=[pytest.mark.sweep] if entry.name in LONG_TO_BUILD else [])
        for entry in CATALOG
        if entry.published is not None
    ]


@pytest.mark.train
@pytest.mark.parametrize("entry", _published())
def test_counts_equal_the_published_figures_as_printed(entry: Entry) -> None:
    counts = count(entry.name)
    published = entry.published
    assert published is not None
    assert published.parameters is not None or published.macs is not None
    assert published.within <= 0.01
    for counted, printed, unit in (
        (
            counts.parameters + (counts.averages if published.averages else 0),
            published.parameters,
            published.parameters_unit,
        ),
        (counts.macs, published.macs, published.macs_unit),
    ):
        if printed is not None:
            assert abs(counted - printed) <= max(unit / 2, published.within * printed)


@pytest.mark.train
@pytest.mark.parametrize(
    ("name", "application", "options"),
    [
        ("mobilenet_v1_100_224", "MobileNet", {}),
        ("mobilenet_v1_025_96", "MobileNet", {"alpha": 0.25, "input_shape": (96, 96, 3), "classes": 2}),
        ("mobilenet_v2_100_224", "MobileNetV2", {}),
        ("mobilenet_v2_035_96", "MobileNetV2", {"alpha": 0.35, "input_shape": (96, 96, 3), "classes": 2}),
        ("mobilenet_v3_small_100_224", "MobileNetV3Small", {}),
        ("mobilenet_v3_small_035_96", "MobileNetV3Small", {"alpha": 0.35, "input_shape": (96, 96, 3), "classes": 2}),
        ("mobilenet_v3_large_100_224", "MobileNetV3Large", {}),
    ],
)
def test_trainable_weights_equal_those_of_keras_applications(
    name: str, application: str, options: dict[str, Any]
) -> None:
    import keras

    ours = build_model(name)
    theirs = getattr(keras.applications, application)(weights=None, **options)
    assert count_parameters(ours) == count_parameters(theirs)
    assert Counter(_kernel_shapes(ours)) == Counter(_kernel_shapes(theirs))


@pytest.mark.train
def test_overrides_and_batch_size_reach_the_model() -> None:
    model = build_model("mcunet_vww1", batch_size=1, classes=5, resolution=64)
    assert model.input_shape == (1, 64, 64, 3)
    assert model.output_shape == (1, 5)
    assert model.name == "mcunet_vww1"
    assert build_model("mobilenet_v1", width=0.5).output_shape == (None, 2)


def _kernel_shapes(model: Any) -> list[tuple[int, ...]]:
    """Shapes of the trainable weights without ones: a 1x1 convolution on pooled features is a dense layer."""
    return [tuple(size for size in weight.shape if size != 1) for weight in model.trainable_weights]
