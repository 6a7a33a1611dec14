"""SFT and GRPO, killed, out of disk, on damaged checkpoints and with broken rewards."""

import pytest
from conftest import sft_overrides
from faults import assert_same_training, finished, killed_at_random, undisturbed

pytestmark = pytest.mark.slow

GRPO = {
    "max_steps": 6, "save_steps": 2, "save_total_limit": 1, "logging_steps": 1,
    "num_generations": 4, "per_device_train_batch_size": 8, "per_device_eval_batch_size": 4,
    "tasks": "sentiment140", "examples_per_task": 8, "held_out_examples": 2, "eval_steps": 3,
    "refresh_steps": 2, "max_completion_length": 16, "warmup_steps": 0, "learning_rate": 0.01,
    "disable_tqdm": True, "report_to": "none",
}  # fmt: skip


def options(given):
    return [part for key, value in given.items() for part in (f"--{key}", str(value))]


def told(stage, built, out):
    """The command that runs a stage into a folder."""
    if stage == "sft":
        recipe, given = "sft-lora", [*sft_overrides(built, out), "--save_total_limit", "1"]
    else:
        recipe, given = "grpo-self-consistency", options({**GRPO, "output_dir": out})
    return ("-m", f"rl_faith.training.{stage}", "--config", f"recipes/toy/{recipe}.yaml", *given)


@pytest.fixture(scope="module")
def whole(built, tmp_path_factory):
    """Where each stage ran undisturbed, and how long it lived."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        stage: (
            folder / stage,
            undisturbed(folder / "log.txt", folder / stage, *told(stage, built, folder / stage)),
        )
        for stage in ("sft", "grpo")
    }


@pytest.mark.parametrize(("stage", "times"), [("sft", 4), ("grpo", 4)])
def test_killed_at_random_moments(built, whole, faults, tmp_path, stage, times):
    out, (wanted, life) = tmp_path / "out", whole[stage]
    command = told(stage, built, out)
    killed_at_random(tmp_path / "log.txt", out, life, times, *command)
    finished(tmp_path / "log.txt", *command)
    assert_same_training(out, wanted)
    faults.add(stage, "SIGKILL of the process", "same", times)
