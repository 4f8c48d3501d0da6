"""What TensorFlow Lite Micro with CMSIS-NN takes for the same models, measured the same way.

TFLM 90b983c2 with CMSIS-NN 4ab83cc3, int8-only kernel registrations, GCC 12.2.1, instructions of one inference counted
between two markers in QEMU 7.2; the arena is the smallest that works, on the Cortex-M4F.
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
