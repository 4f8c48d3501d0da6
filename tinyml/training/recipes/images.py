"""Photographs, a folder a class or person / notperson as in Visual Wake Words: random crops, flips, light, colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.data import Dataset
from tinyml.data.base import IMAGE, TEST, TRAIN, VALIDATION
from tinyml.errors import UsageError
from tinyml.features import ImageConfig
from tinyml.training.augment_images import ImageAugmentation, change_light, crop_and_resize, shift_and_flip
from tinyml.training.examples import CLASSIFY, Examples, TrainingData
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.base import DataOptions, Recipe, count_labels, notes

Pixels = npt.NDArray[np.uint8]
Augment = Callable[[Pixels, np.random.Generator], Pixels]

CALIBRATION_PER_CLASS = 200
AUGMENTATION = ImageAugmentation()


def prepare(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
    """Photographs → int8 images of ``input_shape`` (size, size, channels); training images are a third larger, to crop.

    Raises:
        UsageError: the shape is no square image.
    """
    config = image_config(input_shape)
    larger = ImageConfig(size=round(config.size * 4 / 3), channels=config.channels)

    def augment(images: Pixels, rng: np.random.Generator) -> Pixels:
        cropped = [crop_and_resize(image, config.size, rng, AUGMENTATION) for image in images]
        return change_light(np.stack(cropped), rng, AUGMENTATION)

    return image_data(RECIPE.name, dataset, config, larger, augment)


def image_config(input_shape: tuple[int, ...]) -> ImageConfig:
    """The preprocessing that gives images of a model's input shape.

    Raises:
        UsageError: the shape is not (size, size, 1 or 3).
    """
    if len(input_shape) != 3 or input_shape[0] != input_shape[1] or input_shape[2] not in (1, 3):
        raise UsageError(
            f"the model takes inputs of {input_shape}, images are (size, size, 3) or (size, size, 1)",
            hint="mobilenet_v1 is a model for photographs, resnet8 for pictures of 32x32",
        )
    return ImageConfig(size=input_shape[0], channels=input_shape[2])


def image_data(task: str, dataset: Dataset, config: ImageConfig, stored: ImageConfig, augment: Augment) -> TrainingData:
    """Training data out of an image set: ``stored`` is how training images are kept, before ``augment`` (on pixels).

    Raises:
        UsageError: the data set does not hold images.
    """
    if dataset.kind != IMAGE:
        raise UsageError(
            f"the data set holds {dataset.kind}, the model takes images", hint="ds_cnn is a model for keywords"
        )

    def pixels(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        return to_pixels(stored.process(image))

    train = dataset.decode(TRAIN, pixels)
    held = {split: dataset.decode(split, config.process) for split in (VALIDATION, TEST)}
    classes = range(len(dataset.classes))
    rows = np.concatenate([np.flatnonzero(train.labels == label)[:CALIBRATION_PER_CLASS] for label in classes])
    plain = np.stack([config.process(train.values[row]) for row in rows])

    def epoch(rng: np.random.Generator) -> Examples:
        return Examples(to_codes(augment(train.values, rng)), train.labels)

    decoded = {TRAIN: train, **held}
    return TrainingData(
        task=task,
        objective=CLASSIFY,
        labels=dataset.classes,
        scale=config.input_scale,
        zero_point=config.input_zero_point,
        epoch=epoch,
        plain=Examples(plain, train.labels[rows]),
        validation=Examples(held[VALIDATION].values, held[VALIDATION].labels),
        test=Examples(held[TEST].values, held[TEST].labels),
        frontend={"kind": "image", **config.to_json()},
        counts=count_labels(decoded, dataset.classes),
        notes=notes(dataset, decoded),
    )


def to_pixels(codes: npt.NDArray[np.int8]) -> Pixels:
    """uint8 pixels of int8 codes: code + 128."""
    return (codes.astype(np.int16) + 128).astype(np.uint8)


def to_codes(pixels: Pixels) -> npt.NDArray[np.int8]:
    """int8 codes of uint8 pixels: pixel - 128."""
    return (pixels.astype(np.int16) - 128).astype(np.int8)


def shifting_recipe(name: str, layout: str, reach: int, mirror: bool, fit: FitOptions) -> Recipe:
    """A recipe for small pictures that fill their frame: moved by up to ``reach`` pixels, mirrored where asked."""

    def prepare_small(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
        config = image_config(input_shape)
        return image_data(name, dataset, config, config, lambda images, rng: shift_and_flip(images, reach, mirror, rng))

    return Recipe(name, (layout,), prepare_small, fit)


RECIPE = Recipe(
    name="images",
    layouts=("visual_wake_words", "image_folder", "tiny_imagenet", "intel_images", "edge_impulse_images"),
    prepare=prepare,
    fit=FitOptions(epochs=50, batch_size=32, learning_rate=3e-3, weight_decay=3e-4, label_smoothing=0.05, patience=20),
)
