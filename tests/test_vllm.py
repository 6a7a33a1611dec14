"""GRPO through vLLM in the training process, on the CPU: rewards ask the engine that generates."""

from functools import partial

import pytest
import torch
from trl import GRPOConfig

vllm = pytest.importorskip("vllm")

from rl_faith.policies.transformers import TransformersPolicy  # noqa: E402
from rl_faith.training.arguments import parse_training  # noqa: E402
from rl_faith.training.grpo import make_trainer  # noqa: E402

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

STEPS = 3


@pytest.fixture(scope="module", autouse=True)
def engine_on_the_processor():
    """The CPU build packs linear weights away, where no weight sync finds them; here they stay."""
    from trl.generation import vllm_generation  # noqa: PLC0415
    from vllm.model_executor.layers import utils  # noqa: PLC0415

    def plain(layer, *_, **__):
        if layer.weight.ndim == 2:
            layer.cpu_linear = torch.nn.functional.linear

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setattr(utils, "dispatch_cpu_unquantized_gemm", plain)
        small = partial(vllm.LLM, dtype="float32", enforce_eager=True, block_size=32)
        patch.setattr(vllm_generation, "LLM", small)
        yield


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the engine and the live model answered at each step of a run, and its log."""
    given = {
        "output_dir": tmp_path_factory.mktemp("vllm"), "use_vllm": True, "vllm_mode": "colocate",
        "vllm_max_model_length": 256, "max_steps": STEPS, "num_generations": 4,
        "per_device_train_batch_size": 16, "per_device_eval_batch_size": 4,
        "gradient_accumulation_steps": 1, "logging_steps": 1,
        "examples_per_task": 6, "held_out_examples": 2, "eval_steps": STEPS, "warmup_steps": 0,
        "learning_rate": 0.01, "max_completion_length": 24, "disable_tqdm": True,
    }  # fmt: skip
    told = [str(part) for key, value in given.items() for part in (f"--{key}", value)]
    config = ["--config", "recipes/toy/grpo-self-consistency.yaml"]
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    trainer = make_trainer(*parse_training("grpo", [*config, *told], GRPOConfig)[:3])
    pairs = []
    ask = trainer.live.predict

    def predict(questions):
        answers = ask(questions)
        fresh = TransformersPolicy(
            trainer.accelerator.unwrap_model(trainer.model), trainer.processing_class
        )
        pairs.append((trainer.state.global_step, answers, fresh.predict(questions)))
        return answers

    trainer.live.predict = predict
    trainer.train()
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    return pairs, trainer.state.log_history


def test_engine_was_asked_at_successive_steps(seen):
    assert {step for step, _, _ in seen[0]} >= {0, 1, 2}


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_engine_answers_as_the_live_model(seen, step):
    pairs = [
        pair for at, told, fresh in seen[0] if at == step for pair in zip(told, fresh, strict=True)
    ]
    assert pairs
    for told, fresh in pairs:
        assert told.logprobs == pytest.approx(fresh.logprobs, abs=4e-3)


def test_weights_moved_between_the_steps(seen):
    drops = [entry["faith/drop"] for entry in seen[1] if "faith/drop" in entry]
    assert len(set(drops)) > 1


def test_weights_arrived_in_the_engine(seen):
    name = "sampling/sampling_logp_difference/max"
    assert max(entry[name] for entry in seen[1] if name in entry) < 0.1


def test_held_out_examples_are_judged_through_the_engine(seen):
    judged = [entry for entry in seen[1] if "eval_faithful_all" in entry]
    assert [entry["step"] for entry in judged] == [0, STEPS]
