"""Our model card where TRL's trainers write theirs: at every checkpoint, push, and at the end."""

import atexit
from pathlib import Path
from typing import Any

from transformers import Trainer
from trl import SFTTrainer

from rl_faith.cards import Progress, write_card


class Carded(Trainer):  # type: ignore[misc]
    """A trainer whose `create_model_card` writes the card of rl-faith."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write `README.md` into the output folder, in the main process alone."""
        if self.is_world_process_zero():
            write_card(Path(self.args.output_dir), self._progress())

    def _progress(self) -> Progress:
        state = self.state
        ended = self.args.load_best_model_at_end and self.control.should_training_stop
        return Progress(
            name=self.hub_model_id or "",
            adapter=hasattr(self.accelerator.unwrap_model(self.model), "peft_config"),
            rows=len(self.train_dataset),
            step=(state.best_global_step if ended else None) or state.global_step,
            steps=state.max_steps,
            log=state.log_history,
        )


class CardedSFTTrainer(Carded, SFTTrainer):  # type: ignore[misc]
    """TRL's SFTTrainer with our card."""


def finish(trainer: Carded) -> None:
    """Save the trained model with its state and card, and push them where the recipe says so."""
    trainer.save_state()
    trainer.save_model(trainer.args.output_dir)
    # Behind the weights, with which PEFT has written a card of its own.
    trainer.create_model_card()
    # A process that leaves gloo's threads at work is aborted at its end now and then
    # (pytorch/pytorch#190489), and its launcher says that the training failed.
    atexit.register(trainer.accelerator.state.destroy_process_group)
