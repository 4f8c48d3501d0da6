"""The firmware in Renode, which models some boards' own peripherals; only where ``renode-test`` is on PATH."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import REPOSITORY
from tests.support.trivial_network import any_toolchain, built
from tinyml.boards import load_board
from tinyml.firmware.memory_map import memory_map
from tinyml.paths import templates_dir
from tinyml.pipeline import Options, build

ROBOTS = Path(__file__).parent / "renode"
CONSOLES = {"nano33ble": "uart0", "netduinoplus2": "usart6", "disco_f746ng": "usart1"}
"""Boards with Renode files, and Renode's name of their console."""


def run_robot(renode_test: Path, robot: str, project: Path, **variables: str) -> None:
    """Runs a Robot file on a built project; its log fails the test."""
    settings = [f"{name}:{value}" for name, value in {"PROJECT": str(project), **variables}.items()]
    command = [str(renode_test), *(part for setting in settings for part in ("--variable", setting))]
    command += ["-r", str(project / "robot"), str(ROBOTS / robot)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("board", CONSOLES)
def test_the_console_answers_in_renode(board: str, tmp_path_factory: pytest.TempPathFactory, renode_test: Path) -> None:
    project = built(tmp_path_factory, board, any_toolchain()).build_dir.parents[2]
    run_robot(renode_test, "benchmark.robot", project, BOARD=board, UART=CONSOLES[board])


@pytest.mark.slow
def test_a_spoken_word_comes_through_the_pdm_microphone(tmp_path: Path, renode_test: Path) -> None:
    """``yes.wav`` as raw samples, a second of silence before and after it, and silence alone."""
    from tinyml.data.audio import decode_wav

    rate_hz, samples = decode_wav((REPOSITORY / "examples/01_keyword_spotting/yes.wav").read_bytes())
    assert rate_hz == 16_000
    quiet = np.zeros(rate_hz, np.int16)
    (tmp_path / "word.pcm").write_bytes(np.concatenate([quiet, samples, quiet, quiet]).astype("<i2").tobytes())
    (tmp_path / "silence.pcm").write_bytes(np.tile(quiet, 6).tobytes())
    options = Options(app="kws", toolchain=any_toolchain(), emulator="none", console="board")
    build("kws_ds_cnn_s", "nano33ble", tmp_path / "project", options)
    sounds = {"WORD": str(tmp_path / "word.pcm"), "SILENCE": str(tmp_path / "silence.pcm")}
    run_robot(renode_test, "keywords.robot", tmp_path / "project", **sounds)


@pytest.fixture
def renode_test() -> Path:
    found = shutil.which("renode-test")
    if found is None:
        pytest.skip("renode-test is not on PATH (Renode can't be installed from a package registry)")
    return Path(found)


@pytest.mark.parametrize("board", CONSOLES)
def test_the_script_starts_the_image_where_it_is_linked(board: str) -> None:
    script = (templates_dir() / "renode" / f"{board}.resc").read_text()
    assert f"cpu VectorTableOffset {memory_map(load_board(board)).flash.origin:#x}" in script
    console = load_board(board).console
    assert console is not None and f"{CONSOLES[board]} CreateFileBackend" in script
    assert CONSOLES[board][-1] == console.instance[-1]


def test_every_renode_file_has_its_board_and_its_script() -> None:
    names = {path.name for path in (templates_dir() / "renode").iterdir()}
    assert names == {f"{board}.{suffix}" for board in CONSOLES for suffix in ("repl", "resc")}


def test_a_project_carries_its_renode_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    firmware = built(tmp_path_factory, "nano33ble", any_toolchain())
    folder = firmware.build_dir.parents[2] / "renode"
    assert sorted(path.name for path in folder.iterdir()) == ["nano33ble.repl", "nano33ble.resc"]
