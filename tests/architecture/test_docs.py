"""The pages say what is so: every command line in them has its verb and its options, every file they name exists."""

from __future__ import annotations

import ast
import re
import shlex

import click
import pytest

from tests.support.shared import REPOSITORY
from tinyml.cli import COMMANDS, cli

PAGES = sorted(
    str(path.relative_to(REPOSITORY))
    for folder, pattern in (
        (".", "*.md"),
        ("docs", "**/*.md"),
        ("boards", "*.md"),
        ("examples", "**/*.md"),
        ("tinyml", "**/*.md"),
    )
    for path in (REPOSITORY / folder).glob(pattern)
)
INLINE = re.compile(r"`(tinyml [^`]+)`")
INDENTED = re.compile(r"^(?: {4}|\$ )(tinyml .+)$", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OF_OTHER_TOOLS = {"--voices"}
NAMED_FILE = re.compile(r"`((?:docs|boards|examples|tests|tinyml|firmware_templates)/[\w./-]*\w)`")


def command_lines(text: str) -> list[str]:
    text = re.sub(r" *\\\n +", " ", text)  # a command may go on behind a backslash
    found = INLINE.findall(text) + INDENTED.findall(text)
    return [line.partition("  #")[0].strip() for line in found]


def problem(line: str) -> str | None:
    """What is wrong with the command line, or None."""
    words = shlex.split(line.replace("…", "X"))[1:]
    if not words or words[0].startswith("-"):
        return None
    verb = words[0]
    if verb not in COMMANDS:
        return f"there is no verb {verb}" if verb.isalpha() and verb.islower() else None
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    if isinstance(command, click.Group) and len(words) > 1:
        if words[1] not in command.commands:
            return f"{verb} has no {words[1]}"
        command = command.commands[words[1]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h", "--verbose", "-v", "--quiet", "-q"}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return f"{verb} has no {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists(page: str) -> None:
    lines = command_lines((REPOSITORY / page).read_text(encoding="utf-8"))
    wrong = {line: what for line in lines if (what := problem(line)) is not None}
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_names_exists(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    missing = [name for name in NAMED_FILE.findall(text) if "NAME" not in name and not (REPOSITORY / name).exists()]
    assert missing == []


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_examples_that_exist(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    examples = re.findall(r"^ .*?(tinyml [^)>#\n]+)", command.epilog or "", re.MULTILINE)
    assert examples
    assert {line: what for line in examples if (what := problem(line)) is not None} == {}


def hints(tree: ast.AST) -> list[str]:
    """Every ``hint=`` as it is written, with X for what is put in."""
    given = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "hint"]
    return [re.sub(r"\{[^}]*\}", "X", ast.unparse(value)) for value in given]


def test_every_command_and_option_that_an_error_hints_at_exists() -> None:
    verbs = [command for verb in COMMANDS if (command := cli.get_command(click.Context(cli), verb)) is not None]
    commands = verbs + [child for verb in verbs if isinstance(verb, click.Group) for child in verb.commands.values()]
    known = {option for command in commands for p in command.params for option in (*p.opts, *p.secondary_opts)}
    wrong = {}
    for path in sorted((REPOSITORY / "tinyml").rglob("*.py")):
        for hint in hints(ast.parse(path.read_text(encoding="utf-8"))):
            unknown = set(OPTION.findall(hint)) - known - OF_OTHER_TOOLS
            problems = [what for line in INLINE.findall(hint) if (what := problem(line)) is not None]
            if unknown or problems:
                wrong[f"{path.name}: {hint}"] = (unknown, problems)
    assert wrong == {}


def test_wrong_commands_are_seen() -> None:
    assert problem("tinyml biuld x") == "there is no verb biuld"
    assert problem("tinyml boards --jsn") == "boards has no --jsn"
    assert problem("tinyml data fetch") == "data has no fetch"
    assert problem("tinyml check model.tflite --board=nano33ble --json") is None
    assert command_lines("    tinyml boards --json   # all\n`tinyml new DIR`") == [
        "tinyml new DIR",
        "tinyml boards --json",
    ]
