"""Photographs, a folder a class or person / notperson as in Visual Wake Words: random crops, flips, light, colour.

Pictures are mixed with others, too, and squares cut out of them: where there are few, nothing else keeps a network from
learning them by heart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.data import Dataset
from tinyml.data.base import IMAGE, TEST, TRAIN, VALIDATION
from tinyml.errors import UsageError
from tinyml.features import ImageConfig
from tinyml.training.augment_images import (
    ImageAugmentation,
    change_pictures,
    crop_and_resize,
    resize,
    shift_and_flip,
    turn_and_stretch,
)
from tinyml.training.examples import CLASSIFY, Codes, Examples, TrainingData
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.base import DataOptions, Recipe, count_labels, notes

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]
Place = Callable[[Pixels, int, np.random.Generator], Pixels]
"""Crops or moves stored pictures ``[n, side, side, channels]`` to a size."""

CALIBRATION_PER_CLASS = 200
CHUNK = 500
"""Pictures that are augmented, and mixed with each other, at a time."""

LEAST_STORED = 128
AUGMENTATION = ImageAugmentation(
    smallest_crop=0.6,
    aspect=0.2,
    light=0.2,
    colour=0.12,
    grey=0.05,
    cut_out=0.1,
    mixup=0.1,
    mixup_alpha=0.4,
    cutmix=0.1,
)


def prepare(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
    """Photographs → int8 images of ``input_shape`` (size, size, channels); training images are larger, to crop.

    Raises:
        UsageError: the shape is no square image.
    """
    config = image_config(input_shape)
    larger = ImageConfig(size=max(LEAST_STORED, round(config.size * 4 / 3)), channels=config.channels)

    def crop(images: Pixels, size: int, rng: np.random.Generator) -> Pixels:
        return np.stack([crop_and_resize(image, size, rng, AUGMENTATION) for image in images])

    return image_data(RECIPE.name, dataset, config, larger, crop, AUGMENTATION)


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


def image_data(
    task: str,
    dataset: Dataset,
    config: ImageConfig,
    stored: ImageConfig,
    place: Place,
    augmentation: ImageAugmentation,
) -> TrainingData:
    """Training data out of an image set: ``stored`` is how training images are kept, before ``place`` and the rest.

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
    targets = np.eye(len(dataset.classes), dtype=np.float32)[train.labels]

    def draw(rng: np.random.Generator, size: int) -> Examples:
        order = rng.permutation(len(train.labels))
        pictures, shares = [], []
        for at in range(0, len(order), CHUNK):
            chosen = order[at : at + CHUNK]
            placed = place(train.values[chosen], size, rng)
            changed, shared = change_pictures(placed, targets[chosen], rng, augmentation)
            pictures.append(to_codes(changed))
            shares.append(shared)
        return Examples(np.concatenate(pictures), train.labels[order], shares=np.concatenate(shares))

    def resized(rng: np.random.Generator, shape: tuple[int, ...]) -> Codes:
        return draw(rng, image_config(shape).size).codes

    decoded = {TRAIN: train, **held}
    return TrainingData(
        task=task,
        objective=CLASSIFY,
        labels=dataset.classes,
        scale=config.input_scale,
        zero_point=config.input_zero_point,
        epoch=lambda rng: draw(rng, config.size),
        plain=Examples(plain, train.labels[rows]),
        validation=Examples(held[VALIDATION].values, held[VALIDATION].labels),
        test=Examples(held[TEST].values, held[TEST].labels),
        frontend={"kind": "image", **config.to_json()},
        counts=count_labels(decoded, dataset),
        notes=notes(dataset, decoded),
        resized=resized,
    )


def to_pixels(codes: npt.NDArray[np.int8]) -> Pixels:
    """uint8 pixels of int8 codes: code + 128."""
    return (codes.astype(np.int16) + 128).astype(np.uint8)


def to_codes(pixels: Pixels) -> npt.NDArray[np.int8]:
    """int8 codes of uint8 pixels: pixel - 128."""
    return (pixels.astype(np.int16) - 128).astype(np.int8)


def shifting_recipe(name: str, layout: str, reach: int, augmentation: ImageAugmentation, fit: FitOptions) -> Recipe:
    """A recipe for small pictures that fill their frame: moved by up to ``reach`` pixels, mirrored if asked."""

    def shift(images: Pixels, size: int, rng: np.random.Generator) -> Pixels:
        moved = shift_and_flip(images, reach, augmentation.flip, rng)
        return resize(turn_and_stretch(moved, rng, augmentation), size)

    def prepare_small(dataset: Dataset, options: DataOptions, input_shape: tuple[int, ...]) -> TrainingData:
        config = image_config(input_shape)
        still = replace(augmentation, flip=False)
        return image_data(name, dataset, config, config, shift, still)

    return Recipe(name, (layout,), prepare_small, fit)


RECIPE = Recipe(
    name="images",
    layouts=("visual_wake_words", "image_folder", "tiny_imagenet", "intel_images", "edge_impulse_images"),
    prepare=prepare,
    fit=FitOptions(
        epochs=120,
        batch_size=64,
        learning_rate=4e-3,
        weight_decay=1e-3,
        label_smoothing=0.05,
        warmup_epochs=4,
        patience=60,
        ema=0.998,
    ),
)
