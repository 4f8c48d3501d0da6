"""Distillation: a network learns from labels and from a teacher's soft answers, and from its layers where asked.

The loss is ``(1 - alpha) * hard + alpha * T² * KL(teacher at T, student at T) + beta * patient``: Hinton et al. 2015
(arXiv:1503.02531) for the first two terms; the third is the squared distance of normalised features (Sun et al. 2019,
arXiv:1908.09355, equation 7), here of channel means, or of whole feature maps (the hints of Romero et al. 2014,
arXiv:1412.6550), the student's brought to the teacher's size by a dense layer that is dropped afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.teacher import SMALLEST, Teacher, channel_means, ends_in_softmax
from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras

Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DistillOptions:
    """How to learn from a teacher.

    ``features`` are pairs of a student's and a teacher's layer; with ``maps`` they are compared place by place.
    ``input_range`` are the values that the teacher takes for the codes -128 and 127; None where it takes what the
    student takes. ``blur`` is the standard deviation in pixels by which the pictures it sees are smoothed: a teacher of
    clean pictures knows those from JPEG files better so. ``others`` are further teachers that take what the student
    takes, pictures in their own size; all answers are averaged. ``frontend`` is the one through which a teacher of
    sound hears the clips themselves, ``labels`` its classes where its file does not tell them; with None it sees what
    the student sees. ``generations`` above 1 train the network anew from its own predecessor (born-again networks,
    Furlanello et al. 2018, arXiv:1805.04770); without a ``teacher`` the first generation learns from labels alone.
    """

    teacher: str | None = None
    temperature: float = 4.0
    alpha: float = 0.7
    features: tuple[tuple[str, str], ...] = ()
    beta: float = 1.0
    input_range: tuple[float, float] | None = None
    frontend: str | None = None
    labels: tuple[str, ...] = ()
    generations: int = 1
    others: tuple[str, ...] = ()
    maps: bool = False
    blur: float = 0.0


def distill_options(entry: Mapping[str, Any]) -> DistillOptions:
    """The options as a manifest has them."""
    known = {item.name for item in fields(DistillOptions)}
    given = {key: value for key, value in entry.items() if key in known}
    given["features"] = tuple((str(one), str(two)) for one, two in given.get("features", ()))
    given["others"] = tuple(given.get("others", ()))
    if given.get("input_range") is not None:
        given["input_range"] = tuple(float(limit) for limit in given["input_range"])
    given["labels"] = tuple(given.get("labels", ()))
    return DistillOptions(**given)


def check_distill(options: DistillOptions) -> None:
    """Check numbers before long work.

    Raises:
        UsageError: a number out of its range, or features without a teacher.
    """
    if options.temperature <= 0:
        raise UsageError(
            f"temperature is {options.temperature}: it has to be above 0", hint="4 is usual; higher is softer"
        )
    if not 0 <= options.alpha <= 1:
        raise UsageError(
            f"alpha is {options.alpha}: it has to be from 0 to 1",
            hint="0 learns from labels alone, 1 from the teacher alone",
        )
    for name, value, least in (
        ("beta", options.beta, 0),
        ("the teacher's blur", options.blur, 0),
        ("the number of generations", options.generations, 1),
    ):
        if value < least:
            raise UsageError(f"{name} is {value:g}: it has to be at least {least}")
    if options.teacher is None and (options.features or options.input_range or options.others or options.blur):
        raise UsageError(
            "features, the teacher's input range and blur, and further teachers need a teacher",
            hint="name it with --teacher",
        )
    if options.maps and not options.features:
        raise UsageError("no layers to compare place by place", hint="name them with --features STUDENT=TEACHER")
    if options.frontend is not None and (
        options.teacher is None or options.features or options.input_range or options.others
    ):
        raise UsageError(
            "a teacher's own front-end needs a teacher, and excludes further ones, layers and an input range",
            hint="its answers alone are learnt from",
        )
    if options.labels and options.frontend is None:
        raise UsageError("labels of a teacher go with its own front-end", hint="give --teacher-frontend")


class Distiller:
    """What a training loop needs to distil: the network to train, its targets, its loss.

    Outputs and features travel as one tensor of shape (n, classes + feature sizes), targets as (n, 2 * classes +
    feature sizes): labels one-hot, the teacher's logits, its features.
    """

    def __init__(
        self,
        teacher: Teacher,
        options: DistillOptions,
        student: Any,
        input_range: tuple[float, float],
        others: Sequence[Teacher] = (),
        resized: bool = False,
    ) -> None:
        """Match teachers and student; ``resized`` says that the teachers get the examples in their own size.

        Raises:
            UsageError: their inputs or classes differ, or the student has no such layer.
        """
        self.teacher, self.options, self.classes = teacher, options, int(student.output_shape[-1])
        self.others = tuple(others)
        self.softmax = ends_in_softmax(student)
        low, high = input_range
        wanted = options.input_range or input_range
        self._gain = (wanted[1] - wanted[0]) / (high - low)
        self._offset = wanted[0] - low * self._gain
        shape = tuple(student.input_shape[1:])
        if options.frontend is None and not _same_examples(teacher.input_shape, shape, resized):
            raise UsageError(
                f"teacher {teacher.name} takes inputs of {teacher.input_shape}, the student {shape}",
                hint="teacher and student have to see the same examples",
            )
        for other in self.others:
            if not _same_examples(other.input_shape, teacher.input_shape, resized):
                raise UsageError(
                    f"teacher {other.name} takes inputs of {other.input_shape}, {teacher.name} {teacher.input_shape}",
                    hint="teachers whose answers are averaged have to see the same examples",
                )
        for each in () if options.frontend is not None else (teacher, *self.others):
            if each.classes != self.classes:
                raise UsageError(
                    f"teacher {each.name} has {each.classes} classes, the student {self.classes}",
                    hint="take a teacher of the same classes in the same order; one of sound may have others by name",
                )
        names = {layer.name for layer in student.layers}
        for name, _ in options.features:
            if name not in names:
                raise UsageError(f"the student has no layer {name!r}", hint=f"it has {', '.join(sorted(names))}")

    def extend(self, student: Any) -> Any:
        """The network to train: the student, its weights shared, with its features brought to the teacher's sizes."""
        if not self.options.features:
            return student
        keras = import_keras()
        parts = [student.outputs[0]]
        for (name, _), shape in zip(self.options.features, self.teacher.feature_shapes, strict=True):
            values = student.get_layer(name).output
            if not self.options.maps:
                values = channel_means(values)
            elif tuple(values.shape[1:-1]) != shape[:-1]:
                raise UsageError(
                    f"the maps of {name} are {tuple(values.shape[1:-1])}, the teacher's {shape[:-1]}",
                    hint="compare layers of the same height and width, or leave --feature-maps out",
                )
            alike = keras.layers.Dense(shape[-1], use_bias=False, name=f"{name}_as_teacher")(values)
            parts.append(keras.layers.Flatten(name=f"{name}_flat")(alike))
        return keras.Model(student.inputs[0], keras.layers.Concatenate(name="with_features")(parts))

    def targets(self, inputs: Reals, labels: Reals, answers: Reals | None = None) -> Reals:
        """Labels' shares, the teachers' mean logits and the first one's features for the examples that they see.

        ``answers`` are the logits of a teacher that has heard the examples through its own front-end.
        """
        if self.options.frontend is not None:
            if answers is None:
                raise UsageError("a teacher's own front-end is for sound", hint="leave --teacher-frontend out")
            return np.concatenate([labels, answers], axis=1).astype(np.float32)
        seen = inputs.reshape(-1, *self.teacher.input_shape)
        smooth = blurred(seen, self.options.blur) if self.options.blur else seen
        logits, features = self.teacher.predict(smooth * np.float32(self._gain) + np.float32(self._offset))
        heard = [logits, *(other.predict(_in_size(seen, other.input_shape))[0] for other in self.others)]
        mean = np.mean([one - one.mean(axis=1, keepdims=True) for one in heard], axis=0)
        flat = [values.reshape(len(values), -1) for values in features]
        return np.concatenate([labels, mean, *flat], axis=1).astype(np.float32)

    def loss(self, label_smoothing: float) -> Any:
        """The loss as a function of targets and outputs, one value an example."""
        ops = import_keras().ops
        options, classes = self.options, self.classes

        def distillation(targets: Any, outputs: Any) -> Any:
            answers = outputs[:, :classes]
            logits = ops.log(ops.maximum(answers, SMALLEST)) if self.softmax else answers
            labels = targets[:, :classes] * (1 - label_smoothing) + label_smoothing / classes
            hard = -ops.sum(labels * ops.log_softmax(logits), axis=-1)
            soft_teacher = ops.log_softmax(targets[:, classes : 2 * classes] / options.temperature)
            soft_student = ops.log_softmax(logits / options.temperature)
            divergence = ops.sum(ops.exp(soft_teacher) * (soft_teacher - soft_student), axis=-1)
            total = (1 - options.alpha) * hard + options.alpha * options.temperature**2 * divergence
            at = 0
            for size in (int(np.prod(shape)) for shape in self.teacher.feature_shapes):
                mine = ops.normalize(outputs[:, classes + at : classes + at + size])
                theirs = ops.normalize(targets[:, 2 * classes + at : 2 * classes + at + size])
                total = total + options.beta * ops.sum(ops.square(mine - theirs), axis=-1)
                at += size
            return total

        return distillation

    def accuracy(self, targets: Any, outputs: Any) -> Any:
        """Whether each answer is the label's."""
        ops = import_keras().ops
        right = ops.argmax(targets[:, : self.classes], axis=-1) == ops.argmax(outputs[:, : self.classes], axis=-1)
        return ops.cast(right, "float32")


def blurred(pictures: Reals, deviation: float) -> Reals:
    """Pictures ``[n, height, width, channels]`` smoothed by three taps a side, edges repeated.

    The taps are those of a Gaussian of the standard deviation in pixels, brought to a sum of 1.
    """
    side = np.exp(-0.5 / deviation**2)
    outer = np.float32(side / (1 + 2 * side))
    for axis in (1, 2):
        rows = np.moveaxis(pictures, axis, 0)
        before, after = np.concatenate([rows[:1], rows[:-1]]), np.concatenate([rows[1:], rows[-1:]])
        pictures = np.moveaxis(rows + outer * (before + after - 2 * rows), 0, axis)
    return np.ascontiguousarray(pictures, np.float32)


def _in_size(seen: Reals, shape: tuple[int, ...]) -> Reals:
    """Pictures ``[n, side, side, channels]`` in the size of ``shape``, bilinear, smoothed where they shrink."""
    if seen.shape[1:] == shape or int(np.prod(seen.shape[1:])) == int(np.prod(shape)):
        return seen.reshape(-1, *shape)
    image = import_keras().ops.image
    return np.asarray(image.resize(seen, shape[:2], interpolation="bilinear", antialias=True), np.float32)


def _same_examples(theirs: tuple[int, ...], ours: tuple[int, ...], resized: bool) -> bool:
    if resized and len(theirs) == len(ours) == 3:
        return theirs[0] == theirs[1] and theirs[2] == ours[2]
    return int(np.prod(theirs)) == int(np.prod(ours))
