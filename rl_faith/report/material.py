"""What the sections are written from: the runs as read, compared and audited once."""

from collections.abc import Sequence
from dataclasses import dataclass

from rl_faith.evaluation.audit import Finding, audit
from rl_faith.evaluation.compare import Comparison, choose, compare_rows
from rl_faith.evaluation.phi_compare import PhiComparison, compare_phi
from rl_faith.evaluation.scores import Row
from rl_faith.report.reading import Read


@dataclass(frozen=True)
class Material:
    """What was read and found.

    Attributes:
        read: The runs.
        edits: Comparison by the self-consistency test; None where no run holds it.
        insertions: Comparison by the counterfactual test; None where no run holds it.
        edit_findings: Audit of the self-consistency test.
        insertion_findings: Audit of the counterfactual test.
    """

    read: Read
    edits: Comparison | None
    insertions: PhiComparison | None
    edit_findings: tuple[Finding, ...] = ()
    insertion_findings: tuple[Finding, ...] = ()


def prepare(read: Read, baseline: str | None) -> Material:
    """Compare and audit the models of each test with the baseline.

    Args:
        read: The runs.
        baseline: Name of a model; in a test that lacks it, the first model stands for it.

    Raises:
        RunError: no test has the baseline, or the models share no example.
    """
    edited, inserted = _models(read.edits), _models(read.insertions)
    if edited or inserted:
        choose(baseline, [*edited, *inserted])
    edits = compare_rows(read.edits, _of(baseline, edited)) if edited else None
    insertions = compare_phi(read.insertions, _of(baseline, inserted)) if inserted else None
    return Material(
        read,
        edits,
        insertions,
        tuple(audit(read.edits, edits.baseline)) if edits else (),
        tuple(audit(read.insertions, insertions.baseline)) if insertions else (),
    )


def _models(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in rows))


def _of(baseline: str | None, models: Sequence[str]) -> str:
    return baseline if baseline is not None and baseline in models else models[0]
