"""The page of supported ops is what the constraints say."""

from __future__ import annotations

from pathlib import Path

from tinyml.graph.ops import SPECS
from tinyml.graph.supported import supported_ops_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "supported-ops.md"


def test_the_page_is_up_to_date() -> None:
    stale = "run: python -m tinyml.graph.supported > docs/supported-ops.md"
    assert PAGE.read_text(encoding="utf-8") == supported_ops_page(), stale


def test_every_op_has_a_section() -> None:
    page = supported_ops_page()
    assert all(f"\n## {kind}\n" in page for kind in SPECS)
