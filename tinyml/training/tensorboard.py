"""TensorBoard logs of a run: ``RUN/logs/train``, ``validation`` and ``test``, by TensorFlow's own summary writer.

``tensorboard --logdir RUN`` draws the loss and the accuracy of training and validation over each other, the
learning rate, and the confusion matrix of the test split. Steps are epochs from 1. A resumed run appends to its logs.
The ``tensorboard`` package is not needed to write them: the entries carry the plugins' names as it would.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from tinyml.tflite.quiet import import_tensorflow
from tinyml.training.evaluate import Scores
from tinyml.training.runs import Row

FOLDER = "logs"
_DATA_CLASS_SCALAR, _DATA_CLASS_BLOBS = 1, 3
"""``DataClass`` of tensorflow/core/framework/summary.proto: one number, and encoded pictures."""
_TIMES = ("epoch", "seconds")


class EpochLog:
    """Writes an epoch's row: ``train_loss`` is ``epoch_loss`` in ``train``, as Keras' callback names them."""

    def __init__(self, run: Path) -> None:
        writer = import_tensorflow().summary.create_file_writer
        self._writers = {split: writer(str(run / FOLDER / split)) for split in ("train", "validation")}

    def __enter__(self) -> EpochLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def write(self, row: Row) -> None:
        """The figures of one epoch, on disk when this returns."""
        for name, value in row.items():
            if name in _TIMES:
                continue
            split, _, tag = name.partition("_")
            chosen, tag = (split, tag) if split in self._writers else ("train", name)
            with self._writers[chosen].as_default():
                write_scalar(f"epoch_{tag}", value, int(row["epoch"]))
        for writer in self._writers.values():
            writer.flush()


def write_test(run: Path, scores: Scores, epoch: int, confusion: Path | None) -> None:
    """The scores on the test split, of the best ``epoch``, and the confusion matrix from its PNG."""
    writer = import_tensorflow().summary.create_file_writer(str(run / FOLDER / "test"))
    with writer.as_default():
        write_scalar("epoch_loss", scores.loss, epoch)
        write_scalar(f"epoch_{scores.metric}", scores.value, epoch)
        if confusion is not None:
            write_png("confusion", confusion.read_bytes(), epoch)
    writer.close()


def write_scalar(tag: str, value: float, step: int) -> None:
    """A number, into the current writer."""
    tf = import_tensorflow()
    tf.summary.write(tag, tf.constant(value, tf.float32), step, _metadata("scalars", _DATA_CLASS_SCALAR))


def write_png(tag: str, content: bytes, step: int) -> None:
    """A picture, into the current writer: width, height and the PNG itself, as the images plugin reads them."""
    tf = import_tensorflow()
    height, width = tf.io.decode_png(content).shape[:2]
    parts = tf.constant([str(width).encode(), str(height).encode(), content])
    tf.summary.write(tag, parts, step, _metadata("images", _DATA_CLASS_BLOBS))


def _metadata(plugin: str, data_class: int) -> Any:
    kind = import_tensorflow().compat.v1.SummaryMetadata
    return kind(plugin_data=kind.PluginData(plugin_name=plugin), data_class=data_class)
