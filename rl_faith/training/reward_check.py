"""`rl-faith check-reward`: can the recipe's rewards tell a true explanation from a false one?

A reward that does not prefer the true explanations of `trials` would train something else.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table
from transformers import TrainerState
from trl import GRPOConfig

from rl_faith.errors import DataError, RewardError
from rl_faith.evaluation.tables import plain_table, signed
from rl_faith.policies import Policy
from rl_faith.policies.opening import Backend, Wanted, open_policy
from rl_faith.policies.usage import Meter
from rl_faith.questions import assistant, to_chat
from rl_faith.recipes import CounterfactualGRPORecipe, GRPORecipe, RewardSpec
from rl_faith.stats import Estimate, bootstrap_mean
from rl_faith.tasks import Task, load_task
from rl_faith.training.arguments import parse_training
from rl_faith.training.disclosure_panel import DisclosurePanel
from rl_faith.training.insertion_data import insertion_rows, pool_tasks
from rl_faith.training.panel import Panel, VerdictPanel
from rl_faith.training.rewards import Batch, Reward, load_reward
from rl_faith.training.trials import KINDS, Trial, erasure_trials, insertion_trials

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Separation:
    """How a reward, or the weighted sum of all, values the three kinds.

    Attributes:
        means: Of each kind.
        over_false: Mean of true minus false, over the same prompts, with a 95% interval.
        over_broken: The same against broken.
        unscored: Share of explanations without a value.
        questions_per_second: Asked of the policy while scoring, verdicts included; 0 for the sum.
    """

    name: str
    means: dict[str, float]
    over_false: Estimate
    over_broken: Estimate
    unscored: float
    questions_per_second: float

    @property
    def tells_apart(self) -> bool:
        """Whether both intervals lie above zero."""
        return all(e.low is not None and e.low > 0 for e in (self.over_false, self.over_broken))


def check_rewards(
    recipe: GRPORecipe | CounterfactualGRPORecipe, model: str, wanted: Wanted
) -> list[Separation]:
    """Score the three kinds with each reward of the recipe; the last one is their sum.

    Args:
        recipe: Names the rewards and what they are tried on.
        model: Who decides, and is asked again.
        wanted: By which backend.

    Raises:
        DataError: no example of which it is known what matters.
        RewardError: as in training.
    """
    tasks = _tasks(recipe)
    policy = open_policy(wanted, model, [task.label_words for task in tasks.values()])
    panel, trials = _prepared(recipe, tasks, policy)
    panel.policy = policy
    if not trials:
        raise DataError(f"no edit of known worth changes a prediction of {model} on these tasks")
    found, total = [], list[float | None]([None] * (len(trials) * len(KINDS)))
    for spec in (RewardSpec(**entry) for entry in recipe.rewards):
        # A batch of its own for each reward, and no cache: each is timed with what it asks.
        policy.weights_changed()
        reward = Reward(load_reward(spec.function), spec, Batch(panel))
        reward.check([*trials[0].row, "initial_prediction"])
        log.info("check-reward: scoring %d of them with %s", len(KINDS) * len(trials), spec.name)
        meter = Meter(policy.usage)
        values = reward(**as_trl_gives(trials))
        taken = meter.read()
        found.append(_separation(spec.name, values, taken.questions / taken.seconds))
        total = [_added(t, v, spec.weight) for t, v in zip(total, values, strict=True)]
    return [*found, _separation("sum", total, 0.0)]


def _tasks(recipe: GRPORecipe | CounterfactualGRPORecipe) -> dict[str, Task]:
    if isinstance(recipe, CounterfactualGRPORecipe):
        return pool_tasks(recipe, insertion_rows(recipe, seed=0)[0])
    return {task.name: task for task in map(load_task, recipe.tasks)}


def _prepared(
    recipe: GRPORecipe | CounterfactualGRPORecipe, tasks: dict[str, Task], policy: Policy
) -> tuple[Panel, list[Trial]]:
    if isinstance(recipe, CounterfactualGRPORecipe):
        return DisclosurePanel(tasks), insertion_trials(recipe, tasks, policy)
    trials = [t for task in tasks.values() for t in erasure_trials(recipe, task, policy)]
    return VerdictPanel(tasks, seed=0), trials


def _added(total: float | None, value: float | None, weight: float) -> float | None:
    """As TRL adds up: None is 0 beside other rewards, and None where there is no other."""
    return total if value is None else (total or 0.0) + weight * value


def refuse(separations: Sequence[Separation]) -> None:
    """Raise RewardError when the weighted sum does not tell true from false and broken."""
    whole = separations[-1]
    if not whole.tells_apart:
        means = ", ".join(f"{kind} {value:.3f}" for kind, value in whole.means.items())
        raise RewardError(
            f"the rewards do not tell true explanations from others ({means}); "
            "training on them would teach something else"
        )


def as_trl_gives(trials: Sequence[Trial]) -> dict[str, Any]:
    """The keywords of TRL's call: three completions for every prompt."""
    rows = [trial.row for trial in trials for _ in KINDS]
    replies = [trial.replies[kind] for trial in trials for kind in KINDS]
    completions = [to_chat((assistant(reply),)) for reply in replies]
    return {
        "prompts": [row["prompt"] for row in rows],
        "completions": completions,
        "completion_ids": [[] for _ in rows],
        "trainer_state": TrainerState(),
        "log_metric": lambda name, value: None,
        "log_extra": lambda column, values: None,
        **{key: [row[key] for row in rows] for key in rows[0] if key != "prompt"},
    }


def _separation(name: str, values: Sequence[float | None], rate: float) -> Separation:
    by_kind = {kind: values[i :: len(KINDS)] for i, kind in enumerate(KINDS)}
    return Separation(
        name,
        {kind: _mean(of) for kind, of in by_kind.items()},
        _over(by_kind["true"], by_kind["false"]),
        _over(by_kind["true"], by_kind["broken"]),
        sum(v is None for v in values) / len(values),
        rate,
    )


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return fmean(known) if known else 0.0


def _over(first: Sequence[float | None], second: Sequence[float | None]) -> Estimate:
    pairs = [a - b for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return bootstrap_mean(pairs)


def run(
    arguments: Sequence[str], policy: str = "transformers", base_urls: Sequence[str] | None = None
) -> None:
    """Check the rewards of a recipe, print the table, refuse rewards that tell nothing apart.

    Args:
        arguments: The recipe and its overrides.
        policy: The backend that answers: "transformers", "vllm" or "server".
        base_urls: Of the servers.

    Raises:
        RewardError: as `refuse`.
    """
    recipe, _, model, _ = parse_training("grpo", arguments, GRPOConfig)
    wanted = Backend(policy, model.dtype or "float32", base_urls)
    separations = check_rewards(recipe, model.model_name_or_path, wanted)
    Console().print(_table(separations))
    refuse(separations)


def _table(separations: Sequence[Separation]) -> Table:
    table = plain_table("what the rewards pay for explanations of known worth", gap=1)
    table.add_column("reward", overflow="fold", min_width=14)
    for name in (*KINDS, "over false", "over broken", "unscored", "asked/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in separations:
        means = [f"{s.means[kind]:.2f}" for kind in KINDS]
        over = [signed(e).replace(" [", "\n[") for e in (s.over_false, s.over_broken)]
        rate = f"{s.questions_per_second:.0f}" if s.questions_per_second else ""
        table.add_row(s.name, *means, *over, f"{s.unscored:.2f}", rate)
    return table
