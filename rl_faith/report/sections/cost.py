"""What did it cost? Questions, seconds and rates, where the runs recorded them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rl_faith.report.contents import Section, Table, Value
from rl_faith.report.formatting import plain
from rl_faith.report.material import Material
from rl_faith.report.reading import Source

_ASKED = {
    "questions": "questions", "distinct": "distinct", "replies": "replies", "seconds": "seconds",
    "questions per second": "questions_per_second", "prefix hit rate": "prefix_hit_rate",
}  # fmt: skip
_TRAINED = {
    "seconds": "train_runtime", "samples per second": "train_samples_per_second",
    "tokens": "num_tokens", "share of the time spent asking": "ask/share_of_time",
}  # fmt: skip


def cost(material: Material) -> Section | None:
    """What asking and training took."""
    asked = [(s, model, of) for s in material.read.sources for model, of in s.throughput.items()
             if isinstance(of, Mapping)]  # fmt: skip
    trained = [(s, _last(s)) for s in material.read.sources if s.log]
    if not asked and not trained:
        return None
    tables = [_asked(asked)] if asked else []
    tables += [_trained(trained)] if trained else []
    return Section(
        "cost",
        "Cost",
        _conclusion([of for *_, of in asked], [of for _, of in trained]),
        tables=tuple(tables),
        notes=(
            "Seconds are those of all processes together; a training run that was resumed counts "
            "those since its last start. – stands for what a run did not record.",
        ),
    )


def _last(source: Source) -> dict[str, Any]:
    """The last value of each figure in a log."""
    return {key: value for entry in source.log for key, value in entry.items()}


def _conclusion(asked: Sequence[Mapping[str, Any]], trained: Sequence[Mapping[str, Any]]) -> str:
    told = []
    if asked:
        questions, seconds = (
            sum(of.get(key) or 0 for of in asked) for key in ("questions", "seconds")
        )
        told.append(f"Asking took {_time(seconds)} for {plain(int(questions))} questions")
    known = [of["train_runtime"] for of in trained if "train_runtime" in of]
    if known:
        runs = "1 run" if len(known) == 1 else f"{len(known)} runs"
        told.append(f"training took {_time(sum(known))} in {runs}")
    text = "; ".join(told) or "The runs did not record what they took"
    return f"{text[:1].upper()}{text[1:]}."


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _asked(found: Sequence[tuple[Source, str, Mapping[str, Any]]]) -> Table:
    rows: list[tuple[Value, ...]] = [
        (source.name, model, *(_value(of.get(key)) for key in _ASKED.values()))
        for source, model, of in found
    ]
    return Table("Asking", ("run", "model", *_ASKED), tuple(rows), texts=2)


def _trained(found: Sequence[tuple[Source, Mapping[str, Any]]]) -> Table:
    rows: list[tuple[Value, ...]] = [
        (source.name, source.stage, *(_value(of.get(key)) for key in ("step", *_TRAINED.values())))
        for source, of in found
    ]
    return Table("Training", ("run", "stage", "steps", *_TRAINED), tuple(rows), texts=2)


def _value(value: object) -> Value:
    return value if isinstance(value, int | float) else None
