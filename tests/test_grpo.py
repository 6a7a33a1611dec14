"""The GRPO stage on the embedded model: what it is asked, what it logs, and where it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import yaml
from conftest import Fork
from trl import GRPOConfig

from rl_faith.errors import RecipeError, RewardError, TrainingError
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.recipes import GRPORecipe
from rl_faith.tasks import load_examples, load_task
from rl_faith.toy.corpus import data
from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import check_groups, make_trainer, train
from rl_faith.training.prompts import split_examples
from rl_faith.training.trainer import Decisions

RECIPE = "recipes/toy/grpo-self-consistency.yaml"


def arguments(out, **changed):
    """Four steps of four groups of four, a checkpoint after every second one."""
    given = {
        "output_dir": out, "max_steps": 4, "save_steps": 2, "save_total_limit": 9,
        "logging_steps": 1, "num_generations": 4, "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 4,
        "gradient_accumulation_steps": 1, "examples_per_task": 6, "held_out_examples": 3,
        "eval_steps": 2, "disable_tqdm": True, "max_completion_length": 24, "warmup_steps": 0,
        "log_completions": True, "num_completions_to_print": 0, **changed,
    }  # fmt: skip
    return ["--config", RECIPE, *(str(p) for k, v in given.items() for p in (f"--{k}", v))]


def recipe_with(path: Path, reward: str) -> Path:
    """The shipped recipe with another reward."""
    recipe = {**yaml.safe_load(Path(RECIPE).read_text()), "rewards": [{"function": reward}]}
    path.write_text(yaml.safe_dump(recipe))
    return path


def parsed(out, **changed):
    return parse_training("grpo", arguments(out, **changed), GRPOConfig)


def trainer_for(out, **changed):
    return make_trainer(*parsed(out, **changed)[:3])


def history(out: Path) -> list[dict]:
    return json.loads((out / "trainer_state.json").read_text())["log_history"]


def steps(out: Path) -> list[dict]:
    timed = ("step_time", "epoch")
    found = [
        {k: v for k, v in entry.items() if k not in timed and not k.startswith("ask/")}
        for entry in history(out)
        if "reward" in entry
    ]
    assert len(found) == 4
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("grpo")
    train(*parsed(out))
    return out


def test_run_directory_holds_what_every_stage_leaves(trained):
    left = {path.name for path in trained.iterdir()}
    assert left >= {"recipe.yaml", "provenance.json", "model.safetensors", "trainer_state.json"}


def test_trained_model_can_be_loaded(trained):
    assert TransformersPolicy.load(str(trained)).generate([], max_new_tokens=1) == []


def test_weights_have_moved(trained):
    before, after = (TransformersPolicy.load(str(m)).model for m in ("toy", trained))
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(before.get_parameter(name), after.get_parameter(name))


FIGURES = ["unscored", "stale", "accuracy", "reply_characters", "valid", "faithful_all",
           "random_control"]  # fmt: skip


def test_what_the_rewards_ask_is_logged_with_its_share_of_the_time(trained):
    logged = [entry for entry in history(trained) if "reward" in entry]
    for entry in logged:
        assert entry["ask/questions"] >= entry["ask/distinct"] >= entry["ask/cached"]
        assert entry["ask/questions_per_second"] > 0
    assert all(0 < entry["ask/share_of_time"] < 1 for entry in logged[1:])


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_is_logged_at_every_step(trained, figure):
    assert all(entry[f"faith/{figure}"] >= 0 for entry in steps(trained))


def test_what_is_form_of_what_the_rewards_teach_is_logged_where_they_differ(trained):
    differing = [e for e in steps(trained) if e["reward_std"] > 0 and e["frac_reward_zero_std"] < 1]
    shares = [entry["faith/form_share"] for entry in differing]
    assert shares
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)


def test_what_is_form_over_all_steps_is_read_from_the_completions(trained):
    """Between the least and the largest of the steps, for it is their mean, by their spread."""
    logged = [e["faith/form_share"] for e in steps(trained) if "faith/form_share" in e]
    done = subprocess.run(
        [sys.executable, "scripts/form_share.py", trained],
        check=True,
        capture_output=True,
        text=True,
    )
    told = float(done.stdout.splitlines()[-1].split("|")[2])
    assert min(logged) - 0.005 <= told <= max(logged) + 0.005


def test_reward_is_the_mean_of_the_verdicts(trained):
    for entry in steps(trained):
        drop = entry["faith/drop"] * entry["faith/valid"]  # an invalid explanation earns 0
        assert entry["reward"] == pytest.approx(drop, abs=1e-6)


def test_held_out_examples_are_judged_before_and_while_training(trained):
    judged = [e for e in history(trained) if "eval_faithful_all" in e]
    assert [entry["step"] for entry in judged] == [0, 2, 4]
    assert "eval_snli_redaction_one_faithful_all" in judged[0]


def test_completions_stand_beside_their_edit_and_new_prediction(trained):
    (table, *_) = sorted((trained / "completions").glob("*.parquet"))
    frame = pd.read_parquet(table)
    assert {"completion", "outcome", "edited", "new_prediction", "advantage"} <= {*frame.columns}
    assert len(frame) == 16
    name = next(c for c in frame.columns if c.startswith("self_consistency"))
    assert (frame[name][frame["outcome"] == "faithful"] > 0).all()
    assert (frame[name][frame["outcome"].str.startswith("invalid")] == 0).all()


def test_a_stopped_run_goes_on_with_the_same_figures(trained, tmp_path):
    process = Fork(tmp_path / "log.txt", _train, arguments(tmp_path / "run"))
    process.stop_when((tmp_path / "run/checkpoint-2/trainer_state.json").is_file, signal.SIGKILL)
    train(*parsed(tmp_path / "run"))
    wanted, found = steps(trained), steps(tmp_path / "run")
    for a, b in zip(found, wanted, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-4)


def _train(told: list[str]) -> None:
    train(*parse_training("grpo", told, GRPOConfig))


# The prompts


def test_the_best_checkpoint_is_the_one_most_faithful_on_held_out_examples(tmp_path):
    # So large a step that the model is soon worse than it was.
    train(*parsed(
        tmp_path, learning_rate=0.02, max_steps=3, save_steps=1, eval_steps=1, seed=1,
        load_best_model_at_end=True, metric_for_best_model="eval_faithful_all",
    ))  # fmt: skip
    judged = {
        e["step"]: e["eval_faithful_all"] for e in history(tmp_path) if "eval_faithful_all" in e
    }
    best = max((1, 2, 3), key=judged.__getitem__)
    assert judged[best] > judged[3]
    kept, left = (
        TransformersPolicy.load(str(m)).model for m in (tmp_path, tmp_path / f"checkpoint-{best}")
    )
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(kept.get_parameter(name), left.get_parameter(name))


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    return trainer_for(tmp_path_factory.mktemp("trainer"))


def decisions_of(trainer):
    (found,) = [c for c in trainer.callback_handler.callbacks if isinstance(c, Decisions)]
    return found


@pytest.fixture
def decided(trainer):
    """The trainer's rows, with the decisions that the policy takes."""
    decisions_of(trainer).on_train_begin(trainer.args, trainer.state, trainer.control)
    return list(trainer.train_dataset)


def test_each_example_comes_once_for_each_style(decided):
    assert len(decided) == 3 * 6 * 3
    assert len({(r["task"], r["id"], r["style"]) for r in decided}) == len(decided)


def test_prompt_holds_the_policys_own_decision(decided):
    for row in decided:
        question, answer, _ = row["prompt"]
        assert row["input"] in question["content"]
        assert answer == {"role": "assistant", "content": row["prediction"]}
        assert row["initial_prediction"] == row["prediction"]


def test_held_out_examples_are_not_trained_on(trainer):
    trained_on = {(row["task"], row["id"]) for row in trainer.train_dataset}
    held_out = {(task.name, e.id) for task, e in trainer.panel.held_out}
    assert len(held_out) == 9
    assert not held_out & trained_on


def test_skipped_examples_are_neither_trained_on_nor_watched():
    given = {"rewards": [], "data": "toy", "tasks": ["snli"]}
    recipe = GRPORecipe(**given, skip_examples=3, examples_per_task=4, held_out_examples=2)
    drawn = split_examples(recipe, {"snli": load_task("snli")}, seed=0)
    order = load_examples(load_task("snli"), "train", source="toy", n=9, seed=0)
    assert [[e for _, e in part] for part in drawn] == [order[3:7], order[7:]]


def turned(trainer):
    """Make the policy answer anything else than before: the final layer's signs are flipped."""
    with torch.no_grad():
        trainer.model.model.norm.weight.neg_()
    trainer.state.global_step += 1


@pytest.fixture
def drifted(trainer, decided):
    """The trainer after its policy has changed its mind; its callback may refresh."""
    turned(trainer)
    yield decisions_of(trainer)
    turned(trainer)
    trainer.state.global_step -= 2


def test_prompts_stay_as_they_are_without_refresh(trainer, decided, drifted):
    drifted.on_step_begin(trainer.args, trainer.state, trainer.control)
    assert list(trainer.train_dataset) == decided


def test_refresh_takes_the_decisions_anew(trainer, decided, drifted):
    drifted._every = 1
    drifted.on_step_begin(trainer.args, trainer.state, trainer.control)
    drifted._every = 0
    now = list(trainer.train_dataset)
    assert [row["prediction"] for row in now] != [row["prediction"] for row in decided]
    for row in now:
        assert row["prompt"][1]["content"] == row["prediction"]
    assert [r["initial_prediction"] for r in now] == [r["initial_prediction"] for r in decided]


def test_decisions_are_kept_with_the_checkpoint(trained):
    kept = json.loads((trained / "checkpoint-2/decisions.json").read_text())
    first = [[key, max(told, key=told.get)] for key, told in kept["initial"]]
    assert first == kept["current"]
    assert len(kept["current"]) == 3 * 6


# The live policy


def test_answers_follow_the_weights_of_each_step(trainer, decided):
    questions = [trainer.panel.held_out[0][0].ask(e) for t, e in trainer.panel.held_out[:3]]
    before = trainer.live.predict(questions)
    kept = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    with torch.no_grad():
        trainer.model.model.norm.weight.mul_(0.5)
    trainer.state.global_step += 1
    after = trainer.live.predict(questions)
    fresh = TransformersPolicy(trainer.model, trainer.processing_class).predict(questions)
    trainer.model.load_state_dict(kept)
    trainer.state.global_step -= 1
    assert [a.logprobs for a in after] == [pytest.approx(f.logprobs, abs=1e-5) for f in fresh]
    assert [a.logprobs for a in after] != [b.logprobs for b in before]


def test_asking_leaves_the_model_in_training(trainer, decided):
    trainer.model.train()
    trainer.live.predict([trainer.panel.held_out[0][0].ask(trainer.panel.held_out[0][1])])
    trainer.evaluate()
    assert trainer.model.training


# What is refused


def test_groups_that_processes_would_share_are_refused():
    args = SimpleNamespace(per_device_train_batch_size=4, steps_per_generation=3, num_generations=8)
    with pytest.raises(RecipeError, match=r"12 completions at a time .* num_generations 8"):
        check_groups(args)


def test_checkpoints_between_two_uses_of_the_same_completions_are_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"save_steps 2 .*let it be a multiple of 3"):
        trainer_for(tmp_path, num_iterations=3)


def test_weights_in_pieces_are_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"ds3_gather_for_generation is false.*set use_vllm"):
        trainer_for(tmp_path, ds3_gather_for_generation=False)


def test_gradients_that_are_no_numbers_end_the_run(tmp_path):
    trainer = trainer_for(tmp_path)
    weights = next(p for p in trainer.model.parameters() if p.requires_grad)
    weights.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(TrainingError, match="gradients is nan at step 1"):
        trainer.train()
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_failing_reward_ends_the_run_with_its_name(tmp_path):
    reward = tmp_path / "own.py"
    reward.write_text("def broken(completions):\n    raise ValueError('no such thing')\n")
    recipe = recipe_with(tmp_path / "recipe.yaml", f"{reward}:broken")
    told = ["--config", str(recipe), *arguments(tmp_path / "out", eval_on_start=False)[2:]]
    with pytest.raises(RewardError, match="reward broken failed with ValueError: no such thing"):
        train(*parse_training("grpo", told, GRPOConfig))


def test_no_test_input_is_trained_or_watched_on(trainer):
    texts = {row["input"] for row in trainer.train_dataset}
    texts |= {example.input for _, example in trainer.panel.held_out}
    assert not texts & {e.input for name in ("snli", "ag_news") for e in data(name)["test"]}


# Two processes

TWO = """
import json, sys
from trl import GRPOConfig
from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer

trainer = make_trainer(*parse_training("grpo", sys.argv[1:], GRPOConfig)[:3])
assert trainer.accelerator.num_processes == 2
task, example = trainer.panel.held_out[0]
trainer.train()
# As many questions as the rank: one process has none.
asked = [task.ask(example)] * trainer.accelerator.process_index
told = trainer.live.predict(asked)
assert len(told) == len(asked)
if trainer.accelerator.is_main_process:
    print("LOG", json.dumps([e for e in trainer.state.log_history if "reward" in e or "eval_valid" in e]))
"""  # noqa: E501


def two_processes(tmp_path, *told) -> subprocess.CompletedProcess:
    (tmp_path / "two.py").write_text(TWO)
    command = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command, str(tmp_path / "two.py"), *map(str, told)],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_train_on_the_same_groups(tmp_path):
    out = tmp_path / "run"
    done = two_processes(
        tmp_path, *arguments(out, max_steps=2, per_device_train_batch_size=8, eval_steps=2)
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("LOG")]
    entries = json.loads(line.removeprefix("LOG"))
    assert [entry["step"] for entry in entries] == [0, 1, 2, 2]
    assert all(0 <= entry["eval_valid"] <= 1 for entry in entries if "eval_valid" in entry)


@pytest.mark.slow
def test_a_reward_that_fails_in_one_process_ends_both(tmp_path):
    (tmp_path / "own.py").write_text(
        "import os\n"
        "def broken(completions):\n"
        "    if os.environ['RANK'] == '1':\n"
        f"        open({str(tmp_path / 'failed')!r}, 'w').close()\n"
        "        raise ValueError('no such thing')\n"
        "    return [0.0] * len(completions)\n"
    )
    recipe = recipe_with(tmp_path / "recipe.yaml", f"{tmp_path}/own.py:broken")
    told = arguments(tmp_path / "run", per_device_train_batch_size=8, eval_on_start=False)
    done = two_processes(tmp_path, "--config", recipe, *told[2:])
    assert done.returncode != 0
    assert "reward broken failed with ValueError: no such thing" in done.stderr
    assert time.time() - (tmp_path / "failed").stat().st_mtime < 60
