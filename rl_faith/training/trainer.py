"""TRL's GRPOTrainer, watched by the checks that evaluation uses."""

import json
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import GRPOTrainer

from rl_faith.cards import add_held_out
from rl_faith.policies.trainer import live_policy
from rl_faith.runs import write_json
from rl_faith.training.carded import Carded
from rl_faith.training.panel import Panel
from rl_faith.training.prompts import Prompts

_DECISIONS = "decisions.json"


class FaithfulnessTrainer(Carded, GRPOTrainer):  # type: ignore[misc]
    """GRPO whose evaluation lets the policy explain held-out examples and judges it.

    `eval_strategy`, `eval_on_start`, `metric_for_best_model` and `load_best_model_at_end` work as
    in any trainer; the metrics are those of `results.json`, for example `eval_faithful_all`.
    """

    def __init__(self, *args: Any, panel: Panel, **more: Any) -> None:
        super().__init__(*args, **more)
        self.panel, self.live = panel, live_policy(self, self.processing_class)
        panel.policy = self.live
        for task in panel.tasks.values():
            self.live.check_labels(task.label_words)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Judge greedy explanations of the held-out examples; each process takes its share."""
        self.live.sync()
        process, of = self.accelerator.process_index, self.accelerator.num_processes
        length = self.args.max_completion_length
        rows = gather_object(self.panel.examine(process, of, max_new_tokens=length))
        found = self.panel.watched(rows)
        if self.is_world_process_zero():
            add_held_out(Path(self.args.output_dir), self.state.global_step, self.panel.cells(rows))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        # Not GRPOTrainer's own, which would write the last rollouts once more.
        Trainer.log(self, metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


class Decisions(TrainerCallback):  # type: ignore[misc]
    """Takes the decisions that stand in the prompts, anew where wished, and keeps them on disk."""

    def __init__(self, prompts: Prompts, trainer: FaithfulnessTrainer, every: int) -> None:
        self._prompts, self._trainer, self._every = prompts, trainer, every

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take them, or those of the checkpoint that the run goes on from."""
        file = _checkpoint(args, state) / _DECISIONS
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf-8"))
            self._prompts.load(kept)
            self._trainer.panel.load_state(kept)
        else:
            self._refresh()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take them anew every so many steps.

        Behind the checkpoint, for a run that goes on from there reads its first rows before this.
        """
        if self._every and state.global_step and state.global_step % self._every == 0:
            self._refresh()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put them beside the weights, before the checkpoint is sealed."""
        if state.is_world_process_zero:
            kept = {**self._prompts.decisions(), **self._trainer.panel.state()}
            write_json(_checkpoint(args, state) / _DECISIONS, kept)

    def _refresh(self) -> None:
        self._trainer.live.sync()
        self._prompts.refresh(self._trainer.live)


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir, f"checkpoint-{state.global_step}")
