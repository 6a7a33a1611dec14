"""A training whose gradients are no numbers ends at once: every further step would be lost."""

from math import isfinite
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rl_faith.errors import TrainingError


class FiniteGradients(TrainerCallback):  # type: ignore[misc]
    """Reads the gradients' norm where it is logged, which comes before a checkpoint of that step.

    In float16 norms that are no numbers are common and harmless: the scaler leaves out the step.
    """

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """End the training where the norm is no number.

        Raises:
            TrainingError: it is none, so that the weights are none either.
        """
        norm = (logs or {}).get("grad_norm")
        if norm is not None and not args.fp16 and not isfinite(float(norm)):
            raise TrainingError(
                f"the norm of the gradients is {norm} at step {state.global_step}, and the weights "
                "with it; begin in another output_dir, with a lower learning_rate or another dtype"
            )
