"""Is the test gamed? What the audit looked for, and what it found."""

from collections.abc import Sequence

from rl_faith.evaluation.audit import EVERYWHERE, Finding
from rl_faith.report.contents import Section, Table, Value, listed
from rl_faith.report.material import Material


def gaming(material: Material) -> Section | None:
    """The findings of the audit of both tests."""
    findings = [*material.edit_findings, *material.insertion_findings]
    known = [f for f in findings if f.verdict != "unknown"]
    if not known:
        return None
    suspect = [f for f in known if f.verdict == "suspect"]
    conclusion = (
        f"{len(suspect)} of {len(known)} checks are suspect: {listed([*map(_told, suspect)], 3)}."
        if suspect
        else f"All {len(known)} checks for gaming are clean."
    )
    tables = [_table("Suspect", suspect)] if suspect else []
    return Section(
        "audit",
        "Audit: was the test gamed?",
        conclusion,
        tables=(*tables, _table("All checks", known, folded=True)),
        notes=(
            "The limits are ours: wide enough that honest models of the planted-truth tests pass, "
            "narrow enough that the others do not.",
        ),
        warns=bool(suspect),
    )


def _told(finding: Finding) -> str:
    where = "" if finding.where == EVERYWHERE else f" in {finding.where}"
    return f"{finding.model} {finding.kind}{where}"


def _table(caption: str, findings: Sequence[Finding], *, folded: bool = False) -> Table:
    rows: list[tuple[Value, ...]] = [
        (f.model, f.where, f.kind, f.figure, f.limit, f.verdict, f.estimate) for f in findings
    ]
    head = ("model", "where", "looked for", "figure", "limit", "verdict", "value")
    return Table(caption, head, tuple(rows), texts=6, folded=folded)
