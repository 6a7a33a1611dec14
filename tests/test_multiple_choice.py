"""Questions with options: their prompts, the forms in which data hold them, and their labels."""

import json
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rl_faith.checks import Case, inquire, judge
from rl_faith.errors import DataError, TaskError
from rl_faith.questions import Unanswered
from rl_faith.rows import example_of, row_of
from rl_faith.styles import load_style
from rl_faith.tasks import Example, check_disjoint, load_examples, load_task
from rl_faith.tasks.fields import Fields, read_example

QUIZ = {
    "question": "{input}\n{options}\nAnswer with a letter alone.",
    "labels": {"A": ["A", 1], "B": ["B", 2], "C": ["C", 3]},
    "columns": {
        "input": "question",
        "options": ["choices", ["one", "two", "three"]],
        "label": "answer",
    },
}
PASSAGES = {
    **QUIZ,
    "question": "{second_input}\n" + QUIZ["question"],
    "columns": {**QUIZ["columns"], "second_input": "passage"},
}
ASKED = Example("1", "Where do cars race?", "B", options=("road", "track", "alley"))
TOO_LONG = Unanswered("too_long")
TEXTS = st.lists(
    st.text(string.ascii_letters + " ").filter(str.strip), min_size=3, max_size=3, unique=True
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    import datasets  # noqa: PLC0415 - slow

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def quiz(tmp_path_factory):
    return written(tmp_path_factory.mktemp("quiz") / "quiz.yaml", QUIZ)


@pytest.fixture(scope="module")
def passages(tmp_path_factory):
    return written(tmp_path_factory.mktemp("passages") / "passages.yaml", PASSAGES)


@pytest.fixture
def load(tmp_path):
    """Write the rows of a task's splits as JSON lines and load one of them."""

    def loaded(task, n=1, split="test", **splits) -> list[Example]:
        folder = tmp_path / task.name
        folder.mkdir(exist_ok=True)
        for name, rows in splits.items():
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        return load_examples(task, split, source=str(tmp_path), n=n, seed=0)

    return loaded


def written(path, content):
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return load_task(str(path))


def row(question="Where?", choices=("x", "y", "z"), answer="A", **more) -> dict:
    return {"question": question, "choices": list(choices), "answer": answer, **more}


def read(task, held, label) -> Example | None:
    fields = Fields({"input": "question", "label": "answer"}, ("choices",))
    given = {"question": "Where?", "choices": held, "answer": label}
    return read_example(task, fields, given, "row 1", "1")


# Prompts


def test_options_stand_one_a_line_behind_their_letters(quiz):
    assert quiz.ask(ASKED).conversation[0].content == (
        "Where do cars race?\nA) road\nB) track\nC) alley\nAnswer with a letter alone."
    )


def test_the_letters_are_what_the_model_chooses_from(quiz):
    assert quiz.ask(ASKED).labels == ("A", "B", "C")


def test_a_placeholder_in_an_option_is_left_as_it_is(quiz):
    example = Example("1", "Which?", "A", options=("{input}", "{options}", "{labels}"))
    assert "A) {input}\nB) {options}\nC) {labels}\n" in quiz.ask(example).conversation[0].content


def test_editing_keeps_the_options():
    assert ASKED.edited("Where now?").options == ASKED.options


def test_a_label_without_data_has_no_option(tmp_path):
    undecided = {"question": QUIZ["question"], "labels": ["Unknown"]}
    task = written(tmp_path / "quiz.yaml", {**QUIZ, "undecided": undecided}).with_undecided()
    assert "C) alley\nAnswer" in task.ask(ASKED).conversation[0].content


def test_an_example_without_its_options_cannot_be_asked_about(quiz):
    with pytest.raises(DataError, match="'1' has 0 options; task 'quiz' needs one for each of A, "):
        quiz.ask(Example("1", "Where?", "A"))


# Rows


def test_a_row_gives_its_example_back():
    case = Case(load_task("snli"), load_style("redaction"), "one", ASKED, TOO_LONG, TOO_LONG)
    row = json.loads(
        json.dumps(row_of("toy", judge(inquire(case, control=False, ceiling=False), [])))
    )
    assert example_of(row) == ASKED


def test_a_row_from_before_there_were_options_has_none():
    row = {"id": "1", "input": "a", "context": "b", "gold": "Yes"}
    assert example_of(row) == Example("1", "a", "Yes", "b")


# Where the options stand


@pytest.mark.parametrize(
    "held",
    [
        {"choices": {"A": "x", "B": "y", "C": "z"}},
        {"choices": {"C": "z", "A": "x", "B": "y"}},
        {"choices": ["x", "y", "z"]},
        {"one": "x", "two": "y", "three": "z"},
        {"choices": ["x", "y", "z"], "one": "p", "two": "q", "three": "r"},
    ],
    ids=["mapping", "mapping in another order", "list", "columns", "the first that is there"],
)
def test_options_come_in_the_order_of_the_labels(quiz, load, held):
    (example,) = load(quiz, test=[{"question": "Where?", "answer": "A", **held}])
    assert example.options == ("x", "y", "z")


def test_options_come_out_of_the_columns_of_a_csv_file(quiz, tmp_path):
    (tmp_path / "quiz").mkdir()
    text = 'question,one,two,three,answer\nWhere?,x,"y, z",null,1\n'
    (tmp_path / "quiz" / "test.csv").write_text(text)
    (example,) = load_examples(quiz, "test", source=str(tmp_path), n=1, seed=0)
    assert example.options == ("x", "y, z", "null")


def test_an_option_of_several_lines_becomes_one(quiz):
    assert read(quiz, ["x\n y", "y", "z"], "A").options[0] == "x y"


@pytest.mark.parametrize(
    "held",
    [
        {"A": "x", "B": "y"},
        {"A": "x", "B": "y", "C": "z", "D": "w"},
        {"A": "x", "B": "y", "C": None},
        {"a": "x", "b": "y", "c": "z"},
        ["x", "y"],
        ["x", "y", "z", "w"],
        ["x", " ", "z"],
        ["x", "y", 3],
        "x, y, z",
        None,
    ],
)
def test_options_that_do_not_match_the_labels_are_an_error(quiz, held):
    with pytest.raises(DataError, match="row 1: the options of task 'quiz' must be a list or a ma"):
        read(quiz, held, "A")


def test_columns_named_apart_are_an_error_that_says_how_to_name_them_together(tmp_path):
    columns = {**QUIZ["columns"], "options": ["one", "two", "three"]}
    task = written(tmp_path / "quiz.yaml", {**QUIZ, "columns": columns})
    (tmp_path / "quiz").mkdir()
    given = {"question": "Where?", "one": "x", "two": "y", "three": "z", "answer": "A"}
    (tmp_path / "quiz" / "test.jsonl").write_text(json.dumps(given))
    with pytest.raises(DataError, match=r"columns that the task lists together, \[\[a, b\]\]; fou"):
        load_examples(task, "test", source=str(tmp_path), n=1, seed=0)


def test_missing_options_name_the_columns_wanted_and_those_there_are(quiz, load):
    with pytest.raises(
        DataError,
        match=r"no column 'choices' or 'one', 'two', 'three' for the options.*are question, answer",
    ):
        load(quiz, test=[{"question": "Where?", "answer": "A"}])


# Which option is right


@pytest.mark.parametrize("label", ["B", 2, "2", 2.0, "the track", "The  Track "])
def test_the_label_is_a_data_value_or_the_text_of_an_option(quiz, label):
    assert read(quiz, ["road", "the track", "alley"], label).gold == "B"


def test_a_data_value_goes_before_the_text_of_an_option(quiz):
    assert read(quiz, ["B", "C", "A"], "A").gold == "A"


@given(TEXTS, st.integers(0, 2))
def test_the_text_of_an_option_names_its_letter(quiz, texts, right):
    found = read(quiz, [f"{i} {text}" for i, text in enumerate(texts)], f"{right} {texts[right]}")
    assert found.gold == "ABC"[right]


def test_a_label_that_is_neither_names_the_known_ones(quiz):
    with pytest.raises(
        DataError, match=r"row 1: unknown label 'sea' .*known: A, 1, .*, or the text of an option"
    ):
        read(quiz, ["road", "track", "alley"], "sea")


@pytest.mark.parametrize("label", ["A", "C", "Road"])
def test_a_question_with_the_right_option_twice_is_left_out(quiz, label):
    assert read(quiz, ["road", "track", "Road "], label) is None


def test_a_question_with_a_wrong_option_twice_stays(quiz):
    assert read(quiz, ["road", "track", "road"], "B").gold == "B"


# Duplicates


def test_the_same_question_with_the_same_options_comes_once(quiz, load):
    with pytest.raises(DataError, match="A 1, B 0, C 0"):
        load(quiz, n=4, test=[row(), row("where? ", ("X", "y", "z"))])


def test_the_same_question_with_other_options_is_another_example(quiz, load):
    with pytest.raises(DataError, match="A 2, B 0, C 0"):
        load(quiz, n=7, test=[row(), row(choices=("x", "y", "w"))])


def test_a_question_of_the_test_split_is_left_out_whatever_its_options(quiz, load):
    train = [row(choices=("x", "y", "w")), row("When?")]
    (found,) = load(quiz, split="train", train=train, test=[row()])
    assert found.input == "When?"


def test_the_same_question_about_another_passage_stays(passages, load):
    train = [row(passage="Ann ran."), row(passage="Bob ran.")]
    (found,) = load(passages, split="train", train=train, test=[row(passage="Ann  ran.")])
    assert found.context == "Bob ran."


def test_splits_may_share_a_question_about_two_passages():
    check_disjoint(
        [Example("1", "Why?", "A", "Ann ran.", ("x", "y"))],
        [Example("2", "Why?", "A", "Bob ran.", ("x", "y"))],
    )


def test_splits_that_share_a_question_with_its_passage_are_an_error():
    with pytest.raises(DataError, match="example 2 has the input of training example 1"):
        check_disjoint(
            [Example("1", "Why?", "A", "Ann ran.", ("x", "y"))],
            [Example("2", "why?", "A", "Ann ran.", ("x", "z"))],
        )


# Task files


@pytest.mark.parametrize(
    "places",
    [[], [["one", "two"]], [["one", "two", "three", "four"]], 5, [None], {"A": "one"}, [[1, 2, 3]]],
)
def test_options_without_a_column_for_each_label_are_an_error(tmp_path, places):
    columns = {**QUIZ["columns"], "options": places}
    with pytest.raises(TaskError, match=r"columns\.options must name a column that holds all opt"):
        written(tmp_path / "quiz.yaml", {**QUIZ, "columns": columns})


@pytest.mark.parametrize("key", ["question", "undecided"])
def test_a_question_that_does_not_show_its_options_is_an_error(tmp_path, key):
    blind = {"question": "{input}", "undecided": {"question": "{input}", "labels": ["Unknown"]}}
    with pytest.raises(TaskError, match=rf"{key}.* must show {{options}} exactly when columns"):
        written(tmp_path / "quiz.yaml", {**QUIZ, key: blind[key]})


def test_a_question_that_shows_options_without_columns_is_an_error(tmp_path):
    columns = {"input": "question", "label": "answer"}
    with pytest.raises(TaskError, match=r"question must show \{options\} exactly when columns"):
        written(tmp_path / "quiz.yaml", {**QUIZ, "columns": columns})


# A user's own questions, whole


YES_NO = {
    "question": "Question: {input}\nAnswer 'Yes' or 'No' alone.",
    "labels": {"Yes": True, "No": False},
    "columns": {"input": "question", "label": "answer"},
}


def test_a_users_questions_are_decided_and_explained_in_either_order(tmp_path, load):
    from rl_faith.policies.transformers import TransformersPolicy  # noqa: PLC0415 - brings torch

    task = written(tmp_path / "facts.yaml", YES_NO)
    asked = [{"question": f"Is {i} even?", "answer": i % 2 == 0} for i in range(4)]
    examples = load(task, n=4, test=asked)
    policy = TransformersPolicy.load("toy", device="cpu")
    decided = [answer.label for answer in policy.predict([task.ask(e) for e in examples])]
    told = [task.ask_explanation(e, y) for e, y in zip(examples, decided, strict=True)]
    reasoned = policy.generate([task.ask_reasoning(e) for e in examples], max_new_tokens=4)
    after = [task.ask_after(e, text) for e, text in zip(examples, reasoned, strict=True)]
    assert {answer.label for answer in policy.predict(after)} <= {"Yes", "No"}
    assert len(policy.generate(told, max_new_tokens=4)) == len(examples)
