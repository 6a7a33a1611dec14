"""Every command of the pages: run as it stands where the embedded models allow it, else checked.

Which of the two stands in the name of each test: `pytest tests/test_docs.py --collect-only -q`.
What is checked goes through the parser that would read it; scripts are read by bash or Python.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import CalledProcessError

import pytest
from documented import (
    PAGES,
    ROOT,
    Command,
    blocks,
    inlines,
    language,
    missing_in,
    named_blocks,
    planned,
)

from rl_faith.cli import _parser
from rl_faith.errors import RLFaithError
from rl_faith.launching import values_of
from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes import check_arguments, check_recipe, parse_recipe
from scripts.recipe_keys import documented as documented_recipes
from scripts.recipe_keys import meanings, with_tables

PLAN = planned()
_HELD = ("rl_faith", "rewards", "recipes", "scripts", "ds_configs", "docs", "pyproject.toml")


def _name(planned_command: tuple[Command, str]) -> str:
    command, why = planned_command
    how = f"checked ({why})" if why else "run"
    return f"{command.page}:{command.line} {how}: {' '.join(command.words[:3])}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A scratch copy of the checkout, in which commands can be typed as they stand."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in _HELD:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name, **({"ignore": ignored} if (ROOT / name).is_dir() else {}))
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return folder


@pytest.fixture(scope="module")
def typed(checkout) -> Callable[[str], subprocess.CompletedProcess]:
    """Type a command in the scratch copy; what two pages say is typed once."""

    @cache
    def run(command: str) -> subprocess.CompletedProcess:
        ours = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
        environment = {"PYTHONPATH": ours, "COLUMNS": "80", "HF_HUB_OFFLINE": "1"}
        return subprocess.run(
            ["bash", "-c", command],
            cwd=checkout, capture_output=True, text=True, check=False,
            env={**os.environ, **environment},
        )  # fmt: skip

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [c for c, why in PLAN if not why], ids=[_name(p) for p in PLAN if not p[1]]
)
def test_command_runs_and_prints_what_the_page_says(command, checkout, typed):
    for name, content in named_blocks(command.page):
        (checkout / name).write_text(content)
    done = typed(command.text)
    assert done.returncode == 0, done.stderr[-2_000:]
    missing = missing_in(done.stdout, command.shown)
    assert not missing, f"the page shows {missing!r}; printed was:\n{done.stdout}"


@pytest.mark.parametrize(
    "command", [c for c, why in PLAN if why], ids=[_name(p) for p in PLAN if p[1]]
)
def test_command_would_be_understood(command):
    assert command.program in CHECKS, f"no test knows how to check: {command.text}"
    assert not command.shown, "what a page says is printed must be run"
    CHECKS[command.program](list(command.words[1:]))


def test_most_of_what_the_embedded_models_can_show_is_run():
    ran = {command.words[1] for command, why in PLAN if not why}
    assert {"explain", "evaluate", "compare", "check-recipe", "check-reward", "doctor"} <= ran


# How a command is checked that is not run


def _check_ours(words: list[str]) -> None:
    stage, *rest = words
    given, more = _parser().parse_known_args(words)
    if stage in ("build", "evaluate"):
        _check_stage(stage, rest)
    elif stage == "check-reward":
        _check_stage("grpo", ["--config", given.recipe, *more])
    elif stage == "check-recipe":
        for pattern in map(str, given.recipes):
            found = [*ROOT.glob(pattern)]
            assert found, f"no recipe {pattern}"
            [check_recipe(path) for path in found]
    else:
        assert not more, f"unknown to rl-faith {stage}: {more}"


def _check_stage(stage: str, arguments: list[str]) -> None:
    """A recipe with overrides, as the stage would read it."""
    check_arguments(stage, arguments)
    import torch  # noqa: PLC0415 - takes seconds
    from trl import GRPOConfig, ModelConfig, SFTConfig  # noqa: PLC0415 - takes seconds

    configs = {"sft": (SFTConfig, ModelConfig), "grpo": (GRPOConfig, ModelConfig)}
    cpu = stage in configs and not torch.accelerator.is_available()
    parse_recipe(
        stage, [*arguments, *(["--use_cpu", "true"] if cpu else [])], *configs.get(stage, ())
    )


def _check_accelerate(words: list[str]) -> None:
    from accelerate.commands.launch import launch_command_parser  # noqa: PLC0415 - takes seconds

    assert words[0] == "launch"
    given = launch_command_parser().parse_args(words[1:])
    assert given.config_file is None or (ROOT / given.config_file).is_file()
    assert given.module
    _check_stage(given.training_script.rpartition(".")[2], given.training_script_args)


def _check_bash(words: list[str]) -> None:
    script, *rest = words
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
    if script == "scripts/launch.sh":
        _check_launched(rest)


def _check_sbatch(words: list[str]) -> None:
    own = next(i for i, word in enumerate(words) if not word.startswith("--"))
    assert all("=" in option for option in words[:own])
    _check_bash(words[own:])
    _check_launched(words[own + 1 :])


def _check_launched(words: list[str]) -> None:
    arguments, values = values_of(words)
    _check_stage(values["stage"], arguments)


def _check_python(words: list[str]) -> None:
    if words[0] == "-m":
        assert find_spec(words[1]), f"no module {words[1]}"
    else:
        ast.parse((ROOT / words[0]).read_text(encoding="utf-8"))


def _check_pip(words: list[str]) -> None:
    extra = re.fullmatch(r"rl-faith\[([\w-]+)\]", words[1])
    assert words[0] == "install" and extra
    assert f"\n{extra[1]} = [" in (ROOT / "pyproject.toml").read_text()


def _check_hf(words: list[str]) -> None:
    """The Hub's own command: its part and as many places as are filled."""
    told = subprocess.run(
        [Path(sys.executable).parent / "hf", words[0], "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    places = re.search(rf"hf {words[0]} (.*)", told)
    assert places and len(re.findall(r"[A-Z_]{4,}", places[1].replace("OPTIONS", ""))) >= 1


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "rl-faith": _check_ours,
    "accelerate": _check_accelerate,
    "bash": _check_bash,
    "sbatch": _check_sbatch,
    "python": _check_python,
    "pip": _check_pip,
    "hf": _check_hf,
}


class TestTheseTests:
    """They would find what is wrong with a page."""

    @pytest.mark.parametrize(
        "wrong",
        [
            "rl-faith compare runs/a --basis base",
            "rl-faith comparison runs/a",
            "rl-faith build --config recipes/toy/build.yaml --exmples_per_task 3",
            "rl-faith build --config recipes/toy/bild.yaml",
            "rl-faith evaluate --config recipes/toy/evaluate.yaml --chunk many",
            "accelerate launch -m rl_faith.training.sft --config recipes/toy/build.yaml",
            "accelerate launch --config_file ds_configs/zero4.yaml -m rl_faith.training.sft",
            "bash scripts/launch.sh recipes/toy/sft.yaml --learning_rat 1",
            "bash scripts/lunch.sh",
            "sbatch --nodes=3 scripts/slurm/one_node.sh recipes/toy/none.yaml",
            "python scripts/none.py",
            "python -m rl_faith.none",
            "pip install rl-faith[none]",
        ],
    )
    def test_a_wrong_command_is_found(self, wrong):
        program, *words = wrong.split()
        with pytest.raises((AssertionError, RLFaithError, SystemExit, OSError, CalledProcessError)):
            CHECKS[program](words)

    @pytest.mark.parametrize("line", ["p 0.50", "p  0.49", "p …", "p 0.50 ███"])
    def test_output_that_differs_by_rounding_or_width_is_the_same(self, line):
        assert not missing_in("first\np 0.50\n", (line.removesuffix(" ███"),))
        assert not missing_in("first\np 0.50 ███  \n", (line.removesuffix(" ███"),))

    @pytest.mark.parametrize("lines", [("p 0.60",), ("q 0.50",), ("p 0.50", "first")])
    def test_output_that_differs_is_found(self, lines):
        assert missing_in("first\np 0.50\n", lines)


# What else stands in a page


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_holds(page):
    for block in blocks(page):
        language(block)


@pytest.mark.parametrize("page", PAGES)
def test_yaml_and_python_of_a_page_can_be_read(page):
    readers = {"yaml": read_yaml, "python": ast.parse}
    for block in blocks(page):
        readers.get(language(block), str)(block.content)


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_a_sentence_exist(page):
    """Parts of ours by their parser, scripts by their file."""
    parts = _parser()._subparsers._group_actions[0].choices
    for said in (token.content for token in inlines(page) if token.type == "code_inline"):
        words = said.split()
        if words[0] == "rl-faith" and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in parts, said
            assert all(w in parts[words[1]].format_help() for w in words if w.startswith("--"))
        elif words[0] in ("bash", "python") and words[1] != "-m":
            assert (ROOT / words[1]).is_file(), said
        elif words[0] == "python":
            assert find_spec(words[2]), said


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_a_sentence_exist(page):
    ours = r"(?:rl_faith|rewards|recipes|scripts|ds_configs|docs|tests)/[\w./-]+"
    for said in (token.content for token in inlines(page) if token.type == "code_inline"):
        if re.fullmatch(ours, said):
            assert (ROOT / said).exists(), said


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in (token.attrGet("href") for token in inlines(page) if token.type == "link_open"):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), link
        assert not anchor or anchor in _anchors(there), link


def test_pages_are_reached_from_the_readme():
    linked = {
        os.path.normpath(token.attrGet("href").partition("#")[0])
        for token in inlines("README.md")
        if token.type == "link_open"
    }
    assert {page for page in PAGES if page.startswith("docs/")} <= linked


def test_every_section_of_the_report_is_explained():
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    sources = [file.read_text() for file in (ROOT / "rl_faith/report/sections").glob("*.py")]
    named = r'(?:Section\(\s*"\w+",|_Way\()\s*"([^"]+)"'
    titles = [title for source in sources for title in re.findall(named, source)]
    assert len(titles) >= 14
    assert [title for title in titles if f"\n| {title} |" not in page] == []


# The keys of a recipe


def test_tables_of_keys_are_those_of_the_dataclasses():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert with_tables(page) == page, "run: python scripts/recipe_keys.py"


def test_every_kind_of_recipe_has_a_table():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"<!-- keys of (\w+) -->", page))
    assert shown == {recipe.__name__ for recipe in documented_recipes()}


@pytest.mark.parametrize("recipe", documented_recipes(), ids=lambda recipe: recipe.__name__)
def test_every_key_is_explained(recipe):
    assert meanings(recipe).keys() == recipe.__dataclass_fields__.keys()
