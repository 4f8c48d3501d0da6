"""Drop path: during training a branch is left out of an example's forward pass as a whole.

Larsson et al. 2017, FractalNet, arXiv:1605.07648 (drop path); Huang et al. 2016, arXiv:1603.09382 (stochastic depth,
the same in a residual branch); Zoph et al. 2018, NASNet, arXiv:1707.07012, section 4 (ScheduledDropPath: the rate grows
linearly over the training). Works in any model: put :func:`drop_path` on a branch, and fit with the callback
:func:`scheduled_drop_path`, which finds every such layer; ``tinyml train`` does so by itself for layers that are
``scheduled``. Conversion drops the layer, since it does nothing then.
"""

from __future__ import annotations

import functools
from typing import Any

from tinyml.tflite.keras_layers import makes_layers

PACKAGE = "tinyml"


def drop_path(x: Any, rate: float, *, name: str, scheduled: bool = False) -> Any:
    """Leave out all of ``x`` for an example with the probability ``rate``, else scale by ``1 / (1 - rate)``.

    ``x`` is a Keras tensor with the batch first; a rate of 0 gives it back as it is. ``scheduled``: ``tinyml train``
    lets the rate grow from 0 over the epochs.
    """
    return drop_path_layer()(rate, scheduled=scheduled, name=name)(x) if rate > 0 else x


def progress_at(epoch: int, epochs: int, from_epoch: int = 0) -> float:
    """The share of the full rate in ``epoch`` of ``epochs``: 0 up to ``from_epoch``, 1 in the last."""
    return min(1.0, max(0.0, (epoch - from_epoch) / max(1, epochs - 1 - from_epoch)))


@makes_layers
@functools.cache
def drop_path_layer() -> type:
    """The layer's class, made on first use and registered with Keras so that files which hold it load."""
    import keras

    @keras.saving.register_keras_serializable(PACKAGE)
    class DropPath(keras.layers.Layer):  # type: ignore[misc]
        """Drops whole examples at ``rate`` times ``progress``; a schedule moves ``progress`` from 0 to 1."""

        def __init__(self, rate: float, seed: int | None = None, scheduled: bool = False, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.rate = rate
            self.scheduled = scheduled
            self.seed = seed
            self.seed_generator = keras.random.SeedGenerator(seed)
            self.progress = self.add_weight(shape=(), name="progress", initializer="ones", trainable=False)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "rate": self.rate, "seed": self.seed, "scheduled": self.scheduled}

        def begin_epoch(self, epoch: int, epochs: int) -> bool:
            """Move on as ``epoch`` of ``epochs`` begins, where scheduled; nothing is taken away for good."""
            if self.scheduled:
                self.progress.assign(progress_at(epoch, epochs))
            return False

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            if not training:
                return inputs
            kept = 1.0 - self.rate * self.progress
            shape = (keras.ops.shape(inputs)[0], *(1 for _ in inputs.shape[1:]))
            drawn = keras.random.uniform(shape, seed=self.seed_generator)
            return inputs * keras.ops.cast(drawn < kept, inputs.dtype) / kept

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    made: type = DropPath
    return made


def scheduled_drop_path(epochs: int, *, from_epoch: int = 0) -> Any:
    """A Keras callback: the rates of all drop-path layers grow from 0 to full, linearly, epoch by epoch.

    The last of ``epochs`` trains with the full rates, and so does every later one.
    """
    import keras

    class ScheduledDropPath(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            kind: Any = drop_path_layer()
            for layer in self.model._flatten_layers():
                if isinstance(layer, kind):
                    layer.progress.assign(progress_at(epoch, epochs, from_epoch))

    return ScheduledDropPath()
