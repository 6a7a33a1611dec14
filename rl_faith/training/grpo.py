"""The reinforcement stage: GRPO with rewards that ask the current policy again.

    accelerate launch -m rl_faith.training.grpo --config recipes/toy/grpo-self-consistency.yaml

The decision stands in the prompt and the explanation is the completion, as in the SFT stage.
Started again on the same `output_dir`, it goes on from the last checkpoint.
"""

import logging
import sys
from collections.abc import Collection, Mapping
from math import lcm
from pathlib import Path
from typing import Any, cast

from accelerate import PartialState
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import GRPOConfig, ModelConfig, get_peft_config

from rl_faith.errors import RecipeError, exit_on_error
from rl_faith.policies.chat import TEMPLATE_ARGUMENTS, Chat
from rl_faith.policies.loading import base_of, load_tokenizer, resolve
from rl_faith.recipes import CounterfactualGRPORecipe, GRPORecipe, RewardSpec
from rl_faith.rows import example_of
from rl_faith.runs import Run
from rl_faith.styles import Budget, load_style
from rl_faith.tasks import Task, load_task
from rl_faith.training.arguments import load_training_model, parse_training
from rl_faith.training.carded import finish
from rl_faith.training.checkpoints import SealedCheckpoints, train_on
from rl_faith.training.disclosure_panel import DisclosurePanel
from rl_faith.training.finite import FiniteGradients
from rl_faith.training.insertion_data import insertion_rows, pool_tasks
from rl_faith.training.panel import Panel, VerdictPanel
from rl_faith.training.prefixes import check_trees
from rl_faith.training.prompts import Ask, Prompts, explanation_rows, split_examples
from rl_faith.training.replay import Replay
from rl_faith.training.rewards import Batch, Reward, load_reward
from rl_faith.training.trainer import Decisions, FaithfulnessTrainer


def train(
    recipe: GRPORecipe | CounterfactualGRPORecipe,
    args: GRPOConfig,
    model_args: ModelConfig,
    resolved: dict[str, Any],
) -> None:
    """Train as the recipe says; save the model or adapter and its card to `args.output_dir`."""
    trainer = make_trainer(recipe, args, model_args)
    if args.process_index == 0:
        Run(args.output_dir).open(resolved, device=str(args.device), seed=args.seed)
    train_on(trainer, Path(args.output_dir))
    finish(trainer)


def make_trainer(
    recipe: GRPORecipe | CounterfactualGRPORecipe, args: GRPOConfig, model_args: ModelConfig
) -> FaithfulnessTrainer:
    """TRL's trainer with the recipe's rewards, prompts and held-out examples."""
    check_groups(args)
    check_gathering(args)
    check_saves(args)
    prompts, panel = _test(recipe, args.seed)
    specs = [RewardSpec(**entry) for entry in recipe.rewards]
    args.reward_weights = [spec.weight for spec in specs]
    # The same switches as when the policy is asked, or training would render another prompt.
    args.chat_template_kwargs = {**TEMPLATE_ARGUMENTS, **(args.chat_template_kwargs or {})}
    name = model_args.model_name_or_path
    model, tokenizer = load_training_model(args, model_args), load_tokenizer(name)
    if recipe.share_prompts:
        check_trees("grpo", model)
    if args.use_vllm:
        # What begins with "_" is not pushed to the Hub with the trained model.
        model.name_or_path = _for_engine(name, model, tokenizer, Path(args.output_dir, "_start"))
    trainer = FaithfulnessTrainer(
        model=model,
        reward_funcs=_rewards(specs, panel, prompts.columns),
        args=args,
        train_dataset=prompts.dataset,
        eval_dataset=prompts.dataset if recipe.held_out_examples else None,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
        panel=panel,
        share_prompts=recipe.share_prompts,
        replay=_replay(recipe, prompts, tokenizer),
    )
    trainer.add_callback(Decisions(prompts, trainer, recipe.refresh_steps))
    trainer.add_callback(FiniteGradients())
    trainer.add_callback(SealedCheckpoints(args))
    return trainer


def _replay(
    recipe: GRPORecipe | CounterfactualGRPORecipe,
    prompts: Prompts,
    tokenizer: PreTrainedTokenizerBase,
) -> Replay | None:
    if not recipe.replay_predictions:
        return None
    return Replay(prompts.replayed, Chat(tokenizer), recipe.replay_predictions, recipe.replay_coef)


def _test(recipe: GRPORecipe | CounterfactualGRPORecipe, seed: int) -> tuple[Prompts, Panel]:
    """What is trained on, and who judges it: self-consistency or the counterfactual test."""
    if isinstance(recipe, CounterfactualGRPORecipe):
        rows, watched = insertion_rows(recipe, seed=seed)
        tasks = pool_tasks(recipe, rows + watched)
        return (
            Prompts(
                tasks, rows, lambda r, label: tasks[r["task"]].ask_explanation(example_of(r), label)
            ),
            DisclosurePanel(tasks, held_out=watched),
        )
    tasks = {task.name: task for task in map(load_task, recipe.tasks)}
    train_on, held_out = split_examples(recipe, tasks, seed=seed)
    wanted = [(load_style(s), cast(Budget, b)) for s in recipe.styles for b in recipe.budgets]
    panel = VerdictPanel(tasks, held_out=held_out, wanted=wanted, seed=seed)
    return Prompts(tasks, explanation_rows(recipe, train_on), _ask_why(tasks)), panel


def _ask_why(tasks: Mapping[str, Task]) -> Ask:
    return lambda row, label: tasks[row["task"]].ask_why(
        example_of(row), label, row["style"], row["budget"]
    )


class _Counted(logging.Filter):
    """Keeps back TRL's warning of completions without a reward, for it prints one of them whole.

    They are counted at every step, as `faith/unscored`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged."""
        return "All reward functions returned None" not in record.getMessage()


def _for_engine(
    name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> str:
    """Where vLLM loads the model from: it takes no adapters, so these are merged into a copy."""
    if base_of(name) is None:
        return resolve(name)
    with PartialState().main_process_first():
        if not (folder / "tokenizer_config.json").is_file():  # written last
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    return str(folder)


def _rewards(specs: list[RewardSpec], panel: Panel, columns: Collection[str]) -> list[Reward]:
    batch = Batch(panel)
    rewards = [Reward(load_reward(spec.function), spec, batch) for spec in specs]
    for reward in rewards:
        reward.check(columns)
    return rewards


def check_groups(args: GRPOConfig) -> None:
    """Raise RecipeError unless every process holds whole groups, which are scored as a whole."""
    local = args.per_device_train_batch_size * args.steps_per_generation
    if local % args.num_generations:
        raise RecipeError(
            f"grpo: each process generates {local} completions at a time (per_device_train_"
            f"batch_size x steps_per_generation), which num_generations {args.num_generations} "
            "does not divide"
        )


def check_gathering(args: GRPOConfig) -> None:
    """Raise RecipeError where the model itself is to answer with weights in pieces.

    A forward pass would then be collective, and processes have unequal numbers of questions.
    """
    if not args.use_vllm and not args.ds3_gather_for_generation:
        raise RecipeError(
            "grpo: ds3_gather_for_generation is false, but without vLLM the rewards ask the model "
            "in training, with its weights whole; leave it true or set use_vllm"
        )


def check_saves(args: GRPOConfig) -> None:
    """Raise RecipeError where a checkpoint would fall between two uses of the same completions.

    They are not kept, so that a run that went on from there would learn from others.
    """
    uses = args.steps_per_generation * args.num_iterations
    between = args.save_steps * args.gradient_accumulation_steps % uses
    if args.save_strategy == "steps" and args.save_steps >= 1 and between:
        every = lcm(uses, args.gradient_accumulation_steps) // args.gradient_accumulation_steps
        raise RecipeError(
            f"grpo: with save_steps {args.save_steps:g} checkpoints fall between two uses of the "
            f"same completions, where no run can go on as it was; let it be a multiple of {every}"
        )


def main() -> None:
    """Entry point of `accelerate launch -m rl_faith.training.grpo`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("trl.trainer.grpo_trainer").addFilter(_Counted())
    with exit_on_error():
        train(*parse_training("grpo", sys.argv[1:], GRPOConfig))


if __name__ == "__main__":
    main()
