"""Pictures through a firmware's own camera driver in emulation: what it sees, what it says, whether that is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.boards import Board
from tinyml.data import open_dataset
from tinyml.data.base import IMAGE, TEST, CorruptSampleError, Dataset
from tinyml.data.pictures import SUFFIXES, decode_picture
from tinyml.emulate.run import run_application
from tinyml.errors import BuildError, UsageError
from tinyml.features.codes import as_input
from tinyml.features.frames import pack_frame, unpack_frame
from tinyml.firmware.app_values import class_names, image_config
from tinyml.firmware.detect import Detector, Found
from tinyml.firmware.parts.camera import sensor_of
from tinyml.firmware.scores import score
from tinyml.graph.ir import Graph
from tinyml.tflite.reference import Reference

CAMERA_FILE = "tml_camera.bin"
BATCH = 128
"""Pictures in one run of the firmware."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture's name, its uint8 pixels ``[height, width, 3]``, and its class where a data set says so."""

    name: str
    pixels: NDArray[np.uint8]
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was said of a picture: the best class and its score, each class's (the first 16), and the class in the data
    set if it comes from one. Of a detection ``found`` are the boxes or keypoints; label and score are the best one's,
    ``nothing`` where there is none."""

    name: str
    label: str
    score: float
    scores: tuple[float, ...]
    truth: str | None = None
    found: tuple[Found, ...] = ()


def picture_files(paths: Sequence[Path]) -> list[Picture]:
    """The pictures of files and folders, sorted by name. Raises UsageError where there is none or one is unreadable."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise UsageError(f"there is no picture {path}")
    if not files:
        raise UsageError(f"{paths[0]} holds no pictures", hint=f"they end in {', '.join(SUFFIXES)}")
    found = []
    for file in files:
        try:
            found.append(Picture(file.name, decode_picture(file.read_bytes())))
        except CorruptSampleError as error:
            raise UsageError(f"{file} {error}") from None
    return found


def picture_dataset(folder: Path) -> Dataset:
    """The data set of a folder. Raises UsageError where it is none of pictures."""
    dataset = open_dataset(folder)
    if dataset.kind != IMAGE:
        raise UsageError(
            f"{folder} holds {dataset.kind}, not pictures", hint="`tinyml data info FOLDER` says what is in a folder"
        )
    return dataset


def dataset_pictures(dataset: Dataset, limit: int | None) -> Iterator[Picture]:
    """The test split of a data set, at most ``limit`` samples spread over all of it; damaged ones are left out."""
    samples = dataset.samples(TEST)
    count = min(len(samples), limit or len(samples))
    for index in range(count):
        sample = samples[index * len(samples) // count]
        try:
            pixels = sample.decode()
        except CorruptSampleError:
            continue
        colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        yield Picture(sample.name, colour, dataset.classes[sample.label])


def see(elf: Path, board: Board, pictures: Sequence[Picture], emulator: str) -> list[Seen]:
    """Runs the firmware ``elf`` on ``pictures``, which it takes from its camera driver one after the other.

    Raises BuildError where it does not answer for each, MismatchError where it faults.
    """
    sensor = sensor_of(board)
    frames = [pack_frame(picture.pixels, sensor.width, sensor.height, sensor.pixels) for picture in pictures]
    run = run_application(elf, board, {CAMERA_FILE: b"".join(frames)}, emulator=emulator)
    events = [event for event in run.events if event.get("event") == "frame"]
    if [event["frame"] for event in events] != list(range(len(pictures))):
        raise BuildError(f"the firmware answered for {len(events)} of {len(pictures)} pictures")
    return [_said(event, picture) for picture, event in zip(pictures, events, strict=True)]


def _said(event: dict[str, Any], picture: Picture) -> Seen:
    found = event.get("boxes", event.get("keypoints"))
    if found is not None:
        return seen_things(picture, found)
    return Seen(picture.name, event["class"], event["score"], tuple(event["scores"]), picture.label)


def seen_things(picture: Picture, found: Sequence[Found]) -> Seen:
    """What a detection says of a picture: the best of what is ``found`` stands for it."""
    if not found:
        return Seen(picture.name, "nothing", 0.0, (), picture.label)
    best = max(found, key=lambda one: float(one["score"]))
    return Seen(picture.name, best["name"], best["score"], (), picture.label, tuple(found))


def expected(
    board: Board,
    graph: Graph,
    labels: Sequence[str],
    reference: Reference,
    picture: Picture,
    detector: Detector | None = None,
) -> Seen:
    """What the firmware has to say: the same frame through the Python preprocessing and the reference kernels.

    With a ``detector`` the network's outputs are boxes or keypoints.
    """
    sensor, config = sensor_of(board), image_config(graph)
    frame = pack_frame(picture.pixels, sensor.width, sensor.height, sensor.pixels)
    codes = config.process(unpack_frame(frame, sensor.width, sensor.height, sensor.pixels))
    array = as_input(codes, config.input_scale, config.input_zero_point, graph.tensors[graph.inputs[0]])
    outputs = reference.run([array])
    if detector is not None:
        return seen_things(picture, detector.found(outputs))
    output: NDArray[Any] = outputs[0].ravel()
    tensor = graph.tensors[graph.outputs[0]]
    scores = tuple(score(tensor, int(value)) for value in output)
    best = int(np.argmax(output))
    return Seen(picture.name, class_names(graph, labels)[best], scores[best], scores[:16], picture.label)
