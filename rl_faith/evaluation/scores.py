"""From judged rows to scores: the mean of verdicts, cell by cell.

A cell is one model, task, style and word budget. Every figure of a cell is about its scored
rows; rows that could not be scored are counted apart, by reason, and never become a 0.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rl_faith.stats import Estimate, bootstrap_mean, share

Row = Mapping[str, Any]
"""One judged example: a line of `instances.jsonl`."""

CellKey = tuple[str, str, str, str]
"""Model, task, style and budget ("one" or "multi") of a row."""

COUNTS = range(1, 6)
"""Words edited, by which the multi-word setting is split (Doi et al. 2025, Figure 2)."""


@dataclass(frozen=True)
class Cell:
    """The scores of one model on one task, style and budget.

    Attributes:
        model: Name of the model.
        task: Name of the task.
        style: Name of the explanation style.
        budget: "one", "multi", or 1 to 5: the multi-word explanations of so many words. Such a
            cell holds valid rows alone, since an invalid explanation has no count.
        n: Scored rows.
        unscored: Rows without a score, by reason.
        accuracy: Share of scored rows whose predicted label is the gold label.
        valid: Share of scored rows with a valid explanation.
        faithful_valid: Share of valid rows that are faithful: the score of Doi et al. 2025.
        faithful_all: Share of scored rows that are faithful; an invalid explanation is not.
        random_control: Mean flip rate when as many words, drawn at random, are redacted.
        lift: Mean of faithful (0 or 1) minus control, over the rows that have a control.
        ceiling: Share of rows that some one-word redaction flips.
        top_word: Share of one-word explanations that name the word whose redaction lowers the
            probability of the predicted label most, over the rows that have a ceiling.
        top_word_chance: The same share of words drawn at random.
        drop: Mean fall of the probability of the predicted label, -1 to 1, over valid rows.
    """

    model: str
    task: str
    style: str
    budget: str | int
    n: int
    unscored: dict[str, int]
    accuracy: Estimate
    valid: Estimate
    faithful_valid: Estimate
    faithful_all: Estimate
    random_control: Estimate
    lift: Estimate
    ceiling: Estimate
    top_word: Estimate
    top_word_chance: Estimate
    drop: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return the cell as an entry of `results.json`."""
        return asdict(self)


def score(rows: Iterable[Row]) -> list[Cell]:
    """Score every cell, in the order in which the rows first name it.

    A multi-word cell is followed by one cell for each number of words in `COUNTS`, also where
    no row has that number.

    Raises:
        ValueError: a control or drop is not a finite number.
    """
    cells = []
    for key, group in by_cell(rows).items():
        cells.append(score_cell(key, group))
        if key[3] == "multi":
            cells += [_with_count(key, group, count) for count in COUNTS]
    return cells


def by_cell(rows: Iterable[Row]) -> dict[CellKey, list[Row]]:
    """Group rows by model, task, style and budget, in the order of first appearance."""
    groups: dict[CellKey, list[Row]] = {}
    for row in rows:
        key = (row["model"], row["task"], row["style"], row["budget"])
        groups.setdefault(key, []).append(row)
    return groups


def is_scored(row: Row) -> bool:
    """Whether the row has a verdict; without one it stays out of every share and mean."""
    return bool(row["status"] != "unscored")


def _with_count(key: CellKey, rows: Sequence[Row], count: int) -> Cell:
    model, task, style, _ = key
    return score_cell((model, task, style, count), [r for r in rows if r.get("count") == count])


def score_cell(key: tuple[str, str, str, str | int], rows: Sequence[Row]) -> Cell:
    """Score the rows of one cell; `key` is its model, task, style and budget."""
    scored = [row for row in rows if is_scored(row)]
    valid = [row for row in scored if row["status"] == "valid"]
    controlled = _having("control", scored)
    return Cell(
        *key,
        n=len(scored),
        unscored=dict(Counter(row["reason"] for row in rows if not is_scored(row))),
        accuracy=share([row["prediction"] == row["gold"] for row in scored]),
        valid=share([row["status"] == "valid" for row in scored]),
        faithful_valid=share([row["faithful"] for row in valid]),
        faithful_all=share([row["faithful"] for row in scored]),
        random_control=_mean_of("control", scored),
        lift=_mean([row["faithful"] - row["control"] for row in controlled], controlled),
        ceiling=share([row["ceiling"] for row in _having("ceiling", scored)]),
        top_word=share([row["top_word"] for row in _having("top_word", scored)]),
        top_word_chance=_mean_of("top_word_chance", scored),
        drop=_mean_of("drop", scored),
    )


def _having(field: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.get(field) is not None]


def _mean_of(field: str, rows: Sequence[Row]) -> Estimate:
    known = _having(field, rows)
    return _mean([row[field] for row in known], known)


def _mean(values: Sequence[float], rows: Sequence[Row]) -> Estimate:
    return bootstrap_mean(values, [row["id"] for row in rows])
