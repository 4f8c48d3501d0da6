"""What is in the repository, and what must not be."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.shared import REPOSITORY, require_tool

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "boards",
    "docs",
    "examples",
    "firmware_templates",
    "pyproject.toml",
    "tests",
    "tinyml",
}
LONGEST_FILE_LINES = 400
LARGEST_FILE_BYTES = 1 << 20
MACHINE_PATHS = re.compile(r"(?<![\w./$-])/(?:work|root|home|tmp|Users|mnt)/[\w.-]+")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
TEXT = {".py", ".md", ".toml", ".c", ".h", ".ini", ".json", ".j2", ".ld", ".S", ".txt", ".yml", ""}


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    git = require_tool("git")
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


def texts(tracked: list[str]) -> dict[str, str]:
    found = {}
    for name in tracked:
        path = REPOSITORY / name
        if path.suffix in TEXT and "test_tree.py" not in name:
            found[name] = path.read_text(encoding="utf-8")
    return found


def test_the_top_level_is_fixed(tracked: list[str]) -> None:
    assert {name.partition("/")[0] for name in tracked} == TOP_LEVEL


def test_no_file_is_too_long(tracked: list[str]) -> None:
    code = {name: text for name, text in texts(tracked).items() if name.endswith((".py", ".c", ".h"))}
    lengths = {name: text.count("\n") for name, text in code.items()}
    assert {name: count for name, count in lengths.items() if count > LONGEST_FILE_LINES} == {}


def test_no_file_is_too_large(tracked: list[str]) -> None:
    sizes = {name: (REPOSITORY / name).stat().st_size for name in tracked}
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE_BYTES} == {}


def test_no_path_of_a_machine_is_written_down(tracked: list[str]) -> None:
    found = {name: MACHINE_PATHS.findall(text) for name, text in texts(tracked).items()}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_nothing_is_left_for_later_in_a_comment(tracked: list[str]) -> None:
    code = {name: text for name, text in texts(tracked).items() if name.endswith((".py", ".c", ".h", ".toml"))}
    assert [name for name, text in code.items() if UNFINISHED.search(text)] == []


def test_what_is_built_is_not_kept(tracked: list[str]) -> None:
    assert [name for name in tracked if re.search(r"(^|/)(__pycache__|\.pio|build|dist|runs)/|\.pyc$", name)] == []
