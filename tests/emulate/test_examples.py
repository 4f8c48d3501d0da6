"""The examples run as their READMEs say: every command line of a console block, in a copy of the folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shared import REPOSITORY, require_module

pytestmark = [pytest.mark.slow, pytest.mark.train]


def commands(readme: Path) -> list[list[str]]:
    """The command lines of the README's console blocks, with this Python and this checkout's tinyml."""
    blocks = re.findall(r"^```console\n(.*?)^```", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    programs = {"python": [sys.executable], "tinyml": [sys.executable, "-m", "tinyml"]}
    return [[*programs[words[0]], *words[1:]] for words in map(shlex.split, lines)]


EXAMPLES = {"02_visual_wake_words": ("equal", "accuracy"), "03_bring_your_own_keras": ("circle.npy: circle", "equal")}
"""Example → what its last command says."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs_as_its_readme_says(name: str, tmp_path: Path) -> None:
    require_module("tensorflow")
    require_module("unicorn")
    if shutil.which("arm-none-eabi-gcc") is None:
        require_module("ziglang")
    folder = tmp_path / name
    shutil.copytree(REPOSITORY / "examples" / name, folder)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    outputs = []
    for command in commands(folder / "README.md"):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    assert len(outputs) >= 3
    assert all(text in outputs[-1] for text in EXAMPLES[name])
