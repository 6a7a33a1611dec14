import json
from collections import Counter

import pytest
import yaml

from rl_faith.errors import DataError
from rl_faith.tasks import Example, check_disjoint, load_examples, load_task

TASK = {
    "question": "{input}?",
    "labels": {"Good": ["good", 1], "Bad": ["bad", 0], "Fair": "fair"},
    "columns": {"id": ["id", "key"], "input": ["text", "review"], "label": "label"},
    "instructions": {},
    "replacement": "{redacted_input}",
    "ignored_labels": ["none", -1],
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    import datasets  # noqa: PLC0415 - slow

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def task(tmp_path):
    path = tmp_path / "reviews.yaml"
    path.write_text(yaml.safe_dump(TASK, sort_keys=False))
    return load_task(str(path))


@pytest.fixture
def pairs(tmp_path):
    """The task with a second input."""
    path = tmp_path / "pairs.yaml"
    columns = {"input": "premise", "second_input": "hypothesis", "label": "label"}
    path.write_text(yaml.safe_dump({**TASK, "columns": columns}, sort_keys=False))
    return load_task(str(path))


@pytest.fixture
def load(tmp_path):
    """Write the files of a task and load a split of them."""

    def loaded(task, n=3, split="test", seed=0, **files) -> list[Example]:
        folder = tmp_path / "data" / task.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_bytes(encoded(content))
        return load_examples(task, split, source=str(folder.parent), n=n, seed=seed)

    return loaded


def encoded(content) -> bytes:
    if isinstance(content, list):
        content = "".join(json.dumps(row) + "\n" for row in content)
    return content if isinstance(content, bytes) else content.encode()


def rows(*pairs, **more) -> list[dict]:
    return [{"text": text, "label": label, **more} for text, label in pairs]


def many(count: int, prefix: str = "text") -> list[dict]:
    return rows(*((f"{prefix} {i}", ("good", "bad", "fair")[i % 3]) for i in range(count)))


def golds(examples) -> dict[str, str]:
    return {example.input: example.gold for example in examples}


THREE = rows(("a fine day", "good"), ("a sad day", "bad"), ("a day", "fair"))
GOLDS = {"a fine day": "Good", "a sad day": "Bad", "a day": "Fair"}


def as_parquet(records) -> bytes:
    import io  # noqa: PLC0415

    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    parquet.write_table(pa.Table.from_pylist(records), buffer := io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    "files",
    [
        {"test_jsonl": THREE},
        {"test_json": json.dumps(THREE)},
        {"test_csv": "text,label\na fine day,good\na sad day,bad\na day,fair\n"},
        {"test_parquet": as_parquet(THREE)},
    ],
    ids=["jsonl", "json", "csv", "parquet"],
)
def test_every_format_gives_the_same_examples(task, load, files):
    assert golds(load(task, **files)) == GOLDS


def test_data_values_of_a_label_may_be_numbers(task, load):
    csv = "text,label\na,1\nb,0\n"
    assert golds(load(task, n=2, test_csv=csv)) == {"a": "Good", "b": "Bad"}


def test_whole_numbers_with_a_gap_between_them_stay_whole(task, load):
    table = as_parquet([{"text": t, "label": v} for t, v in (("a", 1.0), ("b", 0.0))])
    assert golds(load(task, n=2, test_parquet=table)) == {"a": "Good", "b": "Bad"}


@pytest.mark.parametrize("text", ["NA", "null", "None", "nan"])
def test_a_text_that_looks_like_a_missing_value_is_a_text(task, load, text):
    csv = f"text,label\n{text},good\nb,bad\nc,fair\n"
    assert golds(load(task, test_csv=csv))[text] == "Good"


def test_quotes_commas_and_line_breaks_in_csv_are_text(task, load):
    csv = 'text,label\n"a, ""b""\nc",good\nd,bad\ne,fair\n'
    assert golds(load(task, test_csv=csv))['a, "b"\nc'] == "Good"


def test_the_first_accepted_column_is_taken(task, load):
    both = [{"review": "wrong", **row} for row in THREE]
    assert golds(load(task, test_jsonl=both)) == GOLDS


def test_another_accepted_column_name_works(task, load):
    other = [{"review": row["text"], "label": row["label"]} for row in THREE]
    assert golds(load(task, test_jsonl=other)) == GOLDS


def test_the_second_input_is_the_context(pairs, load):
    data = [
        {"premise": f"p {v}", "hypothesis": f"h {v}", "label": v} for v in ("good", "bad", "fair")
    ]
    found = load(pairs, test_jsonl=data)
    assert {(e.input, e.context) for e in found} == {
        (f"p {v}", f"h {v}") for v in ("good", "bad", "fair")
    }


def test_ignored_labels_are_left_out(task, load):
    data = rows(("x", "none"), ("y", "none")) + THREE
    assert golds(load(task, test_jsonl=data)) == GOLDS


def test_ids_come_from_their_column(task, load):
    data = [{"key": f"k{i}", **row} for i, row in enumerate(THREE)]
    assert {e.id: e.input for e in load(task, test_jsonl=data)}["k1"] == "a sad day"


def test_without_an_id_column_the_row_number_is_the_id(task, load):
    found = {e.input: e.id for e in load(task, test_jsonl=THREE)}
    assert found["a sad day"] == "reviews-test-2"


@pytest.mark.parametrize("empty", [None, ""])
def test_a_row_without_id_gets_its_number(task, load, empty):
    data = [{"id": "k", **THREE[0]}, {"id": empty, **THREE[1]}, {"id": "m", **THREE[2]}]
    assert {e.id for e in load(task, test_jsonl=data)} == {"k", "reviews-test-2", "m"}


def test_an_id_of_two_inputs_is_an_error(task, load):
    with pytest.raises(DataError, match="id 'k' belongs to several inputs"):
        load(task, test_jsonl=[{"id": "k", **row} for row in THREE])


@pytest.mark.parametrize("n", [3, 7, 30])
def test_labels_are_balanced_give_or_take_one(task, load, n):
    counts = Counter(e.gold for e in load(task, n=n, test_jsonl=many(30)))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_as_many_as_wanted_are_loaded(task, load):
    assert len(load(task, n=8, test_jsonl=many(30))) == 8


def test_labels_take_turns_in_any_beginning_of_the_sample(task, load):
    found = load(task, n=9, test_jsonl=many(30))
    assert [e.gold for e in found] == ["Good", "Bad", "Fair"] * 3


def test_the_last_example_that_balance_allows_is_used(task, load):
    data = THREE + rows(("one more", "good"))
    assert len(load(task, n=4, test_jsonl=data)) == 4


def test_the_same_seed_samples_the_same_examples(task, load):
    assert load(task, n=6, test_jsonl=many(60)) == load(task, n=6)


def test_another_seed_samples_others(task, load):
    assert load(task, n=6, test_jsonl=many(60)) != load(task, n=6, seed=1)


def test_the_two_splits_are_sampled_apart(task, load):
    found = load(task, n=6, split="train", train_jsonl=many(60), test_jsonl=many(3, "other"))
    assert {e.input for e in found} != {e.input for e in load(task, n=6, test_jsonl=many(60))}


@pytest.mark.parametrize("twin", ["a fine day", "A FINE day", " a  fine\tday ", "a fine\nday"])
def test_an_input_of_the_test_split_is_left_out_of_training(task, load, twin):
    held_out = rows((twin, "good"))
    train = [*THREE, *many(6)]
    found = load(task, n=6, split="train", train_jsonl=train, test_jsonl=held_out)
    assert "a fine day" not in golds(found)


def test_a_premise_of_the_test_split_is_left_out_whatever_its_hypothesis(pairs, load):
    def row(premise, hypothesis, label):
        return {"premise": premise, "hypothesis": hypothesis, "label": label}

    train = [row("p", "h", "good"), *(row(f"q{v}", "h", v) for v in ("good", "bad", "fair"))]
    found = load(pairs, split="train", train_jsonl=train, test_jsonl=[row("p", "other", "good")])
    assert {e.input for e in found} == {"qgood", "qbad", "qfair"}


def test_the_same_input_comes_once(task, load):
    data = [*THREE, *rows(("A fine  day", "good"), ("b", "bad"), ("c", "fair"))]
    with pytest.raises(DataError, match="Good 1, Bad 2, Fair 2"):
        load(task, n=6, test_jsonl=data)


def test_of_the_same_input_the_first_row_counts(task, load):
    data = [*THREE, *rows(("A Sad Day", "good"))]
    assert golds(load(task, test_jsonl=data)) == GOLDS


def test_the_same_premise_with_two_hypotheses_is_two_examples(pairs, load):
    data = [{"premise": "p", "hypothesis": v, "label": v} for v in ("good", "bad", "fair")]
    assert len(load(pairs, test_jsonl=data)) == 3


def test_disjoint_splits_pass():
    check_disjoint([Example("1", "a", "")], [Example("2", "b", "")])


@pytest.mark.parametrize("twin", ["a day", "A  DAY "])
def test_splits_that_share_an_input_are_an_error_that_names_both(twin):
    with pytest.raises(DataError, match="example 2 has the input of training example 1"):
        check_disjoint([Example("1", "a day", "")], [Example("2", twin, "")])


def test_a_missing_column_is_named_with_those_there_are(task, load):
    with pytest.raises(
        DataError, match=r"no column 'text' or 'review' for the input.*its columns are body, label"
    ):
        load(task, test_jsonl=[{"body": "a", "label": "good"}])


def test_an_unknown_label_names_its_row_and_the_known_ones(task, load):
    with pytest.raises(DataError, match=r"row 2: unknown label 'great'.*known: good, 1, bad, 0, f"):
        load(task, test_jsonl=rows(("a", "good"), ("b", "great")))


@pytest.mark.parametrize(
    "files",
    [
        {"test_jsonl": rows(("a", "good"), ("b", None))},
        {"test_csv": "text,label\na,1\nb,\n"},
        {"test_csv": "text,label\na,good\nb\n"},
    ],
    ids=["null", "empty cell", "short row"],
)
def test_a_missing_label_names_its_row(task, load, files):
    with pytest.raises(DataError, match="row 2: unknown label"):
        load(task, **files)


@pytest.mark.parametrize("text", ["", " \t", None])
def test_an_empty_text_names_its_row(task, load, text):
    with pytest.raises(DataError, match="row 2: empty text"):
        load(task, test_jsonl=rows(("a", "good"), (text, "bad")))


def test_what_is_no_text_names_its_row(task, load):
    with pytest.raises(DataError, match=r"row 1: .* is no text"):
        load(task, test_jsonl=rows((["a list"], "bad")))


def test_an_absent_text_names_its_row(task, load):
    with pytest.raises(DataError, match="row 2: empty text"):
        load(task, test_jsonl=[*rows(("a", "good")), {"label": "bad"}])


def test_an_empty_second_input_names_its_row(pairs, load):
    with pytest.raises(DataError, match="row 1: empty text"):
        load(pairs, test_jsonl=[{"premise": "p", "hypothesis": None, "label": "good"}])


def test_too_few_examples_say_how_many_there_are(task, load):
    with pytest.raises(DataError, match=r"6 label-balanced examples wanted.*Good 1, Bad 1, Fair 1"):
        load(task, n=6, test_jsonl=THREE)


def test_a_label_without_examples_says_so(task, load):
    with pytest.raises(DataError, match="Good 2, Bad 0, Fair 0"):
        load(task, test_jsonl=rows(("a", "good"), ("b", "good")))


def test_no_such_file_says_where_it_was_looked_for(task, load):
    with pytest.raises(
        DataError, match=r"no test file of task 'reviews' in .*reviews/test with .j"
    ):
        load(task)


def test_training_needs_the_test_file_too(task, load):
    with pytest.raises(DataError, match="there is no test file"):
        load(task, split="train", train_jsonl=THREE)


@pytest.mark.parametrize(
    "files",
    [
        {"test_jsonl": '{"text": "a", "label": "good"}\n{"text": "b" "label": "bad"}\n'},
        {"test_jsonl": "text,label\na,good\n"},
        {"test_jsonl": '{"text": "café", "label": "good"}'.encode("latin-1")},
        {"test_csv": "text,label\ncafé,good\n".encode("latin-1")},
        {"test_csv": "text,label\n"},
        {"test_parquet": b"PAR1"},
    ],
    ids=["comma", "csv as jsonl", "latin-1 jsonl", "latin-1 csv", "header only", "parquet"],
)
def test_a_malformed_file_is_one_clear_line(task, load, files):
    with pytest.raises(DataError, match=r"reviews/test\.\w+ could not be read: .") as error:
        load(task, **files)
    assert "\n" not in str(error.value)


def test_an_empty_file_is_an_error(task, load):
    with pytest.raises(DataError, match=r"test\.jsonl is empty"):
        load(task, test_jsonl="")


def test_an_unknown_split_is_an_error(task, load):
    with pytest.raises(DataError, match="unknown split 'dev'; known: train, test"):
        load(task, split="dev")


def test_a_task_without_hub_data_asks_for_a_folder(task):
    with pytest.raises(DataError, match="names no Hub data set; pass a folder"):
        load_examples(task, "test", source="hub", n=3, seed=0)
