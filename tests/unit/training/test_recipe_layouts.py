"""Every layout that is read has a recipe, and the newer ones become training examples like the older."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.data.makers import (
    edge_impulse,
    picture_bytes,
    pictures,
    speech_commands,
    tiny_imagenet,
    tone,
    wav_bytes,
    write,
)
from tinyml.data import LAYOUTS, records
from tinyml.data.speech_commands import OFFICIAL_WORDS
from tinyml.data.write_records import write_records
from tinyml.training.recipes import RECIPES, DataOptions, open_data


def test_every_layout_has_a_recipe() -> None:
    layouts = {layout for recipe in RECIPES for layout in recipe.layouts}
    assert layouts == {layout.name for layout in LAYOUTS} - {records.LAYOUT}


def test_records_become_the_examples_of_the_folder_that_they_were_made_of(tmp_path: Path) -> None:
    pytest.importorskip("google_crc32c")
    words = dict.fromkeys(("yes", "no", "bird"), (6, 3, 3))
    folder = speech_commands(tmp_path / "set", words)
    options = DataOptions(words=("yes", "no"), seed=1)
    write_records(open_data(folder, options)[0], tmp_path / "records", 3)
    found = []
    for place in (folder, tmp_path / "records"):
        dataset, recipe = open_data(place, options)
        found.append(recipe.prepare(dataset, options, (49, 10, 1)))
    epochs = [data.epoch(np.random.default_rng(7)) for data in found]
    np.testing.assert_array_equal(epochs[0].codes, epochs[1].codes)
    np.testing.assert_array_equal(epochs[0].labels, epochs[1].labels)
    assert found[0].counts == found[1].counts


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


def test_the_official_twelve_word_task(tmp_path: Path) -> None:
    """Speech Commands v2 as published: ten keywords, silence, unknown words, the two lists, background noise."""
    words = dict.fromkeys((*OFFICIAL_WORDS, "bed", "visual"), (2, 1, 1))
    folder = speech_commands(tmp_path / "speech_commands_v0.02", words)
    write(folder / "yes" / "0000cut0_nohash_1.wav", wav_bytes(tone(1))[:40])
    dataset, recipe = open_data(folder, DataOptions())
    data = recipe.prepare(dataset, DataOptions(), (49, 10, 1))
    assert (recipe.name, data.labels) == ("keywords", (*OFFICIAL_WORDS, "_silence_", "_unknown_"))
    assert data.counts["test"] == dict.fromkeys(OFFICIAL_WORDS, 1) | {"_silence_": 1, "_unknown_": 2}
    assert data.counts["train"]["yes"] == 2
    assert [note for note in data.notes if "damaged train" in note and "yes/0000cut0_nohash_1.wav" in note]
    listed = (folder / "testing_list.txt").read_text().split()
    assert set(listed) <= {sample.name for sample in dataset.samples("test")}
    epoch = data.epoch(np.random.default_rng(0))
    assert set(np.unique(epoch.labels)) == set(range(12))


def test_visual_wake_words_out_of_coco(tmp_path: Path) -> None:
    """COCO's pictures and instance annotations as published: one person is large enough, one is not."""
    for part, count in (("train", 40), ("val", 4)):
        images = [
            {"id": n, "file_name": f"COCO_{part}2014_{n:012d}.jpg", "width": 24, "height": 20} for n in range(count)
        ]
        shares = (0.3, 0.004)
        persons = [
            {"id": n, "image_id": n, "category_id": 1, "area": 480 * shares[n % 2], "bbox": [0, 0, 9, 9], "iscrowd": 0}
            for n in range(count)
        ]
        told = {"images": images, "annotations": persons, "categories": [{"id": 1, "name": "person"}]}
        write(tmp_path / "annotations" / f"instances_{part}2014.json", json.dumps(told).encode())
        for image in images:
            write(tmp_path / f"{part}2014" / str(image["file_name"]), picture_bytes(int(str(image["id"])), kind="JPEG"))
    write(tmp_path / "val2014" / "COCO_val2014_000000000002.jpg", b"no picture")
    dataset, recipe = open_data(tmp_path, DataOptions())
    data = recipe.prepare(dataset, DataOptions(), (12, 12, 3))
    assert (recipe.name, data.labels) == ("images", ("notperson", "person"))
    assert data.counts["test"] == {"notperson": 2, "person": 1}
    assert data.counts["train"]["person"] + data.counts["validation"]["person"] == 20
    assert [note for note in data.notes if "val2014/COCO_val2014_000000000002.jpg" in note]
    assert data.epoch(np.random.default_rng(0)).codes.shape[1:] == (12, 12, 3)
