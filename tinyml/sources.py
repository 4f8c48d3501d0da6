"""What a user may name as a model: a ``.tflite``, ``.keras`` or ``.py`` file, a run's folder, a catalogue name.

Whatever it is, it becomes the bytes of an int8 ``.tflite`` with the facts that travel beside it. Only a Keras
file and a catalogue entry that has no trained model need TensorFlow, and their conversion is kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml import __version__
from tinyml.errors import UnsupportedError, UsageError
from tinyml.paths import cache_dir

MAX_MODEL_BYTES = 64 << 20
UNTRAINED_SEED = 0
UNTRAINED_SAMPLES = 8
PRETRAINED_DIR = Path(__file__).resolve().parent / "models" / "pretrained"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """An int8 model and where it came from.

    ``manifest`` is the JSON object that training or quantising wrote beside the file (labels, front-end, accuracy),
    empty where there is none. ``calibrated`` is False where the ranges come from random data: memory, code and
    instructions are then right, accuracy means nothing.
    """

    name: str
    content: bytes
    origin: str
    manifest: dict[str, Any] = field(default_factory=dict)
    calibrated: bool = True

    @property
    def sha256(self) -> str:
        """Hash of the ``.tflite`` file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, empty where the manifest has none."""
        labels = self.manifest.get("labels", ())
        return tuple(str(label) for label in labels) if isinstance(labels, list | tuple) else ()


def load_source(model: Any) -> ModelSource:
    """Read or make the int8 model that ``model`` names: a path, a catalogue name, a ``keras.Model`` or a source itself.

    Raises:
        UsageError: nothing of that name, an empty or far too large file, a run that is not quantised yet.
        UnsupportedError: a Keras model that does not convert.
    """
    if isinstance(model, ModelSource):
        return model
    if not isinstance(model, str | Path):
        return _from_object(model)
    path = Path(model)
    if path.is_dir():
        return _from_run(path)
    if path.suffix == ".keras":
        return _from_keras(path)
    if path.suffix == ".py":
        return _from_python(path)
    if path.suffix == ".tflite" or path.is_file():
        return _from_file(path)
    if path.suffix or len(path.parts) > 1:
        raise UsageError(f"there is no model file {path}", hint="give a .tflite or .keras file, or a run's folder")
    return _from_catalog(str(model))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise UsageError(f"there is no model file {path}", hint="`tinyml models` lists the names that need no file")
    size = path.stat().st_size
    if not 0 < size <= MAX_MODEL_BYTES:
        raise UsageError(
            f"{path} has {size:,} bytes; a model has 1 to {MAX_MODEL_BYTES:,}",
            hint="is it the file you mean? microcontrollers hold models of a few MB at the most",
        )
    return path.read_bytes()


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} is not JSON: {error}", hint="remove it, or quantise the run again") from error
    return manifest if isinstance(manifest, dict) else {}


def _from_file(path: Path) -> ModelSource:
    return ModelSource(path.stem, _read(path), str(path), _read_manifest(path.with_suffix(".json")))


def _from_run(folder: Path) -> ModelSource:
    model = folder / "model.tflite"
    if not model.is_file():
        known = (folder / "manifest.json").is_file()
        hint = f"run `tinyml quantize {folder}` first" if known else "a run's folder is what `tinyml train` wrote"
        raise UsageError(f"{folder} holds no model.tflite", hint=hint)
    manifest = _read_manifest(folder / "manifest.json") | _read_manifest(folder / "model.json")
    return ModelSource(folder.resolve().name, _read(model), str(folder), manifest)


def _from_keras(path: Path) -> ModelSource:
    content = _read(path)
    key = hashlib.sha256(content).hexdigest()

    def load() -> Any:
        import tinyml.models  # noqa: F401  its layers may stand in the file
        from tinyml.tflite.convert import load_keras

        return load_keras(path)

    return ModelSource(path.stem, _converted(f"keras-{key[:32]}", load), str(path), calibrated=False)


def _from_python(path: Path) -> ModelSource:
    from tinyml.training.definition import find_definition

    content = convert_random(find_definition(str(path)).build())
    return ModelSource(path.stem, content, f"{path} (untrained)", calibrated=False)


def _from_object(model: Any) -> ModelSource:
    if not hasattr(model, "inputs"):
        raise UsageError(
            f"cannot take a {type(model).__name__} as a model", hint="give a path, a name or a keras.Model"
        )
    name = str(getattr(model, "name", "model"))
    return ModelSource(name, convert_random(model), f"keras.Model {name!r}", calibrated=False)


def _from_catalog(name: str) -> ModelSource:
    pretrained = PRETRAINED_DIR / f"{name}.tflite"
    if pretrained.is_file():
        return ModelSource(name, _read(pretrained), f"tinyml:{name}", _read_manifest(pretrained.with_suffix(".json")))
    from tinyml.models.catalog import find_entry

    entry = find_entry(name)

    def build() -> Any:
        from tinyml.models.catalog import build_model
        from tinyml.tflite.quiet import import_keras

        import_keras().utils.set_random_seed(UNTRAINED_SEED)
        return build_model(entry.name)

    content = _converted(f"catalog-{entry.name}-{_definitions_key()}", build, convert_untrained)
    origin = f"tinyml:{entry.name} (untrained)"
    return ModelSource(entry.name, content, origin, dict(entry.manifest), calibrated=False)


def _definitions_key() -> str:
    """Changes whenever a Keras definition of ours or the tool's version does."""
    digest = hashlib.sha256(__version__.encode())
    for file in sorted(PRETRAINED_DIR.parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


def _converted(key: str, load: Callable[[], Any], convert: Callable[[Any], bytes] | None = None) -> bytes:
    """The ``.tflite`` kept under ``key``, or a new conversion of what ``load()`` gives."""
    cached = cache_dir() / "converted" / f"{key}.tflite"
    if cached.is_file():
        return cached.read_bytes()
    content = (convert or convert_random)(load())
    _keep(cached, content)
    return content


def convert_random(model: Any) -> bytes:
    """Convert with seeded random samples, for models whose data is not at hand."""
    from tinyml.tflite.convert import convert

    return convert(model, _random_samples(model))


def convert_untrained(model: Any) -> bytes:
    """As :func:`convert_random`, for a new network of the catalogue.

    Where its values grow from layer to layer beyond what int8 kernels take, because nothing has taught its batch
    normalisations their statistics, they get those of random samples, and it is converted again.
    """
    from tinyml.tflite.convert import settle_batch_norms
    from tinyml.tflite.read import read_graph

    content = convert_random(model)
    try:
        read_graph(content)
    except UnsupportedError:
        settle_batch_norms(model, _random_samples(model))
        return convert_random(model)
    return content


def _random_samples(model: Any) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
    source = np.random.default_rng(UNTRAINED_SEED)
    shapes = [tuple(int(n or 1) for n in tensor.shape[1:]) for tensor in model.inputs or ()]
    for _ in range(UNTRAINED_SAMPLES):
        yield tuple(source.uniform(-1, 1, shape).astype(np.float32) for shape in shapes)


def _keep(path: Path, content: bytes) -> None:
    """Write the cache entry whole or not at all; a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError:
        return
