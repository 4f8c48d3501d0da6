"""``tinyml new``: a project of the user's own."""

from __future__ import annotations

from pathlib import Path

import click

from tinyml.cli import output
from tinyml.cli.verb import verb

_FILES = {"model.py": "model.py", "tinyml.toml": "tinyml.toml", "README.md": "README.md", "gitignore": ".gitignore"}


@verb("new", "tinyml new my-project --board nano33ble")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--board", "-b", default="nano33ble", show_default=True, metavar="NAME|FILE", help="The board it is for.")
def command(directory: Path, board: str) -> None:
    """Start a project in DIR: a Keras file, a tinyml.toml naming board, model, data and budgets, and a README.

    Nothing is overwritten: DIR must be new or empty.
    """
    create_project(directory, board)
    output.note(f"{directory} is ready; next: cd {directory} && tinyml check")


def create_project(directory: Path, board_name: str) -> None:
    """Writes the project, whole or not at all.

    Raises:
        UsageError: the folder is not empty, is a file or cannot be made; the board is not known.
    """
    import json
    import shutil
    import tempfile
    from string import Template

    import tinyml.scaffold
    from tinyml.boards import load_board
    from tinyml.errors import UsageError
    from tinyml.files import unwritable
    from tinyml.paths import boards_dir

    board = load_board(board_name)
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise UsageError(f"{directory} is not an empty folder", hint="name a new folder; nothing is ever overwritten")
    shipped = board.path.resolve().parent == boards_dir()
    values = {
        "board": json.dumps(board.name if shipped else str(board.path.resolve())),
        "title": board.title,
        "name": directory.resolve().name,
        "sram": f"{board.ram.available_bytes // 2048}K",
        "flash": f"{board.flash.available_bytes // 2048}K",
    }
    source = Path(tinyml.scaffold.__file__).parent
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tinyml-new-", dir=directory.parent))
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        for name, target in _FILES.items():
            text = (source / name).read_text(encoding="utf-8")
            filled = text if name.endswith(".py") else Template(text).substitute(values)
            (temporary / target).write_text(filled, encoding="utf-8")
        temporary.chmod(0o755)
        temporary.replace(directory)
    except OSError as error:
        raise unwritable(directory, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
