"""What the recipe of each stage may hold. Importing this does not import torch."""

from dataclasses import dataclass, field
from typing import Any, Literal

ALL_TASKS = ["sentiment140", "snli", "ag_news"]
ALL_STYLES = ["attribution", "redaction", "counterfactual"]


@dataclass(frozen=True)
class BuildRecipe:
    """`rl-faith build`: pseudo-faithful explanations by erasure.

    Attributes:
        out: Run directory to write.
        model_name_or_path: Hub id, folder, LoRA adapter folder, or "toy".
        data: "hub", "toy", or a folder with `<task>/<split>.jsonl` (or .csv, .parquet).
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        budgets: "one": about the most influential word (Doi, 3.1); "multi": about the fewest words
            that change the prediction together.
        examples_per_task: Label-balanced, from the training split.
        quality_examples: How many per task also get the model's own explanations, for the
            comparison of constructed against original faithfulness (Doi, Table 3).
        max_new_tokens: Of a generated explanation.
        chunk: Examples between two writes to disk.
    """

    out: str
    model_name_or_path: str
    stage: Literal["build"] = "build"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    examples_per_task: int = 50_000
    quality_examples: int = 1_000
    max_new_tokens: int = 128
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class EvaluateRecipe:
    """`rl-faith evaluate`: the grid of models, tasks, styles and budgets.

    Attributes:
        out: Run directory to write.
        models: Each "name=where", where being a Hub id, a folder, an adapter folder, or "toy".
        data: As in `BuildRecipe`.
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        budgets: "one" (exactly one word) or "multi" (any number).
        examples_per_task: Label-balanced, from the test split.
        ceiling_examples: How many per cell get the ceiling by exhaustive erasure; null for all.
        mode: "changed" (Doi) or "madsen".
        max_new_tokens: Of a generated explanation.
        chunk: Examples between two writes to disk.
    """

    out: str
    models: list[str]
    stage: Literal["evaluate"] = "evaluate"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    examples_per_task: int = 1_000
    ceiling_examples: int | None = None
    mode: Literal["changed", "madsen"] = "changed"
    max_new_tokens: int = 128
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class SFTRecipe:
    """Our part of an SFT recipe; the rest is TRL's `SFTConfig` and `ModelConfig`.

    Attributes:
        train_on: "explanations" from a build, or "predictions": the data's labels, which is the
            paper's "w/ Predictions" baseline.
        build: Run directory of the build (explanations).
        styles: Which of the built styles to train on (explanations).
        budgets: Which of the built budgets to train on (explanations).
        data: As in `BuildRecipe` (predictions).
        tasks: Which tasks to train on.
        examples_per_task: Label-balanced, from the training split (predictions).
        replay: Hub id or JSONL file with a `messages` column, or "toy" for the embedded model's
            own training conversations without explanations; mixed in against forgetting.
        replay_examples: How many of those.
        replay_predictions: How many of the build's questions to mix in with the model's own
            prediction as the answer, so that its decisions stay those that are explained
            (explanations).
    """

    stage: Literal["sft"] = "sft"
    train_on: Literal["explanations", "predictions"] = "explanations"
    build: str | None = None
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    examples_per_task: int = 50_000
    replay: str | None = None
    replay_examples: int = 0
    replay_predictions: int = 0


@dataclass(frozen=True)
class RewardSpec:
    """One entry of `rewards` in a GRPO recipe.

    Attributes:
        function: Where the reward is (see `rl_faith.training.rewards.load_reward`).
        weight: Of this reward in the sum.
        args: What is handed to it besides what it names.
    """

    function: str
    weight: float = 1.0
    args: dict[str, Any] = field(default_factory=dict)

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
        rewards: Each a mapping with `function`, and `weight` and `args` where wanted.
        data: As in `BuildRecipe`.
        tasks: Which tasks to train on.
        styles: Of the explanations.
        budgets: "one" (exactly one word) or "multi" (any number).
        examples_per_task: Label-balanced, from the training split.
        held_out_examples: Further ones of the training split, by which the run is watched and its
            best checkpoint chosen.
        refresh_steps: Take the predictions in the prompts anew every so many steps; 0 for never.
    """

    rewards: list[dict[str, Any]]
    stage: Literal["grpo"] = "grpo"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    examples_per_task: int = 5_000
    held_out_examples: int = 100
    refresh_steps: int = 0


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
STAGES = {
    "build": Stage(BuildRecipe, "rl-faith build --config"),
    "evaluate": Stage(EvaluateRecipe, "rl-faith evaluate --config"),
    "sft": Stage(
        SFTRecipe,
        "accelerate launch -m rl_faith.training.sft --config",
        (("trl", "trainer/sft_config.py", "SFTConfig"), *_TRAINING),
    ),
    "grpo": Stage(
        GRPORecipe,
        "accelerate launch -m rl_faith.training.grpo --config",
        (("trl", "trainer/grpo_config.py", "GRPOConfig"), *_TRAINING),
    ),
}
