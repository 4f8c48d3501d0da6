"""The keyword example runs as its README says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.emulate.test_examples import commands
from tests.support.shared import REPOSITORY, require_module


def test_the_keyword_example_runs_as_its_readme_says(tmp_path: Path) -> None:
    require_module("unicorn")
    if shutil.which("arm-none-eabi-gcc") is None:
        require_module("ziglang")
    folder = tmp_path / "01_keyword_spotting"
    shutil.copytree(REPOSITORY / "examples" / folder.name, folder)
    outputs = []
    for command in commands(folder / "README.md"):
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    assert len(outputs) == 3
    assert "yes.wav: yes" in outputs[0]
    assert "times real time" in " ".join(outputs[1].split())
    for word in ("yes", "no", "up"):
        assert f"s  {word} (0." in outputs[2]
