"""The keyword firmware hears in emulation what the Python pipeline hears: every feature, score, sum and detection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.shared import REPOSITORY, require_module, require_shared, require_tool
from tests.unit.features.sounds import extremes
from tinyml.codegen import generate
from tinyml.data import open_dataset
from tinyml.data.base import TEST
from tinyml.emulate.run import choose_emulator
from tinyml.emulate.sound import first_difference, listen_in_emulation
from tinyml.errors import UsageError
from tinyml.firmware.build import build_project
from tinyml.firmware.environments import environment_name
from tinyml.firmware.kws import APP, KeywordPlan, plan_keywords, with_load
from tinyml.firmware.project import render_project
from tinyml.pipeline import Options, compile_model
from tinyml.pipeline.sound import Ears, ears, emulate_clips, emulate_sound, read_sound
from tinyml.streaming.listen import Schedule

MODEL, SMALL = "kws_ds_cnn_s", "kws_tc_resnet8"
SURE = {MODEL: {"yes", "no"}, SMALL: {"left", "right"}}
"""Of the example's synthetic words, those that each model must announce."""

CLIPS = REPOSITORY / "examples" / "01_keyword_spotting"
CASES = [
    ("netduinoplus2", "unicorn", MODEL), ("netduinoplus2", "qemu", MODEL), ("mps2-an386", "qemu", MODEL),
    ("nano33ble", "qemu", MODEL), ("microbit", "qemu", SMALL),
]  # fmt: skip
"""Boards with a model that keeps up there: on the micro:bit one that computes only what each hop adds."""


def require_emulator(kind: str) -> None:
    require_module("unicorn") if kind == "unicorn" else require_tool("qemu-system-arm")


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def listening(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ears]:
    board, emulator, model = request.param
    require_emulator(emulator)
    output = tmp_path_factory.mktemp("kws") / board
    with ears(model, board, Options(app=APP, emulator=emulator), output) as heard:
        yield heard


def words_of_the_example(heard: Ears) -> NDArray[np.int16]:
    quiet = np.zeros(8_000, np.int16)
    parts = [quiet]
    for file in sorted(CLIPS.glob("*.wav")):
        parts += [read_sound(file, heard.plan.model.config), quiet]
    return np.concatenate(parts)


def test_spoken_words_are_detected_as_by_the_reference(listening: Ears) -> None:
    listened = listening.hear(words_of_the_example(listening), "the example's words")
    assert {d.word for d in listened.heard.detections} >= SURE[listening.compiled.source.name]
    assert listened.done["dropped_frames"] == 0 and listened.done["overruns"] == 0
    assert listened.done["frames"] == len(listened.heard.features)
    assert listened.done["detections"] == len(listened.heard.detections)


def test_extreme_sound_is_heard_alike(listening: Ears) -> None:
    listening.hear(np.concatenate(list(extremes(9_000).values())), "extremes of 16 bits")


@pytest.fixture(scope="module")
def people() -> NDArray[np.int16]:
    samples = open_dataset(require_shared("data/speech_commands")).samples(TEST)
    return np.concatenate([samples[index].decode() for index in range(0, len(samples), len(samples) // 20)])


def test_real_clips_are_heard_alike(listening: Ears, people: NDArray[np.int16]) -> None:
    listened = listening.hear(people, "20 clips of people")
    assert len(listened.heard.detections) > 5


def test_the_rhythm_of_inferences_is_the_hosts_to_choose(listening: Ears) -> None:
    sound = words_of_the_example(listening)
    every = listening.plan.hop_frames or 7
    listened = listening.hear(sound, "another rhythm", Schedule(48 + 2 * every, 2 * every))
    assert listened.heard.frames.tolist() == list(range(48 + 2 * every, len(listened.heard.features), 2 * every))


def test_files_are_played_from_the_command_lines_function(tmp_path: Path) -> None:
    require_module("unicorn")
    result = emulate_sound(MODEL, "mps2-an386", Options(emulator="unicorn"), [CLIPS / "yes.wav"], tmp_path / "out")
    (file,) = result.files
    (yes,) = file.detections
    assert (yes.word, file.counts["frames"]) == ("yes", 149)
    assert 500 < yes.time_ms == yes.frame * 20 + 30 < 1_500, "since the beginning of the file"
    assert result.to_json()["equal"] is True
    with pytest.raises(UsageError, match="no sound file"):
        emulate_sound(MODEL, "mps2-an386", Options(), [tmp_path / "missing.wav"])


def test_a_data_set_gives_the_confusion_of_the_python_pipeline(tmp_path: Path) -> None:
    require_tool("qemu-system-arm")
    folder = require_shared("data/speech_commands")
    result = emulate_clips(MODEL, "mps2-an386", Options(emulator="qemu"), folder, limit=60, output=tmp_path / "out")
    assert result.clips == 60 == sum(map(sum, result.confusion))
    assert result.accuracy > 0.8


def planned(board: str) -> KeywordPlan:
    compiled = compile_model(MODEL, board)
    return plan_keywords(compiled.program, compiled.board, compiled.source.labels, compiled.source.manifest)


def run_with(plan: KeywordPlan, board: str, sound: NDArray[np.int16], folder: Path) -> tuple[dict[str, int], list[int]]:
    """The firmware with another load than the board's: its closing counts, and the frames of its inferences."""
    compiled = compile_model(MODEL, board, Options(app=APP))
    project = render_project(
        compiled.board,
        generate(compiled.program, compiled.plan) | plan.sources,
        app=APP,
        output_dir=folder,
        app_values=plan.values,
    )
    built = build_project(project, env=environment_name(compiled.board, choose_emulator(compiled.board, "qemu")))
    listened = listen_in_emulation(built.elf, compiled.board, sound, features=10, labels=9, emulator="qemu")
    return listened.done, listened.heard.frames.tolist()


def test_sound_is_dropped_and_counted_where_the_core_is_slower_than_stated(tmp_path: Path) -> None:
    require_tool("qemu-system-arm")
    plan = planned("mps2-an386")
    slow = with_load(plan.model, replace(plan.load, network_ms=700.0, ring_samples=4096, stride_hops=4))
    sound = np.random.default_rng(0).integers(-300, 300, 16_000 * 4).astype(np.int16)
    done, frames = run_with(slow, "mps2-an386", sound, tmp_path)
    assert done["dropped_frames"] > 20
    assert done["frames"] == 199, "dropped frames count, so that times stay true"
    assert frames == sorted(set(frames)) and all(frame < 199 for frame in frames)


def test_the_ring_holds_what_arrives_while_the_network_runs_and_not_a_hop_more_is_needed(tmp_path: Path) -> None:
    require_tool("qemu-system-arm")
    plan = planned("mps2-an386")
    sound = np.random.default_rng(0).integers(-300, 300, 16_000 * 4).astype(np.int16)
    done, _ = run_with(plan, "mps2-an386", sound, tmp_path)
    waiting = plan.load.network_ms * 16 + 480 - 320
    assert done["dropped_frames"] == 0
    assert waiting < done["most_waiting_samples"] <= 0.75 * plan.load.ring_samples


def test_a_difference_is_found(listening: Ears) -> None:
    heard = listening.hear(words_of_the_example(listening), "the example's words").heard
    assert first_difference(heard, heard) is None
    scores = heard.scores.copy()
    scores[3, 2] += 1
    assert str(first_difference(replace(heard, scores=scores), heard)).startswith("scores of inference 3")
    assert "frames: " in str(first_difference(replace(heard, features=heard.features[:-1]), heard))
    assert "detection 0" in str(first_difference(replace(heard, detections=heard.detections[1:]), heard))
