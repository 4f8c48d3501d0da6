"""MNIST: handwritten digits of 28x28, moved by up to one pixel; never mirrored, their light as it is."""

from __future__ import annotations

from tinyml.training.augment_images import ImageAugmentation
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.images import shifting_recipe

RECIPE = shifting_recipe(
    "mnist",
    "mnist",
    reach=1,
    augmentation=ImageAugmentation(flip=False, light=0.0, colour=0.0),
    fit=FitOptions(epochs=20, batch_size=128, learning_rate=4e-3, label_smoothing=0.0, patience=10, ema=0.998),
)
