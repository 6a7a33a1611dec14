"""Data files as they come out of strange exports: loaded as they are, or refused in a sentence."""

import json

import pytest
import yaml

from rl_faith.errors import DataError
from rl_faith.tasks import load_examples, load_task
from rl_faith.text import words

TASK = {
    "question": "{input}?",
    "labels": {"Good": ["good", 1], "Bad": ["bad", 0]},
    "columns": {"id": "id", "input": "text", "label": "label"},
}
GOOD, BAD = {"text": "fine", "label": "good"}, {"text": "sad", "label": "bad"}
HUGE = "word " * 2_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    import datasets  # noqa: PLC0415 - slow

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def load(tmp_path):
    """Write the test file of a task and load it."""
    (tmp_path / "mood.yaml").write_text(yaml.safe_dump(TASK))
    (tmp_path / "mood").mkdir()

    def loaded(suffix, content, n=2):
        (tmp_path / "mood" / f"test.{suffix}").write_bytes(content)
        task = load_task(str(tmp_path / "mood.yaml"))
        return load_examples(task, "test", source=str(tmp_path), n=n, seed=0)

    return loaded


def refusal(load, suffix, content) -> str:
    with pytest.raises(DataError) as refused:
        load(suffix, content)
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 2_000
    return said


def jsonl(*rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(*rows) -> bytes:
    import io  # noqa: PLC0415

    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet as pq  # noqa: PLC0415

    pq.write_table(pa.Table.from_pylist(list(rows)), buffer := io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        *("a\x00b", "a\x1b[31mred\x1b[0m", "a\x07\x08\x7f", "a\u2028b\u2029c", "a\x85b", "\ufeffa"),
        *("\u202eevil\u202c a", "\u2067a\u2069", "a\u200f\u200eb", "e\u0301\u0323" * 50, "{input}"),
    ],
    ids=ascii,
)
def test_characters_that_cannot_be_seen_are_kept(load, text):
    found = load("jsonl", jsonl({**GOOD, "text": text}, BAD))
    assert {e.input for e in found} == {text, "sad"}


@pytest.mark.parametrize("mark", ["\u202e", "\u2067", "\u200f", "\ufeff", "\x1b", "\x00"])
def test_marks_of_direction_and_control_are_part_of_no_word(mark):
    assert [w.text for w in words(f"{mark}evil{mark} film")] == ["evil", "film"]


@pytest.mark.parametrize("written", [jsonl, parquet])
def test_a_row_of_ten_megabytes_is_loaded(load, written):
    suffix = written.__name__
    found = load(suffix, written({**GOOD, "text": HUGE}, BAD))
    assert {len(e.input) for e in found} == {len(HUGE), 3}


def test_a_row_of_ten_megabytes_is_loaded_from_csv(load):
    found = load("csv", f"text,label\n{HUGE},good\nsad,bad\n".encode())
    assert {len(e.input) for e in found} == {len(HUGE), 3}


def test_a_label_of_ten_megabytes_is_told_in_a_sentence(load):
    said = refusal(load, "jsonl", jsonl(GOOD, {**BAD, "label": HUGE}))
    assert "row 2: unknown label 'word" in said


@pytest.mark.parametrize("label", [None, [], ["good"], {"a": 1}, 0.5, True, "2026-01-01"])
def test_a_label_of_another_kind_is_unknown(load, label):
    said = refusal(load, "jsonl", jsonl({**GOOD, "label": label}))
    assert "row 1: unknown label" in said


@pytest.mark.parametrize("text", [3, 0.5, True, ["a", "b"], {"a": "b"}])
def test_a_text_of_another_kind_is_shown(load, text):
    said = refusal(load, "jsonl", jsonl({**GOOD, "text": text}))
    assert "is no text, which task 'mood' needs" in said


def test_bytes_are_no_text(load):
    said = refusal(load, "parquet", parquet({"text": b"\xff\xfe", "label": "good"}))
    assert "is no text" in said


@pytest.mark.parametrize("rows", [[], [None], [1, 2], ["a"], [[GOOD]], [{}], [{"text": "a"}]])
def test_rows_that_are_no_rows_are_refused(load, rows):
    assert "mood/test.jsonl" in refusal(load, "jsonl", jsonl(*rows))


def test_a_column_named_twice_is_refused(load):
    refusal(load, "jsonl", b'{"text": "a", "text": "b", "label": "good"}\n')


def test_kinds_that_change_between_rows_are_refused(load):
    refusal(load, "jsonl", jsonl(GOOD, {"text": {"a": 1}, "label": "bad"}))


@pytest.mark.parametrize(
    "content",
    [
        *(b"\x00", b"\xff\xfe\x00", b"{", b'{"text": "a', b'{"text": "\\ud800", "label": "good"}'),
        *(b'{"a":' * 5_000, b"[" * 100_000, b'{"text": NaN, "label": 1}', b"\n\n\n", b" "),
    ],
    ids=lambda content: repr(content[:12]),
)
@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_a_file_of_rubbish_is_refused_with_its_name(load, suffix, content):
    assert f"mood/test.{suffix}" in refusal(load, suffix, content)


@pytest.mark.parametrize(
    "content",
    [
        *(
            "text,text,label\na,b,good\n",
            ",,\n,,\n",
            'text,label\n"a,good\n',
            "text\tlabel\na\tgood\n",
        ),
        *("text,label\na,good,more,and more\n", "label,text\ngood,\n", "text,label\n\x00,\x00\n"),
    ],
    ids=ascii,
)
def test_a_broken_csv_is_refused(load, content):
    refusal(load, "csv", content.encode())


def test_many_columns_are_told_in_a_sentence(load):
    said = refusal(load, "jsonl", jsonl({f"column {i}": "a" for i in range(2_000)}))
    assert "has no column 'text'" in said


def test_ids_that_come_twice_are_refused(load):
    said = refusal(load, "jsonl", jsonl({**GOOD, "id": "\u202e7\n"}, {**BAD, "id": "\u202e7\n"}))
    assert "belongs to several inputs" in said
    assert "\u202e" not in said


@pytest.mark.parametrize("identity", [7, 7.5, True, ["a"], {"a": None}])
def test_an_id_of_any_kind_is_an_id(load, identity):
    found = load("jsonl", jsonl({**GOOD, "id": identity}, BAD))
    assert str(identity) in {e.id for e in found}
