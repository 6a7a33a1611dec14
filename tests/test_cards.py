"""Model cards: what a training writes beside its weights, and what the Hub gets of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import sft_overrides
from fake_hub import serving
from huggingface_hub import ModelCard
from trl import GRPOConfig

from rl_faith.cards import Progress, add_held_out, write_card
from rl_faith.cards.origin import hub_base, tasks_and_data
from rl_faith.runs import read_rows
from rl_faith.toy import MODELS
from rl_faith.training.arguments import parse_training
from rl_faith.training.carded import Carded
from rl_faith.training.grpo import train

TOKEN = "hf_0123456789abcdefghij"
TASKS = ["sentiment140", "snli"]


@pytest.fixture(scope="module")
def reinforced(tmp_path_factory) -> Path:
    """Two steps of GRPO, judged on held-out examples before and behind."""
    out = tmp_path_factory.mktemp("runs") / "reinforced"
    given = {
        "output_dir": out, "max_steps": 2, "save_steps": 2, "eval_steps": 2, "num_generations": 4,
        "per_device_train_batch_size": 16, "examples_per_task": 6, "held_out_examples": 5,
        "disable_tqdm": True, "max_completion_length": 24, "report_to": "none", "logging_steps": 1,
    }  # fmt: skip
    overrides = [str(part) for key, value in given.items() for part in (f"--{key}", value)]
    recipe = ["--config", "recipes/toy/grpo-self-consistency.yaml", "--tasks", *TASKS]
    train(*parse_training("grpo", [*recipe, *overrides], GRPOConfig))
    return out


@pytest.fixture
def copied(reinforced, tmp_path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(reinforced, tmp_path / "model")


def card_of(folder: Path) -> ModelCard:
    return ModelCard.load(folder / "README.md")


def scores_in(card: ModelCard) -> dict[tuple[str, str], float]:
    """By task and name of the metric."""
    return {
        (r.dataset_name.split()[0], r.metric_name): r.metric_value for r in card.data.eval_results
    }


# What a training writes


def test_scores_are_those_of_the_last_evaluation(reinforced):
    log = json.loads((reinforced / "trainer_state.json").read_text())["log_history"]
    last = [entry for entry in log if "eval_faithful_all" in entry][-1]
    found = scores_in(card_of(reinforced))
    for task in TASKS:
        for style in ("attribution", "redaction", "counterfactual"):
            wanted = last[f"eval_{task}_{style}_one_faithful_all"]
            assert found[task, f"faithful_all, {style}, one word"] == pytest.approx(wanted)


def test_every_score_has_its_n_and_interval(reinforced):
    for result in card_of(reinforced).data.eval_results:
        told = result.metric_args
        assert told["low"] <= result.metric_value <= told["high"]
        assert told["n"] == 5


def test_table_shows_the_model_before_training_beside_it(reinforced):
    before = read_rows(reinforced / "held_out.jsonl")[0]
    assert before["step"] == 0
    rows = re.findall(r"^\| (?:sentiment140|snli) \| .*$", card_of(reinforced).text, re.MULTILINE)
    told = [row.split(" | ")[-2].split()[0] for row in rows]
    assert told == [f"{cell['faithful_all']['value']:.2f}" for cell in before["cells"]]


def test_card_says_what_it_is(reinforced):
    data = card_of(reinforced).data
    assert data.library_name == "transformers"
    assert data.pipeline_tag == "text-generation"
    assert {"rl-faith", "grpo"} <= set(data.tags)


def test_recipe_in_the_card_is_that_of_the_run(reinforced):
    text = card_of(reinforced).text
    told = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert told == yaml.safe_load((reinforced / "recipe.yaml").read_text())


def test_what_the_card_says_of_loading_works(reinforced, monkeypatch):
    monkeypatch.chdir(reinforced.parent)
    code = card_of(reinforced).text.split("```python\n")[1].split("```")[0]
    loaded: dict = {}
    exec(code, loaded)
    assert loaded["model"].config.vocab_size >= len(loaded["tokenizer"])


def test_card_of_an_adapter_says_so(adapter):
    card = card_of(adapter)
    assert card.data.library_name == "peft"
    assert "AutoPeftModelForCausalLM" in card.text
    assert "None: this run judged no explanations" in card.text


def test_no_folder_of_this_machine_stands_in_a_card(adapter, reinforced, built):
    for folder in (adapter, reinforced):
        text = (folder / "README.md").read_text()
        assert not [path for path in (adapter, reinforced, built) if str(path.parent) in text]


def test_embedded_model_is_no_base_model_of_the_hub(reinforced):
    assert card_of(reinforced).data.base_model is None


def test_only_the_main_process_writes(tmp_path):
    other = SimpleNamespace(is_world_process_zero=lambda: False)
    Carded.create_model_card(other, model_name="m")
    assert not [*tmp_path.iterdir()]


def progress(step: int) -> Progress:
    return Progress("", adapter=False, rows=1, step=step, steps=4, log=[])


def test_scores_of_a_best_checkpoint_are_those_of_its_step(copied):
    cells = read_rows(copied / "held_out.jsonl")[0]["cells"]
    later = [{**c, "faithful_all": {**c["faithful_all"], "value": 1.0}} for c in cells]
    add_held_out(copied, 4, later)
    write_card(copied, progress(3))
    assert 1.0 not in [v for (_, name), v in scores_in(card_of(copied)).items() if "faith" in name]
    write_card(copied, progress(4))
    assert 1.0 in scores_in(card_of(copied)).values()


def test_evaluation_that_is_repeated_after_a_kill_counts_once(copied):
    cells = read_rows(copied / "held_out.jsonl")[-1]["cells"]
    add_held_out(copied, 2, cells[:1])
    kept = read_rows(copied / "held_out.jsonl")
    assert [row["step"] for row in kept] == [0, 2]
    assert kept[-1]["cells"] == cells[:1]


def test_card_of_a_folder_without_records_is_still_written(tmp_path):
    write_card(tmp_path, progress(0))
    assert "# " + tmp_path.name in (tmp_path / "README.md").read_text()


# Where it comes from


def test_base_model_is_found_through_the_runs_above_it(tmp_path):
    first, second, third = (tmp_path / name for name in ("sft", "lora", "rl"))
    for folder in (first, second, third):
        folder.mkdir()
    (first / "recipe.yaml").write_text("model_name_or_path: allenai/tulu-2-7b\n")
    (second / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(first)}))
    (third / "recipe.yaml").write_text(f"model_name_or_path: {second}\n")
    assert hub_base(str(third)) == "allenai/tulu-2-7b"


def test_folder_without_a_history_has_no_base_model(tmp_path):
    assert hub_base(str(tmp_path)) is None


def test_data_of_a_fine_tuning_are_those_of_its_build(built):
    assert tasks_and_data({"build": str(built)})[1] == "toy"


# What an evaluation adds


@pytest.fixture(scope="module")
def evaluated(reinforced, tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the model, and an evaluation of it on six test examples a task."""
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    folder = tmp_path_factory.mktemp("evaluated")
    model = shutil.copytree(reinforced, folder / "model")
    told = ["--models", "base=toy", f"rl={model}", "--examples_per_task", "6", "--tasks", *TASKS]
    where = ["--config", "recipes/toy/evaluate.yaml", "--out", str(folder / "run")]
    main(["evaluate", *where, *told])
    return model, folder / "run"


def test_test_scores_stand_in_the_card_and_its_metadata(evaluated, cli):
    model, run = evaluated
    assert cli("card", run).code == 0
    results = json.loads((run / "results.json").read_text())["cells"]
    card = card_of(model)
    found = scores_in(card)
    for cell in results:
        if cell["model"] == "rl":
            value = found[cell["task"], f"faithful_all, {cell['style']}, one word"]
            assert value == pytest.approx(cell["faithful_all"]["value"], abs=1e-4)
    assert {r.dataset_split for r in card.data.eval_results} == {"test"}
    assert "Audit for gaming against `base`" in card.text


def test_a_second_evaluation_replaces_the_first(evaluated, cli):
    model, run = evaluated
    cli("card", run)
    once = (model / "README.md").read_text()
    cli("card", run)
    assert (model / "README.md").read_text() == once
    assert once.count("## Scores on test examples") == 1


def test_model_that_is_still_to_be_evaluated_is_left_alone(evaluated, tmp_path, cli):
    model, run = evaluated
    later = shutil.copytree(model, tmp_path / "later")
    begun = shutil.copytree(run, tmp_path / "run")
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["models"].append(f"later={later}")
    (begun / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    before = (later / "README.md").read_text()
    assert cli("card", begun).code == 0
    assert (later / "README.md").read_text() == before


def test_card_of_someone_else_is_left_alone(evaluated, cli):
    model, run = evaluated
    whole = (model / "README.md").read_text()
    (model / "README.md").write_text("# mine\n")
    refused = cli("card", run)
    assert (model / "README.md").read_text() == "# mine\n"
    (model / "README.md").write_text(whole)
    assert refused.code == 2
    assert "has judged no folder with a model card of a training" in refused.error


def test_phi_stands_in_the_card_too(tmp_path, cli):
    model = shutil.copytree(MODELS["toy-errands"], tmp_path / "model")
    write_card(model, progress(0))
    recipe = ["--config", "recipes/toy/phi-evaluate.yaml", "--examples_per_task", "4"]
    models = ["--models", "base=toy-errands", f"rl={model}"]
    cli("evaluate", *recipe, *models, "--out", tmp_path / "run")
    assert cli("card", tmp_path / "run").code == 0
    cells = json.loads((tmp_path / "run" / "results.json").read_text())["cells"]
    found = scores_in(card_of(model))
    wanted = next(c for c in cells if c["model"] == "rl" and c["intervention"] == "toy_word")
    assert found["strategyqa", "phi, toy_word"] == pytest.approx(wanted["phi"]["value"], abs=1e-4)


# The Hub


@pytest.fixture(scope="module")
def pushed(built, tmp_path_factory):
    """Six steps pushed to a stand-in for the Hub, at HF_ENDPOINT, by the real command."""
    out = tmp_path_factory.mktemp("pushed") / "model"
    hub_keys = {
        "push_to_hub": "true", "hub_model_id": "someone/faithful", "hub_private_repo": "true",
        "hub_token": TOKEN,
    }  # fmt: skip
    told = [part for key, value in hub_keys.items() for part in (f"--{key}", value)]
    command = [sys.executable, "-m", "rl_faith.training.sft", "--config", "recipes/toy/sft.yaml"]
    plain = ["--replay_examples", "0", "--replay_predictions", "0"]
    with serving() as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "CI": "1"}
        environment.pop("HF_TOKEN", None)
        subprocess.run(
            [*command, *sft_overrides(built, out), *plain, *told],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
    return hub, out


@pytest.mark.slow
class TestHub:
    def test_repository_is_made_as_the_recipe_says(self, pushed):
        (made,) = pushed[0].created
        wanted = {"name": "faithful", "organization": "someone"}
        assert wanted.items() <= made.items()
        assert made.get("visibility") == "private" or made.get("private") is True

    def test_every_checkpoint_and_the_end_are_pushed(self, pushed):
        said = [message for message, _ in pushed[0].commits]
        assert said[-1] == "Model save"
        assert any(message.startswith("Training in progress") for message in said)

    def test_model_is_pushed_with_its_card(self, pushed):
        hub, out = pushed
        for name in ("README.md", "model.safetensors", "recipe.yaml"):
            assert hub.files[name] == (out / name).read_bytes()

    def test_card_says_where_it_was_pushed(self, pushed):
        assert 'from_pretrained("someone/faithful")' in pushed[0].files["README.md"].decode()

    def test_checkpoints_are_not_pushed(self, pushed):
        assert not [path for path in pushed[0].files if path.startswith("checkpoint-")]

    def test_pushed_with_the_token_of_the_recipe(self, pushed):
        assert pushed[0].tokens == {f"Bearer {TOKEN}"}

    def test_token_is_in_no_file(self, pushed):
        hub, out = pushed
        left = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
        assert not [
            content for content in (*hub.files.values(), *left) if TOKEN.encode() in content
        ]
