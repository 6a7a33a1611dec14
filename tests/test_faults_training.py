"""SFT and GRPO, killed, out of disk, on damaged checkpoints and with broken rewards."""

import logging
import shutil
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import Fork, sft_overrides
from faults import (
    SOON,
    Command,
    Ended,
    assert_same_training,
    finished,
    history,
    killed_at_random,
    left_by,
    quoted,
    small_disk_run,
    undisturbed,
)

from rl_faith.training import grpo

pytestmark = pytest.mark.slow

GRPO = {
    "max_steps": 6, "save_steps": 2, "save_total_limit": 1, "logging_steps": 1,
    "num_generations": 4, "per_device_train_batch_size": 16, "per_device_eval_batch_size": 4,
    "examples_per_task": 4, "held_out_examples": 2, "eval_steps": 3, "refresh_steps": 2,
    "max_completion_length": 24, "warmup_steps": 0, "learning_rate": 0.003,
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


# Killed


@pytest.mark.parametrize(("stage", "times"), [("sft", 4), ("grpo", 4)])
def test_killed_at_random_moments(built, whole, faults, tmp_path, stage, times):
    out, (wanted, life) = tmp_path / "out", whole[stage]
    command = told(stage, built, out)
    killed_at_random(tmp_path / "log.txt", out, life, times, *command)
    finished(tmp_path / "log.txt", *command)
    assert_same_training(out, wanted)
    # Of a training that learns nothing every continuation is the same.
    assert sum(entry.get("grad_norm", 0.0) > 0.01 for entry in history(wanted)) > 2
    faults.add(stage, "SIGKILL of the process", "same", times)


def test_finished_training_started_again_stays_as_it_is(built, whole, faults, tmp_path, sft):
    out, wanted = tmp_path / "out", whole["sft"][0]
    shutil.copytree(wanted, out)
    assert sft(*told("sft", built, out)[2:]).code == 0
    assert_same_training(out, wanted)
    faults.add("sft", "started again after its end", "same")


def test_one_rank_of_two_is_killed(built, faults, tmp_path):
    log, out, wanted, said = tmp_path / "log.txt", tmp_path / "out", tmp_path / "wanted", []
    finished(log, *told("sft", built, wanted), ranks=2)
    for rank in (1, 0):
        before = left_by(out)
        running = Command(log, *told("sft", built, out), ranks=2)
        running.when(lambda before=before: left_by(out) > before)
        ended = running.kill(running.children()[rank]).end()
        assert ended.code != 0
        assert ended.seconds < SOON
        assert "the same command" in ended.said, ended.said[-3000:]
        said.append(ended.seconds)
    finished(log, *told("sft", built, out), ranks=2)
    assert_same_training(out, wanted)
    faults.add(
        "sft, two processes", "SIGKILL of one of them",
        f"the other says how to go on; non-zero after {max(said):.0f} s; same", 2,
    )  # fmt: skip


# Full disk


@pytest.mark.parametrize(("stage", "room"), [("sft", 8_000), ("grpo", 9_000)])
def test_disk_is_full(built, whole, faults, tmp_path, stage, room):
    out = tmp_path / "out"
    ended = small_disk_run(tmp_path / "log.txt", out, room, *told(stage, built, out))
    assert "could not write" in ended.error()
    assert_same_training(out, whole[stage][0])
    faults.add(stage, "disk full", f"exit 2: {quoted(ended.error())}; same")


# Checkpoints

PARTS = [
    "adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth",
    "trainer_state.json", "files.json",
]  # fmt: skip


def once_more(built, out):
    """The arguments by which the adapter of the tests was trained."""
    return ["--config", "recipes/toy/sft-lora.yaml", *sft_overrides(built, out)]


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_checkpoint_is_half_written(built, adapter, faults, tmp_path, sft, caplog, damage):
    for part in PARTS:
        out = tmp_path / part
        shutil.copytree(adapter, out)
        file = out / "checkpoint-6" / part
        content = file.read_bytes()
        file.unlink()
        if damage == "cut off":
            file.write_bytes(content[: len(content) // 2])
        caplog.clear()
        caplog.set_level(logging.INFO, "rl_faith")
        assert sft(*once_more(built, out)).code == 0
        assert "checkpoint-6 is not whole" in caplog.text
        assert f"going on from {out / 'checkpoint-4'}" in caplog.text
        assert_same_training(out, adapter)
    outcome = "said, and passed over for the one before; same"
    faults.add("sft", f"newest checkpoint, a file {damage}", outcome, len(PARTS))


def test_no_checkpoint_is_whole(built, adapter, faults, tmp_path, sft, caplog):
    out = tmp_path / "out"
    shutil.copytree(adapter, out)
    for file in out.glob("checkpoint-*/optimizer.pt"):
        file.write_bytes(b"")
    assert sft(*once_more(built, out)).code == 0
    assert "holds no whole checkpoint; training starts anew" in caplog.text
    assert_same_training(out, adapter)
    faults.add("sft", "no checkpoint whole", "said, and started anew; same")


# Rewards

REWARD = """
import time
from pathlib import Path

MENDED = Path({mended!r})


def own(completions, verdicts, trainer_state):
    worth = [len(c[-1]["content"]) / 40 + (v.drop or 0.0) for c, v in zip(completions, verdicts)]
    if trainer_state.global_step < 3 or MENDED.exists():
        return worth
    {fault}
"""
BROKEN = {
    "raises": "raise ValueError('no such thing')",
    "returns NaN": "return [float('nan')] * len(worth)",
    "returns one value too few": "return worth[1:]",
    "returns text": "return ['much'] * len(worth)",
    "hangs, and holds back what is raised in it": """
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass
""",
}


def reinforced(folder, fault):
    """A training with a reward that breaks behind the third step, until it is mended."""
    reward = folder / "reward.py"
    reward.write_text(REWARD.format(mended=str(folder / "mended"), fault=fault))
    recipe = yaml.safe_load(Path("recipes/toy/grpo-self-consistency.yaml").read_text())
    recipe["rewards"] = [{"function": f"{reward}:own", "timeout": 5}]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    given = options({**GRPO, "output_dir": folder / "out"})
    return ["--config", str(folder / "recipe.yaml"), *given]


def run_grpo(arguments):
    """`python -m rl_faith.training.grpo`, in a forked process."""
    sys.argv = ["grpo.py", *arguments]
    grpo.main()


def reinforce(folder, fault):
    """Run such a training to its end."""
    began, running = time.monotonic(), Fork(folder / "log.txt", run_grpo, reinforced(folder, fault))
    return Ended(running.end(), running.log.read_text(), time.monotonic() - began)


@pytest.fixture(scope="module")
def rewarded(tmp_path_factory):
    """What a training comes to whose reward is sound."""
    folder = tmp_path_factory.mktemp("rewarded")
    (folder / "mended").touch()
    assert reinforce(folder, BROKEN["raises"]).code == 0
    return folder / "out"


@pytest.mark.parametrize("fault", BROKEN)
def test_reward_breaks(rewarded, faults, tmp_path, fault):
    ended = reinforce(tmp_path, BROKEN[fault])
    assert "reward own" in ended.error()
    (tmp_path / "mended").touch()
    assert reinforce(tmp_path, BROKEN[fault]).code == 0
    assert_same_training(tmp_path / "out", rewarded)
    faults.add("grpo", f"a reward that {fault}", f"exit 2: {quoted(ended.error())}; mended: same")
