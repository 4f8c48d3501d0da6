"""The detector: its settings, its integers, and that C makes the same of any scores."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.host_build import WARNINGS, compile_c, host_compiler, sanitizer_flags
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig
from tinyml.paths import templates_dir
from tinyml.sources import load_source
from tinyml.streaming.detector import Detector
from tinyml.streaming.listen import detect
from tinyml.streaming.settings import DetectorSettings, DetectorTable, detector_table, settings_of

LABELS = ("yes", "no", "_silence_")
_MAIN = """
#include <stdio.h>
#include "app_config.h"
#include "detector.h"

int main(void) {
    int8_t scores[APP_LABEL_COUNT];
    while (fread(scores, 1, sizeof scores, stdin) == sizeof scores) {
        const int label = detector_push(scores);
        const int said[2] = {label, label < 0 ? 0 : (int)detector_permille(label)};
        fwrite(said, sizeof said, 1, stdout);
        fwrite(detector_sums(), sizeof(uint16_t), APP_LABEL_COUNT, stdout);
    }
    return 0;
}
"""


def detector_in_c(
    table: DetectorTable, scores: NDArray[np.int8], folder: Path
) -> list[tuple[int, int, tuple[int, ...]]]:
    """For each inference the announced label (-1: none), its score in thousandths, the sums."""
    lines = [
        f"#define APP_LABEL_COUNT {len(table.labels)}",
        f"#define APP_AVERAGED {table.averaged}u",
        "#define APP_LIMITS {" + ", ".join(f"{limit}u" for limit in table.limits) + "}",
        "#define APP_REFRACTORY {" + ", ".join(f"{count}u" for count in table.refractory) + "}",
    ]
    (folder / "app_config.h").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "main.c").write_text(_MAIN, encoding="utf-8")
    source = templates_dir() / "apps" / "kws"
    program = folder / "detector"
    flags = ["-std=c11", "-O1", *WARNINGS, *sanitizer_flags(), "-I", str(source)]
    compile_c(host_compiler(), [folder / "main.c", source / "detector.c"], program, flags)
    done = subprocess.run([str(program)], input=scores.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    layout = struct.Struct(f"<ii{len(table.labels)}H")
    return [(row[0], row[1], tuple(row[2:])) for row in layout.iter_unpack(done.stdout)]


def in_python(table: DetectorTable, scores: NDArray[np.int8]) -> list[tuple[int, int, tuple[int, ...]]]:
    detector = Detector(table)
    rows = []
    for row in scores:
        announced = detector.push(row)
        rows.append((*(announced or (-1, 0)), detector.sums))
    return rows


@pytest.mark.parametrize("seed", range(6))
def test_c_announces_the_same_words_with_the_same_scores(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = int(random.integers(2, 13))
    averaged = int(random.choice([1, 2, 5, 64]))
    table = DetectorTable(
        tuple(f"w{index}" for index in range(labels)),
        averaged,
        tuple(int(limit) for limit in random.integers(0, 200 * averaged, labels) * (random.random(labels) < 0.8)),
        tuple(int(count) for count in random.integers(0, 20, labels)),
    )
    walk = np.cumsum(random.normal(0, 25, (4_000, labels)), axis=0)
    scores = np.clip(np.abs(walk % 512 - 256) - 128, -128, 127).astype(np.int8)
    rows = in_python(table, scores)
    assert detector_in_c(table, scores, tmp_path) == rows
    assert sum(label >= 0 for label, _, _ in rows) > 5
    known = detect(np.arange(len(scores)), scores, table, FrontendConfig())
    announced = [(index, label, permille) for index, (label, permille, _) in enumerate(rows) if label >= 0]
    assert [(one.frame, table.labels.index(one.word), one.score_permille) for one in known] == announced


def pushes(table: DetectorTable, *codes: tuple[int, ...]) -> list[tuple[int, int] | None]:
    detector = Detector(table)
    return [detector.push(np.asarray(row, np.int16).__sub__(128).astype(np.int8)) for row in codes]


def test_a_word_is_announced_once_while_it_stays_above_and_again_after_its_refractory_time() -> None:
    table = DetectorTable(LABELS, 1, (128, 128, 0), (3, 3, 0))
    loud, quiet = (200, 10, 10), (10, 10, 200)
    assert pushes(table, loud, loud, quiet, loud) == [(0, 781), None, None, None]
    assert pushes(table, loud, quiet, quiet, loud) == [(0, 781), None, None, (0, 781)]


def test_another_word_may_follow_at_once_and_silence_is_never_announced() -> None:
    table = DetectorTable(LABELS, 1, (128, 128, 0), (9, 9, 0))
    assert pushes(table, (200, 0, 0), (0, 200, 0), (0, 0, 255)) == [(0, 781), (1, 781), None]


def test_scores_are_averaged() -> None:
    table = DetectorTable(LABELS, 2, (300, 300, 0), (0, 0, 0))
    assert pushes(table, (255, 0, 0), (40, 0, 0), (255, 0, 0)) == [None, None, None]
    assert pushes(table, (255, 0, 0), (45, 0, 0)) == [None, (0, 586)]


def test_times_become_inferences_of_any_stride() -> None:
    settings = DetectorSettings({"yes": 0.5}, {"yes": 1_000}, average_ms=400)
    fast, slow = detector_table(settings, LABELS, 80.0), detector_table(settings, LABELS, 460.0)
    assert (fast.averaged, fast.limits, fast.refractory) == (5, (640, 0, 0), (13, 0, 0))
    assert (slow.averaged, slow.limits, slow.refractory) == (1, (128, 0, 0), (3, 0, 0))


def test_the_shipped_models_detector_is_read_and_written() -> None:
    source = load_source("kws_ds_cnn_s")
    settings = settings_of(source.manifest, source.labels)
    assert settings.to_json() == source.manifest["detector"]
    assert set(settings.thresholds) == {label for label in source.labels if not label.startswith("_")}


def test_without_a_detector_the_models_threshold_serves_every_word() -> None:
    settings = settings_of({"threshold": 0.6}, LABELS)
    assert settings.thresholds == {"yes": 0.6, "no": 0.6}
    assert settings.refractory_ms == {"yes": 1_000, "no": 1_000}
    alone = settings_of({"threshold": None}, ("yes", "no"))  # a model of words alone has nothing to tell them from
    assert alone.thresholds == {"yes": 0.75, "no": 0.75}


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ([], "not an object"),
        ({"strides": 3}, "unknown key 'strides'"),
        ({"thresholds": {"maybe": 0.5}}, "names 'maybe', which is none"),
        ({"thresholds": {"yes": 2}}, "threshold of 'yes' is 2, not a number from 0 to 1"),
        ({"thresholds": 0.5}, "thresholds is not an object"),
        ({"refractory_ms": {"yes": "long"}}, "refractory_ms is 'long'"),
        ({"stride_ms": 0}, "stride_ms is 0, not a number from 1"),
        ({"average_ms": True}, "average_ms is True"),
    ],
)
def test_a_wrong_detector_is_refused_in_words(detector: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings_of({"detector": detector}, LABELS)
