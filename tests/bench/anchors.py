"""What other engines take for the same models, measured the same way, and what no kernel can go below.

TFLM 90b983c2 with CMSIS-NN 4ab83cc3, int8-only kernel registrations, GCC 12.2.1, instructions of one inference counted
between two markers in QEMU 7.2; the arena is the smallest that works, on the Cortex-M4F. TinyEngine 47bb283c with its
default requantisation, which is not exact; its memory is what its planner says.
"""

from __future__ import annotations

TFLM_INSTRUCTIONS: dict[str, dict[str, int]] = {
    "kws": {"cortex-m4": 7_698_198, "cortex-m7": 7_761_533, "cortex-m55": 1_785_621, "cortex-m0plus": 29_006_889},
    "vww": {"cortex-m4": 24_101_516, "cortex-m7": 24_483_369, "cortex-m55": 6_433_083, "cortex-m0plus": 86_874_675},
    "ic": {"cortex-m4": 29_863_467, "cortex-m7": 29_937_849, "cortex-m55": 4_810_190, "cortex-m0plus": 97_565_968},
    "ad": {"cortex-m4": 582_240, "cortex-m7": 582_539, "cortex-m55": 149_890, "cortex-m0plus": 1_763_358},
}
TFLM_ARENA_BYTES = {"kws": 22_832, "vww": 100_720, "ic": 55_008, "ad": 3_024}
MODEL_FILES = {
    "kws": "models/kws_ref_model.tflite",
    "vww": "models/vww_96_int8.tflite",
    "ic": "models/pretrainedResnet_quant.tflite",
    "ad": "models/ad01_int8.tflite",
}
BOARDS = ("nucleo_l4r5zi", "disco_f746ng", "mps2-an505", "mps3-an547", "mps2-an385", "pico")
SPEED_MODELS = {"ic": ("nucleo_l4r5zi",)}
"""Measured with ``--optimize speed`` as well."""
CATALOGUE_MODELS = {"mcunet_vww1": ("nucleo_l4r5zi",), "mcunet_in3": ("nucleo_h743zi",)}
TINYENGINE_INSTRUCTIONS = {"mcunet_vww1": 34_750_000, "mcunet_in3": 239_800_000}
TINYENGINE_ARENA_BYTES = {"mcunet_vww1": 93_992, "mcunet_in3": 266_344}
LIMITS = {
    "dsp": (0.5, "SMLAD multiplies two"),
    "mve": (0.06, "VMLADAVA multiplies sixteen"),
    "v7m": (0.67, "two MLA multiply three"),
    "v6m": (1.33, "two MULS and two ADDS multiply three"),
}
"""Instructions a multiply-accumulate that loads, requantisation and loops come on top of, and why."""
