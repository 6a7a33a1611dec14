"""The command line: quick help, one line for every mistake, and what people see."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from rl_faith import __version__
from rl_faith.cli import main
from rl_faith.errors import RunError

SLOW = {"torch", "transformers", "trl", "datasets", "accelerate", "peft"}


def imports_of(*arguments):
    """The slow packages that a command imports."""
    script = (
        "import sys; from rl_faith.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return SLOW & set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["build", "--help"],
        ["explain", "--help"],
        ["doctor"],
        ["check-recipe", *sorted(Path("recipes/toy").glob("*.yaml"))],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_answers_at_once_without_torch(arguments):
    assert not imports_of(*arguments)


def test_unsound_recipe_is_refused_without_torch(tmp_path):
    (tmp_path / "build.yaml").write_text("stage: build")
    script = (
        "import sys; from rl_faith.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, "build", "--config", str(tmp_path / "build.yaml")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2 False\n"


def test_installed_command_answers():
    command = [str(Path(sys.executable).with_name("rl-faith")), "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == (
        f"rl-faith {__version__}\n"
    )


def test_check_recipe_names_the_command(cli):
    told = cli("check-recipe", "recipes/toy/build.yaml", "recipes/toy/sft.yaml")
    assert told.out.splitlines() == [
        "recipes/toy/build.yaml: a sound build recipe; "
        "rl-faith build --config recipes/toy/build.yaml",
        "recipes/toy/sft.yaml: a sound sft recipe; "
        "accelerate launch -m rl_faith.training.sft --config recipes/toy/sft.yaml",
    ]


@pytest.mark.parametrize("arguments", [[], ["build"], ["explain"], ["compare"], ["bild"]])
def test_incomplete_command_shows_its_usage(cli, arguments):
    refused = cli(*arguments)
    assert refused.code == 2
    assert refused.err.startswith("usage: rl-faith")


# One line for every mistake


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"text"', '"txt"', "has no column 'text' for the input of task 'mood'"),
        ('"label": "down"', '"label": "flat"', "train.jsonl, row 2: unknown label 'flat'"),
        ('"the film was fine on day 1"', '" "', "train.jsonl, row 3: empty text"),
        ('{"text"', '{"text', "train.jsonl could not be read"),
    ],
    ids=["column", "label", "text", "JSON"],
)
def test_unsound_data_is_refused_with_one_line(cli, user_task, old, new, told):
    change(user_task / "mood" / "train.jsonl", old, new)
    refused = cli("build", "--config", user_task / "build.yaml")
    assert refused.code == 2
    assert told in refused.error


def test_missing_data_file_is_refused_with_one_line(cli, user_task):
    (user_task / "mood" / "train.jsonl").unlink()
    assert (
        "there is no train file of task 'mood'"
        in cli("build", "--config", user_task / "build.yaml").error
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--chnk", "3"], "unknown override --chnk of build; did you mean 'chunk'?"),
        (["--chunk", "few"], "invalid int value: 'few'"),
        (["--tasks", "snly"], "unknown task 'snly'; did you mean 'snli'?"),
        (["--styles", "attributio"], "unknown style 'attributio'; did you mean 'attribution'?"),
        (["--data", "nowhere"], "in nowhere"),
        (["--model_name_or_path", "nowhere"], "no model could be loaded from 'nowhere'"),
        (["--out", "/dev/null/runs"], "could not write"),
        (["extra"], "['extra']"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value[0],
)
def test_unsound_override_is_refused_with_one_line(cli, tmp_path, given, told):
    refused = cli("build", "--config", "recipes/toy/build.yaml", "--out", tmp_path / "out", *given)
    assert refused.code == 2
    assert told in refused.error


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["build", "--config", "none.yaml"], "none.yaml cannot be read"),
        (["build", "--config", "recipes/toy/sft.yaml"], "run it with: accelerate launch"),
        (["evaluate", "--config", "recipes/toy/build.yaml"], "run it with: rl-faith build"),
        (["check-recipe", "none.yaml"], "none.yaml cannot be read"),
        (["compare", "none"], "none holds no instances.jsonl"),
        (["compare", "runs", "--bseline", "a"], "unknown argument '--bseline'"),
        (["explain", "--text", "a", "--style", "redaction"], "unknown argument '--style'"),
        (["explain", "--text", " "], "--text is empty"),
        (["explain", "--text", "a", "--task", "ag_new"], "did you mean 'ag_news'"),
        (["explain", "--text", "a", "--gold", "Good"], "must be one of Positive, Negative"),
        (["explain", "--text", "a", "--task", "snli"], "give it with --context"),
        (["explain", "--text", "a", "--model", "none"], "no model could be loaded from 'none'"),
        (["explain", "--text", "a " * 900], "longer than the model's context"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value)[:40],
)
def test_mistake_is_refused_with_one_line(cli, arguments, told):
    refused = cli(*arguments)
    assert refused.code == 2
    assert told in refused.error


def test_demo_refuses_the_folder_of_another_run(tmp_path, capfd):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "recipe.yaml").write_text(yaml.safe_dump({"stage": "evaluate"}))
    with pytest.raises(SystemExit, match="2"):
        main(["demo", "--out", str(tmp_path)])
    assert "holds a run of another recipe" in capfd.readouterr().err


RECIPES_OF_THE_DEMO = [
    "build", "sft", "grpo-self-consistency", "grpo-refine", "evaluate",
    "phi-build", "phi-sft", "grpo-phi", "phi-evaluate",
]  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES_OF_THE_DEMO)
def test_demo_finds_its_recipes_from_any_folder(monkeypatch, tmp_path, recipe):
    from rl_faith.demo import _recipe  # noqa: PLC0415 - imports pandas

    monkeypatch.chdir(tmp_path)
    assert Path(_recipe(recipe)).is_file()


def test_demo_ends_the_stage_beside_when_another_fails(tmp_path):
    from rl_faith.demo import _beside  # noqa: PLC0415 - imports pandas

    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    start = time.monotonic()
    with pytest.raises(KeyError), _beside(sleep, tmp_path / "log"):
        raise KeyError
    assert time.monotonic() - start < 60


def test_demo_tells_where_the_failure_beside_stands(tmp_path):
    from rl_faith.demo import _beside  # noqa: PLC0415 - imports pandas

    fail = [sys.executable, "-c", "raise SystemExit('no memory')"]
    told = "code 1; its message stands at the end of .*log"
    with pytest.raises(RunError, match=told), _beside(fail, tmp_path / "log"):
        pass
    assert (tmp_path / "log").read_text() == "no memory\n"


# What people see


@pytest.fixture(scope="module")
def explained():
    """What `explain` prints about one tweet, from a process of its own."""
    command = [sys.executable, "-m", "rl_faith.cli", "explain", "--gold", "Positive", "--text"]
    environment = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run(
        [*command, "this pizza was wonderful today"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return done.stdout


def test_explain_shows_the_probability_of_each_label(explained):
    lines = [line.split() for line in explained.splitlines()]
    shown = {line[0]: float(line[1]) for line in lines if line[:1] in (["Positive"], ["Negative"])}
    assert shown.keys() == {"Positive", "Negative"}
    assert sum(shown.values()) == pytest.approx(1, abs=0.002)


def test_explain_marks_the_gold_label(explained):
    (marked,) = (line for line in explained.splitlines() if "(gold)" in line)
    assert marked.split()[0] == "Positive"


@pytest.mark.parametrize("word", ["this", "pizza", "was", "wonderful", "today"])
def test_explain_shows_the_influence_of_each_word(explained, word):
    lines = [line.split() for line in explained.splitlines()]
    assert [line for line in lines if line[:1] == [word] and line[1][0] in "+-"]


def test_explain_draws_influence_as_bars(explained):
    assert "█" in explained


@pytest.mark.parametrize("style", ["attribution", "redaction", "counterfactual"])
def test_explain_gives_a_verdict_on_each_style(explained, style):
    (line,) = (line for line in explained.splitlines() if line.startswith(style))
    assert line.split(maxsplit=1)[1].startswith(("faithful", "not faithful", "not scored"))


def test_explain_shows_no_bar_of_loading(explained):
    assert "Loading" not in explained


def test_compare_shows_a_fresh_evaluation(cli, adapter, tmp_path):
    out = tmp_path / "evaluated"
    small = ("--examples_per_task", 4, "--tasks", "snli", "--max_new_tokens", 48)
    models = ("--models", "base=toy", f"tuned={adapter}")
    recipe = ("evaluate", "--config", "recipes/toy/evaluate.yaml", "--out", out)
    assert cli(*recipe, *models, *small).code == 0
    told = cli("compare", out, "--baseline", "tuned", "--report", tmp_path / "compared")
    assert "base against tuned" in told.out
    found = json.loads((tmp_path / "compared" / "results.json").read_text())["self_consistency"]
    assert (found["baseline"], found["models"]) == ("tuned", ["base", "tuned"])
    assert (tmp_path / "compared" / "report.md").read_text().startswith("#")


def test_stop_by_the_user_ends_with_130(capsys, monkeypatch):
    def stopped(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr("rl_faith.recipes.check_recipe", stopped)
    with pytest.raises(SystemExit) as end:
        main(["check-recipe", "recipes/toy/build.yaml"])
    assert end.value.code == 130
    assert "run the same command again to go on" in capsys.readouterr().err
