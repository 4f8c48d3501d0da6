"""A classifier of 24 x 24 pictures with random weights: what the tests of visual wake words run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.support.tflite_builder import Builder

SIZE = 24
LABELS = ("notperson", "person")


def tiny_vww(folder: Path) -> Path:
    """Writes the model and its labels into ``folder``; the path of the ``.tflite``."""
    rng = np.random.default_rng(3)
    builder = Builder()
    image = builder.input((1, SIZE, SIZE, 3), scale=1 / 255, zero_point=-128)
    weights = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    features = builder.reshape(builder.conv_2d(image, weights, 0.002, stride=(4, 4)), (1, 4 * 6 * 6))
    heads = rng.integers(-127, 128, (2, 144)).astype(np.int8)
    scores = builder.softmax(builder.fully_connected(features, heads, 0.002))
    path = folder / "tiny_vww.tflite"
    path.write_bytes(builder.build([scores]))
    path.with_suffix(".json").write_text(json.dumps({"labels": list(LABELS), "task": "persons"}))
    return path
