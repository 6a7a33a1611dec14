"""The report as a Markdown document."""

import re
from collections.abc import Iterator, Sequence

from rl_faith.evaluation.markdown import table as markdown_table
from rl_faith.report.contents import Section, Value
from rl_faith.report.formatting import text

# What Markdown would take as markup: a name could otherwise load a picture from somewhere.
_MARKUP = re.compile(r"[\\`*\[\]<>]")


def to_document(title: str, sections: Sequence[Section]) -> str:
    """Every section with its conclusion, tables and notes."""
    parts = [f"# {_plain(title)}"]
    for section in sections:
        parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {_plain(section.title)}"
    yield f"**{_plain(section.conclusion)}**"
    if section.points:
        yield "\n".join(f"- {_plain(point)}" for point in section.points)
    for table in section.tables:
        yield f"*{_plain(table.caption)}*"
        yield markdown_table(list(map(_plain, table.head)), map(_entries, table.rows))
    yield from map(_plain, section.notes)


def _entries(row: Sequence[Value]) -> list[str]:
    return [_plain(text(value)) for value in row]


def _plain(text: str) -> str:
    """A text of one line that shows as it is."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
