"""The registry of applications."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyml.boards import list_boards, load_board
from tinyml.errors import UsageError
from tinyml.firmware import apps
from tinyml.firmware.apps import APPS, App, app_names, find_app, require_app
from tinyml.paths import templates_dir


def test_names_are_unique_and_found() -> None:
    assert len(set(app_names())) == len(APPS)
    assert all(find_app(name).name == name for name in app_names())


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_every_application_has_its_sources_and_the_proof(app: App) -> None:
    files = [path.name for folder in app.folders for path in (templates_dir() / folder).glob("*.[ch]")]
    assert len(files) == len(set(files)) and "main.c" in files
    assert "proof" in app.folders
    assert set(app.needs) <= {"console", "microphone", "camera", "leds"}
    assert app.summary and app.summary[0].islower() and not app.summary.endswith(".")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="no application 'blink'") as caught:
        find_app("blink")
    assert caught.value.hint is not None and "benchmark" in caught.value.hint


def test_a_board_without_what_the_application_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    listens = replace(find_app("benchmark"), name="listens", needs=("microphone", "console"))
    monkeypatch.setattr(apps, "APPS", (*APPS, listens))
    assert require_app("listens", load_board("nano33ble")) is listens
    able = [board.name for board in list_boards() if board.microphone and board.console]
    with pytest.raises(UsageError, match="microbit has no microphone, which the application listens needs") as caught:
        require_app("listens", load_board("microbit"))
    assert caught.value.hint == f"boards that have: {', '.join(able)}"
