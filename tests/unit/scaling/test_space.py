"""What each family is scaled by, and the papers' formulas."""

from __future__ import annotations

import pytest

from tinyml.errors import UsageError
from tinyml.models.catalog import CATALOG, families, find_entry
from tinyml.models.formulas import TINYNETS, Multipliers, compound, tinynet
from tinyml.scaling.space import candidates


def test_multipliers_are_width_and_resolution() -> None:
    found = candidates("mobilenet_v1", pinned={"classes": 3})
    options = [one.values for one in found]
    assert {one["classes"] for one in options} == {3}
    assert {"width": 0.25, "input_shape": (96, 96, 3), "classes": 3} in options
    widths = {one["width"] for one in options}
    assert len(found) == len(widths) * len({one["input_shape"] for one in options})
    small = next(one for one in found if (one.values["width"], one.values["input_shape"]) == (0.25, (96, 96, 3)))
    large = next(one for one in found if (one.values["width"], one.values["input_shape"]) == (0.5, (96, 96, 3)))
    assert large.at_least(small)
    assert not small.at_least(large)
    assert small.title == "mobilenet_v1, width 0.25 at 96x96"


def test_a_family_of_searched_networks_has_its_members_side_by_side() -> None:
    found = candidates("mcunet")
    assert {one.name for one in found} >= {"mcunet", "mcunet_vww2", "mcunet_in3"}
    assert len({one.member for one in found}) == 7
    first, other = found[0], next(one for one in found if one.member == 1 and one.place == found[0].place)
    assert not other.at_least(first)
    assert len({one.member for one in candidates("mcunet_in3")}) == 1


def test_sound_has_no_resolution_and_pins_hold() -> None:
    assert all("input_shape" not in one.values for one in candidates("ds_cnn"))
    assert [one.values for one in candidates("ds_cnn_l", pinned={"filters": 24})] == [{"filters": 24}]
    assert {one.values["filters"][0] % 32 for one in candidates("bnn_32")} == {0}
    assert {one.values["input_shape"] for one in candidates("resnet8", resolution=32)} == {(32, 32, 3)}
    assert (16, 32, 64) in {one.values["filters"] for one in candidates("resnet8")}


@pytest.mark.parametrize(
    ("family", "step"), [("mobilevit", 64), ("mobilevit_v2", 64), ("mobilevit_v3", 64), ("edgevit", 32)]
)
def test_sides_are_those_that_a_transformer_can_cut(family: str, step: int) -> None:
    sides = {one.values["input_shape"][0] for one in candidates(family)}
    assert len(sides) >= 5
    assert {side % step for side in sides} == {0}


@pytest.mark.parametrize(("name", "head"), [("edgevit_64", 12), ("edgevit_xxs_224", 36)])
def test_channels_are_whole_heads_of_attention(name: str, head: int) -> None:
    found = {one.values["channels"] for one in candidates(name)}
    assert len(found) > 5
    assert {channels % head for one in found for channels in one} == {0}


@pytest.mark.parametrize("name", [entry.name for entry in CATALOG] + list(families()))
def test_every_entry_has_candidates_that_its_builder_takes(name: str) -> None:
    found = candidates(name)
    assert found
    assert all(set(one.values) <= set(find_entry(one.name).defaults) for one in found)
    assert {find_entry(one.name).family for one in found} == {find_entry(name).family}


def test_formulas_move_width_and_resolution_together() -> None:
    found = candidates("mobilenet_v2", formula="compound", pinned={"classes": 2})
    named = {one.values["width"]: one.values["input_shape"][0] for one in found}
    assert named[1.0] == 224
    assert all(len(one.place) == 1 for one in found)
    assert sorted(named.values()) == list(named.values())
    shares = candidates("tinynet", formula="tinynet")
    assert (shares[-1].values["width"], shares[-1].values["input_shape"]) == (1.0, (224, 224, 3))
    assert all("depth" in one.values for one in shares)
    with pytest.raises(UsageError, match="no width multiplier"):
        candidates("resnet8", formula="tinynet")
    with pytest.raises(UsageError, match="no formula"):
        candidates("mobilenet_v2", formula="golden")
    with pytest.raises(UsageError, match="no option 'colour'"):
        candidates("mobilenet_v2", pinned={"colour": 1})


def test_compound_scaling_is_the_papers() -> None:
    assert compound(0) == Multipliers(1, 1, 1)
    one = compound(1)
    assert (one.depth, one.width, one.resolution) == (1.2, 1.1, 1.15)
    assert one.depth * one.width**2 * one.resolution**2 == pytest.approx(1.92, abs=0.01)


def test_tinynets_formula_gives_the_published_networks() -> None:
    for share, multipliers in TINYNETS:
        found = tinynet(share)
        assert (found.depth, found.width, found.resolution) == pytest.approx(
            (multipliers.depth, multipliers.width, multipliers.resolution)
        )
    smaller, smallest = tinynet(0.01), tinynet(24 / 387)
    assert smaller.depth == smallest.depth
    shrunk = (smaller.width / smallest.width) ** 2 * (smaller.resolution / smallest.resolution) ** 2
    assert shrunk == pytest.approx(0.01 / (24 / 387))
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        tinynet(1.5)
