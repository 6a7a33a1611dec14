"""The counterfactual test as training needs it: rollouts explain inputs with an insertion.

The prompt holds the input with the insertion and the policy's decision on it. Whether the insertion
mattered is known from the build ("frozen") and asked again of the policy as it is ("current").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from accelerate.utils import gather_object

from rl_faith.checks import Disclosure, Probe, disclose
from rl_faith.correlation import Rates, Table2x2
from rl_faith.evaluation.phi_scores import score
from rl_faith.insertion_rows import insertion_of, insertion_row
from rl_faith.policies import Policy
from rl_faith.probing import explain
from rl_faith.questions import Answer, Prediction, Unanswered
from rl_faith.runs import Row
from rl_faith.tasks import Task
from rl_faith.text import words
from rl_faith.training.panel import STALE, Panel, Rows

IMPACTS = ("impact", "tvd", "frozen_impact", "frozen_tvd")
"""The kinds of impact that a disclosure has, for each of which the running rates are kept."""

# The policy moves: what it mentioned long ago must not hold for ever.
_REMEMBERED = 4096.0


class DisclosurePanel(Panel):
    """Phi-CCT: is the insertion mentioned exactly when it mattered?

    Attributes:
        held_out: Rows that the run is watched by.
        rates: What all processes have seen so far, by kind of impact.
    """

    def __init__(
        self, tasks: Mapping[str, Task], *, held_out: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(tasks)
        self.held_out = held_out
        self.rates = {name: Rates() for name in IMPACTS}

    def judge(self, rows: Rows, replies: Sequence[str]) -> list[Disclosure]:
        """One disclosure for each rollout, as evaluation would give it."""
        found = ask(self.policy, self.tasks, rows)
        disclosures = [
            _with_frozen(disclose(replace(probe, reply=reply)), row)
            for probe, row, reply in zip(found, rows, replies, strict=True)
        ]
        self._count(disclosures)
        return disclosures

    def _count(self, disclosures: Sequence[Disclosure]) -> None:
        """Add what was seen; every process gets the sums of all."""
        scored = [d for d in disclosures if d.status == "scored"]
        mentions = [bool(d.mentioned) for d in scored]
        mine = {
            name: Rates().updated([float(getattr(d, name)) for d in scored], mentions).as_dict()
            for name in IMPACTS
        }
        for seen in gather_object([mine]):
            for name, sums in seen.items():
                self.rates[name] = self.rates[name].merged(Rates.from_dict(sums))
        self.rates = {name: rates.limited(_REMEMBERED) for name, rates in self.rates.items()}

    def fixtures(self, judged: Sequence[Disclosure]) -> dict[str, Any]:
        """`disclosures`, and `rates` by kind of impact."""
        return {"disclosures": judged, "rates": dict(self.rates)}

    def figures(self, judged: Sequence[Disclosure]) -> Iterator[tuple[str, float]]:
        """Phi and what it is made of, over the batch; reply length by impact."""
        yield "faith/unscored", fmean(d.status == "unscored" for d in judged)
        yield "faith/stale", fmean(d.reason == STALE.reason for d in judged)
        scored = [d for d in judged if d.status == "scored"]
        if scored:
            yield from _figures(scored)

    def columns(self, judged: Sequence[Disclosure]) -> dict[str, list[str]]:
        """What was inserted, whether it mattered, and whether it is mentioned."""
        return {
            "factor": [d.probe.insertion.factor for d in judged],
            "outcome": [_outcome(d) for d in judged],
        }

    def examine(self, rank: int, processes: int, *, max_new_tokens: int) -> list[Row]:
        """Judge greedy explanations of the held-out insertions."""
        mine, rows = self.held_out[rank::processes], list[Row]()
        for name, task in self.tasks.items():
            asked = [row for row in mine if row["task"] == name]
            probes = ask(self.policy, self.tasks, [{**row, "prediction": None} for row in asked])
            said = explain(
                self.policy,
                task,
                [p.insertion.example for p in probes],
                {p.insertion.example.id: (p.after, "") for p in probes},
                max_new_tokens=max_new_tokens,
            )
            rows += [
                insertion_row("policy", disclose(replace(p, reply=said[p.insertion.example.id][1])))
                for p in probes
            ]
        return rows

    def cells(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """One for each task, intervention and part."""
        return [cell.as_dict() for cell in score(rows)]

    def watched(self, rows: Sequence[Row]) -> dict[str, float]:
        """Phi, its rates and the accuracy of every cell, and their means."""
        cells = score(rows)
        names = ("phi", "tpr", "fpr", "pi", "q", "negated", "words", "accuracy")
        each = {
            f"{c.task}_{c.intervention}_{name}": value
            for c in cells
            for name in names
            if (value := getattr(c, name).value) is not None
        }
        means = {
            name: fmean(known)
            for name in names
            if (known := [v for key, v in each.items() if key.endswith(f"_{name}")])
        }
        return {**means, **each}

    def state(self) -> dict[str, Any]:
        """The running rates."""
        return {"rates": {name: rates.as_dict() for name, rates in self.rates.items()}}

    def load_state(self, kept: Mapping[str, Any]) -> None:
        """Take the running rates of a checkpoint."""
        self.rates = {name: Rates.from_dict(sums) for name, sums in kept["rates"].items()}


def ask(policy: Policy, tasks: Mapping[str, Task], rows: Rows) -> list[Probe]:
    """Ask without and with each insertion, in one call; the replies are still to come.

    A row whose stored `prediction` is no longer the policy's is stale, and unscored.
    """
    insertions = [insertion_of(row) for row in rows]
    inputs = [(tasks[r["task"]], e) for r, i in zip(rows, insertions, strict=True)
              for e in (i.original, i.example)]  # fmt: skip
    answers = policy.predict([task.ask(example) for task, example in inputs])
    return [
        Probe(tasks[row["task"]], insertion, before, _fresh(after, row.get("prediction")), "")
        for row, insertion, before, after in zip(
            rows, insertions, answers[::2], answers[1::2], strict=True
        )
    ]


def _fresh(answer: Answer, told: str | None) -> Answer:
    if told is None or isinstance(answer, Unanswered) or answer.label == told:
        return answer
    return STALE


def _with_frozen(disclosure: Disclosure, row: Mapping[str, Any]) -> Disclosure:
    return replace(disclosure, frozen_impact=row["impact"], frozen_tvd=row["tvd"])


def _figures(scored: Sequence[Disclosure]) -> Iterator[tuple[str, float]]:
    mentions = [bool(d.mentioned) for d in scored]
    table = Table2x2.of([bool(d.impact) for d in scored], mentions)
    yield "faith/phi", table.phi.value
    for name in ("tpr", "fpr", "pi", "q"):
        if (value := getattr(table, name)) is not None:
            yield f"faith/{name}", value
    yield "faith/frozen_agrees", fmean(d.impact == d.frozen_impact for d in scored)
    yield "faith/accuracy", fmean(_is_right(d) for d in scored)
    if any(mentions):
        yield "faith/negated", fmean(bool(d.negated) for d in scored if d.mentioned)
    for name, with_impact in (("words_with_impact", True), ("words_without_impact", False)):
        if lengths := [_length(d) for d in scored if d.impact is with_impact]:
            yield f"faith/{name}", fmean(lengths)


def _is_right(disclosure: Disclosure) -> bool:
    before = disclosure.probe.before
    gold = disclosure.probe.insertion.original.gold
    return isinstance(before, Prediction) and before.label == gold


def _length(disclosure: Disclosure) -> int:
    return len(words(str(disclosure.probe.reply)))


def _outcome(disclosure: Disclosure) -> str:
    if disclosure.status == "unscored":
        return f"unscored: {disclosure.reason}"
    mattered = "mattered" if disclosure.impact else "did not matter"
    said = (
        "denied" if disclosure.negated else "mentioned" if disclosure.mentioned else "not mentioned"
    )
    return f"{mattered}, {said}"
