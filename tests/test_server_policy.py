"""The policy on servers: what they tell, in order, however often they fail."""

import logging
import subprocess
import sys

import pytest
from conftest import assert_same
from fake_server import (
    CONTEXT,
    END,
    cost,
    failing,
    hanging,
    hanging_up,
    like,
    running,
    saying,
    written,
)
from tenacity import stop_after_delay

from rl_faith.errors import ModelError, RecipeError
from rl_faith.policies import fleet
from rl_faith.policies.chat import Chat
from rl_faith.policies.loading import load_tokenizer, resolve
from rl_faith.policies.opening import Backend, open_policy
from rl_faith.policies.server import ServerPolicy
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Question, Unanswered, user
from rl_faith.recipes import check_recipe
from rl_faith.runs import read_rows

LABELS = ("Positive", "Negative", "not sure")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def chat():
    return Chat(load_tokenizer("toy"))


@pytest.fixture
def start():
    """Start fake servers that end with the test."""
    running_ones = []

    def begin(**how):
        running_ones.append(running(**how))
        return running_ones[-1].__enter__()

    yield begin
    for one in running_ones:
        one.__exit__(None, None, None)


def connect(*servers, name="toy", timeout=30.0):
    urls = [getattr(server, "url", server) for server in servers]
    return ServerPolicy.connect(name, urls, timeout=timeout, patience=0.0)


def questions(count=3, labels=LABELS):
    return [Question((user(f"was day {i} good?"),), labels) for i in range(count)]


def told(chat, question):
    """What the rule of the fake server makes of a question."""
    (prompt,) = chat.ids([chat.text(question.conversation)])
    found = {}
    for label in question.labels:
        ids = chat.label_ids(label)
        found[label] = sum(cost((*prompt, *ids[:k]), t) for k, t in enumerate(ids))
    return found


def assert_told(chat, asked, answers):
    for question, answer in zip(asked, answers, strict=True):
        assert answer.logprobs == pytest.approx(told(chat, question), abs=1e-9)


# Answers


def test_predictions_are_what_the_server_tells(chat, start):
    assert len(chat.label_ids("not sure")) > 1
    assert_told(chat, questions(), connect(start()).predict(questions()))


def test_replies_are_what_the_server_writes(chat, start):
    conversations = [question.conversation for question in questions()]
    prompts = chat.ids([chat.text(c) for c in conversations])
    wanted = [
        chat.tokenizer.decode(written(prompt, 9), skip_special_tokens=True).strip()
        for prompt in prompts
    ]
    assert connect(start()).generate(conversations, max_new_tokens=9) == wanted


def test_server_is_asked_to_end_with_the_turn(start):
    server = start()
    connect(server).generate([questions()[0].conversation], max_new_tokens=9)
    assert server.bodies[0]["stop_token_ids"] == [END]


def test_decoding_is_greedy_whatever_the_model_suggests(start):
    server = start()
    connect(server).predict(questions())
    assert {(b["temperature"], b["repetition_penalty"]) for b in server.bodies} == {(0.0, 1.0)}


def test_each_place_is_asked_once(chat, start):
    server = start()
    connect(server).predict(questions() * 3)
    places = [tuple(prompt) for body in server.bodies for prompt in body["prompt"]]
    longest = max(len(chat.label_ids(label)) for label in LABELS)
    assert len(places) == len(set(places)) == longest * len(questions())


def test_tokens_from_the_servers_cache_are_counted(chat, start):
    policy = connect(start())
    policy.predict(questions(3, ("Yes", "No")))
    prompts = chat.ids([chat.text(q.conversation) for q in questions(3)])
    assert policy.usage.prompt_tokens == sum(map(len, prompts))
    assert policy.usage.reused_tokens == 3


def test_prompts_that_begin_alike_are_neighbours(start):
    server = start()
    connect(server).predict(questions(20))
    (body,) = server.bodies
    assert body["prompt"] == sorted(body["prompt"])


def test_more_tokens_than_one_call_takes_are_asked_in_several(chat, start):
    words = sorted(t for t in chat.tokenizer.get_vocab() if t.isalpha())[:300]
    asked, server = questions(2, tuple(words)), start()
    assert_told(chat, asked, connect(server).predict(asked))
    assert max(len(body["logprob_token_ids"]) for body in server.bodies) == 128


def test_question_longer_than_the_servers_context_is_unanswered(start):
    policy = connect(start())
    long = Question((user("word " * CONTEXT),), LABELS)
    assert policy.predict([long, questions()[0]])[0] == Unanswered("too_long")


def test_context_is_the_shortest_of_the_servers(start):
    short = start(cards=[{"id": "toy", "max_model_len": 100}])
    assert connect(start(), short).longest == 100


# Servers that take less


def test_tokens_are_asked_one_by_one_where_the_server_takes_no_list(chat, start):
    server = start(understands=["allowed_token_ids"])
    policy = connect(server)
    assert_told(chat, questions(), policy.predict(questions()))
    server.bodies.clear()
    policy.weights_changed()
    assert_told(chat, questions(), policy.predict(questions()))
    assert all(len(body["allowed_token_ids"]) == 1 for body in server.bodies)


def test_server_that_takes_no_tokens_at_all_is_refused(start):
    with pytest.raises(ModelError, match="serve the model with vLLM"):
        connect(start(understands=[])).predict(questions())


def test_probabilities_among_the_allowed_tokens_are_refused(start):
    server = start(understands=["allowed_token_ids"], alone=0.0)
    with pytest.raises(ModelError, match="start it with --logprobs-mode raw_logprobs"):
        connect(server).predict(questions())


# Servers that fail


@pytest.mark.parametrize(
    "fault",
    [
        *(failing(500), failing(503), failing(429), hanging_up, hanging),
        *(saying("<html>"), saying({"choices": []}), saying({"choices": [{"index": 0}]})),
        *(saying([]), saying({"choices": [{"index": 0, "logprobs": {"top_logprobs": [None]}}]})),
    ],
    ids=[
        *("500", "503", "429", "hangs up", "hangs"),
        *("HTML", "no choice", "empty choice", "a list", "no log-probabilities"),
    ],
)
def test_request_that_failed_is_repeated(chat, start, fault):
    policy = connect(start(faults=[fault]), timeout=0.5)
    assert_told(chat, questions(1), policy.predict(questions(1)))


def test_repetition_is_said(start, caplog):
    server = start(faults=[failing(500)])
    with caplog.at_level(logging.WARNING):
        connect(server).predict(questions(1))
    assert caplog.messages == [f"the server at {server.url} answered with 500; asking again"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (failing(500), "answered with 500"),
        (saying("<html>"), "answered what is no completion"),
        (hanging_up, "does not answer"),
    ],
    ids=["500", "HTML", "hangs up"],
)
def test_server_that_keeps_failing_ends_with_a_sentence(start, fault, said):
    server = start(faults=[fault] * 100)
    with pytest.raises(ModelError, match=f"{server.url} {said}.*run the same command again"):
        connect(server).predict(questions())


def test_refused_question_is_not_repeated(start):
    server = start(faults=[failing(400)])
    with pytest.raises(ModelError, match=r"refused a question with 400: .*out of order"):
        connect(server).predict(questions(1))
    assert len(server.bodies) == 1


def test_other_requests_are_not_repeated_after_one_was_refused(start):
    server = start(faults=[failing(400)] + [failing(500)] * 100)
    with pytest.raises(ModelError, match="refused"):
        connect(server).predict(questions(4 * 64))
    assert len(server.bodies) < 20


# Several servers


def test_requests_are_shared_between_servers_and_answers_keep_their_order(chat, start):
    servers = [start(), start()]
    asked = questions(300)
    assert_told(chat, asked, connect(*servers).predict(asked))
    assert all(server.bodies for server in servers)


def test_other_server_answers_for_one_that_fails(chat, start):
    asked, broken = questions(300), start(faults=[failing(500)] * 100)
    assert_told(chat, asked, connect(broken, start()).predict(asked))
    assert broken.bodies


def test_number_of_waiting_requests_is_bounded(start):
    server = start(faults=[lambda handler: (hanging(handler), hanging_up(handler))] * 8)
    connect(server).predict(questions(20 * 64, ("Positive", "Negative")))
    assert server.most_busy == 4


def test_only_servers_with_the_model_are_asked(start):
    other = start(cards=[{"id": "another", "max_model_len": CONTEXT}])
    connect(other, start()).predict(questions())
    assert not other.bodies


# Finding the model


@pytest.mark.parametrize(
    "card",
    [{"id": "toy"}, {"id": "mine", "root": resolve("toy")}, {"id": "mine", "root": "toy"}],
    ids=["name", "folder", "root"],
)
def test_model_is_found_by_its_name_and_by_where_it_came_from(chat, start, card):
    server = start(cards=[{"id": "base"}, {**card, "max_model_len": CONTEXT}])
    assert_told(chat, questions(), connect(server).predict(questions()))
    assert {body["model"] for body in server.bodies} == {card["id"]}


def test_url_may_end_with_the_version_of_the_interface(chat, start):
    policy = connect(f"{start().url}/v1/")
    assert_told(chat, questions(), policy.predict(questions()))


def test_servers_without_the_model_are_refused(start):
    server = start(cards=[{"id": "base"}, {"id": "tuned"}])
    told = f"no server serves 'toy': {server.url} serves base, tuned; start one with scripts/serve"
    with pytest.raises(ModelError, match=told):
        connect(server)


def test_url_at_which_nothing_answers_is_refused(start):
    with pytest.raises(ModelError, match=f"no server answers at {NOWHERE} .*scripts/serve.sh"):
        connect(start(), NOWHERE)


def test_url_of_something_else_is_refused(start):
    with pytest.raises(ModelError, match="is no OpenAI-compatible server"):
        connect(start(cards=["a"]))


def test_server_policy_without_urls_is_refused():
    with pytest.raises(RecipeError, match="needs base_urls"):
        open_policy(Backend("server"), "toy", [])


# In a stage


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("policy: server", "policy: server needs base_urls"),
        ("policy: sglang", "must be 'transformers' or 'vllm' or 'server'"),
        ("base_urls: [localhost:8000]", "base_urls holds 'localhost:8000'; a URL looks like"),
        ("base_urls: http://a", "base_urls is 'http://a'; it must be a list"),
    ],
)
def test_unsound_choice_of_a_policy_is_refused(tmp_path, keys, said):
    path = tmp_path / "build.yaml"
    path.write_text(f"stage: build\nout: o\nmodel_name_or_path: toy\n{keys}\n")
    with pytest.raises(RecipeError, match=said):
        check_recipe(path)


@pytest.fixture(scope="module")
def toy():
    return TransformersPolicy.load("toy", device="cpu")


@pytest.fixture
def answering(toy):
    """How a server answers that has the embedded model."""
    return like(toy)


SMALL = (
    *("evaluate", "--config", "recipes/toy/evaluate.yaml", "--models", "base=toy", "--tasks"),
    *("sentiment140", "--styles", "attribution", "--examples_per_task", 4, "--chunk", 1),
)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(fleet, "stop_after_delay", lambda _: stop_after_delay(0.0))


def test_grid_that_lost_its_server_goes_on_with_another(cli, start, answering, impatient, tmp_path):
    served, dying = (*SMALL, "--policy", "server"), start(**answering)
    out = tmp_path / "out"
    ask, count = dying.choice, iter(range(9999))

    def choice(*how):
        if next(count) > 40:
            raise OSError("gone")
        return ask(*how)

    dying.choice = choice
    stopped = cli(*served, "--base_urls", dying.url, "--out", out)
    assert stopped.code == 2
    assert "run the same command again to go on" in stopped.error
    kept = read_rows(out / "instances.jsonl")
    assert 0 < len(kept) < 4
    assert cli(*served, "--base_urls", start(**answering).url, "--out", out).code == 0
    assert cli(*SMALL, "--out", tmp_path / "whole").code == 0
    rows = read_rows(out / "instances.jsonl")
    assert rows[: len(kept)] == kept
    assert_same(rows, read_rows(tmp_path / "whole" / "instances.jsonl"))


def test_explain_asks_a_server(cli, start, answering):
    arguments = ("explain", "--text", "this pizza was wonderful")
    server = start(**answering)
    said = cli(*arguments, "--policy", "server", "--base-urls", server.url)
    assert server.bodies
    assert said.out == cli(*arguments).out


def test_backends_that_are_not_asked_for_are_not_imported():
    code = "import sys, rl_faith.stages, rl_faith.evaluation.show; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"vllm", "tenacity"} & set(done.stdout.split())
