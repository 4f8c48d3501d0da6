"""The keyword models that ship: whole, small enough, and as their cards say."""

from __future__ import annotations

import hashlib
import json

import pytest

from tinyml.firmware.kws import plan_keywords
from tinyml.models.catalog import find_entry
from tinyml.models.trained import TRAINED_DIR, trained_models
from tinyml.pipeline import Options, check, compile_model
from tinyml.streaming.settings import settings_of

NAMES = ("kws_ds_cnn_s", "kws_ds_cnn_xs", "kws_tc_resnet8")


@pytest.mark.parametrize("name", NAMES)
def test_file_manifest_and_card_agree(name: str) -> None:
    known = trained_models()[name]
    content, manifest = (
        (TRAINED_DIR / f"{name}.tflite").read_bytes(),
        json.loads(known.card.with_suffix(".json").read_text()),
    )
    card = known.card.read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"]
    assert manifest["sha256"] in card
    assert manifest["bytes"] == len(content)
    assert find_entry(known.entry).task == "keyword_spotting"
    for kind in ("float", "int8"):
        assert f"{kind} {100 * known.scores[kind]:.2f} %" in card
    assert known.scores["float"] - known.scores["int8"] <= 0.003
    assert manifest["command"] in card
    assert set(settings_of(manifest, known.labels).thresholds) == set(known.labels[:7])


def test_one_keeps_up_on_a_microbit() -> None:
    compiled = compile_model("kws_tc_resnet8", "microbit", Options(app="kws"))
    source, hop = compiled.source, compiled.program.hop
    plan = plan_keywords(compiled.program, compiled.board, source.labels, source.manifest)
    assert hop is not None and (hop.rows, hop.layers) == (8, 13)
    assert plan.load.stride_ms == 160 and plan.load.load <= 0.75


def test_the_small_one_takes_8_kb_and_30_kb() -> None:
    budget = check("kws_ds_cnn_xs", "nano33ble").budget
    used = {region.name: region.used_bytes for region in budget.regions}
    assert used["RAM"] <= 8_000
    assert used["FLASH"] <= 30_000
