"""Which rows of the catalogue the benchmark compares, on which of two tasks and in which form; and what it found.

Every row that was sized for a board and that tells classes apart takes part: photographs go to those that take
pictures, words to those that take sound. A row keeps its definition; only the number of classes, the input's size
where the task has another, and what is left out at random while training (dropout) are set, the same for all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tinyml.files import write_file
from tinyml.models.catalog import CATALOG, Entry

RESULTS = Path(__file__).with_name("zoo.json")
PICTURES, KEYWORDS = "pictures", "keywords"
CLASSES = {PICTURES: 10, KEYWORDS: 7}
LARGEST_SIDE = 64
"""CIFAR-10's pictures have 32 pixels a side: larger than twice that there is nothing more to see in them."""

FRAMES = 49
"""What the front-end makes of a second of sound."""

CONTESTS = {
    "visual_wake_words": PICTURES,
    "image_classification": PICTURES,
    "keyword_spotting": KEYWORDS,
}
REASONS = {
    "segmentation": "gives every pixel a class, not the picture",
    "object_detection": "gives boxes",
    "pose_estimation": "gives keypoints",
    "speech_synthesis": "makes sound out of phonemes",
    "anomaly_detection": "learns to reconstruct normal sound, and knows no classes",
    "super_resolution": "gives a larger picture",
    "sensor_fusion": "takes a picture and sound at once",
}
"""Why rows of the other tasks are not compared."""

STAND_INS = {
    "deeplab_lite": "mobilenet_v2",
    "posenet": "mobilenet_v1",
}
"""Families that are compared and that share the body of one that is not."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The one recipe: Adam, a linear warm-up, then half a cosine down to zero, over reshuffled passes.

    Cross-entropy of the classes; no augmentation, no dropout, no weight decay, no teacher. ``norm_momentum`` replaces
    that of every batch norm: so few steps do not fill averages over a hundred batches and more.
    """

    examples: int = 9_000
    steps: int = 1_000
    batch_size: int = 32
    learning_rate: float = 2e-3
    warmup_steps: int = 30
    norm_momentum: float = 0.9
    seed: int = 1
    test_examples: int = 2_000

    def digest(self, entry: Entry) -> str:
        """What changes whenever ``entry`` has to be trained again; its definition's own code is not looked at."""
        content = json.dumps([asdict(self), entry.name, repr(sorted(options_of(entry).items()))])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Measured:
    """The compiled firmware of a trained network, by the ELF, and one inference of it, counted in emulation."""

    board: str
    flash_bytes: int
    sram_bytes: int
    instructions: int
    commit: str


@dataclass(frozen=True, slots=True)
class Row:
    """What one network reached; accuracies are shares of ``test_examples`` that nobody trained on."""

    name: str
    contest: str
    recipe: str
    input_shape: tuple[int, ...]
    parameters: int
    macs: int
    float_accuracy: float
    int8_accuracy: float
    test_examples: int
    model_sha256: str
    measured: Measured | None = None


def contestants() -> tuple[Entry, ...]:
    """The rows that are compared, in the catalogue's order."""
    return tuple(entry for entry in CATALOG if entry.board and entry.task in CONTESTS)


def others() -> tuple[Entry, ...]:
    """The rows with a board that are not compared."""
    return tuple(entry for entry in CATALOG if entry.board and entry.task not in CONTESTS)


def contest_of(entry: Entry) -> str:
    """The task that ``entry`` is compared on."""
    return CONTESTS[entry.task]


def options_of(entry: Entry) -> dict[str, Any]:
    """All options of the definition, with those that the comparison sets."""
    options = entry.defaults
    contest = contest_of(entry)
    height, width, channels = entry.input_shape
    if contest == PICTURES:
        shape = (min(height, LARGEST_SIDE), min(width, LARGEST_SIDE), channels)
    else:
        shape = (FRAMES, width, channels)
    options |= {"classes": CLASSES[contest], "input_shape": shape}
    return options | {name: 0.0 for name in ("dropout", "drop_rate") if name in options}


def read_missing(path: Path = RESULTS) -> list[str]:
    """The rows that were to be compared when the last result was kept, and had not been measured."""
    return list(json.loads(path.read_text("utf-8"))["missing"]) if path.is_file() else []


def read_rows(path: Path = RESULTS) -> dict[str, Row]:
    """The kept results by name; none where there is no file."""
    if not path.is_file():
        return {}
    rows = {}
    for name, found in json.loads(path.read_text("utf-8"))["rows"].items():
        measured = found.pop("measured")
        shape = tuple(found.pop("input_shape"))
        rows[name] = Row(name, input_shape=shape, measured=Measured(**measured) if measured else None, **found)
    return rows


def put_row(row: Row, settings: Settings, path: Path = RESULTS) -> None:
    """Add or replace one row; the file is read anew and replaced whole, so that a run may stop at any time."""
    rows = read_rows(path) | {row.name: row}
    ordered = [rows[entry.name] for entry in CATALOG if entry.name in rows]
    finished = {row.name for row in ordered if row.measured is not None}
    content = {
        "about": "written by python -m tests.bench.zoo",
        "settings": asdict(settings),
        "missing": [entry.name for entry in contestants() if entry.name not in finished],
        "rows": {row.name: {k: v for k, v in asdict(row).items() if k != "name"} for row in ordered},
    }
    write_file(path, json.dumps(content, indent=1) + "\n")


def with_measured(row: Row, measured: Measured) -> Row:
    """The row with what its firmware takes."""
    return replace(row, measured=measured)
