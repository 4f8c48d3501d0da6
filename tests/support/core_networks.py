"""Runs whole networks on a core in Unicorn, many in one program, and gives every traced tensor back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support.core_build import Machine, compile_core
from tests.support.host_build import Network, Result, read_results

_LOG_BYTES = 1 << 20
_VARIABLES = ("trace_log", "trace_used", "canary_broken")

_HEAD = f"""
#define TML_TRACE 1
#include <stdint.h>
#include <string.h>

uint8_t trace_log[{_LOG_BYTES}];
uint32_t trace_used;
uint32_t canary_broken[3];

void tml_canary_broken(uint32_t step, uint32_t offset);
void tml_canary_broken(uint32_t step, uint32_t offset) {{
    canary_broken[0] += 1;
    canary_broken[1] = step;
    canary_broken[2] = offset;
}}

void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes);
void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes) {{
    const uint32_t head[2] = {{source_tensor, bytes}};
    if (trace_used + sizeof head + bytes > sizeof trace_log) {{
        return;
    }}
    memcpy(trace_log + trace_used, head, sizeof head);
    memcpy(trace_log + trace_used + sizeof head, data, bytes);
    trace_used += (uint32_t)sizeof head + bytes;
}}
"""

_RUN = """
#include "%(name)s.c"
int8_t in_%(name)s[%(upper)s_INPUT_BYTES];
void run_%(name)s(void);
void run_%(name)s(void) {
    static int8_t out[%(upper)s_OUTPUT_BYTES];
    trace_used = 0;
    if (%(name)s_run(in_%(name)s, out) == 0) {
        tml_trace_tensor(0xFFFFFFFFu, out, sizeof out);
    }
}
"""


class CoreProgram:
    """Networks with names of their own compiled into one image for ``core``."""

    def __init__(
        self,
        networks: Sequence[Network],
        core: str,
        directory: Path,
        *,
        compiler: str = "gcc",
        optimise: str = "-O2",
    ) -> None:
        sources = {name: text for network in networks for name, text in network.sources.items()}
        runs = "".join(_RUN % {"name": n.name, "upper": n.name.upper()} for n in networks)
        entries = tuple(f"{prefix}_{n.name}" for n in networks for prefix in ("run", "in"))
        elf = compile_core(
            _HEAD + runs,
            core,
            directory,
            entries=(*entries, *_VARIABLES),
            compiler=compiler,
            optimise=optimise,
            headers=sources,
        )
        self._machine = Machine(elf, core)

    def run(self, network: Network, content: bytes) -> Result:
        """One inference of ``network``."""
        self._machine.write(f"in_{network.name}", content)
        self._machine.call(f"run_{network.name}")
        broken, step, offset = (
            int.from_bytes(self._machine.read("canary_broken", 4, 4 * i), "little") for i in range(3)
        )
        assert not broken, f"{network.name}: step {step} wrote byte {offset} of the arena, which is nobody's"
        used = int.from_bytes(self._machine.read("trace_used", 4), "little")
        return read_results(self._machine.read("trace_log", used), 1)[0]
