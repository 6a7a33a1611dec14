"""Recipes: every shipped one is sound, and everything else is refused with a useful sentence."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from rl_faith.errors import RecipeError, RLFaithError
from rl_faith.interventions import load_intervention
from rl_faith.recipes import (
    COUNTERFACTUAL,
    STAGES,
    check_arguments,
    check_recipe,
    known_keys,
    parse_recipe,
)

RECIPES = sorted(Path("recipes").glob("*/*.yaml"))
INTERVENTIONS = sorted(Path("recipes").glob("*/interventions/*.yaml"))
BUILD = {"stage": "build", "out": "o", "model_name_or_path": "toy"}
EVALUATE = {"stage": "evaluate", "out": "o", "models": ["a=toy"]}
SFT = {"stage": "sft", "model_name_or_path": "toy", "output_dir": "o"}


@pytest.fixture
def recipe(tmp_path):
    def write(content):
        path = tmp_path / "recipe.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def _library(stage):
    from trl import GRPOConfig, ModelConfig, SFTConfig  # noqa: PLC0415 - takes seconds

    configs = {"sft": SFTConfig, "grpo": GRPOConfig}
    return (configs[stage], ModelConfig) if stage in configs else ()


def _parse(path, stage):
    import torch  # noqa: PLC0415 - takes seconds

    # TRL's default of bf16 is refused on a machine without an accelerator.
    cpu = stage in ("sft", "grpo") and not torch.accelerator.is_available()
    given = ["--use_cpu", "true"] if cpu else []
    return parse_recipe(stage, ["--config", str(path), *given], *_library(stage))


def test_there_are_recipes():
    assert len(RECIPES) >= 20


@pytest.mark.parametrize("path", RECIPES, ids=str)
def test_shipped_recipe_passes_the_check(path):
    assert check_recipe(path) == yaml.safe_load(path.read_text())["stage"]


@pytest.mark.parametrize("path", [p for p in INTERVENTIONS if "held-out" not in p.stem], ids=str)
def test_shipped_intervention_that_is_trained_on_goes_by_the_name_of_its_kind(path):
    assert load_intervention(str(path)).name == yaml.safe_load(path.read_text())["kind"]


@pytest.mark.parametrize("path", RECIPES, ids=str)
def test_trl_reads_every_value_of_a_shipped_recipe(path):
    raw = yaml.safe_load(path.read_text())
    parsed = {k: v for part in _parse(path, raw["stage"]) for k, v in vars(part).items()}
    assert {key: parsed[key] for key in raw} == raw


@pytest.mark.parametrize(
    ("name", "stage"), [*STAGES.items(), *COUNTERFACTUAL.items()], ids=lambda v: str(v)[:30]
)
def test_keys_read_from_the_source_are_those_of_the_classes(name, stage):
    classes = (stage.recipe, *_library(name))
    assert known_keys(stage) == {f.name for c in classes for f in fields(c)}


@pytest.mark.parametrize("given", [["--test", "counterfactual"], ["--test=counterfactual"]])
def test_the_test_can_be_chosen_on_the_command_line(recipe, given):
    (parsed,) = parse_recipe("build", ["--config", str(recipe(BUILD)), *given])
    assert type(parsed) is COUNTERFACTUAL["build"].recipe


def test_keys_of_the_other_test_are_refused(recipe):
    with pytest.raises(RecipeError, match="unknown key 'styles'"):
        check_recipe(recipe({**BUILD, "test": "counterfactual", "styles": ["redaction"]}))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({**BUILD, "exmples_per_task": 3}, "did you mean 'examples_per_task'"),
        ({**SFT, "learning_rat": 1e-4}, "did you mean 'learning_rate'"),
        ({**SFT, "lora_rank": 4}, "unknown key 'lora_rank'"),
        ({**BUILD, 7: 3}, "unknown key 7"),
        ({"out": "o"}, "stage is None; it must be one of build, evaluate, sft"),
        ({**BUILD, "stage": ["build"]}, "it must be one of"),
        ({"stage": "build", "out": "o"}, "the key 'model_name_or_path' is missing"),
        ({**BUILD, "chunk": "64"}, "chunk is '64'; it must be a whole number"),
        ({**BUILD, "seed": True}, "seed is True; it must be a whole number"),
        ({**BUILD, "tasks": "snli"}, "it must be a list, each item a text"),
        ({**EVALUATE, "mode": "change"}, "it must be 'changed' or 'madsen'"),
        ({**EVALUATE, "ceiling_examples": "all"}, "it must be a whole number or null"),
        ({**EVALUATE, "budgets": ["two"]}, "unknown budget 'two'; known: one, multi"),
        ({**BUILD, "chunk": 0}, "chunk is 0; it must be at least 1"),
        ({**BUILD, "examples_per_task": -1}, "it must be at least 1"),
        ({**BUILD, "tasks": []}, "it must hold one item or more, each once"),
        ({**BUILD, "styles": ["redaction", "redaction"]}, "each once"),
        ({**BUILD, "tasks": ["ag_new"]}, "did you mean 'ag_news'"),
        ({**BUILD, "tasks": ["mine.yaml"]}, "there is no task file mine.yaml"),
        ({**BUILD, "styles": ["redactions"]}, "did you mean 'redaction'"),
        (
            {**EVALUATE, "tasks": ["esnli"], "styles": ["redaction"], "budgets": ["multi"]},
            "task 'esnli' has no multi-word prompt for style 'redaction'; add instructions.redac",
        ),
        ("a: [1", "is not valid YAML"),
        ("- stage: build", "must be a mapping"),
        ("", "must be a mapping"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unsound_recipe_is_refused_with_one_line(recipe, content, told):
    with pytest.raises(RLFaithError, match=re.escape(told)) as refused:
        check_recipe(recipe(content))
    assert "\n" not in str(refused.value)


def test_fine_tuning_on_labels_needs_no_prompt_for_an_explanation(recipe):
    content = {**SFT, "train_on": "predictions", "tasks": ["esnli"], "styles": ["redaction"]}
    assert check_recipe(recipe(content)) == "sft"


@pytest.mark.parametrize(
    "key", ["load_in_4bit", "model_revision", "trust_remote_code", "model_init_kwargs"]
)
def test_key_that_the_stages_would_pass_over_is_refused(recipe, key):
    path = recipe({**SFT, key: "x"})
    with pytest.raises(RecipeError, match=f"{key} is not supported: "):
        check_recipe(path)
    with pytest.raises(RecipeError, match=f"--{key} of sft is not supported: "):
        check_arguments("sft", ["--config", str(recipe(SFT)), f"--{key}", "x"])


def test_recipe_that_is_not_there_is_refused():
    with pytest.raises(RecipeError, match=r"none\.yaml cannot be read: No such file"):
        check_recipe("none.yaml")


def test_folder_instead_of_a_recipe_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        check_recipe(tmp_path)


@pytest.mark.parametrize(
    ("content", "stage", "command"),
    [
        (BUILD, "evaluate", "rl-faith build --config"),
        (EVALUATE, "sft", "rl-faith evaluate --config"),
        (SFT, "build", "accelerate launch -m rl_faith.training.sft --config"),
    ],
)
def test_recipe_of_another_stage_names_the_command(recipe, content, stage, command):
    with pytest.raises(RecipeError, match=re.escape(f"run it with: {command}")):
        check_recipe(recipe(content), stage)


def test_key_given_on_the_command_line_may_be_missing_in_the_file(recipe):
    path = recipe({"stage": "build", "out": "o"})
    check_arguments("build", ["--config", str(path), "--model-name-or-path", "toy"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--examples", "3"], "unknown override --examples of build"),
        (["--chnk=3"], "did you mean 'chunk'"),
        (["--no_chnk"], "did you mean 'chunk'"),
    ],
)
def test_unknown_override_is_refused(recipe, given, told):
    with pytest.raises(RecipeError, match=re.escape(told)):
        check_arguments("build", ["--config", str(recipe(BUILD)), *given])


@pytest.mark.parametrize("arguments", [[], ["--config"], ["--output_dir", "o"]])
def test_stage_without_a_recipe_names_the_command(arguments):
    with pytest.raises(RecipeError, match="name a recipe: accelerate launch"):
        check_arguments("sft", arguments)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--chunk", "many"], "argument --chunk: invalid int value: 'many'"),
        (["--chunk", "0"], "chunk is 0; it must be at least 1"),
        (["--chunk"], "expected one argument"),
        (["--tasks", "snly"], "did you mean 'snli'"),
        (["--styles", "redactio"], "did you mean 'redaction'"),
        (["3"], "['3']"),
    ],
)
def test_unsound_value_of_an_override_is_refused_with_one_line(recipe, given, told):
    with pytest.raises(RLFaithError, match=re.escape(told)) as refused:
        parse_recipe("build", ["--config", str(recipe(BUILD)), *given])
    assert "\n" not in str(refused.value)


def test_override_wins_over_the_file(recipe):
    (parsed,) = parse_recipe(
        "build", ["--config", str(recipe(BUILD)), "--tasks", "snli", "ag_news"]
    )
    assert parsed.tasks == ["snli", "ag_news"]


def test_check_is_the_same_after_trl_has_parsed(recipe):
    path = recipe({**EVALUATE, "ceiling_examples": None})
    parse_recipe("evaluate", ["--config", str(path)])
    assert check_recipe(path) == "evaluate"


def test_two_task_files_of_the_same_name_are_refused(recipe, tmp_path):
    source = Path("rl_faith/tasks/snli.yaml").read_text()
    names = [tmp_path / folder / "mine.yaml" for folder in "ab"]
    for name in names:
        name.parent.mkdir()
        name.write_text(source)
    with pytest.raises(RecipeError, match="two tasks have the same name: mine, mine"):
        check_recipe(recipe({**BUILD, "tasks": [*map(str, names)]}))
