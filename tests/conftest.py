"""The command line in this process and in a forked one, and one small run of each stage."""

import importlib.util
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import settings

# Other work on the machine must not fail a test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Before torch is imported: the tests of a file must not fight each other for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Processes that can be killed, without seconds of imports each.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["rl_faith.stages", "rl_faith.training.sft"])
_PATIENCE = 600


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what was wrong."""
        assert "Traceback" not in self.err, self.err
        lines = [line for line in self.err.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, self.err
        assert self.err.endswith(lines[0] + "\n"), self.err
        return lines[0]


Cli = Callable[..., Outcome]


def load_script(name: str) -> ModuleType:
    """A file of scripts/ as a module."""
    path = Path(__file__).parents[1] / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stages() -> None:
    """Imports what the commands import: `datasets` logs to the stderr that it finds first."""
    import rl_faith.stages  # noqa: PLC0415
    import rl_faith.training.sft  # noqa: F401, PLC0415


@pytest.fixture
def cli(stages, capsys) -> Cli:
    """Run `rl-faith ...` in this process."""
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    return lambda *arguments: _outcome(lambda: main([*map(str, arguments)]), capsys)


@pytest.fixture
def sft(stages, capsys, monkeypatch) -> Cli:
    """Run `python -m rl_faith.training.sft ...` in this process."""
    from rl_faith.training.sft import main  # noqa: PLC0415 - brings torch

    def run(*arguments) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["sft.py", *map(str, arguments)])
        return _outcome(main, capsys)

    return run


def _outcome(command: Callable[[], None], capsys) -> Outcome:
    code = 0
    try:
        command()
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    return Outcome(code, said.out, said.err)


class Fork:
    """A command in a process of its own that a test may stop."""

    def __init__(self, log: Path, function: Callable[..., None], *arguments) -> None:
        self.log = log
        self.process = _FORKS.Process(target=_quietly, args=(str(log), function, arguments))
        self.process.start()

    def stop_when(self, ready: Callable[[], bool], signal: int) -> int:
        """Send the signal once `ready()`; return the exit code."""
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            assert self.process.is_alive(), f"it ended too early:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"nothing happened:\n{self.log.read_text()}"
            time.sleep(0.002)
        os.kill(self.process.pid, signal)
        return self.end()

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"it did not end:\n{self.log.read_text()}")
        return self.process.exitcode


@pytest.fixture
def fork(tmp_path) -> Callable[..., Fork]:
    """Call a function in a forked process; what it prints goes to `log.txt`."""
    return lambda function, *arguments: Fork(tmp_path / "log.txt", function, *arguments)


def _quietly(log: str, function: Callable[..., None], arguments: tuple) -> None:
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Path(log).open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    function(*arguments)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A build on the embedded model: three tasks, twelve examples each."""
    from rl_faith.build import build  # noqa: PLC0415 - brings torch
    from rl_faith.recipes import BuildRecipe  # noqa: PLC0415 - brings torch

    out = tmp_path_factory.mktemp("built")
    build(
        BuildRecipe(
            out=str(out),
            model_name_or_path="toy",
            data="toy",
            examples_per_task=12,
            quality_examples=4,
            max_new_tokens=48,
        )
    )
    return out


@pytest.fixture(scope="session")
def adapter(built, tmp_path_factory) -> Path:
    """A LoRA adapter, trained for a few steps on the build."""
    from trl import SFTConfig  # noqa: PLC0415 - brings torch

    from rl_faith.training.arguments import parse_training  # noqa: PLC0415
    from rl_faith.training.sft import train  # noqa: PLC0415

    out = tmp_path_factory.mktemp("adapter")
    arguments = ["--config", "recipes/toy/sft-lora.yaml", *sft_overrides(built, out)]
    train(*parse_training("sft", arguments, SFTConfig))
    return out


def assert_same(found: list[dict], wanted: list[dict], *, within: float = 1e-5) -> None:
    """All fields of all rows are equal; probabilities to within rounding in other batches."""
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.keys() == b.keys()
        for key, value in b.items():
            near = isinstance(value, float | dict) and isinstance(a[key], type(value))
            assert a[key] == (pytest.approx(value, abs=within, rel=0) if near else value), key


def sft_overrides(built: Path, out: Path) -> list[str]:
    """Six steps, a checkpoint after every second one."""
    given = {
        "build": built, "output_dir": out, "max_steps": 6, "save_steps": 2, "save_total_limit": 9,
        "logging_steps": 1, "per_device_train_batch_size": 8, "disable_tqdm": True,
        "report_to": "none",
    }  # fmt: skip
    return [part for key, value in given.items() for part in (f"--{key}", str(value))]


@pytest.fixture(scope="session")
def pool(tmp_path_factory) -> Path:
    """A pool of insertions into questions, balanced on impact, for toy-errands."""
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    out = tmp_path_factory.mktemp("pool")
    build = ["--config", "recipes/toy/phi-build.yaml", "--examples_per_task", "24"]
    main(["build", *build, "--out", str(out)])
    return out


@pytest.fixture(scope="session")
def faults():
    """The table of what was broken and what came of it."""
    from faults import fault_table  # noqa: PLC0415

    return fault_table()


MOOD = """
question: "Review: {input}\\nIs it good? Answer 'Good' or 'Bad'."
labels: {Good: up, Bad: down}
columns: {input: text, label: label}
replacement: "Text: {redacted_input} Which word makes it {target_label}?"
instructions:
  attribution: {one: "Name the word that matters most.", multi: "Name the words that matter."}
  redaction: {one: "Redact the word that matters most.", multi: "Redact the words that matter."}
  counterfactual: {one: "Change one word so that it turns.", multi: "Change it so that it turns."}
"""


@pytest.fixture
def user_task(tmp_path) -> Path:
    """A user's own task, with its data and a recipe for each stage, in a folder."""
    (tmp_path / "mood.yaml").write_text(MOOD)
    (tmp_path / "mood").mkdir()
    for split, noun in (("train", "film"), ("test", "song")):
        rows = [
            {"text": f"the {noun} was {word} on day {i}", "label": label}
            for i in range(6)
            for word, label in (("fine", "up"), ("awful", "down"))
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "mood" / f"{split}.jsonl").write_text(lines)
    common = {
        "data": str(tmp_path), "tasks": [str(tmp_path / "mood.yaml")], "out": str(tmp_path / "out"),
        "examples_per_task": 12, "max_new_tokens": 16,
    }  # fmt: skip
    build = {"stage": "build", "model_name_or_path": "toy", "quality_examples": 2, **common}
    evaluate = {"stage": "evaluate", "models": ["base=toy"], "budgets": ["one", "multi"], **common}
    (tmp_path / "build.yaml").write_text(yaml.safe_dump(build))
    (tmp_path / "evaluate.yaml").write_text(yaml.safe_dump(evaluate))
    return tmp_path
