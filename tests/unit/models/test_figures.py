"""The file of measured figures: complete, plausible, and what the stages give today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyml.boards import list_boards
from tinyml.models.catalog import CATALOG, find_entry
from tinyml.models.figures import FIGURES_PATH, load_figures


def test_every_entry_has_figures_in_the_catalogues_order() -> None:
    assert list(load_figures()) == [entry.name for entry in CATALOG]


def test_boards_are_known_and_sorted_by_ram() -> None:
    ram = {board.name: board.ram.available_bytes for board in list_boards()}
    for figures in load_figures().values():
        sizes = [ram[name] for name in figures.boards]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("name", "macs"),
    [("ds_cnn", 2_656_768), ("mobilenet_v1", 7_489_664), ("resnet", 12_501_632), ("autoencoder", 264_192)],
)
def test_mlperf_tinys_macs(name: str, macs: int) -> None:
    assert load_figures()[find_entry(name).name].macs == macs


def test_weights_are_about_a_byte_a_parameter() -> None:
    for figures in load_figures().values():
        assert 0.9 * figures.parameters < figures.weights_bytes < 2.5 * figures.parameters


def test_small_networks_fit_the_small_boards_and_large_ones_none() -> None:
    figures = load_figures()
    assert "nano33ble" in figures["ds_cnn"].boards
    assert "nano33ble" in figures["mobilenet_v1_025_96"].boards
    assert "microbit" not in figures["mobilenet_v1_025_96"].boards
    assert "disco_f746ng" not in figures["mobilenet_v1_100_224"].boards


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v1_025_96", "mcunet_vww1", "autoencoder"])
def test_the_figures_are_what_the_stages_give_today(name: str) -> None:
    from tinyml.report.figures import measure

    assert measure(find_entry(name), list_boards()) == load_figures()[name], "run python -m tinyml.report.figures"


@pytest.mark.train
@pytest.mark.slow
def test_rewriting_one_entry_keeps_the_file(tmp_path: Path) -> None:
    from tinyml.report.figures import write_figures

    path = tmp_path / "figures.json"
    path.write_text(FIGURES_PATH.read_text(encoding="utf-8"), encoding="utf-8")
    write_figures(["autoencoder"], path)
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(FIGURES_PATH.read_text(encoding="utf-8"))


def test_the_page_of_models_is_up_to_date() -> None:
    from tinyml.report.models_page import models_page

    page = Path(__file__).resolve().parents[3] / "docs" / "models.md"
    assert page.read_text(encoding="utf-8") == models_page(), "run python -m tinyml.report.models_page > docs/models.md"
