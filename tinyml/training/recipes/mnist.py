"""MNIST: handwritten digits of 28x28, moved by up to two pixels; never mirrored."""

from __future__ import annotations

from tinyml.training.fit import FitOptions
from tinyml.training.recipes.images import shifting_recipe

RECIPE = shifting_recipe(
    "mnist",
    "mnist",
    reach=2,
    mirror=False,
    fit=FitOptions(epochs=12, batch_size=128, label_smoothing=0.05, patience=6),
)
