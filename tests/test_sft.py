"""The SFT stage: what is learnt is the explanation alone, and a killed run goes on where it was."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
import yaml
from accelerate import Accelerator
from conftest import Fork, sft_overrides
from trl import SFTConfig, SFTTrainer

from rl_faith.errors import DataError, TrainingError
from rl_faith.policies.chat import Chat
from rl_faith.policies.loading import load_model, load_tokenizer
from rl_faith.questions import Message
from rl_faith.runs import Run, read_rows
from rl_faith.training.arguments import parse_training
from rl_faith.training.carded import finish
from rl_faith.training.sft import make_trainer, train

RECIPE = "recipes/toy/sft-lora.yaml"


def arguments(built, out, *more):
    return ["--config", RECIPE, *sft_overrides(built, out), *map(str, more)]


def trained(built, out, *more):
    train(*parse_training("sft", arguments(built, out, *more), SFTConfig))
    return losses(out)


def losses(out):
    state = json.loads((out / "trainer_state.json").read_text())
    return [round(entry["loss"], 4) for entry in state["log_history"] if "loss" in entry]


def trainer_for(built, out, *more):
    return make_trainer(*parse_training("sft", arguments(built, out, *more), SFTConfig)[:3])


# What is learnt


@pytest.fixture(scope="module")
def batches(built, tmp_path_factory):
    """Every batch as the trainer's own loader gives it, and its tokenizer."""
    trainer = trainer_for(built, tmp_path_factory.mktemp("batches"))
    return list(trainer.get_train_dataloader()), trainer.processing_class


def sequences(batches):
    found, tokenizer = batches
    for batch in found:
        for ids, mask, labels in zip(
            batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True
        ):
            yield tokenizer, ids[mask.bool()], labels[mask.bool()]


def test_loss_falls_on_exactly_the_completions(batches, built):
    learnt = [tok.decode(labels[labels != -100]) for tok, _, labels in sequences(batches)]
    pairs = read_rows(built / "train.jsonl")
    assert sorted(learnt) == sorted(p["completion"][0]["content"] + "<|end|>" for p in pairs)


def test_label_tokens_are_the_input_tokens(batches):
    for _, ids, labels in sequences(batches):
        assert torch.equal(labels[labels != -100], ids[labels != -100])


def test_nothing_before_the_completion_is_learnt(batches):
    for _, _, labels in sequences(batches):
        learnt = labels != -100
        assert learnt[learnt.long().argmax() :].all()


def test_prompt_is_what_the_policy_is_asked(batches, built):
    chat = Chat(batches[1])
    given = {tok.decode(ids[labels == -100]) for tok, ids, labels in sequences(batches)}
    pairs = read_rows(built / "train.jsonl")
    assert given == {chat.text(tuple(Message(**turn) for turn in p["prompt"])) for p in pairs}


def test_prompt_holds_the_models_own_prediction(batches, built):
    wanted = {(p["input"], p["prediction"]) for p in read_rows(built / "train.jsonl")}
    for tok, ids, labels in sequences(batches):
        prompt = tok.decode(ids[labels == -100])
        assert any(text in prompt and f"<|assistant|>{label}<|end|>" in prompt
                   for text, label in wanted)  # fmt: skip


# Too long


def test_pairs_longer_than_max_length_are_left_out_and_counted(built, tmp_path, caplog):
    whole = trainer_for(built, tmp_path).train_dataset
    lengths = sorted(len(row["input_ids"]) for row in whole)
    limit = lengths[len(lengths) // 2]
    caplog.clear()
    kept = trainer_for(built, tmp_path, "--max_length", limit).train_dataset
    assert sorted(len(row["input_ids"]) for row in kept) == [n for n in lengths if n <= limit]
    left = sum(n > limit for n in lengths)
    assert f"{left} pairs are longer than max_length {limit} and left out" in caplog.text


def test_max_length_that_no_pair_fits_is_refused(built, tmp_path):
    with pytest.raises(DataError, match="is longer than max_length 3"):
        trainer_for(built, tmp_path, "--max_length", 3)


# Stopped, and started again


def train_and_die(arguments, steps):
    """Train, and be killed in the middle of the step behind `steps`."""
    step = SFTTrainer.training_step

    def mortal(self, *args, **more):
        if self.state.global_step == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *args, **more)

    SFTTrainer.training_step = mortal
    train(*parse_training("sft", arguments, SFTConfig))


@pytest.fixture(scope="module")
def killed(built, tmp_path_factory):
    """A run killed in its sixth step, with checkpoints behind the second and the fourth."""
    out = tmp_path_factory.mktemp("killed")
    log = out.with_suffix(".txt")
    assert Fork(log, train_and_die, arguments(built, out), 5).end() == -signal.SIGKILL
    return out


@pytest.fixture
def stopped(killed):
    """A copy of the killed run, in its place: the recipe names the folder."""
    backup = killed.with_suffix(".backup")
    if not backup.exists():
        shutil.copytree(killed, backup)
    shutil.rmtree(killed)
    shutil.copytree(backup, killed)
    return killed


def test_killed_run_goes_on_with_the_same_losses(built, adapter, stopped):
    assert not (stopped / "trainer_state.json").exists()
    assert trained(built, stopped) == losses(adapter)


@pytest.mark.parametrize("state", [None, "", '{"epoch": 1, "glo'])
def test_half_written_checkpoint_is_passed_over(built, adapter, stopped, state):
    file = stopped / "checkpoint-4" / "trainer_state.json"
    file.unlink() if state is None else file.write_text(state)
    assert trained(built, stopped) == losses(adapter)


def test_checkpoint_of_another_program_is_not_used_and_not_lost(built, adapter, stopped):
    (stopped / "checkpoint-4" / "files.json").unlink()
    state = (stopped / "checkpoint-4" / "trainer_state.json").read_bytes()
    assert trained(built, stopped) == losses(adapter)
    assert (stopped / "unsealed-checkpoint-4" / "trainer_state.json").read_bytes() == state


def test_folder_of_another_recipe_is_refused(built, stopped, sft):
    refused = sft(*arguments(built, stopped, "--learning_rate", "1e-4"))
    assert refused.code == 2
    assert "another recipe: learning_rate was 0.005, is 0.0001 now" in refused.error


def test_training_that_has_lost_its_weights_ends(built, tmp_path):
    with pytest.raises(TrainingError, match=r"gradients is nan at step \d.* lower learning_rate"):
        trained(built, tmp_path, "--learning_rate", 1e30, "--max_steps", 6, "--logging_steps", 1)


# What is left


def test_adapter_names_its_base_without_a_path_of_this_machine(adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "toy"
    assert str(Path.cwd()) not in (adapter / "README.md").read_text()


def test_adapter_loads_and_differs_from_its_base(adapter):
    ids = load_tokenizer(str(adapter))("the film was fine", return_tensors="pt").input_ids
    with torch.inference_mode():
        base, tuned = (load_model(name)(ids).logits for name in ("toy", str(adapter)))
    assert (base - tuned).abs().max() > 1e-3


def test_saved_adapter_is_the_trained_model(built, tmp_path):
    trainer = trainer_for(built, tmp_path, "--max_steps", 2)
    trainer.train()
    trainer.save_model(str(tmp_path))
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.inference_mode():
        trainer.model.eval()
        wanted = trainer.model(batch["input_ids"]).logits
        found = load_model(str(tmp_path))(batch["input_ids"]).logits
    # Merged and beside its base, an adapter differs by rounding alone.
    assert torch.allclose(wanted, found, atol=0.01)


def test_run_directory_holds_recipe_and_provenance(adapter, built):
    recipe = yaml.safe_load((adapter / "recipe.yaml").read_text())
    assert {**yaml.safe_load(Path(RECIPE).read_text()), **recipe}.keys() - recipe.keys() == {
        "output_dir"
    }
    assert (recipe["build"], recipe["max_steps"], recipe["lr_scheduler_type"]) == (
        str(built), 6, "cosine",
    )  # fmt: skip
    assert json.loads((adapter / "provenance.json").read_text())["seed"] == recipe["seed"]


def test_token_is_not_written_to_the_run_directory(built, tmp_path):
    resolved = parse_training(
        "sft", arguments(built, tmp_path, "--hub_token", "hf_secret"), SFTConfig
    )[-1]
    Run(tmp_path).open(resolved, device="cpu", seed=0)
    assert "hub_token" in resolved
    assert not any("hf_secret" in file.read_text() for file in tmp_path.glob("*.*"))


def test_training_goes_on_top_of_an_adapter(built, adapter, tmp_path):
    chain = ("--model_name_or_path", adapter, "--max_steps", 2)
    first = trained(built, tmp_path, *chain)[0]
    assert json.loads((tmp_path / "adapter_config.json").read_text())[
        "base_model_name_or_path"
    ] == str(adapter)
    load_model(str(tmp_path))
    assert first < losses(adapter)[0]


def test_full_fine_tuning_saves_a_whole_model(built, tmp_path):
    trained(built, tmp_path, "--use_peft", "false", "--max_steps", 2)
    assert not (tmp_path / "adapter_config.json").exists()
    load_model(str(tmp_path))


def test_process_that_ended_its_training_leaves_no_process_group(monkeypatch):
    # What is left of one aborts a process at its end, now and then.
    last = []
    monkeypatch.setattr("atexit.register", last.append)
    alone = {"store": torch.distributed.HashStore(), "rank": 0, "world_size": 1}
    torch.distributed.init_process_group("gloo", **alone)
    finish(MagicMock(accelerator=Accelerator(cpu=True)))
    for part in last:
        part()
    assert not torch.distributed.is_initialized()


# Refused at the command line


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--config", RECIPE, "--build", "none"], "none holds no train.jsonl"),
        (["--config", RECIPE, "--lerning_rate", "1"], "did you mean 'learning_rate'"),
        (["--config", RECIPE, "--max_steps", "many"], "invalid int value: 'many'"),
        (["--config", RECIPE, "--train_on", "both"], "invalid choice: 'both'"),
        (["--config", RECIPE, "--model_name_or_path", "none"], "no model could be loaded"),
        (["--config", "recipes/toy/build.yaml"], "run it with: rl-faith build --config"),
        (["--config", "none.yaml"], "none.yaml cannot be read"),
        ([], "name a recipe: accelerate launch"),
        (["--config", RECIPE, "--eval_strategy", "often"], "often"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_command_is_refused_with_one_line(sft, tmp_path, built, given, told):
    where = [] if "--build" in given else ["--build", built]
    refused = sft(*given, *where, "--output_dir", tmp_path / "out")
    assert refused.code == 2
    assert told in refused.error


def test_recipe_without_a_model_is_refused(sft, tmp_path):
    (tmp_path / "sft.yaml").write_text("stage: sft")
    assert "'model_name_or_path' is missing" in sft("--config", tmp_path / "sft.yaml").error


@pytest.mark.slow
def test_accelerate_launches_the_stage(built, adapter, tmp_path):
    command = ["accelerate.commands.launch", "--num_processes", "1", "-m", "rl_faith.training.sft"]
    subprocess.run(
        [sys.executable, "-m", *command, *arguments(built, tmp_path)],
        check=True, timeout=600, capture_output=True,
    )  # fmt: skip
    assert losses(tmp_path) == losses(adapter)
