"""The supervised stage: fine-tune on pseudo-faithful explanations with TRL's SFTTrainer.

    accelerate launch -m rl_faith.training.sft --config recipes/toy/sft.yaml

Doi et al. 2025, section 3.2 and appendix C. The decision stands in the prompt and the explanation
is the completion, so the loss falls on the explanation alone. Started again on the same
`output_dir`, it goes on from the last checkpoint.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import ModelConfig, SFTConfig, get_peft_config

from rl_faith.errors import RecipeError, exit_on_error
from rl_faith.policies.loading import load_tokenizer
from rl_faith.recipes import SFTRecipe
from rl_faith.runs import Run
from rl_faith.training.arguments import load_training_model, parse_training
from rl_faith.training.carded import CardedSFTTrainer, finish
from rl_faith.training.checkpoints import SealedCheckpoints, train_on
from rl_faith.training.data import fitting, training_pairs
from rl_faith.training.finite import FiniteGradients
from rl_faith.training.prefixes import check_trees, collate, read_trees

log = logging.getLogger(__name__)


def train(
    recipe: SFTRecipe, args: SFTConfig, model_args: ModelConfig, resolved: dict[str, Any]
) -> None:
    """Train as the recipe says; save the model or adapter and its card to `args.output_dir`."""
    if args.process_index == 0:
        Run(args.output_dir).open(resolved, device=str(args.device), seed=args.seed)
    trainer = make_trainer(recipe, args, model_args)
    train_on(trainer, Path(args.output_dir))
    finish(trainer)


def make_trainer(recipe: SFTRecipe, args: SFTConfig, model_args: ModelConfig) -> CardedSFTTrainer:
    """TRL's trainer on the pairs that fit, with the loss on their completions."""
    tokenizer = load_tokenizer(model_args.model_name_or_path)
    pairs = training_pairs(recipe, seed=args.seed)
    pairs, longer = fitting(pairs, lambda pair: _length(tokenizer, pair), args.max_length)
    if longer:
        log.warning("%d pairs are longer than max_length %s and left out", longer, args.max_length)
    model = load_training_model(args, model_args)
    if recipe.share_prompts:
        check_sharing(args, model)
    trainer = CardedSFTTrainer(
        model=model,
        args=args,
        train_dataset=pairs,
        data_collator=collate if recipe.share_prompts else None,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
        callbacks=[FiniteGradients(), SealedCheckpoints(args)],
    )
    if recipe.share_prompts:
        read_trees(trainer.model, model.dtype)
    return trainer


def check_sharing(args: SFTConfig, model: PreTrainedModel) -> None:
    """Raise RecipeError where a tree of pairs would not be read as they are one by one."""
    if args.packing or args.padding_free:
        raise RecipeError(
            "sft: share_prompts lays out batches its own way; set packing and padding_free to false"
        )
    check_trees("sft", model)


def _length(tokenizer: PreTrainedTokenizerBase, pair: dict[str, Any]) -> int:
    whole = pair["prompt"] + pair["completion"]
    return len(tokenizer.apply_chat_template(whole, **pair["chat_template_kwargs"])["input_ids"])


def main() -> None:
    """Entry point of `accelerate launch -m rl_faith.training.sft`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with exit_on_error():
        train(*parse_training("sft", sys.argv[1:], SFTConfig))


if __name__ == "__main__":
    main()
