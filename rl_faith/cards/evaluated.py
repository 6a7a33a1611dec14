"""`rl-faith card`: put an evaluation on test examples into the cards of the models it is about.

It stands between two marks, so that a later evaluation replaces an earlier one.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import ModelCard

from rl_faith.cards.figures import Cell, hub_results, scores_table, whole
from rl_faith.cards.origin import recipe_in
from rl_faith.errors import RunError
from rl_faith.evaluation import phi_scores, scores
from rl_faith.evaluation.audit import Finding, audit
from rl_faith.evaluation.compare import choose
from rl_faith.evaluation.models import parse_models
from rl_faith.evaluation.reading import read_run
from rl_faith.evaluation.scores import Row
from rl_faith.report.contents import Table
from rl_faith.report.document import to_table
from rl_faith.runs import write_atomically

log = logging.getLogger(__name__)

_BEGIN, _END = "<!-- evaluation -->", "<!-- end of evaluation -->"
_MARKED = re.compile(f"{_BEGIN}.*{_END}", re.DOTALL)
NOT_YET = f"""\
{_BEGIN}
## Scores on test examples

None yet: `rl-faith evaluate` measures them, and `rl-faith card RUN` puts them here.
{_END}"""
"""What a card says before it has been evaluated."""


def add_evaluation(run: Path, baseline: str | None) -> None:
    """Put the scores and the audit of an evaluation into the cards of its models.

    Args:
        run: A folder that evaluate wrote.
        baseline: The model before training; None for the first.

    Raises:
        RunError: the run cannot be read, or none of its models has a card of ours.
    """
    recipe, rows = recipe_in(run), read_run(run)
    evaluated = list(dict.fromkeys(row["model"] for row in rows))
    first, folders = choose(baseline, evaluated), parse_models(recipe.get("models", []))
    carded = {
        name: file
        for name in evaluated
        if name != first and _is_ours(file := Path(folders.get(name, name), "README.md"))
    }
    if not carded:
        raise RunError(
            f"{run} has judged no folder with a model card of a training, besides {first!r}: run "
            "this where the paths of its recipe lead to the models"
        )
    cells, findings = _cells(rows), audit(rows, first)
    for name, file in carded.items():
        mine = [finding for finding in findings if finding.model == name]
        told = _section(cells[name], cells[first], first, mine)
        _add(file, cells[name], told, str(recipe.get("data", "hub")))
        log.info("scores and audit of %s written into %s", run, file)


def _is_ours(file: Path) -> bool:
    return file.is_file() and bool(_MARKED.search(file.read_text(encoding="utf-8")))


def _cells(rows: Sequence[Row]) -> dict[str, list[Cell]]:
    """The scores of each model."""
    scored = phi_scores.score(rows) if "intervention" in rows[0] else scores.score(rows)
    found: dict[str, list[Cell]] = {}
    for cell in scored:
        found.setdefault(cell.model, []).append(cell.as_dict())
    return {model: whole(cells) for model, cells in found.items()}


def _add(file: Path, cells: Sequence[Cell], section: str, data: str) -> None:
    card = ModelCard.load(file)
    card.text = _MARKED.sub(lambda _: section, card.text)
    card.data.eval_results = hub_results(cells, data=data, split="test")
    write_atomically(file, str(card))


def _section(
    cells: Sequence[Cell], before: Sequence[Cell], baseline: str, findings: Sequence[Finding]
) -> str:
    parts = [
        _BEGIN,
        "## Scores on test examples",
        f"Greedy explanations; 95% intervals; `{baseline}` is the model before training.",
        scores_table(cells, before, baseline),
        *_audited(findings, baseline),
        _END,
    ]
    return "\n\n".join(parts)


def _audited(findings: Sequence[Finding], baseline: str) -> list[str]:
    """What `rl-faith audit` says, with what is suspect in full."""
    measured = [f for f in findings if f.verdict != "unknown"]
    suspect = [f for f in measured if f.verdict == "suspect"]
    of = f"{len(measured)} checks"
    told = f"{len(suspect)} of {of} are suspect" if suspect else f"all {of} are clean"
    lines = tuple((f.where, f.kind, f.figure, f.estimate, f.limit) for f in suspect)
    head = ("where", "looked for", "figure", "value", "limit")
    return [
        f"Audit for gaming against `{baseline}`: {told}.",
        *([to_table(Table("", head, lines))] if lines else []),
    ]
