"""A model's figures over a whole grid, all tasks and styles together.

Rows about one example are not independent of each other: intervals draw whole examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rl_faith.evaluation.compare import same_top_word
from rl_faith.evaluation.origin import Origin, Pair, trace
from rl_faith.evaluation.scores import Row, is_scored
from rl_faith.stats import Estimate, bootstrap_mean, clustered_share, paired_difference, share

Place = tuple[str, str, str]
"""Task, style and example."""


@dataclass(frozen=True)
class Pooled:
    """One model under one word budget; fields as in `Cell`, the changes against the baseline.

    Attributes:
        gain: Change of `faithful`, over the rows that both have scored.
        origin: Where it comes from.
        accuracy_change: Change of `accuracy`, over the examples that both have scored.
        same_top_word: Share of these driven by the same word as the baseline's, as in `Difference`.
    """

    model: str
    budget: str
    faithful: Estimate
    valid: Estimate
    control: Estimate
    lift: Estimate
    ceiling: Estimate
    top_word: Estimate
    top_word_chance: Estimate
    accuracy: Estimate
    gain: Estimate
    origin: Origin
    accuracy_change: Estimate
    same_top_word: Estimate


def pool(rows: Sequence[Row], baseline: str) -> list[Pooled]:
    """Figures of every model and budget, in the order of the rows."""
    groups: dict[tuple[str, str], dict[Place, Row]] = {}
    for row in filter(is_scored, rows):
        place = (row["task"], row["style"], row["id"])
        groups.setdefault((row["model"], row["budget"]), {})[place] = row
    return [
        _pooled(*key, of, groups.get((baseline, key[1]), {}))
        for key, of in sorted(groups.items(), key=lambda item: _ONE_FIRST.get(item[0][1], 2))
    ]


_ONE_FIRST = {"one": 0, "multi": 1}


def _pooled(
    model: str, budget: str, of: Mapping[Place, Row], before: Mapping[Place, Row]
) -> Pooled:
    rows = list(of.values())
    controlled = [row for row in rows if row.get("control") is not None]
    erased = [row for row in rows if row.get("top_word") is not None]
    pairs = [(before[place], row) for place, row in of.items() if place in before]
    return Pooled(
        model,
        budget,
        faithful=clustered_share([row["faithful"] for row in rows], _examples(rows)),
        valid=clustered_share([row["status"] == "valid" for row in rows], _examples(rows)),
        control=_mean([row["control"] for row in controlled], controlled),
        lift=_mean([row["faithful"] - row["control"] for row in controlled], controlled),
        ceiling=share(list(_ceilings(rows).values())),
        top_word=clustered_share([row["top_word"] for row in erased], _examples(erased)),
        top_word_chance=_mean([row["top_word_chance"] for row in erased], erased),
        accuracy=share(list(_right(rows).values())),
        gain=_gain(pairs),
        origin=trace(pairs),
        accuracy_change=_change(_right(list(before.values())), _right(rows)),
        same_top_word=_driven_alike(pairs),
    )


def _examples(rows: Sequence[Row]) -> list[str]:
    return [f"{row['task']}/{row['id']}" for row in rows]


def _mean(values: Sequence[float], rows: Sequence[Row]) -> Estimate:
    return bootstrap_mean(values, _examples(rows))


def _ceilings(rows: Sequence[Row]) -> dict[str, bool]:
    known = [row for row in rows if row.get("ceiling") is not None]
    return dict(zip(_examples(known), (row["ceiling"] for row in known), strict=True))


def _right(rows: Sequence[Row]) -> dict[str, bool]:
    """Every example counts once, however many styles ask about it."""
    right = (row["prediction"] == row["gold"] for row in rows)
    return dict(zip(_examples(rows), right, strict=True))


def _gain(pairs: Sequence[Pair]) -> Estimate:
    first, second = ([pair[side]["faithful"] for pair in pairs] for side in (0, 1))
    return paired_difference(first, second, _examples([row for row, _ in pairs]))


def _driven_alike(pairs: Sequence[Pair]) -> Estimate:
    alike = [(s, row) for first, row in pairs if (s := same_top_word(first, row)) is not None]
    return clustered_share([s for s, _ in alike], _examples([row for _, row in alike]))


def _change(before: Mapping[str, bool], after: Mapping[str, bool]) -> Estimate:
    shared = [name for name in after if name in before]
    return paired_difference([before[name] for name in shared], [after[name] for name in shared])
