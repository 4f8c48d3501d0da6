"""Picture data sets: folders, Visual Wake Words and COCO, CIFAR-10, MNIST; whole, partial, damaged, hostile."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_shared
from tests.unit.data.makers import cifar10, hash_of, idx_bytes, mnist, picture_bytes, pictures, write
from tinyml.data import detect, open_dataset
from tinyml.data.base import find_damaged, hash_split
from tinyml.data.cifar10 import load_batch
from tinyml.data.mnist import read_idx
from tinyml.data.visual_wake_words import coco_labels
from tinyml.errors import UsageError


def test_folders_with_splits(tmp_path: Path) -> None:
    counts = {"train/cat": 5, "train/dog": 4, "val/cat": 2, "val/dog": 1, "test/cat": 3, "test/dog": 3}
    dataset = open_dataset(pictures(tmp_path, counts))
    assert (dataset.layout, dataset.kind, dataset.classes, dataset.notes) == (
        "image_folder",
        "image",
        ("cat", "dog"),
        (),
    )
    assert dataset.counts() == {
        "train": {"cat": 5, "dog": 4},
        "validation": {"cat": 2, "dog": 1},
        "test": {"cat": 3, "dog": 3},
    }
    decoded = dataset.decode("test")
    assert decoded.values.shape == (6, 20, 24, 3) and decoded.labels.tolist() == [0, 0, 0, 1, 1, 1]
    from PIL import Image

    file = Image.open(io.BytesIO(picture_bytes(hash_of("test/dog") + 2)))
    assert np.array_equal(decoded.values[-1], np.asarray(file))


def test_folders_without_splits_are_split_by_name(tmp_path: Path) -> None:
    dataset = open_dataset(pictures(tmp_path / "set", {"cat": 60, "dog": 60}))
    names = {split: {sample.name for sample in dataset.samples(split)} for split in dataset.splits}
    assert sum(len(found) for found in names.values()) == 120 and all(names.values())
    pictures(tmp_path / "set", {"bird": 30})
    larger = open_dataset(tmp_path / "set")
    assert all(names[split] < {sample.name for sample in larger.samples(split)} for split in names)
    assert "a tenth for validation" in dataset.notes[0]


def test_missing_splits_are_made_and_noted(tmp_path: Path) -> None:
    dataset = open_dataset(pictures(tmp_path, {"train/cat": 60, "train/dog": 60}))
    counts = {split: sum(numbers.values()) for split, numbers in dataset.counts().items()}
    assert counts["train"] + counts["validation"] == 120 and counts["validation"] == counts["test"] > 2
    assert len(dataset.notes) == 2


def test_damaged_pictures_are_skipped_by_name(tmp_path: Path) -> None:
    folder = pictures(tmp_path, {"train/cat": 3, "train/dog": 3, "val/cat": 1, "test/dog": 2})
    write(folder / "train/cat/picture001.png", picture_bytes(1)[:60])
    write(folder / "test/dog/picture000.png", b"")
    dataset = open_dataset(folder)
    assert [item.name for item in dataset.decode("train").skipped] == ["train/cat/picture001.png"]
    assert {item.name for item in find_damaged(dataset)} == {"train/cat/picture001.png", "test/dog/picture000.png"}


def test_pictures_of_many_sizes_need_a_transform(tmp_path: Path) -> None:
    folder = pictures(tmp_path, {"train/cat": 2, "train/dog": 2, "val/cat": 1})
    write(folder / "train/cat/wide.png", picture_bytes(5, 20, 60))
    with pytest.raises(UsageError, match=r"wide.png has \[20, 60, 3\]"):
        open_dataset(folder).decode("train")
    assert open_dataset(folder).decode("train", lambda picture: picture[:8, :8]).values.shape == (5, 8, 8, 3)


@pytest.mark.parametrize("other", ["notperson", "non_person"])
def test_visual_wake_words_folders(tmp_path: Path, other: str) -> None:
    counts = {f"{split}/{name}": 2 for split in ("train", "val", "test") for name in ("person", other)}
    dataset = open_dataset(pictures(tmp_path, {**counts, "train/cat": 2}))
    assert dataset.layout == "visual_wake_words" and dataset.classes == (other, "person")
    assert dataset.counts()["train"] == {other: 2, "person": 2}
    assert all(sample.label == ("/person/" in sample.name) for sample in dataset.samples("test"))


def test_visual_wake_words_without_splits_and_in_a_tar(tmp_path: Path) -> None:
    inner = pictures(tmp_path / "files", {"vw/person": 30, "vw/non_person": 30})
    folder = tmp_path / "packed"
    folder.mkdir()
    with tarfile.open(folder / "set.tar.xz", "w:xz") as archive:
        archive.add(inner / "vw", "vw")
    ours, theirs = open_dataset(folder), open_dataset(inner)
    assert ours.layout == theirs.layout == "visual_wake_words" and ours.counts() == theirs.counts()
    assert np.array_equal(ours.decode("train").values, theirs.decode("train").values)
    whole = (folder / "set.tar.xz").read_bytes()
    (folder / "set.tar.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="cannot read the archive"):
        open_dataset(folder)


def coco(folder: Path) -> dict[str, Any]:
    """COCO's structure: persons of 0.6 %, 0.5 % and 0.4 % of the picture, a cat, and a picture without annotations."""
    images = [{"id": index, "file_name": f"{index:012d}.png", "width": 200, "height": 100} for index in range(5)]
    annotations = [
        {"image_id": 0, "category_id": 1, "area": 120.0, "bbox": [0, 0, 1, 1]},
        {"image_id": 1, "category_id": 1, "area": 100.0, "bbox": [0, 0, 200, 100]},
        {"image_id": 2, "category_id": 1, "area": 80.0, "bbox": [0, 0, 200, 100]},
        {"image_id": 3, "category_id": 17, "area": 9000.0, "bbox": [0, 0, 90, 100]},
        {"image_id": 2, "category_id": 1, "area": 60.0, "bbox": [0, 0, 200, 100]},
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 17, "name": "cat"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def test_coco_labels_by_the_area_rule(tmp_path: Path) -> None:
    labels = coco_labels(coco(tmp_path))
    assert labels == {f"{index:012d}.png": int(index in (0, 1)) for index in range(5)}
    with pytest.raises(UsageError, match="'categories' is missing"):
        coco_labels({})
    with pytest.raises(UsageError, match="no category 'person'"):
        coco_labels({**coco(tmp_path), "categories": []})
    empty = [{**image, "width": 0} for image in coco(tmp_path)["images"]]
    with pytest.raises(UsageError, match="division by zero"):
        coco_labels({**coco(tmp_path), "images": empty})


def test_coco_data_set(tmp_path: Path) -> None:
    structure = coco(tmp_path)
    for split in ("train", "val"):
        write(tmp_path / "annotations" / f"instances_{split}2014.json", json.dumps(structure).encode())
        for image in structure["images"][:4]:
            write(tmp_path / f"{split}2014" / image["file_name"], picture_bytes(image["id"]))
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "visual_wake_words" and dataset.classes == ("notperson", "person")
    assert dataset.counts()["test"] == {"notperson": 2, "person": 2}
    assert "2 annotated pictures are not in the folder" in dataset.notes[-1]
    assert {sample.name.split("/")[0] for sample in dataset.samples("test")} == {"val2014"}
    held = [hash_split(image["file_name"], 10.0, 0.0) == "validation" for image in structure["images"][:4]]
    assert len(dataset.samples("validation")) == sum(held)
    write(tmp_path / "annotations" / "instances_val2014.json", b"{")
    with pytest.raises(UsageError, match=r"cannot read .*instances_val2014.json"):
        open_dataset(tmp_path)


def test_cifar10_batches(tmp_path: Path) -> None:
    dataset = open_dataset(cifar10(tmp_path, 50, 20))
    assert dataset.layout == "cifar10" and dataset.classes[3] == "cat"
    assert [len(dataset.samples(split)) for split in ("train", "validation", "test")] == [45, 5, 20]
    decoded = open_dataset(tmp_path / "cifar-10-batches-py").decode("test")
    data = load_batch(tmp_path / "cifar-10-batches-py" / "test_batch")[b"data"]
    assert decoded.values.shape == (20, 32, 32, 3)
    assert decoded.values[7, 2, 5].tolist() == [data[7, plane * 1024 + 2 * 32 + 5] for plane in range(3)]
    assert decoded.labels.tolist() == [index % 10 for index in range(20)]


class Hostile:
    """Would make a file when an ordinary unpickler loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    folder = cifar10(tmp_path / "set", 20, 10)
    target = tmp_path / "made"
    write(folder / "cifar-10-batches-py/data_batch_1", pickle.dumps({b"data": Hostile(target)}, 2))
    with pytest.raises(UsageError, match="no readable CIFAR-10 batch"):
        open_dataset(folder)
    assert not target.exists()


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2],
        {b"data": np.zeros((2, 5), np.uint8), b"labels": [0, 1]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 12]},
    ],
)
def test_wrong_batches_are_named(tmp_path: Path, batch: Any) -> None:
    folder = cifar10(tmp_path, 20, 10)
    write(folder / "cifar-10-batches-py/data_batch_1", pickle.dumps(batch, 2))
    with pytest.raises(UsageError, match="data_batch_1"):
        open_dataset(folder)


def test_cut_batches_are_named(tmp_path: Path) -> None:
    folder = cifar10(tmp_path, 20, 10)
    path = folder / "cifar-10-batches-py/data_batch_1"
    whole = path.read_bytes()
    for length in (0, 1, 30, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match="no readable CIFAR-10 batch"):
            open_dataset(folder)


def test_packed_cifar10(tmp_path: Path) -> None:
    files = [picture_bytes(index, 32, 32, "JPEG") for index in range(30)]
    np.savez(
        tmp_path / "pictures.npz",
        blob=np.frombuffer(b"".join(files), np.uint8),
        lengths=np.array([len(file) for file in files]),
        batch=np.array(["data_batch_1"] * 20 + ["test_batch"] * 10),
        label=np.array([index % 10 for index in range(30)], np.uint8),
        names=np.array(["x"] * 10),
    )
    dataset = open_dataset(tmp_path)
    assert [len(dataset.samples(split)) for split in ("train", "validation", "test")] == [18, 2, 10]
    assert dataset.decode("test").values.shape == (10, 32, 32, 3)


@pytest.mark.parametrize("zipped", [True, False])
def test_mnist(tmp_path: Path, zipped: bool) -> None:
    dataset = open_dataset(mnist(tmp_path / "MNIST" / "raw", 40, 12, zipped=zipped).parents[1])
    assert dataset.layout == "mnist" and dataset.classes == tuple("0123456789")
    assert [len(dataset.samples(split)) for split in ("train", "validation", "test")] == [36, 4, 12]
    decoded = dataset.decode("test")
    assert decoded.values.shape == (12, 28, 28, 1) and decoded.values.dtype == np.uint8
    wanted = np.random.default_rng(12).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    assert np.array_equal(decoded.values[..., 0], wanted)


def test_damaged_idx_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    good = idx_bytes(np.zeros((2, 3, 3), np.uint8))
    for data in (b"", good[:7], good[:-1], good + b"x", b"\0\0\x0d" + good[3:], b"\0\0\x08\x03" + b"\xff" * 12):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="train-images"):
            read_idx(path)
    cut = tmp_path / "train-images-idx3-ubyte.gz"
    cut.write_bytes(b"\x1f\x8b\x08\0\0")
    with pytest.raises(UsageError, match="cannot read"):
        read_idx(cut)
    path.write_bytes(good)
    assert read_idx(path).shape == (2, 3, 3)


def test_labels_that_do_not_agree_are_an_error(tmp_path: Path) -> None:
    folder = mnist(tmp_path, 10, 5, zipped=False)
    write(folder / "t10k-labels-idx1-ubyte", idx_bytes(np.zeros(4, np.uint8)))
    with pytest.raises(UsageError, match=r"test images \[5, 28, 28\] do not agree with labels \[4\]"):
        open_dataset(folder)


def test_unknown_folders_and_layouts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        open_dataset(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no layout of a data set that is known") as error:
        open_dataset(tmp_path)
    assert "train-images-idx3" in (error.value.hint or "")
    with pytest.raises(UsageError, match="no layout 'imagenet'"):
        open_dataset(tmp_path, "imagenet")
    with pytest.raises(UsageError, match="pictures of 1 classes"):
        open_dataset(pictures(tmp_path / "one", {"cat": 3}))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "layout", "counts"),
    [
        ("vww_human", "visual_wake_words", (4_500, 502, 802)),
        ("cifar10", "cifar10", (9_000, 1_000, 9_800)),
        ("mnist", "mnist", (54_000, 6_000, 10_000)),
    ],
)
def test_the_shared_sets_have_their_published_counts(name: str, layout: str, counts: tuple[int, int, int]) -> None:
    folder = require_shared(f"data/{name}/README.md").parent
    assert detect(folder).name == layout
    dataset = open_dataset(folder)
    assert tuple(len(dataset.samples(split)) for split in ("train", "validation", "test")) == counts
    assert dataset.samples("test")[-1].decode().dtype == np.uint8
