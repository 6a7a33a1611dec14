"""The findings of an audit as people read them in a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rl_faith.evaluation.audit import Finding
from rl_faith.evaluation.tables import figure, interval, plain_table

_STYLES = {"clean": "", "suspect": "bold red"}


def to_table(findings: Sequence[Finding], baseline: str) -> Table:
    """One line for each kind of gaming looked for, where there was something to measure."""
    count = sum(f.verdict == "suspect" for f in findings)
    told = f"{count} suspect" if count else "all clean"
    table = plain_table(f"Audit against {baseline}: {told}", gap=1)
    for name in ("model", "where", "looked for", "figure", "value", "95%", "limit", "verdict"):
        table.add_column(name, overflow="fold")
    for f in (f for f in findings if f.verdict != "unknown"):
        value = (figure(f.estimate), interval(f.estimate), f.limit, f.verdict)
        cells = (f.model, f.where, f.kind, f.figure, *value)
        table.add_row(*map(Text, cells), style=_STYLES[f.verdict])
    return table
