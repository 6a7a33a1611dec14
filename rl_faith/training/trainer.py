"""TRL's GRPOTrainer, watched by the checks that evaluation uses."""

import json
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import GRPOTrainer
from trl.models import unwrap_model_for_generation

from rl_faith.cards import add_held_out
from rl_faith.policies.trainer import live_policy
from rl_faith.runs import write_json
from rl_faith.training.carded import Carded
from rl_faith.training.panel import Panel
from rl_faith.training.prompts import Prompts
from rl_faith.training.replay import Replay
from rl_faith.training.sharing import group, language_model, reading_at, write_groups

_DECISIONS = "decisions.json"


class FaithfulnessTrainer(Carded, GRPOTrainer):  # type: ignore[misc]
    """GRPO whose evaluation lets the policy explain held-out examples and judges it.

    `eval_strategy`, `eval_on_start`, `metric_for_best_model` and `load_best_model_at_end` work as
    in any trainer; the metrics are those of `results.json`, for example `eval_faithful_all`.

    Attributes:
        share_prompts: Whether each prompt is read once for its group (see `sharing`).
        replay: What keeps the decisions in place, or None (see `replay`).
    """

    def __init__(
        self,
        *args: Any,
        panel: Panel,
        share_prompts: bool = False,
        replay: Replay | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.panel, self.live = panel, live_policy(self, self.processing_class)
        self.share_prompts, self.replay = share_prompts, replay
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

    def compute_loss(self, model: Any, *args: Any, **more: Any) -> torch.Tensor:
        """As GRPOTrainer's, with the replayed decisions where there are any."""
        loss: torch.Tensor = super().compute_loss(model, *args, **more)
        if self.replay is None or not self.model.training:
            return loss
        kept = self.replay.loss(model)
        self._metrics["train"]["replay_loss"].append(kept.item())
        return loss + kept / self.current_gradient_accumulation_steps

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        **more: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """As GRPOTrainer's; where prompts are shared, each of them is read once."""
        if not self.share_prompts:
            read: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]
            read = super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, **more
            )
            return read
        causal = language_model(self.accelerator.unwrap_model(model))
        groups = group(input_ids, attention_mask, logits_to_keep, causal.dtype)
        with self.accelerator.autocast(), reading_at(causal, groups.places):
            told = model(
                input_ids=groups.ids,
                attention_mask=groups.bias,
                position_ids=groups.positions,
                shift_labels=groups.labels,
                fused_lm_head=True,
            )
        return groups.ungrouped(told.log_probs), groups.ungrouped(told.entropy), None

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *args: Any, **more: Any
    ) -> tuple[list[list[int]], Any]:
        """As GRPOTrainer's; where prompts are shared, completions go on from what was read once."""
        if not self.share_prompts or self.use_vllm:
            written: tuple[list[list[int]], Any]
            written = super()._generate_single_turn(prompt_ids, *args, **more)
            return written
        with (
            unwrap_model_for_generation(
                self.model_wrapped,
                self.accelerator,
                gather_deepspeed3_params=self.args.ds3_gather_for_generation,
                generation_kwargs=self.generation_kwargs,
                gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
            ) as model,
            torch.no_grad(),
        ):
            return write_groups(model, prompt_ids, self.generation_config), None


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
