"""Train a gesture classifier for a three-axis accelerometer, with nothing of tinyml in it.

Writes ``gestures.keras``, ``samples.npy`` (representative inputs for quantisation) and ``circle.npy`` (one input to
try). The motions are synthesised, so that the example needs no data set; put your own recordings in their place.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np

GESTURES = ["still", "circle", "shake", "tap"]
SAMPLES, RATE_HZ = 96, 50


def record(gesture: str, source: np.random.Generator) -> np.ndarray:
    """One recording: 96 samples of (x, y, z) at 50 Hz in g, with gravity, an arbitrary start and sensor noise."""
    time = np.arange(SAMPLES) / RATE_HZ
    motion = np.zeros((SAMPLES, 3))
    strength, phase = source.uniform(0.3, 0.9), source.uniform(0, 2 * np.pi)
    if gesture == "circle":
        turns = source.uniform(0.8, 1.6)
        motion[:, 0] = strength * np.cos(2 * np.pi * turns * time + phase)
        motion[:, 1] = strength * np.sin(2 * np.pi * turns * time + phase)
    elif gesture == "shake":
        motion[:, 0] = strength * np.sign(np.sin(2 * np.pi * source.uniform(3, 6) * time + phase))
    elif gesture == "tap":
        start = source.integers(10, SAMPLES - 20)
        ring = np.exp(-np.arange(SAMPLES - start) / 3.0) * np.cos(np.arange(SAMPLES - start) * 1.9)
        motion[start:, 2] = 2 * strength * ring
    motion[:, 2] += 1.0
    return (motion + source.normal(0, 0.05, motion.shape)).astype(np.float32)


def recordings(each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``each`` recordings of every gesture and their class numbers."""
    source = np.random.default_rng(seed)
    inputs = [record(gesture, source) for gesture in GESTURES for _ in range(each)]
    return np.stack(inputs), np.repeat(np.arange(len(GESTURES)), each)


def build_model() -> keras.Model:
    """Three strided 1-D convolutions, a pool and a dense layer: about 4,000 parameters."""
    inputs = keras.Input((SAMPLES, 3), name="acceleration")
    x = inputs
    for index, filters in enumerate((16, 24, 32), start=1):
        x = keras.layers.Conv1D(filters, 5, strides=2, padding="same", use_bias=False, name=f"conv{index}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"conv{index}_bn")(x)
        x = keras.layers.ReLU(name=f"conv{index}_relu")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    outputs = keras.layers.Dense(len(GESTURES), activation="softmax", name="gesture")(x)
    return keras.Model(inputs, outputs, name="gestures")


def main() -> None:
    """Train on made-up recordings and write the model and samples of its inputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="where the files go (default: here)")
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(1)
    inputs, labels = recordings(200, seed=1)
    test_inputs, test_labels = recordings(50, seed=2)
    model = build_model()
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(inputs, labels, batch_size=32, epochs=arguments.epochs, verbose=2)
    accuracy = model.evaluate(test_inputs, test_labels, verbose=0)[1]
    print(f"float accuracy on {len(test_labels)} new recordings: {accuracy:.1%}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save(arguments.output / "gestures.keras")
    np.save(arguments.output / "samples.npy", inputs[::4])
    np.save(arguments.output / "circle.npy", test_inputs[GESTURES.index("circle") * 50])


if __name__ == "__main__":
    main()
