import pytest
import yaml

from rl_faith.errors import TaskError
from rl_faith.tasks import Example, load_task, shipped_tasks

EXPLAINED = ("ag_news", "sentiment140", "snli")
EXAMPLE = Example("1", "So [REDACTED] today", "", "It rains")
USERS = {
    "question": "Review: {input} Good or bad?",
    "labels": {"Good": ["good", 1], "Bad": 0},
    "columns": {"input": "text", "label": ["label", "y"]},
    "instructions": {"attribution": {"one": "Which word in {input}?"}},
    "replacement": "Fill {redacted_input} so that it is {target_label}:",
}


@pytest.fixture
def write(tmp_path):
    """Write a task file: the user's task with some keys changed (None takes one out)."""

    def written(text: str | None = None, **changed) -> str:
        path = tmp_path / "reviews.yaml"
        raw = {key: value for key, value in {**USERS, **changed}.items() if value is not None}
        path.write_text(
            yaml.safe_dump(raw, sort_keys=False) if text is None else text, encoding="utf-8"
        )
        return str(path)

    return written


def said(conversation) -> str:
    return conversation[-1].content


def test_tasks_of_both_tests_are_shipped():
    probed = ["comve", "ecqa", "esnli", "social_iqa", "strategyqa"]
    assert shipped_tasks() == sorted([*EXPLAINED, *probed])


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("sentiment140", ("Positive", "Negative")),
        ("snli", ("Yes", "No", "Maybe")),
        ("ag_news", ("World", "Sport", "Business", "Tech")),
        ("esnli", ("Yes", "No", "Maybe")),
        ("ecqa", ("A", "B", "C", "D", "E")),
        ("comve", ("A", "B")),
        ("social_iqa", ("A", "B", "C")),
        ("strategyqa", ("Yes", "No")),
    ],
)
def test_a_task_has_its_label_words(name, labels):
    assert load_task(name).label_words == labels


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (
            "sentiment140",
            "Text: So [REDACTED] today\n\nQuestion: What would you classify the sentiment of the "
            "text as? The text can contain redacted words marked with [REDACTED]. Answer either "
            "'Positive' or 'Negative' in a single word. Do not explain the answer.",
        ),
        (
            "snli",
            "Sentence: So [REDACTED] today\n\nQuestion: Does this sentence imply that 'It rains'? "
            "The sentence can contain redacted words marked with [REDACTED]. Answer either 'Yes', "
            "'No', or 'Maybe' in a single word. Do not explain the answer.",
        ),
        (
            "ag_news",
            "Title: So [REDACTED] today\n\nQuestion: What label best describes this news title? "
            "The title can contain redacted words marked with [REDACTED]. Respond with one of the "
            "following single words: 'World', 'Sport', 'Business', or 'Tech'. "
            "Do not explain the answer.",
        ),
    ],
)
def test_the_label_question_is_that_of_the_paper(name, prompt):
    assert said(load_task(name).ask(EXAMPLE).conversation) == prompt


@pytest.mark.parametrize(
    ("name", "style", "budget", "phrase"),
    [
        (
            "sentiment140",
            "attribution",
            "one",
            "such that without this word the sentiment cannot be",
        ),
        ("sentiment140", "attribution", "multi", '{"words": ["word1", "word2", ..., "wordN"]}'),
        ("sentiment140", "redaction", "one", "with the new redacted text following 'Answer:'."),
        ("sentiment140", "redaction", "multi", '"AAA BBB CCC" into "AAA [REDACTED] [REDACTED]"'),
        (
            "sentiment140",
            "counterfactual",
            "one",
            "so that the predicted sentiment changes from the",
        ),
        ("sentiment140", "counterfactual", "multi", "all and only the words necessary"),
        ("snli", "attribution", "one", "word in the sentence, for determining the implication."),
        (
            "snli",
            "redaction",
            "one",
            "for determining whether it entails 'It rains' with '[REDACTED]'",
        ),
        (
            "snli",
            "counterfactual",
            "one",
            "NLI relationship to 'It rains' changes from the current",
        ),
        ("ag_news", "attribution", "one", "word in the title for determining its topic label."),
        (
            "ag_news",
            "redaction",
            "one",
            "by replacing the single most important word for determining",
        ),
        (
            "ag_news",
            "counterfactual",
            "one",
            "Do not use either '[REDACTED]' or the topic label itself",
        ),
    ],
)
def test_the_instructions_are_those_of_the_paper(name, style, budget, phrase):
    assert phrase in said(load_task(name).ask_why(EXAMPLE, "No", style, budget))


@pytest.mark.parametrize(
    ("name", "opening", "close"),
    [
        (
            "sentiment140",
            "You are given an English sentence with one redacted part, represented as [REDACTED]",
            "Sentence with redaction: So [REDACTED] today\nTarget label: Y\nOutput word:",
        ),
        (
            "snli",
            "You are given a premise–hypothesis pair in English. The premise contains one redacted",
            "Premise with redaction: So [REDACTED] today\nHypothesis: It rains\n"
            "Target label: Y\nOutput word:",
        ),
        (
            "ag_news",
            "You are given an English news title with one redacted part, represented as [REDACTED]",
            "Title with redaction: So [REDACTED] today\nTarget label: Y\nOutput word:",
        ),
    ],
)
def test_the_question_for_a_replacement_is_that_of_the_paper(name, opening, close):
    prompt = said(load_task(name).ask_replacement(EXAMPLE, "Y"))
    assert prompt.startswith(opening)
    assert prompt.endswith(close)


@pytest.mark.parametrize("name", EXPLAINED)
@pytest.mark.parametrize("budget", ["one", "multi"])
@pytest.mark.parametrize("style", ["attribution", "redaction", "counterfactual"])
def test_an_instruction_has_no_placeholder_left(name, budget, style):
    prompt = said(load_task(name).ask_why(EXAMPLE, "No", style, budget))
    assert "input}" not in prompt


@pytest.mark.parametrize(
    ("budget", "ending"), [("one", "following 'Answer:'."), ("multi", "Answer in JSON format as {")]
)
@pytest.mark.parametrize("name", EXPLAINED)
@pytest.mark.parametrize("style", ["attribution", "redaction", "counterfactual"])
def test_an_instruction_names_its_format(name, style, budget, ending):
    assert ending in said(load_task(name).ask_why(EXAMPLE, "No", style, budget))


@pytest.mark.parametrize("text", ["{second_input}", "{input}", "{target_label}", "{x} {0} {}"])
@pytest.mark.parametrize("name", EXPLAINED)
def test_a_placeholder_in_the_users_text_is_left_as_it_is(name, text):
    example = Example("1", f"a {text} b", "", f"c {text} d")
    prompt = said(load_task(name).ask_replacement(example, "Y"))
    assert f"redaction: a {text} b\n" in prompt


def test_an_explanation_is_asked_for_behind_the_models_own_answer():
    task = load_task("sentiment140")
    turns = task.ask_why(EXAMPLE, "Negative", "redaction", "one")
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert (turns[:1], turns[1].content) == (task.ask(EXAMPLE).conversation, "Negative")


def test_the_question_for_a_replacement_is_a_fresh_conversation():
    assert len(load_task("snli").ask_replacement(EXAMPLE, "No")) == 1


def test_editing_an_example_keeps_all_but_the_input():
    assert EXAMPLE.edited("new") == Example("1", "new", "", "It rains")


def test_a_users_task_comes_from_its_file_alone(write):
    task = load_task(write())
    assert (task.name, task.label_words) == ("reviews", ("Good", "Bad"))
    assert said(task.ask(EXAMPLE).conversation) == "Review: So [REDACTED] today Good or bad?"


def test_a_single_data_value_or_column_needs_no_list(write):
    task = load_task(write())
    assert (task.labels["Bad"], task.columns["input"]) == (("0",), ("text",))


def test_a_style_without_instruction_is_an_error_where_it_is_asked(write):
    with pytest.raises(
        TaskError, match=r"has no multi-word prompt for style 'redaction'.*add instr"
    ):
        load_task(write()).ask_why(EXAMPLE, "Good", "redaction", "multi")


def test_a_task_may_do_without_instructions(write):
    assert load_task(write(instructions=None)).instructions == {}


def test_a_task_without_instructions_names_what_to_add(write):
    with pytest.raises(TaskError, match=r"add instructions\.attribution\.one to its file"):
        load_task(write(instructions=None)).ask_why(EXAMPLE, "Good", "attribution", "one")


def test_a_task_without_replacement_names_what_to_add(write):
    with pytest.raises(TaskError, match=r"has no prompt for a replacement; add replacement to its"):
        load_task(write(replacement=None)).ask_replacement(EXAMPLE, "Good")


def test_a_missing_instruction_is_found_before_it_is_asked_for(write):
    with pytest.raises(TaskError, match="no multi-word prompt for style 'attribution'"):
        load_task(write()).check_instructions(["attribution"], ["one", "multi"])


@pytest.mark.parametrize("name", EXPLAINED)
def test_tasks_of_the_paper_have_every_instruction(name):
    styles = ["attribution", "redaction", "counterfactual"]
    load_task(name).check_instructions(styles, ["one", "multi"])


def test_insertions_go_into_the_input_unless_the_task_says_more(write):
    assert load_task(write()).insert_into == ("input",)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("esnli", ("input", "second_input")),
        ("comve", ("input", "second_input")),
        ("ecqa", ("input",)),
        ("social_iqa", ("input",)),
        ("strategyqa", ("input",)),
    ],
)
def test_insertions_go_into_questions_and_into_both_of_two_sentences(name, places):
    assert load_task(name).insert_into == places


@pytest.mark.parametrize("places", [[], ["input", "input"], "options", ["input", "second_input"]])
def test_an_insertion_into_what_is_not_there_is_an_error(write, places):
    with pytest.raises(TaskError, match="insert_into must name one or more of input, each once"):
        load_task(write(insert_into=places))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("snil", r"did you mean 'snli'\?"),
        ("Sentiment140", r"did you mean 'sentiment140'\?"),
        ("qqq", rf"known: {', '.join(shipped_tasks())}\."),
    ],
)
def test_an_unknown_task_is_an_error_with_the_nearest_name(name, hint):
    with pytest.raises(TaskError, match=f"unknown task '{name}'; {hint} A path to a .yaml file"):
        load_task(name)


def test_a_missing_task_file_is_an_error():
    with pytest.raises(TaskError, match=r"there is no task file no/such\.yaml"):
        load_task("no/such.yaml")


def test_a_task_file_in_another_encoding_is_an_error(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("question: café".encode("latin-1"))
    with pytest.raises(TaskError, match=r"latin\.yaml could not be read: 'utf-8'"):
        load_task(str(path))


@pytest.mark.parametrize("key", ["columns", "labels", "question"])
def test_a_missing_key_is_named(write, key):
    with pytest.raises(TaskError, match=rf"missing keys \['{key}'\], unknown keys \[\]"):
        load_task(write(**{key: None}))


@pytest.mark.parametrize("key", ["lables", "2"])
def test_an_unknown_key_is_named(write, key):
    with pytest.raises(TaskError, match=rf"missing keys \[\], unknown keys \['{key}'\]"):
        load_task(write(**{key: "x"}))


def test_unquoted_yes_and_no_are_an_error_that_says_what_to_do(write):
    with pytest.raises(TaskError, match="put label words in quotes"):
        load_task(write(labels={True: 1, False: 0}))


@pytest.mark.parametrize(
    "labels",
    [{"Good": [1, 2], "Bad": [2, 3]}, {"Good": 1, "Bad": "1"}, {"Good": 1, "good": 0}],
    ids=["value", "number as text", "word"],
)
def test_two_labels_that_share_something_are_an_error(write, labels):
    with pytest.raises(TaskError, match="two labels share a word or a data value"):
        load_task(write(labels=labels))


@pytest.mark.parametrize("labels", [{"Good": 1}, {}, ["Good", "Bad"]])
def test_fewer_than_two_labels_are_an_error(write, labels):
    with pytest.raises(TaskError, match="needs at least two labels"):
        load_task(write(labels=labels))


@pytest.mark.parametrize(
    "columns",
    [{"input": "text"}, {"label": "y"}, {"input": "a", "label": "b", "text": "c"}, "text"],
)
def test_columns_without_the_two_that_are_needed_or_with_others_are_an_error(write, columns):
    with pytest.raises(TaskError, match="columns must name those of input and label"):
        load_task(write(columns=columns))


@pytest.mark.parametrize(
    ("key", "place"), [("question", "{input}"), ("replacement", "{redacted_input}")]
)
@pytest.mark.parametrize("prompt", ["Is it good?", 5, ["{input}"]])
def test_a_prompt_that_does_not_show_the_input_is_an_error(write, key, place, prompt):
    with pytest.raises(TaskError, match=f"{key} must be a prompt with {place}"):
        load_task(write(**{key: prompt}))


@pytest.mark.parametrize("instructions", ["x", {"redaction": "x"}, {"redaction": {"one": 5}}])
def test_instructions_that_are_no_prompts_are_an_error(write, instructions):
    with pytest.raises(TaskError, match="instructions must be prompts"):
        load_task(write(instructions=instructions))


@pytest.mark.parametrize("undecided", [{"labels": ["Unsure"]}, {"question": "{input}?"}, ["x"]])
def test_half_an_undecided_variant_is_an_error(write, undecided):
    with pytest.raises(TaskError, match="undecided needs exactly the keys question and labels"):
        load_task(write(undecided=undecided))


def test_bad_yaml_is_one_sentence(write):
    with pytest.raises(TaskError, match="'reviews' is not valid YAML") as error:
        load_task(write("question: [\nlabels: }"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b"])
def test_a_file_without_keys_is_an_error(write, text):
    with pytest.raises(TaskError, match="must be a mapping of keys to values"):
        load_task(write(text))


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("sentiment140", ("Positive", "Negative", "Neutral", "Unknown")),
        ("snli", ("Yes", "No", "Maybe", "Unknown")),
        ("ag_news", ("World", "Sport", "Business", "Tech", "Neutral", "Unknown")),
    ],
)
def test_undecided_adds_the_labels_that_the_task_lacks(name, labels):
    assert load_task(name).with_undecided().label_words == labels


@pytest.mark.parametrize("name", EXPLAINED)
def test_undecided_asks_for_every_label(name):
    task = load_task(name).with_undecided()
    prompt = said(task.ask(EXAMPLE).conversation)
    assert [label for label in task.label_words if f"'{label}'" not in prompt] == []


def test_undecided_labels_have_no_data(write):
    task = load_task(write(undecided={"question": "{input}?", "labels": ["Unsure"]}))
    assert set(task.with_undecided().labels) == {"Good", "Bad"}


def test_a_task_without_undecided_variant_says_what_to_add(write):
    with pytest.raises(TaskError, match=r"add undecided\.question and undecided\.labels"):
        load_task(write()).with_undecided()
