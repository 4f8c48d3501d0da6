"""CIFAR-10: images of 32x32, moved by up to four pixels and mirrored (He et al. 2015, arXiv:1512.03385, 4.2)."""

from __future__ import annotations

from tinyml.training.fit import FitOptions
from tinyml.training.recipes.images import shifting_recipe

RECIPE = shifting_recipe(
    "cifar10",
    "cifar10",
    reach=4,
    mirror=True,
    fit=FitOptions(epochs=60, batch_size=64, learning_rate=3e-3, weight_decay=1e-3, patience=20),
)
