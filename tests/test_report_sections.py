"""The sections of a report: their conclusions on data whose truth is known."""

import json
from pathlib import Path

import pytest
from report_material import insertion, insertions, log, material, rows, training, written

from rl_faith.report.document import to_document
from rl_faith.report.material import prepare
from rl_faith.report.reading import EDITS, Source, read
from rl_faith.report.sections import sections
from rl_faith.report.sections.accuracy import accuracy
from rl_faith.report.sections.constructed import constructed
from rl_faith.report.sections.cost import cost
from rl_faith.report.sections.curves import curves
from rl_faith.report.sections.decisions import decisions
from rl_faith.report.sections.frequent import frequent
from rl_faith.report.sections.gaming import gaming
from rl_faith.report.sections.grid import grid
from rl_faith.report.sections.headline import headline
from rl_faith.report.sections.multiword import multiword
from rl_faith.report.sections.phi import phi
from rl_faith.report.sections.provenance import provenance
from rl_faith.report.sections.transfer import across_styles, across_tasks, without_transfer
from rl_faith.report.sections.valid import valid

# The verdict


def test_no_gain_is_called_no_clear_gain():
    found = headline(material(rows("base", 0.3) + rows("sft", 0.31)))
    assert found.conclusion.startswith("No clear gain over base: the most is +0.01")
    assert not found.warns


def test_a_real_gain_is_told_with_its_size():
    found = headline(material(rows("base", 0.2) + rows("sft", 0.7)))
    assert found.conclusion.startswith("sft is more faithful than base, by +0.50 (")
    assert "nothing against it" in found.conclusion
    assert not found.warns
    assert "better in 1 of 1 cells" in found.points[0]
    assert "valid 1.00 (was 1.00)" in found.points[0]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"control": 0.7}, "no better than chance"),
        ({"control": 0.4}, "became brittle"),
        ({"prediction": "No"}, "decisions got worse"),
    ],
)
def test_a_gain_that_may_be_gaming_is_a_warning(changed, why):
    found = headline(material(rows("base", 0.2) + rows("sft", 0.7, **changed)))
    assert "may not be real" in found.conclusion
    assert why in found.conclusion
    assert found.warns


def test_what_is_doubtful_elsewhere_is_no_doubt_here():
    several = rows("base", 0.2, budget="multi") + rows("sft", 0.7, budget="multi", control=0.7)
    found = headline(material(rows("base", 0.2) + rows("sft", 0.7) + several))
    assert found.conclusion.startswith("sft (one word) is more faithful")
    assert "what sft (several words) gained is doubtful" in found.conclusion


def test_a_loss_is_a_warning():
    found = headline(material(rows("base", 0.7) + rows("sft", 0.2)))
    assert "No clear gain" in found.conclusion
    assert "sft fell below base" in found.conclusion
    assert found.warns


def test_one_model_alone_is_not_compared():
    found = headline(material(rows("base", 0.5)))
    assert "nothing to compare it with" in found.conclusion
    assert found.points == ()


def test_the_interval_of_the_whole_grid_draws_examples():
    """Nine rows about one example are not nine times as much evidence."""
    styles = [{"style": f"s{i}"} for i in range(9)]
    once = headline(material(rows("base", 0.5))).tables[0].rows[0][2]
    often = headline(material([r for s in styles for r in rows("base", 0.5, **s)]))
    width = once.high - once.low
    again = often.tables[0].rows[0][2]
    assert again.high - again.low == pytest.approx(width, rel=0.15)


def test_what_erasure_found_has_a_table_of_its_own():
    erased = rows("sft", 0.5, top_word=True, top_word_chance=0.25)
    (_, table) = headline(material(rows("base", 0.5) + erased)).tables
    ((model, top, chance, _),) = table.rows
    assert (model, top.value, chance.value) == ("sft", 1, 0.25)


def test_models_are_told_to_be_driven_by_the_words_of_the_baseline():
    asked = {"top_word": True, "top_word_chance": 0.25}
    before = rows("base", 0.5, most_influential="awful", **asked)
    after = rows("sft", 0.5, most_influential="film", **asked)
    (_, table) = headline(material(before + after)).tables
    assert [row[-1] and row[-1].value for row in table.rows] == [None, 0]


def test_without_erasure_nothing_is_said_of_the_top_word():
    assert len(headline(material(rows("base", 0.5))).tables) == 1


# The other sections


def test_the_grid_says_where_nothing_is_gained():
    there, nowhere = {"style": "redaction"}, {"style": "counterfactual"}
    better = rows("base", 0.2, **there) + rows("sft", 0.7, **there)
    same = rows("base", 0.2, **nowhere) + rows("sft", 0.2, **nowhere)
    found = grid(material(better + same))
    assert found.conclusion == (
        "After Holm's correction 1 of 2 differences from base are clearly up and 0 clearly down; "
        "no model gains on snli counterfactual."
    )


def test_rows_left_out_and_cells_not_compared_are_told():
    unscored = rows("sft", 0.5, n=3, status="unscored", reason="too long", style="redaction")
    found = grid(material(rows("base", 0.5) + rows("sft", 0.5) + unscored))
    assert "Unscored rows of sft, left out: 3 too long." in found.notes


def test_published_figures_stand_beside_the_papers_tasks_only():
    ours = grid(material(rows("base", 0.5)))
    assert ours.tables[1].published[0] == ("Doi et al., Tulu-2 7B, no training", 0.199)
    assert any("of other models on other data" in remark for remark in ours.remarks)
    other = grid(material(rows("base", 0.5, task="mine")))
    assert not any(table.published for table in other.tables)
    assert not any("published" in remark for remark in other.remarks)


def test_by_number_of_words():
    several = {"budget": "multi", "count": 2}
    gain = rows("base", 0.2, **several) + rows("sft", 0.7, **several)
    assert multiword(material(rows("base", 0.5))) is None
    found = multiword(material(gain))
    assert found.conclusion.startswith("A gain over base holds at an equal number of words")
    few = rows("base", 0.2, n=49, **several) + rows("sft", 0.7, n=49, **several)
    assert "nothing can be concluded" in multiword(material(few)).conclusion


def test_constructed_against_original():
    made = rows("constructed", 0.7) + rows("original", 0.2)
    found = constructed(material(quality={"runs/build": tuple(made)}))
    assert "are clearly more faithful than the model's own, in 1 of 1 cells" in found.conclusion
    same = rows("constructed", 0.2) + rows("original", 0.2)
    found = constructed(material(quality={"runs/build": tuple(same)}))
    assert "not clearly" in found.conclusion
    assert found.warns


def test_one_word_that_carries_everything_is_a_warning():
    found = frequent(material(rows("base", 0.5, words=["hates", "loved"])))
    assert found.warns
    assert "“hate” in 1.00" in found.conclusion
    assert found.tables[0].rows[0][3] == "hate 100%, love 100%"


def test_words_that_differ_are_no_warning():
    varied = [{**r, "words": [f"word{i}"]} for i, r in enumerate(rows("base", 0.5))]
    assert not frequent(material(varied)).warns


def test_rare_validity_is_a_warning():
    found = valid(material(rows("base", 0.0, n=100, status="invalid") + rows("sft", 0.5, n=100)))
    assert found.warns
    assert [row[1:] for row in found.tables[0].rows] == [(100, 0), (100, 100)]


def test_decisions_that_moved_are_a_warning():
    told = {"probabilities": {"Yes": 0.8, "No": 0.2}}
    moved = rows("sft", 0.5, n=40, **told | {"prediction": "No"})
    kept = rows("sft", 0.5, **told)[40:]
    found = decisions(material(rows("base", 0.5, **told) + moved + kept))
    assert "sft on snli keeps the fewest, 0.80" in found.conclusion
    assert found.warns
    assert found.tables[0].rows[0][2] is None


def test_surer_decisions_are_named():
    base = rows("base", 0.5, probabilities={"Yes": 0.7, "No": 0.3})
    found = decisions(material(base + rows("sft", 0.5, probabilities={"Yes": 0.9, "No": 0.1})))
    assert "1 of 1 decide clearly more surely, most of all sft on snli, +0.20" in found.conclusion
    assert not found.warns


def test_decisions_of_insertions_are_those_before_them():
    told = {"probabilities_before": {"Yes": 0.7, "No": 0.3}}
    both = [[i | told for i in insertions(m, lambda i, impact: impact)] for m in ("base", "rl")]
    found = decisions(material((), both[0] + both[1]))
    assert "rl on strategyqa keeps the fewest, 1.00; no model" in found.conclusion


def test_without_probabilities_nothing_is_said_of_decisions():
    assert decisions(material(rows("base", 0.5) + rows("sft", 0.5))) is None


def test_accuracy_names_where_it_fell():
    worse = [{**r, "prediction": "No"} if i % 4 == 0 else r
             for i, r in enumerate(rows("sft", 0.5))]  # fmt: skip
    found = accuracy(material(rows("base", 0.5) + worse))
    assert "most for sft on snli, −0.25" in found.conclusion
    assert found.warns
    assert "in none of 1" in accuracy(material(rows("base", 0.5) + rows("a", 0.5))).conclusion


def test_phi_tells_honest_from_talkative():
    honest = insertions("honest", lambda i, impact: impact)
    silent = insertions("base", lambda i, impact: i % 5 == 0)
    found = phi(material(inserted=silent + honest))
    assert found.conclusion.startswith("honest is more faithful than base")
    talkative = insertions("talkative", lambda i, impact: True)
    found = phi(material(inserted=silent + talkative))
    assert "No clear gain" in found.conclusion
    assert found.tables[0].rows[1][2].degenerate


def test_phi_is_no_better_for_saying_more_where_more_matters():
    """In either task mentions are blind to impact; over both together they are not (Simpson)."""

    def told(model, says):
        return [
            insertion(model, i, i % 10 < often, i // 10 % 10 < says[task], task=task,
                      id=f"{task}-{i}/user_bias-0", original=f"{task}-{i}")
            for task, often in (("esnli", 8), ("social_iqa", 2))
            for i in range(200)
        ]  # fmt: skip

    before, after = (
        told("base", {"esnli": 5, "social_iqa": 5}),
        told("rl", {"esnli": 8, "social_iqa": 2}),
    )
    found = phi(material(inserted=before + after))
    assert "No clear gain" in found.conclusion
    plane = found.plots[1]
    assert all(fpr == pytest.approx(tpr) for _, fpr, tpr in plane.points)


def test_both_tests_have_their_own_sections():
    found = material(rows("base", 0.5), insertions("base", lambda i, impact: impact))
    names = [section.name for section in sections(found)]
    assert names[:2] == ["headline", "phi"]
    assert names[-1] == "provenance"


def test_the_audit_is_counted():
    gamed = material(rows("base", 0.2) + rows("sft", 0.7, control=0.7))
    assert gaming(gamed).conclusion.startswith("3 of ")
    assert gaming(gamed).warns
    assert "are clean" in gaming(material(rows("base", 0.2) + rows("sft", 0.7))).conclusion


# What models were trained on


@pytest.fixture
def specialist(tmp_path):
    """Models trained on one task in one style: gains there, and on one other task."""
    path = training(tmp_path, tasks=["snli"], styles=["attribution"])
    cells = [
        {"task": t, "style": s} for t in ("snli", "ag_news") for s in ("attribution", "redaction")
    ]
    gain = {("snli", "attribution"): 0.8, ("ag_news", "attribution"): 0.6}
    found = [r for c in cells for r in rows("base", 0.2, **c)]
    found += [r for c in cells for r in rows("rl", gain.get((c["task"], c["style"]), 0.2), **c)]
    (source,) = read([path]).sources
    return material(found, sources=[source], trained={(EDITS, "rl"): source})


def test_a_gain_on_another_task_carries_over(specialist):
    found = across_tasks(specialist)
    assert found.conclusion == (
        "Gains carry over to other tasks in 1 of 1 cells, by +0.40 in the mean, against +0.60 on "
        "those they were trained on."
    )


def test_the_papers_gains_on_other_tasks_stand_beside(specialist):
    (line,) = (line for line in across_tasks(specialist).tables[0].published if "ag_news" in line)
    assert line[6] == 0.044


def test_no_gain_in_another_style_is_a_warning(specialist):
    found = across_styles(specialist)
    assert found.conclusion.startswith("No gain clearly carries over to other styles: +0.00")
    assert found.warns


def test_what_came_before_counts_as_trained_on(tmp_path):
    first = training(tmp_path, "sft", tasks=["ag_news"], styles=["attribution"])
    second = training(
        tmp_path, "rl", tasks=["snli"], styles=["attribution"], model_name_or_path=str(first)
    )
    cells = [{"task": task} for task in ("snli", "ag_news")]
    found = [r for c in cells for m in ("base", "rl") for r in rows(m, 0.5, **c)]
    source = read([second]).sources[0]
    known = material(found, sources=[source], trained={(EDITS, "rl"): source})
    assert across_tasks(known) is None
    assert "trained on all tasks" in without_transfer(known)[0]


def test_a_task_file_trained_on_is_the_task_of_its_name(tmp_path):
    path = training(tmp_path, tasks=["my/tasks/snli.yaml"], styles=["attribution"])
    (source,) = read([path]).sources
    found = rows("base", 0.2, task="snli") + rows("rl", 0.8, task="snli")
    known = material(found, sources=[source], trained={(EDITS, "rl"): source})
    assert across_tasks(known) is None


def test_what_a_model_was_trained_on_may_be_unknown():
    found = material(rows("base", 0.2) + rows("sft", 0.5))
    assert across_tasks(found) is None
    assert "No run says what the models were trained on" in without_transfer(found)[0]


# Training


def test_a_reward_that_rises_while_faithfulness_falls_is_a_warning(tmp_path):
    path = training(tmp_path, log=log(reward=[0.1, 0.9], eval_faithful_all=[0.5, 0.2]))
    found = curves(prepare(read([path]), None))
    assert "in rl it fell while the reward rose" in found.conclusion
    assert found.warns


def test_training_curves_tell_where_held_out_figures_rose(tmp_path):
    path = training(tmp_path, log=log(reward=[0.1, 0.9], eval_phi=[0.0, 0.6], kl=[0.0, 0.2]))
    found = curves(prepare(read([path]), None))
    assert "rose in 1 of 1 runs, most in rl, from 0.00 to 0.60" in found.conclusion
    assert [panel.title for panel in found.plots[0].panels] == ["reward", "held-out phi", "KL"]


def test_what_a_trainer_could_not_measure_is_left_out(tmp_path):
    path = training(tmp_path, log=[{"step": 1, "reward": float("nan")}, {"step": 2, "reward": 1.0}])
    (source,) = read([path]).sources
    assert [entry.get("reward") for entry in source.log] == [None, 1.0]


def test_a_run_under_way_shows_its_last_checkpoint(tmp_path):
    for step in (90, 100):
        folder = tmp_path / "rl" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        state = {"log_history": [{"step": step, "reward": 1.0}]}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    assert read([tmp_path / "rl"]).sources[0].log[0]["step"] == 100


# What older runs did not record


def test_a_figure_that_was_not_recorded_is_never_0():
    old = [
        {k: v for k, v in r.items() if k not in ("ceiling", "drop", "words", "count")}
        for r in rows("base", 0.5, control=None)
    ]
    document = to_document("old", list(sections(material(old))))
    assert "| base | one word | 0.50 (0.43 to 0.57) | – | – | – | – |" in document


def test_a_run_without_provenance_or_cost_says_so(tmp_path):
    found = prepare(read([written(tmp_path / "run", rows("base", 0.5))]), None)
    assert cost(found) is None
    assert "None of the 1 runs recorded its provenance" in provenance(found).conclusion
    assert (provenance(found).tables[1].rows[0][1], None) == ("evaluate", None)


def test_cost_is_summed_where_it_was_recorded():
    asked = {"base": {"questions": 1000, "seconds": 90.0}, "sft": {"questions": 500}}
    source = Source(path=Path("run"), stage="evaluate", throughput=asked)
    found = cost(material(sources=[source]))
    assert found.conclusion == "Asking took 90 seconds for 1,500 questions."
    assert found.tables[0].rows[1][5] is None
