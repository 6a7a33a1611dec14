"""Which pairs the SFT stage trains on: explanations, labels, and what is replayed with them."""

import json

import pytest

from rl_faith.errors import DataError, RecipeError
from rl_faith.questions import assistant, to_chat, user
from rl_faith.recipes import SFTRecipe
from rl_faith.runs import read_rows
from rl_faith.tasks import load_examples, load_task
from rl_faith.training.data import training_pairs


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe_for(built, **more):
    return SFTRecipe(build=str(built), **more)


@pytest.mark.parametrize(
    "chosen", [{"tasks": ["snli"]}, {"styles": ["redaction"]}, {"tasks": ["ag_news"]}]
)
def test_recipe_selects_tasks_and_styles(built, chosen):
    (key, (name,)), pairs = (
        next(iter(chosen.items())),
        training_pairs(recipe_for(built, **chosen), seed=0),
    )
    wanted = [p["completion"] for p in read_rows(built / "train.jsonl") if p[key[:-1]] == name]
    assert pairs["completion"] == wanted


def test_pairs_of_a_users_task_file_are_selected(user_task, cli):
    assert cli("build", "--config", user_task / "build.yaml").code == 0
    recipe = recipe_for(user_task / "out", tasks=[str(user_task / "mood.yaml")])
    wanted = read_rows(user_task / "out" / "train.jsonl")
    assert len(training_pairs(recipe, seed=0)) == len(wanted) > 0


def test_train_on_predictions_gives_the_gold_label():
    recipe = SFTRecipe(train_on="predictions", data="toy", tasks=["snli"], examples_per_task=9)
    pairs = training_pairs(recipe, seed=3)
    task = load_task("snli")
    for pair, example in zip(
        pairs, load_examples(task, "train", source="toy", n=9, seed=3), strict=True
    ):
        assert pair["prompt"] == to_chat(task.ask(example).conversation)
        assert pair["completion"] == to_chat((assistant(example.gold),))


@pytest.fixture
def replay(tmp_path):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    long = [*turns, {"role": "user", "content": "bye"}, {"role": "assistant", "content": "so long"}]
    return jsonl(
        tmp_path / "replay.jsonl", [{"messages": turns if i % 2 else long} for i in range(8)]
    )


def test_replay_is_mixed_in_by_count(built, replay):
    own = len(training_pairs(recipe_for(built), seed=0))
    pairs = training_pairs(recipe_for(built, replay=str(replay), replay_examples=5), seed=0)
    assert len(pairs) == own + 5


def test_last_turn_of_a_replayed_conversation_is_its_completion(built, replay):
    pairs = training_pairs(recipe_for(built, replay=str(replay), replay_examples=8), seed=0)
    ends = {(len(p["prompt"]), p["completion"][0]["content"]) for p in list(pairs)[-8:]}
    assert ends == {(1, "hello"), (3, "so long")}


ASKED, ANSWERED = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"messages": [ASKED, ANSWERED]}], "has 1 rows that end with an answer, fewer than 2"),
        ([{"messages": [ANSWERED, ASKED]}] * 3, "has 0 rows that end with an answer"),
        ([{"messages": [ANSWERED]}] * 3, "has 0 rows that end with an answer"),
        ([{"text": "a"}] * 3, r"has no column 'messages'; it has \['text'\]"),
    ],
    ids=["too few", "no answer", "no question", "no messages"],
)
def test_unsound_replay_is_refused(built, tmp_path, rows, told):
    path = jsonl(tmp_path / "replay.jsonl", rows)
    with pytest.raises(DataError, match=told):
        training_pairs(recipe_for(built, replay=str(path), replay_examples=2), seed=0)


def test_replay_that_is_not_there_is_refused(built):
    with pytest.raises(DataError, match=r"replay data none\.jsonl could not be read"):
        training_pairs(recipe_for(built, replay="none.jsonl", replay_examples=2), seed=0)


@pytest.mark.parametrize(
    ("chosen", "kind", "told"),
    [
        ({"build": None}, RecipeError, "must name a build directory"),
        ({"build": "none"}, DataError, r"none holds no train\.jsonl; finish its build first"),
        ({"replay_examples": 1}, RecipeError, "must name a replay data set"),
        ({"replay_predictions": 999}, DataError, r"explains \d+ predictions, fewer than .* 999"),
        (
            {"replay_predictions": 1, "train_on": "predictions", "data": "toy"},
            RecipeError,
            "replay_predictions needs a build",
        ),
    ],
)
def test_incomplete_recipe_is_refused(built, chosen, kind, told):
    with pytest.raises(kind, match=told):
        training_pairs(SFTRecipe(**{"build": str(built), **chosen}), seed=0)


def test_recipe_that_selects_nothing_is_refused(user_task, built):
    with pytest.raises(DataError, match="selects no training pair"):
        training_pairs(recipe_for(built, tasks=[str(user_task / "mood.yaml")]), seed=0)


def test_toy_replay_is_decisions_without_explanations(built):
    own = len(training_pairs(recipe_for(built), seed=0))
    pairs = training_pairs(recipe_for(built, replay="toy", replay_examples=9), seed=0)
    replayed = list(pairs)[own:]
    assert len(replayed) == 9
    assert all(len(pair["prompt"]) == len(pair["completion"]) == 1 for pair in replayed)


def test_replayed_predictions_answer_the_builds_questions(built):
    own = len(training_pairs(recipe_for(built), seed=0))
    pairs = training_pairs(recipe_for(built, replay_predictions=5), seed=0)
    labels = {str(p["prompt"][:1]): p["probabilities"] for p in read_rows(built / "train.jsonl")}
    replayed = list(pairs)[own:]
    assert len(replayed) == 5
    for pair in replayed:
        assert pair["completion"][0]["content"] in labels[str(pair["prompt"])]


def test_replayed_labels_are_drawn_as_the_model_gave_them(built, tmp_path):
    row = read_rows(built / "train.jsonl")[0] | {
        "probabilities": {"Positive": 0.7, "Negative": 0.3}
    }
    rows = [
        row | {"prompt": to_chat((user(f"question {i}"),)) + row["prompt"][1:]} for i in range(2000)
    ]
    jsonl(tmp_path / "train.jsonl", rows)
    pairs = training_pairs(recipe_for(tmp_path, replay_predictions=2000), seed=0)
    drawn = [pair["completion"][0]["content"] for pair in list(pairs)[2000:]]
    assert drawn.count("Positive") / 2000 == pytest.approx(0.7, abs=0.04)


def test_pairs_of_an_earlier_version_are_refused_where_predictions_are_replayed(built, tmp_path):
    rows = read_rows(built / "train.jsonl")
    jsonl(tmp_path / "train.jsonl", [{**row, "probabilities": None} for row in rows])
    assert training_pairs(recipe_for(tmp_path), seed=0)
    with pytest.raises(DataError, match="was built by an earlier version"):
        training_pairs(recipe_for(tmp_path, replay_predictions=5), seed=0)


def test_replayed_predictions_are_of_different_questions(built):
    own = len(training_pairs(recipe_for(built), seed=0))
    pairs = training_pairs(recipe_for(built, replay_predictions=5), seed=0)
    assert len({str(pair["prompt"]) for pair in list(pairs)[own:]}) == 5
