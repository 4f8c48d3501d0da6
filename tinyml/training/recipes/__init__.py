"""The recipes, one file a task, and how one is found for a data set."""

from __future__ import annotations

from pathlib import Path

from tinyml.data import Dataset, DatasetOptions, open_dataset
from tinyml.data.speech_commands import SpeechOptions, words_alone
from tinyml.errors import UsageError
from tinyml.training.recipes import anomaly, cifar10, images, keywords, mnist
from tinyml.training.recipes.base import DataOptions, Recipe

RECIPES: tuple[Recipe, ...] = (keywords.RECIPE, images.RECIPE, cifar10.RECIPE, mnist.RECIPE, anomaly.RECIPE)


def open_data(folder: Path, options: DataOptions) -> tuple[Dataset, Recipe]:
    """The data set in a folder, and the recipe for its layout.

    Raises:
        UsageError: there is no such folder, or no known data set in it.
    """
    speech = SpeechOptions(words=options.words, seed=options.seed)
    dataset = open_dataset(folder, options=DatasetOptions(speech, options.worker))
    if options.words_alone:
        dataset = words_alone(dataset)
    for recipe in RECIPES:
        if dataset.layout in recipe.layouts:
            return dataset, recipe
    raise UsageError(
        f"{folder} holds {dataset.layout} data, for which there is no recipe",
        hint="there are recipes for " + ", ".join(layout for recipe in RECIPES for layout in recipe.layouts),
    )


__all__ = ["RECIPES", "DataOptions", "Recipe", "open_data"]
