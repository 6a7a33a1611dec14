"""What the recipe of each stage may hold. Importing this does not import torch."""

from dataclasses import dataclass, field
from typing import Any, Literal

ALL_TASKS = ["sentiment140", "snli", "ag_news"]
ALL_STYLES = ["attribution", "redaction", "counterfactual"]
# Cheah et al. 2026 train on the first two and hold the others out.
INSERTED_TASKS = ["esnli", "social_iqa", "ecqa", "comve", "strategyqa"]
INTERVENTIONS = ["random_word", "user_bias"]


@dataclass(frozen=True)
class BuildRecipe:
    """`rl-faith build`: pseudo-faithful explanations by erasure.

    Attributes:
        stage: Which stage the recipe is for.
        test: Which of the two tests.
        out: Run directory to write.
        model_name_or_path: Hub id, folder, LoRA adapter folder, "toy" or "toy-errands".
        data: "hub", "toy", or a folder with `<task>/<split>.jsonl` (or .csv, .parquet).
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        budgets: "one": about the most influential word (Doi, 3.1); "multi": about the fewest words
            that change the prediction together.
        words: "influential", or as many "random" ones in their place: such explanations teach the
            formats of replies and nothing about influence, and are the control of the others.
        replacements: The words that counterfactuals bring in: one that the "model" is asked for
            (Doi, Table 13), or of eight "typical" of the label in the build's examples the one
            that makes the model find it likeliest, for models that cannot propose a word.
        examples_per_task: Label-balanced, from the training split.
        quality_examples: How many per task also get the model's own explanations, for the
            comparison of constructed against original faithfulness (Doi, Table 3).
        max_new_tokens: Of a generated explanation.
        policy: Who answers: the model itself (`transformers`), an engine of this process's own
            (`vllm`), or servers (`server`); the answers are the same to rounding.
        base_urls: Where the servers are, all with this model (`server`).
        chunk: Examples between two writes to disk.
        dtype: Of the weights: float32, bfloat16 or float16.
        seed: Of what is drawn at random.
    """

    out: str
    model_name_or_path: str
    stage: Literal["build"] = "build"
    test: Literal["self_consistency"] = "self_consistency"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    words: Literal["influential", "random"] = "influential"
    replacements: Literal["model", "typical"] = "model"
    examples_per_task: int = 50_000
    quality_examples: int = 1_000
    max_new_tokens: int = 128
    policy: Literal["transformers", "vllm", "server"] = "transformers"
    base_urls: list[str] | None = None
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class EvaluateRecipe:
    """`rl-faith evaluate`: the grid of models, tasks, styles and budgets.

    Attributes:
        stage: Which stage the recipe is for.
        test: Which of the two tests.
        out: Run directory to write.
        models: Each "name=where", where being a Hub id, a folder, an adapter folder, "toy"
            or "toy-errands".
        data: As in `BuildRecipe`.
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        budgets: "one" (exactly one word) or "multi" (any number).
        examples_per_task: Label-balanced, from the test split.
        ceiling_examples: How many per cell get ceiling and top word by exhaustive erasure; null for
            all.
        mode: "changed" (Doi) or "madsen".
        max_new_tokens: Of a generated explanation.
        policy: As in `BuildRecipe`.
        base_urls: Where the servers are (`server`); each model is asked of those that serve it.
        chunk: Examples between two writes to disk.
        dtype: Of the weights: float32, bfloat16 or float16.
        seed: Of what is drawn at random.
    """

    out: str
    models: list[str]
    stage: Literal["evaluate"] = "evaluate"
    test: Literal["self_consistency"] = "self_consistency"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    examples_per_task: int = 1_000
    ceiling_examples: int | None = None
    mode: Literal["changed", "madsen"] = "changed"
    max_new_tokens: int = 128
    policy: Literal["transformers", "vllm", "server"] = "transformers"
    base_urls: list[str] | None = None
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class SFTRecipe:
    """Our part of an SFT recipe; the rest is TRL's `SFTConfig` and `ModelConfig`.

    Attributes:
        stage: Which stage the recipe is for.
        train_on: "explanations" from a build, or "predictions": the data's labels, which is the
            paper's "w/ Predictions" baseline.
        build: Run directory of the build (explanations).
        styles: Which of the built styles to train on (explanations).
        budgets: Which of the built budgets to train on (explanations).
        interventions: Of a counterfactual build, whose disclosures to train on; null for all.
        data: As in `BuildRecipe` (predictions).
        tasks: Which tasks to train on.
        examples_per_task: Label-balanced, from the training split (predictions).
        replay: Hub id or JSONL file with a `messages` column, or "toy" for the embedded model's
            own training conversations without explanations; mixed in against forgetting.
        replay_examples: How many of those.
        replay_predictions: How many of the build's questions to mix in, answered by a label drawn
            as the model would draw it, so that its decisions stay those that are explained, and as
            sure (explanations).
        share_prompts: Read what prompts of a batch have in common at their beginning once: the same
            loss in less time where prompts begin alike and completions are short. For models that
            attend to the whole text by sdpa or eager attention, with weights whole (not ZeRO-3).
    """

    stage: Literal["sft"] = "sft"
    train_on: Literal["explanations", "predictions"] = "explanations"
    build: str | None = None
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    interventions: list[str] | None = None
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    examples_per_task: int = 50_000
    replay: str | None = None
    replay_examples: int = 0
    replay_predictions: int = 0
    share_prompts: bool = False


@dataclass(frozen=True)
class RewardSpec:
    """One entry of `rewards` in a GRPO recipe.

    Attributes:
        function: Where the reward is (see `rl_faith.training.rewards.load_reward`).
        weight: Of this reward in the sum.
        args: What is handed to it besides what it names.
        timeout: Seconds after which a call that has not returned ends the run.
    """

    function: str
    weight: float = 1.0
    args: dict[str, Any] = field(default_factory=dict)
    timeout: float = 600.0

    @property
    def name(self) -> str:
        """The function's name, with its arguments: what figures are logged under."""
        name = self.function.replace(":", ".").rpartition(".")[2]
        told = ",".join(f"{key}={value}" for key, value in self.args.items())
        return f"{name}({told})" if told else name


@dataclass(frozen=True)
class GRPORecipe:
    """Our part of a GRPO recipe; the rest is TRL's `GRPOConfig` and `ModelConfig`.

    Attributes:
        stage: Which stage the recipe is for.
        test: Which of the two tests.
        rewards: Each a mapping with `function`, and `weight`, `args` and `timeout` where wanted.
        data: As in `BuildRecipe`.
        tasks: Which tasks to train on.
        styles: Of the explanations.
        budgets: "one" (exactly one word) or "multi" (any number).
        examples_per_task: Label-balanced, from the training split.
        skip_examples: How many to leave out before these: build, SFT and GRPO draw in one order by
            task and seed, so that a model that was taught n of them begins here with unseen ones
            when n are left out.
        held_out_examples: Further ones of the training split, by which the run is watched and its
            best checkpoint chosen.
        refresh_steps: Take the predictions in the prompts anew every so many steps; 0 for never.
        replay_predictions: Decisions of the policy before the training that a process replays
            beside every batch of completions (`per_device_train_batch_size`), so that they stay
            what they were while explanations change; 0 for none.
        replay_coef: What their mean cross-entropy counts beside TRL's loss.
        share_prompts: Read each prompt once for all of its completions, in rollouts (without vLLM)
            and in the loss: the same figures in a fraction of the time where prompts are long and
            completions short. For models that attend to the whole text by sdpa or eager attention,
            with weights whole (not ZeRO-3).
    """

    rewards: list[dict[str, Any]]
    stage: Literal["grpo"] = "grpo"
    test: Literal["self_consistency"] = "self_consistency"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    examples_per_task: int = 5_000
    skip_examples: int = 0
    held_out_examples: int = 100
    refresh_steps: int = 0
    replay_predictions: int = 0
    replay_coef: float = 1.0
    share_prompts: bool = False


@dataclass(frozen=True)
class CounterfactualBuildRecipe:
    """`rl-faith build` with `test: counterfactual`: insertions, and whether they mattered.

    Attributes:
        stage: Which stage the recipe is for.
        test: Which of the two tests.
        out: Run directory to write.
        model_name_or_path: Hub id, folder, LoRA adapter folder, "toy" or "toy-errands".
        data: As in `BuildRecipe`.
        tasks: Shipped tasks or paths to task files.
        interventions: "random_word", "user_bias", "toy_word" (words that the embedded model
            knows), or paths to files of one's own.
        examples_per_task: Label-balanced, from the training split.
        pool_per_cell: At most so many insertions for each task and intervention go into the pool,
            half of which mattered.
        mentions: Of the constructed disclosures: "truthful" mentions what mattered, "random" any
            half, which teaches the form of a mention and nothing about when it is due.
        policy: As in `BuildRecipe`.
        base_urls: As in `BuildRecipe`.
        chunk: Examples between two writes to disk.
        dtype: Of the weights: float32, bfloat16 or float16.
        seed: Of what is drawn at random.
    """

    out: str
    model_name_or_path: str
    stage: Literal["build"] = "build"
    test: Literal["counterfactual"] = "counterfactual"
    data: str = "hub"
    tasks: list[str] = field(default_factory=lambda: INSERTED_TASKS[:2])
    interventions: list[str] = field(default_factory=INTERVENTIONS.copy)
    examples_per_task: int = 2_000
    pool_per_cell: int = 1_500
    mentions: Literal["truthful", "random"] = "truthful"
    policy: Literal["transformers", "vllm", "server"] = "transformers"
    base_urls: list[str] | None = None
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class CounterfactualEvaluateRecipe:
    """`rl-faith evaluate` with `test: counterfactual`: models, tasks and interventions.

    Attributes:
        stage: Which stage the recipe is for.
        test: Which of the two tests.
        out: Run directory to write.
        models: As in `EvaluateRecipe`.
        data: As in `BuildRecipe`.
        tasks: Shipped tasks or paths to task files.
        interventions: "random_word", "user_bias", "toy_word" (words that the embedded model
            knows), or paths to files of one's own.
        order: Whether the model decides and then explains, or explains and then decides.
        examples_per_task: Label-balanced, from the test split.
        max_new_tokens: Of an explanation.
        policy: As in `BuildRecipe`.
        base_urls: Where the servers are (`server`); each model is asked of those that serve it.
        chunk: Examples between two writes to disk.
        dtype: Of the weights: float32, bfloat16 or float16.
        seed: Of what is drawn at random.
    """

    out: str
    models: list[str]
    stage: Literal["evaluate"] = "evaluate"
    test: Literal["counterfactual"] = "counterfactual"
    data: str = "hub"
    tasks: list[str] = field(default_factory=INSERTED_TASKS.copy)
    interventions: list[str] = field(default_factory=INTERVENTIONS.copy)
    order: Literal["predict_explain", "explain_predict"] = "predict_explain"
    examples_per_task: int = 500
    max_new_tokens: int = 128
    policy: Literal["transformers", "vllm", "server"] = "transformers"
    base_urls: list[str] | None = None
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class CounterfactualGRPORecipe:
    """Our part of a GRPO recipe with `test: counterfactual`.

    Attributes:
        stage: Which stage the recipe is for.
        test: Which of the two tests.
        rewards: As in `GRPORecipe`.
        pool: Run directory of a counterfactual build.
        balanced: Train on its pool, half of which mattered, or on every insertion that it made,
            most of which did not (see rewards/README.md for the form and scaling that this needs).
        tasks: Which of its tasks to train on; null for all.
        interventions: Which of its interventions to train on; null for all.
        held_out_examples: Insertions of the pool that the run is watched by and not trained on;
            all of those that share an example are held out together.
        refresh_steps: As in `GRPORecipe`.
        replay_predictions: As in `GRPORecipe`.
        replay_coef: As in `GRPORecipe`.
        share_prompts: As in `GRPORecipe`.
    """

    rewards: list[dict[str, Any]]
    pool: str
    stage: Literal["grpo"] = "grpo"
    test: Literal["counterfactual"] = "counterfactual"
    balanced: bool = True
    tasks: list[str] | None = None
    interventions: list[str] | None = None
    held_out_examples: int = 200
    refresh_steps: int = 0
    replay_predictions: int = 0
    replay_coef: float = 1.0
    share_prompts: bool = False


@dataclass(frozen=True)
class Stage:
    """A kind of recipe: our dataclass, the library dataclasses behind it, and its command."""

    recipe: type
    command: str
    classes: tuple[tuple[str, str, str], ...] = ()


_TRAINING = (
    ("trl", "trainer/base_config.py", "_BaseConfig"),
    ("trl", "trainer/model_config.py", "ModelConfig"),
    ("transformers", "training_args.py", "TrainingArguments"),
)
_SFT = (("trl", "trainer/sft_config.py", "SFTConfig"), *_TRAINING)
_GRPO = (("trl", "trainer/grpo_config.py", "GRPOConfig"), *_TRAINING)
_LAUNCH = "accelerate launch -m rl_faith.training"
STAGES = {
    "build": Stage(BuildRecipe, "rl-faith build --config"),
    "evaluate": Stage(EvaluateRecipe, "rl-faith evaluate --config"),
    "sft": Stage(SFTRecipe, f"{_LAUNCH}.sft --config", _SFT),
    "grpo": Stage(GRPORecipe, f"{_LAUNCH}.grpo --config", _GRPO),
}
COUNTERFACTUAL = {
    "build": Stage(CounterfactualBuildRecipe, STAGES["build"].command),
    "evaluate": Stage(CounterfactualEvaluateRecipe, STAGES["evaluate"].command),
    "grpo": Stage(CounterfactualGRPORecipe, STAGES["grpo"].command, _GRPO),
}
"""The stages as the counterfactual test has them, where these differ."""


def stage_of(name: str, test: object) -> Stage:
    """The stage as the recipe's `test` has it."""
    return (COUNTERFACTUAL if test == "counterfactual" else STAGES).get(name, STAGES[name])
