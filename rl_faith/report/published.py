"""Published figures, to stand beside ours: other models and other data, so only for orientation.

Doi, Isonuma, Yanaka 2025: tables 3, 4, 5, 7 and 10. Cheah et al. 2026: the abstract.
"""

from collections.abc import Mapping
from itertools import product

_TASKS = ("sentiment140", "snli", "ag_news")
_STYLES = ("attribution", "redaction", "counterfactual")

Cells = Mapping[tuple[str, str], float]
"""A figure by task and style."""


def _cells(figures: str) -> Cells:
    """Nine figures, as the paper's tables have them: tasks within styles."""
    places = ((task, style) for style, task in product(_STYLES, _TASKS))
    return dict(zip(places, map(float, figures.split()), strict=True))


def _styles(figures: str) -> Cells:
    """Three figures, one a style, on Sentiment140."""
    places = (("sentiment140", style) for style in _STYLES)
    return dict(zip(places, map(float, figures.split()), strict=True))


def _tasks(figures: str) -> Mapping[str, float]:
    return dict(zip(_TASKS, map(float, figures.split()), strict=True))


NOTE = (
    "In italics: figures that Doi et al. (2025) published, of other models on other data. They say "
    "what has been reached elsewhere, not what these models ought to reach."
)

FAITHFUL: Mapping[str, Mapping[str, Cells]] = {
    "one": {
        "Doi et al., Tulu-2 7B, no training":
            _cells(".120 .199 .248 .102 .244 .237 .173 .076 .087"),
        "Doi et al., Tulu-2 7B, predictions":
            _cells(".126 .161 .127 .099 .282 .136 .129 .079 .035"),
        "Doi et al., Tulu-2 7B, explanations":
            _cells(".300 .457 .199 .271 .355 .323 .241 .170 .249"),
        "Doi et al., Tulu-2 13B, no training":
            _cells(".140 .177 .185 .110 .317 .149 .303 .243 .049"),
        "Doi et al., Tulu-2 13B, predictions":
            _cells(".141 .182 .099 .080 .335 .077 .270 .216 .027"),
        "Doi et al., Tulu-2 13B, explanations":
            _cells(".255 .299 .281 .204 .306 .265 .595 .192 .417"),
    },
    "multi": {
        "Doi et al., Tulu-2 7B, no training": _styles(".216 .074 .246"),
        "Doi et al., Tulu-2 7B, explanations": _styles(".451 .154 .231"),
        "Doi et al., Tulu-2 13B, no training": _styles(".234 .125 .345"),
        "Doi et al., Tulu-2 13B, explanations": _styles(".435 .174 .497"),
    },
}  # fmt: skip
"""Faithful among valid explanations, by word budget (tables 4 and 5)."""

CONSTRUCTED: Mapping[str, Cells] = {
    "Doi et al., Tulu-2 7B, original": _styles(".124 .124 .186"),
    "Doi et al., Tulu-2 7B, constructed": _styles(".342 .342 .331"),
    "Doi et al., Tulu-2 13B, original": _styles(".134 .090 .335"),
    "Doi et al., Tulu-2 13B, constructed": _styles(".304 .304 .435"),
}
"""Faithful explanations, 1,000 examples, one word (Table 3)."""

VALID: Mapping[str, Cells] = {
    "Doi et al., Tulu-2 7B, no training":
        _cells("4600 4925 4528 886 1330 1743 529 659 691"),
    "Doi et al., Tulu-2 7B, explanations":
        _cells("4952 4992 4980 4706 4984 4978 4215 4834 4895"),
    "Doi et al., Tulu-2 13B, no training":
        _cells("4618 4865 4204 1291 685 2743 1072 536 1094"),
    "Doi et al., Tulu-2 13B, explanations":
        _cells("4964 4991 4978 4719 4983 4972 4516 4874 4867"),
}  # fmt: skip
"""Valid explanations of 5,000 (SNLI: 4,998), one word (Table 10)."""

ACCURACY: Mapping[str, Mapping[str, float]] = {
    "Doi et al., Tulu-2 7B, no training": _tasks(".737 .760 .750"),
    "Doi et al., Tulu-2 7B, predictions": _tasks(".896 .911 .904"),
    "Doi et al., Tulu-2 7B, attribution": _tasks(".804 .685 .532"),
    "Doi et al., Tulu-2 7B, redaction": _tasks(".780 .706 .743"),
    "Doi et al., Tulu-2 7B, counterfactual": _tasks(".700 .740 .634"),
    "Doi et al., Tulu-2 13B, no training": _tasks(".712 .814 .815"),
    "Doi et al., Tulu-2 13B, predictions": _tasks(".901 .918 .905"),
    "Doi et al., Tulu-2 13B, attribution": _tasks(".788 .653 .597"),
    "Doi et al., Tulu-2 13B, redaction": _tasks(".773 .703 .807"),
    "Doi et al., Tulu-2 13B, counterfactual": _tasks(".795 .698 .818"),
}
"""Share of right decisions; the last word of a name is what was trained on (Table 7)."""

FREQUENT: Mapping[tuple[str, str], str] = {
    ("sentiment140", "attribution"): "not, no, good, don't, miss, hate, sad, can't, love, bad",
    ("ag_news", "attribution"):
        "Iraq, Afghan, Arafat, Iran, Oracle, Putin, Google, Baghdad, Microsoft, Stocks",
    ("sentiment140", "counterfactual"):
        "(a deletion), happy, hate, good, bad, love, terrible, worse, great",
}  # fmt: skip
"""Most frequent words of Tulu-2 13B trained on attributions of Sentiment140 (Table 6)."""

OTHER_TASKS: Cells = {("snli", "attribution"): 0.072, ("ag_news", "attribution"): 0.044}
"""Gains of Tulu-2 13B, trained on attributions of Sentiment140 (Section 4.3)."""

PHI = (
    "Cheah et al. 2026 report phi near 0 before and up to 0.664 after reinforcement in "
    "distribution, and up to 0.691 on a held-out task (Llama3.1-8B, Qwen3-8B): other models on "
    "other data, only for orientation."
)
