"""``tinyml boards``: what the toolchain knows of the boards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tinyml.cli import output
from tinyml.cli.options import json_option
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.board import Board


@verb(
    "boards",
    "tinyml boards                 # all of them",
    "tinyml boards nano33ble       # memory, drivers, upload tools, sources",
    "tinyml boards ./my-board.toml # a file of your own, checked",
)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the boards, or show the board NAME.

    NAME may also be the path of a board file of your own; those in ./boards/ are listed by name.
    """
    from tinyml.boards import list_boards, load_board

    boards = list_boards() if name is None else [load_board(name)]
    if as_json:
        output.print_json({"boards": [board_json(board) for board in boards]})
    elif name is None:
        _print_list(boards)
    else:
        _print_board(boards[0])


def board_json(board: Board) -> dict[str, Any]:
    """The board as it stands in ``--json``; the keys are listed in ``docs/json.md``."""
    return {
        "name": board.name,
        "title": board.title,
        "vendor": board.vendor,
        "url": board.url,
        "mcu": board.mcu,
        "family": board.family,
        "core": board.core,
        "features": sorted(board.features),
        "isa": board.isa_name,
        "clock_hz": board.clock_hz,
        "regions": [
            {
                "name": region.name,
                "kind": region.kind,
                "origin": region.origin,
                "size_bytes": region.size_bytes,
                "available_bytes": region.available_bytes,
                "attributes": list(region.attributes),
                "banks": [{"name": bank.name, "size_bytes": bank.size_bytes} for bank in region.banks],
                "source": region.source,
            }
            for region in board.regions
        ],
        "console": None if board.console is None else board.console.instance,
        "microphone": None if board.microphone is None else board.microphone.part,
        "camera": None if board.camera is None else board.camera.part,
        "upload": [upload.protocol for upload in board.upload],
        "emulators": [
            {"kind": emulator.kind, "machine": emulator.machine, "cpu": emulator.cpu, "relocated": emulator.relocated}
            for emulator in board.emulators
        ],
        "frameworks": [framework.name for framework in board.frameworks],
        "run_ma_per_mhz": None if board.current is None else board.current.run_ma_per_mhz,
        "path": str(board.path),
    }


def _print_list(boards: list[Board]) -> None:
    rows = [
        [
            board.name,
            board.core,
            f"{board.clock_hz / 1e6:g} MHz",
            output.kib(board.ram.available_bytes),
            output.kib(board.flash.available_bytes),
            " ".join(emulator.kind for emulator in board.emulators),
            board.title,
        ]
        for board in boards
    ]
    output.print_table(["name", "core", "clock", "SRAM", "flash", "emulators", "title"], rows, right=(2, 3, 4))


def _print_board(board: Board) -> None:
    click.echo(f"{board.title} ({board.name})")
    click.echo(f"{board.vendor}, {board.url}\n")
    features = ", ".join(sorted(board.features)) or "none"
    facts = [
        [
            "core",
            f"{board.core} at {board.clock_hz / 1e6:g} MHz; features: {features}; instruction set: {board.isa_name}",
        ],
        ["mcu", f"{board.mcu} ({board.family})"],
    ]
    for region in board.regions:
        text = f"{region.kind} {region.origin:#010x}, {output.kib(region.size_bytes)}"
        if region.reserved_for is not None:
            text += f", {output.kib(region.available_bytes)} available ({region.reserved_for})"
        if region.banks:
            text += " = " + " + ".join(f"{bank.name} {output.kib(bank.size_bytes)}" for bank in region.banks)
        facts.append([f"region {region.name}", text])
    if board.console is not None:
        console = board.console
        facts.append(["console", f"{console.instance}, tx {console.tx}, rx {console.rx}, {console.baud} baud"])
    if board.usb_console is not None:
        how = "where applications print" if board.usb_console.usual else "with --console usb"
        facts.append(["console", f"USB socket, {how}"])
    if board.microphone is not None:
        facts.append(["microphone", f"{board.microphone.kind}: {board.microphone.part}"])
        facts.append(["  its pins", _pins(board.microphone.pins)])
    if board.camera is not None:
        facts.append(["camera", f"{board.camera.interface}: {board.camera.part}"])
        facts.append(["  its pins", _pins(board.camera.pins)])
    for led in board.leds:
        behind = f" (behind it {led.low}, kept low)" if led.low else ""
        facts.append([f"led {led.name}", led.pin + (" (active low)" if led.active_low else "") + behind])
    for upload in board.upload:
        facts.append([f"upload {upload.protocol}", upload.tool + "".join(f" {usb_id}" for usb_id in upload.usb_ids)])
    for emulator in board.emulators:
        facts.append([f"emulator {emulator.kind}", " ".join(filter(None, (emulator.machine, emulator.cpu)))])
    for framework in board.frameworks:
        facts.append([f"framework {framework.name}", f"platform {framework.platform}, board {framework.board}"])
    if board.current is not None:
        facts.append(["current", f"{board.current.run_ma_per_mhz:g} mA/MHz at {board.current.supply_v:g} V"])
    facts.append(["file", str(board.path)])
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        click.echo(f"  {label.ljust(width)}  {text}")


def _pins(pins: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{signal} {pin}" for signal, pin in pins) or "none"
