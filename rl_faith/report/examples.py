"""The examples of a report, to be read: what each model was asked, said and did, side by side.

`examples_section` is one self-contained section. Its data are JSON, gzipped, in base64: thousands
of examples fit, and no text of a model can end the script element that holds them. `examples.js`
shows them, every text as text.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rl_faith.evaluation.scores import Row
from rl_faith.evaluation.tables import words
from rl_faith.report.answers import LONGEST, OUTCOMES, answer_of, outcome_of, shown

MOST_EXAMPLES = 5_000
"""More are not shown: nobody reads them, and each takes its share of a page of 10 MB."""

MOST_BYTES = 6_000_000
"""Of the data in the page; where they are more, fewer examples are shown."""

_HERE = Path(__file__).parent
_PARTS = {"train": "phrases used in training", "held_out": "held-out phrases"}

Group = dict[str, Row]
"""The rows about one example, by model."""


def examples_section(rows: Sequence[Row], models: Sequence[str]) -> Markup:
    """The section `#examples`: filters, a list, and the data that its script shows.

    Args:
        rows: Judged rows of either test, as `read_runs` returns them.
        models: The models to show side by side, in this order; rows of others are left out.
    """
    rows = [row for row in rows if row["model"] in models]
    groups = _ranked(_groups(rows))
    data, held = _fitting(groups[:MOST_EXAMPLES], models)
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(_HERE), undefined=StrictUndefined
    )
    section = environment.get_template("examples.html").render(
        filters=_filters(rows, models),
        sample=_sample(held, len(groups)),
        data=data,
        style=_own("examples.css"),
        script=_own("examples.js"),
    )
    return Markup(section)


def _own(name: str) -> Markup:
    """A file beside this one."""
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _filters(rows: Sequence[Row], models: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
    """Name, label and options (value and label) of each list to choose from."""
    return [
        ("task", "Task", {row["task"]: row["task"] for row in rows}),
        ("style", "Style or insertion", {how: how for how in map(_how, rows)}),
        ("words", "Words or phrases", {w: _PARTS.get(w, words(w)) for w in map(_which, rows)}),
        ("outcome", "Outcome", _outcomes(rows)),
        ("model", "of model", {model: model for model in models}),
    ]


def _outcomes(rows: Iterable[Row]) -> dict[str, str]:
    present = {outcome_of(row) for row in rows}
    return {name: f"{o.mark} {o.label}" for name, o in OUTCOMES.items() if name in present}


def _sample(held: int, total: int) -> str:
    if held == total:
        return ""
    return (
        f"The page holds {held:,} of {total:,} examples: first those on which the models disagree, "
        "from each task, style and setting in turn, in an order that the ids fix. Shares among "
        "them are not the shares of the report."
    )


def _how(row: Row) -> str:
    return str(row["intervention"] if "intervention" in row else row["style"])


def _which(row: Row) -> str:
    return str(row["part"] if "intervention" in row else row["budget"])


def _input(row: Row) -> Any:
    """The text before any edit."""
    return row.get("input_before" if "intervention" in row else "input")


def _context(row: Row) -> Any:
    return row.get("context_before" if "intervention" in row else "context")


def _groups(rows: Iterable[Row]) -> list[Group]:
    """Rows about the same example together; another text under the same id is another example."""
    groups: dict[tuple[Any, ...], Group] = {}
    for row in rows:
        key = (row["task"], _how(row), _which(row), row["id"], _input(row), _context(row))
        groups.setdefault(key, {})[row["model"]] = row
    return list(groups.values())


def _ranked(groups: Iterable[Group]) -> list[Group]:
    """Disagreements first; among them, and among the rest, each cell in turn gives one."""
    cells: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        row = _any(group)
        cells.setdefault((row["task"], _how(row), _which(row)), []).append(group)
    for cell in cells.values():
        cell.sort(key=lambda group: (not _disagree(group), _shuffled(_any(group))))
    turns = [(not _disagree(g), turn, g) for cell in cells.values() for turn, g in enumerate(cell)]
    return [group for *_, group in sorted(turns, key=lambda entry: entry[:2])]


def _any(group: Group) -> Row:
    return next(iter(group.values()))


def _disagree(group: Group) -> bool:
    """Whether some model's explanation is good here and another's is not."""
    return {True, False} <= {OUTCOMES[outcome_of(row)].good for row in group.values()}


def _shuffled(row: Row) -> bytes:
    """An order that depends on the id alone, so that no part of the data is preferred."""
    return hashlib.sha256(str(row["id"]).encode("utf-8", "surrogatepass")).digest()


def _fitting(groups: Sequence[Group], models: Sequence[str]) -> tuple[str, int]:
    """The data of as many of the first groups as fit, and how many these are."""
    examples, held = _examples(groups, models), len(groups)
    while len(data := _packed(examples[:held], models)) > MOST_BYTES and held:
        held = min(held - 1, int(held * MOST_BYTES / len(data) * 0.95))
    return data, held


def _packed(examples: Sequence[dict[str, Any]], models: Sequence[str]) -> str:
    page = {"models": [*models], "outcomes": OUTCOMES, "examples": examples}
    # In ASCII a lone surrogate, which no encoding can hold, passes as an escape.
    text = json.dumps(page, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("ascii"), mtime=0)).decode("ascii")


def _examples(groups: Iterable[Group], models: Sequence[str]) -> list[dict[str, Any]]:
    taken: set[str] = set()
    return [_example(group, models, taken) for group in groups]


def _example(group: Group, models: Sequence[str], taken: set[str]) -> dict[str, Any]:
    """What was asked, and each model's answer (None: it was not asked this)."""
    row = _any(group)
    return {
        "link": _link(row, taken),
        "task": row["task"],
        "style": _how(row),
        "words": _which(row),
        "disagree": _disagree(group),
        "input": shown(_input(row)),
        "context": shown(_context(row)),
        "options": [shown(option) for option in row.get("options") or ()],
        "gold": shown(row["gold"]),
        "answers": [answer_of(group[model]) if model in group else None for model in models],
    }


def _link(row: Row, taken: set[str]) -> str:
    """A name that stays when the report is made again; a second example of a name gets "~2"."""
    name = "/".join((str(row["task"]), _how(row), _which(row), str(row["id"])))[:LONGEST]
    names = (name if i == 1 else f"{name}~{i}" for i in count(1))
    link = next(candidate for candidate in names if candidate not in taken)
    taken.add(link)
    return link
