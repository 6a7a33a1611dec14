"""The examples of a report, to be read: what each model was asked, said and did, side by side.

`examples_section` is one self-contained section. Its data are JSON, gzipped, in base64: thousands
of examples fit, and no text of a model can end the script element that holds them. `examples.js`
shows them, every text as text.
"""

import base64
import gzip
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
from rl_faith.report.grouping import (
    Group,
    any_row,
    context_of,
    disagree,
    group_rows,
    input_of,
    rank,
    setting_of,
    style_of,
)

MOST_EXAMPLES = 5_000
"""More are not shown: nobody reads them, and each takes its share of a page of 10 MB."""

MOST_BYTES = 6_000_000
"""Of the data in the page; where they are more, fewer examples are shown."""

_HERE = Path(__file__).parent
_TEMPLATES = Environment(
    autoescape=True,
    loader=FileSystemLoader(_HERE),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PARTS = {"train": "not held out", "held_out": "held out"}


def examples_section(rows: Sequence[Row], models: Sequence[str]) -> Markup:
    """The section `#examples`: filters, a list, and the data that its script shows.

    Args:
        rows: Judged rows of either test, as `read_runs` returns them.
        models: The models to show side by side, in this order; rows of others are left out.
    """
    rows = [row for row in rows if row["model"] in models]
    groups = rank(group_rows(rows))
    page = {"models": [*models], "outcomes": OUTCOMES, "filters": _filters(rows, models)}
    data, held = _fitting(page, _examples(groups[:MOST_EXAMPLES], models))
    section = _TEMPLATES.get_template("examples.html").render(
        filters=_filter_labels(rows),
        sample=_sample(held, len(groups)),
        data=data,
        style=_own("examples.css"),
        scripts=[_own(f"{name}.js") for name in ("texts", "difference", "examples")],
    )
    return Markup(section)


def _own(name: str) -> Markup:
    """A file beside this one."""
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _filter_labels(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Name and label of each list to choose from; the two tests have other words for two."""
    tests = sorted({"intervention" in row for row in rows})
    return [
        ("task", "Task"),
        ("style", " or ".join(("style", "insertion")[test] for test in tests).capitalize()),
        ("words", " or ".join(("words", "phrases")[test] for test in tests).capitalize()),
        ("outcome", "Outcome"),
        ("model", "of the model"),
    ]


def _filters(rows: Sequence[Row], models: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """What each of these lists offers: values and their labels."""
    settings = {setting: _PARTS.get(setting, words(setting)) for setting in map(setting_of, rows)}
    return {
        "task": [(task, task) for task in dict.fromkeys(str(row["task"]) for row in rows)],
        "style": [(style, style) for style in dict.fromkeys(map(style_of, rows))],
        "words": [*settings.items()],
        "outcome": _outcomes(rows),
        "model": [(model, model) for model in models],
    }


def _outcomes(rows: Iterable[Row]) -> list[tuple[str, str]]:
    present = {outcome_of(row) for row in rows}
    return [(name, f"{o.mark} {o.label}") for name, o in OUTCOMES.items() if name in present]


def _sample(held: int, total: int) -> str:
    if held == total:
        return ""
    return (
        f"The page holds {held:,} of {total:,} examples: first those on which the models disagree, "
        "from each task, style and setting in turn, in an order that the ids fix. Shares among "
        "them are not the shares of the report."
    )


def _fitting(page: dict[str, Any], examples: Sequence[dict[str, Any]]) -> tuple[str, int]:
    """The page's data with as many of the first examples as fit, and how many these are."""
    held = len(examples)
    while len(data := _packed({**page, "examples": examples[:held]})) > MOST_BYTES and held:
        held = min(held - 1, int(held * MOST_BYTES / len(data) * 0.95))
    return data, held


def _packed(page: dict[str, Any]) -> str:
    # In ASCII a lone surrogate, which no encoding can hold, passes as an escape.
    text = json.dumps(page, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("ascii"), mtime=0)).decode("ascii")


def _examples(groups: Iterable[Group], models: Sequence[str]) -> list[dict[str, Any]]:
    taken: set[str] = set()
    return [_example(group, models, taken) for group in groups]


def _example(group: Group, models: Sequence[str], taken: set[str]) -> dict[str, Any]:
    """What was asked, and each model's answer (None: it was not asked this)."""
    row = any_row(group)
    return {
        "link": _link(row, taken),
        "task": str(row["task"]),
        "style": style_of(row),
        "words": setting_of(row),
        "disagree": disagree(group),
        "input": shown(input_of(row)),
        "context": shown(context_of(row)),
        "options": _options(row),
        "gold": shown(row["gold"]),
        "answers": [answer_of(group[model]) if model in group else None for model in models],
    }


def _options(row: Row) -> list[tuple[str, Any]]:
    """Each option under its label, where the row holds the labels."""
    options = row.get("options") or ()
    labels = [*(row.get("probabilities") or row.get("probabilities_before") or ())]
    if len(labels) != len(options):
        labels = [f"Option {i}" for i, _ in enumerate(options, start=1)]
    return [(label, shown(option)) for label, option in zip(labels, options, strict=True)]


def _link(row: Row, taken: set[str]) -> str:
    """A name that stays when the report is made again; a second example of a name gets "~2"."""
    name = "/".join((str(row["task"]), style_of(row), setting_of(row), str(row["id"])))[:LONGEST]
    name = name.encode("utf-8", "replace").decode("utf-8")
    names = (name if i == 1 else f"{name}~{i}" for i in count(1))
    link = next(candidate for candidate in names if candidate not in taken)
    taken.add(link)
    return link
