"""Detection end to end: boxes and keypoints that the firmware prints, against the reference kernels and the decoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.support.tflite_builder import Builder
from tests.support.trivial_network import any_toolchain
from tinyml.cli import main
from tinyml.errors import UsageError
from tinyml.pipeline import Options, application, emulate
from tinyml.pipeline.pictures import emulate_pictures

SIZE = 24
BOXES = {"kind": "boxes", "anchors": [[1.0, 2.0], [2.5, 1.5]], "least_score": 0.2, "limit": 5}
KEYPOINTS = {"kind": "keypoints", "cell_pixels": 8}


def write_model(
    folder: Path, manifest: Mapping[str, Any], *, scales: tuple[float, ...], values: tuple[int, ...]
) -> Path:
    """One 3x3 convolution with random weights for each output, with so many values a cell, and the manifest beside."""
    rng = np.random.default_rng(7)
    builder = Builder()
    image = builder.input((1, SIZE, SIZE, 3), scale=1 / 255, zero_point=-128)
    outputs = []
    for scale, count in zip(scales, values, strict=True):
        weights = rng.integers(-127, 128, (count, 3, 3, 3)).astype(np.int8)
        outputs.append(builder.conv_2d(image, weights, scale, stride=(4, 4)))
    path = folder / f"detects_{len(values)}.tflite"
    path.write_bytes(builder.build(outputs))
    path.with_suffix(".json").write_text(json.dumps(manifest))
    return path


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two anchors, two classes."""
    manifest = {"labels": ["cat", "dog"], "detection": BOXES}
    return write_model(tmp_path_factory.mktemp("boxes"), manifest, scales=(0.02,), values=(14,))


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three keypoints; the offsets come first."""
    manifest = {"labels": ["nose", "hand", "foot"], "detection": KEYPOINTS}
    return write_model(tmp_path_factory.mktemp("keypoints"), manifest, scales=(0.02, 0.005), values=(6, 3))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of coarse patches."""
    require_module("PIL")
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(5)
    for index in range(6):
        patches = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        patches.resize((160, 120)).save(folder / f"{index}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("board", ["nano33ble", "pico"])
def test_boxes_are_those_of_the_reference(board: str, boxes: Path, pictures: Path) -> None:
    require_module("unicorn")
    result = emulate_pictures(boxes, board, Options(app="detect", toolchain=any_toolchain()), images=[pictures])
    assert result.different == 0 and len(result.pictures) == 6 and result.labels == ("cat", "dog")
    found = [box for picture in result.pictures for box in picture.found]
    assert found and max(len(picture.found) for picture in result.pictures) <= 5
    assert all(0 <= box["left"] <= box["right"] <= SIZE and 0 <= box["top"] <= box["bottom"] <= SIZE for box in found)
    assert all(box["score"] >= 0.2 for box in found) and {box["name"] for box in found} <= {"cat", "dog"}
    for picture in result.pictures:
        scores = [box["score"] for box in picture.found]
        assert scores == sorted(scores, reverse=True) and picture.score == max(scores, default=0.0)


@pytest.mark.slow
def test_keypoints_are_those_of_the_reference(keypoints: Path, pictures: Path) -> None:
    require_module("unicorn")
    result = emulate_pictures(
        keypoints, "mps2-an386", Options(app="detect", toolchain=any_toolchain()), images=[pictures]
    )
    assert result.different == 0 and result.labels == ("nose", "hand", "foot")
    places = {(point["x"], point["y"]) for picture in result.pictures for point in picture.found}
    assert all(len(picture.found) == 3 for picture in result.pictures) and len(places) > 6


@pytest.mark.slow
def test_the_same_image_proves_its_network(boxes: Path) -> None:
    require_module("unicorn")
    assert emulate(str(boxes), "pico2", options=Options(app="detect", toolchain=any_toolchain())).equal


@pytest.mark.slow
def test_the_command_line(boxes: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("unicorn")
    arguments = ["emulate", str(boxes), "--board", "mps2-an386", "--app", "detect", "--toolchain", any_toolchain()]
    assert main([*arguments, "--image", str(pictures), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["equal"] and result["app"] == "detect"
    assert {key for one in result["pictures"] for box in one["found"] for key in box} == {
        "name", "score", "left", "top", "right", "bottom",
    }  # fmt: skip
    assert main([*arguments, "--image", str(pictures)]) == 0
    assert " from " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("detection", "words"),
    [
        (None, "says nothing of boxes or keypoints"),
        ({"kind": "faces"}, "says the kind 'faces'"),
        ({"kind": "boxes"}, "can't be read: 'anchors'"),
        ({"kind": "boxes", "anchors": [[1, 2]] * 3}, "14 values a cell, which 3 anchors do not share"),
        ({"kind": "boxes", "anchors": [[1, 2]] * 2, "limit": 0}, "a limit of 0 boxes"),
        ({"kind": "boxes", "anchors": "wide"}, "can't be read"),
        ({"kind": "keypoints"}, "the outputs have 14 values a cell"),
    ],
)
def test_what_is_refused(detection: Any, words: str, tmp_path: Path) -> None:
    model = write_model(tmp_path, {"detection": detection} if detection else {}, scales=(0.02,), values=(14,))
    with pytest.raises(UsageError, match=words), application(str(model), "pico", options=Options(app="detect")):
        pass


def test_a_data_set_does_not_tell_where_things_are(boxes: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not where"):
        emulate_pictures(boxes, "pico", Options(app="detect"), dataset=tmp_path)
