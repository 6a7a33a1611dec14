"""Where do the figures come from? Versions, devices, seeds, recipes and commands of the runs."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rl_faith import __version__
from rl_faith.report.contents import Section, Table, Value, listed
from rl_faith.report.material import Material
from rl_faith.report.reading import Source

_Versions = Sequence[tuple[str, Mapping[str, Any]]]
"""Of each run, the versions of the packages."""

_FACTS = ("started", "device", "machine", "seed", "python", "commit")


def provenance(material: Material) -> Section:
    """What every run wrote down about itself."""
    sources = material.read.sources
    versions = [(s.name, _mapping(s.provenance.get("versions"))) for s in sources]
    return Section(
        "provenance",
        "Provenance",
        _conclusion(sources, versions),
        tables=(
            _report(material),
            _runs(sources),
            _versions(versions),
            _commands(sources),
            *(_recipe(s) for s in sources if s.recipe),
        ),
        notes=("– stands for what a run did not record.",),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _conclusion(sources: Sequence[Source], versions: _Versions) -> str:
    recorded = [s for s in sources if s.provenance]
    if not recorded:
        return f"None of the {len(sources)} runs recorded its provenance."
    known = [of for _, of in versions if of]
    packages = dict.fromkeys(name for of in known for name in of)
    differ = [name for name in packages if len({str(of.get(name)) for of in known}) > 1]
    told = f"The runs differ in {listed(differ)}" if differ else "All runs used the same versions"
    devices = listed(sorted({str(s.provenance.get("device")) for s in recorded}))
    missing = len(sources) - len(recorded)
    left = f"; {missing} of {len(sources)} did not record theirs" if missing else ""
    return f"{told}, on {devices}{left}."


def _report(material: Material) -> Table:
    found = (material.edits, material.insertions)
    baselines = listed(list(dict.fromkeys(c.baseline for c in found if c)))
    rows = (("rl-faith", __version__), ("baseline", baselines or None))
    return Table("This report", ("fact", "value"), rows, texts=2)


def _runs(sources: Sequence[Source]) -> Table:
    rows: list[tuple[Value, ...]] = [
        (s.name, s.stage, str(s.path), *(_text(s.provenance.get(fact)) for fact in _FACTS))
        for s in sources
    ]
    return Table("Runs", ("run", "stage", "folder", *_FACTS), tuple(rows), texts=9)


def _versions(versions: _Versions) -> Table:
    packages = dict.fromkeys(name for _, of in versions for name in of)
    rows: list[tuple[Value, ...]] = [
        (run, *(_text(of.get(name)) for name in packages)) for run, of in versions
    ]
    return Table("Versions", ("run", *packages), tuple(rows), texts=1 + len(packages), folded=True)


def _commands(sources: Sequence[Source]) -> Table:
    rows: list[tuple[Value, ...]] = [(s.name, _command(s)) for s in sources]
    return Table("Commands", ("run", "command"), tuple(rows), texts=2, folded=True)


def _command(source: Source) -> str | None:
    command = source.provenance.get("command")
    return shlex.join(map(str, command)) if isinstance(command, list) else None


def _recipe(source: Source) -> Table:
    rows: list[tuple[Value, ...]] = [(key, _text(value)) for key, value in source.recipe.items()]
    return Table(f"Recipe of {source.name}", ("key", "value"), tuple(rows), texts=2, folded=True)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
