"""The sections of a report, one file each: a pure function from the material to a section.

A section that the runs hold nothing for is None, and leaves no heading.
"""

from collections.abc import Callable, Iterator

from rl_faith.report.contents import Section
from rl_faith.report.material import Material
from rl_faith.report.sections.grid import grid
from rl_faith.report.sections.headline import headline

_SECTIONS: tuple[Callable[[Material], Section | None], ...] = (headline, grid)


def sections(material: Material) -> Iterator[Section]:
    """Every section that the material holds something for, in reading order."""
    for write in _SECTIONS:
        if section := write(material):
            yield section
