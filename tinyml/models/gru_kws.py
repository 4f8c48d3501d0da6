"""A gated recurrent unit over the frames of a spectrogram, for keyword spotting.

Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers", 2017, arXiv:1711.07128, table 5 (GRU); sizes from its
code (ARM-software/ML-KWS-for-MCU, train_commands.txt, GRU1).
"""

from __future__ import annotations

import functools
from typing import Any

from tinyml.models.blocks import finish, image_input, scores
from tinyml.models.entry import Entry, Published
from tinyml.tflite.keras_layers import makes_layers


def build(
    *,
    input_shape: tuple[int, ...] = (25, 10, 1),
    classes: int = 12,
    units: int = 154,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "gru_kws",
) -> Any:
    """One GRU of ``units``, whose last state a dense layer reads; the input is (frames, features, 1), float32."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = keras.layers.Reshape(input_shape[:2], name="frames")(inputs)
    x = unrolled_gru_layer()(units, name="gru")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return finish(inputs, scores(x, classes), name)


@makes_layers
@functools.cache
def unrolled_gru_layer() -> type:
    """The layer's class, made on first use and registered with Keras so that files which hold it load."""
    import keras

    ops = keras.ops

    @keras.saving.register_keras_serializable("tinyml")
    class UnrolledGRU(keras.layers.Layer):  # type: ignore[misc]
        """A GRU (Cho et al. 2014, arXiv:1406.1078, equations 5 to 8) whose steps stand one after another.

        Takes (batch, steps, features) and gives the last state, (batch, units). int8 TFLite has no loop, and Keras' own
        unrolled GRU splits one product into three, which the converter leaves in float: each gate has a kernel of its
        own here, over the frame and the state side by side.
        """

        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape: Any) -> None:
            self.steps, features = input_shape[1], input_shape[2]
            for gate in ("update", "reset", "candidate"):
                kernel = self.add_weight(
                    shape=(features + self.units, self.units), initializer="glorot_uniform", name=f"{gate}_kernel"
                )
                bias = self.add_weight(
                    shape=(self.units,), initializer="ones" if gate == "reset" else "zeros", name=f"{gate}_bias"
                )
                setattr(self, f"{gate}_kernel", kernel)
                setattr(self, f"{gate}_bias", bias)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

        def count_macs(self) -> int:
            """Three products a step, but for the first, whose state is zero and needs no reset gate."""
            size = self.update_kernel.shape[0] * self.units
            return int((3 * self.steps - 1) * size)

        def call(self, inputs: Any) -> Any:
            first = ops.pad(inputs[:, 0, :], ((0, 0), (0, self.units)))
            update = ops.sigmoid(ops.matmul(first, self.update_kernel) + self.update_bias)
            candidate = ops.tanh(ops.matmul(first, self.candidate_kernel) + self.candidate_bias)
            state = candidate - update * candidate
            for step in range(1, self.steps):
                frame = inputs[:, step, :]
                both = ops.concatenate((frame, state), axis=-1)
                update = ops.sigmoid(ops.matmul(both, self.update_kernel) + self.update_bias)
                reset = ops.sigmoid(ops.matmul(both, self.reset_kernel) + self.reset_bias)
                both = ops.concatenate((frame, reset * state), axis=-1)
                candidate = ops.tanh(ops.matmul(both, self.candidate_kernel) + self.candidate_bias)
                state = candidate + update * (state - candidate)
            return state

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], self.units)

    made: type = UnrolledGRU
    return made


_PAPER = "Zhang et al. 2017, Hello Edge, arXiv:1711.07128, table 5"

ROWS = (
    Entry(
        "gru_kws_32",
        "gru_kws",
        "keyword_spotting",
        _PAPER,
        build,
        (("units", 32),),
        board="nano33ble",
    ),
    Entry(
        "gru_kws_154",
        "gru_kws",
        "keyword_spotting",
        _PAPER,
        build,
        (),
        Published("Hello Edge, table 5: 3.8 M operations, two a MAC", macs=1_900_000, macs_unit=100_000),
        board="nano33ble",
    ),
)
