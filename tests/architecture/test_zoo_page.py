"""``docs/zoo-benchmark.md`` and its picture are what the kept results give."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from tests.bench.zoo_page import PAGE, PICTURE, fingerprint, fronts, page, pareto
from tests.bench.zoo_rows import (
    CLASSES,
    LARGEST_SIDE,
    PICTURES,
    REASONS,
    RESULTS,
    STAND_INS,
    Measured,
    Row,
    Settings,
    contest_of,
    contestants,
    options_of,
    others,
    read_missing,
    read_rows,
)
from tinyml.models.catalog import families


def row(name: str, accuracy: float, instructions: int, sram_bytes: int = 1_000) -> Row:
    measured = Measured("nano33ble", 50_000, sram_bytes, instructions, "abc")
    return Row(name, PICTURES, "r", (32, 32, 3), 1, 2, accuracy, accuracy, 100, "s", measured)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(read_rows(), Settings(), read_missing()), (
        "run python -m tests.bench.zoo --page-only"
    )


def test_the_picture_is_of_the_kept_results() -> None:
    assert fingerprint(read_rows()) in PICTURE.read_text("utf-8"), "run python -m tests.bench.zoo --page-only"


def test_results_are_of_todays_recipe() -> None:
    kept = json.loads(RESULTS.read_text("utf-8"))
    assert kept["settings"] == asdict(Settings()), "run make zoo"


def test_rows_that_are_not_compared_have_a_reason() -> None:
    text = PAGE.read_text("utf-8")
    assert [entry.name for entry in others() if f"- `{entry.name}` {REASONS[entry.task]}" not in text] == []
    assert set(STAND_INS) | set(STAND_INS.values()) <= set(families())


def test_rows_keep_their_definition_but_for_what_is_compared() -> None:
    for entry in contestants():
        options = options_of(entry)
        changed = {key for key, value in entry.defaults.items() if options[key] != value}
        assert changed <= {"classes", "input_shape", "dropout", "drop_rate"}
        assert options["classes"] == CLASSES[contest_of(entry)]
        assert max(options["input_shape"]) <= LARGEST_SIDE
        assert options["input_shape"][-1] == entry.input_shape[-1]


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(3, 0.5)], [0]),
        ([(3, 0.5), (1, 0.2), (2, 0.9), (5, 0.95)], [1, 2, 3]),
        ([(1, 0.5), (2, 0.5)], [0]),
        ([(1, 0.4), (1, 0.5)], [1]),
        ([(1, 0.5), (1, 0.5), (2, 0.6)], [0, 1, 2]),
    ],
)
def test_pareto(points: list[tuple[float, float]], front: list[int]) -> None:
    assert pareto(points) == front
    for index, (cost, gain) in enumerate(points):
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        assert beaten == (index not in front)


def test_fronts_of_each_cost_and_how_the_table_marks_them() -> None:
    rows = [row("resnet8", 0.6, 9_000), row("digits_cnn", 0.4, 1_000), row("bnn_32", 0.5, 9_500, sram_bytes=900)]
    found = {cost: [one.name for one in members] for cost, members in fronts(rows).items()}
    assert found == {
        "instructions": ["digits_cnn", "resnet8"],
        "SRAM": ["bnn_32", "resnet8"],
        "flash": ["resnet8"],
    }
    text = page({one.name: one for one in rows}, Settings(), ["resnet9"])
    assert "| `digits_cnn` | 32×32×3 | 1 | 2 | 40.0 % | 40.0 % | 50,000 | 1,000 | **1,000** |" in text
    assert "Not measured yet: `resnet9`." in text


def test_a_row_is_trained_again_where_recipe_or_input_change() -> None:
    entry = contestants()[0]
    settings = Settings()
    assert settings.digest(entry) != replace(settings, steps=settings.steps + 1).digest(entry)
    assert settings.digest(entry) != settings.digest(contestants()[1])
