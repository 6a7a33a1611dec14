"""`rl-faith build`: pseudo-faithful explanations of the model's own predictions.

For each example: predict, erase every word, take the most influential one (for the budget "multi":
the fewest that change the prediction together; for the control as many random ones), find
replacements, build one reply per style (Doi et al. 2025, section 3.1) and judge it like any
other explanation. Every verdict is one row of `instances.jsonl`; `train.jsonl` is read off these
rows.
"""

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from rl_faith.checks import Case, Verdict, inquire, settle
from rl_faith.erasure import Influence, erase, leading_words, most_influential
from rl_faith.evaluation.scores import score
from rl_faith.explaining import Wish, explain, predict_labels
from rl_faith.policies import Policy
from rl_faith.pseudo import CONSTRUCTED, ORIGINAL, Source, construct, find_sources
from rl_faith.questions import Answer, Unanswered, assistant, to_chat
from rl_faith.recipes import BuildRecipe
from rl_faith.replacements import Chosen, Typical, typical_words
from rl_faith.rows import Key, example_of, row_of
from rl_faith.runs import Row, write_atomically, write_json
from rl_faith.styles import Budget, Invalid, Style, load_style
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.work import ask_models, throughputs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Plan:
    """One task of a build: its examples, and which of them are also explained by the model."""

    task: Task
    wanted: tuple[tuple[Style, Budget], ...]
    examples: tuple[Example, ...]
    quality: frozenset[str]
    recipe: BuildRecipe
    typical: Typical | None

    @property
    def one_random(self) -> bool:
        """Whether explanations are about one random word each, and no other need be erased."""
        return self.recipe.words == "random" and all(b == "one" for _, b in self.wanted)

    def keys(self, model: str, example: Example) -> set[Key]:
        """The rows that the example leaves, under the name of who made the explanation."""
        makers = [CONSTRUCTED, ORIGINAL] if example.id in self.quality else [CONSTRUCTED]
        return {(m, self.task.name, s.name, b, example.id) for m in makers for s, b in self.wanted}


def build(recipe: BuildRecipe) -> list[Row]:
    """Run the recipe, or go on where it was stopped; return the rows (first process only).

    Under `accelerate launch` every process takes its share of the examples, and the first one
    merges them.
    """
    plans = [_plan(load_task(name), recipe) for name in recipe.tasks]
    run = ask_models(recipe, {"build": recipe.model_name_or_path}, plans, _judge)
    if run is None:
        return []
    rows = run.merge(_order(plans))
    pairs = [training_pair(p.task, row) for p in plans for row in rows if _trains(p, row)]
    text = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
    write_atomically(run.path / "train.jsonl", text)
    results = {"cells": [c.as_dict() for c in score(rows)], **_counts(rows)}
    write_json(run.path / "results.json", {**results, "throughput": throughputs(run)})
    return rows


def _plan(task: Task, recipe: BuildRecipe) -> _Plan:
    task.check_instructions(recipe.styles, recipe.budgets)
    examples = load_examples(
        task, "train", source=recipe.data, n=recipe.examples_per_task, seed=recipe.seed
    )
    return _Plan(
        task,
        tuple((load_style(s), cast(Budget, b)) for s in recipe.styles for b in recipe.budgets),
        tuple(examples),
        frozenset(e.id for e in examples[: recipe.quality_examples]),
        recipe,
        typical_words(task, examples) if recipe.replacements == "typical" else None,
    )


def _judge(policy: Policy, model: str, plan: _Plan, examples: list[Example]) -> list[Row]:
    """All rows of a chunk: the constructed replies, and the model's own for the comparison."""
    predictions = predict_labels(policy, plan.task, examples)
    sources = _sources(policy, plan, examples, predictions)
    cases = [
        Case(plan.task, s, b, e, predictions[e.id], _reply(s, b, e, sources[e.id]))
        for e in examples
        for s, b in plan.wanted
    ]
    wishes: list[Wish] = [
        (e, *how) for e in examples if e.id in plan.quality for how in plan.wanted
    ]
    own = explain(policy, plan.task, wishes, predictions, max_new_tokens=plan.recipe.max_new_tokens)
    verdicts = _settle(policy, cases + own, erased=not plan.one_random)
    makers = [CONSTRUCTED] * len(cases) + [ORIGINAL] * len(own)
    rows = [row_of(maker, v) for maker, v in zip(makers, verdicts, strict=True)]
    for row in rows:
        source = sources[row["id"]]
        first = source.words[0].value if isinstance(source, Source) else None
        row["influence"] = first if first is None else round(first, 6)
    return rows


def _settle(policy: Policy, cases: Sequence[Case], *, erased: bool) -> list[Verdict]:
    # The erasure has asked every one-word redaction, so that of control and ceiling only what a
    # counterfactual does elsewhere is asked anew.
    asked = [inquire(case, control=erased, ceiling=erased) for case in cases]
    return settle(asked, policy.predict)


def _reply(
    style: Style, budget: Budget, example: Example, source: Source | Unanswered
) -> str | Unanswered:
    if isinstance(source, Unanswered):
        return source
    reply = construct(style, example, source, budget)
    return Unanswered(reply.reason, reply.detail) if isinstance(reply, Invalid) else reply


def _sources(
    policy: Policy, plan: _Plan, examples: Sequence[Example], predictions: dict[str, Answer]
) -> dict[str, Source | Unanswered]:
    """The words that drive each prediction, and replacements for them."""
    task, several = plan.task, any(budget == "multi" for _, budget in plan.wanted)
    drawn = str(plan.recipe.seed) if plan.one_random else None
    erased = erase(policy, task, examples, predictions, drawn=drawn)
    chosen = {key: _top(found) for key, found in erased.items()}
    if several:
        chosen = leading_words(policy, task, examples, predictions, erased)
    if plan.recipe.words == "random":
        chosen = {k: _as_many(c, erased[k], f"{plan.recipe.seed}-{k}") for k, c in chosen.items()}
    styles = [style for style, _ in plan.wanted]
    about = Chosen(task, examples, predictions, chosen)
    return find_sources(policy, about, styles, plan.typical)


def _top(found: list[Influence] | Unanswered) -> list[Influence] | Unanswered:
    if isinstance(found, Unanswered):
        return found
    top = most_influential(found)
    return [top] if top else []


def _as_many(
    chosen: list[Influence] | Unanswered, found: list[Influence] | Unanswered, seed: str
) -> list[Influence] | Unanswered:
    """Random words in place of the chosen ones."""
    if isinstance(chosen, Unanswered) or isinstance(found, Unanswered):
        return chosen
    return random.Random(seed).sample(found, len(chosen))


def _order(plans: Sequence[_Plan]) -> Callable[[Row], Any]:
    """Rows by task, example, maker and style, as the recipe and the data name them."""
    tasks = {p.task.name: i for i, p in enumerate(plans)}
    places = {(p.task.name, e.id, e.input): i for p in plans for i, e in enumerate(p.examples)}
    how = {(s.name, b): i for p in plans for i, (s, b) in enumerate(p.wanted)}
    return lambda r: (
        tasks[r["task"]], places[r["task"], r["id"], r["input"]], r["model"],
        how[r["style"], r["budget"]],
    )  # fmt: skip


def _trains(plan: _Plan, row: Row) -> bool:
    return (row["model"], row["task"], row["status"]) == (CONSTRUCTED, plan.task.name, "valid")


def training_pair(task: Task, row: Row) -> Row:
    """A judged row as prompt and completion, with the columns that a GRPO reward needs."""
    example = example_of(row)
    prompt = task.ask_why(example, row["prediction"], row["style"], row["budget"])
    return {
        "prompt": to_chat(prompt),
        "completion": to_chat((assistant(row["reply"]),)),
        **asdict(example),
        **{
            column: row[column]
            for column in ("task", "style", "budget", "prediction", "probabilities")
        },
        "faithful": row["faithful"],
        "influence": row["influence"],
    }


def _counts(rows: Iterable[Row]) -> dict[str, Any]:
    """How many pairs the build has, and why others were left out."""
    made = [row for row in rows if row["model"] == CONSTRUCTED]
    left_out = Counter(row["reason"] for row in made if row["status"] != "valid")
    return {"pairs": len(made) - left_out.total(), "left_out": dict(left_out)}
