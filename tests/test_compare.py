import io
import json
import subprocess
import sys

import pytest
from rich.console import Console
from scipy import stats as reference

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import compare_runs
from rl_faith.evaluation.comparing import run
from rl_faith.evaluation.reading import read_run
from rl_faith.evaluation.tables import notes, to_table

TASKS = ("sentiment140", "snli", "ag_news")
STYLES = ("attribution", "redaction", "counterfactual")


def row(model, i, faithful, **given):
    base = {
        "model": model,
        "task": "snli",
        "style": "attribution",
        "budget": "one",
        "id": str(i),
        "input": f"text {i}",
        "context": "",
        "gold": "Yes",
        "prediction": "Yes",
        "status": "unscored" if faithful is None else "valid",
        "reason": "too long" if faithful is None else "",
        "count": 1,
        "faithful": faithful,
        "drop": None,
        "control": None,
        "ceiling": None,
    }
    return base | given


def rows(model, faithful, **given):
    return [row(model, i, f, **given) for i, f in enumerate(faithful)]


@pytest.fixture
def write(tmp_path):
    def write(name, rows, tail=""):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        (folder / "instances.jsonl").write_text(text + tail, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def grid(write):
    """A run of two models on nine one-word cells."""
    cells = [{"task": task, "style": style} for task in TASKS for style in STYLES]
    better = [i % 3 > 0 for i in range(60)]
    worse = [i % 5 == 0 for i in range(60)]
    return write(
        "grid",
        [r for c in cells for r in rows("base", worse, **c) + rows("sft", better, **c)],
    )


def printed(comparison, width):
    console = Console(file=io.StringIO(), width=width)
    for table in to_table(comparison, width):
        console.print(table)
    return console.file.getvalue()


def test_difference_worked_by_hand(write):
    before, after = [True, False, False, False, True], [True, True, True, True, False]
    path = write("run", rows("base", before) + rows("sft", after))
    (found,) = compare_runs([path]).rows
    assert (found.baseline_faithful_all.value, found.faithful_all.value) == (0.4, 0.8)
    assert found.difference.value == pytest.approx(0.4)
    assert found.difference.low < 0.4 < found.difference.high
    assert found.p == reference.binomtest(1, 4).pvalue
    assert found.n == 5


def test_pairs_are_by_id_and_not_by_place(write):
    mine, theirs = rows("base", [True, False, True]), rows("sft", [True, False, True])
    (found,) = compare_runs([write("run", mine + theirs[::-1])]).rows
    assert (found.difference.value, found.p) == (0, 1)


def test_examples_that_one_model_lacks_are_not_paired(write):
    path = write("run", rows("base", [True, True, False]) + rows("sft", [True, True])[1:])
    (found,) = compare_runs([path]).rows
    assert (found.n, found.baseline_faithful_all.value) == (1, 1.0)


def test_unscored_examples_are_not_paired(write):
    path = write("run", rows("base", [True, None, False]) + rows("sft", [None, True, True]))
    comparison = compare_runs([path])
    assert comparison.rows[0].n == 1
    assert "Unscored rows of base, left out: 1 too long." in notes(comparison)


def test_accuracy_is_compared_on_the_same_pairs(write):
    wrong = rows("sft", [True, True])
    wrong[0]["prediction"] = "No"
    (found,) = compare_runs([write("run", rows("base", [True, True]) + wrong)]).rows
    assert found.accuracy_difference.value == -0.5


def test_holm_runs_over_all_cells_and_models(write):
    some, more = [False] * 8, [True] * 8
    cells = [{"style": style} for style in STYLES]
    models = [("base", some), ("sft", more), ("rl", more)]
    path = write("run", [r for m, f in models for c in cells for r in rows(m, f, **c)])
    comparison = compare_runs([path])
    assert len(comparison.rows) == 6
    assert [r.p_holm for r in comparison.rows] == pytest.approx([6 * 2 / 2**8] * 6)


def test_baseline_is_the_first_model_unless_named(write):
    path = write("run", rows("base", [True]) + rows("sft", [False]))
    assert compare_runs([path]).baseline == "base"
    named = compare_runs([path], "sft")
    assert (named.baseline, named.rows[0].model) == ("sft", "base")


def test_unknown_baseline_names_the_nearest(write):
    path = write("run", rows("base", [True]) + rows("sft", [False]))
    with pytest.raises(RunError, match=r"'bass'.*did you mean 'base'"):
        compare_runs([path], "bass")


def test_a_model_in_two_runs_is_named_after_its_run(write):
    paths = [
        write("one", rows("base", [True]) + rows("sft", [True])),
        write("two", rows("base", [True])),
    ]
    assert compare_runs(paths).models == ("one/base", "sft", "two/base")


def test_runs_of_the_same_folder_name_are_told_apart_by_path(write):
    paths = [write("a/run", rows("base", [True])), write("b/run", rows("base", [True]))]
    assert compare_runs(paths).models == (f"{paths[0]}/base", f"{paths[1]}/base")


def test_a_run_named_twice_is_refused(write):
    path = write("run", rows("base", [True]))
    with pytest.raises(RunError, match="more than once"):
        compare_runs([path, path / ".." / "run"])


def test_no_run_is_refused():
    with pytest.raises(RunError, match="at least one"):
        compare_runs([])


def test_a_folder_without_instances_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"holds no instances\.jsonl"):
        compare_runs([tmp_path])


def test_a_run_without_rows_is_refused(write):
    with pytest.raises(RunError, match="no judged example yet"):
        compare_runs([write("run", [], tail='{"model": "ba')])


def test_models_without_a_common_example_are_refused(write):
    path = write("run", rows("base", [True], task="snli") + rows("sft", [True], task="ag_news"))
    with pytest.raises(RunError, match="'base' and 'sft' share no scored example"):
        compare_runs([path])


def test_a_cell_without_pairs_is_reported_and_not_compared(write):
    mine = rows("base", [True]) + rows("base", [None], style="redaction")
    theirs = rows("sft", [True]) + rows("sft", [True], style="redaction")
    comparison = compare_runs([write("run", mine + theirs)])
    assert comparison.unpaired == (("sft", "snli", "redaction", "one"),)
    assert any(line.startswith("Not compared") for line in notes(comparison))


def test_same_id_with_another_text_is_refused(write):
    other = rows("sft", [True])
    other[0]["input"] = "something else"
    with pytest.raises(RunError, match="another text, gold label or mode"):
        compare_runs([write("run", rows("base", [True]) + other)])


def test_an_example_that_comes_twice_is_refused(write):
    path = write("run", rows("base", [True]) * 2 + rows("sft", [True]))
    with pytest.raises(RunError, match="comes more than once in base, snli"):
        compare_runs([path])


def test_a_single_model_has_a_grid_and_no_differences(write):
    comparison = compare_runs([write("run", rows("base", [True, False]))])
    assert (comparison.rows, len(to_table(comparison))) == ((), 1)
    assert not any("Differences" in line for line in notes(comparison))


@pytest.mark.parametrize("kept", [1, 20, -1, None])
def test_a_last_line_cut_short_is_left_out(write, kept):
    line = json.dumps(row("base", 9, True, input="naïve ☃"), ensure_ascii=False)
    assert len(read_run(write("run", rows("base", [True]), tail=line[:kept]))) == 1


def test_a_last_line_cut_within_a_character_is_left_out(write):
    path = write("run", rows("base", [True]))
    with (path / "instances.jsonl").open("ab") as file:
        file.write('{"model": "☃'.encode()[:-1])
    assert len(read_run(path)) == 1


def test_a_line_separator_inside_a_text_does_not_split_the_line(write):
    path = write("run", [row("base", 0, True, input="one\u2028two\x85three")])
    assert read_run(path)[0]["input"] == "one\u2028two\x85three"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"model": "ba', "line 1 is not valid JSON"),
        ("[]", "line 1 is not an object"),
        ('{"model": "base"}', "line 1 is not a judged example"),
        (json.dumps(row("base", 0, True, drop=float("nan"))), "NaN is no number"),
        (json.dumps(row("base", 0, None, status="valid")), "faithful is not true or false"),
    ],
)
def test_a_damaged_line_is_named(write, line, why):
    with pytest.raises(RunError, match=why):
        read_run(write("run", [], tail=line + "\n" + json.dumps(row("base", 1, True)) + "\n"))


@pytest.mark.parametrize("width", [80, 120])
def test_no_figure_is_cut_off_and_no_line_is_too_long(grid, width):
    text = printed(compare_runs([grid]), width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("0.12–0.32") == 9  # the interval of 12 of 60, once a cell
    assert text.count("valid 1.00") == 18
    assert text.count("+0.47 [") == 9


def test_a_long_model_name_is_folded_and_not_cut(grid, write):
    name = "allenai/tulu-2-7b-sft-on-attribution-and-redaction"
    text = printed(compare_runs([write("run", rows("base", [True]) + rows(name, [True]))]), 80)
    assert name[:24] in text
    assert name[24:48] in text


def test_a_name_with_markup_is_printed_as_it_is(write):
    path = write("run", rows("[red]base", [True]) + rows("a|b", [True]))
    comparison = compare_runs([path])
    assert "[red]base" in printed(comparison, 80)


def test_each_model_and_budget_has_one_table_of_differences(write):
    cells = [{"style": s, "budget": b} for s in STYLES for b in ("one", "multi")]
    path = write("run", [r for c in cells for m in ("base", "sft") for r in rows(m, [True], **c)])
    titles = [str(table.title) for table in to_table(compare_runs([path]))]
    assert titles[2:] == ["sft against base, one word", "sft against base, several words"]


def test_the_top_word_is_told_beside_what_chance_would_name(write):
    erased = {"top_word": True, "top_word_chance": 0.125}
    comparison = compare_runs([write("run", rows("base", [True, False], **erased))])
    assert "top 1.00" in printed(comparison, 80)
    assert any(line.endswith("by chance 0.12.") for line in notes(comparison))


def driven(model, *top):
    """One example for each most influential word."""
    return [row(model, i, True, most_influential=word) for i, word in enumerate(top)]


def test_two_models_are_driven_alike_where_they_have_the_same_top_word(write):
    both = driven("base", "awful", "no", "bad") + driven("sft", "film", "NO", "bad")
    (found,) = compare_runs([write("run", both)]).rows
    assert (found.same_top_word.value, found.same_top_word.n) == (2 / 3, 3)


def test_an_input_not_erased_for_both_is_left_out(write):
    some = driven("base", "awful", "bad", "no") + driven("sft", None, "bad") + rows("sft", [True])
    (found,) = compare_runs([write("run", some[:5])]).rows
    assert found.same_top_word.n == 1


def test_how_far_models_are_driven_alike_is_told(write):
    path = write("run", driven("base", "awful", "bad") + driven("sft", "film", "bad"))
    told = "sft is driven by the same word as base in 0.50 ["
    assert any(line.startswith(told) for line in notes(compare_runs([path])))


def test_of_several_cells_a_model_has_one_line_about_what_drives_it(write):
    cells = [driven(m, *top) for m, top in (("base", ("awful", "bad")), ("sft", ("film", "bad")))]
    other = [r | {"style": "redaction", "most_influential": "bad"} for rows in cells for r in rows]
    lines = notes(compare_runs([write("run", [*cells[0], *cells[1], *other])]))
    told = "sft is driven by the same word as base in 0.50 to 1.00 of the inputs"
    assert [line.startswith(told) for line in lines if "driven" in line] == [True]


def test_run_prints_the_tables(grid, capsys):
    run([grid], None)
    assert "sft against base" in capsys.readouterr().out


def test_comparing_does_not_load_torch():
    code = (
        "import sys, rl_faith.evaluation.compare; first = 'rich' in sys.modules;"
        "import rl_faith.report.writing; sys.exit(first or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
