"""The picture models that ship: whole, as their cards say, and as small as they are meant to be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tests.support.shared import require_tool
from tinyml.models.catalog import find_entry
from tinyml.models.trained import TRAINED_DIR, trained_models
from tinyml.pipeline import Options, build, check
from tinyml.plan.choose import Goal

LEAST = {
    "vww_mobilenet_v1_025_96": 0.82,
    "vww_mcunet_vww1": 0.84,
    "cifar10_resnet8": 0.78,
    "mnist_digits_cnn": 0.99,
}
"""What each was to reach on its test split, as int8."""


@pytest.mark.parametrize("name", LEAST)
def test_file_manifest_and_card_agree(name: str) -> None:
    known = trained_models()[name]
    content = (TRAINED_DIR / f"{name}.tflite").read_bytes()
    manifest = json.loads(known.card.with_suffix(".json").read_text("utf-8"))
    card = known.card.read_text("utf-8")
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"]
    assert manifest["sha256"] in card and f"{len(content):,} bytes" in card
    assert manifest["bytes"] == len(content)
    find_entry(known.entry)
    for kind in ("float", "int8"):
        assert f"{kind} {known.scores[kind]:.2%}" in card
    assert known.scores["int8"] >= LEAST[name]
    assert known.scores["float"] - known.scores["int8"] <= 0.003


def test_persons_are_told_in_28_kb() -> None:
    ram = next(
        region for region in check("vww_mobilenet_v1_025_96", "nano33ble").budget.regions if region.name == "RAM"
    )
    assert ram.used_bytes <= 28 * 1024


@pytest.mark.slow
@pytest.mark.parametrize("board", ["microbit", "mps2-an385"])
def test_digits_take_10_kb_of_flash_with_their_code(board: str, tmp_path: Path) -> None:
    require_tool("arm-none-eabi-gcc")
    options = Options(optimize="size", memory=Goal(0.0), toolchain="gcc", inputs=1)
    built = build("mnist_digits_cnn", board, tmp_path / "digits", options)
    with next(Path(built.project).glob(".pio/build/*/src/network.*o")).open("rb") as file:
        flash_bytes = sum(
            section["sh_size"]
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_type"] == "SHT_PROGBITS"
        )
    assert 5_000 < flash_bytes <= 10 * 1024
