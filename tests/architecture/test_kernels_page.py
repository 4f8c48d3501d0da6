"""``docs/kernels.md`` is what the selection table and the kept measurements give."""

from __future__ import annotations

from tests.support.shared import REPOSITORY
from tinyml.kernels_page import page
from tinyml.lower.kernels import KERNELS


def test_the_page_is_up_to_date() -> None:
    kept = (REPOSITORY / "docs" / "kernels.md").read_text(encoding="utf-8")
    assert kept == page(), "run python -m tinyml.kernels_page"


def test_every_condition_says_when_it_holds() -> None:
    assert [row.applies.__name__ for row in KERNELS if not row.applies.__doc__] == []
