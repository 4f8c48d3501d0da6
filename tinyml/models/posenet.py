"""PoseNet: heatmaps and offsets of the body's keypoints over MobileNetV1.

Papandreou et al., "PersonLab: Person Pose Estimation and Instance Segmentation with a Bottom-Up, Part-Based, Geometric
Embedding Model", 2018, arXiv:1803.08225, section 3.1; outputs and keypoints as in its public release over MobileNetV1
(tensorflow/tfjs-models, posenet). :mod:`tinyml.detection` makes keypoints of its outputs.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import finish, image_input
from tinyml.models.entry import Entry, Published
from tinyml.models.mobilenet_v1 import body

KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""In the order of the heatmaps."""
EDGES = 16
"""Pairs of neighbouring keypoints, for which the release predicts displacements both ways."""
STRIDE = 16


def build(
    *,
    input_shape: tuple[int, ...] = (257, 257, 3),
    keypoints: int = len(KEYPOINTS),
    width: float = 1.0,
    displacements: bool = True,
    batch_size: int | None = None,
    name: str = "posenet",
) -> Any:
    """Outputs of shape (rows, columns, values), a cell 16 pixels wide.

    In this order: ``heatmap`` (a keypoint's probability, ``keypoints`` values), ``offsets`` (y of every keypoint, then
    x, as parts of a cell) and, with ``displacements``, two more for poses of several people (section 3.1.2).
    """
    import keras

    inputs = image_input(input_shape, batch_size)
    x = body(inputs, width, largest_stride=STRIDE)
    heat = keras.layers.Conv2D(keypoints, 1, name="heatmap_scores")(x)
    outputs = [keras.layers.Activation("sigmoid", name="heatmap")(heat)]
    outputs.append(keras.layers.Conv2D(2 * keypoints, 1, name="offsets")(x))
    if displacements:
        for way in ("forward", "backward"):
            outputs.append(keras.layers.Conv2D(2 * EDGES, 1, name=f"displacements_{way}")(x))
    return finish(inputs, outputs, name)


_MANIFEST = (("labels", KEYPOINTS), ("detection", {"kind": "keypoints", "cell_pixels": STRIDE}))
_PAPER = "Papandreou et al. 2018, PersonLab, arXiv:1803.08225, section 3.1"

ROWS = (
    Entry(
        "posenet_025_96",
        "posenet",
        "pose_estimation",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("width", 0.25), ("displacements", False)),
        board="nano33ble",
        manifest=_MANIFEST,
    ),
    Entry(
        "posenet_257",
        "posenet",
        "pose_estimation",
        _PAPER,
        build,
        (),
        Published("keras.applications.MobileNet without its top, and 115 heads of 1,024 weights and a bias", 3_324_851),
        manifest=_MANIFEST,
    ),
)
