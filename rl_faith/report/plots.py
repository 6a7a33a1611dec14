"""Plots as SVG that takes its colours from the page, so that light and dark both read well.

Colours are Okabe and Ito's (2008), told apart also by colour-blind readers; markers and line styles
differ as well, for print in black and white.
"""

import re
import warnings
from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rl_faith.report.contents import Dot, DotPanel, Dots, Line, LinePanel, Lines, Plane, Plot
from rl_faith.report.formatting import visible

# Stand-ins that no plot holds otherwise: the page's style sheet says what they look like.
_INK, _FAINT, _RULE = "#101112", "#606162", "#b0b1b2"
_SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#707172")
_VARIABLES = {
    _INK: "currentColor", _FAINT: "var(--faint)", _RULE: "var(--rule)",
    **{colour: f"var(--c{i})" for i, colour in enumerate(_SERIES, start=1)},
}  # fmt: skip
_MARKERS = "osD^vPX*"
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_LONGEST, _LONGEST_TITLE = 28, 48
_WIDTHS = {1: 4.6, 2: 4.6, 3: 3.45}
"""Inches of a panel, by how many stand in a row; an inch is 96 pixels of the page."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9, "axes.titlesize": 9,
    "axes.labelsize": 9, "axes.titlelocation": "left", "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": _RULE, "axes.labelcolor": _FAINT,
    "text.color": _INK, "xtick.color": _RULE, "ytick.color": _RULE, "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK, "axes.facecolor": "none", "figure.facecolor": "none",
    "savefig.facecolor": "none", "legend.frameon": False, "axes.grid": True, "grid.color": _RULE,
    "grid.linewidth": 0.4, "lines.linewidth": 1.4, "xtick.major.size": 0, "ytick.major.size": 0,
}  # fmt: skip


def draw(plot: Plot, name: str) -> list[Markup]:
    """Draw a plot, one SVG a panel, so that a narrow screen can put them under each other.

    Args:
        plot: What to draw.
        name: Begins every id of the drawings, so that no two on a page are the same.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # Names may hold characters of any script; the reader's fonts have them.
        warnings.filterwarnings("ignore", message="Glyph")
        if isinstance(plot, Plane):
            points = [name for name, *_ in plot.points]
            drawn = [("", _plane(plot)), ("key", _key(points, lines=False))]
        elif isinstance(plot, Dots):
            drawn = [(panel.title, _dots(panel, plot)) for panel in plot.panels]
        else:
            keys = list(dict.fromkeys(line.label for p in plot.panels for line in p.lines))
            drawn = [(panel.title, _lines(panel, plot, keys)) for panel in plot.panels]
            drawn.append(("key", _key(keys)))
        return [
            _inline(_svg(figure), f"{name}-{i}", f"{plot.alt}: {title}" if title else plot.alt)
            for i, (title, figure) in enumerate(drawn)
        ]


def _svg(figure: Figure) -> str:
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _inline(svg: str, name: str, alt: str) -> Markup:
    """The drawing as part of a page: no prolog, ids of its own, the page's colours."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.S)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', body)
    assert size
    told = Markup('<svg role="img" aria-label="{}" style="width:{}px" ').format(
        visible(alt), round(float(size[1]) * 96 / 72)
    )
    # What matplotlib wrote is escaped by it.
    return told + Markup(body.removeprefix("<svg ").replace(size[0], "", 1))


def _short(label: str, longest: int = _LONGEST) -> str:
    line = " ".join(visible(label).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _axes(title: str, left: float, width: float, height: float, below: float = 0.3) -> Axes:
    """Axes of a size in inches, so that panels of one plot line up."""
    above = 0.3 if title else 0.1
    size = (left + width + 0.15, below + height + above)
    figure = Figure(figsize=size)
    place = (left / size[0], below / size[1], width / size[0], height / size[1])
    axes = figure.add_axes(place)
    # From the panel's left edge: long labels leave no room above the axes alone.
    axes.set_title(_short(title, _LONGEST_TITLE), fontweight="bold", x=(0.1 - left) / width)
    return axes


def _dots(panel: DotPanel, plot: Dots) -> Figure:
    names = [_short(dot.label) for dot in panel.dots]
    longest = max(len(_short(dot.label)) for panel in plot.panels for dot in panel.dots)
    left = 0.15 + 0.075 * longest
    width = _WIDTHS[min(3, plot.columns)] - left - 0.15
    axes = _axes(panel.title, left, width, 0.1 + 0.21 * len(names))
    for i, dot in enumerate(panel.dots):
        _dot(axes, i, dot)
    low, high = _range(plot)
    axes.set(xlim=(low, high), ylim=(len(names) - 0.4, -0.6))
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    if plot.signed:
        axes.axvline(0, color=_FAINT, linewidth=0.8)
    if panel.limit is not None:
        axes.axvline(panel.limit, color=_FAINT, linewidth=1, linestyle=(0, (4, 2)))
    return axes.figure  # type: ignore[return-value]


def _dot(axes: Axes, i: int, dot: Dot) -> None:
    if dot.beside is not None:
        axes.plot(dot.beside, i, marker="|", color=_FAINT, markersize=9, markeredgewidth=1.6)
    value, low, high = dot.figure.value, dot.figure.low, dot.figure.high
    if value is None or low is None or high is None:
        return
    look = {**_look(i, 1), "markersize": 5}
    axes.errorbar(value, i, xerr=[[value - low], [high - value]], **look)


def _range(plot: Dots) -> tuple[float, float]:
    """Ends of the axis: a share starts at 0; the same in every panel."""
    dots = [dot for panel in plot.panels for dot in panel.dots]
    ends = [end for dot in dots for end in (dot.figure.low, dot.figure.high, dot.beside)]
    known = [end for end in [*ends, *(panel.limit for panel in plot.panels)] if end is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if plot.signed:
        room = 0.05 * (max(0.0, high) - min(0.0, low)) or 0.1
        return min(0.0, low) - room, max(0.0, high) + room
    return -0.01, next((most for most in (0.25, 0.5, 0.75) if high * 1.03 <= most), 1.02)


def _lines(panel: LinePanel, plot: Lines, keys: Sequence[str]) -> Figure:
    axes = _axes(panel.title, 0.58, _WIDTHS[3] - 0.73, 1.8, below=0.5)
    for line in panel.lines:
        _line(axes, line, keys.index(line.label))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(plot.axis)
    if plot.shares:
        axes.set_ylim(-0.02, 1.02)
    return axes.figure  # type: ignore[return-value]


def _line(axes: Axes, line: Line, i: int) -> None:
    x, y = zip(*line.points, strict=True)
    axes.plot(x, y, **_look(i, len(x)))
    if line.ends:
        low, high = zip(*line.ends, strict=True)
        axes.vlines(x, low, high, color=_SERIES[i % len(_SERIES)], linewidth=0.7)


def _look(i: int, points: int) -> dict[str, Any]:
    """Colour, marker and dashes of the i-th series; all three come round at different times."""
    return {
        "color": _SERIES[i % len(_SERIES)],
        "marker": _MARKERS[i % len(_MARKERS)],
        "linestyle": _DASHES[(i + i // len(_SERIES)) % len(_DASHES)],
        "markersize": 4,
        "markevery": max(1, points // 8),
    }


def _plane(plot: Plane) -> Figure:
    axes = _axes("", 0.5, 3.6, 3.6, below=0.5)
    ticks = np.linspace(0.001, 0.999, 200)
    fpr, tpr = np.meshgrid(ticks, ticks)
    said = plot.impact * tpr + (1 - plot.impact) * fpr
    phi = (tpr - fpr) * np.sqrt(plot.impact * (1 - plot.impact) / (said * (1 - said)))
    curves = axes.contour(fpr, tpr, phi, levels=_LEVELS, colors=_FAINT, linewidths=0.7)
    axes.clabel(curves, fmt="φ %g", fontsize=8)
    for i, (_, x, y) in enumerate(plot.points):
        axes.plot(x, y, **{**_look(i, 1), "linestyle": "", "markersize": 8})
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set(xlabel="FPR: mentioned without impact", ylabel="TPR: mentioned with impact")
    axes.grid(visible=False)
    return axes.figure  # type: ignore[return-value]


_LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8)


def _key(names: Sequence[str], *, lines: bool = True) -> Figure:
    """The key of a plot as a panel of its own."""
    figure = Figure(
        figsize=(0.8 + 0.075 * max(len(_short(n)) for n in names), 0.3 + 0.2 * len(names))
    )
    hidden = {} if lines else {"linestyle": ""}
    keys = [Line2D([], [], **{**_look(i, 1), **hidden}) for i in range(len(names))]
    figure.legend(keys, list(map(_short, names)), loc="upper left", handlelength=3)
    return figure
