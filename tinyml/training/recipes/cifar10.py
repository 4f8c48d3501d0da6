"""CIFAR-10: images of 32x32, moved by up to four pixels and mirrored (He et al. 2015, arXiv:1512.03385, 4.2).

Light and colour change a little, and a fifth of the pictures are mixed with another or hold a square of another.
"""

from __future__ import annotations

from tinyml.training.augment_images import ImageAugmentation
from tinyml.training.fit import FitOptions
from tinyml.training.recipes.images import shifting_recipe

RECIPE = shifting_recipe(
    "cifar10",
    "cifar10",
    reach=4,
    augmentation=ImageAugmentation(light=0.15, colour=0.06, cut_out=0.1, mixup=0.1, cutmix=0.1),
    fit=FitOptions(
        epochs=150,
        batch_size=128,
        learning_rate=6e-3,
        weight_decay=1e-3,
        label_smoothing=0.0,
        warmup_epochs=4,
        patience=60,
        ema=0.998,
    ),
)
