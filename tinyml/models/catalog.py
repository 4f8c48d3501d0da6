"""The catalogue: every named network of ours, its family, task, paper, default sizes and published figures.

Reading it imports no Keras; :func:`build_model` does.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tinyml.errors import UsageError
from tinyml.models import autoencoder, ds_cnn, mcunet, mobilenet_v1, mobilenet_v2, mobilenet_v3, proxylessnas, resnet

Task = Literal["keyword_spotting", "visual_wake_words", "image_classification", "anomaly_detection"]


@dataclass(frozen=True, slots=True)
class Published:
    """Figures that somebody else printed; ``*_unit`` is what the last printed digit is worth."""

    source: str
    parameters: int | None = None
    parameters_unit: int = 1
    macs: int | None = None
    macs_unit: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the catalogue: ``builder(**options)`` builds it; the options can be overridden."""

    name: str
    family: str
    task: Task
    paper: str
    builder: Callable[..., Any]
    options: tuple[tuple[str, Any], ...]
    published: Published | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """Every option of the builder with this entry's value, e.g. ``input_shape``, ``classes``, ``width``."""
        signature = inspect.signature(self.builder)
        values = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if name not in ("batch_size", "name")
        }
        return values | dict(self.options)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input without the batch."""
        return tuple(self.defaults["input_shape"])

    @property
    def classes(self) -> int | None:
        """Number of classes, None for a network that does not classify."""
        value = self.defaults.get("classes")
        return None if value is None else int(value)


_HELLO_EDGE = "Zhang et al. 2017, Hello Edge, arXiv:1711.07128, table 1"
_MOBILENET_V1 = "Howard et al. 2017, MobileNets, arXiv:1704.04861, table 1"
_MOBILENET_V2 = "Sandler et al. 2018, MobileNetV2, arXiv:1801.04381, table 2"
_MOBILENET_V3_SMALL = "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, table 2"
_MOBILENET_V3_LARGE = "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, table 1"
_MCUNET = "Lin et al. 2020, MCUNet, arXiv:2007.10319, section 4"
_PROXYLESS = "Cai et al. 2019, ProxylessNAS, arXiv:1812.00332, section 4.2"
_RESNET = "He et al. 2015, Deep Residual Learning, arXiv:1512.03385, section 4.2"
_AUTOENCODER = "Koizumi et al. 2020, DCASE 2020 challenge task 2, arXiv:2006.05822, section 4"
_MCUNET_README = "mcunet repository, README, model list"


def _mcunet(network: str, resolution: int, classes: int, task: Task, kiloparameters: int, kilomacs: int) -> Entry:
    options = (("network", network), ("input_shape", (resolution, resolution, 3)), ("classes", classes))
    published = Published(_MCUNET_README, kiloparameters * 1_000, 10_000, kilomacs * 1_000, 100_000)
    return Entry(f"mcunet_{network}", "mcunet", task, _MCUNET, mcunet.build, options, published)


CATALOG: tuple[Entry, ...] = (
    Entry(
        "ds_cnn",
        "ds_cnn",
        "keyword_spotting",
        f"{_HELLO_EDGE}; MLPerf Tiny keyword spotting (kws01)",
        ds_cnn.build,
        (("input_shape", (49, 10, 1)), ("classes", 12)),
        Published("MLPerf Tiny, kws_ref_model.tflite", macs=2_656_768),
    ),
    Entry(
        "ds_cnn_s",
        "ds_cnn",
        "keyword_spotting",
        _HELLO_EDGE,
        ds_cnn.build,
        (("filters", 64), ("blocks", 4), ("dropout", 0.0)),
        Published("Hello Edge, table 5: 5.4 M operations, two a MAC", macs=2_700_000, macs_unit=100_000),
    ),
    Entry(
        "ds_cnn_m",
        "ds_cnn",
        "keyword_spotting",
        _HELLO_EDGE,
        ds_cnn.build,
        (("filters", 172), ("blocks", 4), ("stem_strides", (2, 1)), ("first_block_strides", (2, 2)), ("dropout", 0.0)),
    ),
    Entry(
        "ds_cnn_l",
        "ds_cnn",
        "keyword_spotting",
        _HELLO_EDGE,
        ds_cnn.build,
        (("filters", 276), ("blocks", 5), ("stem_strides", (2, 1)), ("first_block_strides", (2, 2)), ("dropout", 0.0)),
    ),
    Entry(
        "mobilenet_v1_025_96",
        "mobilenet_v1",
        "visual_wake_words",
        f"{_MOBILENET_V1}; MLPerf Tiny visual wake words (vww01)",
        mobilenet_v1.build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        Published("MLPerf Tiny, vww_96_int8.tflite", macs=7_489_664),
    ),
    Entry(
        "mobilenet_v1_100_224",
        "mobilenet_v1",
        "image_classification",
        _MOBILENET_V1,
        mobilenet_v1.build,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("Howard et al. 2017, arXiv:1704.04861, table 6", 4_200_000, 100_000, 569_000_000, 1_000_000),
    ),
    Entry(
        "mobilenet_v2_035_96",
        "mobilenet_v2",
        "visual_wake_words",
        _MOBILENET_V2,
        mobilenet_v2.build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.35)),
    ),
    Entry(
        "mobilenet_v2_w035",
        "mobilenet_v2",
        "image_classification",
        f"{_MOBILENET_V2}; {_MCUNET}",
        mobilenet_v2.build_w035,
        (("input_shape", (144, 144, 3)), ("classes", 1000)),
        Published(_MCUNET_README, 750_000, 10_000, 23_500_000, 100_000),
    ),
    Entry(
        "mobilenet_v2_100_224",
        "mobilenet_v2",
        "image_classification",
        _MOBILENET_V2,
        mobilenet_v2.build,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("keras.applications.MobileNetV2; the paper's table 4", 3_504_872, 1, 300_000_000, 10_000_000),
    ),
    Entry(
        "mobilenet_v3_small_035_96",
        "mobilenet_v3",
        "visual_wake_words",
        _MOBILENET_V3_SMALL,
        mobilenet_v3.build_small,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.35)),
    ),
    Entry(
        "mobilenet_v3_small_100_224",
        "mobilenet_v3",
        "image_classification",
        _MOBILENET_V3_SMALL,
        mobilenet_v3.build_small,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("keras.applications.MobileNetV3Small", 2_542_856),
    ),
    Entry(
        "mobilenet_v3_large_100_224",
        "mobilenet_v3",
        "image_classification",
        _MOBILENET_V3_LARGE,
        mobilenet_v3.build_large,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("keras.applications.MobileNetV3Large", 5_483_032),
    ),
    _mcunet("vww1", 80, 2, "visual_wake_words", 430, 11_600),
    _mcunet("vww2", 144, 2, "visual_wake_words", 640, 55_800),
    _mcunet("in0", 48, 1000, "image_classification", 750, 6_400),
    _mcunet("in1", 96, 1000, "image_classification", 640, 12_800),
    _mcunet("in2", 160, 1000, "image_classification", 730, 67_300),
    _mcunet("in3", 176, 1000, "image_classification", 740, 81_800),
    _mcunet("in4", 160, 1000, "image_classification", 1_730, 125_900),
    Entry(
        "proxylessnas_w03",
        "proxylessnas",
        "image_classification",
        f"{_PROXYLESS}; {_MCUNET}",
        proxylessnas.build,
        (("input_shape", (176, 176, 3)), ("classes", 1000)),
        Published(_MCUNET_README, 750_000, 10_000, 38_300_000, 100_000),
    ),
    Entry(
        "resnet8",
        "resnet",
        "image_classification",
        f"{_RESNET}; MLPerf Tiny image classification (ic01)",
        resnet.build,
        (("input_shape", (32, 32, 3)), ("classes", 10)),
        Published("MLPerf Tiny, pretrainedResnet_quant.tflite", macs=12_501_632),
    ),
    Entry(
        "autoencoder",
        "autoencoder",
        "anomaly_detection",
        f"{_AUTOENCODER}; MLPerf Tiny anomaly detection (ad01)",
        autoencoder.build,
        (("input_shape", (640,)),),
        Published("MLPerf Tiny, ad01_int8.tflite", macs=264_192),
    ),
)
"""Every network, families together; the first of a family is what the family's name means."""


def families() -> dict[str, Entry]:
    """Map each family to its default entry, in the catalogue's order."""
    first: dict[str, Entry] = {}
    for entry in CATALOG:
        first.setdefault(entry.family, entry)
    return first


def find_entry(name: str) -> Entry:
    """The entry of that name, or a family's default entry; dashes and capitals do not matter.

    Raises UsageError for an unknown name, with the nearest ones in the hint.
    """
    wanted = name.strip().lower().replace("-", "_")
    known = families() | {entry.name: entry for entry in CATALOG}
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`tinyml models` lists the catalogue"
    raise UsageError(f"there is no model named {name!r} in the catalogue", hint=hint)


def is_catalog_name(name: str) -> bool:
    """Whether :func:`find_entry` knows ``name``."""
    wanted = name.strip().lower().replace("-", "_")
    return wanted in families() or any(entry.name == wanted for entry in CATALOG)


def build_model(name: str, *, batch_size: int | None = None, resolution: int | None = None, **overrides: Any) -> Any:
    """Build the network ``name`` as an untrained ``keras.Model`` with float32 input and output.

    ``batch_size=None`` suits training; conversion needs 1. ``overrides`` replace the entry's defaults (``classes``,
    ``input_shape``, ``width``, …); ``resolution`` is short for a square ``input_shape`` with the same channels.
    Raises UsageError for an unknown name or an option that this network does not have.
    """
    entry = find_entry(name)
    options = entry.defaults
    unknown = [key for key in overrides if key not in options]
    if unknown:
        raise UsageError(
            f"model {entry.name!r} has no option {unknown[0]!r}", hint=f"its options are {', '.join(sorted(options))}"
        )
    options |= overrides
    if resolution is not None:
        if len(entry.input_shape) != 3 or entry.input_shape[-1] != 3:
            raise UsageError(f"model {entry.name!r} does not take images, so it has no resolution")
        options["input_shape"] = (resolution, resolution, options["input_shape"][-1])
    return entry.builder(**options, batch_size=batch_size, name=entry.name)
