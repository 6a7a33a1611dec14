"""The report as a Markdown document."""

import re
from collections.abc import Iterator, Sequence

from rl_faith.report.contents import Section, Table
from rl_faith.report.formatting import text, visible

# What Markdown would take as markup: a name could otherwise load a picture from somewhere.
_MARKUP = re.compile(r"[\\`*|\[\]<>]")


def to_document(title: str, sections: Sequence[Section]) -> str:
    """Every section with its conclusion, tables and notes."""
    parts = [f"# {_plain(title)}"]
    for section in sections:
        parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {_plain(section.title)}"
    yield f"**{'Caution: ' if section.warns else ''}{_plain(section.conclusion)}**"
    if section.points:
        yield "\n".join(f"- {_plain(point)}" for point in section.points)
    for table in section.tables:
        yield f"*{_plain(table.caption)}*"
        yield _table(table)
    yield from map(_plain, section.remarks)


def _table(table: Table) -> str:
    rows = [[text(value) for value in row] for row in (*table.rows, *table.published)]
    lines = [table.head, ["---"] * len(table.head), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(text: str) -> str:
    """A text of one line that shows as it is."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(visible(text).split()))
