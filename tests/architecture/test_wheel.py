"""The wheel holds all that an installed tinyml needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.shared import REPOSITORY, require_module, require_tool

SHARED = ("boards", "firmware_templates")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_module("build")
    require_module("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = folder.glob("tinyml-*.whl")
    return built


def packaged(name: str) -> str | None:
    """Where a tracked file lies in the wheel, or None for one that does not go there."""
    if name.startswith("tinyml/"):
        return name
    return f"tinyml/_share/{name}" if name.startswith(SHARED) else None


@pytest.mark.slow
def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    git = require_tool("git")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    tracked = [name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]
    expected = {place for name in tracked if (place := packaged(name)) is not None}
    with zipfile.ZipFile(wheel) as archive:
        assert expected - set(archive.namelist()) == set()


@pytest.mark.slow
def test_the_wheel_works_from_any_directory(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "from tinyml.boards import list_boards, load_board\n"
        "from tinyml.paths import boards_dir, templates_dir\n"
        "assert '_share' in str(boards_dir()) and '_share' in str(templates_dir())\n"
        "assert len(list_boards()) == 14\n"
        "assert (templates_dir() / 'platform' / 'platform.py').is_file()\n"
        "print(load_board('nano33ble').path)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(tmp_path / "site"))
