"""MNIST: handwritten digits of 28x28, moved by up to one pixel, turned, stretched and slanted; never mirrored.

Who wrote the test digits wrote none of the training digits, but every tenth of those is kept for validation: it cannot
show what other hands do. Turning, stretching and slanting stand for them.
"""

from __future__ import annotations

from tinyml.training.augment_images import ImageAugmentation
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.images import shifting_recipe

RECIPE = shifting_recipe(
    "mnist",
    "mnist",
    reach=1,
    augmentation=ImageAugmentation(flip=False, light=0.0, colour=0.0, turn_degrees=12.0, stretch=0.15, slant=0.2),
    fit=FitOptions(epochs=40, batch_size=128, learning_rate=4e-3, label_smoothing=0.0, patience=40, ema=0.998),
)
