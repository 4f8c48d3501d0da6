"""FastSpeech: phonemes to mel spectrogram in one pass, with a length regulator instead of attention between the two.

Ren et al., "FastSpeech: Fast, Robust and Controllable Text to Speech", 2019, arXiv:1905.09263, sections 3 and 4.2.
Microcontrollers want fixed shapes: a given number of phonemes and of frames. The length regulator (section
3.2) is a matrix of how much of each phoneme falls into each frame; it needs no loop and converts to int8.

With the sizes of section 4.2 we count 50.5 million parameters. We found no figure of the authors' to compare it with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyml.models.attention import self_attention
from tinyml.models.blocks import finish, image_input
from tinyml.models.entry import Entry
from tinyml.models.norms import layer_norm

POSITION_BASE = 10_000.0


def positions(length: int, channels: int) -> Any:
    """Sinusoidal positions, shape (length, channels), float32 (Vaswani et al. 2017, arXiv:1706.03762, section 3.5)."""
    places = np.arange(length)[:, np.newaxis]
    rates = POSITION_BASE ** (-2 * (np.arange(channels) // 2) / channels)
    angles = places * rates
    return np.where(np.arange(channels) % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32)


def feed_forward_transformer(x: Any, heads: int, hidden: int, kernel: int, *, name: str) -> Any:
    """The paper's FFT block (figure 1b): self-attention, two 1-D convolutions, a norm behind each."""
    import keras

    length, channels = x.shape[1:]
    y = keras.layers.Reshape((1, length, channels), name=f"{name}_group")(x)
    y = self_attention(y, heads, name=f"{name}_attention")
    y = keras.layers.Reshape((length, channels), name=f"{name}_ungroup")(y)
    x = layer_norm(keras.layers.Add(name=f"{name}_add1")([x, y]), name=f"{name}_norm1")
    y = keras.layers.Conv1D(hidden, kernel, padding="same", activation="relu", name=f"{name}_conv1")(x)
    y = keras.layers.Conv1D(channels, kernel, padding="same", name=f"{name}_conv2")(y)
    return layer_norm(keras.layers.Add(name=f"{name}_add2")([x, y]), name=f"{name}_norm2")


def predict_durations(x: Any, *, name: str = "duration") -> Any:
    """Frames of each phoneme, shape (phonemes, 1), at least 0: two convolutions with norms (section 3.3)."""
    import keras

    for index in (1, 2):
        x = keras.layers.Conv1D(x.shape[-1], 3, padding="same", activation="relu", name=f"{name}_conv{index}")(x)
        x = layer_norm(x, name=f"{name}_norm{index}")
    return keras.layers.Dense(1, activation="relu", name=name)(x)


def regulate_length(x: Any, durations: Any, frames: int, *, name: str = "length_regulator") -> Any:
    """Each phoneme as often as its duration says: (phonemes, channels) to (frames, channels).

    A phoneme's share of frame t is the length that its interval has in common with [t, t + 1]. Ends of intervals are
    sums of durations, a product with a triangle of ones; the shares are differences of ``min(max(end - t, 0), 1)``,
    written as ReLU6 of six times that.
    """
    import keras

    phonemes = x.shape[1]
    ends = keras.ops.matmul(np.tril(np.ones((phonemes, phonemes), np.float32)), durations)
    begins = keras.ops.matmul(np.tril(np.ones((phonemes, phonemes), np.float32), -1), durations)
    times = np.arange(frames, dtype=np.float32)[np.newaxis, :]

    def reached(edges: Any, label: str) -> Any:
        six = keras.layers.Rescaling(6.0, name=f"{name}_{label}_six")(edges - times)
        return keras.layers.ReLU(max_value=6.0, name=f"{name}_{label}")(six)

    shares = keras.layers.Subtract(name=f"{name}_shares")([reached(ends, "ends"), reached(begins, "begins")])
    shares = keras.layers.Permute((2, 1), name=f"{name}_turn")(shares)
    return keras.layers.Rescaling(1 / 6, name=name)(keras.ops.matmul(shares, x))


def build(
    *,
    input_shape: tuple[int, ...] = (128, 51),
    frames: int = 800,
    bands: int = 80,
    channels: int = 384,
    hidden: int = 1536,
    heads: int = 2,
    blocks: int = 6,
    kernel: int = 3,
    batch_size: int | None = None,
    name: str = "fastspeech",
) -> Any:
    """Two outputs: the mel spectrogram, shape (frames, bands), and durations in frames, shape (phonemes, 1).

    The input, (phonemes, kinds of phonemes) float32, has a 1 for each phoneme's kind: int8 firmware sets one byte a
    phoneme, and the embedding is a dense layer instead of a look-up by integers. ``blocks`` are FFT blocks on each side
    of the length regulator.
    """
    import keras

    inputs = image_input(input_shape, batch_size)
    x = keras.layers.Dense(channels, use_bias=False, name="embedding")(inputs)
    x = x + positions(input_shape[0], channels)
    for index in range(blocks):
        x = feed_forward_transformer(x, heads, hidden, kernel, name=f"encoder{index}")
    durations = predict_durations(x)
    x = regulate_length(x, durations, frames) + positions(frames, channels)
    for index in range(blocks):
        x = feed_forward_transformer(x, heads, hidden, kernel, name=f"decoder{index}")
    return finish(inputs, [keras.layers.Dense(bands, name="mel")(x), durations], name)


_PAPER = "Ren et al. 2019, FastSpeech, arXiv:1905.09263, section 4.2"

ROWS = (
    Entry(
        "fastspeech_16",
        "fastspeech",
        "speech_synthesis",
        _PAPER,
        build,
        (
            ("input_shape", (16, 51)),
            ("frames", 64),
            ("bands", 40),
            ("channels", 32),
            ("hidden", 64),
            ("blocks", 1),
        ),
        board="nano33ble",
    ),
    Entry(
        "fastspeech_384",
        "fastspeech",
        "speech_synthesis",
        _PAPER,
        build,
        (),
    ),
)
