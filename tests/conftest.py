"""Options and fixtures of the whole suite."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Protocol

import pytest

TESTS_DIR = Path(__file__).resolve().parent
GOLDEN_DIR = TESTS_DIR / "golden"
SLOW_FOLDERS = ("kernels", "emulate")
MANY_MODULES = 500


class Golden(Protocol):
    """Compares a text with the file of that name in ``tests/golden/``."""

    def __call__(self, name: str, text: str) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the text goldens that differ, and fail, so that a run cannot bless itself",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What compiles firmware and runs it in emulation counts as slow without being marked one by one."""
    for item in items:
        if item.path.relative_to(TESTS_DIR).parts[0] in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


_modules_frozen = 0


def pytest_runtest_teardown() -> None:
    """Keep what was imported out of later garbage collections: Keras asks for one with every model, over all of it."""
    global _modules_frozen
    if len(sys.modules) > _modules_frozen + MANY_MODULES:
        _modules_frozen = len(sys.modules)
        gc.collect()
        gc.freeze()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """``golden("area/name.txt", text)`` fails unless the golden file holds exactly ``text``."""
    update = bool(request.config.getoption("--update-golden"))

    def check(name: str, text: str) -> None:
        path = GOLDEN_DIR / name
        expected = path.read_text(encoding="utf-8") if path.is_file() else None
        if expected == text:
            return
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            pytest.fail(f"golden {name} rewritten: review the difference, then run again without --update-golden")
        if expected is None:
            pytest.fail(f"golden {name} is missing: pytest --update-golden writes it")
        assert text == expected, f"golden {name} differs: pytest --update-golden rewrites it"

    return check
