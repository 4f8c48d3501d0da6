"""The file of measured figures: complete, plausible, and what the stages give today."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import require_tool
from tests.support.tflite_builder import Builder
from tinyml.boards import list_boards, load_board
from tinyml.errors import UnsupportedError
from tinyml.models.catalog import CATALOG, find_entry
from tinyml.models.figures import FIGURES_PATH, REFERENCE_BOARD, load_figures, read_figures
from tinyml.tflite.read import read_graph


def test_figures_are_of_entries_in_the_catalogues_order() -> None:
    assert list(load_figures()) == [entry.name for entry in CATALOG if entry.name in load_figures()]


def test_a_network_fits_the_board_that_it_was_sized_for() -> None:
    figures = load_figures()
    sized = [entry for entry in CATALOG if entry.board and entry.name in figures and figures[entry.name].planned]
    assert [entry.name for entry in sized if entry.board not in figures[entry.name].boards] == []


def test_a_row_without_figures_is_shown_as_not_measured() -> None:
    from tinyml.report.models import catalog_rows, model_json, model_report

    stranger = replace(find_entry("resnet8"), name="stranger")
    assert catalog_rows([stranger])[0][3:] == ["–"] * 6
    assert model_json(stranger)["arena_bytes"] is None
    assert len(model_report(stranger)) == 2


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
    """But for small networks, where tables count, for bits, and where each step of a recurrence has its own scales."""
    other = {entry.name for entry in CATALOG if entry.family in ("bnn", "gru_kws")}
    for figures in load_figures().values():
        if figures.weights_bytes is not None and (figures.parameters or 0) > 10_000 and figures.name not in other:
            parameters = figures.parameters or 0
            assert 0.9 * parameters < figures.weights_bytes < 3 * parameters, figures.name


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
    from tinyml.models_table import measure

    known = replace(load_figures()[name], instructions=None)
    assert measure(find_entry(name), list_boards()) == known, "run python -m tinyml.models_table"


def test_the_board_with_room_for_anything_takes_the_reference_boards_kernels() -> None:
    from tinyml.lower.lowering import target_of
    from tinyml.models_table import roomy_board

    reference, roomy = load_board(REFERENCE_BOARD), roomy_board()
    assert target_of(roomy) == target_of(reference)
    assert roomy.flash.available_bytes > 100 * reference.flash.available_bytes
    assert roomy not in list_boards()


def test_filters_take_a_byte_a_weight_but_for_two_values_and_copies() -> None:
    from tinyml.models_table import least_filter_bytes

    b = Builder()
    many = np.arange(-32, 32, dtype=np.int8).reshape(8, 1, 1, 8)
    x = b.conv_2d(b.conv_2d(b.input((1, 4, 4, 8)), many), many)
    x = b.conv_2d(x, np.where(many < 0, -1, 1).astype(np.int8))
    x = b.conv_2d(x, np.roll(many, 1))
    assert least_filter_bytes(read_graph(b.build([x]))) == 2 * many.size


@pytest.mark.train
@pytest.mark.slow
def test_instructions_are_the_same_where_there_is_memory_for_anything() -> None:
    from tinyml.models_table import convert_untrained, count_instructions, count_once

    require_tool("arm-none-eabi-gcc")
    network = convert_untrained(find_entry("autoencoder"))
    assert count_once(network) == count_instructions(network)


@pytest.mark.train
def test_rewriting_one_entry_keeps_the_others(tmp_path: Path) -> None:
    from tinyml.models_table import write_figures

    path = tmp_path / "figures.json"
    path.write_text(FIGURES_PATH.read_text(encoding="utf-8"), encoding="utf-8")
    write_figures(["autoencoder"], counts=True, path=path)
    before = json.loads(FIGURES_PATH.read_text(encoding="utf-8"))
    after = json.loads(path.read_text(encoding="utf-8"))
    row = after["models"].pop("autoencoder")
    assert (row["macs"], row["arena_bytes"]) == (264_192, None)
    del before["models"]["autoencoder"]
    assert after == before


@pytest.mark.train
def test_what_cannot_be_proven_is_planned_but_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinyml import models_table
    from tinyml.report import models_page

    def undefined(network: object) -> int:
        raise UnsupportedError("the reference's softmax is not defined for this input")

    path = tmp_path / "figures.json"
    path.write_text(FIGURES_PATH.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(models_table, "count_instructions", undefined)
    models_table.write_figures(["autoencoder"], path=path)
    assert "autoencoder is not counted: the reference's softmax" in capsys.readouterr().err
    figures = read_figures(path)
    assert figures["autoencoder"].planned and figures["autoencoder"].instructions is None
    monkeypatch.setattr(models_page, "load_figures", lambda: figures)
    (sentence,) = [line for line in models_page.models_page().splitlines() if line.startswith("Without a count")]
    assert "`autoencoder`" in sentence.partition(". ")[0]


def test_the_page_of_models_is_up_to_date() -> None:
    from tinyml.report.models_page import models_page

    page = Path(__file__).resolve().parents[3] / "docs" / "models.md"
    assert page.read_text(encoding="utf-8") == models_page(), "run python -m tinyml.report.models_page > docs/models.md"
