"""A stage imports only from the stages before it, wherever in a file the import stands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.shared import REPOSITORY

PACKAGE = REPOSITORY / "tinyml"
STAGES = (
    "errors",
    "paths",
    "debug",
    "files",
    "processes",
    "toml_reader",
    "board",
    "boards",
    "settings",
    "graph",
    "tflite",
    "lower",
    "plan",
    "codegen",
    "models",
    "features",
    "detection",
    "data",
    "streaming",
    "evaluation",
    "compression",
    "training",
    "sources",
    "firmware",
    "emulate",
    "flash",
    "monitor",
    "report",
    "pipeline",
    "scaling",
    "calibrate",
    "layers_table",
    "models_table",
    "kernels_page",
    "scaffold",
    "cli",
    "__main__",
)
HEAVY = {"tensorflow", "keras"}
MAY_IMPORT_KERAS = {"models", "training", "compression", "tflite", "scaffold"}
OFFERS_NAMES_OF_ALL = PACKAGE / "__init__.py"
FILES = sorted(p for p in PACKAGE.rglob("*.py") if "_share" not in p.parts and p != OFFERS_NAMES_OF_ALL)


def stage_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(tree: ast.AST) -> list[tuple[int, str]]:
    """Line and dotted name of everything imported; ``from tinyml import boards`` counts as ``tinyml.boards``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            module = node.module or ""
            names = [f"tinyml.{alias.name}" for alias in node.names] if module == "tinyml" else [module]
            found += [(node.lineno, name) for name in names]
    return found


def wrong_imports(path: Path, tree: ast.AST) -> list[str]:
    order = {stage: index for index, stage in enumerate(STAGES)}
    stage = stage_of(path)
    wrong = []
    for line, name in imports(tree):
        parts = name.split(".")
        if parts[0] != "tinyml" or len(parts) < 2 or parts[1] not in order:
            continue
        if order[parts[1]] > order[stage]:
            wrong.append(f"{path.relative_to(REPOSITORY)}:{line} ({stage}) imports {name}")
    return wrong


def test_every_module_of_the_package_is_a_known_stage() -> None:
    assert {stage_of(path) for path in FILES} <= set(STAGES)


def test_the_page_on_architecture_names_every_stage_in_its_order() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    named = [name.strip("/").removesuffix(".py") for row in rows for name in re.findall(r"`([\w/.]+)`", row)]
    assert named == list(STAGES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    assert wrong_imports(path, ast.parse(path.read_text(encoding="utf-8"))) == []


def test_an_import_that_points_the_wrong_way_is_seen() -> None:
    tree = ast.parse("def f():\n    from tinyml import cli\n    import tinyml.plan.budget\n")
    found = wrong_imports(PACKAGE / "lower" / "x.py", tree)
    assert [message.split(" imports ")[1] for message in found] == ["tinyml.cli", "tinyml.plan.budget"]


def module_level(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_tensorflow_is_imported_only_inside_functions(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    everywhere = {name.split(".")[0] for _, name in imports(tree)} & HEAVY
    at_import = {name.split(".")[0] for node in module_level(tree) for _, name in imports(node)} & HEAVY
    assert not everywhere or stage_of(path) in MAY_IMPORT_KERAS
    assert not at_import or stage_of(path) == "scaffold"
