"""What the toolchain knows of a board, as frozen dataclasses, and the compiler flags that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MemoryBank:
    """One physical memory inside a contiguous region."""

    name: str
    size_bytes: int
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """A contiguous range of addresses: one line of the linker script's MEMORY and one line of the budget."""

    name: str
    kind: str
    origin: int
    size_bytes: int
    reserved_start_bytes: int
    reserved_end_bytes: int
    attributes: tuple[str, ...]
    banks: tuple[MemoryBank, ...]
    wait_states: int | None
    reserved_for: str | None
    source: str

    @property
    def start(self) -> int:
        """The first address a firmware may use."""
        return self.origin + self.reserved_start_bytes

    @property
    def available_bytes(self) -> int:
        """How many bytes a firmware may use."""
        return self.size_bytes - self.reserved_start_bytes - self.reserved_end_bytes


@dataclass(frozen=True, slots=True)
class Console:
    """The serial line a firmware prints to: the driver that speaks to it, its base address, pins and speed.

    On a USB socket also the id that the board shows itself under, and what its bootloader wants to find in the register
    that outlasts a reset. ``usual`` says that applications print there unless they are told otherwise.
    """

    driver: str
    instance: str
    base: int
    tx: str
    rx: str
    baud: int
    source: str
    usb_id: str | None = None
    bootloader_magic: int | None = None
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Microphone:
    """The microphone and how it is wired: ``pins`` pairs a signal's name with the MCU's pin."""

    kind: str
    part: str
    pins: tuple[tuple[str, str], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Camera:
    """The camera, or the connector for one, and how it is wired; ``driver`` is one of the firmware's.

    ``console_tx`` and ``console_rx`` are where the serial line goes where the camera takes its pins.
    """

    part: str
    driver: str
    interface: str
    pins: tuple[tuple[str, str], ...]
    source: str
    console_tx: str | None = None
    console_rx: str | None = None


@dataclass(frozen=True, slots=True)
class Led:
    """A light on the board; ``low`` is a pin that has to be low for it, where one lies behind it in a matrix."""

    name: str
    pin: str
    active_low: bool
    source: str
    low: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """One way to flash the board.

    ``tool`` is the program and ``target`` what the program calls the board: an MCU's name, a configuration file, an
    address, a UF2 family or the codes of an mbed drive. ``usb_ids`` are all under which the board or its debug probe
    shows itself, ``boot_usb_ids`` those of its bootloader; a board that shows another one of ``usb_ids`` is sent there
    by opening its port at 1200 baud, where ``touch_1200bps`` says that it listens. ``press`` is what a person does
    where the board does not show itself at all.
    """

    protocol: str
    tool: str
    target: str | None
    usb_ids: tuple[str, ...]
    boot_usb_ids: tuple[str, ...]
    touch_1200bps: bool
    file: str | None
    press: str | None
    source: str

    @property
    def openocd_files(self) -> tuple[str, ...]:
        """OpenOCD's configuration files: a target's comes after the ST-LINK's, a board's names its own interface."""
        files = () if self.target is None else (self.target,)
        return ("interface/stlink.cfg", *files) if files and files[0].startswith("target/") else files


@dataclass(frozen=True, slots=True)
class Emulator:
    """An emulator that runs the board's core.

    ``flash_origin`` and ``ram_origin`` are None where the image runs at the board's own addresses; otherwise the image
    has to be linked there for this emulator.
    """

    kind: str
    cpu: str | None
    machine: str | None
    flash_origin: int | None
    ram_origin: int | None
    note: str | None
    source: str

    @property
    def relocated(self) -> bool:
        """Whether the image has to be linked at other addresses than the board's own."""
        return self.flash_origin is not None or self.ram_origin is not None


@dataclass(frozen=True, slots=True)
class Framework:
    """The PlatformIO platform and board ids under which a framework builds for this board."""

    name: str
    platform: str
    board: str
    source: str


@dataclass(frozen=True, slots=True)
class Current:
    """What the core draws while it runs, in mA per MHz at ``supply_v`` volts."""

    run_ma_per_mhz: float
    supply_v: float
    source: str


@dataclass(frozen=True, slots=True)
class FlashCache:
    """What lies between core and flash: a cache for code and one for data (0 bytes: none), in lines of ``line_bytes``.

    A miss stalls the core for ``instruction_fill_cycles`` or ``data_fill_cycles`` on average, at the board's clock: the
    wait states of the reads that fill the line, less what prefetching and execution hide. For the cycle model alone.
    """

    line_bytes: int
    ways: int
    instruction_bytes: int
    data_bytes: int
    instruction_fill_cycles: float
    data_fill_cycles: float
    source: str

    @property
    def instruction_sets(self) -> int:
        """Sets of the cache for code."""
        return self.instruction_bytes // (self.line_bytes * self.ways)

    @property
    def data_sets(self) -> int:
        """Sets of the cache for data."""
        return self.data_bytes // (self.line_bytes * self.ways)


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the toolchain knows of a board."""

    name: str
    title: str
    vendor: str
    url: str
    mcu: str
    family: str
    core: str
    features: frozenset[str]
    clock_hz: int
    regions: tuple[MemoryRegion, ...]
    console: Console | None
    microphone: Microphone | None
    camera: Camera | None
    leds: tuple[Led, ...]
    upload: tuple[Upload, ...]
    emulators: tuple[Emulator, ...]
    frameworks: tuple[Framework, ...]
    current: Current | None
    flash_cache: FlashCache | None
    sources: tuple[tuple[str, str], ...]
    path: Path
    crystal_hz: int | None = None
    usb_console: Console | None = None

    @property
    def isa_name(self) -> str:
        """The instruction set the kernels are chosen by: ``v6m``, ``v7m``, ``dsp`` or ``mve``."""
        if self.core in ("cortex-m0", "cortex-m0plus"):
            return "v6m"
        if "mve" in self.features:
            return "mve"
        return "dsp" if "dsp" in self.features else "v7m"

    @property
    def flash(self) -> MemoryRegion:
        """The region code and constants go to: the first flash region of the file."""
        return next(region for region in self.regions if region.kind == "flash")

    @property
    def ram(self) -> MemoryRegion:
        """The region the arena, data and stack go to: the first RAM region of the file."""
        return next(region for region in self.regions if region.kind == "ram")

    @property
    def gcc_flags(self) -> tuple[str, ...]:
        """The machine flags of ``arm-none-eabi-gcc`` (GCC manual, "ARM Options")."""
        cpu = self.core
        if self.core == "cortex-m33" and "dsp" not in self.features:
            cpu += "+nodsp"
        if self.core == "cortex-m55":
            cpu += "" if "mve" in self.features else "+nomve"
            cpu += "" if "fpu" in self.features else "+nofp"
        flags = [f"-mcpu={cpu}", "-mthumb"]
        if "fpu" not in self.features:
            return (*flags, "-mfloat-abi=soft")
        return (*flags, "-mfloat-abi=hard", f"-mfpu={self._gcc_fpu}")

    @property
    def _gcc_fpu(self) -> str:
        if self.core == "cortex-m55":
            return "auto"
        if self.core == "cortex-m4":
            return "fpv4-sp-d16"
        return "fpv5-d16" if "dpfpu" in self.features else "fpv5-sp-d16"

    @property
    def zig_flags(self) -> tuple[str, ...]:
        """The machine flags of ``zig cc``.

        The features are spelled out because zig takes a bare CPU name to mean the core without any of its options.
        """
        cpu = self.core.replace("-", "_")
        if self.core in ("cortex-m33", "cortex-m55") and "dsp" in self.features:
            cpu += "+dsp"
        if "mve" in self.features:
            cpu += "+mve_fp" if "fpu" in self.features else "+mve"
        if "fpu" in self.features:
            cpu += (
                "+vfp4d16sp"
                if self.core == "cortex-m4"
                else "+fp_armv8d16" + ("" if "dpfpu" in self.features else "sp")
            )
        abi = "eabihf" if "fpu" in self.features else "eabi"
        return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={cpu}")

    def emulator(self, kind: str) -> Emulator | None:
        """The board's emulator of that kind, or None."""
        return next((emulator for emulator in self.emulators if emulator.kind == kind), None)
