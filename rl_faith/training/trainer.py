"""TRL's GRPOTrainer, watched by the checks that evaluation uses."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from accelerate.utils import gather_object
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import GRPOTrainer

from rl_faith.evaluation.judging import judge_policy
from rl_faith.evaluation.scores import Cell, score
from rl_faith.policies.trainer import live_policy
from rl_faith.rows import row_of
from rl_faith.runs import Row, write_json
from rl_faith.styles import Budget, Style
from rl_faith.tasks import Example, Task
from rl_faith.training.panel import Panel
from rl_faith.training.prompts import Prompts

_DECISIONS = "decisions.json"
_WATCHED = (
    "faithful_all", "faithful_valid", "valid", "random_control", "lift", "drop", "accuracy"
)  # fmt: skip


class FaithfulnessTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPO whose evaluation lets the policy explain held-out examples and judges it.

    `eval_strategy`, `eval_on_start`, `metric_for_best_model` and `load_best_model_at_end` work as
    in any trainer; the metrics are those of `results.json`, for example `eval_faithful_all`.
    """

    def __init__(
        self,
        *args: Any,
        panel: Panel,
        held_out: Sequence[tuple[Task, Example]],
        wanted: Sequence[tuple[Style, Budget]],
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.panel, self.live = panel, live_policy(self, self.processing_class)
        panel.policy = self.live
        self._tasks = panel.tasks.values()
        for task in self._tasks:
            self.live.check_labels(task.label_words)
        self._held_out, self._wanted = held_out, wanted

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Judge greedy explanations of the held-out examples; each process takes its share."""
        self.live.sync()
        rows = gather_object(self._judged())
        metrics = {f"{metric_key_prefix}_{name}": v for name, v in watched(score(rows)).items()}
        # Not GRPOTrainer's own, which would write the last rollouts once more.
        Trainer.log(self, metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _judged(self) -> list[Row]:
        accelerator = self.accelerator
        mine = self._held_out[accelerator.process_index :: accelerator.num_processes]
        rows = []
        # Every process asks about every task, also with no example left: asking is collective.
        for task in self._tasks:
            wishes = [(e, s, b) for t, e in mine if t.name == task.name for s, b in self._wanted]
            verdicts = judge_policy(
                self.live, task, wishes, max_new_tokens=self.args.max_completion_length
            )
            rows += [row_of("policy", verdict) for verdict in verdicts]
        return rows


def watched(cells: Sequence[Cell]) -> dict[str, float]:
    """The scores' means over the cells, and each cell's share of faithful explanations."""
    told = [cell.as_dict() for cell in cells if isinstance(cell.budget, str)]
    means: dict[str, float] = {}
    for name in _WATCHED:
        known = [value for cell in told if (value := cell[name]["value"]) is not None]
        means |= {name: fmean(known)} if known else {}
    each = {
        f"{cell['task']}_{cell['style']}_{cell['budget']}_faithful_all": value
        for cell in told
        if (value := cell["faithful_all"]["value"]) is not None
    }
    return {**means, **each}


class Decisions(TrainerCallback):  # type: ignore[misc]
    """Takes the decisions that stand in the prompts, anew where wished, and keeps them on disk."""

    def __init__(self, prompts: Prompts, trainer: FaithfulnessTrainer, every: int) -> None:
        self._prompts, self._trainer, self._every = prompts, trainer, every

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take them, or those of the checkpoint that the run goes on from."""
        kept = _checkpoint(args, state) / _DECISIONS
        if kept.is_file():
            self._prompts.load(json.loads(kept.read_text(encoding="utf-8")))
        else:
            self._refresh()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take them anew every so many steps."""
        if self._every and state.global_step % self._every == 0:
            self._refresh()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put them beside the weights."""
        if state.is_world_process_zero:
            write_json(_checkpoint(args, state) / _DECISIONS, self._prompts.decisions())

    def _refresh(self) -> None:
        self._trainer.live.sync()
        self._prompts.refresh(self._trainer.live)


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir, f"checkpoint-{state.global_step}")
