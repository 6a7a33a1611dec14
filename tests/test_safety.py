"""Nothing runs that the recipe does not name, and nothing is unpickled."""

import ast
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from rl_faith.errors import DataError, ModelError, RewardError
from rl_faith.policies.loading import load_model, load_tokenizer
from rl_faith.policies.serving import engine_settings, to_serve
from rl_faith.tasks import Task, load_examples
from rl_faith.toy import MODELS
from rl_faith.training.rewards import load_reward

SOURCES = sorted(
    file
    for room in ("rl_faith", "rewards", "recipes", "scripts")
    for file in Path(room).rglob("*.py")
)
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("torch.load", "yaml.load", "yaml.full_load", "yaml.unsafe_load"),
}
SWITCHES = {"shell": True, "trust_remote_code": True, "allow_pickle": True, "weights_only": False}


def unsafe_in(source: str) -> list[str]:
    """Imports and calls in a program that unpickle or run what they are given."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [n for n in names if n in UNSAFE or n.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.Call):
            found += [name for name in [ast.unparse(node.func)] if name in UNSAFE]
            found += [k.arg for k in node.keywords if _switched(k)]
    return found


def _switched(keyword: ast.keyword) -> bool:
    value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
    return keyword.arg in SWITCHES and value is SWITCHES[keyword.arg]


@pytest.mark.parametrize("file", SOURCES, ids=str)
def test_no_file_of_ours_unpickles_or_runs_what_it_reads(file):
    assert unsafe_in(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from pickle import loads", "from torch import load", "torch.load(f)"),
        *("yaml.load(f)", "eval(x)", "run(x, shell=True)", "load(x, trust_remote_code=True)"),
    ],
)
def test_such_a_line_would_be_found(line):
    assert unsafe_in(line)


# Weights


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "it ran"


@pytest.fixture
def pickled(tmp_path, mark):
    """The embedded model with its weights as a pickle."""
    folder = tmp_path / "model"
    shutil.copytree(MODELS["toy"], folder, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save({"weight": Trap(mark)}, folder / "pytorch_model.bin")
    return str(folder)


@pytest.fixture
def pickled_adapter(tmp_path, mark):
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": "toy", "r": 4, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    torch.save({"weight": Trap(mark)}, folder / "adapter_model.bin")
    return str(folder)


def test_pickled_weights_are_refused_with_what_to_do(pickled, mark):
    with pytest.raises(ModelError, match="write it anew with save_pretrained"):
        load_model(pickled)
    assert not mark.exists()


@pytest.mark.parametrize(
    "load", [load_model, lambda name: to_serve(name, "")], ids=["load", "vllm"]
)
def test_a_pickled_adapter_is_refused_with_what_to_do(load, pickled_adapter, mark):
    with pytest.raises(ModelError, match="write it anew with save_pretrained"):
        load(pickled_adapter)
    assert not mark.exists()


def test_an_engine_is_told_to_read_safetensors_only():
    assert engine_settings()["load_format"] == "safetensors"


@pytest.mark.parametrize("text", ["[]", "{", "7", '"a"'])
def test_a_damaged_adapter_is_told(tmp_path, text):
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_code_of_a_model_is_not_run_and_nobody_is_asked(load, tmp_path, mark, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: mark.touch() or "y")
    classes = {
        "AutoConfig": "code.C",
        "AutoModelForCausalLM": "code.M",
        "AutoTokenizer": ["code.T"] * 2,
    }
    config = {"model_type": "strange", "auto_map": classes}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(ModelError, match="could be loaded from"):
        load(str(tmp_path))
    assert not mark.exists()


def test_a_pickled_data_set_is_refused(tmp_path, mark, monkeypatch):
    import datasets  # noqa: PLC0415 - slow

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    file = tmp_path / "data.pkl"
    file.write_bytes(pickle.dumps(Trap(mark)))
    hub = {"path": "pandas", "data_files": str(file)}
    labels, columns = {"A": ("1",), "B": ("0",)}, {"input": ("a",), "label": ("b",)}
    splits = {"train": "train", "test": "train"}
    task = Task("t", "{input}", labels, columns, hub=hub, splits=splits)
    with pytest.raises(DataError, match="could not be loaded"):
        load_examples(task, "test", n=2, seed=0)
    assert not mark.exists()


# Rewards


def test_the_path_of_a_reward_is_told_before_its_code_runs(tmp_path, caplog):
    file = tmp_path / "own.py"
    file.write_text("raise RuntimeError('it ran')\n")
    with caplog.at_level("INFO"), pytest.raises(RewardError, match="it ran"):
        load_reward(f"{file}:f")
    assert caplog.messages == [f"reward {file}:f from {file.resolve()}"]


@pytest.mark.parametrize("where", ["pack.inner:f", "pack.inner.f"])
def test_so_is_that_of_a_module_before_its_package_runs(where, tmp_path, caplog, monkeypatch):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("raise RuntimeError('it ran')\n")
    (tmp_path / "pack" / "inner.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level("INFO"), pytest.raises(RewardError, match="it ran"):
        load_reward(where)
    assert caplog.messages == [f"reward {where} from {tmp_path / 'pack' / 'inner.py'}"]


def test_a_reward_by_name_is_told_too(caplog):
    with caplog.at_level("INFO"):
        load_reward("format")
    assert caplog.messages == [f"reward format from {Path('rewards/format.py').resolve()}"]


@pytest.mark.parametrize("code", ["def f(:", "import nothing_of_this_name", "1 / 0", "x"])
def test_a_reward_that_fails_while_imported_is_refused(code, tmp_path):
    (tmp_path / "own.py").write_text(code)
    with pytest.raises(RewardError, match=r"cannot be loaded: \S"):
        load_reward(f"{tmp_path}/own.py:f")


@pytest.mark.parametrize("where", ["", ".", ":", ":f", "a..b", "x.py:", "..:f", "\x00.py:f", "a b"])
def test_an_address_that_names_nothing_is_refused(where):
    with pytest.raises(RewardError, match=r"cannot be loaded: \S"):
        load_reward(where)
