"""Finds and reads the boards: one TOML file a board, checked on load with errors that name file and key.

The schema is documented in ``boards/README.md``; every table carries the ``source`` of its facts.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tinyml.board import (
    Board,
    Camera,
    Console,
    Current,
    Emulator,
    FlashCache,
    Framework,
    Led,
    MemoryBank,
    MemoryRegion,
    Microphone,
    Upload,
)
from tinyml.errors import UsageError
from tinyml.paths import boards_dir
from tinyml.toml_reader import Table, did_you_mean, read_toml

__all__ = [
    "Board",
    "Camera",
    "Console",
    "Current",
    "Emulator",
    "Framework",
    "Led",
    "MemoryBank",
    "MemoryRegion",
    "Microphone",
    "Upload",
    "list_boards",
    "load_board",
    "read_board",
    "with_console",
]

FEATURES = ("dsp", "fpu", "dpfpu", "mve")
REGION_KINDS = ("flash", "ram")
ATTRIBUTES = ("execute", "dma", "fast", "cached", "xip", "external", "battery", "off_at_reset")
EMULATOR_KINDS = ("unicorn", "qemu", "renode")
USB_DRIVERS = ("rp2_usb", "nrf_usbd")
CONSOLE_DRIVERS = (
    "nrf_uarte", "nrf51_uart", "stm32_usart_v1", "stm32_usart_v2", "rp2_uart", "cmsdk_uart", *USB_DRIVERS
)  # fmt: skip
CAMERA_DRIVERS = ("ov7675_nrf", "ov7670_dcmi", "ov9655_dcmi", "hm01b0_pio", "host")
MICROPHONE_KINDS = ("pdm", "i2s", "analog")
FRAMEWORKS = ("baremetal", "arduino", "mbed", "stm32cube", "zephyr")
UPLOAD_PROTOCOLS = ("sam-ba", "uf2", "picotool", "pyocd", "openocd", "stlink", "jlink", "mbed", "dfu", "none")
UPLOAD_FILES = ("bin", "hex", "uf2")
ON_PINS = ("benchmark", "several", "mlperf_tiny_energy")
"""Applications that keep the board's own line: sizes are the network's alone, or a meter is wired to the line."""

_CORE_FEATURES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "cortex-m0": (frozenset(), frozenset()),
    "cortex-m0plus": (frozenset(), frozenset()),
    "cortex-m3": (frozenset(), frozenset()),
    "cortex-m4": (frozenset({"dsp"}), frozenset({"dsp", "fpu"})),
    "cortex-m7": (frozenset({"dsp"}), frozenset({"dsp", "fpu", "dpfpu"})),
    "cortex-m33": (frozenset(), frozenset({"dsp", "fpu"})),
    "cortex-m55": (frozenset({"dsp"}), frozenset({"dsp", "fpu", "dpfpu", "mve"})),
}


def load_board(name_or_path: str | os.PathLike[str]) -> Board:
    """The board of that name (``./boards/NAME.toml``, then those that ship with tinyml) or of that ``.toml`` file.

    Raises UsageError, naming file and key, for an unknown name or a file that is not a valid board.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    if text.endswith(".toml") or len(path.parts) > 1:
        if not path.is_file():
            raise UsageError(
                f"there is no board file {text}", hint="`tinyml boards` lists the boards that ship with tinyml"
            )
        return read_board(path)
    files = _board_files()
    if text not in files:
        raise UsageError(f"unknown board {text!r}", hint=did_you_mean(text, files))
    return read_board(files[text])


def list_boards() -> list[Board]:
    """All boards: the user's in ``./boards/`` and those that ship, by name; the user's win over a shipped name."""
    return [read_board(path) for _, path in sorted(_board_files().items())]


def _board_files() -> dict[str, Path]:
    shipped = {path.stem: path for path in boards_dir().glob("*.toml")}
    local = {path.stem: path for path in Path("boards").glob("*.toml")} if Path("boards").is_dir() else {}
    return shipped | local


def read_board(path: Path) -> Board:
    """Reads and checks one board file. Raises UsageError naming the file and the key."""
    table = read_toml(path)
    name = table.text("name")
    if name != path.stem:
        raise table.error("name", f"{name!r} differs from the file's name", f"rename the file to {name}.toml")
    core_table = table.table("core")
    core, features = _core(core_table)
    clock_hz = core_table.integer("clock_hz", minimum=1_000_000, maximum=2_000_000_000)
    crystal_hz = core_table.optional_integer("crystal_hz", minimum=1_000_000, maximum=50_000_000)
    mcu, family = core_table.text("mcu"), core_table.text("family")
    core_source = _finish(core_table)
    console, microphone = table.optional_table("console"), table.optional_table("microphone")
    camera, current = table.optional_table("camera"), table.optional_table("current")
    usb_console = table.optional_table("usb_console")
    cache = table.optional_table("flash_cache")
    board = Board(
        name=name,
        title=table.text("title"),
        vendor=table.text("vendor"),
        url=table.text("url"),
        mcu=mcu,
        family=family,
        core=core,
        features=features,
        clock_hz=clock_hz,
        regions=_regions(table),
        console=None if console is None else _console(console),
        usb_console=None if usb_console is None else _console(usb_console),
        microphone=None if microphone is None else _microphone(microphone),
        camera=None if camera is None else _camera(camera),
        leds=tuple(_led(entry) for entry in table.tables("leds")),
        upload=tuple(_upload(entry) for entry in table.tables("upload")),
        emulators=tuple(_emulator(entry) for entry in table.tables("emulators")),
        frameworks=tuple(_framework(entry) for entry in table.tables("frameworks")),
        current=None if current is None else _current(current),
        flash_cache=None if cache is None else _flash_cache(cache),
        sources=(("core", core_source),),
        path=path,
        crystal_hz=crystal_hz,
    )
    table.finish()
    if not board.frameworks:
        raise table.error("frameworks", "at least one is needed", 'add [[frameworks]] with name = "baremetal"')
    return board


def _finish(table: Table) -> str:
    source = table.text("source")
    table.finish()
    return source


def _core(table: Table) -> tuple[str, frozenset[str]]:
    core = table.text("name", choices=_CORE_FEATURES)
    features = frozenset(table.texts("features", choices=FEATURES))
    needed, possible = _CORE_FEATURES[core]
    for feature in sorted(needed - features):
        raise table.error("features", f"every {core} has {feature!r}", f'add "{feature}" to the list')
    for feature in sorted(features - possible):
        raise table.error(
            "features", f"no {core} has {feature!r}", "it can have: " + (", ".join(sorted(possible)) or "none")
        )
    if "dpfpu" in features and "fpu" not in features:
        raise table.error("features", "'dpfpu' (double precision) needs 'fpu'", 'add "fpu" to the list')
    return core, features


def _regions(board: Table) -> tuple[MemoryRegion, ...]:
    regions: list[MemoryRegion] = []
    for table in board.tables("regions"):
        region = _region(table)
        for other in regions:
            if other.name == region.name:
                raise table.error("name", f"{region.name!r} is used twice")
            if region.origin < other.origin + other.size_bytes and other.origin < region.origin + region.size_bytes:
                raise table.error("origin", f"{region.name} overlaps {other.name}")
        regions.append(region)
    for kind in REGION_KINDS:
        if not any(region.kind == kind for region in regions):
            raise board.error("regions", f"a region of kind {kind!r} is missing")
    return tuple(regions)


def _region(table: Table) -> MemoryRegion:
    name = table.text("name")
    if not name.replace("_", "").isalnum() or not name.isascii() or not name[0].isalpha():
        raise table.error("name", f"{name!r} must be letters, digits and underscores: it goes into the linker script")
    size_bytes = table.size_bytes("size")
    origin = table.integer("origin", maximum=2**32 - 1)
    if not 0 < size_bytes <= 2**32 - origin:
        raise table.error("size", f"{size_bytes} bytes at {origin:#010x} do not lie within 32-bit addresses")
    reserved_start_bytes = table.optional_size_bytes("reserved_start") or 0
    reserved_end_bytes = table.optional_size_bytes("reserved_end") or 0
    reserved_for = table.optional_text("reserved_for")
    if reserved_start_bytes + reserved_end_bytes >= size_bytes:
        raise table.error("reserved_start", f"nothing is left of {size_bytes} bytes")
    if (reserved_start_bytes + reserved_end_bytes > 0) != (reserved_for is not None):
        raise table.error("reserved_for", "must say what a reserved area is for, where there is one")
    banks = tuple(_bank(entry) for entry in table.tables("banks"))
    if banks and sum(bank.size_bytes for bank in banks) != size_bytes:
        total = sum(bank.size_bytes for bank in banks)
        raise table.error("banks", f"the banks hold {total} bytes together, but the region has {size_bytes}")
    return MemoryRegion(
        name=name,
        kind=table.text("kind", choices=REGION_KINDS),
        origin=origin,
        size_bytes=size_bytes,
        reserved_start_bytes=reserved_start_bytes,
        reserved_end_bytes=reserved_end_bytes,
        attributes=table.texts("attributes", choices=ATTRIBUTES),
        banks=banks,
        wait_states=table.optional_integer("wait_states", maximum=64),
        reserved_for=reserved_for,
        source=_finish(table),
    )


def _bank(table: Table) -> MemoryBank:
    bank = MemoryBank(table.text("name"), table.size_bytes("size"), table.texts("attributes", choices=ATTRIBUTES))
    table.finish()
    return bank


def _pins(table: Table) -> tuple[tuple[str, str], ...]:
    pins = table.optional_table("pins")
    return () if pins is None else tuple((signal, pins.text(signal)) for signal in pins.names())


def with_console(board: Board, name: str, app: str) -> Board:
    """``board`` with its console on the line ``name``: ``board`` for the file's own, ``usb`` for its USB socket.

    ``auto`` is the socket where the board's file says that it is usual, but for :data:`ON_PINS`.
    Raises UsageError where the socket has no driver.
    """
    if name == "auto":
        usual = board.usb_console is not None and board.usb_console.usual
        name = "usb" if usual and app not in ON_PINS else "board"
    if name == "board":
        return board
    if board.usb_console is None:
        able = ", ".join(known.name for known in list_boards() if known.usb_console is not None)
        raise UsageError(f"the USB socket of {board.name} has no driver for a console", hint=f"boards with one: {able}")
    return replace(board, console=board.usb_console)


def _console(table: Table) -> Console:
    return Console(
        driver=table.text("driver", choices=CONSOLE_DRIVERS),
        instance=table.text("instance"),
        base=table.integer("base", maximum=2**32 - 1),
        tx=table.text("tx"),
        rx=table.text("rx"),
        baud=table.integer("baud", minimum=1200, maximum=4_000_000),
        usb_id=_usb_id(table, "usb_id", table.optional_text("usb_id")),
        bootloader_magic=table.optional_integer("bootloader_magic", maximum=255),
        usual=table.boolean("usual"),
        source=_finish(table),
    )


def _microphone(table: Table) -> Microphone:
    kind, part = table.text("kind", choices=MICROPHONE_KINDS), table.text("part")
    return Microphone(kind=kind, part=part, pins=_pins(table), source=_finish(table))


def _camera(table: Table) -> Camera:
    part, interface = table.text("part"), table.text("interface")
    driver = table.text("driver", choices=CAMERA_DRIVERS)
    tx, rx = table.optional_text("console_tx"), table.optional_text("console_rx")
    if (tx is None) != (rx is None):
        raise table.error("console_rx", "console_tx and console_rx go together")
    pins = _pins(table)
    return Camera(part, driver, interface, pins, source=_finish(table), console_tx=tx, console_rx=rx)


def _led(table: Table) -> Led:
    name, pin, active_low = table.text("name"), table.text("pin"), table.boolean("active_low")
    low = table.optional_text("low")
    return Led(name=name, pin=pin, active_low=active_low, source=_finish(table), low=low)


def _upload(table: Table) -> Upload:
    usb_ids = _usb_ids(table, "usb_ids")
    boot_usb_ids = _usb_ids(table, "boot_usb_ids")
    for usb_id in boot_usb_ids:
        if usb_id not in usb_ids:
            raise table.error("boot_usb_ids", f"{usb_id!r} is not one of usb_ids", "name it there as well")
    return Upload(
        protocol=table.text("protocol", choices=UPLOAD_PROTOCOLS),
        tool=table.text("tool"),
        target=table.optional_text("target"),
        usb_ids=usb_ids,
        boot_usb_ids=boot_usb_ids,
        touch_1200bps=table.boolean("touch_1200bps"),
        file=table.optional_text("file", choices=UPLOAD_FILES),
        press=table.optional_text("press"),
        source=_finish(table),
    )


def _usb_ids(table: Table, key: str) -> tuple[str, ...]:
    return tuple(usb_id for text in table.texts(key) if (usb_id := _usb_id(table, key, text)) is not None)


def _usb_id(table: Table, key: str, usb_id: str | None) -> str | None:
    if usb_id is not None:
        vendor, _, product = usb_id.partition(":")
        if not all(len(part) == 4 and all(c in "0123456789abcdef" for c in part) for part in (vendor, product)):
            raise table.error(key, f"{usb_id!r} is not of the form vvvv:pppp in lower-case hexadecimal")
    return usb_id


def _emulator(table: Table) -> Emulator:
    kind = table.text("kind", choices=EMULATOR_KINDS)
    return Emulator(
        kind=kind,
        cpu=table.text("cpu") if kind == "unicorn" else table.optional_text("cpu"),
        machine=table.text("machine") if kind == "qemu" else table.optional_text("machine"),
        flash_origin=table.optional_integer("flash_origin", maximum=2**32 - 1),
        ram_origin=table.optional_integer("ram_origin", maximum=2**32 - 1),
        note=table.optional_text("note"),
        source=_finish(table),
    )


def _framework(table: Table) -> Framework:
    return Framework(
        name=table.text("name", choices=FRAMEWORKS),
        platform=table.text("platform"),
        board=table.text("board"),
        source=_finish(table),
    )


def _current(table: Table) -> Current:
    return Current(table.number("run_ma_per_mhz"), table.number("supply_v"), _finish(table))


def _flash_cache(table: Table) -> FlashCache:
    line_bytes, ways = table.integer("line_bytes", minimum=4, maximum=128), table.integer("ways", minimum=1, maximum=64)
    sizes = {key: table.size_bytes(key) for key in ("instruction", "data")}
    if line_bytes & (line_bytes - 1):
        raise table.error("line_bytes", f"{line_bytes} is no power of two")
    for key, size_bytes in sizes.items():
        if size_bytes % (line_bytes * ways):
            raise table.error(key, f"{size_bytes} bytes are no whole number of sets of {ways} x {line_bytes} bytes")
    return FlashCache(
        line_bytes=line_bytes,
        ways=ways,
        instruction_bytes=sizes["instruction"],
        data_bytes=sizes["data"],
        instruction_fill_cycles=table.number("instruction_fill_cycles"),
        data_fill_cycles=table.number("data_fill_cycles"),
        source=_finish(table),
    )
