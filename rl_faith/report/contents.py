"""What a report holds: sections with a conclusion, tables of typed figures, and plots as data.

Nothing here knows how it is shown. The page, the Markdown document and `results.json` are made
from the same contents, so that they cannot tell different things.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rl_faith.report import published
from rl_faith.stats import Estimate


@dataclass(frozen=True)
class Change:
    """A difference from the baseline.

    Attributes:
        estimate: The difference with its interval.
        p: p value after Holm's correction; None where no test was made.
    """

    estimate: Estimate
    p: float | None = None

    @property
    def clear(self) -> bool:
        """Whether the test, or else the interval, tells it from no difference."""
        if self.p is not None:
            return self.p < 0.05
        low, high = self.estimate.low, self.estimate.high
        return low is not None and high is not None and (low > 0 or high < 0)


Value = str | int | float | Estimate | Change | None
"""An entry of a table; None is "not recorded", and never 0."""


@dataclass(frozen=True)
class Table:
    """Figures in rows and columns.

    Attributes:
        caption: What the figures are.
        head: Name of each column.
        rows: One value a column; the first names the row.
        texts: How many columns from the left are text.
        folded: Whether the page shows it only when asked.
        published: Rows of published figures, which stand apart from ours.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    texts: int = 1
    folded: bool = False
    published: tuple[tuple[Value, ...], ...] = ()


@dataclass(frozen=True)
class Dot:
    """A figure of a dot plot, on a line of its own.

    Attributes:
        label: Names the line.
        figure: The figure with its interval.
        beside: A second figure to compare it with, such as the random control.
    """

    label: str
    figure: Estimate
    beside: float | None = None


@dataclass(frozen=True)
class DotPanel:
    """A small dot plot; `limit` is drawn as a line across it, such as the ceiling."""

    title: str
    dots: tuple[Dot, ...]
    limit: float | None = None


@dataclass(frozen=True)
class Dots:
    """Dot plots side by side, the same lines in each; shares from 0, or `signed` figures."""

    alt: str
    axis: str
    panels: tuple[DotPanel, ...]
    columns: int = 1
    signed: bool = False
    beside: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Line:
    """A curve: points (x, y), and the ends of each y's interval where there are any."""

    label: str
    points: tuple[tuple[float, float], ...]
    ends: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class LinePanel:
    """Curves over the same x."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Lines:
    """Curves in panels side by side."""

    alt: str
    axis: str
    panels: tuple[LinePanel, ...]
    shares: bool = False


@dataclass(frozen=True)
class Plane:
    """Models in the plane of false and true positive rate.

    Attributes:
        alt: What it shows, in words.
        points: Name, false positive rate and true positive rate of each model.
        impact: Share of insertions with impact, at which the curves of equal phi are drawn.
    """

    alt: str
    points: tuple[tuple[str, float, float], ...]
    impact: float


Plot = Dots | Lines | Plane


@dataclass(frozen=True)
class Section:
    """One question and its answer.

    Attributes:
        name: Anchor on the page and key in `results.json`.
        title: Heading.
        conclusion: One sentence, computed from the figures, that says what to conclude.
        points: Further sentences, one for each model.
        plots: Each with a table of the same figures among `tables`.
        tables: The figures.
        notes: How to read them.
        warns: Whether the conclusion is a warning.
    """

    name: str
    title: str
    conclusion: str
    points: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    warns: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and what published figures among the tables are."""
        known = any(table.published for table in self.tables)
        return (*self.notes, published.NOTE) if known else self.notes

    def as_dict(self) -> dict[str, Any]:
        """Return conclusion, points and tables, ready for JSON."""
        return {
            "title": self.title,
            "conclusion": self.conclusion,
            "warns": self.warns,
            "points": list(self.points),
            "tables": [
                {
                    "caption": table.caption,
                    "rows": _records(table.head, table.rows),
                    "published": _records(table.head, table.published),
                }
                for table in self.tables
            ],
        }


def _records(head: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[dict[str, Any]]:
    return [dict(zip(head, map(_plain, row), strict=True)) for row in rows]


def _plain(value: Value) -> Any:
    if isinstance(value, Change):
        return {**value.estimate.as_dict(), "p_holm": value.p}
    return asdict(value) if isinstance(value, Estimate) else value


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence; where there are many, the first few and how many more."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join([*([", ".join(shown[:-1])] if shown[:-1] else []), *shown[-1:]])
