"""Every layout that is read has a recipe, and the newer ones become training examples like the older."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.unit.data.makers import edge_impulse, picture_bytes, pictures, tiny_imagenet, tone, wav_bytes, write
from tinyml.data import LAYOUTS
from tinyml.training.recipes import RECIPES, DataOptions, open_data


def test_every_layout_has_a_recipe() -> None:
    assert {layout for recipe in RECIPES for layout in recipe.layouts} == {layout.name for layout in LAYOUTS}


def test_edge_impulse_keywords_without_other_words(tmp_path: Path) -> None:
    files = {
        f"{part}/{word}.{index}.wav": (wav_bytes(tone(index)), word)
        for part, count in (("training", 12), ("testing", 2))
        for word in ("hey", "noise")
        for index in range(count)
    }
    dataset, recipe = open_data(edge_impulse(tmp_path, files), DataOptions())
    data = recipe.prepare(dataset, DataOptions(), (49, 10, 1))
    assert (recipe.name, data.labels) == ("keywords", ("hey", "_silence_", "_unknown_"))
    epoch = data.epoch(np.random.default_rng(0))
    assert epoch.codes.shape[1:] == (49, 10, 1) and set(np.unique(epoch.labels)) == {0, 1, 2}
    assert len(data.test) == 4


def test_pictures_of_public_sets(tmp_path: Path) -> None:
    ids = {"n02124075": "Egyptian cat", "n01443537": "goldfish"}
    tiny_imagenet(tmp_path / "imagenet", ids, 20, 2)
    pictures(tmp_path / "intel", {f"seg_{part}/{name}": 15 for part in ("train", "test") for name in ("sea", "forest")})
    write(tmp_path / "intel" / "seg_train" / "sea" / "broken.jpg", picture_bytes(1)[:30])
    for folder, labels in (("imagenet", ("Egyptian cat", "goldfish")), ("intel", ("forest", "sea"))):
        dataset, recipe = open_data(tmp_path / folder, DataOptions())
        data = recipe.prepare(dataset, DataOptions(), (12, 12, 3))
        assert (recipe.name, data.labels) == ("images", labels)
        assert data.epoch(np.random.default_rng(0)).codes.shape[1:] == (12, 12, 3)
        damaged = [note for note in data.notes if note.startswith("1 damaged")]
        assert len(damaged) == (folder == "intel") and all("broken.jpg" in note for note in damaged)
