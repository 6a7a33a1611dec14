"""Two processes under DeepSpeed learn what one learns, and see what one sees.

Three launches, with one process, two under ZeRO-2 and two under ZeRO-3, run the same trainings.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import assert_same

pytest.importorskip("deepspeed", reason="needs DeepSpeed: bash scripts/test_deepspeed.sh")

from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.runs import read_rows
from rl_faith.tasks import load_examples, load_task

pytestmark = [pytest.mark.deepspeed, pytest.mark.slow]

SFT_LORA, SFT_FULL = "recipes/toy/sft-lora.yaml", "recipes/toy/sft-predictions.yaml"
PHI = "recipes/toy/grpo-phi.yaml"
SFT = {"train_on": "predictions", "data": "toy", "examples_per_task": 40, "lora_dropout": 0.0}
LORA = {"use_peft": True, "lora_target_modules": "all-linear", "learning_rate": 0.005,
        "lora_dropout": 0.0}  # fmt: skip
RUNS = ["sft-lora", "sft-full", "sft-shared", "sft-on-adapter", "grpo-lora", "grpo-full"]
# Asks as many new questions as the rank is high, so that one process has none.
ASKS = """
import os
from rl_faith.questions import Question, user

def asks(completions, questions, repredict):
    some = questions[: int(os.environ.get("RANK", 0))]
    asked = [Question((user(q.conversation[0].content + "?"),), q.labels) for q in some]
    assert len(repredict(asked)) == len(asked)
    return [0.0] * len(completions)
"""


def trainings(root, config, processes, pool):
    """What is run, with global batches that do not depend on the number of processes."""

    def told(stage, recipe, name, batch, **more):
        given = {
            "output_dir": root / name, "max_steps": 3, "save_steps": 3, "logging_steps": 1,
            "per_device_train_batch_size": batch // processes, "warmup_steps": 0, "use_cpu": True,
            "gradient_accumulation_steps": 1, "disable_tqdm": True, "report_to": "none", **more,
        }  # fmt: skip
        return [
            stage,
            ["--config", str(recipe), *(str(p) for k, v in given.items() for p in (f"--{k}", v))],
        ]

    (root / "asks.py").write_text(ASKS)
    toy = yaml.safe_load(Path("recipes/toy/grpo-self-consistency.yaml").read_text())
    toy["rewards"].append({"function": f"{root / 'asks.py'}:asks"})
    (root / "grpo.yaml").write_text(yaml.safe_dump(toy))
    rollouts = {"num_generations": 4, "per_device_eval_batch_size": 4, "held_out_examples": 3,
                "max_completion_length": 16, "eval_steps": 9}  # fmt: skip
    grpo = {**rollouts, "tasks": "sentiment140", "styles": "attribution", "examples_per_task": 12}
    on_adapter = {**SFT, "model_name_or_path": root / "sft-lora", "learning_rate": 0.002}
    grid = ["--config", "recipes/toy/evaluate.yaml", "--models", "toy", "--examples_per_task", "3"]
    return [
        ["evaluate", [*grid, "--tasks", "snli", "--out", str(root / "grid")]],
        told("sft", SFT_LORA, "sft-lora", 8, **SFT, learning_rate=0.01),
        told("sft", SFT_LORA, "sft-bfloat16", 8, **SFT, dtype="bfloat16", bf16=True),
        told("sft", SFT_FULL, "sft-full", 8, **SFT),
        told("sft", SFT_FULL, "sft-shared", 8, **SFT, share_prompts=config != "zero3-cpu"),
        told("sft", SFT_FULL, "sft-on-adapter", 8, **on_adapter),
        told("grpo", root / "grpo.yaml", "grpo-lora", 16, **grpo, **LORA),
        told("grpo", root / "grpo.yaml", "grpo-full", 16, **grpo),
        told("grpo", root / "grpo.yaml", "replay", 16, **grpo, **LORA, replay_predictions=3),
        told("grpo", PHI, "phi", 16, **rollouts, pool=pool),
    ]


def launched(root, config, processes, pool):
    """Run the trainings under a configuration; return where they are."""
    jobs = root / "jobs.json"
    jobs.write_text(json.dumps(trainings(root, config, processes, pool)))
    command = ["-m", "accelerate.commands.launch", "--config_file", f"ds_configs/{config}.yaml",
               "--main_process_port", "0", "tests/sharded.py", str(jobs)]  # fmt: skip
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    assert f"processes: {processes}\n" in done.stdout
    return root


@pytest.fixture(scope="module")
def one(tmp_path_factory, pool):
    return launched(tmp_path_factory.mktemp("one"), "single", 1, pool)


@pytest.fixture(scope="module", params=["zero2-cpu", "zero3-cpu"])
def two(request, tmp_path_factory, pool):
    return launched(tmp_path_factory.mktemp(request.param), request.param, 2, pool)


def probabilities(model):
    """Of every label, for held-out questions."""
    policy = TransformersPolicy.load(str(model), device="cpu")
    tasks = [load_task(name) for name in ("sentiment140", "snli")]
    questions = [
        t.ask(e) for t in tasks for e in load_examples(t, "test", source="toy", n=12, seed=0)
    ]
    return [
        answer.probability(label)
        for question, answer in zip(questions, policy.predict(questions), strict=True)
        for label in question.labels
    ]


@pytest.mark.parametrize("run", RUNS)
def test_training_moves_the_predictions_in_one_process(one, run):
    start = one / "sft-lora" if run == "sft-on-adapter" else "toy"
    before, after = probabilities(start), probabilities(one / run)
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) > 0.01


@pytest.mark.parametrize("run", RUNS)
def test_predictions_are_those_of_one_process(one, two, run):
    assert probabilities(two / run) == pytest.approx(probabilities(one / run), abs=1e-3, rel=0)


def test_predictions_in_bfloat16_are_near_those_of_one_process(one, two):
    found, wanted = (probabilities(root / "sft-bfloat16") for root in (two, one))
    assert found == pytest.approx(wanted, abs=0.05, rel=0)


@pytest.mark.parametrize("run", ["grpo-lora", "grpo-full", "phi"])
def test_rewards_of_every_step_are_those_of_one_process(one, two, run):
    found, wanted = (rewards(root / run) for root in (two, one))
    assert len(wanted) == 3
    assert found == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("run", ["grpo-lora", "grpo-full", "phi"])
def test_held_out_figures_before_the_first_step_are_those_of_one_process(one, two, run):
    found, wanted = (held_out(root / run) for root in (two, one))
    assert found == pytest.approx(wanted, abs=1e-3)


def test_decisions_are_replayed_at_every_step(two):
    kept = [entry["replay_loss"] for entry in history(two / "replay") if "reward" in entry]
    assert len(kept) == 3 and all(0 < loss < 9 for loss in kept)


def test_rows_of_a_grid_are_those_of_one_process(one, two):
    found, wanted = (read_rows(root / "grid/instances.jsonl") for root in (two, one))
    assert_same(found, wanted)


def test_running_rates_are_those_of_one_process(one, two):
    found, wanted = (
        json.loads((root / "phi/checkpoint-3/decisions.json").read_text())["rates"]
        for root in (two, one)
    )
    assert wanted["impact"]["n"] == 3 * 16
    for kind, rates in wanted.items():
        assert found[kind] == pytest.approx(rates, abs=1e-3)


def history(run):
    return json.loads((run / "trainer_state.json").read_text())["log_history"]


def rewards(run):
    return [entry["reward"] for entry in history(run) if "reward" in entry]


def held_out(run):
    """The figures of the examples that the run is watched by, as judged before the first step."""
    return {k: v for e in history(run) if e["step"] == 0 for k, v in e.items() if k != "epoch"}
