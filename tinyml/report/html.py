"""Results as one self-contained HTML page: budget, memory over time, layers; nothing is loaded from elsewhere."""

from __future__ import annotations

from typing import Any

import jinja2
from markupsafe import Markup

from tinyml import __version__
from tinyml.report.memory_picture import MemoryPicture
from tinyml.report.memory_svg import STYLE, memory_svg
from tinyml.report.profile import profile_facts
from tinyml.report.results import CheckResult, ProfileResult


def check_page(result: CheckResult) -> str:
    """The page of ``tinyml check --html``: the verdict, every region's parts, the picture."""
    budget = result.budget
    facts = (
        f"MACs {result.macs:,}; weights {budget.weights_bytes:,} bytes; arena {budget.arena_bytes:,} bytes, of it"
        f" scratch up to {budget.scratch_bytes:,}.",
        f"Model {result.origin}, SHA-256 {result.model_sha256}.",
    )
    return _page(
        result.picture,
        title=f"{result.model} on {budget.board}: memory",
        heading=f"{result.model} on {budget.board}",
        fits=result.fits,
        facts=facts,
        warnings=result.warnings,
        budget=budget,
    )


def profile_page(result: ProfileResult) -> str:
    """The page of ``tinyml profile --html``: the same figures as the terminal's, by layer, and the picture."""
    return _page(
        result.picture,
        title=f"{result.model} on {result.board}: profile",
        heading=f"{result.model} on {result.board}",
        facts=profile_facts(result),
        warnings=result.warnings,
        layers=result.layers,
        largest_share=max((layer.share for layer in result.layers), default=0.0) or 1.0,
    )


def _page(picture: MemoryPicture | None, **values: Any) -> str:
    settings: dict[str, Any] = {"fits": None, "budget": None, "layers": (), "largest_share": 1.0, **values}
    return ENVIRONMENT.get_template("report.html.j2").render(
        version=__version__,
        picture=picture,
        svg=Markup(memory_svg(picture, style=False)) if picture else "",
        memory_style=Markup(STYLE),
        number=lambda value: f"{value:,}",
        **settings,
    )


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("tinyml.report"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=True,
)
