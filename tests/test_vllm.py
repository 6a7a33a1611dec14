"""GRPO through vLLM on the CPU, in the training process and beside it as a server.

Rewards ask the engine that writes the rollouts.
"""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from trl import GRPOConfig
from trl.generation import vllm_generation
from trl.generation.vllm_client import VLLMClient

vllm = pytest.importorskip("vllm")

from rl_faith.policies.loading import load_model, load_tokenizer, resolve  # noqa: E402
from rl_faith.policies.transformers import TransformersPolicy  # noqa: E402
from rl_faith.questions import Question, user  # noqa: E402
from rl_faith.training.arguments import parse_training  # noqa: E402
from rl_faith.training.grpo import make_trainer  # noqa: E402
from rl_faith.training.trainer import FaithfulnessTrainer  # noqa: E402

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

STEPS = 3


@contextmanager
def colocated(folder):
    """The engine in this process, and the settings that choose it."""
    import vllm_worker  # noqa: F401, PLC0415 - leaves the linear weights where a sync finds them

    small = partial(vllm.LLM, dtype="float32", enforce_eager=True, block_size=32)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setattr(vllm_generation, "LLM", small)
        yield {"vllm_mode": "colocate"}
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


@contextmanager
def served(folder):
    """The engine in a server of its own, which takes weights by file, and the settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", resolve("toy"),
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager",
        "--max-model-len", "256", "--block-size", "32", "--max-logprobs", "-1",
        "--logprobs-mode", "processed_logprobs", "--worker-extension-cls", "vllm_worker.FromFile",
    ]  # fmt: skip
    surroundings = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parent), "VLLM_SERVER_DEV_MODE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }  # fmt: skip
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, env=surroundings, stdout=log, stderr=log, start_new_session=True
        )
    weights = str(folder / "weights.safetensors")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vllm_generation, "VLLMClient", partial(FileClient, weights))
            yield {
                "vllm_mode": "server", "vllm_server_base_url": f"http://127.0.0.1:{port}",
                "vllm_server_timeout": 400,
            }  # fmt: skip
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


class FileClient(VLLMClient):
    """TRL's client but for the way of the weights, which NCCL would carry from GPU to GPU."""

    def __init__(self, path, **more):
        super().__init__(**more)
        self.path = path

    def init_communicator(self, device=0):
        """Nothing to join."""

    def update_named_params(self, metadata, named_params):
        """Write them where the server reads them."""
        save_file({name: w.detach().contiguous() for name, w in named_params}, self.path)
        how = {"method": "load_from", "args": [self.path]}
        self.session.post(f"{self.base_url}/collective_rpc", json=how).raise_for_status()


@dataclass(frozen=True)
class Seen:
    """A run: the engine's and the live model's answers at each step, its log, its trainer."""

    pairs: list
    log: list
    trainer: FaithfulnessTrainer


@pytest.fixture(
    scope="module",
    params=[(colocated, "toy"), (served, "toy"), (colocated, "adapter")],
    ids=["colocate", "server", "colocate from an adapter"],
)
def seen(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vllm")
    engine, model = request.param
    given = {
        "model_name_or_path": model if model == "toy" else adapter(folder),
        "output_dir": folder, "use_vllm": True, "vllm_max_model_length": 256, "max_steps": STEPS,
        "num_generations": 4, "per_device_train_batch_size": 16, "per_device_eval_batch_size": 4,
        "gradient_accumulation_steps": 1, "logging_steps": 1,
        "examples_per_task": 6, "held_out_examples": 2, "eval_steps": STEPS, "warmup_steps": 0,
        # At 0.01 the replies of later steps may all be invalid, and no reward moves the weights.
        "learning_rate": 0.001, "max_completion_length": 24, "disable_tqdm": True,
    }  # fmt: skip
    config = ["--config", "recipes/toy/grpo-self-consistency.yaml"]
    with engine(folder) as settings:
        told = [str(p) for k, v in {**given, **settings}.items() for p in (f"--{k}", v)]
        trainer = make_trainer(*parse_training("grpo", [*config, *told], GRPOConfig)[:3])
        pairs = listened(trainer)
        trainer.train()
        yield Seen(pairs, trainer.state.log_history, trainer)


def adapter(folder):
    """A LoRA adapter that moves the embedded model, as an SFT stage would leave it."""
    model = get_peft_model(load_model("toy"), LoraConfig(init_lora_weights=False))
    model.save_pretrained(folder / "adapter")
    load_tokenizer("toy").save_pretrained(folder / "adapter")
    return folder / "adapter"


def listened(trainer):
    """A list that fills with (step, the engine's answers, the live model's own) in training."""
    pairs, ask = [], trainer.live.predict

    def predict(questions):
        answers = ask(questions)
        pairs.append((trainer.state.global_step, answers, live(trainer).predict(questions)))
        return answers

    trainer.live.predict = predict
    return pairs


def live(trainer):
    """The trainer's model itself, asked without an engine."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    return TransformersPolicy(model, trainer.processing_class)


def test_engine_was_asked_at_successive_steps(seen):
    assert {step for step, _, _ in seen.pairs} >= {0, 1, 2}


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_engine_answers_as_the_live_model(seen, step):
    pairs = [
        pair
        for at, told, fresh in seen.pairs
        if at == step
        for pair in zip(told, fresh, strict=True)
    ]
    assert pairs
    for told, fresh in pairs:
        assert told.logprobs == pytest.approx(fresh.logprobs, abs=4e-3)


def test_weights_moved_between_the_steps(seen):
    norms = [entry["grad_norm"] for entry in seen.log if "grad_norm" in entry]
    assert sum(norm > 0 for norm in norms) > 1


def test_weights_arrived_in_the_engine(seen):
    name = "sampling/sampling_logp_difference/max"
    assert max(entry[name] for entry in seen.log if name in entry) < 0.1


def test_held_out_examples_are_judged_through_the_engine(seen):
    judged = [entry for entry in seen.log if "eval_faithful_all" in entry]
    assert [entry["step"] for entry in judged] == [0, STEPS]


def test_more_label_tokens_than_one_call_takes_are_asked_in_several(seen):
    known = sorted(t for t in seen.trainer.processing_class.get_vocab() if t.isalpha())[:300]
    question = Question((user("this pizza was wonderful today"),), tuple(known))
    assert len({i for label in known for i in seen.trainer.live.chat.label_ids(label)}) > 128
    seen.trainer.live.sync()
    (told,), (fresh,) = (p.predict([question]) for p in (seen.trainer.live, live(seen.trainer)))
    assert told.logprobs == pytest.approx(fresh.logprobs, abs=4e-3)
