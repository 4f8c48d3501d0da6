"""Transfer learning: a network for new classes that begins with the layers of a trained one.

Layers are taken where the new network has one of the same name whose weights have the same shapes. The head, the last
layer with weights, is always new unless both tasks have the same classes in the same order. A run keeps the trained
network as ``source.keras``, so that it resumes though the original has moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinyml.errors import UsageError
from tinyml.files import replacing
from tinyml.models.trained import TRAINED_DIR, trained_models
from tinyml.tflite.convert import load_keras
from tinyml.tflite.quiet import import_keras
from tinyml.training.definition import Definition
from tinyml.training.examples import TrainingData
from tinyml.training.runs import Run

SOURCE_FILE = "source.keras"
STATISTICS_EXAMPLES = 256
ALL = "all"


@dataclass(frozen=True)
class TransferOptions:
    """What is taken and how it is trained further.

    ``source`` is a run's folder, the name of a trained model that ships with tinyml, or a ``.keras`` file. Stages in
    ``freeze`` (``all``: every one that was taken) never change. ``release`` are epochs: everything taken is frozen at
    first, and each epoch frees one more part, beginning at the head. What is free learns at ``rate_share`` of the rate
    of new layers. ``old_data`` is a data set on which forgetting is measured.
    """

    source: str
    freeze: tuple[str, ...] = ()
    release: tuple[int, ...] = ()
    rate_share: float = 0.1
    old_data: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """The options as a manifest has them."""
        entry = asdict(self)
        return entry | {"old_data": None if self.old_data is None else str(self.old_data.resolve())}


@dataclass(frozen=True)
class Source:
    """A trained network: ``labels`` are None where they are not known; ``folded``: its batch norms do nothing yet.

    ``frontend`` says how its inputs were made, empty where that is not known.
    """

    model: Any
    labels: tuple[str, ...] | None
    name: str
    folded: bool = False
    frontend: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """Names of the layers with weights that were taken over, and of those that begin anew, with the reason."""

    taken: tuple[str, ...]
    new: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """The layers under ``transfer`` in the manifest and in ``--json``."""
        return {"taken": list(self.taken), "new": dict(self.new)}


def transfer_options(entry: dict[str, Any]) -> TransferOptions:
    """The options of a manifest."""
    old = entry.get("old_data")
    return TransferOptions(
        str(entry["source"]),
        tuple(entry.get("freeze", ())),
        tuple(entry.get("release", ())),
        float(entry.get("rate_share", 0.1)),
        None if old is None else Path(old),
    )


def check_transfer(options: TransferOptions) -> None:
    """Check the options before long work.

    Raises:
        UsageError: epochs that do not rise, a share that is not above 0 and at most 1.
    """
    if any(later <= earlier for earlier, later in zip((0, *options.release), options.release, strict=False)):
        raise UsageError(
            f"--release {','.join(map(str, options.release))} does not rise", hint="give epochs, for instance 5,10"
        )
    if ALL in options.freeze and options.release:
        raise UsageError("--freeze all leaves nothing to --release", hint="name the stages to keep frozen")
    if not 0 < options.rate_share <= 1:
        raise UsageError(
            f"--trunk-rate {options.rate_share:g} is not above 0 and at most 1",
            hint="0.1 is usual; --freeze keeps stages as they are",
        )


def open_source(name: str) -> Source:
    """The trained network that ``name`` means.

    Raises:
        UsageError: no such run, file or trained model, or a run without a best model.
        UnsupportedError: a file that cannot be read.
    """
    from tinyml.training.dequantise import dequantised

    path = Path(name)
    if path.is_dir():
        run = Run.open(path)
        if not run.best.is_file():
            raise UsageError(f"{path} has no best.keras yet", hint=f"train it first: tinyml train --resume {path}")
        labels = tuple(str(label) for label in run.read_json("labels.json").get("labels", ()))
        name, inputs = str(run.manifest["model"]["name"]), run.read_json("frontend.json")
        return Source(_trainable(load_keras(run.best)), labels, name, frontend=inputs)
    known = trained_models()
    if name in known:
        trained = known[name]
        manifest = Run(TRAINED_DIR).read_json(f"{name}.json")
        model = dequantised((TRAINED_DIR / f"{name}.tflite").read_bytes(), manifest)
        return Source(model, trained.labels, trained.entry, folded=True, frontend=manifest.get("frontend", {}))
    if path.suffix == ".keras":
        model = load_keras(path)
        return Source(_trainable(model), None, str(model.name))
    raise UsageError(
        f"there is nothing trained at {name!r}",
        hint=f"give a run's folder, a .keras file or one of {', '.join(known) or 'the trained models'}",
    )


def keep_source(run: Run, source: Source) -> None:
    """Write the network into the run."""
    with replacing(run.path / SOURCE_FILE) as temporary:
        source.model.save(temporary)


def kept_source(run: Run) -> Source:
    """The network that :func:`keep_source` wrote."""
    entry = run.manifest["transfer"]
    labels = entry.get("labels")
    return Source(
        _trainable(load_keras(run.path / SOURCE_FILE)),
        None if labels is None else tuple(labels),
        str(entry.get("name", "")),
        bool(entry.get("folded", False)),
        entry.get("frontend", {}),
    )


def definition_of(source: Source) -> Definition:
    """The trained network itself with a head for other classes, for who names no other model.

    Raises:
        UsageError: its last layer with weights is not dense.
    """

    def build(classes: int, **_: Any) -> Any:
        return with_new_head(source.model, classes)

    head_of(source.model)
    return Definition(source.name, SOURCE_FILE, tuple(source.model.input_shape[1:]), None, build)


def head_of(model: Any) -> Any:
    """The last layer with weights.

    Raises:
        UsageError: it is not a dense layer behind which only activations follow.
    """
    keras = import_keras()
    head = next((layer for layer in reversed(model.layers) if layer.weights), None)
    behind = () if head is None else model.layers[model.layers.index(head) + 1 :]
    plain = (keras.layers.Activation, keras.layers.Softmax)
    if not isinstance(head, keras.layers.Dense) or not all(isinstance(layer, plain) for layer in behind):
        raise UsageError(
            f"{model.name} does not end in a dense layer, so its head cannot be changed",
            hint="name a model too: tinyml train MODEL --from …",
        )
    return head


def with_new_head(model: Any, classes: int) -> Any:
    """A copy of ``model``'s architecture, untrained, whose head gives ``classes`` outputs."""
    keras = import_keras()
    head = head_of(model)
    config = model.get_config()
    for layer in config["layers"]:
        if layer["config"].get("name") == head.name:
            layer["config"]["units"] = classes
    return type(model).from_config(config) if isinstance(model, keras.Sequential) else keras.Model.from_config(config)


def take(model: Any, source: Source, labels: Sequence[str]) -> Taken:
    """Copy into ``model`` the weights of every layer that ``source`` has under the same name with the same shapes.

    Raises:
        UsageError: no layer matches.
    """
    theirs = {layer.name: layer for layer in _weighted(source.model)}
    mine = _weighted(model)
    last = mine[-1].name if mine else ""
    taken, new = [], []
    for layer in mine:
        other = theirs.get(layer.name)
        if other is None:
            new.append((layer.name, "no layer of that name"))
        elif layer.name == last and source.labels != tuple(labels):
            new.append((layer.name, "the head, for other classes"))
        elif _shapes(layer) != _shapes(other):
            new.append((layer.name, f"{_shown(other)} there, {_shown(layer)} here"))
        else:
            layer.set_weights(other.get_weights())
            taken.append(layer.name)
    if not taken:
        reasons = "; ".join(f"{name}: {why}" for name, why in new[:3])
        raise UsageError(
            f"no layer of {source.name} fits {model.name} ({reasons})",
            hint="train the same family at the same width, or leave the model out: --from alone keeps the architecture",
        )
    return Taken(tuple(taken), tuple(new))


def fill_statistics(model: Any, data: TrainingData, taken: Sequence[str]) -> None:
    """Give the batch norms among the layers ``taken``, which folding left idle, their inputs' statistics on examples.

    Gamma and beta change with them, so that the network computes the same; but training normalises by statistics, and
    would otherwise begin with outputs of another scale.
    """
    import numpy as np

    keras = import_keras()
    norms = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization) and layer.name in taken
    ]
    if not norms:
        return
    step = max(1, len(data.plain) // STATISTICS_EXAMPLES)
    inputs = data.real(data.plain.codes[::step][:STATISTICS_EXAMPLES])
    seen = keras.Model(model.input, [norm.input for norm in norms])(inputs, training=False)
    for norm, values in zip(norms, seen if isinstance(seen, list | tuple) else [seen], strict=True):
        array = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
        mean, variance = array.mean(axis=0), array.var(axis=0)
        gamma, beta, old_mean, old_variance = (np.asarray(weight, np.float64) for weight in norm.get_weights())
        scale = gamma / np.sqrt(old_variance + norm.epsilon)
        beta = beta + scale * (mean - old_mean)
        norm.set_weights([scale * np.sqrt(variance + norm.epsilon), beta, mean, variance])


def other_inputs(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    """In which keys two front-ends differ."""
    return ", ".join(sorted(key for key in {*theirs, *mine} if theirs.get(key) != mine.get(key)))


def _weighted(model: Any) -> list[Any]:
    return [layer for layer in model.layers if layer.weights]


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _shown(layer: Any) -> str:
    return "x".join(str(side) for side in layer.weights[0].shape)


def _trainable(model: Any) -> Any:
    model.trainable = True
    return model
