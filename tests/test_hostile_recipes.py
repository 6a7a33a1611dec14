"""Two thousand recipes and task files that nobody would write: sound, or refused in a sentence."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rl_faith.errors import RecipeError, RLFaithError, TaskError
from rl_faith.interventions import load_intervention
from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes import STAGES, check_recipe, known_keys
from rl_faith.tasks import Task, load_task

BASES = [
    {"stage": "build", "out": "o", "model_name_or_path": "toy"},
    {"stage": "build", "test": "counterfactual", "out": "o", "model_name_or_path": "toy"},
    {
        "stage": "evaluate",
        "out": "o",
        "models": ["a=toy"],
        "policy": "server",
        "base_urls": ["http://x"],
    },
    {"stage": "sft", "model_name_or_path": "toy", "output_dir": "o", "train_on": "predictions"},
    {"stage": "grpo", "rewards": [{"function": "format", "weight": 1.0, "args": {"a": 1}}]},
    {"stage": "grpo", "test": "counterfactual", "pool": "p", "rewards": [{"function": "x.py:f"}]},
]
TASK = {
    "question": "{input}?",
    "labels": {"Good": ["good", 1], "Bad": ["bad", 0]},
    "columns": {"id": ["id", "key"], "input": "text", "label": "label"},
    "hub": {"path": "somebody/something"},
    "splits": {"train": "train", "test": "test"},
    "ignored_labels": [-1],
    "undecided": {"question": "{input}?", "labels": ["Neither"]},
    "instructions": {"redaction": {"one": "Redact a word."}},
    "insert_into": ["input"],
    "explanation": {"after": "Why?"},
    "source": "nowhere",
}
REPEATABLE = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
SCALARS = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.binary(max_size=4),
    st.sampled_from(["", "one", "toy", "redaction", "snli", "x.yaml", "a\nb.yaml", "\x00.yaml"]),
    st.sampled_from([10**400, -(10**400), "y" * 5_000 + ".yaml", "\u202e", "http://", "hub"]),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=6,
)
OURS = sorted(known_keys(STAGES["build"]) | known_keys(STAGES["evaluate"]))
KEYS = st.sampled_from([*OURS, "rewards", "replay", "pool", "env", "trust_remote_code"]) | SCALARS
TEXT = [
    *("stage: build\n", "stage: sft\n", "out: o\n", "tasks: ", "chunk: ", "rewards: ", "- ", "? "),
    *("&a ", "*a", "&a [*a]", "<<: ", "<<: [*a, *a]\n", "[", "]", "{", "}", ", ", ": ", "\n", "  "),
    *("2026-13-45", "0x" + "f" * 5_000, "1" * 5_000, "1:99", "0b", ".nan", "-.inf", "~", "[" * 999),
    *("!!int x", "!!float x", "!!timestamp x", "!!bool x", "!!binary x", "!!omap [1]", "!!set {a}"),
    *("!!python/object/apply:os.system [true]", "!x ", "|\n", ">-\n", "'", '"', '"\\ud800"', "\\"),
    *("%YAML 9.9\n", "---\n", "...\n", "# ", "\t", "\x00", "\x85", "\ufeff", "\u2028", "\u202e"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@st.composite
def changed(draw, bases):
    """A sound mapping with some entries put in, replaced or taken out."""
    mapping = dict(draw(st.sampled_from(bases)))
    for key in draw(st.lists(KEYS | st.sampled_from([*mapping]), min_size=1, max_size=3)):
        mapping[key] = draw(VALUES)
    for key in draw(st.lists(st.sampled_from([*mapping]), max_size=1)):
        del mapping[key]
    return mapping


def told(function, *arguments):
    """What it returns, or the one sentence with which it refuses."""
    try:
        return function(*arguments)
    except (RecipeError, TaskError) as error:
        assert 0 < len(str(error)) < 2_000
        assert "\n" not in str(error)
        return error


def written(path, content):
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(path)


@settings(max_examples=1_000, **REPEATABLE)
@given(recipe=changed(BASES))
def test_a_recipe_with_strange_entries_is_sound_or_refused(folder, recipe):
    found = told(check_recipe, written(folder / "near.yaml", recipe))
    assert isinstance(found, RLFaithError) or found in STAGES


@settings(max_examples=600, **REPEATABLE)
@given(pieces=st.lists(st.sampled_from(TEXT) | st.text(max_size=4), max_size=12))
def test_a_recipe_of_any_text_is_sound_or_refused(folder, pieces):
    found = told(check_recipe, written(folder / "text.yaml", "".join(pieces)))
    assert isinstance(found, RLFaithError) or found in STAGES


@settings(max_examples=400, **REPEATABLE)
@given(task=changed([TASK]))
def test_a_task_with_strange_entries_is_sound_or_refused(folder, task):
    found = told(load_task, written(folder / "task.yaml", task))
    assert isinstance(found, Task | TaskError)


@pytest.mark.parametrize(
    "text",
    [
        *("out: 2026-13-45", f"seed: {'1' * 5_000}", "seed: !!int x", "seed: !!timestamp x"),
        *("seed: !!bool x", f"out: {'[' * 5_000}", "out: !!python/name:os.system", "{[]: 1}"),
    ],
    ids=lambda text: text[:20],
)
def test_what_yaml_cannot_hold_is_no_yaml(text):
    with pytest.raises(ValueError, match=r"\w"):
        read_yaml(text)


def test_mappings_that_merge_one_another_do_not_fill_the_memory():
    levels = [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 20)]
    # PyYAML before 6.0.4 keeps every copy of a key, which the limit ends; since then it keeps one.
    try:
        told = read_yaml("\n".join(["a0: &a0 {b: 1, c: 2}", *levels]))
    except ValueError as error:
        assert "more than 1000 keys" in str(error)
    else:
        assert told["a19"] == {"b": 1, "c": 2}


def test_lists_that_hold_one_another_are_told_in_a_short_sentence(tmp_path):
    held = "[x]"
    for i in range(20):
        held = f"[&a{i} {held}{f', *a{i}' * 8}]"
    path = written(tmp_path / "r.yaml", f"stage: build\nmodel_name_or_path: toy\nout: {held}")
    assert "out is [[[" in str(told(check_recipe, path))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"function": "f", "weight": float("nan")}, "not a finite number"),
        ({"function": "f", "weight": 10**400}, "not a finite number"),
        ({"function": "f", "weight": True}, "not a finite number"),
        ({"function": "f", "args": {1: 2}}, "must map names to values"),
        ({"function": "f", "x": 1, 2: 3}, "unknown key 'x' of a reward"),
        ({"function": ["f"]}, "names no function"),
    ],
)
def test_an_entry_that_is_no_reward_is_refused(tmp_path, entry, said):
    path = written(tmp_path / "r.yaml", {"stage": "grpo", "rewards": [entry]})
    with pytest.raises(RecipeError, match=said):
        check_recipe(path)


@pytest.mark.parametrize("name", ["y" * 5_000 + ".yaml", "\x00.yaml", "a\nb.yaml", "/.yaml"])
@pytest.mark.parametrize("load", [load_task, load_intervention])
def test_a_path_that_can_name_no_file_is_refused(load, name):
    assert isinstance(told(load, name), RecipeError | TaskError)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hub", {"path": "a", "trust_remote_code": True}),
        ("hub", "a/b"),
        ("splits", {"train": "train"}),
        ("source", 7),
        ("ignored_labels", {"a": 1}),
        ("undecided", {"question": "{input}?", "labels": {"Neither": 1}}),
        ("columns", {"input": {"a": "b"}, "label": "label"}),
        ("labels", {"Good": {"a": 1}, "Bad": 0}),
        ("labels", {"Good": None, "Bad": 0}),
    ],
)
def test_a_task_with_a_value_of_another_kind_is_refused(tmp_path, key, value):
    with pytest.raises(TaskError, match=key):
        load_task(written(tmp_path / "t.yaml", {**TASK, key: value}))
