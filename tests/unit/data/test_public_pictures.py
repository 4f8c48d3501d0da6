"""Tiny ImageNet and Intel Image Classification, on small folders in the official layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.data.makers import picture_bytes, pictures, tiny_imagenet, write
from tinyml.data import detect, open_dataset
from tinyml.errors import UsageError

IDS = {"n02124075": "Egyptian cat", "n01443537": "goldfish, Carassius auratus", "n09999999": "goldfish"}


def test_tiny_imagenet(tmp_path: Path) -> None:
    folder = tiny_imagenet(tmp_path, IDS, train=20, test=3)
    dataset = open_dataset(folder)
    assert dataset.layout == "tiny_imagenet" == detect(folder / "tiny-imagenet-200").name
    assert dataset.classes == ("Egyptian cat", "n01443537", "n09999999"), "two goldfish keep their ids"
    counts = {split: sum(numbers.values()) for split, numbers in dataset.counts().items()}
    assert counts["train"] + counts["validation"] == 60 and 1 <= counts["validation"] <= 15 and counts["test"] == 9
    sample = dataset.samples("test")[0]
    assert sample.name.startswith("val/images/") and sample.decode().shape == (8, 8, 3)
    assert any("1 pictures without a label" in note for note in dataset.notes)


def test_tiny_imagenet_counts_what_is_damaged_or_missing(tmp_path: Path) -> None:
    root = tiny_imagenet(tmp_path, IDS, train=20, test=3) / "tiny-imagenet-200"
    names = sorted((root / "val" / "images").iterdir())
    names[0].write_bytes(b"no picture")
    names[1].unlink()
    dataset = open_dataset(tmp_path)
    decoded = dataset.decode("test")
    assert [item.name for item in decoded.skipped] == [f"val/images/{names[0].name}"] and len(decoded.names) == 7
    assert any(note.startswith("1 annotated validation pictures are not") for note in dataset.notes)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("val/val_annotations.txt", "val_1.JPEG\tn00000000\t0\t0\t1\t1\n", "line 1 of"),
        ("wnids.txt", "n02124075\nn02124075\n", "lists 2 classes, 1 of them different"),
    ],
)
def test_tiny_imagenet_says_what_is_wrong(tmp_path: Path, file: str, content: str, message: str) -> None:
    write(tiny_imagenet(tmp_path, IDS, train=20, test=1) / "tiny-imagenet-200" / file, content.encode())
    with pytest.raises(UsageError, match=message):
        open_dataset(tmp_path)


def test_intel_images(tmp_path: Path) -> None:
    counts = {f"seg_train/seg_train/{name}": 15 for name in ("forest", "sea")}
    counts |= {f"seg_test/seg_test/{name}": 2 for name in ("forest", "sea")} | {"seg_pred/seg_pred": 3}
    pictures(tmp_path, counts)
    write(tmp_path / "seg_test" / "seg_test" / "sea" / "broken.jpg", picture_bytes(1, kind="JPEG")[:40])
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.classes) == ("intel_images", ("forest", "sea"))
    found = dataset.counts()
    assert found["test"] == {"forest": 2, "sea": 3}
    assert sum(found["train"].values()) + sum(found["validation"].values()) == 30
    assert "3 pictures without a label were left out" in dataset.notes
    decoded = dataset.decode("test", lambda picture: np.asarray(picture[:4, :4]))
    assert len(decoded.names) == 4 and [item.name for item in decoded.skipped] == ["seg_test/seg_test/sea/broken.jpg"]


def test_intel_images_without_the_repeated_folder(tmp_path: Path) -> None:
    pictures(tmp_path, {f"seg_{part}/{name}": 15 for part in ("train", "test") for name in ("forest", "sea")})
    assert open_dataset(tmp_path).counts()["test"] == {"forest": 15, "sea": 15}
    pictures(tmp_path, {"seg_test/desert": 1})
    with pytest.raises(UsageError, match="class 'desert' is in seg_test alone"):
        open_dataset(tmp_path)
