"""The front-end's definition: JSON, digest, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from tinyml.errors import UsageError
from tinyml.features import FrontendConfig, default_config


def test_json_round_trip_keeps_the_digest() -> None:
    config = default_config()
    again = FrontendConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config and again.digest() == config.digest()
    manifest = {"kind": "audio", "clip_samples": 16_000, **config.to_json()}
    assert FrontendConfig.from_json(manifest) == config


@pytest.mark.parametrize("name", [item.name for item in fields(FrontendConfig) if item.name != "version"])
def test_every_field_changes_the_digest(name: str) -> None:
    config = default_config()
    value = getattr(config, name)
    other = (
        (value[0] + 1, *value[1:]) if isinstance(value, tuple) else value * 2 if name == "input_scale" else value + 1
    )
    if name == "fft_size":
        other = 1024
    if name == "coefficients":
        changed = replace(config, coefficients=9, offsets=config.offsets[:9], gains=config.gains[:9])
    elif name == "bands":
        changed = replace(config, bands=39)
    else:
        changed = replace(config, **{name: other})
    assert changed.digest() != config.digest()


def test_shape_of_one_second() -> None:
    config = FrontendConfig()
    assert config.shape(16_000) == (49, 10)
    assert [config.frames(samples) for samples in (0, 479, 480, 799, 800)] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bands": 41}, "bands is 41"),
        ({"fft_size": 500}, "fft_size is 500"),
        ({"window_samples": 513}, "window_samples is 513"),
        ({"hop_samples": 0}, "hop_samples is 0"),
        ({"high_hz": 9_000}, "band edges 20 to 9000"),
        ({"floor_power": 1}, "floor_power is 1"),
        ({"coefficients": 41}, "coefficients is 41"),
        ({"gains": (1,), "offsets": (1,)}, "1 offsets and 1 gains"),
        ({"gains": (0,) * 10, "offsets": (0,) * 10}, "a gain is not"),
        ({"version": 2}, "version is 2"),
        ({"input_zero_point": 128}, "input_zero_point is 128"),
    ],
)
def test_refuses_a_definition_beyond_its_arithmetic(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FrontendConfig(**changes)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"band": 3}, "unknown key 'band'"),
        ({"bands": "40"}, "bands must be an integer"),
        ({"bands": True}, "bands must be an integer"),
        ({"gains": [1.5]}, "gains must be a list of integers"),
        ({"input_scale": "1"}, "input_scale must be a number"),
    ],
)
def test_refuses_wrong_json(data: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FrontendConfig.from_json(data)
