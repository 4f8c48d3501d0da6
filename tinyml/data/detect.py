"""Finds out which public layout a folder has, and opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tinyml.data import (
    cifar10,
    edge_impulse,
    image_folder,
    intel_images,
    machine_sounds,
    mnist,
    records,
    speech_commands,
    tiny_imagenet,
    visual_wake_words,
)
from tinyml.data.base import Dataset, require_folder
from tinyml.data.records import Worker
from tinyml.data.speech_commands import SpeechOptions
from tinyml.errors import UsageError


@dataclass(frozen=True)
class DatasetOptions:
    """Choices that only some layouts have. ``worker`` reads its own shards of records."""

    speech: SpeechOptions = field(default_factory=SpeechOptions)
    worker: Worker | None = None


@dataclass(frozen=True)
class Layout:
    """A public layout: its name, what it looks like in words, how it is recognised and read."""

    name: str
    looks_like: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, DatasetOptions], Dataset]


LAYOUTS = (
    Layout(
        records.LAYOUT,
        "records.json and TFRecord shards, as `tinyml data records` writes them",
        records.recognise,
        lambda folder, options: records.read(folder, options.speech.words, options.worker),
    ),
    Layout(
        mnist.LAYOUT,
        "train-images-idx3-ubyte[.gz] and the three files beside it",
        mnist.recognise,
        lambda folder, options: mnist.read(folder),
    ),
    Layout(
        cifar10.LAYOUT,
        "data_batch_1 … 5 and test_batch, in cifar-10-batches-py or not",
        cifar10.recognise,
        lambda folder, options: cifar10.read(folder),
    ),
    Layout(
        edge_impulse.AUDIO_LAYOUT,
        "info.labels that names WAV files, or JSON or CBOR acquisitions of sound",
        edge_impulse.recognise_audio,
        lambda folder, options: edge_impulse.read_audio(folder, options.speech),
    ),
    Layout(
        edge_impulse.IMAGE_LAYOUT,
        "info.labels that names pictures",
        edge_impulse.recognise_images,
        lambda folder, options: edge_impulse.read_images(folder),
    ),
    Layout(
        tiny_imagenet.LAYOUT,
        "wnids.txt, train/n01443537/images, val/images and val/val_annotations.txt",
        tiny_imagenet.recognise,
        lambda folder, options: tiny_imagenet.read(folder),
    ),
    Layout(
        intel_images.LAYOUT,
        "seg_train/seg_train/forest and so on, seg_test/seg_test/…",
        intel_images.recognise,
        lambda folder, options: intel_images.read(folder),
    ),
    Layout(
        visual_wake_words.LAYOUT,
        "train/person, train/notperson, val/…; or annotations/instances_train2014.json of COCO",
        visual_wake_words.recognise,
        lambda folder, options: visual_wake_words.read(folder),
    ),
    Layout(
        machine_sounds.LAYOUT,
        "train/normal_….wav, test/normal_….wav and test/anomaly_….wav",
        machine_sounds.recognise,
        lambda folder, options: machine_sounds.read(folder),
    ),
    Layout(
        speech_commands.LAYOUT,
        "a folder of WAV files for each word, testing_list.txt, validation_list.txt, _background_noise_",
        speech_commands.recognise,
        lambda folder, options: speech_commands.read(folder, options.speech),
    ),
    Layout(
        image_folder.LAYOUT,
        "a folder of pictures for each class, below train, val and test or not",
        image_folder.recognise,
        lambda folder, options: image_folder.read(folder),
    ),
)
"""Every layout, the narrower ones first: the first that recognises a folder is taken."""


def detect(folder: Path) -> Layout:
    """The layout of a folder; UsageError, with the layouts known, where none fits."""
    if not folder.is_dir():
        raise UsageError(f"no such folder: {folder}", hint="--data takes the folder of a data set; see `tinyml data`")
    for layout in LAYOUTS:
        if layout.recognise(folder):
            return layout
    known = "; ".join(f"{layout.name}: {layout.looks_like}" for layout in LAYOUTS)
    raise UsageError(f"{folder} has no layout of a data set that is known", hint=f"known are {known}")


def open_dataset(folder: Path, layout: str | None = None, options: DatasetOptions | None = None) -> Dataset:
    """Open a folder in a named layout, or in the one it is seen to have; UsageError where that is not possible."""
    if layout is None:
        chosen = detect(folder)
    else:
        by_name = {item.name: item for item in LAYOUTS}
        if layout not in by_name:
            raise UsageError(f"no layout {layout!r}", hint="layouts are " + ", ".join(by_name))
        require_folder(folder)
        chosen = by_name[layout]
    return chosen.read(folder, options or DatasetOptions())
