"""The MLPerf Tiny application compiled for this machine with the sanitizers, its serial line on stdin and stdout."""

from __future__ import annotations

from pathlib import Path

from tests.support.host_build import WARNINGS, compile_c, host_compiler, sanitizer_flags
from tests.support.trivial_network import SOURCES
from tinyml.boards import load_board
from tinyml.firmware.render import render_files

_DEVICE = """
#include <stdio.h>
#include <stdlib.h>
#include "tml_clock.h"
#include "tml_console.h"
#include "tml_cycles.h"
#include "tml_proof.h"

static uint32_t cycles;
uint32_t tml_slower_hz = SLOWER_HZ;

void tml_console_init(void) {}
void tml_console_listen(void) {}
void tml_cycles_init(void) {}
uint32_t tml_cycles(void) { return cycles += 1000000007u; } /* every reading may have wrapped */
bool tml_proof(int *exit_code) { (void)exit_code; return false; }

int tml_console_read(void) {
    const int byte = getchar();
    if (byte == EOF) exit(fflush(stdout) == 0 ? 0 : 2);
    return byte;
}

void tml_console_write(const char *data, uint32_t bytes) {
    if (fwrite(data, 1, bytes, stdout) != bytes || fflush(stdout) != 0) exit(3);
}
"""
_FORMAT = """#define NETWORK_INPUT_0_SCALE 0.25f
#define NETWORK_INPUT_0_ZERO_POINT (-3)
void *network_input(int i);"""

INPUT_SCALE, INPUT_ZERO_POINT = 0.25, -3
OUTPUT_SCALE, OUTPUT_ZERO_POINT = 0.5, 7


def values(feed: int, **changes: str) -> dict[str, str]:
    """The macros for the trivial network, which has 16 int8 inputs and 4 int8 outputs."""
    return {
        "APP_MLPERF_VENDOR": '"tinyml"',
        "APP_MLPERF_FIRMWARE": '"ULPMark for tinyML Firmware V0.0.1"',
        "APP_MLPERF_MODEL": '"trivial"',
        "APP_MLPERF_FEED": str(feed),
        "APP_MLPERF_ERROR": "0",
        "APP_MLPERF_BUFFER_BYTES": "64u" if feed == 3 else "16u",
        "APP_MLPERF_OUTPUTS": f"{{{{0, 4u, {OUTPUT_SCALE}f, {OUTPUT_ZERO_POINT}}}}}",
        "APP_MLPERF_ENERGY": "0",
    } | changes


def build_device(folder: Path, app_values: dict[str, str], *, sanitize: bool = True, slower_hz: int = 0) -> Path:
    """The device as a program of this machine; a diagnostic of the compiler fails the test.

    ``slower_hz`` is the clock of a core whose oscillator did not start.
    """
    sources = dict(SOURCES)
    sources["network.h"] = sources["network.h"].replace("void *network_input(int i);", _FORMAT)
    files = render_files(
        load_board("mps2-an386"),
        sources,
        app="mlperf_tiny",
        model_name="trivial",
        toolchain="auto",
        network_flags=(),
        app_values=app_values,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if name.endswith((".c", ".h")):
            (folder / Path(name).name).write_text(text, encoding="utf-8")
    (folder / "device.c").write_text(_DEVICE, encoding="utf-8")
    names = ["main.c", "mlperf.c", "mlperf_network.c", "mlperf_print.c", "network.c", "device.c"]
    flags = [
        "-std=gnu11",
        f"-DSLOWER_HZ={slower_hz}u",
        "-O1",
        "-g",
        *WARNINGS,
        *(sanitizer_flags() if sanitize else ()),
    ]
    compile_c(host_compiler(), [folder / name for name in names], folder / "device", flags)
    return folder / "device"
