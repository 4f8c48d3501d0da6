"""``tinyml scale`` on real boards: what is chosen fits as ``check`` says, the next larger does not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.shared import require_module
from tinyml import pipeline
from tinyml.cli import main
from tinyml.models.catalog import build_model
from tinyml.models.counting import count_macs
from tinyml.scaling.probe import least_weight_bytes
from tinyml.scaling.scale import expected_macs
from tinyml.scaling.space import candidates
from tinyml.tflite.quiet import import_keras

pytestmark = pytest.mark.train


def test_the_largest_autoencoder_of_a_microbit(capsys: pytest.CaptureFixture[str]) -> None:
    require_module("tensorflow")
    assert main(["scale", "autoencoder", "--board", "microbit", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["fits"], found["considered"]) == ("autoencoder", True, len(candidates("autoencoder")))
    assert 2 <= len(found["tried"]) <= 6
    width = found["options"]["width"]
    checked = pipeline.check(build_model("autoencoder", width=width), "microbit").budget
    assert checked.fits
    used = {region.kind: region.used_bytes for region in checked.regions}
    assert (used["ram"], used["flash"]) == pytest.approx((found["sram_bytes"], found["flash_bytes"]), rel=0.03)
    steps = [one.values["width"] for one in candidates("autoencoder")]
    following = steps[steps.index(width) + 1]
    assert not pipeline.check(build_model("autoencoder", width=following), "microbit").budget.fits


def test_the_latency_binds(capsys: pytest.CaptureFixture[str]) -> None:
    require_module("tensorflow")
    assert main(["scale", "autoencoder", "--board", "nano33ble", "--max-latency", "4ms", "--json"]) == 0
    timed = json.loads(capsys.readouterr().out)
    assert timed["latency_ms"] <= 4
    assert any((tried["latency_ms"] or 0) > 4 for tried in timed["tried"])


def test_what_does_not_fit_leaves_with_3_and_names_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    require_module("tensorflow")
    assert main(["scale", "autoencoder", "--board", "microbit", "--set", "width=384"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "autoencoder, width 384: at least 1," in captured.err
    assert "this one fits: autoencoder, width" in captured.err
    assert main(["scale", "autoencoder", "--board", "microbit", "--budget", "1KB", "--flash", "4KB"]) == 3
    assert "none of 18 sizes; the closest, autoencoder, width 8: " in capsys.readouterr().err


def test_expected_macs_are_close_to_the_counted_ones() -> None:
    require_module("tensorflow")
    pinned: dict[str, dict[str, float]] = {"ds_cnn_s": {}, "mobilenet_v1": {"width": 0.25}}
    for name, options in pinned.items():
        space = candidates(name, pinned=options)
        expected = expected_macs(space)
        for one in (space[0], space[5], space[-3]):
            assert expected[one] == pytest.approx(count_macs(one.build()), rel=0.1), one.title


def test_weights_of_few_values_may_take_a_bit_each() -> None:
    require_module("tensorflow")
    keras = import_keras()
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(100, name="a"), keras.layers.Dense(10, name="b")])
    assert least_weight_bytes(model) == 30 * 100 + 100 * 10
    model.get_layer("a").set_weights([np.sign(np.asarray(model.get_layer("a").kernel)), np.zeros(100)])
    assert least_weight_bytes(model) == 30 * 100 // 8 + 100 * 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scale", "mobilenet_v9", "--board", "pico"], "no model named"),
        (["scale", "ds_cnn", "--board", "pico", "--max-latency", "fast"], "no time such as"),
        (["scale", "ds_cnn", "--board", "pico", "--set", "filters"], "not OPTION=VALUE"),
        (["scale", "ds_cnn", "--board", "pico", "--formula", "compound"], "no width multiplier"),
    ],
)
def test_bad_input_is_a_usage_error(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
