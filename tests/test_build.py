"""The build: its explanations name the word that drives the prediction; kills lose nothing."""

import json
import random
import signal
from collections import Counter

import pytest
import yaml
from conftest import assert_same

from rl_faith.build import build
from rl_faith.cli import main
from rl_faith.errors import TaskError
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.pseudo import CONSTRUCTED, ORIGINAL
from rl_faith.recipes import BuildRecipe
from rl_faith.rows import key_of
from rl_faith.runs import read_rows
from rl_faith.styles import STYLES, Explanation
from rl_faith.tasks import Example, load_task
from rl_faith.text import words

NEEDED_BY_A_REWARD = {
    *("id", "task", "style", "budget", "input", "context", "options", "prediction", "gold"),
}
SMALL = {
    "stage": "build",
    "model_name_or_path": "toy",
    "data": "toy",
    "tasks": ["sentiment140"],
    "examples_per_task": 24,
    "quality_examples": 8,
    "max_new_tokens": 32,
    "chunk": 1,
}


@pytest.fixture(scope="module")
def rows(built):
    return read_rows(built / "instances.jsonl")


@pytest.fixture(scope="module")
def made(rows):
    return [row for row in rows if row["model"] == CONSTRUCTED]


@pytest.fixture(scope="module")
def pairs(built):
    return read_rows(built / "train.jsonl")


@pytest.fixture(scope="module")
def results(built):
    return json.loads((built / "results.json").read_text())


@pytest.fixture(scope="module")
def naive(made):
    """Influence and flip of every word, by example: one question after the other."""
    policy = TransformersPolicy.load("toy")
    examples = {(row["task"], row["id"]): row for row in made}
    return {key: _erase(policy, row) for key, row in examples.items()}


def _erase(policy, row):
    task = load_task(row["task"])

    def ask(text):
        return policy.predict([task.ask(Example(row["id"], text, row["gold"], row["context"]))])[0]

    whole, found = ask(row["input"]), []
    for word in words(row["input"]):
        answer = ask(row["input"][: word.start] + "[REDACTED]" + row["input"][word.end :])
        fall = whole.probability(whole.label) - answer.probability(whole.label)
        found.append((word.text, fall, answer.label != whole.label))
    return found


# What a build leaves


def test_every_example_has_a_row_per_style(made):
    assert set(Counter((row["task"], row["id"]) for row in made).values()) == {len(STYLES)}
    assert len(made) == 3 * 12 * len(STYLES)


def test_quality_examples_have_the_models_own_explanations_too(rows):
    own = Counter(row["task"] for row in rows if row["model"] == ORIGINAL)
    assert own == dict.fromkeys(["sentiment140", "snli", "ag_news"], 4 * len(STYLES))


def test_no_two_rows_have_the_same_key(rows):
    assert len({key_of(row) for row in rows}) == len(rows)


def test_every_valid_constructed_row_is_a_pair(made, pairs):
    valid = [key_of(row) for row in made if row["status"] == "valid"]
    assert [(CONSTRUCTED, *key_of({"model": "", **pair})[1:]) for pair in pairs] == valid


def test_pair_has_the_columns_of_a_reward(pairs):
    assert all(pair.keys() >= NEEDED_BY_A_REWARD for pair in pairs)


def test_prompt_is_the_question_the_own_prediction_and_the_instruction(pairs):
    for pair in pairs:
        roles = [turn["role"] for turn in pair["prompt"]]
        assert roles == ["user", "assistant", "user"]
        assert pair["prompt"][1]["content"] == pair["prediction"]
        assert pair["input"] in pair["prompt"][0]["content"]


@pytest.mark.parametrize("style", STYLES)
def test_prompt_ends_with_the_instruction_of_its_style(pairs, style):
    for pair in (p for p in pairs if p["style"] == style):
        wanted = load_task(pair["task"]).instructions[style]["one"]
        wanted = wanted.replace("{second_input}", pair["context"])
        assert pair["prompt"][-1]["content"] == wanted


@pytest.mark.parametrize("style", STYLES)
def test_completion_parses_to_an_explanation_of_one_word(pairs, style):
    for pair in (p for p in pairs if p["style"] == style):
        (turn,) = pair["completion"]
        parsed = STYLES[style].parse(
            turn["content"], pair["input"], load_task(pair["task"]).label_words
        )
        assert isinstance(parsed, Explanation), parsed
        assert parsed.count == 1


@pytest.mark.parametrize("style", ["attribution", "redaction"])
def test_completion_names_the_most_influential_word(made, naive, style):
    for row in (r for r in made if r["style"] == style):
        best = max(naive[row["task"], row["id"]], key=lambda found: found[1])
        named = [f for f in naive[row["task"], row["id"]] if f[0] in row["words"]]
        # Two words may be equal to within rounding.
        assert max(f[1] for f in named) == pytest.approx(best[1], abs=1e-5)


def test_influence_is_that_of_one_question_at_a_time(made, naive):
    for row in made:
        best = max(found[1] for found in naive[row["task"], row["id"]])
        assert row["influence"] == pytest.approx(best, abs=1e-5)


def test_counterfactual_changes_only_the_most_influential_word(made, naive):
    for row in (r for r in made if r["style"] == "counterfactual" and r["status"] == "valid"):
        best = max(
            range(len(words(row["input"]))), key=lambda i: naive[row["task"], row["id"]][i][1]
        )
        old, new = words(row["input"]), words(row["edited"])
        assert [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a.key != b.key] == [
            best
        ]


@pytest.mark.parametrize("style", ["attribution", "redaction"])
def test_faithful_when_redacting_the_named_word_flips(made, naive, style):
    for row in (r for r in made if r["style"] == style):
        (named,) = row["words"]
        found = naive[row["task"], row["id"]]
        if [f[0] for f in found].count(named) == 1:
            assert row["faithful"] == next(flips for word, _, flips in found if word == named)


def test_ceiling_says_whether_any_one_word_flips(made, naive):
    for row in (r for r in made if r["style"] == "redaction"):
        assert row["ceiling"] == any(flips for _, _, flips in naive[row["task"], row["id"]])


def test_results_count_pairs_and_what_was_left_out(results, made, pairs):
    assert results["pairs"] == len(pairs)
    assert results["pairs"] + sum(results["left_out"].values()) == len(made)


def test_without_word_budget_the_fewest_leading_words_are_named(tmp_path):
    given = {**SMALL, "styles": ["attribution"], "budgets": ["multi"], "quality_examples": 0}
    policy, seen = TransformersPolicy.load("toy"), Counter()
    for row in build(BuildRecipe(**given, out=str(tmp_path))):
        influence = {word: fall for word, fall, _ in _erase(policy, row)}
        falls = [influence[word] for word in row["words"]]
        assert falls == sorted(falls, reverse=True)
        assert falls[0] == pytest.approx(max(influence.values()), abs=1e-5)
        assert row["faithful"] or row["count"] == 1
        seen[row["count"], row["faithful"]] += 1
    assert seen[1, True] and seen[1, False]


def test_random_words_are_as_many_and_not_the_influential_ones(tmp_path):
    given = {**SMALL, "styles": ["attribution"], "budgets": ["one", "multi"], "quality_examples": 0}
    found = {
        words: build(BuildRecipe(**given, words=words, out=str(tmp_path / words)))
        for words in ("influential", "random")
    }
    pairs = list(zip(found["influential"], found["random"], strict=True))
    assert all(a["count"] == b["count"] for a, b in pairs)
    assert sum(a["words"] == b["words"] for a, b in pairs) < len(pairs) / 2
    faithful = {words: sum(row["faithful"] for row in rows) for words, rows in found.items()}
    assert faithful["random"] < faithful["influential"] / 2


def test_one_random_word_is_erased_alone(tmp_path):
    given = {**SMALL, "styles": ["attribution"], "quality_examples": 0, "words": "random"}
    rows = build(BuildRecipe(**given, out=str(tmp_path / "random")))
    asked = json.loads((tmp_path / "random" / "results.json").read_text())["throughput"]["build"]
    # Each text, and each with its word redacted.
    assert asked["distinct"] - asked["cached"] == 2 * len(rows)
    assert asked["replies"] == 0  # replacements are for counterfactuals
    assert len({row["id"] for row in rows}) == len(rows)


def test_filtered_replacement_is_counted_with_its_reason(tmp_path, monkeypatch):
    said = iter(["two words", "Negative", "positive."] * 8)
    monkeypatch.setattr(
        TransformersPolicy, "generate", lambda self, asked, **_: [next(said) for _ in asked]
    )
    given = {**SMALL, "quality_examples": 0, "out": str(tmp_path)}
    rows = build(BuildRecipe(**given))
    found = Counter(row["reason"] for row in rows if row["style"] == "counterfactual")
    assert found == {"replacement_not_one_word": 8, "replacement_is_label": 16}
    assert json.loads((tmp_path / "results.json").read_text())["left_out"] == found


def test_typical_words_are_tried_without_asking_for_any(tmp_path):
    given = {**SMALL, "styles": ["counterfactual"], "quality_examples": 0}
    build(BuildRecipe(**given, replacements="typical", out=str(tmp_path)))
    asked = json.loads((tmp_path / "results.json").read_text())["throughput"]["build"]
    assert asked["replies"] == 0


def test_every_example_has_a_counterfactual_where_typical_words_are_tried(tmp_path):
    given = {**SMALL, "styles": ["counterfactual"], "quality_examples": 0}
    rows = build(BuildRecipe(**given, replacements="typical", out=str(tmp_path)))
    assert [row["status"] for row in rows] == ["valid"] * SMALL["examples_per_task"]


# Stopped, and started again


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "build.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "out": "unused"}))
    return path


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    main(["build", "--config", str(recipe), "--out", str(out)])
    return out


def written(out):
    return sum(f.read_bytes().count(b"\n") for f in out.glob("instances*.jsonl"))


def assert_same_rows(out, undisturbed):
    for file in ("instances.jsonl", "train.jsonl"):
        assert_same(read_rows(out / file), read_rows(undisturbed / file))


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_rows(recipe, undisturbed, fork, tmp_path):
    out, command = tmp_path / "out", ["build", "--config", str(recipe), "--out"]
    total, rng = written(undisturbed), random.Random()
    for moment in sorted(rng.sample(range(1, total - 12), 3)):
        process = fork(main, [*command, str(out)])
        code = process.stop_when(lambda moment=moment: written(out) >= moment, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert written(out) < total
    assert fork(main, [*command, str(out)]).end() == 0
    assert_same_rows(out, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_how_to_go_on_and_does(recipe, undisturbed, fork, tmp_path, cli, number):
    out = tmp_path / "out"
    command = ["build", "--config", str(recipe), "--out", str(out)]
    process = fork(main, command)
    assert process.stop_when(lambda: written(out) > 5, number) == 128 + number
    assert process.log.read_text().endswith("stopped; run the same command again to go on\n")
    assert "Traceback" not in process.log.read_text()
    assert cli(*command).code == 0
    assert_same_rows(out, undisturbed)


def test_finished_build_started_again_asks_nothing(undisturbed, recipe, cli, monkeypatch):
    before = (undisturbed / "instances.jsonl").read_bytes()
    monkeypatch.setattr(TransformersPolicy, "load", None)
    assert cli("build", "--config", recipe, "--out", undisturbed).code == 0
    assert (undisturbed / "instances.jsonl").read_bytes() == before


def test_task_without_instructions_is_refused_before_the_model_is_loaded(tmp_path):
    recipe = BuildRecipe(out=str(tmp_path), model_name_or_path="no/such", tasks=["esnli"])
    with pytest.raises(TaskError, match=r"add instructions\.attribution\.one to its file"):
        build(recipe)


def test_folder_of_another_recipe_is_refused(undisturbed, recipe, cli):
    refused = cli("build", "--config", recipe, "--out", undisturbed, "--seed", 1)
    assert refused.code == 2
    assert "holds a run of another recipe: seed was 0, is 1 now" in refused.error


def test_data_changed_under_a_run_is_refused(tmp_path, cli, user_task):
    command = ("build", "--config", user_task / "build.yaml")
    assert cli(*command).code == 0
    data = user_task / "mood" / "train.jsonl"
    data.write_text(data.read_text().replace("day 3", "day 33"))
    assert "the data does not hold any more" in cli(*command).error


def test_text_longer_than_the_context_is_unscored_and_counted(cli, user_task):
    data = user_task / "mood" / "train.jsonl"
    row = {"text": "so good " * 200, "label": "up"}
    data.write_text(
        json.dumps(row) + "\n" + "".join(data.read_text().splitlines(keepends=True)[1:])
    )
    assert cli("build", "--config", user_task / "build.yaml").code == 0
    results = json.loads((user_task / "out" / "results.json").read_text())
    assert results["left_out"]["too_long"] == 3
    cells = [cell for cell in results["cells"] if cell["model"] == CONSTRUCTED]
    assert [cell["unscored"]["too_long"] for cell in cells] == [1, 1, 1]
