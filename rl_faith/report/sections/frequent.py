"""Which words do faithful explanations name? As in Doi et al. 2025, Table 6."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from rl_faith.evaluation.scores import Row
from rl_faith.report import published
from rl_faith.report.contents import Section, Table, Value
from rl_faith.report.formatting import share
from rl_faith.report.lemmas import lemma
from rl_faith.report.material import Material
from rl_faith.styles.style import DELETION

_TOP = 10
_MUCH = 0.5
_FEW = 20
_LONGEST = 40

_Words = dict[tuple[str, str, str], tuple[int, Counter[str]]]
"""By model, task and style: faithful explanations, and in how many of them each word stands."""


def frequent(material: Material) -> Section | None:
    """The most frequent words, by lemma, of each model's faithful explanations."""
    if not (found := _count(material.read.edits)):
        return None
    conclusion, warns = _conclusion(found)
    return Section(
        "words",
        "Words in faithful explanations",
        conclusion,
        tables=(_table(found), *_published(found)),
        notes=(
            "Lemmas, with the share of the faithful explanations in which each stands. In "
            "counterfactuals these are the words that were brought in. Both word budgets together.",
        ),
        warns=warns,
    )


def _count(rows: Sequence[Row]) -> _Words:
    found: _Words = {}
    for row in rows:
        if not row.get("faithful") or not row.get("words"):
            continue
        key = (row["model"], row["task"], row["style"])
        n, counts = found.get(key, (0, Counter()))
        counts.update({_named(word) for word in row["words"]})
        found[key] = (n + 1, counts)
    return found


def _named(word: str) -> str:
    return "(a deletion)" if word == DELETION else lemma(word[:_LONGEST])


def _conclusion(found: _Words) -> tuple[str, bool]:
    """Whether one word carries it, and whether tasks share their words."""
    known = [(_ranked(counts)[0], n, key) for key, (n, counts) in found.items() if n >= _FEW]
    if not known:
        return (
            f"No cell has {_FEW} faithful explanations: too few to say which words they name.",
            False,
        )
    (word, times), n, place = max(known, key=lambda item: item[0][1] / item[1])
    much = times / n > _MUCH
    where = f"“{word}” in {share(times / n)} of those of {', '.join(place)}"
    first = (
        f"One word carries much of it: {where}"
        if much
        else f"No word carries it alone (most: {where})"
    )
    shared = _shared(found)
    told = (
        ""
        if shared is None
        else f"; of their ten most frequent words two tasks share {shared:.1f} in the mean"
    )
    return f"{first}{told}.", much


def _shared(found: _Words) -> float | None:
    """Words that two tasks have in common among their ten most frequent, in the mean."""
    top: dict[tuple[str, str], list[set[str]]] = {}
    for (model, _, style), (n, counts) in found.items():
        if n >= _FEW:
            top.setdefault((model, style), []).append({w for w, _ in _ranked(counts)})
    pairs = [len(a & b) for sets in top.values() for a, b in combinations(sets, 2)]
    return sum(pairs) / len(pairs) if pairs else None


def _table(found: _Words) -> Table:
    rows: list[tuple[Value, ...]] = [
        (*key, _listed(n, counts), n) for key, (n, counts) in found.items()
    ]
    head = ("model", "task", "style", "most frequent words", "faithful")
    caption = "The ten most frequent words in faithful explanations"
    return Table(caption, head, tuple(rows), texts=4, folded=len(rows) > 12)


def _listed(n: int, counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {times / n:.0%}" for word, times in _ranked(counts))


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent words, the same ones whatever the order of the rows."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_TOP]


def _published(found: _Words) -> list[Table]:
    places = {(task, style) for _, task, style in found}
    rows = tuple((*place, words) for place, words in published.FREQUENT.items() if place in places)
    caption = "Doi et al. 2025: Tulu-2 13B, trained on attributions of Sentiment140"
    head = ("task", "style", "most frequent words")
    return [Table(caption, head, (), texts=3, folded=True, published=rows)] if rows else []
