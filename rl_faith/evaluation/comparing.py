"""`rl-faith compare` and `rl-faith audit`: read runs, see which test they hold, print, write."""

from collections.abc import Sequence
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import Comparison, choose, compare_rows
from rl_faith.evaluation.phi_compare import PhiComparison, compare_phi
from rl_faith.evaluation.reading import read_runs
from rl_faith.evaluation.scores import Row
from rl_faith.runs import write_atomically, write_json


def run(paths: Sequence[Path], baseline: str | None, out: Path | None) -> None:
    """Compare the runs, print the tables, and write `comparison.json` and `.md` to `out`.

    Raises:
        RunError: a run cannot be read, the runs hold both tests, the baseline is unknown, models
            share no example, or `out` cannot be written.
    """
    # Tables are for people; who only wants the numbers need not wait for rich.
    from rich.console import Console  # noqa: PLC0415

    from rl_faith.evaluation import markdown, phi_tables, tables  # noqa: PLC0415

    rows, console = read_runs(paths), Console()
    comparison: Comparison | PhiComparison
    if _is_counterfactual(rows):
        comparison = compare_phi(rows, choose(baseline, [row["model"] for row in rows]))
        shown, notes = phi_tables.to_tables(comparison), list(phi_tables.NOTES)
        document = phi_tables.to_markdown(comparison)
    else:
        comparison = compare_rows(rows, baseline)
        shown, notes = tables.to_table(comparison, console.width), tables.notes(comparison)
        document = markdown.to_markdown(comparison)
    for table in shown:
        console.print(table, "")
    for line in notes:
        console.print(line, style="dim", markup=False, highlight=False)
    if out is not None:
        write_json(out / "comparison.json", comparison.as_dict())
        write_atomically(out / "comparison.md", document)


def run_audit(path: Path, baseline: str | None) -> None:
    """Look for gaming in an evaluation, print a table of findings, and write `audit.json` to it.

    Raises:
        RunError: as `run`, or there is no model beside the baseline.
    """
    from rich.console import Console  # noqa: PLC0415

    from rl_faith.evaluation.audit import audit  # noqa: PLC0415
    from rl_faith.evaluation.audit_table import to_table  # noqa: PLC0415

    rows = read_runs([path])
    _is_counterfactual(rows)
    first = choose(baseline, list(dict.fromkeys(row["model"] for row in rows)))
    findings = audit(rows, first)
    if not findings:
        raise RunError(f"{path} holds no model beside {first!r}: evaluate the trained one as well")
    Console().print(to_table(findings, first))
    write_json(path / "audit.json", {"findings": [f.as_dict() for f in findings]})


def _is_counterfactual(rows: Sequence[Row]) -> bool:
    kinds = {"intervention" in row for row in rows}
    if len(kinds) > 1:
        raise RunError(
            "the runs hold both self-consistency and counterfactual tests: compare each by itself"
        )
    return True in kinds
