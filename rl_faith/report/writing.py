"""`rl-faith compare --report`: runs in, `index.html`, `report.md` and `results.json` out."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rl_faith.errors import RunError
from rl_faith.evaluation.comparing import show
from rl_faith.report.contents import Section, listed
from rl_faith.report.document import to_document
from rl_faith.report.examples import examples_section
from rl_faith.report.material import Material, prepare
from rl_faith.report.page import to_page
from rl_faith.report.reading import read
from rl_faith.report.sections import sections
from rl_faith.runs import write_atomically

log = logging.getLogger(__name__)


def report(paths: Sequence[Path], baseline: str | None, out: Path) -> Path:
    """Print the comparison and write its report; return the page.

    Args:
        paths: Folders that evaluate, build or a training stage wrote.
        baseline: The model that the others are compared with; None for the first.
        out: Folder for the three files.

    Raises:
        RunError: a run cannot be read, the baseline is unknown, models share no example, or `out`
            is a run itself or cannot be written.
    """
    if (out / "instances.jsonl").exists() or (out / "trainer_state.json").exists():
        raise RunError(
            f"{out} holds a run, whose results a report would replace: name another folder"
        )
    material = prepare(read(paths), baseline)
    for comparison in (material.edits, material.insertions):
        if comparison:
            show(comparison)
    title, written = _title(material), list(sections(material))
    page = out / "index.html"
    write_atomically(page, to_page(title, written, _examples(material)))
    write_atomically(out / "report.md", to_document(title, written))
    # In ASCII, half a character in a name passes as an escape.
    results = json.dumps(_results(material, written), indent=2, allow_nan=False)
    write_atomically(out / "results.json", results + "\n")
    log.info("%s", page.resolve())
    return page


def _examples(material: Material) -> Markup | None:
    rows = [*material.read.edits, *material.read.insertions]
    models = dict.fromkeys(str(row["model"]) for row in rows)
    return examples_section(rows, list(models)) if rows else None


def _title(material: Material) -> str:
    models = [m for c in (material.edits, material.insertions) if c for m in c.models]
    if not models:
        return "Runs without an evaluation"
    baselines = [c.baseline for c in (material.edits, material.insertions) if c]
    others = [m for m in dict.fromkeys(models) if m not in baselines]
    against = f" against {baselines[0]}" if others else ""
    return f"Faithfulness of {listed(others or models)}{against}"


def _results(material: Material, written: Sequence[Section]) -> dict[str, Any]:
    """Every figure: the cells and differences of each test, its audit, and the sections."""
    tests = {
        "self_consistency": (material.edits, material.edit_findings),
        "counterfactual": (material.insertions, material.insertion_findings),
    }
    return {
        **{
            name: {**found.as_dict(), "audit": [f.as_dict() for f in findings]}
            for name, (found, findings) in tests.items()
            if found
        },
        "sections": {section.name: section.as_dict() for section in written},
    }
