"""No token, key or password reaches the files of a run."""

import sys
from pathlib import Path

import pytest

from rl_faith.plain_yaml import read_yaml
from rl_faith.runs import Run

SECRET = "s3cret-Of-mine"


def written(folder: Path, recipe: dict, *arguments: str) -> str:
    """Everything that a run with this recipe and command line writes down at its start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sft.py", *arguments])
        Run(folder).open(recipe, device="cpu", seed=0)
    return "".join(file.read_text() for file in folder.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--hub_token", SECRET], ["--hub-token", SECRET], [f"--hub_token={SECRET} {SECRET}"]),
        *(["--push_to_hub_token", SECRET], [f"--api_key={SECRET}"], ["--wandb_api_key", SECRET]),
        *(["--env", f"HF_TOKEN={SECRET}"], ["--model_init_kwargs", f'{{"token": "{SECRET}"}}']),
        *(["--rewards", f"[{{'args': {{'api_key': '{SECRET}'}}}}]"], ["--password", SECRET]),
        *(["--base_urls", f"http://me:{SECRET}@host:8000"], [f"--base_urls=http://{SECRET}@host"]),
        *(["--out", "hf_" + SECRET.replace("-", "") * 2], ["--out", f"sk-{SECRET}-{SECRET}"]),
    ],
    ids=lambda arguments: arguments[0][:12],
)
def test_a_secret_of_the_command_line_is_not_written(arguments, tmp_path):
    told = written(tmp_path, {}, *arguments, "--seed", "1")
    assert SECRET not in told
    assert SECRET.replace("-", "") not in told
    assert '"--seed",\n    "1"' in told


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD"]
)
def test_a_secret_of_the_environment_is_written_nowhere(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, SECRET)
    assert SECRET not in written(tmp_path, {"data": f"/x/{SECRET}/y"}, "--out", f"o/{SECRET}")


@pytest.mark.parametrize(
    "recipe",
    [
        {"hub_token": SECRET},
        {"model_init_kwargs": {"token": SECRET}},
        {"rewards": [{"function": "own.py:f", "args": {"api_key": SECRET}}]},
        {"data": f"https://me:{SECRET}@host/data"},
    ],
    ids=lambda recipe: next(iter(recipe)),
)
def test_a_secret_of_the_recipe_is_not_copied(recipe, tmp_path):
    assert SECRET not in written(tmp_path, recipe)


def test_what_is_no_secret_is_copied_as_it_is(tmp_path):
    recipe = {
        "eos_token": "</s>", "pad_token": "<pad>", "max_new_tokens": 7, "hub_token": None,
        "tokenizer": "a/b", "monkey": "m", "data": "hf_data", "seeds": [1, 2.5, True],
    }  # fmt: skip
    written(tmp_path, recipe)
    assert read_yaml((tmp_path / "recipe.yaml").read_text()) == recipe


def test_a_run_with_a_secret_goes_on(tmp_path):
    for _ in range(2):
        written(tmp_path, {"hub_token": SECRET})
