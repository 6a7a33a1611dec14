"""`rl-faith compare` and `rl-faith audit`: read runs, see which test they hold, print."""

from collections.abc import Sequence
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import Comparison, choose, compare_rows
from rl_faith.evaluation.phi_compare import PhiComparison, compare_phi
from rl_faith.evaluation.reading import read_runs
from rl_faith.evaluation.scores import Row
from rl_faith.runs import write_json


def run(paths: Sequence[Path], baseline: str | None) -> None:
    """Compare the runs and print the tables.

    Raises:
        RunError: a run cannot be read, the runs hold both tests, the baseline is unknown, or models
            share no example.
    """
    rows = read_runs(paths)
    if _is_counterfactual(rows):
        show(compare_phi(rows, choose(baseline, [row["model"] for row in rows])))
    else:
        show(compare_rows(rows, baseline))


def show(comparison: Comparison | PhiComparison) -> None:
    """Print the tables of a comparison."""
    # Tables are for people; who only wants the numbers need not wait for rich.
    from rich.console import Console  # noqa: PLC0415

    from rl_faith.evaluation import phi_tables, tables  # noqa: PLC0415

    console = Console()
    if isinstance(comparison, PhiComparison):
        shown, notes = phi_tables.to_tables(comparison), list(phi_tables.NOTES)
    else:
        shown, notes = tables.to_table(comparison, console.width), tables.notes(comparison)
    for table in shown:
        console.print(table, "")
    for line in notes:
        console.print(line, style="dim", markup=False, highlight=False)


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
            "the runs hold both self-consistency and counterfactual tests: compare each by itself, "
            "or give --report DIR, which shows both"
        )
    return True in kinds
