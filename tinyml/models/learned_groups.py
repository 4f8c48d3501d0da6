"""Learned group convolution: a 1x1 convolution that decides during training which inputs each group of outputs keeps.

Huang et al., "CondenseNet: An Efficient DenseNet using Learned Group Convolutions", 2018, arXiv:1711.09224, section 3.
While it learns, the layer is an ordinary convolution times a mask. In ``factor - 1`` stages over the first half of the
training each group loses a ``1 / factor`` share of its inputs, those with the smallest weights; the second half trains
what is left. Then the layer's ``condensed()`` gives the indices for an index layer, which picks and repeats channels,
and the kernel of a grouped convolution (:func:`tinyml.models.condensenet.condense` does so for a whole network).

Works in any model: :func:`learned_group_layer` gives the layer, :func:`condensing` the callback for ``fit``; ``tinyml
train`` needs none.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.tflite.keras_layers import makes_layers

PACKAGE = "tinyml"


@makes_layers
@functools.cache
def channel_index_layer() -> type:
    """The index layer's class: output channel i is input channel ``indices[i]``, which TFLite's GATHER computes."""
    import keras

    @keras.saving.register_keras_serializable(PACKAGE)
    class ChannelIndex(keras.layers.Layer):  # type: ignore[misc]
        """Picks channels, in any order and as often as wanted, by a weight that no training changes.

        Without ``indices`` they are spread evenly until somebody sets the weight.
        """

        def __init__(self, count: int, indices: list[int] | None = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.count, self.first = count, indices

        def build(self, input_shape: Any) -> None:
            channels = input_shape[-1]
            step = max(1, channels // self.count)
            spread = self.first or [index * step % channels for index in range(self.count)]
            self.indices = self.add_weight(
                shape=(self.count,),
                dtype="int32",
                initializer=lambda shape, dtype: keras.ops.convert_to_tensor(spread, dtype=dtype),
                trainable=False,
                name="indices",
            )

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "count": self.count, "indices": self.first}

        def call(self, inputs: Any) -> Any:
            return keras.ops.take(inputs, keras.ops.convert_to_tensor(self.indices), axis=-1)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape[:-1], self.count)

    made: type = ChannelIndex
    return made


@makes_layers
@functools.cache
def learned_group_layer() -> type:
    """The learning layer's class, made on first use and registered with Keras so that files which hold it load."""
    import keras

    ops = keras.ops

    @keras.saving.register_keras_serializable(PACKAGE)
    class LearnedGroupConv(keras.layers.Layer):  # type: ignore[misc]
        """A 1x1 convolution without bias whose output channel o belongs to group ``o % groups``.

        ``factor`` is the condensation factor C; at the end each group reads ``inputs / factor`` channels. ``lasso`` is
        the weight of the group lasso (section 3.3), which drives a group's weights of one input to zero together.
        """

        def __init__(
            self, filters: int, groups: int = 4, factor: int | None = None, lasso: float = 1e-5, **kwargs: Any
        ) -> None:
            super().__init__(**kwargs)
            self.filters, self.groups, self.factor, self.lasso = filters, groups, factor or groups, lasso

        def build(self, input_shape: Any) -> None:
            channels = input_shape[-1]
            if channels % self.factor or self.filters % self.groups:
                raise ValueError(
                    f"{channels} inputs and {self.filters} filters do not divide by {self.factor} and {self.groups}"
                )
            self.kernel = self.add_weight(shape=(channels, self.filters), initializer="he_normal", name="kernel")
            self.mask = self.add_weight(
                shape=(channels, self.groups), dtype="int32", initializer="ones", trainable=False, name="mask"
            )

        def get_config(self) -> dict[str, Any]:
            own = {"filters": self.filters, "groups": self.groups, "factor": self.factor, "lasso": self.lasso}
            return {**super().get_config(), **own}

        def masked(self) -> Any:
            """The kernel with the pruned weights at zero, of shape (inputs, filters)."""
            mask = ops.cast(self.mask, self.kernel.dtype)
            return self.kernel * ops.tile(mask, (1, self.filters // self.groups))

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            kernel = self.masked()
            if training and self.lasso:
                shape = (-1, self.filters // self.groups, self.groups)
                squares = ops.sum(ops.square(ops.reshape(kernel, shape)), axis=1)
                self.add_loss(self.lasso * ops.sum(ops.sqrt(ops.maximum(squares, 1e-6))))
            return ops.matmul(inputs, kernel)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape[:-1], self.filters)

        @property
        def stage(self) -> int:
            """How many of the ``factor - 1`` condensing stages are done, by what is masked."""
            lost = np.array(self.mask)[:, 0] == 0
            return int(lost.sum() * self.factor // lost.size)

        def prune_to(self, stage: int) -> None:
            """Take away inputs until ``stage`` of the ``factor - 1`` stages are done."""
            mask = np.array(self.mask)
            for _ in range(self.stage, min(stage, self.factor - 1)):
                _drop_smallest(np.array(self.kernel), mask, self.groups, mask.shape[0] // self.factor)
            self.mask.assign(mask)

        def begin_epoch(self, epoch: int, epochs: int) -> bool:
            """Condense as far as is due when ``epoch`` of ``epochs`` begins; whether anything was taken away."""
            before = self.stage
            self.prune_to(stage_at(epoch / epochs, self.factor))
            return self.stage > before

        def condensed(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
            """Indices of the inputs that each group keeps, group by group, and the grouped kernel.

            The kernel's shape is (1, 1, inputs / factor, filters), with the filters of a group side by side.
            """
            self.prune_to(self.factor - 1)
            kernel, mask = np.array(self.kernel), np.array(self.mask)
            kept = [np.flatnonzero(mask[:, group]) for group in range(self.groups)]
            parts = [kernel[kept[group], group :: self.groups] for group in range(self.groups)]
            indices = np.concatenate(kept).astype(np.int32)
            return indices, np.concatenate(parts, axis=1)[None, None].astype(np.float32)

    made: type = LearnedGroupConv
    return made


def _drop_smallest(kernel: npt.NDArray[np.float32], mask: npt.NDArray[np.int32], groups: int, count: int) -> None:
    """Mask, in place, the ``count`` inputs of each group that have the smallest sums of magnitudes (section 3.2)."""
    for group in range(groups):
        size = np.abs(kernel[:, group::groups]).sum(axis=1)
        size[mask[:, group] == 0] = np.inf
        mask[np.argsort(size, kind="stable")[:count], group] = 0


def stage_at(progress: float, factor: int) -> int:
    """How many of the ``factor - 1`` condensing stages are due when ``progress`` of the training is done.

    The stages are spread over its first half (section 3.4).
    """
    return min(factor - 1, int(2 * progress * (factor - 1)))


def condensing(epochs: int) -> Any:
    """A Keras callback that condenses every learned group convolution, stage by stage, over ``epochs``."""
    import keras

    class Condensing(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            kind: Any = learned_group_layer()
            for layer in self.model._flatten_layers():
                if isinstance(layer, kind):
                    layer.begin_epoch(epoch, epochs)

    return Condensing()
