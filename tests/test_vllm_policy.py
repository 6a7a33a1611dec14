"""vLLM on the CPU answers as transformers does: in this process, in one of its own, as a server."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from conftest import assert_same
from peft import LoraConfig, get_peft_model

vllm = pytest.importorskip("vllm")

from rl_faith.errors import ModelError  # noqa: E402
from rl_faith.policies import vllm as engines  # noqa: E402
from rl_faith.policies.loading import load_model, load_tokenizer  # noqa: E402
from rl_faith.policies.opening import Backend  # noqa: E402
from rl_faith.policies.server import ServerPolicy  # noqa: E402
from rl_faith.policies.transformers import TransformersPolicy  # noqa: E402
from rl_faith.policies.vllm import VLLMPolicy  # noqa: E402
from rl_faith.questions import Question, Unanswered, user  # noqa: E402
from rl_faith.recipes import ALL_TASKS, GRPORecipe  # noqa: E402
from rl_faith.runs import read_rows  # noqa: E402
from rl_faith.tasks import load_examples, load_task  # noqa: E402
from rl_faith.text import redact  # noqa: E402
from rl_faith.training.reward_check import check_rewards  # noqa: E402

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

SEVERAL_TOKENS = ("Positive", "not sure", "not at all")


@pytest.fixture(scope="module", autouse=True)
def small():
    """A small cache, and what an engine in this process changes put back."""
    threads, state, setter = torch.get_num_threads(), torch.get_rng_state(), torch.set_num_threads
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        yield
    torch.set_num_threads = setter
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


def adapter(folder, base, seed):
    """A LoRA adapter that moves its base model, as an SFT stage would leave it."""
    torch.manual_seed(seed)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(load_model(base), lora).save_pretrained(folder)
    load_tokenizer("toy").save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    return adapter(tmp_path_factory.mktemp("tuned"), "toy", 0)


@pytest.fixture(scope="module")
def twice_tuned(tuned, tmp_path_factory):
    return adapter(tmp_path_factory.mktemp("twice"), tuned, 1)


@contextmanager
def served(tuned, folder):
    """Where `scripts/serve.sh` serves the embedded model and an adapter."""
    log = folder / "said.txt"
    port = free_port()
    assert serve(log, tuned, "--dtype", "float32", "--port", port) == 0, log.read_text()
    told = re.search(r"answers at (\S+) .*kill (\d+)", log.read_text())
    try:
        yield told[1]
    finally:
        os.kill(int(told[2]), signal.SIGTERM)


@pytest.fixture(scope="module")
def url(tuned, tmp_path_factory):
    with served(tuned, tmp_path_factory.mktemp("served")) as there:
        yield there


def serve(log, *arguments):
    """Run `scripts/serve.sh`; what it says goes to a file, which the server may keep open."""
    surroundings = {**os.environ, "VENV": sys.prefix, "TMPDIR": str(log.parent)}
    with log.open("w") as file:
        command = ["bash", "scripts/serve.sh", *map(str, arguments)]
        return subprocess.run(
            command, env=surroundings, stdout=file, stderr=file, timeout=500, check=False
        ).returncode


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def opened(url):
    """A policy by its kind and model, each opened once."""
    known = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")

        def policy(kind, model):
            if (kind, model) not in known:
                known[kind, model] = {
                    "transformers": lambda: TransformersPolicy.load(model, device="cpu"),
                    "vllm": lambda: VLLMPolicy.load(model),
                    "server": lambda: ServerPolicy.connect(model, [url]),
                }[kind]()
            return known[kind, model]

        yield policy


@pytest.fixture(params=["vllm", "server"])
def kind(request):
    return request.param


def questions(labels=None):
    """Questions of all tasks about inputs and about inputs with a word redacted."""
    asked = []
    for task in map(load_task, ALL_TASKS):
        for example in load_examples(task, "test", source="toy", n=6, seed=0):
            edited = example.edited(redact(example.input, {1}))
            asked += [task.ask(example), task.ask(edited)]
    return [Question(q.conversation, labels) for q in asked] if labels else asked


def assert_alike(answers, wanted):
    """Probabilities to 1e-3, and the same label wherever it is no toss-up."""
    for told, known in zip(answers, wanted, strict=True):
        for label in known.logprobs:
            assert told.probability(label) == pytest.approx(known.probability(label), abs=1e-3)
        assert told.mass == pytest.approx(known.mass, abs=1e-3)
        first, second = (known.probability(label) for label in known.ranked()[:2])
        assert told.label == known.label or first - second <= 1e-3


# Answers


@pytest.mark.parametrize("labels", [None, SEVERAL_TOKENS], ids=["one token", "several tokens"])
def test_predictions_are_those_of_transformers(opened, kind, labels):
    asked = questions(labels)
    assert_alike(opened(kind, "toy").predict(asked), opened("transformers", "toy").predict(asked))


def test_tokens_from_the_engines_cache_are_counted(opened, kind):
    policy, long = opened(kind, "toy"), "It was a fine day by the sea. " * 12
    before = policy.usage.reused_tokens
    for end in ("Was it?", "Was it not?"):
        policy.predict([Question((user(long + end),), ("Yes", "No"))])
    assert policy.usage.reused_tokens - before >= 32  # A block of the cache.


def test_labels_of_several_tokens_are_such(opened):
    ids = [opened("transformers", "toy").chat.label_ids(label) for label in SEVERAL_TOKENS]
    assert len(ids[1]) > 1
    assert ids[1][0] == ids[2][0]


def test_replies_are_those_of_transformers(opened, kind):
    asked = [question.conversation for question in questions()]
    wanted = opened("transformers", "toy").generate(asked, max_new_tokens=24)
    assert opened(kind, "toy").generate(asked, max_new_tokens=24) == wanted


def test_more_tokens_than_one_call_takes_are_asked_in_several(opened, kind):
    vocabulary = opened("transformers", "toy").chat.tokenizer.get_vocab()
    labels = tuple(sorted(token for token in vocabulary if token.isalpha())[:300])
    asked = questions(labels)[:2]
    assert_alike(opened(kind, "toy").predict(asked), opened("transformers", "toy").predict(asked))


def test_longest_question_is_the_same(opened, kind):
    reference, policy = opened("transformers", "toy"), opened(kind, "toy")
    asked = [Question((user("a" + " good" * n),), ("Positive",)) for n in range(240, 260)]
    unanswered = [isinstance(answer, Unanswered) for answer in reference.predict(asked)]
    assert set(unanswered) == {True, False}
    assert [isinstance(a, Unanswered) for a in policy.predict(asked)] == unanswered


def test_engine_without_a_list_of_tokens_is_asked_one_by_one(opened, monkeypatch):
    monkeypatch.setattr(engines, "_TAKES_TOKENS", False)
    policy = opened("vllm", "toy")
    policy.weights_changed()
    asked = questions(SEVERAL_TOKENS)[:4]
    assert_alike(policy.predict(asked), opened("transformers", "toy").predict(asked))


# Adapters


def test_adapter_answers_as_merged_by_transformers(opened, kind, tuned):
    asked = questions()
    answers = opened(kind, tuned).predict(asked)
    assert_alike(answers, opened("transformers", tuned).predict(asked))
    base = opened("transformers", "toy").predict(asked)
    pairs = zip(answers, base, strict=True)
    assert any(a.logprobs != pytest.approx(b.logprobs, abs=0.01) for a, b in pairs)


def test_base_model_answers_beside_its_adapter(opened, tuned):
    asked = questions()
    opened("server", tuned).predict(asked)
    opened("server", "toy").weights_changed()
    assert_alike(
        opened("server", "toy").predict(asked), opened("transformers", "toy").predict(asked)
    )


def test_adapter_on_an_adapter_is_merged_and_said(opened, twice_tuned, caplog):
    with caplog.at_level("INFO"):
        answers = opened("vllm", twice_tuned).predict(questions())
    assert [m for m in caplog.messages if "merging it" in m] == [
        f"vLLM cannot serve the adapter in {twice_tuned} from its base model; merging it"
    ]
    assert_alike(answers, opened("transformers", twice_tuned).predict(questions()))


# Whole grids


@pytest.fixture(scope="module")
def grids(url, tuned, tmp_path_factory):
    """One small grid by every policy: its rows."""
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    out = tmp_path_factory.mktemp("grids")
    small = [
        *("evaluate", "--config", "recipes/toy/evaluate.yaml", "--examples_per_task", "6"),
        *("--models", "base=toy", f"tuned={tuned}", "--max_new_tokens", "32"),
    ]
    found = {}
    with served(tuned, tmp_path_factory.mktemp("second")) as other:
        for kind, urls in {
            "transformers": [],
            "vllm": [],
            "server": [url],
            "fleet": [url, other],
        }.items():
            there = ["--policy", "server" if urls else kind, "--out", str(out / kind)]
            main([*small, *there, *(["--base_urls", *urls] if urls else [])])
            found[kind] = read_rows(out / kind / "instances.jsonl")
    return found


@pytest.mark.parametrize("kind", ["vllm", "server", "fleet"])
def test_grid_is_the_same_by_every_policy(grids, kind):
    assert_same(grids[kind], grids["transformers"], within=1e-3)


def test_rewards_are_checked_through_a_server(url):
    recipe = GRPORecipe(
        rewards=[{"function": "self_consistency"}], data="toy", tasks=["sentiment140"]
    )
    found = check_rewards(recipe, "toy", Backend("server", base_urls=[url]))
    assert all(one.tells_apart for one in found)


def test_engine_ends_with_its_grid(grids):
    told = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    assert "VLLM::EngineCore" not in told


# Refused


def test_unknown_dtype_is_refused():
    with pytest.raises(ModelError, match="vLLM cannot serve 'toy': "):
        VLLMPolicy.load("toy", dtype="float8")


def test_server_that_dies_ends_with_a_sentence(tmp_path):
    log = tmp_path / "said.txt"
    assert serve(log, "toy", "--port", free_port(), "--dtype", "float8") == 1
    assert re.search(r"\Aerror: the server ended before it answered; .*\n\Z", log.read_text())


def test_model_that_cannot_be_served_ends_with_a_sentence(tmp_path):
    log = tmp_path / "said.txt"
    assert serve(log, str(tmp_path), "--port", free_port()) != 0
    assert "error: " in log.read_text()


def test_port_that_is_taken_is_refused(url, tmp_path):
    log = tmp_path / "said.txt"
    assert serve(log, "toy", "--port", url.rpartition(":")[2]) == 1
    assert "answers on port" in log.read_text()
