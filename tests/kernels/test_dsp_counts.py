"""Instructions of one inference of the MLPerf Tiny models on Cortex-M4: exact, so that they are held as bars.

TensorFlow Lite Micro with CMSIS-NN takes 7.70, 24.10, 29.86 and 0.58 million on the same inputs. The bars are what was
measured and 2 %.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.core_build import Machine, compile_core
from tests.support.host_build import compile_network
from tests.support.shared import require_shared
from tinyml.lower.program import Isa
from tinyml.tflite.reference import Reference

pytestmark = pytest.mark.shared

BARS = {
    "kws_ref_model": 2_600_000,
    "vww_96_int8": 4_367_000,
    "pretrainedResnet_quant": 10_910_000,
    "ad01_int8": 249_500,
}


@pytest.mark.parametrize("name", list(BARS))
def test_instructions(name: str, tmp_path: Path) -> None:
    data = require_shared(f"models/{name}.tflite").read_bytes()
    network = compile_network(data, isa=Isa.DSP)
    (tensor,) = network.input_tensors
    inputs = ((np.arange(tensor.elements) * 31) % 256 - 128).astype(np.int8).reshape(tensor.shape)
    (wanted,) = Reference(data).run([inputs])
    source = (
        f"{network.sources['network.c']}\nint8_t test_in[{tensor.elements}], test_out[{wanted.size}];\n"
        "void run(void) { network_run(test_in, test_out); }\n"
    )
    headers = {"network.h": network.sources["network.h"]}
    elf = compile_core(source, "cortex-m4", tmp_path, entries=("run", "test_in", "test_out"), headers=headers)
    machine = Machine(elf, "cortex-m4")
    machine.write("test_in", inputs.tobytes())
    instructions = machine.count("run")
    assert machine.read("test_out", wanted.size) == wanted.tobytes()
    assert instructions <= BARS[name], f"{name} took {instructions:,} instructions"
