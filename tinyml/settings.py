"""``tinyml.toml`` of the working directory: what a user's project uses where the command line does not say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyml.errors import UsageError
from tinyml.toml_reader import read_toml

FILE_NAME = "tinyml.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the project's file sets; None where it says nothing. Paths are relative to the file's folder."""

    board: str | None = None
    model: str | None = None
    data: str | None = None
    sram_bytes: int | None = None
    flash_bytes: int | None = None


def load_settings(directory: Path | None = None) -> Settings:
    """The settings of ``directory`` (default: the working directory); empty ones where it has no ``tinyml.toml``.

    Raises UsageError naming file and key where the file is not valid.
    """
    path = (directory or Path()) / FILE_NAME
    if not path.is_file():
        return Settings()
    table = read_toml(path)
    budgets = table.optional_table("budgets")
    settings = Settings(
        board=table.optional_text("board"),
        model=table.optional_text("model"),
        data=table.optional_text("data"),
        sram_bytes=None if budgets is None else budgets.optional_size_bytes("sram"),
        flash_bytes=None if budgets is None else budgets.optional_size_bytes("flash"),
    )
    if budgets is not None:
        budgets.finish()
    table.finish()
    return settings


def chosen_board(board: str | None) -> str:
    """The board of the command line, or the project's. Raises UsageError where neither names one."""
    return _chosen(board, load_settings().board, "board", "--board NAME (`tinyml boards` lists them)")


def chosen_model(model: str | None) -> str:
    """The model of the command line, or the project's. Raises UsageError where neither names one."""
    return _chosen(
        model, load_settings().model, "model", "a .tflite or .keras file, a run's folder or a catalogue name"
    )


def chosen_data(data: Path | None) -> Path:
    """The data folder of the command line, or the project's. Raises UsageError where neither names one."""
    return Path(_chosen(None if data is None else str(data), load_settings().data, "data", "--data DIR"))


def _chosen(given: str | None, configured: str | None, key: str, example: str) -> str:
    value = given or configured
    if value is None:
        raise UsageError(f"no {key} was given", hint=f"give {example}, or set `{key}` in {FILE_NAME}")
    return value
