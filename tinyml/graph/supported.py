"""Renders ``docs/supported-ops.md`` from the constraints; ``python -m tinyml.graph.supported`` prints it."""

from __future__ import annotations

import dataclasses

from tinyml.graph.ops import SPECS, Attrs

_HEAD = """# Supported ops

Generated from the constraints in `tinyml/graph/ops/`, do not edit; this brings it up to date:

    python -m tinyml.graph.supported > docs/supported-ops.md

A model whose ops keep these rules compiles, and its firmware's bytes equal those of TFLite's reference kernels. A rule
that does not hold is the text of the error (exit code 4).

Everywhere: batch 1, shapes fixed, int8 activations with one scale and zero point. QUANTIZE and DEQUANTIZE let a
model's inputs and outputs be float32 or uint8. Fused activations are NONE, RELU, RELU_N1_TO_1 and RELU6.

"""


def supported_ops_page() -> str:
    """The page, as Markdown."""
    lines = ["| op | attributes |", "|---|---|"]
    lines += [f"| [{kind}](#{kind.lower()}) | {_attributes(spec.attrs_type)} |" for kind, spec in SPECS.items()]
    for kind, spec in SPECS.items():
        lines += ["", f"## {kind}", "", " ".join((type(spec).__doc__ or "").split()), ""]
        lines += [f"- {rule}" for _, rule in spec.constraints()]
    return _HEAD + "\n".join(lines) + "\n"


def _attributes(kind: type[Attrs]) -> str:
    return ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind)) or "none"


if __name__ == "__main__":
    print(supported_ops_page(), end="")
