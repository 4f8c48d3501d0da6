"""Classes that were drawn more often in training than they are met: the last layer's bias put right.

A network learns to say often what it was shown often. Where a recipe draws a class ``r`` times as often as the others,
to teach what is various, its logit is too high by ``log r``; taking that off gives every class the same prior
(post-hoc logit adjustment, Menon et al. 2021, arXiv:2007.07314, equation 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyml.tflite.convert import load_keras
from tinyml.tflite.quiet import import_keras
from tinyml.training.examples import TrainingData
from tinyml.training.runs import Run


def balance(model: Any, drawn: Sequence[float]) -> bool:
    """Take the logarithms of ``drawn`` off the biases of the last dense layer of ``model``, in place.

    ``drawn`` says how often each class is drawn, in the order of the outputs. Gives whether there was such a layer with
    a bias, followed by nothing that has weights.
    """
    dense = import_keras().layers.Dense
    for layer in reversed(model.layers):
        if layer.get_weights():
            if not isinstance(layer, dense) or layer.bias is None or layer.units != len(drawn):
                return False
            shifts = np.log(np.asarray(drawn, np.float64))
            layer.bias.assign(np.asarray(layer.bias) - (shifts - shifts.min()).astype(np.float32))
            return True
    return False


def balance_best(run: Run, data: TrainingData) -> None:
    """Put the best model of a run right, once, where the data draw some classes more often than others."""
    if not data.drawn or "balanced" in run.manifest:
        return
    model = load_keras(run.best)
    done = balance(model, data.drawn)
    if done:
        run.save_best(model)
    run.update(balanced=done)
