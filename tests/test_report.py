"""From runs to a report: what is read, what is refused, what is written."""

import json

import pytest
from report_material import insertions, log, rows, training, written

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import compare_rows
from rl_faith.report.material import prepare
from rl_faith.report.reading import EDITS, read
from rl_faith.report.sections.curves import curves
from rl_faith.report.writing import report
from rl_faith.runs import read_rows

# Runs in, files out


def test_a_folder_that_holds_nothing_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"holds neither instances\.jsonl nor trainer_state\.json"):
        read([tmp_path])


def test_a_damaged_log_is_named(tmp_path):
    path = training(tmp_path)
    (path / "trainer_state.json").write_text("{")
    with pytest.raises(RunError, match=r"trainer_state\.json is not valid JSON"):
        read([path])


def test_a_report_does_not_replace_the_results_of_a_run(tmp_path):
    run = written(tmp_path / "run", rows("base", 0.5))
    with pytest.raises(RunError, match="holds a run"):
        report([run], None, run)


def test_an_unknown_baseline_is_refused(tmp_path):
    run = written(tmp_path / "run", rows("base", 0.5))
    with pytest.raises(RunError, match="did you mean 'base'"):
        report([run], "bass", tmp_path / "out")


def test_the_folder_of_an_evaluated_model_counts_as_named(tmp_path):
    path = training(tmp_path, "sft", log=log(reward=[0.1, 0.9]))
    run = written(tmp_path / "run", rows("base", 0.2) + rows("tuned", 0.5))
    recipe = {"stage": "evaluate", "models": ["base=toy", f"tuned={path}"]}
    (run / "recipe.yaml").write_text(json.dumps(recipe))
    found = read([run])
    assert found.trained[EDITS, "tuned"].path == path
    assert curves(prepare(found, None)).tables[0].rows[0][0] == "tuned"


def test_a_model_that_two_runs_name_is_called_after_its_run(tmp_path):
    paths = [training(tmp_path, name, log=log(reward=[0.1, 0.9])) for name in ("x", "y")]
    runs = []
    for name, path in zip(("one", "two"), paths, strict=True):
        run = written(tmp_path / name, rows("sft", 0.5))
        (run / "recipe.yaml").write_text(json.dumps({"models": [f"sft={path}"]}))
        runs.append(run)
    trained = read(runs).trained
    assert {name: source.path for (_, name), source in trained.items()} == {
        "one/sft": paths[0], "two/sft": paths[1],
    }  # fmt: skip


def test_the_same_name_in_both_tests_stands_for_two_models(tmp_path):
    paths = [training(tmp_path, name, log=log(reward=[0.1, 0.9])) for name in ("x", "y")]
    kinds = [rows("rl", 0.5), insertions("rl", lambda i, impact: impact)]
    runs = [written(tmp_path / str(i), of) for i, of in enumerate(kinds)]
    for run, path in zip(runs, paths, strict=True):
        (run / "recipe.yaml").write_text(json.dumps({"models": [f"rl={path}"]}))
    found = read(runs)
    assert [source.path for source in found.trained.values()] == paths
    names = [row[0] for row in curves(prepare(found, None)).tables[0].rows]
    assert names == [str(path) for path in paths]


@pytest.mark.slow
def test_a_real_comparison_writes_its_report(cli, built, adapter, tmp_path):
    out = tmp_path / "evaluated"
    small = ("--examples_per_task", 4, "--tasks", "snli", "--max_new_tokens", 48)
    models = ("--models", "base=toy", f"tuned={adapter}")
    recipe = ("evaluate", "--config", "recipes/toy/evaluate.yaml", "--out", out)
    assert cli(*recipe, *models, *small).code == 0
    told = cli("compare", out, built, "--report", tmp_path / "report")
    assert told.code == 0
    assert "tuned against base" in told.out
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert set(results["sections"]) >= {
        *("headline", "grid", "constructed", "valid", "accuracy", "training", "audit", "cost"),
        "provenance",
    }
    scored = [row for row in read_rows(out / "instances.jsonl") if row["status"] != "unscored"]
    wanted = json.loads(json.dumps(compare_rows(scored, None).as_dict()))
    assert results["self_consistency"]["cells"] == wanted["cells"]
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="examples"' in page
    assert len(page) < 1_000_000
    assert (tmp_path / "report" / "report.md").read_text().startswith("# Faithfulness of tuned")
