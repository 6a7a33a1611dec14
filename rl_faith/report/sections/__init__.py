"""The sections of a report, one file each: a pure function from the material to a section.

A section that the runs hold nothing for is None, and leaves no heading.
"""

from collections.abc import Callable, Iterator

from rl_faith.report.contents import Section
from rl_faith.report.material import Material
from rl_faith.report.sections.accuracy import accuracy
from rl_faith.report.sections.constructed import constructed
from rl_faith.report.sections.cost import cost
from rl_faith.report.sections.curves import curves
from rl_faith.report.sections.decisions import decisions
from rl_faith.report.sections.frequent import frequent
from rl_faith.report.sections.gaming import gaming
from rl_faith.report.sections.grid import grid
from rl_faith.report.sections.headline import headline
from rl_faith.report.sections.multiword import multiword
from rl_faith.report.sections.origin import origin
from rl_faith.report.sections.phi import phi
from rl_faith.report.sections.provenance import provenance
from rl_faith.report.sections.transfer import across_styles, across_tasks
from rl_faith.report.sections.valid import valid

_SECTIONS: tuple[Callable[[Material], Section | None], ...] = (
    headline, phi, grid, origin, multiword, across_tasks, across_styles, constructed, frequent,
    valid, accuracy, decisions, curves, gaming, cost, provenance,
)  # fmt: skip


def sections(material: Material) -> Iterator[Section]:
    """Every section that the material holds something for, in reading order."""
    for write in _SECTIONS:
        if section := write(material):
            yield section
