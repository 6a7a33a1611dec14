"""Run directories: nothing is lost and nothing comes twice, wherever a run is stopped."""

import errno
import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from rl_faith.errors import RunError
from rl_faith.runs import Run, provenance, read_rows, write_atomically, write_json

ROWS = [{"id": i, "text": text} for i, text in enumerate(["a", "naïve – 😀\u2028", "c\nd"])]
LINES = [(json.dumps(row, ensure_ascii=False) + "\n").encode() for row in ROWS]


def place(row):
    return row["id"]


def known_place(row):
    return {0: 0, 1: 1}[row["id"]]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_rows_come_back_as_they_were_written(run):
    run.append(ROWS[:2])
    run.append(ROWS[2:])
    assert run.rows() == ROWS


def test_run_without_rows_has_none(run):
    assert run.rows() == []


@pytest.mark.parametrize("line", range(3))
def test_last_line_cut_off_anywhere_is_left_out(run, line):
    before = b"".join(LINES[:line])
    for cut in range(len(LINES[line])):
        run.file.write_bytes(before + LINES[line][:cut])
        assert run.rows() == ROWS[:line]


@pytest.mark.parametrize("line", range(3))
def test_append_cuts_the_half_line_off(run, line):
    before = b"".join(LINES[:line])
    for cut in range(len(LINES[line])):
        run.file.write_bytes(before + LINES[line][:cut])
        run.append(ROWS[line:])
        assert run.rows() == ROWS


@pytest.mark.parametrize("damage", [b'{"id": 1, "te\n', b"\n", b"7\n", b"\xff\n", b'{"a": NaN}\n'])
def test_damaged_line_is_named(run, damage):
    run.file.write_bytes(LINES[0] + damage + LINES[2])
    with pytest.raises(RunError, match=r"instances\.jsonl, line 2 is not"):
        run.rows()


def test_rows_of_a_file_that_is_not_there_are_none(tmp_path):
    assert read_rows(tmp_path / "none.jsonl") == []


def test_every_process_writes_to_a_file_of_its_own(tmp_path):
    Run(tmp_path, rank=0).append(ROWS[:1])
    Run(tmp_path, rank=11).append(ROWS[1:])
    assert Run(tmp_path).rows() == ROWS


def test_merge_orders_the_rows_of_all_processes(tmp_path):
    for rank in range(3):
        Run(tmp_path, rank=rank).append([ROWS[2 - rank]])
    assert Run(tmp_path).merge(place) == ROWS
    assert read_rows(tmp_path / "instances.jsonl") == ROWS


def test_merge_removes_the_files_of_the_other_processes(tmp_path):
    Run(tmp_path, rank=1).append(ROWS)
    Run(tmp_path).merge(place)
    assert [f.name for f in tmp_path.iterdir()] == ["instances.jsonl"]


def test_merge_leaves_files_of_other_names_alone(run, tmp_path):
    (tmp_path / "instances-old.jsonl").write_bytes(LINES[0])
    run.append(ROWS[1:])
    assert run.merge(place) == ROWS[1:]
    assert (tmp_path / "instances-old.jsonl").read_bytes() == LINES[0]


def test_kill_between_merging_and_removing_leaves_no_row_twice(tmp_path, monkeypatch):
    Run(tmp_path).append(ROWS[:1])
    Run(tmp_path, rank=1).append(ROWS[1:])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", _stop)
        Run(tmp_path).merge(place)
    assert len(Run(tmp_path).rows()) > len(ROWS)
    assert Run(tmp_path).merge(place) == ROWS


def _stop(*_args, **_more):
    raise KeyboardInterrupt


def test_merge_of_rows_that_the_data_does_not_hold_is_refused(run):
    run.append(ROWS)
    with pytest.raises(RunError, match="holds rows about 2, which the data does not hold"):
        run.merge(known_place)
    assert run.rows() == ROWS


def test_second_opening_with_the_same_recipe_passes(run):
    for out in ("a", "b"):
        run.open({"stage": "build", "out": out, "output_dir": out}, device="cpu", seed=0)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"n": 3}, {"n": 4}, "n was 3, is 4 now"),
        ({}, {"n": 4}, "n was None, is 4 now"),
        ({"n": 3}, {}, "n was 3, is None now"),
        ({"tasks": ["a"]}, {"tasks": ["a", "b"]}, r"tasks was \['a'\], is \['a', 'b'\] now"),
    ],
)
def test_other_recipe_is_refused_with_the_key_and_both_values(run, old, new, told):
    run.open(old, device="cpu", seed=0)
    with pytest.raises(RunError, match=told):
        run.open(new, device="cpu", seed=0)
    assert yaml.safe_load((run.path / "recipe.yaml").read_text()) == old


def test_full_device_is_told(run):
    run.file.symlink_to("/dev/full")
    with pytest.raises(RunError, match="No space left on device"):
        run.append(ROWS)


@pytest.mark.parametrize("after", range(1, sum(map(len, LINES[1:])), 7))
def test_disk_full_half_way_keeps_what_was_written_before(run, monkeypatch, after):
    run.append(ROWS[:1])
    with monkeypatch.context() as patch, pytest.raises(RunError, match="No space left on device"):
        patch.setattr(Path, "open", _small_disk(Path.open, after))
        run.append(ROWS[1:])
    rest = ROWS[len(run.rows()) :]
    assert len(rest) < len(ROWS)
    run.append(rest)
    assert run.rows() == ROWS


def _small_disk(real, room):
    """Files opened for appending take `room` bytes, then no more."""

    def opened(path, mode="r", **more):
        if mode != "a":
            return real(path, mode, **more)
        return _SmallFile(real(path, "ab"), room)

    return opened


class _SmallFile:
    def __init__(self, file, room):
        self.file, self.room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.file.close()

    def write(self, text):
        self.file.write(text.encode()[: self.room])
        if len(text.encode()) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_failed_atomic_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    write_atomically(path, "old")
    with monkeypatch.context() as patch, pytest.raises(RunError, match="No space left"):
        patch.setattr(Path, "replace", _no_space)
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _no_space(*_args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_file_in_place_of_the_run_directory_is_told(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(RunError, match="could not write"):
        Run(tmp_path / "out").open({}, device="cpu", seed=0)


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_figure_that_is_no_number_is_not_written(run, figure):
    run.append(ROWS[:1])
    with pytest.raises(RunError, match="is no finite number"):
        run.append([{"id": 1, "probability": figure}])
    assert run.rows() == ROWS[:1]


def test_provenance_says_with_what_a_run_was_made(run):
    run.open({"stage": "build"}, device="cpu", seed=7)
    found = json.loads((run.path / "provenance.json").read_text())
    assert found["versions"].keys() >= {"rl-faith", "torch", "transformers", "trl", "peft"}
    assert found["seed"] == 7
    assert found["device"] == "cpu"
    assert found.keys() >= {"command", "commit", "python", "started"}


def test_provenance_holds_nothing_from_the_environment(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told = json.dumps(provenance("cpu", 0))
    assert not [name for name, value in os.environ.items() if len(value) > 8 and value in told]


@pytest.mark.parametrize(
    "told", [["--hub_token", "hf_abc"], ["--hub_token=hf_abc"], ["--push_to_hub_token", "hf_abc"]]
)
def test_provenance_leaves_tokens_out_of_the_command(monkeypatch, told):
    monkeypatch.setattr(sys, "argv", ["sft.py", *told, "--seed", "1"])
    assert "hf_abc" not in json.dumps(provenance("cpu", 0))
    assert provenance("cpu", 0)["command"][-2:] == ["--seed", "1"]


def test_provenance_needs_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance("cpu", 0)["commit"] is None


def test_half_of_a_surrogate_pair_can_be_written_and_read(tmp_path):
    write_json(tmp_path / "found.json", {"word": "half \ud800"})
    assert json.loads((tmp_path / "found.json").read_text("utf-8")) == {"word": "half \ud800"}
