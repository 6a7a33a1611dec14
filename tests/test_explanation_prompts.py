"""Free-text explanations: asked for behind the decision or before it."""

import pytest
import yaml

from rl_faith.errors import TaskError
from rl_faith.tasks import Example, load_task, shipped_tasks

TASK = {
    "question": "Review: {input} Good or bad?",
    "labels": {"Good": 1, "Bad": 0, "Fair": 2},
    "columns": {"input": "text", "label": "label"},
}
EXAMPLE = Example("1", "so {labels} slow", "Bad", "It rains", ("p", "q", "r"))
REASONING = "It is slow, says {input}."


@pytest.fixture
def task(tmp_path):
    """Load the task with other requests around an explanation."""

    def loaded(**explanation):
        path = tmp_path / "reviews.yaml"
        raw = {**TASK, "explanation": explanation} if explanation else TASK
        path.write_text(yaml.safe_dump(raw, sort_keys=False))
        return load_task(str(path))

    return loaded


def roles(conversation) -> list[str]:
    return [turn.role for turn in conversation]


def test_an_explanation_is_asked_for_behind_the_decision(task):
    turns = task().ask_explanation(EXAMPLE, "Bad")
    assert roles(turns) == ["user", "assistant", "user"]
    assert (turns[:1], turns[1].content) == (task().ask(EXAMPLE).conversation, "Bad")


def test_reasoning_is_asked_for_in_the_same_turn_as_the_question(task):
    (turn,) = task().ask_reasoning(EXAMPLE)
    (question,) = task().ask(EXAMPLE).conversation
    assert turn.content.startswith(f"{question.content}\n\nDo not answer yet.")


def test_the_decision_is_asked_for_behind_the_reasoning(task):
    turns = task().ask_after(EXAMPLE, REASONING).conversation
    assert roles(turns) == ["user", "assistant", "user"]
    assert (turns[:1], turns[1].content) == (task().ask_reasoning(EXAMPLE), REASONING)


def test_the_labels_to_choose_from_are_those_of_the_question(task):
    assert task().ask_after(EXAMPLE, REASONING).labels == task().ask(EXAMPLE).labels


def test_the_labels_are_listed_where_the_decision_is_asked_for(task):
    turns = task().ask_after(EXAMPLE, REASONING).conversation
    assert turns[-1].content == "Now give your answer: 'Good', 'Bad' or 'Fair', and nothing else."


def test_all_that_had_an_influence_is_asked_for(task):
    turns = task().ask_explanation(EXAMPLE, "Bad")
    assert "Name everything in the prompt that influenced it." in turns[-1].content


@pytest.mark.parametrize("hint", ["hint", "suggest", "insert", "added", "bias", "word", "opinion"])
def test_no_request_hints_at_what_may_have_been_inserted(task, hint):
    prompts = vars(task().explanation).values()
    assert [prompt for prompt in prompts if hint in prompt.lower()] == []


@pytest.mark.parametrize("key", ["after", "before", "decide"])
def test_a_task_may_word_a_request_itself(task, key):
    changed = task(**{key: "Why '{input}'?"})
    turns = {
        "after": changed.ask_explanation(EXAMPLE, "Bad"),
        "before": changed.ask_reasoning(EXAMPLE),
        "decide": changed.ask_after(EXAMPLE, REASONING).conversation,
    }
    assert turns[key][-1].content.endswith("Why 'so {labels} slow'?")


def test_a_request_that_a_task_does_not_word_is_the_shared_one(task):
    changed, shared = task(after="Why?").explanation, task().explanation
    assert (changed.before, changed.decide) == (shared.before, shared.decide)


@pytest.mark.parametrize("given", [{"why": "Why?"}, {"after": ""}, {"before": ["Why?"]}])
def test_requests_of_another_kind_are_an_error(task, given):
    with pytest.raises(TaskError, match="explanation must hold prompts under after, before or dec"):
        task(**given)


@pytest.mark.parametrize("name", shipped_tasks())
def test_every_task_can_ask_for_an_explanation_in_either_order(name):
    task = load_task(name)
    options = ("x",) * len(task.labels) if task.option_columns else ()
    example = Example("1", "a", task.label_words[0], "b", options)
    asked = task.ask_explanation(example, "y") + task.ask_after(example, "z").conversation
    assert [turn.content for turn in asked if "{" in turn.content] == []
