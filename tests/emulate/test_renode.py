"""The firmware in Renode, which models the nano33ble's own peripherals; only where ``renode-test`` is on PATH."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.trivial_network import any_toolchain, built
from tinyml.boards import load_board
from tinyml.firmware.memory_map import memory_map
from tinyml.paths import templates_dir

ROBOT = Path(__file__).parent / "renode" / "benchmark.robot"


@pytest.mark.slow
def test_the_console_answers_in_renode(tmp_path_factory: pytest.TempPathFactory, renode_test: Path) -> None:
    firmware = built(tmp_path_factory, "nano33ble", any_toolchain())
    project = firmware.build_dir.parents[2]
    command = [str(renode_test), "--variable", f"PROJECT:{project}", "-r", str(project / "robot"), str(ROBOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def renode_test() -> Path:
    found = shutil.which("renode-test")
    if found is None:
        pytest.skip("renode-test is not on PATH (Renode can't be installed from a package registry)")
    return Path(found)


def test_the_script_starts_the_image_where_it_is_linked() -> None:
    script = (templates_dir() / "renode" / "nano33ble.resc").read_text()
    assert f"cpu VectorTableOffset {memory_map(load_board('nano33ble')).flash.origin:#x}" in script


def test_a_project_carries_its_renode_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    firmware = built(tmp_path_factory, "nano33ble", any_toolchain())
    folder = firmware.build_dir.parents[2] / "renode"
    assert sorted(path.name for path in folder.iterdir()) == ["nano33ble.repl", "nano33ble.resc"]
