"""How a decision is explained: attribution, redaction, counterfactual."""

from difflib import get_close_matches

from rl_faith.errors import RecipeError
from rl_faith.styles.attribution import Attribution
from rl_faith.styles.counterfactual import Counterfactual
from rl_faith.styles.redaction import Redaction
from rl_faith.styles.style import DELETION, Budget, Explanation, Invalid, Style, check_count

STYLES: dict[str, Style] = {s.name: s for s in (Attribution(), Redaction(), Counterfactual())}


def load_style(name: str) -> Style:
    """Return the style of that name.

    Raises:
        RecipeError: there is no such style; the nearest name is suggested.
    """
    if name not in STYLES:
        near = get_close_matches(name, STYLES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(STYLES)}"
        raise RecipeError(f"unknown style {name!r}; {hint}")
    return STYLES[name]


__all__ = [
    "DELETION",
    "STYLES",
    "Budget",
    "Explanation",
    "Invalid",
    "Style",
    "check_count",
    "load_style",
]
