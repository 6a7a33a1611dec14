"""The report as one page that opens from disk and loads nothing."""

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rl_faith.report.contents import Change, Lines, Plane, Plot, Section
from rl_faith.report.formatting import parts, visible
from rl_faith.report.plots import draw

_HERE = Path(__file__).parent


def to_page(title: str, sections: Sequence[Section], examples: Markup | None) -> str:
    """Write the page.

    Args:
        title: Its title, from names that models have been given: text, not markup.
        sections: What to show; the last one is the provenance.
        examples: The section of examples, which goes before the last section.
    """
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(_HERE), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_finally,
    )  # fmt: skip
    environment.globals.update(parts=parts, draw=_panels, caption=_caption, is_clear=_is_clear)
    return environment.get_template("page.html").render(
        title=title,
        sections=sections,
        examples=examples,
        scripts=_allowed(examples or ""),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
    )


def _finally(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _allowed(section: str) -> Markup:
    """Our own scripts, by their hash: the page runs no other, whatever a text may hold."""
    scripts = re.findall("<script>(.*?)</script>", section, flags=re.DOTALL)
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    return Markup(" ".join(f"'sha256-{found}'" for found in hashes) or "'none'")


def _panels(plot: Plot, name: str) -> list[Markup]:
    return draw(plot, name)


def _is_clear(value: object) -> bool:
    return isinstance(value, Change) and value.clear


def _caption(plot: Plot) -> str:
    """What the marks of a plot are."""
    if isinstance(plot, Plane):
        return f"Curves of equal φ where {plot.impact:.0%} of the insertions matter."
    if isinstance(plot, Lines):
        return ""
    marks = ["mark and bar: value and 95% interval"]
    marks += [f"upright tick: {plot.beside}"] if plot.beside else []
    marks += [f"dashed line: {plot.limit}"] if plot.limit else []
    return f"{plot.axis.capitalize()}; {', '.join(marks)}."
