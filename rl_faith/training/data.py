"""Training pairs for the SFT stage: prompt and completion as conversations."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from datasets import Dataset, concatenate_datasets, load_dataset
from datasets.exceptions import DatasetGenerationError

from rl_faith.errors import DataError, RecipeError, one_line
from rl_faith.policies.chat import TEMPLATE_ARGUMENTS
from rl_faith.questions import assistant, to_chat
from rl_faith.recipes import SFTRecipe
from rl_faith.runs import Row, read_rows
from rl_faith.tasks import load_examples, load_task
from rl_faith.toy.dialogues import decisions

Pair = dict[str, Any]
_PAIR = ("prompt", "completion")
_TURN = ("role", "content")


def training_pairs(recipe: SFTRecipe, *, seed: int) -> Dataset:
    """The pairs the recipe names, with the replay pairs behind them (Doi, 3.2)."""
    if recipe.replay_predictions and recipe.train_on != "explanations":
        raise RecipeError("replay_predictions needs a build, so train_on must be 'explanations'")
    pairs = _explanations(recipe) if recipe.train_on == "explanations" else _labels(recipe, seed)
    if not pairs:
        raise DataError("the recipe selects no training pair; see its tasks and styles")
    if recipe.replay_predictions:
        pairs += _predictions(pairs, recipe, seed)
    # The same switches as when the policy is asked, or training would render another prompt.
    pairs = [_rendered(pair["prompt"], pair["completion"]) for pair in pairs]
    own = Dataset.from_list(pairs)
    return concatenate_datasets([own, _replay(recipe, seed)]) if recipe.replay_examples else own


def _explanations(recipe: SFTRecipe) -> list[Pair]:
    if recipe.build is None:
        raise RecipeError("train_on is 'explanations', so the recipe must name a build directory")
    file = Path(recipe.build, "train.jsonl")
    if not file.is_file():
        raise DataError(f"{recipe.build} holds no train.jsonl; finish its build first")
    tasks = {load_task(name).name for name in recipe.tasks}
    return [
        {"probabilities": row.get("probabilities"), **{key: row[key] for key in _PAIR}}
        for row in read_rows(file)
        if row["task"] in tasks and _chosen(row, recipe)
    ]


def _chosen(row: Row, recipe: SFTRecipe) -> bool:
    """Whether the recipe names what the pair explains: an insertion, or a style and budget."""
    if "intervention" in row:
        return recipe.interventions is None or row["intervention"] in recipe.interventions
    return row["style"] in recipe.styles and row["budget"] in recipe.budgets


def _predictions(explained: list[Pair], recipe: SFTRecipe, seed: int) -> list[Pair]:
    """Questions of the build, each with a label drawn from the model's own distribution over them.

    The loss of the explanation pairs skips the decision, which therefore drifts; a model whose
    decisions are others than those explained to it cannot explain them. Always the most probable
    label would make it surer than it was: another way to be another model.
    """
    # An explanation's prompt is question, prediction, request; styles share the first.
    asked = {str(pair["prompt"][:-2]): pair for pair in explained}
    if len(asked) < recipe.replay_predictions:
        raise DataError(
            f"{recipe.build} explains {len(asked)} predictions, fewer than replay_predictions "
            f"{recipe.replay_predictions}"
        )
    rng = Random(seed)
    chosen = rng.sample(list(asked.values()), recipe.replay_predictions)
    if not all(pair["probabilities"] for pair in chosen):
        raise DataError(
            f"{recipe.build} was built by an earlier version, whose pairs hold no probabilities "
            "for replay_predictions; run its build again, which asks nothing that it has asked"
        )
    return [{"prompt": pair["prompt"][:-2], "completion": _drawn(pair, rng)} for pair in chosen]


def _drawn(pair: Pair, rng: Random) -> list[dict[str, str]]:
    told = pair["probabilities"]
    return to_chat((assistant(rng.choices(list(told), weights=list(told.values()))[0]),))


def _labels(recipe: SFTRecipe, seed: int) -> list[Pair]:
    """The paper's "w/ Predictions" baseline: the data's labels instead of explanations (4.1)."""
    n = recipe.examples_per_task
    return [
        {
            "prompt": to_chat(task.ask(example).conversation),
            "completion": to_chat((assistant(example.gold),)),
        }
        for task in map(load_task, recipe.tasks)
        for example in load_examples(task, "train", source=recipe.data, n=n, seed=seed)
    ]


def _replay(recipe: SFTRecipe, seed: int) -> Dataset:
    """Instruction samples by count; the last turn of each is the completion."""
    if recipe.replay is None:
        raise RecipeError("replay_examples is set, so the recipe must name a replay data set")
    rows = _replay_rows(recipe.replay, recipe.replay_examples)
    if "messages" not in rows.column_names:
        raise DataError(f"{recipe.replay} has no column 'messages'; it has {rows.column_names}")
    rows = rows.filter(_is_answered)
    if len(rows) < recipe.replay_examples:
        raise DataError(
            f"{recipe.replay} has {len(rows)} rows that end with an answer, "
            f"fewer than {recipe.replay_examples}"
        )
    chosen = rows.shuffle(seed=seed).select(range(recipe.replay_examples))
    return Dataset.from_list([_replay_pair(row["messages"]) for row in chosen])


def _replay_rows(where: str, wanted: int) -> Dataset:
    """Every row there is; of the endless toy conversations as many as are wanted."""
    if where == "toy":
        chats = islice(decisions(0), wanted)
        return Dataset.from_list([{"messages": to_chat(d.conversation)} for d in chats])
    try:
        if Path(where).suffix in (".jsonl", ".json"):
            return load_dataset("json", data_files=where, split="train")
        return load_dataset(where, split="train")
    except (OSError, ValueError, DatasetGenerationError) as error:
        cause = one_line(error.__cause__ or error)
        raise DataError(f"replay data {where} could not be read: {cause}") from None


def _is_answered(row: dict[str, Any]) -> bool:
    turns = row["messages"] if isinstance(row["messages"], list) else []
    texts = (t.get(key) if isinstance(t, dict) else None for t in turns for key in _TURN)
    whole = all(isinstance(text, str) for text in texts)
    return len(turns) > 1 and whole and turns[-1]["role"] == "assistant"


def _replay_pair(messages: list[dict[str, str]]) -> Pair:
    turns = [{key: message[key] for key in _TURN} for message in messages]
    return _rendered(turns[:-1], turns[-1:])


def _rendered(prompt: list[dict[str, str]], completion: list[dict[str, str]]) -> Pair:
    kwargs = TEMPLATE_ARGUMENTS
    return {"prompt": prompt, "completion": completion, "chat_template_kwargs": kwargs}


def fitting(
    pairs: Dataset, length: Callable[[Pair], int], limit: int | None
) -> tuple[Dataset, int]:
    """The pairs of at most `limit` tokens, and how many were longer.

    TRL would cut the completion of a longer one, or drop it, without a word.

    Raises:
        DataError: every pair is longer.
    """
    if limit is None:
        return pairs, 0
    kept = pairs.filter(lambda pair: length(pair) <= limit)
    if not len(kept):
        raise DataError(f"every one of the {len(pairs)} pairs is longer than max_length {limit}")
    return kept, len(pairs) - len(kept)
